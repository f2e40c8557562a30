"""What a worker process does: a batch of chunks in, rows out. It opens nothing for writing and keeps nothing."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from operator import itemgetter

import zstandard

from evtxscan.ecs.convert import MAX_LONG
from evtxscan.evidence.evtx_layout import CHUNK_SIZE
from evtxscan.evidence.source import Opener
from evtxscan.evtx.chunks import read_chunks, split_chunks
from evtxscan.evtx.mend import Unreadable, mend_chunk
from evtxscan.evtx.parse import RenderError, render_batch, render_json
from evtxscan.evtx.slack import Slack, look_behind
from evtxscan.evtx.walk import ChunkWalk, Span, is_unused, walk_chunk
from evtxscan.ingest.sort import Group, Sorter

# Measured: more chunks a batch parse no faster, and every record of a batch is in memory at once.
CHUNKS_PER_BATCH = 32
# Measured on full chunks: level 3 saves less than another 2% of what is left, and takes a third longer.
ZSTD_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Task:
    """A run of chunks of one file. ``only``: the ECS categories to store (None: everything).

    ``data``: their bytes, where the file lies in a container and only the main process reads it.
    """

    opener: Opener
    first: int
    count: int
    only: frozenset[str] | None = None
    data: bytes | None = None

    def chunks(self) -> list[bytes]:
        """Return the chunks; the last one of a file may be short. Raises OSError."""
        if self.data is not None:
            return split_chunks(self.data)
        with self.opener.open() as file:
            return read_chunks(file, self.first, self.count)

    def alone(self, number: int) -> Task:
        """Return the task for one of the chunks."""
        start = (number - self.first) * CHUNK_SIZE
        data = None if self.data is None else self.data[start : start + CHUNK_SIZE]
        return replace(self, first=number, count=1, data=data)

    def run(self, known: frozenset[bytes]) -> Batch:
        """Do what :func:`run_task` does."""
        return run_task(self, known)

    def crashed(self, detail: str) -> Batch:
        """Account for the one chunk of the task: see :func:`crashed_chunk`."""
        return crashed_chunk(self, detail)


@dataclass(frozen=True, slots=True)
class LossRow:
    """A record of a chunk that could not be read; ``offset`` is None where only the chunk's header names it.

    ``line``: of a line of documents, its number in the block, from 0.
    """

    offset: int | None
    record_id: int | None
    reason: str
    detail: str
    line: int | None = None


@dataclass(slots=True)
class ChunkResult:
    """What was found in one chunk; ``bytes`` is None for a chunk the case already holds in full."""

    number: int
    sha256: bytes
    size: int
    bytes: bytes | None = None
    first_record_id: int | None = None
    first_written: int | None = None
    records: int = 0
    filtered: int = 0
    checksums_ok: bool = True
    losses: list[LossRow] = field(default_factory=list)
    slack: Slack | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one task gave."""

    chunks: list[ChunkResult]
    groups: list[Group]
    strings: list[str]


def run_task(task: Task, known: frozenset[bytes]) -> Batch:
    """Read, walk, render and map the chunks of ``task``; chunks whose SHA-256 is ``known`` are only hashed.

    Raises EvidenceError or OSError when the file cannot be read.
    """
    chunks = task.chunks()
    with no_collecting():
        return process_chunks(chunks, task.first, known, task.only)


@contextmanager
def no_collecting() -> Iterator[None]:
    """Look for no cycles: thousands of parsed records live at once, none is part of one; it would double the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def process_chunks(
    chunks: Sequence[bytes], first: int, known: frozenset[bytes] = frozenset(), only: frozenset[str] | None = None
) -> Batch:
    """Turn chunks (the first of them is number ``first`` of its file) into rows."""
    results: list[ChunkResult] = []
    walks: list[tuple[int, bytes, ChunkWalk]] = []
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    for number, chunk in enumerate(chunks, first):
        if is_unused(chunk):
            continue
        digest = hashlib.sha256(chunk).digest()
        result = ChunkResult(number, digest, len(chunk))
        results.append(result)
        if digest in known:
            continue
        result.bytes = compressor.compress(chunk)
        walk = walk_chunk(chunk)
        _describe(result, chunk, walk)
        walks.append((len(results) - 1, chunk, walk))
    sorter = Sorter(only)
    _render(walks, results, sorter)
    groups, strings = sorter.groups()
    for index in sorter.filtered:
        results[index].filtered += 1
    spans = {index: {span.offset: span for span in walk.spans} for index, _, walk in walks} if sorter.unreadable else {}
    for index, offset, detail in sorter.unreadable:
        results[index].losses.append(_loss(spans[index][offset], "record_unreadable", detail))
    return Batch(results, groups, strings)


def crashed_chunk(task: Task, detail: str) -> Batch:
    """Account for the one chunk of ``task``, which no parser got through: all its records are lost, as ``detail`` says.

    Raises OSError when the file cannot be read.
    """
    results: list[ChunkResult] = []
    for chunk in task.chunks():
        compressed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(chunk)
        result = ChunkResult(task.first, hashlib.sha256(chunk).digest(), len(chunk), compressed)
        walk = walk_chunk(chunk)
        _describe(result, chunk, walk)
        result.losses += [_loss(span, "parser_crashed", detail) for span in walk.spans]
        results.append(result)
    return Batch(results, [], [])


def _describe(result: ChunkResult, chunk: bytes, walk: ChunkWalk) -> None:
    result.slack = look_behind(chunk, walk)
    missing = walk.missing_ids
    result.records = len(walk.spans) + len(missing)
    result.checksums_ok = walk.header.header_crc_ok and walk.header.records_crc_ok
    if walk.spans and max(walk.spans[0].record_id, walk.spans[0].written) <= MAX_LONG:
        result.first_record_id = walk.spans[0].record_id
        result.first_written = walk.spans[0].written
    cut = result.size < CHUNK_SIZE
    reason = "chunk_truncated" if cut else "record_missing"
    detail = "the file ends inside this chunk" if cut else "the chunk's header claims it, no record has this id"
    result.losses += [LossRow(None, record_id, reason, detail) for record_id in missing]


def _loss(span: Span, reason: str, detail: str) -> LossRow:
    """Return the loss of a record; an id that no database holds goes into the detail."""
    if span.record_id <= MAX_LONG:
        return LossRow(span.offset, span.record_id, reason, detail)
    return LossRow(span.offset, None, reason, f"record id {span.record_id}: {detail}")


def _render(walks: list[tuple[int, bytes, ChunkWalk]], results: list[ChunkResult], sorter: Sorter) -> None:
    """Render all records into ``sorter`` and book in ``results`` those that no parser renders."""
    whole = [chunk if len(chunk) == CHUNK_SIZE else chunk.ljust(CHUNK_SIZE, b"\0") for _, chunk, _ in walks]
    records = render_batch(whole) if whole else []
    expected = [span.record_id for _, _, walk in walks for span in walk.spans]
    if records is not None and [record["event_record_id"] for record in records] == expected:
        texts = map(itemgetter("data"), records)
        for index, chunk, walk in walks:
            sorter.add(index, chunk, walk.spans, texts)
        return
    for (index, chunk, walk), padded in zip(walks, whole, strict=True):
        _render_one(index, (chunk, padded), walk, results[index], sorter)


def _render_one(index: int, chunks: tuple[bytes, bytes], walk: ChunkWalk, result: ChunkResult, sorter: Sorter) -> None:
    chunk, padded = chunks
    plain = [record for record in render_json([padded]) if not isinstance(record, RenderError)]
    if [record_id for record_id, _ in plain] == [span.record_id for span in walk.spans]:
        sorter.add(index, chunk, walk.spans, [text for _, text in plain])
        return
    unmended = {record_id for record_id, _ in plain}
    for record in mend_chunk(chunk, walk):
        span = record.span
        if isinstance(record, Unreadable):
            result.losses.append(_loss(span, "record_unreadable", record.detail))
        else:
            sorter.add(index, chunk, [span], [record.text], mended=span.record_id not in unmended)
