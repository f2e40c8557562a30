"""Chunks of made records whose templates and values a test chooses freely, whatever Windows would write."""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Sequence

from tests.evtxmaker.binxml import END_OF_STREAM, FRAGMENT_HEADER, Definition, Element
from tests.evtxmaker.chunk import CHUNK_HEADER_SIZE, CHUNK_SIZE, RECORD_HEADER_SIZE, seal_chunk_header

RawValue = tuple[int, bytes]
"""A value's type and its bytes."""


def chunk_of(root: Element, values: Sequence[RawValue], *, record_id: int = 1) -> bytes:
    """Return a chunk whose one live record, at its usual place, has the template ``root`` and these values."""
    start = CHUNK_HEADER_SIZE
    record = record_of(root, values, start, record_id=record_id)
    chunk = bytearray(CHUNK_SIZE)
    chunk[start : start + len(record)] = record
    head = (b"ElfChnk\0", 1, 1, record_id, record_id, 0x80, start, start + len(record), crc32(record))
    struct.pack_into("<8s4Q4I", chunk, 0, *head)
    seal_chunk_header(chunk)
    return bytes(chunk)


def record_of(
    root: Element, values: Sequence[RawValue], start: int, *, record_id: int = 1, written: int = 132_000_000_000_000_000
) -> bytes:
    """Return a record for offset ``start`` of a chunk, with its template in it."""
    body = (
        FRAGMENT_HEADER + instance_of(root, values, start + RECORD_HEADER_SIZE + len(FRAGMENT_HEADER)) + END_OF_STREAM
    )
    size = (RECORD_HEADER_SIZE + len(body) + 4 + 7) & ~7
    head = struct.pack("<4sIQQ", b"**\0\0", size, record_id, written)
    return (head + body).ljust(size - 4, b"\0") + struct.pack("<I", size)


def instance_of(root: Element, values: Sequence[RawValue], offset: int) -> bytes:
    """Return a template instance for ``offset`` of a chunk: token, id, definition, values."""
    definition = Definition(root)
    at = offset + 10
    layout = definition.layout(())
    placed = bytearray(layout.body)
    names = {name: at + position for position, name in layout.inlined}
    for position, name in layout.references:
        struct.pack_into("<I", placed, position, names[name])
    return struct.pack("<BB4sI", 0x0C, 1, definition.guid[:4], at) + bytes(placed) + value_array(values)


def value_array(values: Sequence[RawValue]) -> bytes:
    """Return substitution values: their count, a descriptor for each, their bytes."""
    descriptors = b"".join(struct.pack("<HBB", len(data), kind, 0) for kind, data in values)
    return struct.pack("<I", len(values)) + descriptors + b"".join(data for _, data in values)
