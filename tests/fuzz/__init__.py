"""Damages logs at random, and holds what evtxscan promises of every log: ``python -m tests.fuzz --help``."""
