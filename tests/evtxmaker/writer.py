"""Writes whole logs: the file header (libevtx's format document, section 2), then chunk after chunk."""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .chunk import Chunk
from .compiled import CompiledTemplate
from .model import Event, EventTemplate

FILE_HEADER_SIZE = 0x1000
FILE_MAGIC = b"ElfFile\0"
_FLAG_DIRTY = 1


@dataclass(frozen=True, slots=True)
class WrittenLog:
    """What `write_log` wrote: counts, and the ids of the records in order of writing."""

    records: int
    chunks: int
    first_record_id: int
    last_record_id: int


def write_log(
    target: str | Path | BinaryIO,
    events: Iterable[Event],
    *,
    first_record_id: int = 1,
    dirty: bool = False,
    unannounced_chunks: int = 0,
    records_per_chunk: int | None = None,
) -> WrittenLog:
    """Write `events` as a log, in their order and with no more than one chunk in memory.

    A target that is open already must be seekable. `dirty` sets the flag of a log that was not closed, and
    `unannounced_chunks` are as many last chunks as the file header then does not count yet. `records_per_chunk` begins
    chunks before they are full. Raises RecordTooLargeError, ValueTooLargeError, and ValueError or struct.error for
    values that are not of their field's type.
    """
    with Path(target).open("wb") if isinstance(target, (str, Path)) else nullcontext(target) as file:
        start = file.tell()
        file.write(bytes(FILE_HEADER_SIZE))
        records = 0
        first_id = first_record_id
        next_ids = [first_record_id]  # after each chunk: what the header says that was last renewed there
        for chunk in _fill(events, first_record_id, records_per_chunk):
            file.write(chunk.finish())
            if not records:
                first_id = chunk.first_id
            records += chunk.records
            next_ids.append(chunk.last_id + 1)
        chunks = len(next_ids) - 1
        announced = max(chunks - unannounced_chunks, 0)
        end = file.tell()
        file.seek(start)
        file.write(file_header(chunks=announced, next_record_id=next_ids[announced], dirty=dirty))
        file.seek(end)
    return WrittenLog(records, chunks, first_id, next_ids[-1] - 1)


def file_header(*, chunks: int, next_record_id: int, dirty: bool) -> bytes:
    """Return the 4 KiB file header of a log whose oldest chunk is its first."""
    body = struct.pack(
        "<8s3QIHHHH76x",
        FILE_MAGIC,
        0,
        max(chunks - 1, 0),
        next_record_id,
        0x80,
        1,
        3,
        FILE_HEADER_SIZE,
        min(chunks, 0xFFFF),
    )
    header = body + struct.pack("<II", _FLAG_DIRTY if dirty else 0, crc32(body))
    return header.ljust(FILE_HEADER_SIZE, b"\0")


def _fill(events: Iterable[Event], first_record_id: int, records_per_chunk: int | None) -> Iterator[Chunk]:
    compiled: dict[tuple[EventTemplate, str], CompiledTemplate] = {}
    chunk = Chunk(1)
    record_id = first_record_id - 1
    for number, event in enumerate(events):
        record_id = record_id + 1 if event.record_id is None else event.record_id
        key = (event.template, event.computer)
        form = compiled.get(key)
        if form is None:
            form = compiled[key] = CompiledTemplate(*key)
        if chunk.records == records_per_chunk or not chunk.add(event, form, record_id):
            yield chunk
            chunk = Chunk(number + 1)
            chunk.add(event, form, record_id)
    if chunk.records:
        yield chunk
