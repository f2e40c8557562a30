"""New-terms rules: events with a combination of values that was not there for some days before.

Kibana runs such a rule every few minutes: a combination of values of the rule's fields, in events of the last minutes
that the query matches, is new if no event that the query matches had it since the start of the history window; the
first event with it is reported. Offline every event is looked at as if the rule had run at its time:

- An event's combination is new if no earlier event that the query matches has the same one at most a history window
  before (that far to the millisecond counts as within). Of events at the same time, the first in order is the new one.
- So a combination is reported again after it was away for longer than the history window.
- An event with several values of a field has several combinations, each new or not for itself; an event that lacks
  one of the fields has none.

A log begins somewhere, and before that all is unknown: ``known`` tells how much of the window was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from evtxscan.rules.rows import Key, MalformedError, Row, keys_of, window


@dataclass(frozen=True, slots=True)
class NewTerms:
    """The fields whose values are compared together, and the length of the history in milliseconds."""

    fields: tuple[str, ...]
    history: int


@dataclass(frozen=True, slots=True)
class NewTerm:
    """An event that brings a new combination: its values, and when the combination was last there (None: never).

    ``known`` is how many milliseconds of the history before it the evidence covers, at most the whole window; None
    where the start of the evidence was not given. Less than the window means that the combination may not be new.
    """

    event: int
    time: int
    key: Key
    last: int | None
    known: int | None


def read_new_terms(table: object) -> NewTerms:
    """Read ``[rule.new_terms]``; raise MalformedError that says what is wrong with it."""
    if not isinstance(table, Mapping):
        raise MalformedError("new_terms has to be a table")
    fields = table.get("value")
    if not isinstance(fields, list) or not fields or not all(isinstance(field, str) and field for field in fields):
        raise MalformedError("new_terms.value has to be a list of fields")
    entries = table.get("history_window_start")
    first = entries[0] if isinstance(entries, list) and len(entries) == 1 else None
    start = first.get("value") if isinstance(first, Mapping) else None
    if not isinstance(start, str):
        raise MalformedError("new_terms.history_window_start has to be one table with a value such as now-7d")
    try:
        return NewTerms(tuple(fields), window(start))
    except MalformedError as error:
        raise MalformedError(f"new_terms.history_window_start: {error}") from None


def new_terms(
    rows: Iterable[Row], history: int, begins: Callable[[int], int | None] = lambda _: None
) -> Iterator[NewTerm]:
    """Yield the events with new combinations, in order of time; one for each new combination of an event.

    Rows come in order of time. ``history`` is the length of the window in milliseconds; ``begins`` tells at what time
    the evidence begins that an event is part of (None: not known).
    """
    seen: dict[Key, int] = {}
    for row in rows:
        for key in keys_of(row.values):
            last = seen.get(key)
            if last is None or row.time - last > history:
                begin = begins(row.event)
                known = None if begin is None else max(0, min(history, row.time - begin))
                yield NewTerm(row.event, row.time, key, last, known)
            seen[key] = row.time
