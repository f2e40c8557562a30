"""Ways to damage a log. Each takes the bytes of a log and changes them in place, as its random numbers say."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from random import Random

FILE_HEADER, CHUNK, CHUNK_HEADER = 4096, 65536, 512
RECORD = b"**\0\0"
SIZES = (0, 1, 23, 24, 27, 28, 32, 0x7FFF, 0xFFFF, 0x10000, 0x10001, 0x7FFFFFFF, 0xFFFFFFFF)
IDS = (0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)

Mutation = Callable[[bytearray, Random], None]


def chunks(data: bytes | bytearray) -> int:
    """Return how many whole chunks there are."""
    return max(0, (len(data) - FILE_HEADER) // CHUNK)


def _some_chunk(data: bytearray, random: Random) -> int | None:
    return FILE_HEADER + random.randrange(chunks(data)) * CHUNK if chunks(data) else None


def _some_record(data: bytearray, random: Random) -> int | None:
    """Return the offset of a record signature at or behind a random place."""
    if len(data) <= FILE_HEADER:
        return None
    found = data.find(RECORD, random.randrange(FILE_HEADER, len(data)))
    return found if 0 <= found <= len(data) - 28 else None


def _reseal(data: bytearray, start: int) -> None:
    """Make the checksums of a chunk right again: damage that hides."""
    chunk = data[start : start + CHUNK]
    if len(chunk) < CHUNK:
        return
    (free,) = struct.unpack_from("<I", chunk, 48)
    if CHUNK_HEADER <= free <= CHUNK:
        struct.pack_into("<I", data, start + 52, zlib.crc32(chunk[CHUNK_HEADER:free]))
    head = data[start : start + CHUNK_HEADER]
    struct.pack_into("<I", data, start + 124, zlib.crc32(head[128:], zlib.crc32(head[:120])))


def flip_bits(data: bytearray, random: Random) -> None:
    """Flip up to 64 bits, anywhere."""
    for _ in range(random.choice((1, 1, 2, 4, 16, 64))):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def flip_bits_of_records(data: bytearray, random: Random) -> None:
    """Flip bits in the live part of one chunk, with right checksums."""
    if (start := _some_chunk(data, random)) is None:
        return
    (free,) = struct.unpack_from("<I", data, start + 48)
    end = min(max(free, CHUNK_HEADER + 1), CHUNK)
    for _ in range(random.choice((1, 2, 8, 32))):
        data[start + random.randrange(CHUNK_HEADER, end)] ^= 1 << random.randrange(8)
    _reseal(data, start)


def truncate(data: bytearray, random: Random) -> None:
    """Cut at a multiple of 512 bytes, or a few bytes beside it."""
    size = random.randrange(0, len(data) + 1, 512) + random.choice((0, 0, 0, -1, 1, 7, 24))
    del data[max(size, 0) :]


def zero_chunk(data: bytearray, random: Random) -> None:
    """Zero a chunk, its header, or a part of it."""
    if (start := _some_chunk(data, random)) is None:
        return
    first, last = random.choice(((0, CHUNK), (0, CHUNK_HEADER), (0, 8), (CHUNK_HEADER, CHUNK), (128, 512)))
    data[start + first : start + last] = bytes(last - first)


def zero_sectors(data: bytearray, random: Random) -> None:
    """Zero up to eight sectors in a row, of 512 or 4,096 bytes: what a disk never got to write."""
    sector = random.choice((512, 4096))
    if len(data) >= sector:
        start = random.randrange(len(data) // sector) * sector
        end = min(start + sector * random.choice((1, 1, 2, 8)), len(data))
        data[start:end] = bytes(end - start)


def swap_chunks(data: bytearray, random: Random) -> None:
    """Exchange two chunks."""
    one, other = _some_chunk(data, random), _some_chunk(data, random)
    if one is not None and other is not None:
        kept = bytes(data[one : one + CHUNK])
        data[one : one + CHUNK] = data[other : other + CHUNK]
        data[other : other + CHUNK] = kept


def repeat_chunk(data: bytearray, random: Random) -> None:
    """Insert a chunk again, whole or cut, up to three times."""
    if (start := _some_chunk(data, random)) is None:
        return
    chunk = bytes(data[start : start + random.choice((CHUNK, CHUNK, 30_000, 512))])
    place = FILE_HEADER + random.randrange(chunks(data) + 1) * CHUNK
    data[place:place] = chunk * random.randrange(1, 4)


def impossible_size(data: bytearray, random: Random) -> None:
    """Give a record a size that cannot be, at its start or at its end."""
    if (record := _some_record(data, random)) is None:
        return
    (size,) = struct.unpack_from("<I", data, record + 4)
    at = record + 4 if random.random() < 0.7 or record + size > len(data) else record + max(size, 8) - 4
    new = random.choice((*SIZES, max(size - 8, 0), size + 8, size * 2))
    struct.pack_into("<I", data, at, new & 0xFFFFFFFF)


def impossible_header(data: bytearray, random: Random) -> None:
    """Give a chunk's header, or the file's, ids and offsets that cannot be."""
    start = _some_chunk(data, random)
    if start is None or random.random() < 0.2:
        if len(data) >= 128:
            struct.pack_into("<Q", data, random.choice((8, 16, 24, 32, 40)), random.choice(IDS))
        return
    if random.random() < 0.5:
        struct.pack_into("<Q", data, start + random.choice((8, 16, 24, 32)), random.choice(IDS))
    else:
        struct.pack_into("<I", data, start + random.choice((40, 44, 48)), random.choice(SIZES))
    if random.random() < 0.5:
        _reseal(data, start)


def cyclic_offsets(data: bytearray, random: Random) -> None:
    """Lead the lists of names and templates of a chunk in a circle, or anywhere; checksums right."""
    if (start := _some_chunk(data, random)) is None:
        return
    heads = [
        offset
        for at in range(128, CHUNK_HEADER, 4)
        if 0 < (offset := struct.unpack_from("<I", data, start + at)[0]) <= CHUNK - 4
    ]
    for head in random.sample(heads, min(len(heads), random.choice((1, 3, 64)))):
        target = random.choice((head, random.choice(heads), random.randrange(CHUNK), 0xFFFFFFFF))
        struct.pack_into("<I", data, start + head, target)
    _reseal(data, start)


def record_ids(data: bytearray, random: Random) -> None:
    """Give a record an id or a time that another one has, or that none can have."""
    if (record := _some_record(data, random)) is not None:
        struct.pack_into("<Q", data, record + random.choice((8, 16)), random.choice(IDS))


def overwrite(data: bytearray, random: Random) -> None:
    """Put random bytes, or a copy of another part of the log, over a part of it."""
    if not data:
        return
    size = random.choice((1, 4, 16, 100, 1000, 5000))
    at = random.randrange(len(data))
    source = random.randrange(len(data))
    new = random.randbytes(size) if random.random() < 0.5 else bytes(data[source : source + size])
    data[at : at + len(new)] = new


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        flip_bits,
        flip_bits_of_records,
        truncate,
        zero_chunk,
        zero_sectors,
        swap_chunks,
        repeat_chunk,
        impossible_size,
        impossible_header,
        cyclic_offsets,
        record_ids,
        overwrite,
    )
}


def mutate(data: bytes, random: Random) -> tuple[bytes, list[str]]:
    """Return a mutant of a log and the names of what was done to it."""
    mutant = bytearray(data)
    names = random.choices(list(MUTATIONS), k=random.choice((1, 1, 1, 2, 3, 5)))
    for name in names:
        MUTATIONS[name](mutant, random)
    return bytes(mutant), names
