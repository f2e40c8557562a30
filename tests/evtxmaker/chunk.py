"""One chunk: 64 KiB of header, string and template tables, and records (libevtx's format document, section 3)."""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Container

from .binxml import END_OF_STREAM, FRAGMENT_HEADER, Definition, Layout, name_hash
from .compiled import CompiledTemplate
from .model import Event

CHUNK_SIZE = 0x10000
CHUNK_HEADER_SIZE = 0x200
CHUNK_MAGIC = b"ElfChnk\0"
RECORD_MAGIC = 0x2A2A
RECORD_HEADER_SIZE = 24
_RECORDS_END = CHUNK_SIZE - 8  # no chunk of the samples looked at is fuller; libevtx and python-evtx fail at a full one
_STRING_BUCKETS, _TEMPLATE_BUCKETS = 64, 32
_CHUNK_FLAGS = 1  # set in every chunk that Windows wrote of the samples looked at, in closed logs too

_RECORD_HEADER = struct.Struct("<IIQQ")
_INSTANCE = struct.Struct("<BBII")  # token, 1, template id, offset of the definition
_TEMPLATE_INSTANCE = 0x0C
_U32 = struct.Struct("<I")


class RecordTooLargeError(ValueError):
    """A record does not fit a chunk of its own."""


class Chunk:
    """A chunk being filled; `first_number` is the record's place in the file, counted from 1."""

    def __init__(self, first_number: int) -> None:
        self.records = 0
        self.first_id = 0
        self.last_id = 0
        self._first_number = first_number
        self._buffer = bytearray(CHUNK_HEADER_SIZE)
        self._last_offset = 0
        self._names: dict[str, int] = {}
        self._definitions: dict[bytes, int] = {}
        self._string_table = [0] * _STRING_BUCKETS
        self._template_table = [0] * _TEMPLATE_BUCKETS

    def add(self, event: Event, compiled: CompiledTemplate, record_id: int) -> bool:
        """Append a record; return False, having changed nothing, when the chunk has no room for it.

        Raises RecordTooLargeError if no chunk has.
        """
        outer, inner = compiled.outer, compiled.inner
        outer_layout = inner_layout = None
        if outer.guid not in self._definitions:
            outer_layout = outer.layout(self._names)
        if inner.guid not in self._definitions:
            known: Container[str] = self._names
            if outer_layout is not None:
                known = self._names.keys() | set(outer.names)
            inner_layout = inner.layout(known)

        data = compiled.data_values(event)
        inner_body = len(inner_layout.body) if inner_layout else 0
        outer_body = len(outer_layout.body) if outer_layout else 0
        data_size = len(FRAGMENT_HEADER) + _INSTANCE.size + inner_body + len(data) + len(END_OF_STREAM)
        system = compiled.system_values(event, record_id, data_size)

        used = RECORD_HEADER_SIZE + len(FRAGMENT_HEADER) + _INSTANCE.size + outer_body + len(system) + data_size
        used += len(END_OF_STREAM)
        size = (used + _U32.size + 7) & ~7
        start = len(self._buffer)
        if start + size > _RECORDS_END:
            if not self.records:
                raise RecordTooLargeError(f"record {record_id} needs {size} bytes, more than a chunk has")
            return False

        buffer = self._buffer
        written = event.time if event.written is None else event.written
        buffer += _RECORD_HEADER.pack(RECORD_MAGIC, size, record_id, written)
        self._open_instance(outer, outer_layout)
        buffer += system
        self._open_instance(inner, inner_layout)
        buffer += data
        buffer += END_OF_STREAM * 2
        buffer += bytes(start + size - _U32.size - len(buffer))
        buffer += _U32.pack(size)
        self._last_offset = start
        if not self.records:
            self.first_id = record_id
        self.last_id = record_id
        self.records += 1
        return True

    def finish(self) -> bytearray:
        """Return the chunk's 64 KiB, with checksums; it must not be added to afterwards."""
        buffer = self._buffer
        free = len(buffer)
        buffer += bytes(CHUNK_SIZE - free)
        struct.pack_into(
            "<8s4Q4I",
            buffer,
            0,
            CHUNK_MAGIC,
            self._first_number,
            self._first_number + self.records - 1,
            self.first_id,
            self.last_id,
            0x80,
            self._last_offset,
            free,
            crc32(memoryview(buffer)[CHUNK_HEADER_SIZE:free]),
        )
        struct.pack_into(f"<{_STRING_BUCKETS}I", buffer, 0x80, *self._string_table)
        struct.pack_into(f"<{_TEMPLATE_BUCKETS}I", buffer, 0x180, *self._template_table)
        seal_chunk_header(buffer)
        return buffer

    def _open_instance(self, definition: Definition, layout: Layout | None) -> None:
        """Write fragment header and template instance up to its values; with `layout` the definition stands in it."""
        buffer = self._buffer
        buffer += FRAGMENT_HEADER
        offset = self._definitions[definition.guid] if layout is None else len(buffer) + _INSTANCE.size
        (template_id,) = _U32.unpack_from(definition.guid)
        buffer += _INSTANCE.pack(_TEMPLATE_INSTANCE, 1, template_id, offset)
        if layout is not None:
            buffer += layout.body
            self._register(definition, layout, offset)

    def _register(self, definition: Definition, layout: Layout, offset: int) -> None:
        """Enter a definition and its new names into the tables; the newest of a bucket points to the one before it."""
        buffer = self._buffer
        for position, name in layout.inlined:
            bucket = name_hash(name) % _STRING_BUCKETS
            _U32.pack_into(buffer, offset + position, self._string_table[bucket])
            self._names[name] = self._string_table[bucket] = offset + position
        for position, name in layout.references:
            _U32.pack_into(buffer, offset + position, self._names[name])
        # Windows puts templates into buckets by a hash that no document names; readers walk all the buckets.
        bucket = definition.guid[0] % _TEMPLATE_BUCKETS
        _U32.pack_into(buffer, offset, self._template_table[bucket])
        self._definitions[definition.guid] = self._template_table[bucket] = offset


def seal_chunk_header(chunk: bytearray) -> None:
    """Set a chunk's flags and the checksum over its header and tables (bytes 0 to 119 and 128 to 511)."""
    checksum = crc32(memoryview(chunk)[0x80:CHUNK_HEADER_SIZE], crc32(memoryview(chunk)[:0x78]))
    struct.pack_into("<II", chunk, 0x78, _CHUNK_FLAGS, checksum)
