"""Which events of Windows logs can meet a condition, by the mapping tables alone: before any evidence is looked at.

A condition is worked out for each event id with what the tables say: fields that are the same in all its events are
known, fields that no such event has are missing, and every other field may have any value. What cannot be true then
can never match; what can is an upper bound: that two tests contradict each other is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache, partial

from evtxscan.ecs.base import base
from evtxscan.ecs.documents import DOCUMENTS, END, OTHER, START
from evtxscan.ecs.inferred import INFERRED
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import SECTIONS, Mapping, mappings
from evtxscan.ecs.resolve import Absent
from evtxscan.ecs.resolve import Constant as Always
from evtxscan.eql.predicates import All, Constant, Leaf, LeafKind, Not, Predicate, Values

BASE = "base"
"""The id of the mapping of all events that no table names."""
LINEAGE_EVENTS = frozenset({"sysmon/1", "security/4688"})
"""Process starts, whose parents' fields may be inferred."""

# What follows from the rest of a record's System element, which an event id does not decide.
_BY_RECORD = frozenset(
    {
        "event.outcome", "log.level", "winlog.keywords", "winlog.opcode", "winlog.provider_guid", "winlog.task",
        "winlog.version",
    }
)  # fmt: skip
_CODE = ("event.code", "winlog.event_id")
_BY_KIND = _BY_RECORD | {
    "data_stream.dataset", "event.provider", "winlog.channel", "winlog.provider_name", *_CODE
}  # fmt: skip

_Truth = tuple[bool, bool]
"""Whether a condition can be true, and whether it can be false."""
_EITHER: _Truth = (True, True)


@dataclass(frozen=True, slots=True, eq=False)
class EventClass:
    """One line of the mapping tables: an event id of a provider and channel, or ``base`` for all other events."""

    id: str
    title: str
    mapping: Mapping

    @property
    def code(self) -> str | None:
        """The event id; None for a class of all other events."""
        return None if self.mapping.table.code == "*" else self.mapping.table.code

    @property
    def label(self) -> str:
        """The event as people name it: ``Sysmon 1``, ``Security 4688``, ``any other event``."""
        return _label(self.id)

    def values_of(self, field: str) -> Values | None:
        """Return the values of a field where they are the same in all events, () where none has it, None if unknown."""
        return _values_of(self, field)

    def has(self, field: str, *, inferred: bool = True) -> bool:
        """Tell whether an event of this class can have a field; by default what lineage infers counts."""
        if inferred and self.id in LINEAGE_EVENTS and field in INFERRED:
            return True
        return self.values_of(field) != ()


@cache
def event_classes() -> tuple[EventClass, ...]:
    """Return all classes of events in the order of the mapping tables, ``base`` last."""
    known = [EventClass(mapping.id, mapping.table.title, mapping) for mapping in mappings().values()]
    return tuple(sorted(known, key=lambda entry: entry.id == BASE))


def _label(name: str) -> str:
    log, _, code = name.partition("/")
    if log == BASE:
        return "any event without a mapping"
    if name in _DOCUMENT_LABELS:
        return _DOCUMENT_LABELS[name]
    return f"{_LOGS.get(log, log.capitalize())} {'(other)' if code == '*' else code}"


_DOCUMENT_TITLE = "Documents taken as they are"
_DOCUMENT_LABELS = {START: "documents of process starts", END: "documents of process ends", OTHER: "other documents"}
_LOGS = {"powershell": "Windows PowerShell", "powershell_operational": "PowerShell/Operational"}


@lru_cache(maxsize=65_536)
def _values_of(entry: EventClass, field: str) -> Values | None:
    table = entry.mapping.table
    if field in table.constants:
        given = table.constants[field]
        return tuple(given) if isinstance(given, list) else (given,)
    if entry.id == BASE and (field in _BY_KIND or field == "event.action"):
        return None
    if field in _BY_RECORD or (table.code == "*" and field in _CODE):
        return None
    if field == "event.action" and table.tasks:
        return None
    found = entry.mapping.resolve(Kind(table.provider, None, table.channel, table.code), field)
    if isinstance(found, Always):
        return found.values
    return () if isinstance(found, Absent) else None


def event_class(name: str) -> EventClass:
    """Return the class of a mapping's id, also of documents that are no Windows events. Raises KeyError."""
    return _by_id()[name]


@cache
def _by_id() -> dict[str, EventClass]:
    documents = [EventClass(name, _DOCUMENT_TITLE, mappings()[None, None, "*"]) for name in DOCUMENTS]
    return {entry.id: entry for entry in (*event_classes(), *documents)}


def classes_that_can_meet(tree: Predicate, required: Iterable[str] = (), *, inferred: bool = True) -> tuple[str, ...]:
    """Return the ids of the classes with events that a condition may be true of, and that have all required fields.

    Classes of *other* events, of which little is known beforehand, are named only where no event id of its own can
    meet the condition.
    """
    fields = tuple(required)
    found = [
        entry
        for entry in event_classes()
        if _possible(tree, partial(_leaf, entry=entry, inferred=inferred))[0]
        and all(entry.has(field, inferred=inferred) for field in fields)
    ]
    named = [entry for entry in found if entry.code is not None]
    return tuple(dict.fromkeys(entry.id for entry in named or found))


def is_recorded(field: str) -> bool:
    """Tell whether the events of some Windows log can have a field."""
    return field in _recorded() or _is_leftover(field)


@cache
def _recorded() -> frozenset[str]:
    names: set[str] = {*base().constants, *_BY_KIND, "event.action"}
    for entry in event_classes():
        names.update(entry.mapping.fields, entry.mapping.table.constants)
    return frozenset(names)


def _is_leftover(field: str) -> bool:
    """Event data of any name may be recorded."""
    section, _, name = field.removeprefix("winlog.").partition(".")
    return field.startswith("winlog.") and section in SECTIONS and bool(name)


def _leaf(leaf: Leaf, entry: EventClass, inferred: bool) -> _Truth:
    values: list[Values] = []
    for field in leaf.fields:
        known = None if inferred and entry.id in LINEAGE_EVENTS and field in INFERRED else entry.values_of(field)
        if known is None:
            return (False, True) if _names_others(leaf, entry) else _EITHER
        values.append(known)
    answer = leaf.test(values)
    return (answer, not answer)


def _names_others(leaf: Leaf, entry: EventClass) -> bool:
    """Whether a test asks for event ids that all have classes of their own, and this one is for the rest."""
    return leaf.kind is LeafKind.EQUAL and leaf.fields[0] in _CODE and {str(c) for c in leaf.constants} <= _codes(entry)


@cache
def _codes(entry: EventClass) -> frozenset[str]:
    """Return the event ids that the provider of a class of other events has classes for."""
    table = entry.mapping.table
    known = (other.mapping.table for other in event_classes() if other.code is not None)
    log = (table.provider, table.channel)
    return frozenset(other.code for other in known if (other.provider, other.channel) == log)


def _possible(tree: Predicate, judge: Callable[[Leaf], _Truth]) -> _Truth:
    if isinstance(tree, Leaf):
        return judge(tree)
    if isinstance(tree, Constant):
        return (tree.value is True, tree.value is not True)
    if isinstance(tree, Not):
        can_be_true, can_be_false = _possible(tree.item, judge)
        return (can_be_false, can_be_true)
    if isinstance(tree, All):
        can_be_false = False
        for item in tree.items:
            true, false = _possible(item, judge)
            if not true:
                return (False, True)
            can_be_false = can_be_false or false
        return (True, can_be_false)
    can_be_true = False
    for item in tree.items:
        true, false = _possible(item, judge)
        if not false:
            return (True, False)
        can_be_true = can_be_true or true
    return (can_be_true, True)
