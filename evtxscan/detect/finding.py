"""Makes the documents of findings: the event, the rule, what matched, and what an investigator asks next."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evtxscan.detect.documents import Documents, Told
from evtxscan.detect.excerpt import excerpt
from evtxscan.detect.results import Hit, RuleResult
from evtxscan.detect.rule_document import rule_document
from evtxscan.detect.scripts import partial_fields
from evtxscan.detect.surroundings import Surroundings
from evtxscan.eql.dates import iso_text
from evtxscan.eql.documents import flatten
from evtxscan.eql.logic import Judgement, Lookup, evidence_of, matches, relies_on_missing, truth_of
from evtxscan.eql.predicates import All, AnyOf, Leaf, Not, Predicate, Values, leaves
from evtxscan.rules.new_terms import NewTerm
from evtxscan.rules.rows import Key
from evtxscan.rules.rule import Rule

_ID_DIGITS = 16
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding with what the case keeps beside its document.

    ``event`` is a row id, None where there is no one event; ``hosts`` those of its events, in lower case; ``time`` that
    of the (first) event; ``ticks`` those of the first and the last.
    """

    id: str
    event: int | None
    hosts: tuple[str, ...]
    time: str
    ticks: tuple[int | None, int | None]
    document: dict[str, Any]

    @property
    def host(self) -> str:
        """The host, "" where its events are of several."""
        return self.hosts[0] if len(self.hosts) == 1 else ""


def finding_id(rule: Rule, content: str) -> str:
    """Return the id of a finding: made of the rule's text and, as ``content``, the id of the event alone."""
    return hashlib.sha256(f"{rule.id}\0{rule.sha256}\0{content}".encode()).hexdigest()[:_ID_DIGITS]


def event_findings(result: RuleResult, documents: Documents, around: Surroundings) -> Iterator[Finding]:
    """Yield the findings that are events, in order; everything of ours stands under ``evtxscan``."""
    for start in range(0, len(result.hits), _AT_ONCE):
        hits = result.hits[start : start + _AT_ONCE]
        for hit, told in zip(hits, documents.each([hit.row for hit in hits]), strict=True):
            yield _event_finding(result, hit, told, documents, around)


def _event_finding(result: RuleResult, hit: Hit, told: Told, documents: Documents, around: Surroundings) -> Finding:
    identity = finding_id(result.rule, told.ours["event"]["id"])
    held, missing = judged(result.query.event.predicate, told)
    ours = {
        **told.ours,
        **around.process(told.event),
        **around.logons(told.event),
        "finding": {"id": identity},
        "rule": rule_document(result.rule),
        "matched": held,
        "relies_on_missing": missing,
        **documents.raw(told.event),
    }
    if values := defend_values(result.query.event.predicate, [told]):
        ours["defend_values"] = values
    if result.rule.new_terms is not None:
        ours["new_terms"] = _new_terms(result.rule.new_terms.fields, result.rule.new_terms.history, hit.new)
    time, at = str(told.flat.get("@timestamp", "")), told.event.time
    document = Told(told.event, told.flat, ours).document()
    return Finding(identity, told.event.row, (host_of(told),), time, (at, at), document)


def host_of(told: Told) -> str:
    """Return the host of an event in lower case, "" where the record names none."""
    return str(told.flat.get("host.id", ""))


def judged(tree: Predicate, told: Told) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the tests that held for an event, and the fields that the match relies on being missing."""
    lookup = _lookup(told)
    partial = partial_fields(told.ours)
    truth, evidence = truth_of(lookup), _without_parts(evidence_of(lookup), lookup, partial)
    missing = relies_on_missing(tree, truth, evidence, lambda field: field in partial or not lookup(field))
    return list(_held(tree, lookup, expected=True)), list(missing)


def defend_values(tree: Predicate, told: Iterable[Told]) -> list[dict[str, Any]]:
    """Return values of Elastic Defend's without which one of these events would not match; none for most findings."""
    found: dict[tuple[str, Any], None] = {}
    for one in told:
        truth = truth_of(_lookup(one))
        if not matches(tree, lambda leaf, truth=truth: not leaf.stands_for and truth(leaf)):  # type: ignore[misc]
            for leaf in leaves(tree):
                if leaf.stands_for and truth(leaf):
                    found.update(dict.fromkeys(leaf.stands_for))
    return [{"field": field, "value": value} for field, value in found]


def terms(fields: Sequence[str], key: Key) -> list[dict[str, Any]]:
    """Return a combination of values with the fields that have them."""
    return [{"field": field, "value": value} for field, value in zip(fields, key, strict=True)]


def _new_terms(fields: Sequence[str], history: int, new: Sequence[NewTerm]) -> dict[str, Any]:
    known = [term.known for term in new]
    return {
        "history_ms": history,
        "known_ms": None if None in known else min(filter(None, known), default=0),
        "combinations": [
            {"terms": terms(fields, term.key), "last_seen": None if term.last is None else iso_text(term.last)}
            for term in new
        ],
    }


def _without_parts(evidence: Judgement, lookup: Lookup, partial: frozenset[str]) -> Judgement:
    """Return the judge that does not know what a part of a field's text leaves open."""

    def judge(leaf: Leaf) -> bool | None:
        known = evidence(leaf)
        if partial.isdisjoint(leaf.fields):
            return known
        return True if known and leaf.holds_beyond([lookup(field) for field in leaf.fields]) else None

    return judge if partial else evidence


def _shown(values: Values, leaf: Leaf, passed: bool) -> list[Any]:
    return [excerpt(value, leaf, passed=passed) if isinstance(value, str) else value for value in values]


def _lookup(told: Told) -> Lookup:
    flat = flatten(told.flat)

    def lookup(field: str) -> Values:
        return tuple(value for value in flat.get(field, ()) if value is not None)

    return lookup


def _held(tree: Predicate, lookup: Lookup, *, expected: bool) -> Iterator[dict[str, Any]]:
    """Yield the tests that made the condition true, with the values that passed them (or, negated, did not)."""
    if isinstance(tree, Leaf):
        values = [lookup(field) for field in tree.fields]
        if tree.test(values) is expected:
            passed = tree.matched(values) if expected and len(tree.fields) == 1 else None
            shown = dict(zip(tree.fields, [passed] if passed is not None else values, strict=True))
            test = tree.source if expected else f"not {tree.source}"
            held: dict[str, Any] = {
                "test": test,
                "values": {field: _shown(found, tree, expected) for field, found in shown.items()},
            }
            if tree.stands_for and expected:
                held["stands_for"] = [{"field": field, "value": value} for field, value in tree.stands_for]
            yield held
    elif isinstance(tree, Not):
        yield from _held(tree.item, lookup, expected=not expected)
    elif isinstance(tree, All | AnyOf):
        for item in tree.items:
            if matches(item, truth_of(lookup)) is expected:
                yield from _held(item, lookup, expected=expected)
