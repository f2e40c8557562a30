"""What a case holds for a rule to be decided on: events of the right sort, with the fields that it asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evtxscan.detect.hosts import Hosts
from evtxscan.detect.verdict import Reason
from evtxscan.ecs.inferred import INFERRED
from evtxscan.eql.ast import Field
from evtxscan.eql.mapping import Type
from evtxscan.eql.matchers import exists
from evtxscan.eql.predicates import Leaf, LeafKind
from evtxscan.eql.sql.count import Counter as EventCounter
from evtxscan.eql.sql.run import CaseQueries
from evtxscan.rules.events import EventClass, event_class, event_classes, is_recorded
from evtxscan.rules.state import RuleState, StageState
from evtxscan.store.case import explained

Decides = Literal[
    "yes",  # every part of the condition has events here, and some of them have all the fields
    "in_part",  # there are events, and all of them lack a field
    "no",  # some part of the condition has no events here
]


@dataclass(frozen=True, slots=True)
class FieldLack:
    """A field that events of a class might have had, or Sysmon's in their place, and none of them here has; and why."""

    field: str
    reason: Reason

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {"field": self.field, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Present:
    """Events of one class on one host: how many, and the fields asked for that not one of them has."""

    event: str
    events: int
    lacks: tuple[FieldLack, ...]

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {"event": self.event, "events": self.events, "lacks": [lack.document() for lack in self.lacks]}


@dataclass(frozen=True, slots=True)
class StageEvidence:
    """What one host has of the classes that can meet one part of a condition, and which of them it has not."""

    present: tuple[Present, ...]
    absent: tuple[str, ...]

    @property
    def decides(self) -> Decides:
        """Whether the part can be decided here."""
        if not self.present:
            return "no"
        return "in_part" if all(entry.lacks for entry in self.present) else "yes"

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {"present": [entry.document() for entry in self.present], "absent": list(self.absent)}


@dataclass(frozen=True, slots=True)
class RuleEvidence:
    """What one host has for one rule; ``stages`` has one entry for each part that asks for an event."""

    host: str
    stages: tuple[StageEvidence, ...]

    @property
    def decides(self) -> Decides:
        """Whether the rule can be decided on this host: as far as its weakest part can."""
        answers = {stage.decides for stage in self.stages}
        return "no" if "no" in answers else "in_part" if "in_part" in answers else "yes"

    @property
    def needs(self) -> tuple[tuple[str, ...], ...]:
        """For each part without events here, the classes of which one would have to be there."""
        return tuple(stage.absent for stage in self.stages if not stage.present)

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {
            "host": self.host,
            "decides": self.decides,
            "needs": [list(events) for events in self.needs],
            "stages": [stage.document() for stage in self.stages],
        }


@dataclass(frozen=True, slots=True)
class _Held:
    """Events of one class on one host, and how many of them have each field."""

    events: int
    with_field: Mapping[str, int]


def evidence_for(queries: CaseQueries, states: Sequence[RuleState]) -> dict[str, tuple[RuleEvidence, ...]]:
    """Return rule id -> what each host of the scope has for it, hosts in order; for the rules that run.

    One pass over the events of each kind counts the fields of all rules together. Raises CaseError.
    """
    running = [state for state in states if state.rule is not None and state.refused is None]
    asked = _asked(running)
    hosts = Hosts(queries)
    held = _held(queries, asked, hosts)
    found: dict[str, tuple[RuleEvidence, ...]] = {}
    for state in running:
        assert state.rule is not None  # noqa: S101 - chosen above, for the type checker
        parts = [stage for stage in state.stages if not stage.stage.missing]
        found[state.rule.id] = tuple(
            RuleEvidence(host, tuple(_stage(host, part, held) for part in parts)) for host in hosts.names
        )
    return found


def _asked(states: Iterable[RuleState]) -> dict[str, set[str]]:
    """Return event class -> fields that some rule asks of its events."""
    found: dict[str, set[str]] = {}
    for state in states:
        for stage in state.stages:
            if not stage.stage.missing:
                for event in stage.events:
                    found.setdefault(event, set()).update(filter(is_recorded, stage.stage.fields))
    if starts := found.get("security/4688"):
        starts.add("process.command_line")  # says whether command lines were audited
    return found


def _held(queries: CaseQueries, asked: Mapping[str, set[str]], hosts: Hosts) -> dict[tuple[str, str], _Held]:
    """Return (host, event class) -> what the scope holds of it."""
    kinds: dict[str, list[int]] = {}
    for kind, (_, mapping) in queries.events.kinds.items():
        if mapping.id in asked:
            kinds.setdefault(mapping.id, []).append(kind)
    counter = EventCounter(queries)
    events: Counter[tuple[str, str]] = Counter()
    fields: dict[tuple[str, str], Counter[str]] = {}
    with explained(queries.case.path):
        for event, rows in kinds.items():
            names = sorted(asked[event])
            for host, count, *counts in counter.count(rows, [_exists(name) for name in names]):
                key = (hosts.name(host), event)
                events[key] += count
                fields.setdefault(key, Counter()).update(dict(zip(names, counts, strict=True)))
    return {key: _Held(count, fields[key]) for key, count in events.items()}


def _exists(field: str) -> Leaf:
    return Leaf(LeafKind.EXISTS, (field,), (Type.UNKNOWN,), Field(0, 0, field), f"{field} != null", exists)


def _stage(host: str, part: StageState, held: Mapping[tuple[str, str], _Held]) -> StageEvidence:
    present: list[Present] = []
    absent: list[str] = []
    for event in part.events:
        found = held.get((host, event))
        if found is None:
            absent.append(event)
            continue
        lacks = tuple(
            FieldLack(field, reason)
            for field in part.stage.fields
            if is_recorded(field) and not found.with_field.get(field) and (reason := _why(field, event, found))
        )
        present.append(Present(event, found.events, lacks))
    return StageEvidence(tuple(present), tuple(absent))


_FROM_COMMAND_LINE = ("process.command_line", "process.args", "process.args_count")


def _why(field: str, event: str, found: _Held) -> Reason | None:
    """Return why none of these events has a field; None where they tell of something that has no such field."""
    known = event_class(event)
    if event == "security/4688" and (field in INFERRED or field in _FROM_COMMAND_LINE):
        if not found.with_field.get("process.command_line", 1):
            return "command_line_not_audited"
        return "parent_record_missing" if field in INFERRED else "command_line_not_audited"
    if known.has(field):
        return "not_recorded"
    if event.startswith("sysmon/"):
        return None
    sysmon = [other for other in event_classes() if other.id.startswith("sysmon/") and other.has(field)]
    return "no_sysmon" if any(_share_category(known, other) for other in sysmon) else None


def _share_category(one: EventClass, other: EventClass) -> bool:
    return not set(one.values_of("event.category") or ()).isdisjoint(other.values_of("event.category") or ())
