"""Counts events that meet a rule's query and lack a field that the rule looks at besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evtxscan.detect.undecided import as_missing, reason_for
from evtxscan.detect.verdict import Missing, Reason
from evtxscan.eql.sql.run import CaseQueries

TIME = "@timestamp"
_ROWS_AT_ONCE = 500


class Lacking:
    """The events of one rule that have no value to group by or to compare.

    To Elasticsearch they are not there; what they would have added is unknown.
    """

    def __init__(self, queries: CaseQueries) -> None:
        self._queries = queries
        self._waiting: dict[str, list[int]] = {}
        self._counts: dict[str, Counter[tuple[str, Reason]]] = {}

    def add(self, event: int, fields: Sequence[str]) -> None:
        """Count an event that lacks these fields."""
        for field in fields:
            events = self._waiting.setdefault(field, [])
            events.append(event)
            if len(events) == _ROWS_AT_ONCE:
                self._count(field, events)

    def by_host(self) -> dict[str, tuple[Missing, ...]]:
        """Return host (lower case) -> what events of the scope lack, and why."""
        for field, events in self._waiting.items():
            self._count(field, events)
        return as_missing(self._counts)

    def _count(self, field: str, events: list[int]) -> None:
        marks = ",".join("?" * len(events))
        lineage = "NULL" if self._queries.scope.observed_only else "l.reason"
        rows = self._queries.case.db.execute(
            f'SELECT count(*), e.kind, (SELECT text FROM value WHERE id = e."host.name"), {lineage}'
            f" FROM event e LEFT JOIN lineage l ON l.event = e.id WHERE e.id IN ({marks}){self._queries.filter}"
            " GROUP BY 2, 3, 4",
            events,
        )
        for count, kind, host, reason in rows:
            why: Reason = (
                "not_recorded"
                if field == TIME
                else reason_for(field, self._queries.events.kinds[kind], reason, absent=True)
            )
            self._counts.setdefault((host or "").lower(), Counter())[field, why] += count
        events.clear()
