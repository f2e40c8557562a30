"""Damages logs in the ways that evidence is damaged; every function changes the file in place."""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .chunk import CHUNK_HEADER_SIZE, CHUNK_MAGIC, CHUNK_SIZE, RECORD_HEADER_SIZE, RECORD_MAGIC, seal_chunk_header
from .writer import FILE_HEADER_SIZE

_LAST_RECORD, _FREE_SPACE, _RECORDS_CHECKSUM = 0x2C, 0x30, 0x34
_LAST_NUMBER, _LAST_ID = 0x10, 0x20


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """Where a record stands: its chunk's place in the file, its offset in the file, its size and id."""

    chunk: int
    offset: int
    size: int
    record_id: int


def record_places(path: Path) -> Iterator[RecordPlace]:
    """Yield the records of an undamaged log in their order."""
    data = path.read_bytes()
    for number, start in enumerate(range(FILE_HEADER_SIZE, len(data), CHUNK_SIZE)):
        (free,) = struct.unpack_from("<I", data, start + _FREE_SPACE)
        at = start + CHUNK_HEADER_SIZE
        while at < start + free:
            _, size, record_id = struct.unpack_from("<IIQ", data, at)
            yield RecordPlace(number, at, size, record_id)
            at += size


def cut(path: Path, size: int) -> None:
    """Keep the first `size` bytes, as a copy that was broken off does."""
    with path.open("r+b") as file:
        file.truncate(size)


def cut_mid_chunk(path: Path, chunk: int) -> list[int]:
    """Cut the file behind the middle record of a chunk; return the ids of that chunk's records that are left whole."""
    places = [place for place in record_places(path) if place.chunk == chunk]
    kept = places[: len(places) // 2]
    cut(path, kept[-1].offset + kept[-1].size + RECORD_HEADER_SIZE)
    return [place.record_id for place in kept]


def zero_file_header(path: Path) -> None:
    """Overwrite the file header's 4 KiB with zeros."""
    overwrite(path, 0, bytes(FILE_HEADER_SIZE))


def overwrite_chunk_magic(path: Path, chunk: int, magic: bytes = b"XXXXXXXX") -> None:
    """Overwrite the signature of a chunk."""
    overwrite(path, chunk_offset(chunk), magic[: len(CHUNK_MAGIC)])


def break_record_size(path: Path, record_id: int, size: int = 0) -> RecordPlace:
    """Overwrite the size in the header of a record, not the copy at its end."""
    place = find_record(path, record_id)
    overwrite(path, place.offset + 4, struct.pack("<I", size))
    return place


def break_record_magic(path: Path, record_id: int) -> RecordPlace:
    """Overwrite the signature of a record."""
    place = find_record(path, record_id)
    overwrite(path, place.offset, struct.pack("<I", ~RECORD_MAGIC & 0xFFFFFFFF))
    return place


def break_record_body(path: Path, record_id: int) -> RecordPlace:
    """Overwrite the first token behind a record's header with one that does not exist."""
    place = find_record(path, record_id)
    overwrite(path, place.offset + RECORD_HEADER_SIZE, b"\x73\x73\x73\x73")
    return place


def flip_bytes(path: Path, count: int, *, seed: int, start: int = FILE_HEADER_SIZE) -> list[int]:
    """Invert `count` bytes at random places from `start` on; return their offsets in ascending order."""
    data = bytearray(path.read_bytes())
    offsets = sorted(Random(seed).sample(range(start, len(data)), count))  # noqa: S311 - repeatable, not secret
    for offset in offsets:
        data[offset] ^= 0xFF
    path.write_bytes(data)
    return offsets


def leave_in_slack(path: Path, chunk: int, count: int, *, reseal: bool = True) -> list[int]:
    """Make the last `count` records of a chunk stale, as a log does that was cleared or rewritten; return their ids.

    The chunk's header no longer covers them, their bytes stay. With `reseal` the checksums agree with the new header.
    """
    places = [place for place in record_places(path) if place.chunk == chunk]
    stale, live = places[-count:], places[:-count]
    if not live:
        raise ValueError(f"chunk {chunk} has only {len(places)} records, and one must stay live")
    start = chunk_offset(chunk)
    data = bytearray(path.read_bytes())
    body = data[start : start + CHUNK_SIZE]
    free = live[-1].offset + live[-1].size - start
    (last_number,) = struct.unpack_from("<Q", body, _LAST_NUMBER)
    struct.pack_into("<Q", body, _LAST_NUMBER, last_number - count)
    struct.pack_into("<Q", body, _LAST_ID, live[-1].record_id)
    struct.pack_into("<II", body, _LAST_RECORD, live[-1].offset - start, free)
    if reseal:
        struct.pack_into("<I", body, _RECORDS_CHECKSUM, crc32(body[CHUNK_HEADER_SIZE:free]))
        seal_chunk_header(body)
    data[start : start + CHUNK_SIZE] = body
    path.write_bytes(data)
    return [place.record_id for place in stale]


def find_record(path: Path, record_id: int) -> RecordPlace:
    """Return the place of the first record with an id. Raises LookupError if there is none."""
    for place in record_places(path):
        if place.record_id == record_id:
            return place
    raise LookupError(f"{path.name} has no record {record_id}")


def chunk_offset(chunk: int) -> int:
    """Return the offset in the file of a chunk, counted from 0."""
    return FILE_HEADER_SIZE + chunk * CHUNK_SIZE


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Overwrite bytes at an offset."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def stale_places(path: Path, chunk: int) -> list[int]:
    """Return the offsets in the file of the records behind a chunk's live data."""
    data = path.read_bytes()
    start = FILE_HEADER_SIZE + chunk * CHUNK_SIZE
    (free,) = struct.unpack_from("<I", data, start + _FREE_SPACE)
    found, at = [], start + free
    while data[at : at + 4] == b"**\0\0":
        found.append(at)
        at += struct.unpack_from("<I", data, at + 4)[0]
    return found
