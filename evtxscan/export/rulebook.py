"""The rules of a set and what can be said of them, as one value that every renderer takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from evtxscan.detect.evidence import RuleEvidence
from evtxscan.detect.rule_document import rule_document
from evtxscan.export.fields import Document
from evtxscan.rules.state import STATES, RuleState


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The rules of a set with their states and, where a case was asked, what it holds for each, by rule id.

    ``hosts`` are those of the case in the scope; None without a case.
    """

    states: tuple[RuleState, ...]
    hosts: tuple[str, ...] | None = None
    evidence: dict[str, tuple[RuleEvidence, ...]] = field(default_factory=dict)

    def of(self, state: RuleState) -> tuple[RuleEvidence, ...]:
        """Return what the case holds for a rule, one entry a host."""
        return self.evidence.get(state.rule.id, ()) if state.rule else ()

    def document(self, state: RuleState, *, whole: bool = False) -> Document:
        """Return one rule as it stands in JSON; ``whole``: with its texts."""
        texts = rule_document(state.rule) if whole and state.rule else {}
        document = {**texts, **state.document()}
        if self.hosts is not None:
            document["evidence"] = [entry.document() for entry in self.of(state)]
        return document

    def summary(self) -> Document:
        """Return how many rules there are of each state, as it stands in JSON."""
        states = Counter(state.state for state in self.states)
        reasons = Counter(state.refused.reason for state in self.states if state.refused)
        summary: Document = {
            "rules": len(self.states),
            "states": {name: states[name] for name in STATES},
            "cannot_match": sum(state.state != "not_supported" and not state.can_match for state in self.states),
            "reasons": dict(sorted(reasons.items())),
        }
        if self.hosts is not None:
            best = Counter(_best(entries) for entries in self.evidence.values())
            summary["decides"] = {name: best[name] for name in ("yes", "in_part", "no")}
        return summary


def _best(entries: tuple[RuleEvidence, ...]) -> str:
    """Return how well the best of the hosts can decide a rule."""
    answers = {entry.decides for entry in entries}
    return next((name for name in ("yes", "in_part") if name in answers), "no")
