"""Cuts an event log into chunks, the unit of work, of failure and of resume."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from evtxscan.evidence.evtx_layout import CHUNK_SIZE, FILE_HEADER_SIZE, FILE_MAGIC

_CHECKSUMMED, _CHECKSUM_AT, _CHUNK_COUNT_AT = 120, 124, 42


def count_chunks(size: int) -> int:
    """Return how many chunks a log of ``size`` bytes has room for, the last one perhaps cut short."""
    return max(0, -(-(size - FILE_HEADER_SIZE) // CHUNK_SIZE))


def cut_short(head: bytes, size: int) -> str | None:
    """Say how a log of ``size`` bytes, whose first 128 are ``head``, is shorter than its header says; None if not.

    A log that was not closed, or is larger than 4 GiB, announces fewer chunks than it has; none announces more.
    """
    if not head.startswith(FILE_MAGIC):
        return None
    if size < FILE_HEADER_SIZE:
        return "the file ends inside its header: it was cut"
    if zlib.crc32(head[:_CHECKSUMMED]) != struct.unpack_from("<I", head, _CHECKSUM_AT)[0]:
        return None
    (announced,) = struct.unpack_from("<H", head, _CHUNK_COUNT_AT)
    if announced <= count_chunks(size):
        return None
    return f"the file was cut: its header announces {announced} chunks, and it ends after {count_chunks(size)}"


def read_chunks(file: BinaryIO, first: int, count: int) -> list[bytes]:
    """Read up to ``count`` chunks from chunk ``first`` on; the last one of a file may be short. Raises OSError."""
    file.seek(FILE_HEADER_SIZE + first * CHUNK_SIZE)
    return split_chunks(file.read(count * CHUNK_SIZE))


def split_chunks(data: bytes) -> list[bytes]:
    """Cut bytes that begin with a chunk into chunks; the last one may be short."""
    return [data[start : start + CHUNK_SIZE] for start in range(0, len(data), CHUNK_SIZE)]
