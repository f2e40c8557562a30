"""Runs rules over a case: which events match, and what can be said of each host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from evtxscan.detect import event_rule, new_terms_rule, sequence_rule, threshold_rule
from evtxscan.detect.history import Histories
from evtxscan.detect.hosts import Hosts
from evtxscan.detect.outcome import Outcome, Task
from evtxscan.detect.results import RuleResult, SequenceResult
from evtxscan.detect.services import proves_nothing
from evtxscan.detect.verdict import Missing, Verdict
from evtxscan.detect.windows import Windows, rule_reads
from evtxscan.eql.binder import BoundEventQuery, BoundSequenceQuery
from evtxscan.eql.sql.recorded import RecordedData
from evtxscan.eql.sql.run import CaseQueries, limited
from evtxscan.rules.ready import Question, Ready, Refused, prepare, unknown_in
from evtxscan.rules.rule import Rule
from evtxscan.store.case import Case, explained
from evtxscan.store.events import Events
from evtxscan.store.scope import Scope


def run_rules(
    case: Case, events: Events, rules: Iterable[Rule], scope: Scope, windows: Windows
) -> Iterator[RuleResult | SequenceResult | Refused]:
    """Run rules and yield their results in order. Raises CaseError; a rule that cannot run is a result like any other.

    ``windows`` are those of the scope. The conditions of all rules are run in one pass before the first result.
    """
    queries = CaseQueries(case, events, scope, proves_nothing)
    hosts, histories = Hosts(queries), Histories(queries)
    recorded = RecordedData(case)
    read = [prepare(rule, defend=scope.translates) for rule in rules]
    _prepare(queries, [ready.query for ready in read if isinstance(ready, Ready)])
    for ready in read:
        if isinstance(ready, Refused):
            yield ready
            continue
        rule, query = ready.rule, ready.query
        with explained(case.path):
            found: RuleResult | SequenceResult
            if isinstance(query, BoundSequenceQuery):
                found = sequence_rule.run(queries, hosts, windows, rule, query)
            else:
                found = _run(Task(queries, hosts, histories, rule, query, queries.compile(query)))
            reads = rule_reads(ready, queries)
            verdicts = tuple(
                replace(verdict, window=windows.of_verdict(reads.reads, verdict.host)) for verdict in found.verdicts
            )
        yield replace(found, verdicts=verdicts, unknown_fields=unknown_in(ready, recorded), reads=reads)


def _prepare(queries: CaseQueries, read: list[Question]) -> None:
    single = [query.event for query in read if not isinstance(query, BoundSequenceQuery)]
    sequences = [query for query in read if isinstance(query, BoundSequenceQuery)]
    items = [(term.event, term.missing) for query in sequences for term in query.terms]
    items += [(query.until.event, True) for query in sequences if query.until]
    queries.prepare(single, items)


def _run(task: Task) -> RuleResult:
    outcome = _outcome(task)
    matched = task.hosts.of(hit.row for hit in outcome.hits)
    matched |= {host for group in outcome.groups for host in group.hosts}
    evidence = task.hosts.events(task.compiled.kinds)
    lost = task.hosts.lost(task.query.event.category)
    verdicts = [
        _verdict(
            task.rule.id,
            host,
            matched=host in matched,
            unknown=outcome.unknown.get(host, ()),
            events=evidence.get(host, 0),
            lost=lost.get(host, 0),
        )
        for host in task.hosts.names
    ]
    hits = outcome.hits
    if isinstance(task.query, BoundEventQuery):  # what head and tail leave out of the findings is a match all the same
        hits = tuple(limited(hits, task.query.pipes))
    return RuleResult(task.rule, task.query, hits, tuple(verdicts), outcome.groups)


def _outcome(task: Task) -> Outcome:
    if task.rule.threshold is not None:
        return threshold_rule.run(task, task.rule.threshold)
    if task.rule.new_terms is not None:
        return new_terms_rule.run(task, task.rule.new_terms)
    return event_rule.run(task)


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
