"""Whether the logs cover the time in which a sequence rule asks that an event be missing.

That nothing was found there says something only where the log was being written all that time and the evidence has its
records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from evtxscan.context.coverage.window import uncovered
from evtxscan.detect.hosts import Hosts
from evtxscan.detect.results import NotCovered
from evtxscan.detect.verdict import Reason
from evtxscan.detect.windows import Windows
from evtxscan.eql.sql.candidates import Item
from evtxscan.eql.sql.run import TICKS_PER_MILLISECOND, CaseQueries
from evtxscan.eql.sql.sequences import CompiledSequence, Found

_ROWS_AT_ONCE = 500


class MissingEvents:
    """Asks the logs of one case about the missing events of one rule."""

    def __init__(self, queries: CaseQueries, hosts: Hosts, windows: Windows, compiled: CompiledSequence) -> None:
        self._db = queries.case.db
        self._hosts = hosts
        self._coverage = windows.coverage
        self._compiled = compiled
        kinds = queries.events.kinds
        self._channels: dict[int, list[str]] = {}
        self._starts: set[int] = set()
        for item in compiled.missing:
            self._channels[item.number] = sorted({kinds[kind][0].channel or "" for kind in item.compiled.kinds})
            if any(map(queries.is_start, item.compiled.kinds)):
                self._starts.add(item.number)

    def of(self, sequences: Sequence[Found]) -> Iterator[tuple[NotCovered, ...]]:
        """Yield for each sequence what it rests on and the evidence does not show, in order."""
        for start in range(0, len(sequences), _ROWS_AT_ONCE):
            group = sequences[start : start + _ROWS_AT_ONCE]
            records = {row for found in group for row in found.records} if self._channels else set()
            told = self._times_and_hosts(records)
            yield from (tuple(self._not_covered(found, told)) for found in group)

    def _not_covered(self, found: Found, told: dict[int, tuple[int, str]]) -> Iterator[NotCovered]:
        place = 0
        for item in self._compiled.items:
            if item.term.missing:
                before = next((row for row in reversed(found.events[:place]) if row is not None), None)
                after = next((row for row in found.events[place:] if row is not None), None)
                start, end = self._window(
                    [told[row][0] for row in found.records],
                    *(None if row is None else told[row][0] for row in (before, after)),
                )
                reason = self._reason(item, {told[row][1] for row in found.records}, start, end)
                if reason is None and item.number in found.doubtful:
                    reason = "undecided_event"
                if reason is not None:
                    yield from (NotCovered(place + run, reason) for run in range(item.term.runs))
            place += item.term.runs

    def _times_and_hosts(self, rows: Iterable[int]) -> dict[int, tuple[int, str]]:
        """Return event -> @timestamp and host."""
        found: dict[int, tuple[int, str]] = {}
        wanted = sorted(rows)
        for start in range(0, len(wanted), _ROWS_AT_ONCE):
            group = wanted[start : start + _ROWS_AT_ONCE]
            marks = ",".join("?" * len(group))
            sql = f'SELECT id, "@timestamp", "host.name" FROM event WHERE id IN ({marks})'
            found.update((row, (ticks, self._hosts.name(host))) for row, ticks, host in self._db.execute(sql, group))
        return found

    def _window(self, times: Sequence[int], before: int | None, after: int | None) -> tuple[int, int]:
        """Return the time in which no event may be: between two, or as far from the others as maxspan reaches."""
        span = (self._compiled.query.maxspan or 0) * TICKS_PER_MILLISECOND
        start = max(times) - span if before is None else before
        end = min(times) + span if after is None else after
        return start, end

    def _reason(self, item: Item, hosts: Iterable[str], start: int, end: int) -> Reason | None:
        """Return why the time is not covered on one of the hosts; where several logs have such events one is enough."""
        for host in sorted(hosts):
            known = self._coverage.get(host)
            channels = self._channels[item.number] if known else []
            starts = item.number in self._starts
            reasons = [uncovered(known, channel, start, end, starts=starts) for channel in channels if known]
            told = [reason for reason in reasons if reason != "no_events"]
            if None not in told:
                return told[0] if told else "no_events"
        return None
