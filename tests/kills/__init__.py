"""Kills ingests at random moments, and completes them: ``python -m tests.kills --help``."""
