"""One piece of evidence, opened read-only."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import Literal, Protocol

from evtxscan.errors import EvidenceError

# As many first bytes as say how long a log should be.
HEAD_SIZE = 128
_HASH_BLOCK = 1 << 20
# Damage takes all that is asked for at once; and a log's chunks are of this size.
_PART = 64 << 10


Form = Literal["evtx", "ndjson"]


class Opener(Protocol):
    """Reaches the bytes of one file, in any process: picklable, and equal where it leads to the same bytes.

    One small frozen class for each way that evidence lies: a file of its own, a member of a zip, of a tar ...
    """

    @property
    def place(self) -> str:
        """Where it lies, for messages: the path of the outermost file, and the names inside it."""

    @property
    def is_direct(self) -> bool:
        """Whether any process can read at any offset at no cost: true of a file of its own only."""

    @property
    def is_sequential(self) -> bool:
        """Whether its bytes are reached through all that stand before it: to be read in order, and seldom."""

    def stream(self) -> BufferedReader:
        """Open it to be read once from its start. Raises OSError; so does reading."""

    def open(self) -> BufferedReader:
        """Open it for reading at any offset. Raises OSError; so does reading."""


@dataclass(frozen=True, slots=True)
class PlainFile:
    """A file of its own."""

    location: Path
    is_direct = True
    is_sequential = False

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self.location)

    def stream(self) -> BufferedReader:
        """Open the file."""
        return open_file(self.location)

    def open(self) -> BufferedReader:
        """Open the file."""
        return open_file(self.location)


@dataclass(frozen=True, slots=True)
class Source:
    """One event log: ``path`` relative to ``argument`` (with ``/``), how to reach it, and its size in bytes.

    ``form``: ``ndjson`` is a file of event documents, one a line. ``modified``: ISO 8601, without ``Z`` where the
    container does not say its time zone. ``head``: its first bytes, as many as say how long the log should be.
    ``found_sha256``: its hash, where finding it has read all of it.
    """

    path: str
    argument: str
    opener: Opener
    size: int
    modified: str
    head: bytes = b""
    found_sha256: str | None = None
    form: Form = "evtx"

    @property
    def place(self) -> str:
        """Where it lies, for messages."""
        return self.opener.place

    def open(self) -> BufferedReader:
        """Open the evidence for reading at any offset. Raises EvidenceError when that fails."""
        try:
            return self.opener.open()
        except OSError as error:
            raise unreadable(self.place, error) from error

    def size_now(self) -> int:
        """Return the size of a file of its own as it is now; of what lies in a container, what was found."""
        if not self.opener.is_direct:
            return self.size
        with self.open() as file:
            return file.seek(0, os.SEEK_END)

    def sha256(self, progress: Callable[[int], None] | None = None) -> str:
        """Read all of it and return the SHA-256 in hex; ``progress`` is told the bytes of each block.

        Raises EvidenceError for a file of its own that cannot be read. Of a member of a damaged container the bytes
        that can be read are hashed; reading them says what is wrong.
        """
        digest = hashlib.sha256()
        try:
            with self.opener.stream() as file:
                for part in _blocks(file) if self.opener.is_direct else parts(file):
                    digest.update(part)
                    if progress:
                        progress(len(part))
        except OSError as error:
            if self.opener.is_direct:
                raise unreadable(self.place, error) from error
        return digest.hexdigest()


def open_file(path: Path) -> BufferedReader:
    """Open a file, or a disk, for reading. Raises OSError, and never waits: a pipe may have taken the file's place."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) or stat.S_ISBLK(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "no longer a regular file", str(path))


def plain_source(path: Path, argument: str, name: str) -> Source:
    """Make the Source of a file of its own, known as ``name``. Raises OSError."""
    status = path.stat()
    with open_file(path) as file:
        head = file.read(HEAD_SIZE)
    return Source(name, argument, PlainFile(path), status.st_size, modified_time(path), head)


def _blocks(file: BufferedReader) -> Iterator[memoryview]:
    """Yield all of a file in blocks, each good until the next one. Raises OSError."""
    buffer = bytearray(_HASH_BLOCK)
    view = memoryview(buffer)
    while count := file.readinto(buffer):
        yield view[:count]


def parts(file: BufferedReader) -> Iterator[bytes]:
    """Yield what can be read in small parts, all that come before damage. Raises OSError."""
    while part := file.read1(_PART):
        yield part


def unreadable(place: Path | str, error: OSError) -> EvidenceError:
    """Turn what the operating system says about ``place`` into an error that says what to do."""
    if error.errno == errno.ELOOP:
        return EvidenceError(f"{place}: a symbolic link that leads to itself")
    if isinstance(error, FileNotFoundError) and Path(place).is_symlink():
        target = readable_name(str(Path(place).readlink()))
        return EvidenceError(f"{place}: a symbolic link to {target}, which is not there")
    advice = {
        FileNotFoundError: "no such file or folder",
        PermissionError: "no permission to read it; run as a user who may, or work on a copy",
        IsADirectoryError: "it is a folder",
    }.get(type(error))
    return EvidenceError(f"{place}: {advice or error.strerror or error}")


def modified_time(path: Path) -> str:
    """Return when a file was last written, as ISO 8601. Raises OSError."""
    return utc(path.stat().st_mtime_ns // 10**9)


def utc(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601; nothing for what no calendar has."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""


def readable_name(name: str) -> str:
    """Return a file name as text that can be stored: bytes that are no UTF-8 become ``\\xNN``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
