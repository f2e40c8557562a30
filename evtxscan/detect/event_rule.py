"""Rules whose every matching event is a finding."""

from __future__ import annotations

from evtxscan.detect.outcome import Outcome, Task
from evtxscan.detect.results import Hit
from evtxscan.detect.undecided import undecided
from evtxscan.detect.witnesses import fold


def run(task: Task) -> Outcome:
    """Find the events that match, one hit for each process start and script unless only recorded fields count."""
    queries = task.queries
    hits = tuple(map(Hit, queries.matches(task.compiled)))
    if not queries.scope.observed_only:
        hits = fold(queries.case, hits)
    return Outcome(undecided(queries, task.compiled), hits)
