"""Holds a case against its evidence: the same files, the same records, the same result."""
