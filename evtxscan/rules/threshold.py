"""Threshold rules: so many events with the same values, or of so many different ones, in a short time.

Kibana runs such a rule every few minutes over the events of the last minutes (the rule's ``from``), groups them by the
values of the rule's fields and alerts for each group that is large enough. A case has no such clock, so evtxscan looks
at every window of that length, both ends included, wherever it begins: what any schedule would have found is found.
Windows of one group that share events are one result. Two differences remain: a group may be found that Kibana's runs
would have cut in two, and different values are counted exactly, where Elasticsearch estimates above 3,000.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evtxscan.rules.rows import Key, MalformedError, Row, in_order, keys_of


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

    The values of a row are those of ``threshold.row_fields``.
    """
    groups: dict[Key, list[Row]] = {}
    for row in in_order(rows):
        for key in keys_of(row.values[: len(threshold.fields)]):
            groups.setdefault(key, []).append(row)
    found = [
        _hit(key, group[first : last + 1], threshold)
        for key, group in groups.items()
        for first, last in _joined(_windows(group, threshold, span))
    ]
    return sorted(found, key=lambda hit: (hit.start, tuple(map(str, hit.key))))


def _windows(group: list[Row], threshold: Threshold, span: int | None) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of the widest window that ends at each row, if it is over the threshold."""
    counted = len(threshold.fields)
    counters: list[Counter[object]] = [Counter() for _ in threshold.cardinality]
    first = 0
    for last, row in enumerate(group):
        for counter, values in zip(counters, row.values[counted:], strict=True):
            counter.update(dict.fromkeys(values, 1))
        while span is not None and row.time - group[first].time > span:
            for counter, values in zip(counters, group[first].values[counted:], strict=True):
                for value in set(values):
                    counter[value] -= 1
                    if not counter[value]:
                        del counter[value]
            first += 1
        enough = last - first + 1 >= threshold.value
        pairs = zip(counters, threshold.cardinality, strict=True)
        if enough and all(len(counter) >= entry.value for counter, entry in pairs):
            yield first, last


def _joined(windows: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join windows that share rows; they come in order of their ends, and of their starts."""
    found: list[tuple[int, int]] = []
    for first, last in windows:
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _hit(key: Key, rows: list[Row], threshold: Threshold) -> ThresholdHit:
    counted = len(threshold.fields)
    different = tuple(
        len({value for row in rows for value in row.values[counted + place]})
        for place in range(len(threshold.cardinality))
    )
    return ThresholdHit(key, tuple(row.event for row in rows), rows[0].time, rows[-1].time, different)
