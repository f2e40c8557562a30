"""Threshold rules: so many events with the same values, or of so many different ones, in a short time.

Kibana runs such a rule every few minutes over the events of the last minutes (the rule's ``from``), groups them by the
values of the rule's fields and alerts for each group that is large enough. A case has no such clock, so evtxscan looks
at every window of that length, both ends included, wherever it begins: what any schedule would have found is found.
Windows of one group that share events are one result. Two differences remain: a group may be found that Kibana's runs
would have cut in two, and different values are counted exactly, where Elasticsearch estimates above 3,000.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from evtxscan.eql.predicates import Values
from evtxscan.rules.rows import Key, MalformedError, Row, keys_of


@dataclass(frozen=True, slots=True)
class Cardinality:
    """At least ``value`` different values of ``field``."""

    field: str
    value: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """At least ``value`` events that agree in ``fields`` (none: any events), with as many different values as asked."""

    fields: tuple[str, ...]
    value: int
    cardinality: tuple[Cardinality, ...] = ()

    @property
    def row_fields(self) -> tuple[str, ...]:
        """The fields whose values a row must have: those to group by, then those to count."""
        return (*self.fields, *(entry.field for entry in self.cardinality))


@dataclass(frozen=True, slots=True)
class ThresholdHit:
    """A group over the threshold: its values, its events in order of time, and how many different values they have.

    ``start`` and ``end`` are the times of the first and last event. An event without a value of a counted field counts
    as an event and adds no value; one without a value of a field to group by is in no group.
    """

    key: Key
    events: tuple[int, ...]
    start: int
    end: int
    different: tuple[int, ...]


def read_threshold(table: object) -> Threshold:
    """Read ``[rule.threshold]``; raise MalformedError that says what is wrong with it."""
    if not isinstance(table, Mapping):
        raise MalformedError("threshold has to be a table")
    fields = table.get("field", [])
    fields = [fields] if isinstance(fields, str) else fields
    if not isinstance(fields, list) or not all(isinstance(field, str) for field in fields):
        raise MalformedError("threshold.field has to be a list of fields")
    entries = table.get("cardinality", [])
    entries = [entries] if isinstance(entries, Mapping) else entries
    if not isinstance(entries, list):
        raise MalformedError("threshold.cardinality has to be a list of tables")
    return Threshold(
        tuple(field for field in fields if field),
        _count(table, "threshold.value"),
        tuple(_cardinality(entry) for entry in entries),
    )


def _cardinality(entry: object) -> Cardinality:
    if not isinstance(entry, Mapping) or not isinstance(field := entry.get("field"), str):
        raise MalformedError("threshold.cardinality has to name a field")
    return Cardinality(field, _count(entry, "threshold.cardinality.value"))


def _count(table: Mapping[str, Any], name: str) -> int:
    value = table.get("value")
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise MalformedError(f"{name} has to be a whole number from 1")
    return value


def over_threshold(rows: Iterable[Row], threshold: Threshold, span: int | None = None) -> list[ThresholdHit]:
    """Return the groups over the threshold within ``span`` milliseconds (None: at all), by time, then values.

    Rows come in order of time; their values are those of ``threshold.row_fields``. Of rows that no window can reach any
    more nothing is kept but the hits that they are in.
    """
    grouped = len(threshold.fields)
    groups: dict[Key, _Group] = {}  # the one that had a row last stands last
    found: list[ThresholdHit] = []
    for row in rows:
        for key in keys_of(row.values[:grouped]):
            group = groups.pop(key, None) or _Group(key, threshold, span)
            groups[key] = group
            found += group.add(row)
        while span is not None and groups and row.time - (oldest := next(iter(groups.values()))).end > span:
            found += groups.pop(oldest.key).finish()
    found += [hit for group in groups.values() for hit in group.finish()]
    return sorted(found, key=lambda hit: (hit.start, tuple(map(str, hit.key))))


class _Group:
    """The rows of one group that the window reaches back to, and the hit that they may belong to."""

    def __init__(self, key: Key, threshold: Threshold, span: int | None) -> None:
        self.key = key
        self._threshold = threshold
        self._span = span
        self._window: deque[Row] = deque()
        self._counters: list[Counter[object]] = [Counter() for _ in threshold.cardinality]
        self._hit: _OpenHit | None = None
        self._waiting = 0  # rows at the end of the window that the hit does not have yet

    @property
    def end(self) -> int:
        """The time of the last row."""
        return self._window[-1].time

    def add(self, row: Row) -> list[ThresholdHit]:
        """Take the next row; return the hit that is complete because a new one begins."""
        self._window.append(row)
        self._waiting += 1
        for counter, values in zip(self._counters, self._counted(row), strict=True):
            counter.update(dict.fromkeys(values, 1))
        while self._span is not None and row.time - self._window[0].time > self._span:
            self._drop()
        if not self._is_over():
            return []
        done: list[ThresholdHit] = []
        if self._hit is None or self._waiting >= len(self._window):  # nothing of the hit is in the window
            done = self.finish()
            self._hit, self._waiting = _OpenHit(self.key, len(self._counters)), len(self._window)
        for one in islice(self._window, len(self._window) - self._waiting, None):
            self._hit.add(one, self._counted(one))
        self._waiting = 0
        return done

    def finish(self) -> list[ThresholdHit]:
        """Return the hit, if there is one."""
        return [] if self._hit is None else [self._hit.closed()]

    def _drop(self) -> None:
        for counter, values in zip(self._counters, self._counted(self._window.popleft()), strict=True):
            for value in set(values):
                counter[value] -= 1
                if not counter[value]:
                    del counter[value]

    def _is_over(self) -> bool:
        pairs = zip(self._counters, self._threshold.cardinality, strict=True)
        return len(self._window) >= self._threshold.value and all(len(seen) >= least.value for seen, least in pairs)

    def _counted(self, row: Row) -> tuple[Values, ...]:
        return row.values[len(self._threshold.fields) :]


class _OpenHit:
    def __init__(self, key: Key, counted: int) -> None:
        self._key = key
        self._events: list[int] = []
        self._times: list[int] = []
        self._different: list[set[object]] = [set() for _ in range(counted)]

    def add(self, row: Row, counted: tuple[Values, ...]) -> None:
        self._events.append(row.event)
        self._times = [*self._times[:1], row.time]
        for seen, values in zip(self._different, counted, strict=True):
            seen.update(values)

    def closed(self) -> ThresholdHit:
        different = tuple(map(len, self._different))
        return ThresholdHit(self._key, tuple(self._events), self._times[0], self._times[-1], different)
