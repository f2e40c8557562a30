"""Multiplies real logs: their full chunks again and again, each time with new ids, times, texts and checksums.

Offsets and lengths stay as they are, so every record stays valid: record ids count on, all FILETIMEs move together,
and in texts that look like paths or command lines a run of letters or digits is replaced by one of the same length.
"""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.world import DISTINCT
from evtxscan.evidence.evtx_layout import CHUNK_HEADER_SIZE, CHUNK_SIZE, FILE_HEADER_SIZE, FILE_MAGIC
from evtxscan.evtx.chunks import count_chunks, read_chunks
from evtxscan.evtx.parse import render_batch
from evtxscan.evtx.walk import walk_chunk
from tests.evtxmaker.writer import file_header

_FULL = 0.6  # emptier chunks are left out: they are cheap to read and would flatter every figure
_FILETIME, _STRING, _UINT64, _BINXML = 0x11, 0x01, 0x0A, 0x21
_RUN = re.compile(rb"(?:[a-zA-Z0-9]\0){5,}")
_STEP = 6 * 3600 * 10_000_000  # ticks between one copy and the next
_VARIANTS = sum(DISTINCT.values())


@dataclass(slots=True)
class _Pattern:
    """A chunk and the places in it that change from copy to copy."""

    chunk: bytes
    records: list[int] = field(default_factory=list)  # offsets
    ids: list[tuple[int, int]] = field(default_factory=list)  # offset, number of the record in its chunk
    times: list[tuple[int, int]] = field(default_factory=list)  # offset, ticks
    runs: list[tuple[int, int]] = field(default_factory=list)  # offset, characters


def write(path: Path, folder: Path, size: int, seed: int) -> int:
    """Write a log of about ``size`` bytes from the logs under ``folder``; returns how many records it has."""
    patterns = list(_patterns(folder))
    if not patterns:
        raise SystemExit(f"{folder}: no event log with a full, intact chunk")
    rng = random.Random(seed)  # noqa: S311 - repeatable by design
    path.parent.mkdir(parents=True, exist_ok=True)
    chunks, next_id = max(1, size // CHUNK_SIZE), 1
    with path.open("wb") as file:
        file.write(bytes(FILE_HEADER_SIZE))
        for number in range(chunks):
            copy, place = divmod(number, len(patterns))
            file.write(_copy(patterns[place], next_id, copy, rng))
            next_id += len(patterns[place].records)
        file.seek(0)
        file.write(file_header(chunks=chunks, next_record_id=next_id, dirty=False))
    return next_id - 1


def _patterns(folder: Path) -> Iterator[_Pattern]:
    for path in sorted(folder.rglob("*.evtx")):
        with path.open("rb") as file:
            if file.read(8) != FILE_MAGIC:
                continue
            chunks = read_chunks(file, 0, count_chunks(path.stat().st_size))
        for chunk in chunks:
            pattern = _pattern(chunk)
            if pattern is not None:
                yield pattern


def _pattern(chunk: bytes) -> _Pattern | None:
    """Find what changes; None for a chunk that is damaged, not full enough or of an unusual form."""
    if len(chunk) < CHUNK_SIZE:
        return None
    walk = walk_chunk(chunk)
    header = walk.header
    rendered = render_batch([chunk])
    if not header.records_crc_ok or header.free < _FULL * CHUNK_SIZE or walk.gaps or walk.missing_ids:
        return None
    if rendered is None or len(rendered) != len(walk.spans):
        return None
    pattern = _Pattern(chunk)
    for number, span in enumerate(walk.spans):
        pattern.records.append(span.offset)
        pattern.ids.append((span.offset + 8, number))
        pattern.times.append((span.offset + 16, span.written))
        _Values(pattern, number, span.record_id, span.offset + span.size).read(span.offset + 24)
    return pattern


class _Values:
    """Reads the substitution values of one record (MS-EVEN6 2.2.12), also of the template instance inside."""

    def __init__(self, pattern: _Pattern, number: int, record_id: int, end: int) -> None:
        self._pattern = pattern
        self._number = number
        self._record_id = record_id
        self._end = end

    def read(self, position: int) -> None:
        chunk = self._pattern.chunk
        if chunk[position] == 0x0F:  # fragment header
            position += 4
        if chunk[position] != 0x0C:  # no template instance: BinXML without values
            return
        definition = struct.unpack_from("<I", chunk, position + 6)[0]
        position += 10
        if definition == position:
            position += 24 + struct.unpack_from("<I", chunk, position + 20)[0]
        count = struct.unpack_from("<I", chunk, position)[0]
        value = position + 4 + 4 * count
        for descriptor in range(position + 4, value, 4):
            size, kind = struct.unpack_from("<HB", chunk, descriptor)
            if value + size > self._end:
                return
            self._value(kind, value, size)
            value += size

    def _value(self, kind: int, position: int, size: int) -> None:
        pattern = self._pattern
        if kind == _BINXML and size > 14:
            self.read(position)
        elif kind == _FILETIME and size == 8:
            pattern.times.append((position, struct.unpack_from("<Q", pattern.chunk, position)[0]))
        elif kind == _UINT64 and size == 8:
            if struct.unpack_from("<Q", pattern.chunk, position)[0] == self._record_id:
                pattern.ids.append((position, self._number))
        elif kind == _STRING and size >= 24:
            text = pattern.chunk[position : position + size]
            if b"\\\0" in text or b" \0" in text:
                runs = list(_RUN.finditer(text))
                if runs:
                    pattern.runs.append((position + runs[-1].start(), len(runs[-1][0]) // 2))


def _copy(pattern: _Pattern, first_id: int, copy: int, rng: random.Random) -> bytes:
    chunk = bytearray(pattern.chunk)
    count = len(pattern.records)
    for offset, number in pattern.ids:
        struct.pack_into("<Q", chunk, offset, first_id + number)
    shift = copy * _STEP
    for offset, ticks in pattern.times:
        if ticks:
            struct.pack_into("<Q", chunk, offset, ticks + shift)
    if copy:
        for offset, length in pattern.runs:
            text = f"{int(_VARIANTS * rng.random() ** 3):05x}"[-min(length, 5) :]
            chunk[offset : offset + 2 * len(text)] = text.encode("utf-16-le")
    struct.pack_into("<QQQQ", chunk, 8, first_id, first_id + count - 1, first_id, first_id + count - 1)
    free = struct.unpack_from("<I", chunk, 48)[0]
    view = memoryview(chunk)
    struct.pack_into("<I", chunk, 52, zlib.crc32(view[CHUNK_HEADER_SIZE:free]))
    struct.pack_into("<I", chunk, 124, zlib.crc32(view[128:CHUNK_HEADER_SIZE], zlib.crc32(view[:120])))
    return bytes(chunk)
