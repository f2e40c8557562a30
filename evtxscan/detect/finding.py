"""Makes the document of a finding: the event, the rule, what matched, and what an investigator asks next."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from evtxscan.detect.documents import Documents, Told
from evtxscan.detect.engine import RuleResult
from evtxscan.detect.excerpt import excerpt
from evtxscan.detect.scripts import partial_fields
from evtxscan.detect.surroundings import Surroundings
from evtxscan.eql.documents import flatten
from evtxscan.eql.logic import Judgement, Lookup, evidence_of, matches, relies_on_missing, truth_of
from evtxscan.eql.predicates import All, AnyOf, Leaf, Not, Predicate, Values
from evtxscan.rules.rule import Rule

_ID_DIGITS = 16


def rule_document(rule: Rule) -> dict[str, Any]:
    """Return what stands in ``evtxscan.rule``."""
    return {
        "id": rule.id,
        "name": rule.name,
        "version": rule.version,
        "severity": rule.severity,
        "risk_score": rule.risk_score,
        "sha256": rule.sha256,
        "threat": list(rule.threat),
        "description": rule.description,
        "references": list(rule.references),
        "false_positives": list(rule.false_positives),
        "note": rule.note,
        "author": list(rule.author),
        "license": rule.license,
        "type": rule.type,
        "language": rule.language,
        "index": list(rule.index),
        "query": rule.query.strip(),
    }


def finding_id(rule: Rule, event_id: str) -> str:
    """Return the id of a finding: made of the rule's text and the event alone."""
    return hashlib.sha256(f"{rule.id}\0{rule.sha256}\0{event_id}".encode()).hexdigest()[:_ID_DIGITS]


def finding(result: RuleResult, told: Told, documents: Documents, around: Surroundings) -> dict[str, Any]:
    """Return the document of one finding, nested, with everything of ours under ``evtxscan``."""
    flat = flatten(told.flat)

    def lookup(field: str) -> Values:
        return tuple(value for value in flat.get(field, ()) if value is not None)

    tree = result.query.event.predicate
    partial = partial_fields(told.ours)
    truth, evidence = truth_of(lookup), _without_parts(evidence_of(lookup), partial)
    ours = {
        **told.ours,
        **around.process(told.event),
        **around.logons(told.event),
        "finding": {"id": finding_id(result.rule, told.ours["event"]["id"])},
        "rule": rule_document(result.rule),
        "matched": list(_held(tree, lookup, expected=True)),
        "relies_on_missing": list(
            relies_on_missing(tree, truth, evidence, lambda field: field in partial or not lookup(field))
        ),
        "raw_xml": documents.xml(told.event),
    }
    return Told(told.event, told.flat, ours).document()


def _without_parts(evidence: Judgement, partial: frozenset[str]) -> Judgement:
    """Return the judge that does not know what a part of a field's text leaves open."""

    def judge(leaf: Leaf) -> bool | None:
        known = evidence(leaf)
        return None if not partial.isdisjoint(leaf.fields) and not (known and leaf.holds_for_parts) else known

    return judge if partial else evidence


def _shown(values: Values, leaf: Leaf, passed: bool) -> list[Any]:
    return [excerpt(value, leaf, passed=passed) if isinstance(value, str) else value for value in values]


def _held(tree: Predicate, lookup: Lookup, *, expected: bool) -> Iterator[dict[str, Any]]:
    """Yield the tests that made the condition true, with the values that passed them (or, negated, did not)."""
    if isinstance(tree, Leaf):
        values = [lookup(field) for field in tree.fields]
        if tree.test(values) is expected:
            passed = tree.matched(values) if expected and len(tree.fields) == 1 else None
            shown = dict(zip(tree.fields, [passed] if passed is not None else values, strict=True))
            test = tree.source if expected else f"not {tree.source}"
            yield {"test": test, "values": {field: _shown(found, tree, expected) for field, found in shown.items()}}
    elif isinstance(tree, Not):
        yield from _held(tree.item, lookup, expected=not expected)
    elif isinstance(tree, All | AnyOf):
        for item in tree.items:
            if matches(item, truth_of(lookup)) is expected:
                yield from _held(item, lookup, expected=expected)
