"""Whether the logs that a rule looks into are whole, in the time of each finding and verdict."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property

from evtxscan.context.coverage.model import HostCoverage
from evtxscan.context.coverage.read import read_coverage
from evtxscan.context.coverage.window import SECURITY, SYSMON, Lack, Reads, Window, window
from evtxscan.detect.surroundings import HOURS_BEFORE
from evtxscan.eql.binder import BoundSequenceQuery
from evtxscan.eql.sql.run import TICKS_PER_MILLISECOND, CaseQueries
from evtxscan.evtx.filetime import TICKS_PER_SECOND
from evtxscan.rules.events import LINEAGE_EVENTS, classes_that_can_meet, event_class
from evtxscan.rules.ready import Ready, stages
from evtxscan.store.case import Case
from evtxscan.store.scope import Scope

# Where parents and logons are looked for, whatever a rule asks for.
_AROUND = (SYSMON, SECURITY)
_LINES = frozenset(
    f"process.{of}{name}" for of in ("", "parent.") for name in ("args", "args_count", "command_line")
)  # fmt: skip
_BEFORE = HOURS_BEFORE * 3600 * TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class RuleReads:
    """What a rule looks into, and how far around its events, in ticks."""

    reads: Reads = field(default_factory=lambda: Reads(()))
    before: int = _BEFORE
    after: int = 0


def rule_reads(ready: Ready, queries: CaseQueries) -> RuleReads:
    """Return what a rule that runs looks into, in this case."""
    parts: dict[tuple[str, ...], None] = {}
    has_starts = has_lines = False
    for stage in stages(ready):
        kinds = queries.compile_event(stage.event).kinds
        found = {queries.events.kinds[kind][0].channel or "" for kind in kinds}
        starts = any(map(queries.is_start, kinds))
        if not kinds:
            classes = classes_that_can_meet(
                stage.event.predicate, stage.required, inferred=not queries.scope.observed_only
            )
            found = {event_class(name).mapping.table.channel or "" for name in classes}
            starts = not LINEAGE_EVENTS.isdisjoint(classes)
        parts[tuple(sorted(found))] = None
        has_starts = has_starts or starts
        has_lines = has_lines or (starts and not _LINES.isdisjoint(stage.fields))
    return RuleReads(Reads(tuple(parts), has_starts, has_lines), *_reach(ready))


def _reach(ready: Ready) -> tuple[int, int]:
    """Return how far before the first and behind the last of its events a rule looks, in ticks."""
    query, before = ready.query, 0
    if ready.rule.new_terms is not None:
        before = ready.rule.new_terms.history * TICKS_PER_MILLISECOND
    if not isinstance(query, BoundSequenceQuery):
        return max(_BEFORE, before), 0
    span = (query.maxspan or 0) * TICKS_PER_MILLISECOND
    return max(_BEFORE, span if query.terms[0].missing else 0), span if query.terms[-1].missing else 0


class Windows:
    """Tells of the windows of one case, for what a scope shows of it."""

    def __init__(self, case: Case, scope: Scope) -> None:
        self._case = case
        self._scope = scope
        self._verdicts: dict[tuple[str, Reads], Window] = {}

    @cached_property
    def coverage(self) -> dict[str, HostCoverage]:
        """What the logs of each host cover; nothing of a host without live records in a log. Raises CaseError."""
        return {found.host: found for found in read_coverage(self._case)}

    def of_verdict(self, reads: Reads, host: str) -> Window:
        """Return the window of a verdict: the host's time, or that of the scope."""
        key = (host, reads)
        if key not in self._verdicts:
            known = self._host(host)
            times = [log.start for log in known.logs if log.start is not None]
            ends = [log.end for log in known.logs if log.end is not None]
            start = min(times, default=None) if self._scope.start is None else self._scope.start
            end = max(ends, default=None) if self._scope.end is None else self._scope.end
            self._verdicts[key] = _window(known, reads, start, end)
        return self._verdicts[key]

    def of_finding(self, rule: RuleReads, hosts: Collection[str], first: int | None, last: int | None) -> Window:
        """Return the window of a finding from ``first`` to ``last`` (ticks; None: an event has no time).

        With several hosts it says what any of them lacks.
        """
        reads = replace(rule.reads, parts=(*rule.reads.parts, _AROUND), starts=True)
        start = None if first is None else max(first - rule.before, 0)
        end = None if last is None else last + rule.after
        found = [_window(self._host(host), reads, start, end) for host in sorted(hosts)]
        if len(found) == 1:
            return found[0]
        told = zip(sorted(hosts), found, strict=True)
        return Window(start, end, tuple(replace(lack, host=host) for host, one in told for lack in one.lacks))

    def _host(self, name: str) -> HostCoverage:
        return self.coverage.get(name) or HostCoverage(name, (), (), (), (), (), ())


def _window(host: HostCoverage, reads: Reads, start: int | None, end: int | None) -> Window:
    if start is None or end is None:
        return Window(start, end, (Lack("", "no_log" if not host.logs else "no_time", start, end),))
    return window(host, reads, start, end)
