"""Writes the pages of ``docs/`` that say what the program itself knows: ``python -m evtxscan.docs [--check]``."""
