"""One piece of evidence, opened read-only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from evtxscan.errors import EvidenceError
from evtxscan.evtx.walk import CHUNK_MAGIC, CHUNK_SIZE, FILE_HEADER_SIZE, FILE_MAGIC, RECORD_MAGIC

_HASH_BLOCK = 1 << 20
# A log whose file header is gone is known by any of its first chunks.
_CHUNKS_TRIED = 16


@dataclass(frozen=True, slots=True)
class Source:
    """One event log: ``path`` relative to ``argument`` (with ``/``), where it lies, and size in bytes."""

    path: str
    argument: str
    location: Path
    size: int
    modified: str

    @property
    def chunks(self) -> int:
        """How many chunks the file has room for, the last one perhaps cut short."""
        return max(0, -(-(self.size - FILE_HEADER_SIZE) // CHUNK_SIZE))

    def open(self) -> BinaryIO:
        """Open the evidence for reading. Raises EvidenceError when that fails."""
        try:
            return self.location.open("rb")
        except OSError as error:
            raise unreadable(self.location, error) from error

    def sha256(self, progress: Callable[[int], None] | None = None) -> str:
        """Read all of it and return the SHA-256 in hex; ``progress`` is told the bytes of each block."""
        digest = hashlib.sha256()
        buffer = bytearray(_HASH_BLOCK)
        view = memoryview(buffer)
        with self.open() as file:
            try:
                while count := file.readinto(buffer):  # type: ignore[attr-defined]
                    digest.update(view[:count])
                    if progress:
                        progress(count)
            except OSError as error:
                raise unreadable(self.location, error) from error
        return digest.hexdigest()


def unreadable(path: Path, error: OSError) -> EvidenceError:
    """Turn what the operating system says about ``path`` into an error that says what to do."""
    advice = {
        FileNotFoundError: "no such file or folder",
        PermissionError: "no permission to read it; run as a user who may, or work on a copy",
        IsADirectoryError: "it is a folder",
    }.get(type(error))
    return EvidenceError(f"{path}: {advice or error.strerror or error}")


def read_chunks(file: BinaryIO, first: int, count: int) -> list[bytes]:
    """Read up to ``count`` chunks from chunk ``first`` on; the last one of a file may be short. Raises OSError."""
    file.seek(FILE_HEADER_SIZE + first * CHUNK_SIZE)
    data = file.read(count * CHUNK_SIZE)
    return [data[start : start + CHUNK_SIZE] for start in range(0, len(data), CHUNK_SIZE)]


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
            start = file.read(516)
            if start.startswith(CHUNK_MAGIC) or start[512:516] == RECORD_MAGIC:
                return None
            if not start:
                break
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer; fetch the file it stands for"
    return "not an event log (neither a file header nor a chunk of the EVTX format)"


def describe(path: Path, argument: str, name: str) -> Source:
    """Make the Source of a file. Raises OSError."""
    status = path.stat()
    modified = datetime.fromtimestamp(status.st_mtime_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Source(name, argument, path, status.st_size, modified)


def readable_name(name: str) -> str:
    """Return a file name as text that can be stored: bytes that are no UTF-8 become ``\\xNN``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
