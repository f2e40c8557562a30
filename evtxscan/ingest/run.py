"""The public way in: evidence paths to a case, with every record accounted for."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from evtxscan.errors import EvidenceError, UsageError
from evtxscan.evidence.discover import Found, Skipped, discover
from evtxscan.evidence.evtx_layout import CHUNK_SIZE
from evtxscan.evidence.source import Source, unreadable
from evtxscan.evtx.chunks import cut_short
from evtxscan.ingest.containers import ContainerHashes
from evtxscan.ingest.plan import Planned, plan
from evtxscan.ingest.pool import AnyTask, Outcome, run_tasks
from evtxscan.ingest.summary import ContainerSummary, Loss, Progress, SourceSummary, Summary
from evtxscan.ingest.writer import Writer
from evtxscan.store.case import Case, explained

# What is written between two commits: a kill costs this much work, and no record.
_COMMIT_BYTES = 64 << 20
# Below this, starting several worker processes takes longer than the work.
_SMALL_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """How to ingest. ``jobs`` None: all cores; ``only``: ECS categories to store; hashes are hex.

    ``slack``: make events of stale records, too; ``hash_images``: hash disk images, too, and not archives only;
    ``isolated``: read in worker processes, so that a parser that crashes or hangs costs a chunk; False is for who has
    brought a process along for that.
    """

    jobs: int | None = None
    only: frozenset[str] | None = None
    exhibit: str | None = None
    expected_sha256: str | None = None
    slack: bool = True
    hash_images: bool = False
    isolated: bool = True


@dataclass(slots=True)
class _Reading:
    """A source that is being read: its row, its hash before (a future), and what came of it so far."""

    source: Source
    row: int
    before: Future[str]
    summary: SourceSummary
    after: Future[str] | None = None


def find_evidence(paths: list[Path], options: Options, progress: Progress | None = None) -> Found:
    """Find the event logs to ingest, before any case is touched. ``progress`` is told what is looked at.

    Raises EvidenceError when there is nothing to read at all, UsageError for an expected hash with several sources.
    """
    found = discover(paths, progress.looking) if progress else discover(paths)
    if not found.sources and found.errors:
        raise EvidenceError("\n".join(str(error) for error in found.errors))
    if not found.sources:
        names = ", ".join(str(path) for path in paths)
        skipped = f" ({len(found.skipped)} other files skipped)" if found.skipped else ""
        raise EvidenceError(f"{names}: no event logs found{skipped}")
    if options.expected_sha256 and len(found.sources) > 1:
        _expect_one_container(found)
    return found


def _expect_one_container(found: Found) -> None:
    """Raise UsageError where an expected hash does not name the one container of several event logs."""
    container = found.containers[0] if len(found.containers) == 1 else None
    if container is None or any(not source.path.startswith(f"{container.path}/") for source in found.sources):
        raise UsageError(
            "an expected hash names one event log or one container, but there are several; ingest them one by one"
        )
    if len(container.files) > 1:
        raise UsageError(
            f"an expected hash names one file, but {container.path} consists of {len(container.files):,};"
            " compare their hashes with evtxscan info, or the hash of the disk in it with ewfverify"
        )


def ingest(case: Case, run: int, found: Found, options: Options, progress: Progress | None = None) -> Summary:
    """Read all event logs that were found into ``case``.

    Raises CaseError when the case cannot be written; what was committed before stays.
    """
    if progress:
        progress.start(len(found.sources), sum(source.size for source in found.sources))
    ingestion = _Ingestion(case, run, options, found, progress)
    try:
        ingestion.note_skipped(found.skipped)
        sources = ingestion.read(found.sources)
        containers = ingestion.note_containers(sources)
    finally:
        ingestion.stop()
    return Summary(sources, found.skipped, found.errors, containers=containers)


class _Ingestion:
    def __init__(self, case: Case, run: int, options: Options, found: Found, progress: Progress | None) -> None:
        self._case = case
        self._options = options
        expected = options.expected_sha256
        self._containers = ContainerHashes(found.containers, images=options.hash_images or expected is not None)
        # Of a log in a container, either of the two may be meant: that is known when both are hashed.
        self._expected = None if found.containers else expected
        self._progress = progress
        self._writer = Writer(case, run, options.only)
        self._hasher = ThreadPoolExecutor(1, thread_name_prefix="hash")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="read")
        self._planned: deque[Planned] = deque()
        self._open: deque[_Reading] = deque()
        self._done: list[SourceSummary] = []
        self._uncommitted = 0

    def stop(self) -> None:
        self._containers.stop()
        for thread in (self._hasher, self._reader):
            thread.shutdown(wait=False, cancel_futures=True)
        if self._case.db.in_transaction:
            self._case.db.rollback()

    def note_skipped(self, skipped: list[Skipped]) -> None:
        with self._case.transaction():
            self._case.db.executemany(
                "INSERT OR REPLACE INTO skipped(path, argument, reason) VALUES (?, ?, ?)",
                ((entry.path, entry.argument, entry.reason) for entry in skipped),
            )

    def note_containers(self, sources: list[SourceSummary]) -> list[ContainerSummary]:
        """Enter the containers of the sources with their hashes, and compare these with the expected one."""
        containers = self._containers.results(self._progress)
        expected = (self._options.expected_sha256 or "").lower()
        if expected and containers:
            _compare(expected, containers, sources)
        with self._case.transaction():
            for container in containers:
                self._writer.note_container(container)
            if expected and [source.sha256 for source in sources] == [expected]:
                self._writer.note_expected(sources[0], expected)
        return containers

    def read(self, sources: list[Source]) -> list[SourceSummary]:
        """Read all sources; on return everything is committed."""
        with explained(self._case.path):
            jobs = self._options.jobs or os.cpu_count() or 1
            if sum(source.size for source in sources) < _SMALL_BYTES:
                jobs = 1
            if not self._options.isolated:
                jobs = 0
            self._case.db.execute("BEGIN IMMEDIATE")
            for task, result in run_tasks(self._tasks(sources), jobs, self._known_chunks()):
                planned = self._planned.popleft()
                if planned.is_first:
                    self._begin(planned.source)
                self._take(task, result)
                if planned.is_last:
                    self._end(planned)
                if self._uncommitted > _COMMIT_BYTES:
                    self._commit()
                    self._case.db.execute("BEGIN IMMEDIATE")
            self._commit(final=True)
        return sorted(self._done, key=lambda done: (done.path, done.argument))

    def _known_chunks(self) -> frozenset[bytes]:
        rows = self._case.db.execute(
            "SELECT sha256 FROM chunk WHERE only_categories IS NULL OR only_categories = ?", (self._writer.scope,)
        )
        return frozenset(digest for (digest,) in rows)

    def _tasks(self, sources: list[Source]) -> Iterator[AnyTask]:
        for planned in plan(sources, self._options.only, self._reader):
            self._planned.append(planned)
            yield planned.task

    def _begin(self, source: Source) -> None:
        row = self._writer.open_source(source, self._options.exhibit, self._expected)
        summary = SourceSummary(source.path, source.argument, source.size)
        before = self._hasher.submit(source.sha256) if source.found_sha256 is None else _known(source.found_sha256)
        self._open.append(_Reading(source, row, before, summary))

    def _take(self, task: AnyTask, result: Outcome) -> None:
        summary = self._open[-1].summary
        if isinstance(result, OSError):
            problem = unreadable(self._open[-1].source.place, result)
            summary.error = summary.error or f"{problem} (at chunk {task.first})"
            return
        before = summary.counts.found
        for batch in result:
            summary.counts.add(self._writer.add(self._open[-1].row, batch))
        self._uncommitted += task.count * CHUNK_SIZE
        if self._progress:
            self._progress.advance(task.count * CHUNK_SIZE, summary.counts.found - before)

    def _end(self, planned: Planned) -> None:
        """All batches of the newest source are in: hash it again, to show that reading did not change it.

        Of a member of a container, what was read has been hashed on the way.
        """
        reading = self._open[-1]
        reading.summary.error = reading.summary.error or planned.problem
        digest = planned.sha256
        reading.after = self._hasher.submit(reading.source.sha256) if digest is None else _known(digest)
        self._uncommitted += CHUNK_SIZE  # many small files are work, too
        if self._progress:
            self._progress.file_done(reading.source.path)

    def _commit(self, *, final: bool = False) -> None:
        for reading in self._open:
            if not reading.summary.sha256:
                reading.summary.sha256 = self._hash(reading, reading.before)
                self._writer.identify_source(reading.row, reading.summary.sha256)
        while self._open and (after := self._open[0].after) is not None and (final or after.done()):
            self._close(self._open.popleft(), after)
        self._case.db.execute("COMMIT")
        self._uncommitted = 0

    def _hash(self, reading: _Reading, future: Future[str]) -> str:
        try:
            return future.result()
        except EvidenceError as error:
            reading.summary.error = reading.summary.error or str(error)
            return ""

    def _close(self, reading: _Reading, after: Future[str]) -> None:
        summary = reading.summary
        again = self._hash(reading, after)
        if summary.error is None:
            try:
                summary.error = "; ".join(self._problems(reading, again)) or None
            except EvidenceError as error:  # it is gone by now
                summary.error = str(error)
        state = "complete" if summary.error is None else "failed"
        self._writer.close_source(reading.row, state, summary.counts, summary.error)
        summary.losses = self._losses(reading.row)
        self._done.append(summary)

    def _problems(self, reading: _Reading, again: str) -> list[str]:
        """Return what is wrong with a source as a whole that was read to its end."""
        summary = reading.summary
        expected = self._expected
        problems: list[str] = []
        size = reading.source.size_now()
        if again != summary.sha256:
            problems.append(
                f"changed while it was read (SHA-256 {summary.sha256} before, {again} after);"
                " work on a copy that nothing writes to"
            )
        elif size != summary.size:
            problems.append(
                f"changed between being found ({summary.size:,} bytes) and being read ({size:,} bytes);"
                " ingest it again, and work on a copy that nothing writes to"
            )
        elif expected and expected.lower() != summary.sha256:
            problems.append(f"SHA-256 is {summary.sha256}, but {expected.lower()} was expected")
        if reading.source.form == "evtx" and (cut := cut_short(reading.source.head, summary.size)):
            problems.append(cut)
        return [f"{summary.path}: {problem}" for problem in problems]

    def _losses(self, row: int) -> list[Loss]:
        rows = self._case.db.execute(
            'SELECT number, loss."offset", record_id, reason, detail, source_chunk.line + loss.line,'
            ' CASE WHEN loss.line IS NOT NULL THEN start + loss."offset" END FROM source_chunk JOIN loss USING (chunk)'
            ' WHERE source = ? ORDER BY number, loss."offset", record_id',
            (row,),
        )
        return [Loss(*values) for values in rows]


def _compare(expected: str, containers: list[ContainerSummary], sources: list[SourceSummary]) -> None:
    """Note the expected hash with the container it is of; it may be that of the only source instead."""
    if [source.sha256 for source in sources] == [expected]:
        return
    for container in containers:
        if len(containers) > 1 or container.error:
            continue
        container.expected_sha256 = expected
        if container.sha256 != expected:
            own = f" (that of {sources[0].path}: {sources[0].sha256})" if len(sources) == 1 else ""
            container.error = f"SHA-256 is {container.sha256}{own}, but {expected} was expected"


def _known(digest: str) -> Future[str]:
    """Return a hash that is known already in the place of one that is being made."""
    future: Future[str] = Future()
    future.set_result(digest)
    return future
