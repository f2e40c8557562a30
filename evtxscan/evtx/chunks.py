"""Cuts an event log into chunks, the unit of work, of failure and of resume."""

from __future__ import annotations

from typing import BinaryIO

from evtxscan.evidence.evtx_layout import CHUNK_SIZE, FILE_HEADER_SIZE


def count_chunks(size: int) -> int:
    """Return how many chunks a log of ``size`` bytes has room for, the last one perhaps cut short."""
    return max(0, -(-(size - FILE_HEADER_SIZE) // CHUNK_SIZE))


def read_chunks(file: BinaryIO, first: int, count: int) -> list[bytes]:
    """Read up to ``count`` chunks from chunk ``first`` on; the last one of a file may be short. Raises OSError."""
    file.seek(FILE_HEADER_SIZE + first * CHUNK_SIZE)
    data = file.read(count * CHUNK_SIZE)
    return [data[start : start + CHUNK_SIZE] for start in range(0, len(data), CHUNK_SIZE)]
