"""Finds the records that a chunk holds besides its live ones: left over from before, in a buffer or on the disk.

Windows fills a chunk from its start and does not clear what is behind. A stale record counts where it is whole: its
signature, a size that fits, and the same size again at its end.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect
from dataclasses import dataclass

from evtxscan.evidence.evtx_layout import CHUNK_HEADER_SIZE, CHUNK_SIZE, RECORD_MAGIC
from evtxscan.evtx.binxml.nodes import BinXmlError
from evtxscan.evtx.binxml.tokens import DEFINITION_HEADER_SIZE, read_definition
from evtxscan.evtx.walk import MIN_RECORD_SIZE, ChunkWalk, Span

_RECORD_HEADER = struct.Struct("<4sIQQ")
_U32 = struct.Struct("<I")
# The chunk's table of templates: 32 offsets, each the start of a chain (libevtx's format document, section 3).
_TABLE_AT, _TABLE = 0x180, struct.Struct("<32I")
_MAGIC = re.compile(re.escape(RECORD_MAGIC))  # half the time of searching for the bytes
# How the tokens of a definition begin: fragment header, an element with or without attributes.
_START = re.compile(rb"\x0f\x01\x01\x00[\x01\x41]")
_MOST_DEFINITIONS = (CHUNK_SIZE - CHUNK_HEADER_SIZE) // DEFINITION_HEADER_SIZE


def end_of_live_data(walk: ChunkWalk) -> int:
    """Return the offset behind a chunk's live data: as its header says, else behind the last record."""
    return walk.header.free or max([span.offset + span.size for span in walk.spans], default=CHUNK_HEADER_SIZE)


def stale_records(chunk: bytes, walk: ChunkWalk) -> list[Span]:
    """Return the whole records of a chunk that are not live: behind its live data, and inside of live records.

    Whoever makes a record's size larger hides the next ones in it, as intruders' tools do; the last of them then has
    the larger size at its end.
    """
    positions = [match.start() for match in _MAGIC.finditer(chunk, CHUNK_HEADER_SIZE)]
    if len(positions) == len(walk.spans):  # of live records, each of which begins with one
        return []
    starts = [span.offset for span in walk.spans]
    known = set(starts)
    live_end = end_of_live_data(walk)
    found: list[Span] = []
    behind = 0
    for position in positions:
        if position < behind or position in known:
            continue
        span = None
        if position >= live_end:
            span = record_at(chunk, position)
        elif before := bisect(starts, position):
            span = _hidden_record(chunk, position, walk.spans[before - 1])
        if span is not None:
            found.append(span)
            behind = position + span.size
    return found


def _hidden_record(chunk: bytes, position: int, live: Span) -> Span | None:
    end = live.offset + live.size
    if position + MIN_RECORD_SIZE > min(end, len(chunk)):
        return None
    _, size, record_id, written = _RECORD_HEADER.unpack_from(chunk, position)
    if size >= MIN_RECORD_SIZE and position + size == end:
        return Span(position, size, record_id, written)
    span = record_at(chunk, position)
    return span if span is not None and position + span.size <= end else None


def record_at(data: bytes, position: int) -> Span | None:
    """Return the record at ``position`` if it is whole."""
    if position + MIN_RECORD_SIZE > len(data):
        return None
    magic, size, record_id, written = _RECORD_HEADER.unpack_from(data, position)
    end = position + size
    if magic != RECORD_MAGIC or size < MIN_RECORD_SIZE or end > len(data):
        return None
    return Span(position, size, record_id, written) if _U32.unpack_from(data, end - 4)[0] == size else None


def live_definitions(chunk: bytes, end: int) -> list[tuple[bytes, int]]:
    """Return GUID and offset of each template that a chunk's own table names, in its live data up to ``end``."""
    found: dict[int, bytes] = {}
    if len(chunk) < CHUNK_HEADER_SIZE:
        return []
    end = min(end, len(chunk))
    for offset in _TABLE.unpack_from(chunk, _TABLE_AT):
        at = offset
        while CHUNK_HEADER_SIZE <= at <= end - DEFINITION_HEADER_SIZE and at not in found:
            found[at] = chunk[at + 4 : at + 20]
            (at,) = _U32.unpack_from(chunk, at)
            if len(found) > _MOST_DEFINITIONS:
                return []
    return [(guid, at) for at, guid in sorted(found.items())]


def stale_definitions(chunk: bytes, start: int) -> list[tuple[bytes, int]]:
    """Return GUID and offset of each template whose definition is still whole at or behind offset ``start``."""
    found: list[tuple[bytes, int]] = []
    to_read, behind = CHUNK_SIZE, 0  # none overlaps another, but made-up ones might
    for match in _START.finditer(chunk, start + DEFINITION_HEADER_SIZE):
        at = match.start() - DEFINITION_HEADER_SIZE
        # A definition stands in the instance that used it first, behind its own offset.
        if at < behind or _U32.unpack_from(chunk, at - 4)[0] != at:
            continue
        size = _U32.unpack_from(chunk, at + 20)[0]
        if size > to_read:
            continue
        to_read -= size
        try:
            definition = read_definition(chunk, at)
        except BinXmlError:
            continue
        found.append((definition.guid, at))
        behind = at + DEFINITION_HEADER_SIZE + definition.size
    return found


@dataclass(frozen=True, slots=True)
class Slack:
    """What a chunk has besides live records: how many stale ones, and all templates that stand in it.

    ``definitions`` are (GUID, offset, whether it is behind the live data).
    """

    records: int
    definitions: tuple[tuple[bytes, int, bool], ...]


def look_behind(chunk: bytes, walk: ChunkWalk) -> Slack:
    """Find out whether a chunk has stale records, and which templates it can give to others."""
    stale = stale_records(chunk, walk)
    end = end_of_live_data(walk)
    definitions = [(guid, at, False) for guid, at in live_definitions(chunk, end)]
    if stale:
        definitions += [(guid, at, True) for guid, at in stale_definitions(chunk, end)]
    return Slack(len(stale), tuple(definitions))
