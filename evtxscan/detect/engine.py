"""Runs rules over a case: which events match, and what can be said of each host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from evtxscan.detect.hosts import Hosts
from evtxscan.detect.scripts import ScriptBlocks
from evtxscan.detect.services import proves_nothing
from evtxscan.detect.undecided import undecided
from evtxscan.detect.verdict import Missing, Verdict
from evtxscan.eql.binder import BoundEventQuery
from evtxscan.eql.sql.run import CaseQueries, read_query
from evtxscan.errors import EqlError
from evtxscan.rules.rule import Rule
from evtxscan.store.case import Case, explained
from evtxscan.store.events import Events
from evtxscan.store.scope import Scope

_SUPPORTED = ("eql", "eql")
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Hit:
    """An event that matches, by row id, and the other records of the same process start."""

    row: int
    witnesses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule that could not run, and why.

    ``line`` is that of the rule file, ``column`` that of ``excerpt``, the line of the query; both count from 1.
    """

    rule: str
    path: str
    message: str
    line: int | None = None
    column: int | None = None
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule gave: hits in order of time, and a verdict for every host of the case."""

    rule: Rule
    query: BoundEventQuery
    hits: tuple[Hit, ...] = ()
    verdicts: tuple[Verdict, ...] = field(default=())


def run_rules(case: Case, events: Events, rules: Iterable[Rule], scope: Scope) -> Iterator[RuleResult | Refused]:
    """Run rules one after the other. Raises CaseError; a rule that cannot run is a result like any other."""
    queries = CaseQueries(case, events, scope, proves_nothing)
    hosts = Hosts(queries)
    for rule in rules:
        query = _read(rule)
        if isinstance(query, Refused):
            yield query
        else:
            with explained(case.path):
                yield _run(queries, hosts, rule, query)


def _read(rule: Rule) -> BoundEventQuery | Refused:
    if (rule.type, rule.language) != _SUPPORTED:
        message = f"rules of type {rule.type!r} in {rule.language!r} are not supported; evtxscan runs EQL rules"
        return Refused(rule.id, rule.path, message)
    try:
        return read_query(rule.query)
    except EqlError as error:
        line = rule.query_line + error.line - 1
        return Refused(rule.id, rule.path, error.message, line, error.column, error.excerpt)


def _run(queries: CaseQueries, hosts: Hosts, rule: Rule, query: BoundEventQuery) -> RuleResult:
    compiled = queries.compile(query)
    rows = list(queries.matches(compiled))
    hits = tuple(Hit(row) for row in rows) if queries.scope.observed_only else _fold(queries.case, rows)
    unknown = undecided(queries, query.event.predicate, list(compiled.selections))
    matched = hosts.of(hit.row for hit in hits)
    evidence = hosts.events(compiled.kinds)
    lost = hosts.lost(query.event.category)
    verdicts = [
        _verdict(
            rule.id,
            host,
            matched=host in matched,
            unknown=unknown.get(host, ()),
            events=evidence.get(host, 0),
            lost=lost.get(host, 0),
        )
        for host in hosts.names
    ]
    return RuleResult(rule, query, hits, tuple(verdicts))


def _verdict(rule: str, host: str, *, matched: bool, unknown: tuple[Missing, ...], events: int, lost: int) -> Verdict:
    missing = list(unknown)
    if lost:
        missing.append(Missing("*", lost, "evidence_lost"))
    if matched:
        return Verdict(rule, host, "match", events, tuple(missing))
    if unknown:
        return Verdict(rule, host, "undetermined", events, tuple(missing))
    if not events:
        missing.append(Missing("event.category", 0, "no_events"))
    return Verdict(rule, host, "incomplete" if missing else "no_match", events, tuple(missing))


def _fold(case: Case, rows: list[int]) -> tuple[Hit, ...]:
    """Make one hit of a process that both logs saw start, for which Sysmon's record stands, and one of a script."""
    rows = ScriptBlocks(case.db).one_each(rows)
    partner: dict[int, tuple[int, int]] = {}
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        group = rows[start : start + _ROWS_AT_ONCE]
        marks = ",".join("?" * len(group))
        found = case.db.execute(
            "SELECT sysmon_event, security_event FROM process WHERE sysmon_event IS NOT NULL"
            f" AND security_event IS NOT NULL AND (sysmon_event IN ({marks}) OR security_event IN ({marks}))",
            group * 2,
        )
        for sysmon, security in found:
            partner[sysmon] = partner[security] = (sysmon, security)
    wanted = set(rows)
    hits: list[Hit] = []
    for row in rows:
        sysmon, security = partner.get(row, (row, row))
        if row == security and sysmon != security and sysmon in wanted:
            continue  # told by Sysmon's record, which matches too
        hits.append(Hit(row, tuple(other for other in (sysmon, security) if other != row)))
    return tuple(hits)
