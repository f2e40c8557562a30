"""Whether the logs cover the time in which a sequence rule asks that an event be missing.

That nothing was found there says something only where the log was being written all that time and the evidence has its
records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evtxscan.detect.results import NotCovered
from evtxscan.detect.verdict import Reason
from evtxscan.eql.sql.candidates import Item
from evtxscan.eql.sql.run import TICKS_PER_MILLISECOND, CaseQueries
from evtxscan.eql.sql.sequences import CompiledSequence, Found

# Records are written up to so much later than their time says (Sysmon holds DNS queries back until they are answered).
_LATE = 10 * 60 * 1000 * TICKS_PER_MILLISECOND


class Coverage:
    """Asks the logs of one case."""

    def __init__(self, queries: CaseQueries) -> None:
        self._db = queries.case.db
        self._kinds: dict[str | None, list[int]] = {}
        for row, (kind, _) in queries.events.kinds.items():
            self._kinds.setdefault(kind.channel, []).append(row)
        self._channel = {row: kind.channel for row, (kind, _) in queries.events.kinds.items()}

    def gaps(self, compiled: CompiledSequence, found: Found) -> Iterator[NotCovered]:
        """Yield what a sequence rests on and the evidence does not show, in order."""
        times, hosts = self._times(found.records)
        place = 0
        for item in compiled.items:
            if item.term.missing:
                before = next((row for row in reversed(found.events[:place]) if row is not None), None)
                after = next((row for row in found.events[place:] if row is not None), None)
                start, end = self._window(compiled, times, before, after)
                reason = self._reason(item, hosts, start, end)
                if reason is None and item.number in found.doubtful:
                    reason = "undecided_event"
                if reason is not None:
                    yield from (NotCovered(place + run, reason) for run in range(item.term.runs))
            place += item.term.runs

    def _times(self, rows: Sequence[int]) -> tuple[dict[int, int], list[int | None]]:
        marks = ",".join("?" * len(rows))
        found = self._db.execute(
            f'SELECT id, "@timestamp", "host.name" FROM event WHERE id IN ({marks})', rows
        ).fetchall()
        return {row: ticks for row, ticks, _ in found}, sorted({host for *_, host in found}, key=str)

    def _window(
        self, compiled: CompiledSequence, times: dict[int, int], before: int | None, after: int | None
    ) -> tuple[int, int]:
        """Return the time in which no event may be: between two, or as far from the others as maxspan reaches."""
        span = (compiled.query.maxspan or 0) * TICKS_PER_MILLISECOND
        start = max(times.values()) - span if before is None else times[before]
        end = min(times.values()) + span if after is None else times[after]
        return start, end

    def _reason(self, item: Item, hosts: list[int | None], start: int, end: int) -> Reason | None:
        """Return why the time is not covered on one of the hosts; where several logs have such events one is enough."""
        for host in hosts:
            reasons = [
                self._reason_of_log(channel, host, start, end)
                for channel in sorted({self._channel[kind] or "" for kind in item.compiled.kinds})
            ]
            known = [reason for reason in reasons if reason != "no_events"]
            if None not in known:
                return known[0] if known else "no_events"
        return None

    def _reason_of_log(self, channel: str, host: int | None, start: int, end: int) -> Reason | None:
        listed = ", ".join(map(str, self._kinds[channel or None]))
        log = f'FROM event WHERE kind IN ({listed}) AND "host.name" IS ?'
        first, last = self._row(f'SELECT min("@timestamp"), max("@timestamp") {log}', host)
        if first is None:
            return "no_events"
        if first > start:
            return "log_begins_inside"
        if last < end:
            return "log_ends_inside"
        within = f'{log} AND "@timestamp" BETWEEN ? AND ? AND "winlog.record_id" IS NOT NULL'
        (before,) = self._row(f'SELECT max("@timestamp") {log} AND "@timestamp" <= ?', host, start)
        (after,) = self._row(f'SELECT min("@timestamp") {log} AND "@timestamp" >= ?', host, end)
        low, high = self._row(f'SELECT min("winlog.record_id"), max("winlog.record_id") {within}', host, before, after)
        if low is None:
            return "records_missing"
        (records,) = self._row(
            f'SELECT count(DISTINCT "winlog.record_id") {within} AND "winlog.record_id" BETWEEN ? AND ?',
            host,
            before - _LATE,
            after + _LATE,
            low,
            high,
        )
        return None if records == high - low + 1 else "records_missing"

    def _row(self, sql: str, *values: object) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self._db.execute(sql, values).fetchone()
        return row
