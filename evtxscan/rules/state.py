"""What can be said of a rule before it meets any evidence: does it run, on which events, and what it will never see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from evtxscan.rules.defend import Translated, translations
from evtxscan.rules.events import classes_that_can_meet, event_class, is_recorded
from evtxscan.rules.load import RuleSet
from evtxscan.rules.ready import Ready, Refused, Stage, prepare, refused_file, stages, unknown_in
from evtxscan.rules.rule import Rule
from evtxscan.rules.unknown_fields import Recorded, UnknownField

StateName = Literal[
    "runs",  # it runs, and event logs can have every field that it names
    "runs_without_fields",  # it runs, but some of its fields are never in event logs
    "not_supported",  # it does not run
]
STATES: tuple[StateName, ...] = ("runs", "runs_without_fields", "not_supported")


@dataclass(frozen=True, slots=True)
class StageState:
    """What a rule asks of one event, and the ids of the event classes that can meet it (see ``rules.events``)."""

    stage: Stage
    events: tuple[str, ...]

    def lacking(self, event: str) -> tuple[str, ...]:
        """Return the fields of this stage that events of a class never have, though others do."""
        known = event_class(event)
        return tuple(field for field in self.stage.fields if is_recorded(field) and not known.has(field))

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {
            "category": self.stage.event.category,
            "missing": self.stage.missing,
            "fields": list(self.stage.fields),
            "events": list(self.events),
        }


@dataclass(frozen=True, slots=True)
class RuleState:
    """One rule, or a file that is none (``rule`` None), and its one state.

    ``refused`` says why it is not supported. ``fields`` are all that it names, ``never`` those that no event log has;
    ``translated`` the tests that Elastic Defend's values can pass; ``unknown`` the fields that nobody knows.
    """

    path: str
    rule: Rule | None
    state: StateName
    refused: Refused | None = None
    fields: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    stages: tuple[StageState, ...] = ()
    translated: tuple[Translated, ...] = ()
    unknown: tuple[UnknownField, ...] = ()

    @property
    def can_match(self) -> bool:
        """Whether some event of a Windows log can meet every part of the condition that asks for an event."""
        return self.state != "not_supported" and all(stage.events for stage in self.stages if not stage.stage.missing)

    @property
    def is_broken(self) -> bool:
        """Whether the file or its query is wrong, as opposed to asking for what evtxscan does not do."""
        return self.refused is not None and self.refused.reason in ("file", "query")

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON, without the rule's texts."""
        rule, refused = self.rule, self.refused
        return {
            "id": rule.id if rule else None,
            "name": rule.name if rule else None,
            "path": self.path,
            "severity": rule.severity if rule else None,
            "risk_score": rule.risk_score if rule else None,
            "type": rule.type if rule else None,
            "language": rule.language if rule else None,
            "index": list(rule.index) if rule else [],
            "state": self.state,
            "reason": refused and _reason(refused),
            "can_match": self.can_match,
            "fields": list(self.fields),
            "fields_never_in_event_logs": list(self.never),
            "stages": [stage.document() for stage in self.stages],
            "defend_values": [entry.document() for entry in self.translated],
            "unknown_fields": [entry.document() for entry in self.unknown],
        }


def _reason(refused: Refused) -> dict[str, Any]:
    return {
        "code": refused.reason,
        "message": refused.message,
        "line": refused.line,
        "column": refused.column,
    }


def states_of(
    rules: RuleSet, *, defend: bool = True, inferred: bool = True, recorded: Recorded | None = None
) -> list[RuleState]:
    """Return the state of every rule and every file that is none, by name; what has no name comes last, by path.

    ``defend`` as for ``prepare``; ``inferred``: fields that lineage infers count as recorded; ``recorded``: the event
    data of a case, against which the names of fields are held.
    """
    found = [state_of(prepare(rule, defend=defend), rule, inferred=inferred, recorded=recorded) for rule in rules.rules]
    found += [RuleState(refused.path, None, "not_supported", refused) for refused in map(refused_file, rules.errors)]
    return sorted(found, key=lambda state: (state.rule is None, state.rule.name if state.rule else "", state.path))


def state_of(
    prepared: Ready | Refused, rule: Rule, *, inferred: bool = True, recorded: Recorded | None = None
) -> RuleState:
    """Return the state of a rule that ``ready.prepare`` has looked at."""
    if isinstance(prepared, Refused):
        return RuleState(rule.path, rule, "not_supported", prepared)
    asked = stages(prepared)
    fields = _distinct(field for stage in asked for field in stage.fields)
    added = tuple(dict.fromkeys(entry for stage in asked for entry in translations(stage.event.predicate)))
    supplied = {entry.field for entry in added}
    never = tuple(
        field
        for field in fields
        if not is_recorded(field) and field not in supplied and not (recorded is not None and recorded.knows(field))
    )
    found = tuple(
        StageState(stage, classes_that_can_meet(stage.event.predicate, stage.required, inferred=inferred))
        for stage in asked
    )
    unknown = unknown_in(prepared, recorded)
    state: StateName = "runs_without_fields" if never else "runs"
    return RuleState(rule.path, rule, state, None, fields, never, found, added, unknown)


def _distinct(fields: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fields))
