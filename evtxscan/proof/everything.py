"""Checks every record of a case, in worker processes: the second parser reads some hundred records a second."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

from evtxscan.proof.places import Chunks, PlaceCheck
from evtxscan.proof.records import Checked, Outcome
from evtxscan.proof.sources import SourceCheck
from evtxscan.store.case import Case, explained, open_case
from evtxscan.store.events import Events

Progress = Callable[[int], None]
# Chunks of one task, and tasks that wait for each worker: bounds the memory.
_CHUNKS, _AHEAD = 4, 3
# Below this, starting worker processes takes longer than the work.
_SMALL_EVENTS = 2_000

_RECORDS = """
SELECT event.id, event."offset", coalesce(origin, 'live') FROM event
LEFT JOIN stale_record r ON r.chunk = event.chunk AND r."offset" = event."offset" WHERE event.chunk = ?1
UNION ALL SELECT event, "offset", 'live' FROM event_copy WHERE chunk = ?1
UNION ALL SELECT event, "offset", origin FROM stale_record WHERE chunk = ?1 AND state = 'copy'
ORDER BY 2
"""


@dataclass(slots=True)
class ChunkChecks:
    """What the check of some chunks gave: counts by outcome, what was compared with and whether the record is live, and
    the records to be named."""

    counts: Counter[tuple[Outcome, str, bool]] = field(default_factory=Counter)
    records: list[PlaceCheck] = field(default_factory=list)


def check_all(
    case: Case,
    sources: list[SourceCheck],
    *,
    jobs: int | None = None,
    every: bool = False,
    progress: Progress | None = None,
) -> Iterator[ChunkChecks]:
    """Check all records of a case at all their places, in order of chunks.

    ``every``: name all records, else only those that do not agree. ``jobs`` None: one worker for each processor.
    ``progress`` is told how many records are done. Raises CaseError.
    """
    with explained(case.path):
        chunks = [row for (row,) in case.db.execute("SELECT id FROM chunk ORDER BY id")]
        events = case.db.execute("SELECT count(*) FROM event").fetchone()[0]
    tasks = [chunks[start : start + _CHUNKS] for start in range(0, len(chunks), _CHUNKS)]
    jobs = jobs or os.cpu_count() or 1
    if jobs == 1 or events < _SMALL_EVENTS:
        worker = _Worker(case, sources, every=every)
        results: Iterable[ChunkChecks] = map(worker.check, tasks)
    else:
        results = _Pool(case.path, sources, every, jobs).run(tasks)
    for result in results:
        yield result
        if progress:
            progress(sum(result.counts.values()))


class _Worker:
    """Checks chunks with a connection to the case of its own."""

    def __init__(self, case: Case, sources: list[SourceCheck], *, every: bool) -> None:
        self._case = case
        self._events = Events(case)
        self._chunks = Chunks(case, sources)
        self._every = every

    def check(self, rows: list[int], given_up: str | None = None) -> ChunkChecks:
        """Check the records of chunks by their rows; ``given_up`` says why they are not even to be tried."""
        found = ChunkChecks()
        with explained(self._case.path):
            for row in rows:
                self._check(row, found, given_up)
        return found

    def _check(self, row: int, found: ChunkChecks, given_up: str | None) -> None:
        db = self._case.db
        sha256, data = db.execute("SELECT sha256, bytes FROM chunk WHERE id = ?", (row,)).fetchone()
        records = db.execute(_RECORDS, (row,)).fetchall()
        events = {event.row: event for event in self._events.read([event for event, _, _ in records])}
        now = [(spot, self._chunks.now(spot)) for spot in dict.fromkeys(self._chunks.spots(row))]
        for event_row, offset, origin in records:
            kept = self._chunks.opened(row, sha256, data, origin)
            event = events[event_row]
            event_id = ""
            known: dict[bool, Checked] = {}  # the same bytes give the same answer at every place
            for spot, evidence in now:
                is_same = evidence == kept.bytes
                checked = known.get(is_same) if is_same or evidence is None else None
                if checked is None and given_up is not None:
                    checked = Checked(
                        "cannot_render", "case" if evidence is None else "evidence", None, detail=given_up
                    )
                elif checked is None:
                    checked = kept.check(offset, event.document(), evidence)
                if is_same or evidence is None:
                    known[is_same] = checked
                found.counts[checked.outcome, checked.against, origin == "live"] += 1
                if self._every or checked.outcome != "agrees":
                    event_id = event_id or self._events.places([event_row])[event_row][0].event_id
                    record_id = event.columns.get("winlog.record_id")
                    found.records.append(
                        PlaceCheck(
                            event_id,
                            spot.path,
                            spot.sha256,
                            spot.number,
                            offset,
                            None if record_id is None else int(record_id),
                            checked,
                            origin,
                        )
                    )


_worker: _Worker | None = None


def _start(case: Path, sources: list[SourceCheck], every: bool) -> None:
    global _worker  # noqa: PLW0603 - what a worker is told once instead of with every task
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the main process's to handle
    _worker = _Worker(open_case(case, read_only=True), sources, every=every)


def _work(rows: list[int]) -> ChunkChecks:
    if _worker is None:
        raise RuntimeError("a worker was not started")
    return _worker.check(rows)


class _Pool:
    """Runs tasks in order; where a parser takes its process with it, one chunk is given up and the rest goes on."""

    def __init__(self, case: Path, sources: list[SourceCheck], every: bool, jobs: int) -> None:
        self._arguments = (case, sources, every)
        self._jobs = jobs

    def run(self, tasks: list[list[int]]) -> Iterator[ChunkChecks]:
        executor = self._start(self._jobs)
        waiting: deque[tuple[list[int], Future[ChunkChecks]]] = deque()
        todo = deque(tasks)
        try:
            while todo or waiting:
                while todo and len(waiting) < self._jobs * _AHEAD:
                    task = todo.popleft()
                    waiting.append((task, executor.submit(_work, task)))
                task, future = waiting.popleft()
                try:
                    yield future.result()
                except BrokenProcessPool:
                    executor.shutdown(wait=False, cancel_futures=True)
                    yield from (self._alone(row) for row in task)
                    todo.extendleft(rows for rows, _ in reversed(waiting))
                    waiting.clear()
                    executor = self._start(self._jobs)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _start(self, jobs: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start, self._arguments)

    def _alone(self, row: int) -> ChunkChecks:
        with self._start(1) as executor:
            try:
                return executor.submit(_work, [row]).result()
            except BrokenProcessPool:
                path, sources, every = self._arguments
                with open_case(path, read_only=True) as case:
                    return _Worker(case, sources, every=every).check([row], "the parser's process died on this chunk")
