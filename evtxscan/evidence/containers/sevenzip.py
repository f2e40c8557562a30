"""7z archives (7zFormat.txt and Methods.txt of the LZMA SDK), with what the standard library and zstandard decompress.

Files are packed one after the other into *folders*, each one compressed stream: reading a file means decompressing all
that stand before it in its folder. What a folder's method cannot be read for is said of its files; the others are read.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import zstandard

from evtxscan.evidence.containers.limits import MAX_DICTIONARY, MAX_DIRECTORY
from evtxscan.evidence.containers.member import Member, logical_name
from evtxscan.evidence.containers.reading import BUFFER, Checked, DamagedError, steady
from evtxscan.evidence.containers.sequence import SequentialMember
from evtxscan.evidence.containers.sevenzip_directory import (
    HEADER_SIZE,
    Coder,
    Directory,
    Folder,
    read_directory,
    read_streams,
    start_header,
)
from evtxscan.evidence.recognise import Kind
from evtxscan.evidence.source import Opener, utc

_INPUT = 1 << 16
_TO_1970 = 11_644_473_600  # seconds from 1601, where FILETIME begins
_COPY, _LZMA, _LZMA2, _ZSTD = b"\x00", b"\x03\x01\x01", b"\x21", b"\x04\xf7\x11\x01"
_DEFLATE, _BZIP2, _DELTA = b"\x04\x01\x08", b"\x04\x02\x02", b"\x03"
_X86 = (b"\x04", b"\x03\x03\x01\x03")
_AES = b"\x06\xf1\x07\x01"
_UNREAD = {b"\x03\x04\x01": "PPMd", b"\x03\x03\x01\x1b": "BCJ2", b"\x04\x01\x09": "Deflate64"}


def walk(container: Opener, kind: Kind) -> Iterator[tuple[Member, BinaryIO]]:
    """Yield the files of a 7z archive in order. Raises OSError where its directory is damaged."""
    with container.open() as file:
        directory = _directory(file)
        entries = iter(directory.entries)
        index = -1
        for folder in directory.folders:
            problem = _problem(folder)
            stream = io.BytesIO() if problem else _content(file, folder)
            for size, checksum in folder.parts:
                entry = next((entry for entry in entries if entry.has_stream), None)
                if entry is None:
                    raise DamagedError("damaged 7z archive: more data than files")
                index += 1
                name = logical_name(entry.name.replace("\\", "/"))
                opener = SequentialMember(container, kind, index, f"{container.place}/{name}")
                modified = utc(entry.modified // 10**7 - _TO_1970) if entry.modified else ""
                part = Checked(stream, size, checksum)
                yield Member(name, opener, size, modified, problem), io.BufferedReader(part, BUFFER)
                if not problem and not part.skip_rest():
                    problem = "behind damage in the archive"


def _directory(file: BinaryIO) -> Directory:
    """Read the directory at the end of an archive, which is itself compressed as a rule."""
    offset, size, checksum = start_header(file.read(HEADER_SIZE))
    if size > MAX_DIRECTORY:
        raise DamagedError(f"damaged 7z archive: a directory of {size:,} bytes")
    file.seek(HEADER_SIZE + offset)
    data = file.read(size)
    while True:
        if len(data) < size or zlib.crc32(data) != checksum:
            raise DamagedError("damaged 7z archive: its directory, which is at its end, is cut or damaged")
        if not data.startswith(b"\x17"):
            return read_directory(data)
        folder = next(iter(read_streams(data)), None)
        if folder is None:
            return Directory([], [])
        if problem := _problem(folder):
            raise DamagedError(f"{problem}, names too; extract it with the password and name the folder")
        size, part_checksum = folder.parts[0]
        if size > MAX_DIRECTORY:
            raise DamagedError(f"damaged 7z archive: a directory of {size:,} bytes")
        data = _content(file, folder).read(size)
        checksum = zlib.crc32(data) if part_checksum is None else part_checksum


def _problem(folder: Folder) -> str | None:
    """Return why a folder cannot be read, None if it can."""
    methods = [coder.method for coder in folder.coders]
    if _AES in methods:
        return "encrypted"
    for method in methods:
        if method in _UNREAD:
            return f"compressed by {_UNREAD[method]}"
    if not folder.is_chain:
        return "compressed by several methods at once"
    if _LZMA in methods and len(methods) > 1:
        return "compressed by LZMA with a filter"  # the standard library loses its last bytes
    known = {_COPY, _LZMA, _LZMA2, _ZSTD, _DEFLATE, _BZIP2, _DELTA, *_X86}
    unknown = next((method for method in methods if method not in known), None)
    if unknown is not None:
        return f"compressed by method {unknown.hex()}"
    if len([method for method in methods if method not in (_DELTA, *_X86)]) != 1:
        return "compressed by several methods at once"
    if len(methods) > 1 and _LZMA2 not in methods:
        return "compressed by a filter that is read with LZMA2 only"
    if any(_dictionary(coder) > MAX_DICTIONARY for coder in folder.coders):
        return f"compressed with a dictionary of more than {MAX_DICTIONARY >> 20} MiB"
    return None


def _dictionary(coder: Coder) -> int:
    """Return how much memory a coder's dictionary takes. Raises DamagedError for properties that cannot be."""
    if coder.method == _LZMA:
        if len(coder.properties) != 5 or coder.properties[0] >= 9 * 5 * 5:
            raise DamagedError("damaged 7z archive: properties of LZMA")
        return int.from_bytes(coder.properties[1:], "little")
    if coder.method == _LZMA2:
        if len(coder.properties) != 1 or coder.properties[0] > 40:
            raise DamagedError("damaged 7z archive: properties of LZMA2")
        bits = coder.properties[0]
        return 0xFFFFFFFF if bits == 40 else (2 | bits & 1) << (bits // 2 + 11)
    return 0


def _content(file: BinaryIO, folder: Folder) -> BinaryIO:
    """Return what comes out of a folder, from its start."""
    packed = _Packed(file, folder.offset, folder.packed_size)
    main = next(coder for coder in folder.coders if coder.method not in (_DELTA, *_X86))
    if main.method == _COPY:
        return io.BufferedReader(packed, BUFFER)
    if main.method == _ZSTD:
        decoder = zstandard.ZstdDecompressor(max_window_size=MAX_DICTIONARY)
        return steady(decoder.stream_reader(io.BufferedReader(packed), read_size=_INPUT, read_across_frames=True))
    return steady(_Decoded(packed, _decoder(folder, main)))


def _decoder(folder: Folder, main: Coder) -> Any:  # noqa: ANN401 - the standard library's decompressors share no type
    if main.method == _BZIP2:
        return bz2.BZ2Decompressor()
    if main.method == _DEFLATE:
        return _Inflater()
    filters: list[dict[str, int]] = []
    for coder in folder.coders:  # the last to be undone stands first, as lzma wants it
        if coder.method in _X86:
            filters.append({"id": lzma.FILTER_X86})
        elif coder.method == _DELTA:
            filters.append({"id": lzma.FILTER_DELTA, "dist": (coder.properties or b"\0")[0] + 1})
        elif coder.method == _LZMA2:
            filters.append({"id": lzma.FILTER_LZMA2, "dict_size": max(4096, _dictionary(coder))})
        else:
            size, first = max(4096, _dictionary(coder)), coder.properties[0]
            lc, lp, pb = first % 9, first // 9 % 5, first // 45
            filters.append({"id": lzma.FILTER_LZMA1, "dict_size": size, "lc": lc, "lp": lp, "pb": pb})
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


class _Inflater:
    """zlib's decompressor with the face of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(-15)
        self._rest = b""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        """Whether more is needed to go on."""
        return not self._rest

    def decompress(self, data: bytes, limit: int) -> bytes:
        """Return up to ``limit`` bytes."""
        result = self._inner.decompress(self._rest + data, limit)
        self._rest = self._inner.unconsumed_tail
        return result


class _Packed(io.RawIOBase):
    """The packed bytes of a folder; the file is shared by all folders, one at a time."""

    def __init__(self, file: BinaryIO, offset: int, size: int) -> None:
        self._file = file
        self._at = offset
        self._end = offset + size

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill ``buffer``, as far as there is something."""
        self._file.seek(self._at)
        data = self._file.read(min(len(buffer), self._end - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class _Decoded(io.RawIOBase):
    """What a decompressor makes of packed bytes."""

    def __init__(self, packed: _Packed, decoder: Any) -> None:  # noqa: ANN401 - see _decoder
        self._packed = packed
        self._decoder = decoder

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill ``buffer``, as far as there is something."""
        while not self._decoder.eof:
            fresh = self._packed.read(_INPUT) if self._decoder.needs_input else b""
            data = self._decoder.decompress(fresh or b"", len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
            if not fresh and self._decoder.needs_input:
                break  # LZMA need not say where it ends: the sizes of the files do
        return 0
