"""What a case holds for a rule to be decided on: events of the right sort, with the fields that it asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evtxscan.detect.hosts import Hosts
from evtxscan.detect.undecided import reason_for
from evtxscan.detect.verdict import Reason
from evtxscan.ecs.documents import DOCUMENTS
from evtxscan.eql.ast import Field
from evtxscan.eql.binder import BoundEvent
from evtxscan.eql.mapping import Type
from evtxscan.eql.predicates import Leaf, LeafKind
from evtxscan.eql.sql.plan import Numbers, Plan
from evtxscan.eql.sql.recorded import RecordedData
from evtxscan.eql.sql.run import CaseQueries
from evtxscan.rules.events import is_recorded
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


_Lacks = dict[tuple[str, str, str], Counter[Reason]]
"""(host, event class, field) -> events that lack the field, by reason."""


def evidence_for(queries: CaseQueries, states: Sequence[RuleState]) -> dict[str, tuple[RuleEvidence, ...]]:
    """Return rule id -> what each host of the scope has for it, hosts in order; for the rules that run.

    One pass over the events of each kind counts the fields of all rules together. Raises CaseError.
    """
    running = [state for state in states if state.rule is not None and state.refused is None]
    parts = [stage for state in running for stage in state.stages if not stage.stage.missing]
    hosts = Hosts(queries)
    documents = {id(part): _documents(queries, part) for part in parts}
    events = _events(queries, {event for part in parts for event in (*part.events, *documents[id(part)])}, hosts)
    recorded = RecordedData(queries.case)
    fields = {field for part in parts for field in part.stage.fields if is_recorded(field) or recorded.knows(field)}
    lacks = _lacks(queries, sorted(fields))
    found: dict[str, tuple[RuleEvidence, ...]] = {}
    for state in running:
        asked = [stage for stage in state.stages if not stage.stage.missing]
        found[state.rule.id if state.rule else ""] = tuple(
            RuleEvidence(host, tuple(_stage(host, part, documents[id(part)], events, lacks) for part in asked))
            for host in hosts.names
        )
    return found


def _documents(queries: CaseQueries, part: StageState) -> tuple[str, ...]:
    """Return the classes of documents of the case, beside those of Windows events, that can meet a condition."""
    tree = part.stage.event.predicate
    numbers = Numbers([tree])
    found = {
        mapping.id
        for row, (kind, mapping) in queries.events.kinds.items()
        if kind.is_document
        and mapping.id in DOCUMENTS
        and Plan(row, queries.kinds[row], [tree], numbers, frozenset()).trees
    }
    return tuple(sorted(found))


def _events(queries: CaseQueries, classes: set[str], hosts: Hosts) -> Counter[tuple[str, str]]:
    """Return (host, event class) -> events in the scope."""
    kinds: dict[str, list[int]] = {}
    for kind, (_, mapping) in queries.events.kinds.items():
        if mapping.id in classes:
            kinds.setdefault(mapping.id, []).append(kind)
    with explained(queries.case.path):
        return Counter(
            {
                (host, event): count
                for event, rows in kinds.items()
                for host, count in hosts.events(rows).items()
                if count
            }
        )


def _lacks(queries: CaseQueries, fields: Sequence[str]) -> _Lacks:
    """Return what events of the scope lack.

    Of an event with the field a test for a value that no field has is false, of one without it is undecided: one pass
    over the case counts that for all fields, and leaves out what the other record of a process start tells.
    """
    tests = [BoundEvent(None, None, _never(field)) for field in fields]
    queries.prepare(tests)
    found: _Lacks = {}
    for test in tests:
        lacks = queries.compile_event(test).scanned.lacks
        names = queries.events.texts(lack.host for lack in lacks if lack.host is not None)
        for lack, events in lacks.items():
            kind = queries.events.kinds[lack.kind]
            lineage = None if queries.scope.observed_only else lack.reason
            host = "" if lack.host is None else names[lack.host].lower()
            reason = reason_for(lack.field, kind, lineage, absent=True)
            found.setdefault((host, kind[1].id, lack.field), Counter())[reason] += events
    return found


def _never(field: str) -> Leaf:
    """Return a test of a field that no value passes."""
    return Leaf(
        LeafKind.EQUAL, (field,), (Type.KEYWORD,), Field(0, 0, field), field, lambda _: False, constants=("\0",)
    )


def _stage(
    host: str, part: StageState, documents: tuple[str, ...], events: Counter[tuple[str, str]], lacks: _Lacks
) -> StageEvidence:
    present: list[Present] = []
    absent: list[str] = []
    for event in (*part.events, *documents):
        count = events[host, event]
        if not count:
            if event not in documents:
                absent.append(event)
            continue
        lacking = [
            FieldLack(field, reasons.most_common(1)[0][0])
            for field in part.stage.fields
            if (reasons := lacks.get((host, event, field))) and reasons.total() >= count
        ]
        present.append(Present(event, count, tuple(lacking)))
    return StageEvidence(tuple(present), tuple(absent))
