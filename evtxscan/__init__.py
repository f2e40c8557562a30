"""Runs Elastic's detection rules over the event logs of a dead Windows machine."""

__version__ = "0.1.0"
