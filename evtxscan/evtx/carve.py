"""Finds chunks and single records in bytes that are no event log: unallocated space, memory, a page file.

A chunk is carved where its signature and its header's checksum, or its first record, are right. It ends after 64 KiB or
where the next one begins: memory has pieces of them. A record outside of all chunks is carved where it is whole: its
signature, a size that fits, the same size at its end, and BinXML behind its header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from evtxscan.evidence.evtx_layout import (
    CHUNK_HEADER_SIZE,
    CHUNK_MAGIC,
    CHUNK_SIZE,
    RECORD_HEADER_SIZE,
    RECORD_MAGIC,
)
from evtxscan.evtx.binxml.nodes import BinXmlError, Element
from evtxscan.evtx.binxml.tokens import DEFINITION_HEADER_SIZE, read_fragment
from evtxscan.evtx.slack import Slack, end_of_live_data, live_definitions, record_at, stale_definitions, stale_records
from evtxscan.evtx.walk import Span, read_header, walk_chunk

_BLOCK = 16 << 20
_FRAGMENT = b"\x0f\x01\x01\x00"
# Where a template instance stands in a record, and in it the template's id and the offset of the definition.
_INSTANCE = RECORD_HEADER_SIZE + len(_FRAGMENT)
_DEFINITION = _INSTANCE + 10
# Where a record is put that does not tell: at no place where Windows puts one, so that no definition seems to be in it.
_NOWHERE = CHUNK_HEADER_SIZE + 1


@dataclass(frozen=True, slots=True)
class Carved:
    """A chunk or a record: its bytes, and where they begin in what was searched."""

    offset: int
    data: bytes

    @property
    def is_record(self) -> bool:
        """Whether it is a single record."""
        return is_record(self.data)


def carve(file: BinaryIO, advance: Callable[[bytes], None] | None = None) -> Iterator[Carved]:
    """Yield chunks and records in order, at any alignment; ``advance`` is given all bytes as they are read.

    Holds some 32 MB however large the file is. Raises OSError.
    """
    buffer, start = b"", 0  # where the buffer begins in the file
    position = 0
    at_end = False
    while not at_end:
        block = file.read(_BLOCK)
        at_end = not block
        if advance and block:
            advance(block)
        buffer += block
        # Whatever begins before this is in the buffer in full.
        ready = len(buffer) if at_end else len(buffer) - CHUNK_SIZE
        while (found := _next(buffer, position, ready)) is not None:
            at, size = found
            if size:
                yield Carved(start + at, buffer[at : at + size])
            position = at + max(size, 1)
        position = max(position, ready)
        kept = max(0, min(position, len(buffer)))
        buffer, start, position = buffer[kept:], start + kept, position - kept


def _next(buffer: bytes, position: int, ready: int) -> tuple[int, int] | None:
    """Return place and size of the next chunk or record that begins before ``ready``; size 0: of something like one."""
    chunk = buffer.find(CHUNK_MAGIC, position, ready + len(CHUNK_MAGIC) - 1)
    until = chunk if chunk >= 0 else ready
    record = buffer.find(RECORD_MAGIC, position, until + len(RECORD_MAGIC) - 1)
    if 0 <= record < until:
        span = record_at(buffer, record) if _is_like_a_record(buffer, record) else None
        return record, span.size if span else 0
    if chunk < 0 or chunk >= ready:
        return None
    following = buffer.find(CHUNK_MAGIC, chunk + CHUNK_HEADER_SIZE, chunk + CHUNK_SIZE)
    data = buffer[chunk : following if following >= 0 else chunk + CHUNK_SIZE]
    is_chunk = read_header(data).header_crc_ok or data[CHUNK_HEADER_SIZE:].startswith(RECORD_MAGIC)
    return chunk, len(data) if is_chunk and len(data) > CHUNK_HEADER_SIZE else 0


def _is_like_a_record(buffer: bytes, position: int) -> bool:
    size = int.from_bytes(buffer[position + 4 : position + 8], "little")
    if size > CHUNK_SIZE - CHUNK_HEADER_SIZE:
        return False
    return buffer.startswith(_FRAGMENT, position + RECORD_HEADER_SIZE)


def is_record(data: bytes) -> bool:
    """Tell a carved record from a carved chunk."""
    return data.startswith(RECORD_MAGIC)


def to_rebuild(data: bytes, origin: str) -> tuple[bytes, list[Span], int]:
    """Return the chunk to rebuild stale records in, their spans, and how much larger than in ``data`` offsets are.

    Of what was carved, all records are stale. A single record is put at its place in a chunk of nothing else.
    """
    if origin != "carved":
        return data, stale_records(data, walk_chunk(data)), 0
    if not is_record(data):
        walk = walk_chunk(data)
        return data, sorted([*walk.spans, *stale_records(data, walk)]), 0
    place = _place_in_chunk(data)
    span = record_at(data, 0)
    spans = [] if span is None else [span._replace(offset=place)]
    return bytes(place) + data, spans, place


def look_into(data: bytes) -> Slack:
    """Find out what a carved chunk or record has: stale records, and templates for others."""
    whole, spans, shift = to_rebuild(data, "carved")
    if is_record(data):
        found = stale_definitions(whole, shift)
    else:
        end = end_of_live_data(walk_chunk(data))
        found = live_definitions(data, end) + stale_definitions(data, end)
    return Slack(len(spans), tuple((guid, at - shift, True) for guid, at in found))


def _place_in_chunk(record: bytes) -> int:
    """Return the offset that a record had in its chunk, as far as it tells: by a definition that stands in it."""
    offset = int.from_bytes(record[_DEFINITION - 4 : _DEFINITION], "little")
    if record[_INSTANCE + 2 : _INSTANCE + 6] == record[_DEFINITION + 4 : _DEFINITION + 8]:
        place = offset - _DEFINITION
    else:
        place = _place_of_nested(record)
    return place if CHUNK_HEADER_SIZE <= place <= CHUNK_SIZE - len(record) else _NOWHERE


def _place_of_nested(record: bytes) -> int:
    """Do the same where the template of System is known and only that of the data stands in the record."""
    try:
        fragment = read_fragment(record, RECORD_HEADER_SIZE, len(record) - 4)
    except BinXmlError:
        return 0
    if isinstance(fragment, Element):
        return 0
    for value in fragment.values:
        at = value.offset + _DEFINITION - RECORD_HEADER_SIZE
        if value.data.startswith(_FRAGMENT + b"\x0c") and len(value.data) > 14 + DEFINITION_HEADER_SIZE:
            offset = int.from_bytes(record[at - 4 : at], "little")
            if record[at - 8 : at - 4] == record[at + 4 : at + 8]:
                return offset - at
    return 0
