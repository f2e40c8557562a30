"""Streams out of containers: they can begin again for a while, and every damage ends them in one kind of error."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import zstandard

# What damage surfaces as in the standard library's readers and in zstandard.
DAMAGE = (
    EOFError,
    ValueError,  # UnicodeDecodeError too
    ArithmeticError,
    LookupError,
    RuntimeError,  # NotImplementedError too
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zstandard.ZstdError,
)
# Enough to tell what a file is (recognise.py) before it is read from its start.
REPLAY = 2 << 20
# What is read at a time: damage takes all of it, and the log's chunks are of this size.
BUFFER = 64 << 10
# What a decompressor is asked for at a time.
_STEP = 16 << 10


class DamagedError(OSError):
    """A container does not give what it should; the message says what is wrong with it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


def damaged(error: BaseException) -> DamagedError:
    """Say what a reader complained about."""
    if isinstance(error, DamagedError):
        return error
    if isinstance(error, EOFError):
        return DamagedError("the compressed data ends early: it was cut, or is damaged")
    return DamagedError(f"damaged: {str(error) or type(error).__name__}")


class Replayed(io.RawIOBase):
    """A stream that can be read from its start again as long as little of it was read.

    Raises DamagedError for whatever its source raises at damage. Closing it leaves the source open, which the
    container's reader goes on with.
    """

    def __init__(self, source: BinaryIO) -> None:
        # One read of the source at a time: of several, the one that fails would take the others along.
        self._read: Callable[[int], bytes] = getattr(source, "read1", source.read)
        self._kept: bytearray | None = bytearray()
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def rewind(self) -> bool:
        """Go back to the start; return whether that was possible."""
        self._at = 0
        return self._kept is not None

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill ``buffer``, as far as there is something."""
        kept = self._kept
        if kept is not None and self._at < len(kept):
            part = kept[self._at : self._at + len(buffer)]
            buffer[: len(part)] = part
            self._at += len(part)
            return len(part)
        try:
            data = self._read(len(buffer))
        except DAMAGE as error:
            raise damaged(error) from error
        buffer[: len(data)] = data
        if kept is not None:
            if self._at + len(data) <= REPLAY:
                kept += data
            else:
                self._kept = None
        self._at += len(data)
        return len(data)


class Steady(io.RawIOBase):
    """A decompressor that is always asked for the same amount, whatever its reader asks for.

    At damage it takes along what it was asked for; so all readers get the same bytes before the damage.
    """

    def __init__(self, source: Any) -> None:  # noqa: ANN401 - the standard library's readers share no type
        self._source = source
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill ``buffer``, as far as there is something."""
        if not self._left:
            self._left = memoryview(self._source.read(_STEP))
        part = self._left[: len(buffer)]
        self._left = self._left[len(part) :]
        buffer[: len(part)] = part
        return len(part)


def steady(source: Any) -> io.BufferedReader:  # noqa: ANN401 - see Steady
    """Return a stream over a decompressor that gives all that comes before damage."""
    return io.BufferedReader(Steady(source), BUFFER)


class Lent(io.RawIOBase):
    """A stream that belongs to somebody else: closing it changes nothing for the owner."""

    def __init__(self, source: Replayed) -> None:
        self._source = source

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill ``buffer``, as far as there is something."""
        return self._source.readinto(buffer)


class Checked(io.RawIOBase):
    """The next ``size`` bytes of a stream, and their CRC-32 (None: not recorded), compared when all have been given.

    Raises DamagedError where it differs, EOFError where the stream ends early.
    """

    def __init__(self, stream: BinaryIO, size: int, checksum: int | None = None) -> None:
        self._stream = stream
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
        self._left = size
        self._checksum = checksum
        self._crc = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill ``buffer``, as far as there is something."""
        wanted = min(len(buffer), self._left)
        if not wanted:
            if self._checksum not in (None, self._crc):
                raise DamagedError("damaged: its checksum is wrong")
            return 0
        data = self._read(wanted)
        if not data:
            raise EOFError
        buffer[: len(data)] = data
        self._left -= len(data)
        if self._checksum is not None:
            self._crc = zlib.crc32(data, self._crc)
        return len(data)

    def skip_rest(self) -> bool:
        """Read past the rest of it, whatever its checksum; return whether all of it came."""
        try:
            while self._left and (data := self._stream.read(min(BUFFER, self._left))):
                self._left -= len(data)
        except (OSError, *DAMAGE):
            return False
        return not self._left


def full_read(stream: BinaryIO, size: int) -> bytes:
    """Read ``size`` bytes, fewer only at the end: a raw stream may give them in parts. Raises OSError."""
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
