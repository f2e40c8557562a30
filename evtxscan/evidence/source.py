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

_HASH_BLOCK = 1 << 20
_HEAD = 128


@dataclass(frozen=True, slots=True)
class Source:
    """One event log: ``path`` relative to ``argument`` (with ``/``), where it lies, and size in bytes."""

    path: str
    argument: str
    location: Path
    size: int
    modified: str

    def open(self) -> BinaryIO:
        """Open the evidence for reading. Raises EvidenceError when that fails."""
        try:
            return self.location.open("rb")
        except OSError as error:
            raise unreadable(self.location, error) from error

    def head(self) -> bytes:
        """Return the first bytes, as many as say how long the log should be; none when it cannot be read."""
        try:
            with self.location.open("rb") as file:
                return file.read(_HEAD)
        except OSError:
            return b""  # reading the rest says why

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


def describe(path: Path, argument: str, name: str) -> Source:
    """Make the Source of a file. Raises OSError."""
    status = path.stat()
    modified = datetime.fromtimestamp(status.st_mtime_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Source(name, argument, path, status.st_size, modified)


def readable_name(name: str) -> str:
    """Return a file name as text that can be stored: bytes that are no UTF-8 become ``\\xNN``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
