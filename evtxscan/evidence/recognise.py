"""Tells what a file is from its content, never from its name."""

from __future__ import annotations

from pathlib import Path

from evtxscan.evidence.evtx_layout import (
    CHUNK_HEADER_SIZE,
    CHUNK_MAGIC,
    CHUNK_SIZE,
    FILE_HEADER_SIZE,
    FILE_MAGIC,
    RECORD_MAGIC,
)

# A log whose file header is gone is known by any of its first chunks.
_CHUNKS_TRIED = 16


def why_not_a_log(path: Path) -> str | None:
    """Return why the file's content is no event log, or None if it is one. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(FILE_HEADER_SIZE)
        if not head:
            return "empty file"
        if head.startswith(FILE_MAGIC):
            return None
        for number in range(_CHUNKS_TRIED):
            file.seek(FILE_HEADER_SIZE + number * CHUNK_SIZE)
            start = file.read(CHUNK_HEADER_SIZE + len(RECORD_MAGIC))
            if start.startswith(CHUNK_MAGIC) or start[CHUNK_HEADER_SIZE:] == RECORD_MAGIC:
                return None
            if not start:
                break
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer; fetch the file it stands for"
    return "not an event log (neither a file header nor a chunk of the EVTX format)"
