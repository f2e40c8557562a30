"""Sigma rules as EQL: pySigma reads and converts them, processing steps of ours fit the result to evtxscan's events.

pySigma is not part of the base install (``pip install 'evtxscan[sigma]'``): only ``recognise`` works without it.
"""
