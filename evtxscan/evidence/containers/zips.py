"""Zip archives. The standard library reads them; every entry stands alone, so a damaged one costs itself only."""

from __future__ import annotations

import io
import struct
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from evtxscan.evidence.containers.member import Member, logical_name
from evtxscan.evidence.containers.reading import BUFFER, DAMAGE, Checked, Replayed, damaged, steady
from evtxscan.evidence.containers.spool import seekable
from evtxscan.evidence.source import Opener, utc

# APPNOTE.TXT 4.4.4 and 4.4.5, and the extra field of Info-ZIP that has times in UTC.
_ENCRYPTED = 0x1
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES encryption"}
_READ = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_EXTENDED_TIME = 0x5455
_KEPT = 4


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A file in a zip: number ``index`` of its directory, from 0."""

    container: Opener
    index: int
    place: str
    is_direct = False
    is_sequential = False

    def stream(self) -> io.BufferedReader:
        """Decompress it from its start."""
        archive = _archive(self.container)
        try:
            info = archive.infolist()[self.index]
            file = archive.open(info)
        except DAMAGE as error:
            raise damaged(error) from error
        file._expected_crc = None  # type: ignore[attr-defined]  # it would take the last bytes with it
        return io.BufferedReader(Replayed(Checked(steady(file), info.file_size, info.CRC)), BUFFER)  # type: ignore[arg-type]

    def open(self) -> io.BufferedReader:
        """Make a copy that can be read at any offset."""
        return seekable(self)


class _Kept(threading.local):
    def __init__(self) -> None:
        self.archives: OrderedDict[Opener, zipfile.ZipFile] = OrderedDict()


_kept = _Kept()


def _archive(container: Opener) -> zipfile.ZipFile:
    """Return the open archive, its directory read; each thread has its own. Raises OSError."""
    archives = _kept.archives
    archive = archives.get(container)
    if archive is None:
        try:
            archive = zipfile.ZipFile(container.open())
        except DAMAGE as error:
            raise damaged(error) from error
        archives[container] = archive
        while len(archives) > _KEPT:
            archives.popitem(last=False)
    archives.move_to_end(container)
    return archive


def members(container: Opener) -> Iterator[Member]:
    """Yield the files of a zip in the order of its directory. Raises OSError where the directory is damaged."""
    for index, info in enumerate(_archive(container).infolist()):
        if info.filename.endswith("/"):
            continue
        name = logical_name(_with_slashes(info.filename))
        opener = ZipMember(container, index, f"{container.place}/{name}")
        yield Member(name, opener, info.file_size, _modified(info), _problem(info))


def _with_slashes(name: str) -> str:
    """Return an entry's name with ``/``: some programs of Windows write ``\\``, which no name there can have."""
    return name if "/" in name else name.replace("\\", "/")


def _problem(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & _ENCRYPTED:
        return "encrypted"
    if info.compress_type not in _READ:
        return f"compressed by {_METHODS.get(info.compress_type, f'method {info.compress_type}')}"
    return None


def _modified(info: zipfile.ZipInfo) -> str:
    """Return when the file was last written: in UTC where an extra field has it, else as the clock showed it."""
    at = 0
    while at + 4 <= len(info.extra):
        number, size = struct.unpack_from("<HH", info.extra, at)
        if number == _EXTENDED_TIME and size >= 5 and at + 9 <= len(info.extra) and info.extra[at + 4] & 1:
            return utc(struct.unpack_from("<i", info.extra, at + 5)[0])
        at += 4 + size
    year, month, day, hour, minute, second = info.date_time
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"


def forget() -> None:
    """Close what this thread has open."""
    _kept.archives.clear()
