"""The rule as a finding shows it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from evtxscan.rules.rule import Rule

_LARGEST = 2**63 - 1


def rule_document(rule: Rule) -> dict[str, Any]:
    """Return what stands in ``evtxscan.rule``; ``threshold``, ``new_terms`` and ``sigma`` only for such rules."""
    found: dict[str, Any] = {
        "id": rule.id,
        "name": rule.name,
        "version": rule.version,
        "severity": rule.severity,
        "risk_score": rule.risk_score,
        "sha256": rule.sha256,
        "threat": _plain(rule.threat),
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
        "filters": _plain(rule.filters),
    }
    if rule.threshold is not None:
        found["threshold"] = {
            "fields": list(rule.threshold.fields),
            "count": rule.threshold.value,
            "cardinality": [{"field": entry.field, "value": entry.value} for entry in rule.threshold.cardinality],
            "window_ms": rule.lookback,
        }
    if rule.new_terms is not None:
        found["new_terms"] = {"fields": list(rule.new_terms.fields), "history_ms": rule.new_terms.history}
    if rule.sigma is not None:
        found["sigma"] = {**asdict(rule.sigma), "tags": list(rule.tags)}
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever TOML can hold
    """Return a value of a rule file as JSON can hold it: dates and numbers beyond 64 bits as text."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int) and abs(value) <= _LARGEST:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return str(value)
