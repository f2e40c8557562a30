"""Archives and disk images: one module for each format, and what they share.

``member``: what a container holds. ``reading``: streams that can begin again, and containers that are read in order.
``spool``: random access to what is compressed. ``limits``: how much of it there may be.
"""
