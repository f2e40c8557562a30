"""New-terms rules: a finding for each event that brings a combination of values for the first time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from evtxscan.detect.lacking import TIME, Lacking
from evtxscan.detect.outcome import MissingByHost, Outcome, Task
from evtxscan.detect.results import Hit
from evtxscan.detect.undecided import undecided
from evtxscan.detect.verdict import Missing
from evtxscan.detect.witnesses import fold
from evtxscan.eql.sql.run import CaseQueries
from evtxscan.eql.sql.values import EventValues, matching_values
from evtxscan.evtx.filetime import to_milliseconds
from evtxscan.kql.read import case_mapping
from evtxscan.rules.new_terms import NewTerms, new_terms
from evtxscan.rules.rows import Row
from evtxscan.store.scope import LIVE, Scope

_TICKS_PER_MILLISECOND = 10_000
_ROWS_AT_ONCE = 500


def run(task: Task, asked: NewTerms) -> Outcome:
    """Find the events with new values.

    The scope says which events are reported. The history is what the whole case has: a value is not new because an
    examiner looks at one day.
    """
    queries = task.queries
    lacking = Lacking(queries)
    events = matching_values(
        queries,
        queries.compile_unscoped(task.query.event),
        asked.fields,
        case_mapping(),
        _history(queries.scope, asked),
    )
    found = new_terms(_rows(events, asked, lacking), asked.history, task.histories.begins)
    hits = _in_scope(
        queries,
        [Hit(event, new=tuple(terms)) for event, terms in groupby(found, key=attrgetter("event"))],
    )
    if not queries.scope.observed_only:
        hits = list(fold(queries.case, hits))
    unknown = _joined(
        undecided(queries, task.compiled),
        lacking.by_host(),
        _short_histories(task, asked, hits),
    )
    return Outcome(unknown, tuple(hits))


def _history(scope: Scope, asked: NewTerms) -> str:
    """Return SQL for the events that can matter to those of the scope."""
    terms: list[str] = []
    if scope.start is not None:
        terms.append(f'e."@timestamp" >= {scope.start - (asked.history + 1) * _TICKS_PER_MILLISECOND}')
    if scope.end is not None:
        terms.append(f'e."@timestamp" <= {scope.end}')
    if scope.live_only:
        terms.append(LIVE)
    return "".join(f" AND {term}" for term in terms)


def _rows(events: Iterable[EventValues], asked: NewTerms, lacking: Lacking) -> Iterator[Row]:
    for event in events:
        if event.ticks is not None and all(event.values):
            yield Row(to_milliseconds(event.ticks), event.event, event.values)
            continue
        absent = [name for name, values in zip(asked.fields, event.values, strict=True) if not values]
        lacking.add(event.event, absent if event.ticks is not None else [*absent, TIME])


def _in_scope(queries: CaseQueries, hits: Sequence[Hit]) -> list[Hit]:
    found: set[int] = set()
    for start in range(0, len(hits), _ROWS_AT_ONCE):
        rows = [hit.row for hit in hits[start : start + _ROWS_AT_ONCE]]
        marks = ",".join("?" * len(rows))
        cells = queries.case.db.execute(f"SELECT e.id FROM event e WHERE e.id IN ({marks}){queries.filter}", rows)
        found.update(row for (row,) in cells)
    return [hit for hit in hits if hit.row in found]


def _short_histories(task: Task, asked: NewTerms, hits: Sequence[Hit]) -> MissingByHost:
    """Return, per host, how many of the hits may be of values that are not new: the evidence begins too late."""
    short = [hit.row for hit in hits if all((term.known or 0) < asked.history for term in hit.new)]
    counts = task.hosts.counts(short)
    return {host: (Missing("*", events, "history_too_short"),) for host, events in counts.items()}


def _joined(*parts: MissingByHost) -> MissingByHost:
    hosts = {host for part in parts for host in part}
    return {host: tuple(missing for part in parts for missing in part.get(host, ())) for host in hosts}
