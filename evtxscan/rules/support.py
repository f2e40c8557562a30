"""Which kinds of rules evtxscan runs, and why the others cannot run over a case."""

from __future__ import annotations

from evtxscan.rules.rule import Rule

KUERY_TYPES = frozenset({"query", "threshold", "new_terms"})
"""Types of rules whose condition is KQL."""

_REASONS = {
    "esql": "ES|QL is a language of pipes that computes tables, and only Elasticsearch runs it",
    "machine_learning": "the rule reads scores of an anomaly detection job that was trained on a live cluster",
    "threat_match": "the rule compares events with an index of threat indicators, which a case does not have",
    "saved_query": "the condition is not in the file but saved in a Kibana",
}


def why_not(rule: Rule) -> str | None:
    """Return why a rule of this type and language cannot run, or None for one that can be tried."""
    if reason := _REASONS.get(rule.type):
        return f"rules of type {rule.type!r} are not supported: {reason}"
    if (rule.type, rule.language) == ("eql", "eql"):
        return None
    if rule.type in KUERY_TYPES:
        return None if rule.language == "kuery" else f"conditions in {rule.language!r} are not supported, only 'kuery'"
    return (
        f"rules of type {rule.type!r} in {rule.language!r} are not supported; evtxscan runs EQL rules, and rules of"
        f" type {', '.join(sorted(KUERY_TYPES))} in KQL ('kuery')"
    )
