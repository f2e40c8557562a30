"""Counts what a log holds, from its file, chunk and record headers alone.

The walk renders nothing. It is the oracle of counts (a parser that returns less has lost something), the source of
offsets, and the reader of the one value that the bulk parser cuts short: the 100 ns digits of TimeCreated.

Layout: MS-EVEN6 section 2.2 and the format document of libevtx. All integers little-endian.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from evtxscan.evidence.evtx_layout import CHUNK_HEADER_SIZE, CHUNK_MAGIC, CHUNK_SIZE, RECORD_HEADER_SIZE, RECORD_MAGIC

# Header, a fragment header token, an end token and the repeated size: no record is shorter.
MIN_RECORD_SIZE = 33
# More records than fit into a chunk: a header that claims so many is not believed.
MAX_RECORDS = (CHUNK_SIZE - CHUNK_HEADER_SIZE) // MIN_RECORD_SIZE

_CHUNK_HEADER = struct.Struct("<8sQQQQIIII")
_RECORD_HEADER = struct.Struct("<4sIQQ")
_ZEROS = bytes(CHUNK_SIZE)
_U32 = struct.Struct("<I")
_FILETIME = struct.Struct("<Q")
_TYPE_FILETIME = 0x11
_TOKEN_TEMPLATE = 0x0C
# Where a record has the token of its template instance, and, if the template is defined elsewhere, the descriptors of
# the values. Between them: one byte and the template's id, both not read, offset of the definition, count of values.
_TOKEN = RECORD_HEADER_SIZE + 4
_INSTANCE = struct.Struct("<B5xII")
_VALUES = _TOKEN + _INSTANCE.size


class Span(NamedTuple):
    """Where one record lies: byte offset in its chunk, size, record id and the FILETIME it was written at."""

    offset: int
    size: int
    record_id: int
    written: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes between the first record and the end of live data that are no record."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ChunkHeader:
    """What the header of a chunk says; ids are event record ids, ``free`` is the offset where live data ends."""

    has_magic: bool
    first_id: int
    last_id: int
    free: int
    header_crc_ok: bool
    records_crc_ok: bool

    @property
    def claims(self) -> range:
        """The record ids the header says are here; empty when what it says cannot be true."""
        count = self.last_id - self.first_id + 1
        if not self.has_magic or not 0 < count <= MAX_RECORDS or self.last_id >= 2**63:
            return range(0)
        return range(self.first_id, self.last_id + 1)


@dataclass(frozen=True, slots=True)
class ChunkWalk:
    """What lies in one chunk: its header, its live records in order, and the gaps between them."""

    header: ChunkHeader
    spans: tuple[Span, ...]
    gaps: tuple[Gap, ...]

    @property
    def missing_ids(self) -> list[int]:
        """Record ids the header claims and no walked record has."""
        seen = {span.record_id for span in self.spans}
        return [record_id for record_id in self.header.claims if record_id not in seen]


def is_unused(chunk: bytes) -> bool:
    """Tell whether these bytes are a chunk no record was ever written to (no magic, nothing at its start)."""
    return chunk == _ZEROS or (not chunk[:CHUNK_HEADER_SIZE].strip(b"\0") and RECORD_MAGIC not in chunk)


def read_header(chunk: bytes) -> ChunkHeader:
    """Read the header of one chunk (shorter input is taken as padded with zeros)."""
    head = chunk[:CHUNK_HEADER_SIZE].ljust(CHUNK_HEADER_SIZE, b"\0")
    magic, _, _, first, last, _, _, free, records_crc = _CHUNK_HEADER.unpack_from(head)
    header_crc = zlib.crc32(head[128:], zlib.crc32(head[:120]))
    usable = CHUNK_HEADER_SIZE <= free <= CHUNK_SIZE
    return ChunkHeader(
        has_magic=magic == CHUNK_MAGIC,
        first_id=first,
        last_id=last,
        free=free if usable else 0,
        header_crc_ok=header_crc == _U32.unpack_from(head, 124)[0],
        records_crc_ok=usable and zlib.crc32(chunk[CHUNK_HEADER_SIZE:free]) == records_crc,
    )


def walk_chunk(chunk: bytes) -> ChunkWalk:
    """Walk the live records of one chunk of up to 64 KiB.

    A place that is no record is a gap; the walk goes on at the next offset that is one. Live data ends where the
    header says; where the header cannot be believed it ends after the last record that follows without a break.
    """
    header = read_header(chunk)
    end = min(header.free or len(chunk), len(chunk))
    spans: list[Span] = []
    gaps: list[Gap] = []
    position = CHUNK_HEADER_SIZE
    unpack, size_of = _RECORD_HEADER.unpack_from, _U32.unpack_from
    add, span, last = spans.append, Span._make, end - MIN_RECORD_SIZE
    while position <= last:
        magic, size, record_id, written = unpack(chunk, position)
        after = position + size
        if (
            magic == RECORD_MAGIC
            and size >= MIN_RECORD_SIZE
            and after <= end
            # A broken copy of the size alone does not unmake a record whose successor stands where it should.
            and (size_of(chunk, after - 4)[0] == size or after == end or chunk.startswith(RECORD_MAGIC, after))
        ):
            add(span((position, size, record_id, written)))
            position = after
            continue
        if not header.free and spans:
            break
        after = _next_record(chunk, position + 1, end)
        if magic == RECORD_MAGIC and (size := _broken_size(position, size, after, end)):
            add(span((position, size, record_id, written)))
            position += size
            continue
        if after < 0 and not header.free:
            break
        gaps.append(Gap(position, (end if after < 0 else after) - position))
        position = end if after < 0 else after
    if header.free and 0 < end - position < MIN_RECORD_SIZE:
        gaps.append(Gap(position, end - position))
    if header.free > len(chunk) and position < len(chunk):
        gaps.append(Gap(position, len(chunk) - position))
    return ChunkWalk(header, tuple(spans), tuple(g for g in gaps if g.size > 0))


def _broken_size(position: int, size: int, after: int, end: int) -> int:
    """Return the size of a record whose own cannot be right: up to the next one, else as it says, else to the end."""
    limit = after if after >= 0 else end
    if after < 0 and MIN_RECORD_SIZE <= size <= end - position:
        return size
    return limit - position if limit - position >= MIN_RECORD_SIZE else 0


def _next_record(chunk: bytes, start: int, end: int) -> int:
    position = chunk.find(RECORD_MAGIC, start, end)
    while position >= 0:
        if position + MIN_RECORD_SIZE <= end:
            size = _U32.unpack_from(chunk, position + 4)[0]
            fits = size >= MIN_RECORD_SIZE and position + size <= end
            if fits and _U32.unpack_from(chunk, position + size - 4)[0] == size:
                return position
        position = chunk.find(RECORD_MAGIC, position + 1, end)
    return -1


def created_times(chunk: bytes, spans: Iterable[Span]) -> list[int | None]:
    """Return for each record the first FILETIME among its substitution values, or None.

    In every template of Windows that is System/TimeCreated; the caller compares it with the rendered time.
    Units: 100 ns since 1601-01-01 UTC.
    """
    known = _BEFORE_FILETIME.get
    instance, filetime = _INSTANCE.unpack_from, _FILETIME.unpack_from
    times: list[int | None] = []
    for offset, size, _, _ in spans:
        # The usual record: a template instance whose definition stands in an earlier record.
        start = offset + _VALUES
        token, definition, count = instance(chunk, offset + _TOKEN) if start + 4 <= len(chunk) else (0, 0, 0)
        before = -1
        if token == _TOKEN_TEMPLATE and definition != start - 4 and count >= _HEAD // 4:
            before = known(chunk[start : start + _HEAD], -1)
        at = start + 4 * count + before
        if before >= 0 and at + 8 <= offset + size <= len(chunk):
            times.append(filetime(chunk, at)[0])
        else:
            times.append(_created_time(chunk, offset, size))
    return times


def _created_time(chunk: bytes, offset: int, size: int) -> int | None:
    position = offset + RECORD_HEADER_SIZE + 4  # behind the fragment header
    end = offset + size
    if end > len(chunk) or position + 10 > end or chunk[position] != _TOKEN_TEMPLATE:
        return None
    definition = _U32.unpack_from(chunk, position + 6)[0]
    position += 10
    if definition == position:  # defined here: next offset, GUID, size, then the definition's bytes
        if position + 24 > end:
            return None
        position += 24 + _U32.unpack_from(chunk, position + 20)[0]
    if position + 4 > end:
        return None
    count = _U32.unpack_from(chunk, position)[0]
    position += 4
    values = position + 4 * count
    if values > end:
        return None
    # Types and sizes of the first values hardly vary: what they add up to is looked up, not counted again.
    head = chunk[position : position + _HEAD if count >= _HEAD // 4 else values]
    before = _BEFORE_FILETIME.get(head)
    if before is None:
        before = _count_before(head, chunk[position:values])
    if before < 0 or values + before + 8 > end:
        return None
    ticks: int = _FILETIME.unpack_from(chunk, values + before)[0]
    return ticks


_HEAD = 32  # bytes of eight descriptors: size (2), type (1), unused (1)
_BEFORE_FILETIME: dict[bytes, int] = {}
_HEADS_REMEMBERED = 4096


def _count_before(head: bytes, descriptors: bytes) -> int:
    """Return how many bytes of values stand before the first FILETIME, or -1 if there is none."""
    index = descriptors[2::4].find(_TYPE_FILETIME)
    if index < 0:
        return -1
    before: int = sum(struct.unpack_from(f"<{2 * index}H", descriptors)[::2])
    if 4 * index < len(head):
        if len(_BEFORE_FILETIME) >= _HEADS_REMEMBERED:
            _BEFORE_FILETIME.clear()
        _BEFORE_FILETIME[head] = before
    return before
