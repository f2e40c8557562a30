"""Makes the document of a finding that is a sequence: its events, each with what is told of a single one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from evtxscan.detect.documents import Documents, Told
from evtxscan.detect.finding import Finding, defend_values, finding_id, host_of, judged
from evtxscan.detect.results import SequenceHit, SequenceResult
from evtxscan.detect.rule_document import rule_document
from evtxscan.detect.surroundings import Surroundings
from evtxscan.eql.binder import BoundSequenceQuery
from evtxscan.eql.predicates import Predicate


def sequence_findings(result: SequenceResult, documents: Documents, around: Surroundings) -> Iterator[Finding]:
    """Yield the findings of a sequence rule, in order of their last events."""
    for hit in result.hits:
        yield _finding(result, hit, documents, around)


def _finding(result: SequenceResult, hit: SequenceHit, documents: Documents, around: Surroundings) -> Finding:
    sequence = hit.sequence
    told = dict(zip(sequence.records, documents.told(sequence.records), strict=True))
    events = [None if row is None else told[row] for row in sequence.events]
    ids = [None if event is None else event.ours["event"]["id"] for event in events]
    identity = finding_id(result.rule, json.dumps([ids, sequence.join_keys]))
    matched, missing = _judged(_conditions(result.query), events)
    first = next(event for event in events if event is not None)
    ours: dict[str, Any] = {
        "finding": {"id": identity},
        "rule": rule_document(result.rule),
        "matched": matched,
        "relies_on_missing": missing,
        "events": [None if event is None else _event(event, documents, around) for event in events],
        "join_keys": list(sequence.join_keys),
        **around.logons(first.event),
    }
    pairs = zip(_conditions(result.query), events, strict=True)
    if values := [value for tree, event in pairs if event is not None for value in defend_values(tree, [event])]:
        ours["defend_values"] = [value for place, value in enumerate(values) if value not in values[:place]]
    if hit.not_covered:
        ours["not_covered"] = [{"event": gap.event, "reason": gap.reason} for gap in hit.not_covered]
    hosts = tuple(sorted(set(map(host_of, told.values()))))
    last = next(event for event in reversed(events) if event is not None)
    ticks = (first.event.time, last.event.time)
    return Finding(identity, None, hosts, str(first.flat.get("@timestamp", "")), ticks, {"evtxscan": ours})


def _event(told: Told, documents: Documents, around: Surroundings) -> dict[str, Any]:
    ours = {**told.ours, **around.process(told.event), **documents.raw(told.event)}
    return replace(told, ours=ours).document()


def _conditions(query: BoundSequenceQuery) -> list[Predicate]:
    """Return for each event of a sequence what its item asks."""
    return [term.event.predicate for term in query.terms for _ in range(term.runs)]


def _judged(conditions: Sequence[Predicate], events: Sequence[Told | None]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the tests that held, each with the place of its event, and all fields that were missing for one."""
    matched: list[dict[str, Any]] = []
    missing: dict[str, None] = {}
    for place, (condition, event) in enumerate(zip(conditions, events, strict=True)):
        if event is not None:
            held, lacked = judged(condition, event)
            matched += [{"event": place, **entry} for entry in held]
            missing.update(dict.fromkeys(lacked))
    return matched, list(missing)
