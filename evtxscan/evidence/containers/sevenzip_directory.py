"""The directory of a 7z archive: its files, and how they are packed (7zFormat.txt of the LZMA SDK)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from evtxscan.evidence.containers.limits import MAX_MEMBERS
from evtxscan.evidence.containers.reading import DamagedError

HEADER_SIZE = 32
_MAGIC = b"7z\xbc\xaf\x27\x1c"
_MAX_CODERS = 32

# Property ids.
_END, _HEADER, _PROPERTIES, _MAIN_STREAMS, _FILES = 0x00, 0x01, 0x02, 0x04, 0x05
_PACK_INFO, _UNPACK_INFO, _SUB_STREAMS, _SIZE, _CRC, _FOLDER = 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B
_UNPACK_SIZE, _STREAM_COUNT, _EMPTY_STREAM, _NAMES, _MODIFIED = 0x0C, 0x0D, 0x0E, 0x11, 0x14
_ENCODED_HEADER = 0x17


@dataclass(frozen=True, slots=True)
class Coder:
    """One step of compression: method id and properties, both as they stand in the archive."""

    method: bytes
    properties: bytes


@dataclass(slots=True)
class Folder:
    """One compressed stream; ``parts``: size and CRC-32 (None: not recorded) of each file in it.

    ``coders``: the last to be undone stands first. ``is_chain``: whether each takes what the one behind it gives.
    """

    coders: list[Coder]
    is_chain: bool
    streams: int
    outputs: int
    main_output: int
    offset: int = 0
    packed_size: int = 0
    size: int = 0
    checksum: int | None = None
    parts: list[tuple[int, int | None]] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """One file or folder of the archive; ``modified`` is a FILETIME, 0 if not recorded."""

    name: str = ""
    has_stream: bool = True
    modified: int = 0


@dataclass(frozen=True, slots=True)
class Directory:
    """All that an archive says of its content."""

    folders: list[Folder]
    entries: list[Entry]


def start_header(data: bytes) -> tuple[int, int, int]:
    """Return offset (behind this header), size and CRC-32 of the directory. Raises DamagedError."""
    if len(data) < HEADER_SIZE or not data.startswith(_MAGIC):
        raise DamagedError("damaged 7z archive: it ends inside its header")
    if zlib.crc32(data[12:]) != struct.unpack_from("<I", data, 8)[0]:
        raise DamagedError("damaged 7z archive: the checksum of its header is wrong")
    offset, size, checksum = struct.unpack_from("<QQI", data, 12)
    return offset, size, checksum


def read_streams(data: bytes) -> list[Folder]:
    """Return the folders of a directory that is packed itself. Raises DamagedError."""
    reader = _Reader(data)
    reader.expect(_ENCODED_HEADER)
    return _streams(reader)


def read_directory(data: bytes) -> Directory:
    """Return what a directory says. Raises DamagedError."""
    if not data:
        return Directory([], [])
    reader = _Reader(data)
    reader.expect(_HEADER)
    folders: list[Folder] = []
    entries: list[Entry] = []
    while (number := reader.byte()) != _END:
        if number == _PROPERTIES:
            while reader.byte() != _END:
                reader.take(reader.number())
        elif number == _MAIN_STREAMS:
            folders = _streams(reader)
        elif number == _FILES:
            entries = _files(reader)
        else:
            raise reader.damaged()
    return Directory(folders, entries)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @staticmethod
    def damaged() -> DamagedError:
        return DamagedError("damaged 7z archive: its directory does not read")

    def take(self, size: int) -> bytes:
        data = self._data[self._at : self._at + size]
        if len(data) < size:
            raise self.damaged()
        self._at += size
        return data

    def byte(self) -> int:
        return self.take(1)[0]

    def expect(self, number: int) -> None:
        if self.byte() != number:
            raise self.damaged()

    def number(self) -> int:
        """Read a number of up to 64 bits: the first byte's high ones say how many bytes follow."""
        first, mask, value = self.byte(), 0x80, 0
        for index in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << (8 * index)
            value |= self.byte() << (8 * index)
            mask >>= 1
        return value

    def count(self) -> int:
        """Read how many of something follow."""
        value = self.number()
        if value > MAX_MEMBERS:
            raise DamagedError(f"damaged 7z archive: it claims {value:,} files (at most {MAX_MEMBERS:,} are read)")
        return value

    def bits(self, count: int) -> list[bool]:
        data = self.take((count + 7) // 8)
        return [bool(data[index >> 3] & 0x80 >> (index & 7)) for index in range(count)]

    def optional_bits(self, count: int) -> list[bool]:
        return [True] * count if self.byte() else self.bits(count)

    def checksums(self, count: int) -> list[int | None]:
        known = self.optional_bits(count)
        return [int.from_bytes(self.take(4), "little") if is_known else None for is_known in known]


def _streams(reader: _Reader) -> list[Folder]:
    position, sizes = 0, list[int]()
    folders: list[Folder] = []
    is_split = False
    while (number := reader.byte()) != _END:
        if number == _PACK_INFO:
            position, sizes = _packed(reader)
        elif number == _UNPACK_INFO:
            folders = _folders(reader)
        elif number == _SUB_STREAMS:
            _parts(reader, folders)
            is_split = True
        else:
            raise reader.damaged()
    first = 0
    for folder in folders:
        if first + folder.streams > len(sizes):
            raise reader.damaged()
        folder.offset = HEADER_SIZE + position
        folder.packed_size = sizes[first]
        position += sum(sizes[first : first + folder.streams])
        first += folder.streams
        if not is_split:
            folder.parts = [(folder.size, folder.checksum)]
    return folders


def _packed(reader: _Reader) -> tuple[int, list[int]]:
    position, count = reader.number(), reader.count()
    sizes: list[int] = []
    while (number := reader.byte()) != _END:
        if number == _SIZE:
            sizes = [reader.number() for _ in range(count)]
        elif number == _CRC:
            reader.checksums(count)
        else:
            raise reader.damaged()
    return position, sizes


def _folders(reader: _Reader) -> list[Folder]:
    reader.expect(_FOLDER)
    count = reader.count()
    if reader.byte():  # kept elsewhere, which no program does
        raise reader.damaged()
    folders = [_folder(reader) for _ in range(count)]
    reader.expect(_UNPACK_SIZE)
    for folder in folders:
        sizes = [reader.number() for _ in range(folder.outputs)]
        folder.size = sizes[folder.main_output]
    while (number := reader.byte()) != _END:
        if number != _CRC:
            raise reader.damaged()
        for folder, checksum in zip(folders, reader.checksums(count), strict=True):
            folder.checksum = checksum
    return folders


def _folder(reader: _Reader) -> Folder:
    """Read how a folder is packed: its coders, and which takes the output of which."""
    count = reader.number()
    if not 1 <= count <= _MAX_CODERS:
        raise reader.damaged()
    coders: list[Coder] = []
    inputs = outputs = 0
    for _ in range(count):
        flags = reader.byte()
        method = reader.take(flags & 0x0F)
        is_complex = bool(flags & 0x10)
        taken, given = (reader.number(), reader.number()) if is_complex else (1, 1)
        properties = reader.take(reader.number()) if flags & 0x20 else b""
        coders.append(Coder(method, properties))
        inputs, outputs = inputs + taken, outputs + given
    if inputs > _MAX_CODERS or not 1 <= outputs <= _MAX_CODERS:
        raise reader.damaged()
    bound = {reader.number(): reader.number() for _ in range(outputs - 1)}  # input -> output
    streams = inputs - len(bound)
    if streams > 1:
        for _ in range(streams):
            reader.number()
    free = [output for output in range(outputs) if output not in bound.values()]
    if streams < 1 or len(free) != 1:
        raise reader.damaged()
    order = _chain(free[0], bound, count) if inputs == outputs == count else None
    in_order = [coders[index] for index in order] if order else coders
    return Folder(in_order, order is not None, streams, outputs, free[0])


def _chain(last: int, bound: dict[int, int], count: int) -> list[int] | None:
    """Return the coders from the one that gives the files on back, if all have one input and one output."""
    order = [last]
    while order[-1] in bound and len(order) < count:
        order.append(bound[order[-1]])
    return order if len(order) == count and set(order) == set(range(count)) else None


def _parts(reader: _Reader, folders: list[Folder]) -> None:
    counts = [1] * len(folders)
    number = reader.byte()
    if number == _STREAM_COUNT:
        counts = [reader.count() for _ in folders]
        if sum(counts) > MAX_MEMBERS:
            raise reader.damaged()
        number = reader.byte()
    sizes: list[list[int]] = []
    for folder, count in zip(folders, counts, strict=True):
        given = [reader.number() for _ in range(count - 1)] if number == _SIZE else []
        rest = folder.size - sum(given)
        if rest < 0 or (count > 1 and len(given) < count - 1):
            raise reader.damaged()
        sizes.append([*given, rest] if count else [])
    if number == _SIZE:
        number = reader.byte()
    whole = [count == 1 and folder.checksum is not None for folder, count in zip(folders, counts, strict=True)]
    checksums: list[int | None] = []
    missing = sum(count for count, is_known in zip(counts, whole, strict=True) if not is_known)
    while number != _END:
        if number == _CRC:
            checksums = reader.checksums(missing)
        else:
            raise reader.damaged()
        number = reader.byte()
    left = iter(checksums)
    for folder, own, is_known in zip(folders, sizes, whole, strict=True):
        folder.parts = [(size, folder.checksum if is_known else next(left, None)) for size in own]


def _files(reader: _Reader) -> list[Entry]:
    entries = [Entry() for _ in range(reader.count())]
    while (number := reader.byte()) != _END:
        part = _Reader(reader.take(reader.number()))
        if number == _EMPTY_STREAM:
            for entry, is_empty in zip(entries, part.bits(len(entries)), strict=True):
                entry.has_stream = not is_empty
        elif number == _NAMES:
            part.expect(0)
            names = part.take(len(part._data) - 1).decode("utf-16-le", "backslashreplace").split("\0")
            if len(names) < len(entries):
                raise reader.damaged()
            for entry, name in zip(entries, names, strict=False):
                entry.name = name
        elif number == _MODIFIED:
            known = part.optional_bits(len(entries))
            part.expect(0)
            for entry, is_known in zip(entries, known, strict=True):
                entry.modified = int.from_bytes(part.take(8), "little") if is_known else 0
    return entries
