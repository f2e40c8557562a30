"""Threshold rules: a finding for each group of events that is large enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from evtxscan.detect.lacking import TIME, Lacking
from evtxscan.detect.outcome import MissingByHost, Outcome, Task
from evtxscan.detect.results import Group
from evtxscan.detect.undecided import undecided, undecided_events
from evtxscan.detect.witnesses import each_start_once
from evtxscan.eql.sql.run import as_sql
from evtxscan.eql.sql.values import EventValues, matching_values
from evtxscan.evtx.filetime import to_milliseconds
from evtxscan.kql.read import case_mapping
from evtxscan.rules.rows import Row
from evtxscan.rules.threshold import Threshold, over_threshold

# Fields that tell hosts apart: groups by one of them do not reach beyond a host.
_OF_HOST = frozenset({"host.id", "host.name", "winlog.computer_name"})


def run(task: Task, threshold: Threshold) -> Outcome:
    """Find the groups over the threshold.

    Unless only recorded fields count, two records of one process start count once where their values are the same.
    """
    queries = task.queries
    lacking = Lacking(queries)
    events: Iterable[EventValues] = matching_values(queries, task.compiled, threshold.row_fields, case_mapping())
    if not queries.scope.observed_only:
        events = each_start_once(queries.case, events)
    found = over_threshold(_rows(events, threshold, lacking), threshold, task.rule.lookback)
    groups = tuple(Group(hit, tuple(sorted(task.hosts.of(hit.events)))) for hit in found)
    return Outcome(_unknown(task, threshold, lacking.by_host()), groups=groups)


def _rows(events: Iterable[EventValues], threshold: Threshold, lacking: Lacking) -> Iterator[Row]:
    fields = threshold.row_fields
    for event in events:
        if event.ticks is not None:
            yield Row(to_milliseconds(event.ticks), event.event, event.values)
            if all(event.values):
                continue
        absent = [name for name, values in zip(fields, event.values, strict=True) if not values]
        lacking.add(event.event, absent if event.ticks is not None else [*absent, TIME])


def _unknown(task: Task, threshold: Threshold, lacking: MissingByHost) -> MissingByHost:
    """Return what cannot be decided: of hosts where it could make a group large enough."""
    queries = task.queries
    undecided_by_host = undecided(queries, task.compiled)
    if not undecided_by_host and not lacking:
        return {}
    possible = _matches_by_host(task) + (undecided_events(queries, task.compiled) if undecided_by_host else Counter())
    if not _OF_HOST & set(threshold.fields):
        everywhere = possible.total()
        possible = Counter(dict.fromkeys({*undecided_by_host, *lacking}, everywhere))
    return {
        host: (*undecided_by_host.get(host, ()), *lacking.get(host, ()))
        for host in {*undecided_by_host, *lacking}
        if possible[host] >= threshold.value
    }


def _matches_by_host(task: Task) -> Counter[str]:
    found: Counter[str] = Counter()
    for selection in task.compiled.selections:
        rows = task.queries.case.db.execute(
            'SELECT (SELECT text FROM value WHERE id = e."host.name"), count(*)'
            f" {selection.source}{task.queries.filter} AND {as_sql(selection.match)} GROUP BY 1"
        )
        for host, events in rows:
            found[(host or "").lower()] += events
    return found
