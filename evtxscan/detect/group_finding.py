"""Makes the document of a finding that is a group of events: what they have in common, and the first of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from evtxscan.detect.documents import Documents, Told
from evtxscan.detect.finding import Finding, defend_values, finding_id, judged, terms
from evtxscan.detect.results import Group, RuleResult
from evtxscan.detect.rule_document import rule_document
from evtxscan.detect.surroundings import Surroundings
from evtxscan.rules.threshold import Threshold

# A flood of events is one finding: its document holds the first events whole, and the ids of more.
EVENTS_TOLD = 20
EVENTS_NAMED = 1_000


def group_findings(result: RuleResult, documents: Documents, around: Surroundings) -> Iterator[Finding]:
    """Yield the findings of a threshold rule, in order of time."""
    threshold = result.rule.threshold
    if threshold is not None:
        for group in result.groups:
            yield _finding(result, threshold, group, documents, around)


def _finding(
    result: RuleResult, threshold: Threshold, group: Group, documents: Documents, around: Surroundings
) -> Finding:
    hit = group.hit
    told = documents.told(hit.events[:EVENTS_TOLD])
    (last,) = documents.told(hit.events[-1:])
    named = documents.event_ids(hit.events[:EVENTS_NAMED])
    start = str(told[0].flat.get("@timestamp", ""))
    identity = finding_id(result.rule, json.dumps([*hit.key, named[0]]))
    matched, missing = _judged(result, told)
    ours: dict[str, Any] = {
        "finding": {"id": identity},
        "rule": rule_document(result.rule),
        "matched": matched,
        "relies_on_missing": missing,
        "threshold": {
            "terms": terms(threshold.fields, hit.key),
            "count": len(hit.events),
            "cardinality": [
                {"field": entry.field, "value": found}
                for entry, found in zip(threshold.cardinality, hit.different, strict=True)
            ],
            "start": start,
            "end": str(last.flat.get("@timestamp", "")),
            "hosts": list(group.hosts),
            "event_ids": named,
        },
        "events": [_event(one, documents, around) for one in told],
    }
    if values := defend_values(result.query.event.predicate, told):
        ours["defend_values"] = values
    if len(group.hosts) == 1:
        ours |= around.logons(told[0].event)
    ticks = (told[0].event.time, last.event.time)
    return Finding(identity, None, group.hosts, start, ticks, {"evtxscan": ours})


def _event(told: Told, documents: Documents, around: Surroundings) -> dict[str, Any]:
    ours = {**told.ours, **around.process(told.event), **documents.raw(told.event)}
    return replace(told, ours=ours).document()


def _judged(result: RuleResult, told: list[Told]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the tests that held for one of the events, with the values of all of them, and what was missing in one."""
    tests: dict[str, dict[str, dict[Any, None]]] = {}
    stands_for: dict[str, Any] = {}
    missing: dict[str, None] = {}
    for one in told:
        held, lacked = judged(result.query.event.predicate, one)
        missing.update(dict.fromkeys(lacked))
        for entry in held:
            fields = tests.setdefault(entry["test"], {})
            stands_for |= {entry["test"]: entry["stands_for"]} if "stands_for" in entry else {}
            for field, values in entry["values"].items():
                fields.setdefault(field, {}).update(dict.fromkeys(values))
    matched = [
        {"test": test, "values": {field: list(values) for field, values in fields.items()}}
        | ({"stands_for": stands_for[test]} if test in stands_for else {})
        for test, fields in tests.items()
    ]
    return matched, list(missing)
