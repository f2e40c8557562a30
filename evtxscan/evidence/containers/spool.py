"""Random access to what can only be read in order: one copy without a name.

Small ones are kept in memory. Others go to a file that no folder lists (Linux makes it so; elsewhere on Unix its name
is removed at once) or that Windows removes with its last handle: it vanishes with the process, however that ends. It
lies where temporary files lie (TMPDIR, TEMP).
"""

from __future__ import annotations

import errno
import io
import tempfile
import threading
from collections import OrderedDict
from typing import Any

from evtxscan.evidence.containers.limits import MAX_COPY, LimitError
from evtxscan.evidence.source import Opener

_IN_MEMORY = 32 << 20
_BLOCK = 1 << 20
# Archives in archives are read by three threads, one after the other: few are in use at a time.
_KEPT = 4


class _Copy:
    """The copy itself, shared by all who read it."""

    def __init__(self, opener: Opener, limit: int) -> None:
        self.size = 0
        # Closed with the last reader: everyone holds the object, and a file closes when it is collected.
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        self._lock = threading.Lock()
        with opener.stream() as source:
            while block := source.read(_BLOCK):
                self.size += len(block)
                if self.size > limit:
                    raise LimitError(
                        f"{opener.place}: too large to be copied out of its archive (more than {limit:,} bytes);"
                        " if it is what it says, extract it and name the folder"
                    )
                self._write(block)

    def _write(self, block: bytes) -> None:
        try:
            self._file.write(block)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            place = tempfile.gettempdir()
            raise OSError(
                f"no room in {place} for a temporary copy; set TMPDIR (Windows: TEMP) to a folder on a larger disk"
            ) from error

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)


class _View(io.RawIOBase):
    """One reader of a copy, at an offset of its own."""

    def __init__(self, copy: _Copy) -> None:
        self._copy = copy
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill ``buffer``, as far as there is something."""
        data = self._copy.read_at(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._copy.size}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, "an offset before the start")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Return the offset."""
        return self._at


_copies: OrderedDict[Opener, _Copy] = OrderedDict()
_making = threading.RLock()


def prepare(opener: Opener, limit: int) -> int:
    """Make the copy of what ``opener`` streams, of ``limit`` bytes at most, and return its size.

    Raises OSError, LimitError.
    """
    return _copy(opener, min(limit, MAX_COPY)).size


def seekable(opener: Opener) -> io.BufferedReader:
    """Return a reader at any offset over a copy of what ``opener`` streams; one copy serves many readers.

    Raises OSError, LimitError.
    """
    return io.BufferedReader(_View(_copy(opener, MAX_COPY)))


def _copy(opener: Opener, limit: int) -> _Copy:
    with _making:
        copy = _copies.get(opener)
        if copy is None:
            copy = _Copy(opener, limit)
            _copies[opener] = copy
            while len(_copies) > _KEPT:
                _copies.popitem(last=False)
        _copies.move_to_end(opener)
        return copy
