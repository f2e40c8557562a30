"""The logs of a case, from the runs of record ids: their time ranges, and the record ids that are missing."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from evtxscan.context.coverage.model import BeginReason, Gap, GapReason, Log
from evtxscan.context.coverage.runs import Run, Runs
from evtxscan.store.finish import live_only

_CHUNKS = """
SELECT id, first_record_id, first_record_id + records - 1, checksums_ok = 0 OR lost > 0, records > events + lost,
    id IN (SELECT chunk FROM document_block)
FROM chunk WHERE id IN (SELECT chunk FROM coverage_run WHERE log = ?)
"""
_FILES = """
SELECT count(DISTINCT sha256) FROM source WHERE id IN (
    SELECT source FROM source_chunk WHERE chunk IN (SELECT value FROM json_each(?)))
"""
_CLEARED = """
SELECT lower(v.text), CASE k.code WHEN '1102' THEN k.channel ELSE coalesce(
        json_extract(p.text, '$.Channel'), json_extract(e.data, '$.user_data.Channel')) END, e."@timestamp"
FROM kind k CROSS JOIN event e ON e.kind = k.id JOIN value v ON v.id = e."host.name"
    LEFT JOIN value p ON p.id = e.packed
WHERE (k.channel, k.code) IN (VALUES ('Security', '1102'), ('System', '104')) AND k.provider LIKE '%eventlog%'
    AND e."@timestamp" IS NOT NULL {live}
ORDER BY 1, 3
"""
# A record that was lost is one of every log that its file holds.
_LOST = """
SELECT DISTINCT r.log, l.record_id FROM (
    SELECT DISTINCT c.source, l.record_id FROM loss l JOIN source_chunk c ON c.chunk = l.chunk
    WHERE l.record_id IS NOT NULL
) l JOIN (
    SELECT DISTINCT source, log FROM coverage_run JOIN source_chunk USING (chunk)
    WHERE source IN (SELECT source FROM loss JOIN source_chunk USING (chunk))
) r ON r.source = l.source ORDER BY 1, 2
"""
# The record of a clearing is written a moment after the log was cleared, and not by the same clock reading.
_CLEARING = 5 * 10_000_000
# Numberings of one channel that are told apart; only made logs have more.
_MOST_NUMBERINGS = 50


class _Chunk(NamedTuple):
    """What is known of a chunk: the ids in the headers of its records, and what it lacks of them.

    ``has_documents``: it is a block of lines, which have no headers.
    """

    first: int | None
    last: int | None
    is_damaged: bool
    is_filtered: bool
    has_documents: bool


@dataclass(frozen=True, slots=True)
class _Hole:
    """Ids that no run has, between two of them, and the chunks that hold the record before and the one behind.

    ``is_copied``: what surrounds it is a copy of a log.
    """

    before: Run
    after: Run
    chunks: tuple[frozenset[int], frozenset[int]]
    is_copied: bool
    is_damaged: bool
    is_filtered: bool

    @property
    def records(self) -> int:
        return self.after.first - self.before.last - 1

    @property
    def chunk(self) -> int | None:
        """The chunk that it is in, None where it is between two."""
        both = frozenset.union(*self.chunks)
        return min(both) if len(both) == 1 else None


def read_logs(db: sqlite3.Connection) -> list[Log]:
    """Return all logs of a case by host and channel, those of one channel in order of time."""
    runs = Runs(db)
    try:
        return _Logs(db, runs).read()
    finally:
        runs.close()


class _Logs:
    def __init__(self, db: sqlite3.Connection, runs: Runs) -> None:
        self._db = db
        self._runs = runs
        self._lost: dict[int, list[int]] = defaultdict(list)
        for log, record in db.execute(_LOST):
            self._lost[log].append(record)
        self._cleared: dict[tuple[str, str], list[int]] = defaultdict(list)
        for host, channel, time in db.execute(_CLEARED.format(live=live_only(db, "AND e.id"))):
            self._cleared[host, channel or ""].append(time)

    def read(self) -> list[Log]:
        found: list[Log] = []
        for number, (host, channel) in self._runs.names().items():
            numberings = _numberings(self._runs.of(number))
            chunks = {row: _Chunk(*chunk) for row, *chunk in self._db.execute(_CHUNKS, (number,))}
            logs = [self._log(host, channel, number, runs, chunks) for runs in numberings]
            found += [logs[0], *(replace(log, begins="restarted") for log in logs[1:])]
        return sorted(found, key=lambda log: (log.host, log.channel))

    def _log(self, host: str, channel: str, number: int, runs: Sequence[Run], chunks: dict[int, _Chunk]) -> Log:
        cleared, lost = self._cleared[host, channel], self._lost[number]
        copied = {run.chunk for run in runs if _is_copied(run, chunks[run.chunk])}
        holes = _holes(runs, chunks, copied)
        times = [run.start for run in runs if run.start is not None]
        ends = [run.end for run in runs if run.end is not None]
        (files,) = self._db.execute(_FILES, (str(sorted({run.chunk for run in runs})),)).fetchone()
        start = min(times, default=None)
        is_copied = any(run.chunk in copied for run in runs if run.first == runs[0].first)
        begins: BeginReason = "exported" if is_copied else "overwritten"
        if runs[0].first == 1:
            begins = "first_record"
        elif start is not None and _any(cleared, start - _CLEARING, start + _CLEARING):
            begins = "cleared"
        return Log(
            host=host,
            channel=channel,
            events=sum(run.events for run in runs),
            files=files,
            first_id=runs[0].first,
            last_id=max(run.last for run in runs),
            start=start,
            end=max(ends, default=None),
            begins=begins,
            gaps=tuple(_joined(self._gap(hole, cleared, lost) for hole in holes)),
        )

    def _gap(self, hole: _Hole, cleared: list[int], lost: list[int]) -> tuple[_Hole, Gap]:
        known = bisect_left(lost, hole.after.first) - bisect_right(lost, hole.before.last)
        reason = self._reason(hole, known, cleared)
        times = (hole.before.end, hole.after.start)
        return hole, Gap(hole.before.last, hole.after.first, hole.records, known, *times, reason)

    def _reason(self, hole: _Hole, lost: int, cleared: list[int]) -> GapReason:
        if lost == hole.records:
            return "lost"
        start, end = hole.before.end, hole.after.start
        if start is not None and end is not None:
            # An export leaves out records for months: only if it goes on with the clearing is that the reason.
            first = max(start, end - _CLEARING) if hole.is_copied else start
            if _any(cleared, first, end + _CLEARING - 1):
                return "cleared"
        if hole.is_copied:
            return "exported"
        if hole.is_filtered:
            return "filtered"
        if hole.is_damaged:
            return "damaged"
        one, other = map(self._places, hole.chunks)
        between = [abs(later - earlier) for source, earlier in one for found, later in other if found == source]
        if not between:
            return "separate_files"
        # Whole chunks between them are gone from the same file.
        return "damaged" if min(between) > 1 else "unexplained"

    def _places(self, chunks: Iterable[int]) -> list[tuple[int, int]]:
        """Return source and number of each place of these chunks."""
        sql = "SELECT source, number FROM source_chunk WHERE chunk = ?"
        return [place for chunk in chunks for place in self._db.execute(sql, (chunk,))]


def _numberings(runs: list[Run]) -> list[list[Run]]:
    """Part the runs of a log where its numbers began again, as they do after its file was deleted; in order of time.

    So it is where two runs share ids and no time: a copy of a record has the time of the record.
    """
    found: list[list[Run]] = []
    waiting = [runs]
    while waiting:
        part = waiting.pop()
        restart = _restart(part) if len(found) + len(waiting) + 1 < _MOST_NUMBERINGS else None
        if restart is None:
            found.append(part)
        else:
            waiting.append([run for run in part if run.start is not None and run.start >= restart])
            waiting.append([run for run in part if run.start is None or run.start < restart])
    return found


def _restart(runs: Sequence[Run]) -> int | None:
    """Return the time from which on the numbers of a log are of another numbering, None where they are of one."""
    last: Run | None = None
    for run in runs:
        if last is not None and run.first <= last.last:
            times = (last.start, last.end, run.start, run.end)
            if None not in times and (run.start > last.end or last.start > run.end):  # type: ignore[operator]
                return max(run.start, last.start)  # type: ignore[type-var]
        if last is None or run.last > last.last:
            last = run
    return None


def _is_copied(run: Run, chunk: _Chunk) -> bool:
    """Whether the ids in the records are not those of their headers: Windows exported or forwarded the log.

    Documents are a copy of a log, too.
    """
    if chunk.has_documents:
        return True
    if chunk.first is None or chunk.last is None:
        return False
    return run.first < chunk.first or run.last > chunk.last


def _holes(runs: Sequence[Run], chunks: dict[int, _Chunk], copied: set[int]) -> Iterator[_Hole]:
    edges: list[tuple[Run, Run]] = []
    last: Run | None = None  # the one with the highest id so far
    for run in runs:
        if last is not None and run.first > last.last + 1:
            edges.append((last, run))
        if last is None or run.last > last.last:
            last = run
    # A run that holds the record at an edge ends or begins with it.
    ends: dict[int, set[int]] = {before.last: set() for before, _ in edges}
    begins: dict[int, set[int]] = {after.first: set() for _, after in edges}
    for run in runs if edges else ():
        if run.last in ends:
            ends[run.last].add(run.chunk)
        if run.first in begins:
            begins[run.first].add(run.chunk)
    for before, after in edges:
        sides = (frozenset(ends[before.last]), frozenset(begins[after.first]))
        both = sides[0] | sides[1]
        yield _Hole(
            before,
            after,
            sides,
            not copied.isdisjoint(both),
            any(chunks[chunk].is_damaged for chunk in both),
            any(chunks[chunk].is_filtered for chunk in both),
        )


def _joined(gaps: Iterable[tuple[_Hole, Gap]]) -> Iterator[Gap]:
    """Yield gaps, those that an export has within one chunk as one: it may have one behind every record."""
    waiting: tuple[_Hole, Gap] | None = None
    for hole, gap in gaps:
        if waiting is not None and gap.reason == waiting[1].reason == "exported" and waiting[0].chunk == hole.chunk:
            known = waiting[1]
            records, lost = known.records + gap.records, known.lost + gap.lost
            if hole.chunk is not None:
                waiting = (hole, replace(gap, after=known.after, start=known.start, records=records, lost=lost))
                continue
        if waiting is not None:
            yield waiting[1]
        waiting = (hole, gap)
    if waiting is not None:
        yield waiting[1]


def _any(times: list[int], start: int, end: int) -> bool:
    """Whether one of the times, which are in order, lies from start to end, both included."""
    place = bisect_left(times, start)
    return place < len(times) and times[place] <= end
