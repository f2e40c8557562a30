"""Tar archives, read from start to end (POSIX.1-1988 ustar, GNU and POSIX.1-2001 pax headers).

The standard library's reader takes extended headers of any size into memory, and stops at damage without a word where
it stands in the middle of an archive: its parser of one header block is used, the walk is our own.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from evtxscan.evidence.containers.limits import MAX_TAR_HEADER
from evtxscan.evidence.containers.member import Member, logical_name
from evtxscan.evidence.containers.reading import BUFFER, Checked, DamagedError, full_read
from evtxscan.evidence.containers.sequence import SequentialMember
from evtxscan.evidence.recognise import Kind
from evtxscan.evidence.source import Opener, utc

BLOCK = 512
_HEADERS_OF_ONE = 64  # extended headers of one file: there are three kinds
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE)


def walk(container: Opener, kind: Kind) -> Iterator[tuple[Member, BinaryIO]]:
    """Yield the files of a tar in order. Raises OSError."""
    with container.stream() as stream:
        yield from walk_stream(stream, container, kind)


def walk_stream(stream: BinaryIO, container: Opener, kind: Kind) -> Iterator[tuple[Member, BinaryIO]]:
    """Yield the files of a tar that ``stream`` gives. What is no header is passed over up to the next one.

    Raises DamagedError at the end where something was passed over, EOFError where the tar is cut.
    """
    index = -1
    extended: dict[str, str] = {}
    headers = passed = empty = 0
    is_lost = False
    while block := full_read(stream, BLOCK):
        if not any(block):
            if not is_lost:
                break  # the end: two empty blocks (one, or nothing, is taken, too)
            empty += 1
            continue
        info = _header(block)
        if info is None:
            passed, empty, extended, is_lost = passed + empty + 1, 0, {}, True
            continue
        passed, empty, is_lost = passed + empty, 0, False
        headers += 1
        if headers > _HEADERS_OF_ONE:
            raise DamagedError("damaged tar archive: no file among its headers")
        if info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            extended |= _pax(_content(stream, info.size))
        elif info.type == tarfile.GNUTYPE_LONGNAME:
            extended["path"] = logical_name(_content(stream, info.size).rstrip(b"\0"))
        elif info.type in (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK):
            _content(stream, info.size)
        else:
            size = _number(extended.get("size"), info.size)
            if info.type in (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
                size = 0
            part = Checked(stream, size)
            if info.type in _REGULAR:
                index += 1
                name = logical_name(extended.get("path") or info.name.encode("utf-8", "surrogateescape"))
                opener = SequentialMember(container, kind, index, f"{container.place}/{name}")
                member = Member(name, opener, size, utc(info.mtime), _problem(info, extended))
                yield member, io.BufferedReader(part, BUFFER)
            if not part.skip_rest():
                raise EOFError
            full_read(stream, -size % BLOCK)
            extended, headers = {}, 0
    if passed:
        raise DamagedError(f"damaged tar archive: {passed * BLOCK:,} bytes are neither a file nor a header")


def _header(block: bytes) -> tarfile.TarInfo | None:
    """Return what a header says; None for a block that is none. Raises EOFError for a part of a block."""
    if len(block) < BLOCK:
        raise EOFError
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None


def _content(stream: BinaryIO, size: int) -> bytes:
    """Read the content of an extended header, and what fills its last block."""
    if size > MAX_TAR_HEADER:
        raise DamagedError(f"damaged tar archive: a header of {size:,} bytes")
    padded = -(-size // BLOCK) * BLOCK
    data = full_read(stream, padded)
    if len(data) < size:
        raise EOFError
    return data[:size]


def _pax(data: bytes) -> dict[str, str]:
    """Return the records of a pax header: each its length, a blank, ``key=value`` and a line end."""
    records: dict[str, str] = {}
    while data:
        number, _, _ = data.partition(b" ")
        length = int(number) if number.isdigit() and len(number) < 10 else 0
        if not len(number) < length <= len(data):
            break
        key, _, value = data[len(number) + 1 : length - 1].partition(b"=")
        records[key.decode("utf-8", "backslashreplace")] = value.decode("utf-8", "backslashreplace")
        data = data[length:]
    return records


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else otherwise


def _problem(info: tarfile.TarInfo, extended: dict[str, str]) -> str | None:
    sparse = info.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse") for key in extended)
    return "stored as a sparse file" if sparse else None
