"""Cuts sources into tasks. A file of its own is read by the workers; a member of a container by this process, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from io import BufferedReader

from evtxscan.errors import EvidenceError
from evtxscan.evidence.evtx_layout import CHUNK_SIZE, FILE_HEADER_SIZE
from evtxscan.evidence.ndjson import BLOCK_SIZE, MAX_LINE, count_blocks
from evtxscan.evidence.source import Source, unreadable
from evtxscan.evtx.chunks import count_chunks
from evtxscan.ingest.batch import CHUNKS_PER_BATCH, Task
from evtxscan.ingest.documents import DocumentTask
from evtxscan.ingest.pool import AnyTask

_PART = CHUNK_SIZE


@dataclass(frozen=True, slots=True)
class Planned:
    """A task and its place in its source.

    Of a member of a container the last task has what came of reading it: ``sha256`` of the bytes that came, and
    ``problem``, where they were not all that there should be.
    """

    source: Source
    task: AnyTask
    is_first: bool
    is_last: bool
    sha256: str | None = None
    problem: str | None = None


def plan(sources: list[Source], only: frozenset[str] | None, reader: Executor) -> Iterator[Planned]:
    """Yield the tasks of all sources in order; ``reader``, one thread, decompresses one batch ahead."""
    for source in sources:
        yield from _by_offset(source, only) if source.opener.is_direct else _by_stream(source, only, reader)


def _by_offset(source: Source, only: frozenset[str] | None) -> Iterator[Planned]:
    chunks = max(1, count_chunks(source.size) if source.form == "evtx" else count_blocks(source.size))
    for first in range(0, chunks, CHUNKS_PER_BATCH):
        count = min(CHUNKS_PER_BATCH, chunks - first)
        yield Planned(source, _task(source, first, count, only), first == 0, first + count == chunks)


def _task(source: Source, first: int, count: int, only: frozenset[str] | None, data: bytes | None = None) -> AnyTask:
    make = Task if source.form == "evtx" else DocumentTask
    return make(source.opener, first, count, only, data)


def _by_stream(source: Source, only: frozenset[str] | None, reader: Executor) -> Iterator[Planned]:
    stream = _Stream(source) if source.form == "evtx" else _LineStream(source)
    first = 0
    data = reader.submit(stream.batch).result()
    ahead = reader.submit(stream.batch)
    while True:
        following = ahead.result()
        if following:
            ahead = reader.submit(stream.batch)
        count = max(1, min(CHUNKS_PER_BATCH, -(-len(data) // CHUNK_SIZE)))
        task = _task(source, first, count, only, data)
        if not following:
            yield Planned(source, task, first == 0, is_last=True, sha256=stream.sha256, problem=stream.problem)
            return
        yield Planned(source, task, first == 0, is_last=False)
        first, data = first + CHUNKS_PER_BATCH, following


class _Stream:
    """Reads one member of a container from start to end, and hashes what comes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._file: BufferedReader | None = None
        self._digest = hashlib.sha256()
        self._size = 0
        self.problem: str | None = None

    @property
    def sha256(self) -> str:
        """The hash of what has come so far."""
        return self._digest.hexdigest()

    def batch(self) -> bytes:
        """Return the chunks of the next batch; none at the end, or where nothing more can be read."""
        if self._file is None:
            if not self._open():
                return b""
            self._read(FILE_HEADER_SIZE)
        data = self._read(CHUNKS_PER_BATCH * CHUNK_SIZE)
        if not data:
            self._finish()
        return data

    def _open(self) -> bool:
        """Open the member and return whether that was possible, the first time that something is read."""
        if self._file is None:
            try:
                self._file = self._source.opener.stream()
            except (OSError, EvidenceError) as error:
                self._complain(error)
                return False
        return True

    def _read(self, size: int) -> bytes:
        """Read ``size`` bytes, or those before damage: in small parts, because damage takes the whole part."""
        parts: list[bytes] = []
        while size > 0 and self.problem is None and self._file is not None:
            try:
                part = self._file.read1(min(_PART, size))
            except OSError as error:
                self._complain(error)
                break
            if not part:
                break
            parts.append(part)
            self._digest.update(part)
            self._size += len(part)
            size -= len(part)
        return b"".join(parts)

    def _finish(self) -> None:
        if self._file is not None:
            self._file.close()
        if self.problem is None and self._size != self._source.size:
            self.problem = f"{self._source.path}: {self._source.size:,} bytes should come of it, and {self._size:,} did"

    def _complain(self, error: OSError | EvidenceError) -> None:
        if isinstance(error, OSError):
            error = unreadable(self._source.path, error)
        self.problem = str(error)
        if self._size:
            self.problem += f"; {self._size:,} bytes before that were read"


class _LineStream(_Stream):
    """Reads a member that has documents: each batch up to the end of its last line, which the next one begins with."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._ahead = b""
        self._first = 0
        self._is_done = False

    def batch(self) -> bytes:
        """Return what :func:`~evtxscan.evidence.ndjson.read_stretch` reads of a file; nothing at the end."""
        if self._is_done or not self._open():
            return b""
        before = bool(self._first)  # the byte in front of a block tells whether a line begins with it
        end = CHUNKS_PER_BATCH * BLOCK_SIZE + before
        data = self._ahead + self._read(max(0, end - len(self._ahead)))
        while len(data) >= end and data.find(b"\n", end - 1) < 0:
            part = self._read(min(BLOCK_SIZE, end + MAX_LINE - len(data)))
            if not part:
                break
            data += part
        self._ahead = data[end - 1 :]
        self._first += CHUNKS_PER_BATCH
        if len(data) < end:
            self._is_done = True
            self._finish()
        return data if len(data) > before else b""
