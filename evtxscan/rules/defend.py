"""Lets rules that are written for Elastic Defend run over Windows logs: values that Defend gives to such events.

``schema/ecs/defend.json`` says which values a field of an event has beside its recorded ones, because Defend would
record the same thing with them: Sysmon 1 has the ``event.action`` *Process creation* and, for such a rule, *start*. As
every field is an array, that is all there is to it. A test of the field holds if a recorded value or an added one
passes it, a negated test only if neither does, and a field with an added value is not missing.

It is done to the condition, when a rule is bound, and not to events: a test T of a field becomes *T or this is an event
to which a value is added that passes T*. Queries and rules for other sources see recorded values only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from evtxscan.ecs.errors import MappingError
from evtxscan.eql.ast import Expr
from evtxscan.eql.binder import BoundEvent, BoundEventQuery, BoundSequenceQuery
from evtxscan.eql.mapping import Type
from evtxscan.eql.matchers import equal_to, exists
from evtxscan.eql.predicates import (
    All,
    AnyOf,
    Constant,
    Leaf,
    LeafKind,
    Not,
    Predicate,
    all_of,
    any_of,
    leaves,
    negated,
)
from evtxscan.kql.binder import BoundKql
from evtxscan.rules.events import event_class, event_classes
from evtxscan.rules.rule import Rule
from evtxscan.schema import read_json

_FILE, _FORMAT = "ecs/defend.json", "evtxscan-defend-values/1"
_KEYS = {"format", "index", "values", "untranslated"}
_ENTRY_KEYS = {"events", "where", "adds", "why"}
_DECIDED_ELSEWHERE = frozenset({"event.category", "event.code", "event.provider", "winlog.channel"})

Question = BoundEventQuery | BoundSequenceQuery | BoundKql


@dataclass(frozen=True, slots=True)
class Added:
    """Values that events of some classes have for Defend, where recorded fields have one of the values in ``where``."""

    events: tuple[str, ...]
    where: Mapping[str, tuple[str, ...]]
    adds: Mapping[str, tuple[str, ...]]
    why: str


@dataclass(frozen=True, slots=True)
class DefendValues:
    """The table: how a rule for Defend is known (the beginning of an index pattern), values, and what has none."""

    index: str
    values: tuple[Added, ...]
    untranslated: Mapping[str, str]

    @property
    def fields(self) -> frozenset[str]:
        """The fields to which values are added."""
        return frozenset(field for entry in self.values for field in entry.adds)


@dataclass(frozen=True, slots=True)
class Translated:
    """A test of a rule that added values can pass: its text, the field, those values and the classes of events."""

    test: str
    field: str
    values: tuple[str, ...]
    events: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {"test": self.test, "field": self.field, "values": list(self.values), "events": list(self.events)}


@cache
def defend_values() -> DefendValues:
    """Return the table. Raises MappingError, with the place, where it is not valid."""
    return read_defend_values(read_json(_FILE))


def read_defend_values(content: object) -> DefendValues:
    """Check and return the content of the table. Raises MappingError, with the place, where it is not valid."""
    where = f"schema/{_FILE}"
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise MappingError(f"{where}: format has to be {_FORMAT!r}")
    if odd := set(content) ^ _KEYS:
        raise MappingError(f"{where}: key {sorted(odd)[0]!r} is unknown or missing")
    entries = tuple(_added(entry, f"{where}: values[{number}]") for number, entry in enumerate(content["values"]))
    return DefendValues(content["index"], entries, dict(content["untranslated"]))


def _added(entry: object, where: str) -> Added:
    if not isinstance(entry, dict) or not {"events", "adds", "why"} <= set(entry) <= _ENTRY_KEYS:
        raise MappingError(f"{where}: needs events, adds and why, may have where, nothing else")
    known = {known.id for known in event_classes() if known.code is not None}
    if unknown := set(entry["events"]) - known:
        raise MappingError(f"{where}: there is no mapping table {sorted(unknown)[0]!r}")
    if wrong := set(entry["adds"]) & _DECIDED_ELSEWHERE:
        raise MappingError(f"{where}: {sorted(wrong)[0]} says which event it is, nothing can be added to it")
    for field in entry.get("where", {}):
        for event in entry["events"]:
            if not event_class(event).has(field):
                raise MappingError(f"{where}: {event} never has {field}")
    return Added(
        tuple(entry["events"]),
        {field: tuple(values) for field, values in entry.get("where", {}).items()},
        {field: tuple(values) for field, values in entry["adds"].items()},
        entry["why"],
    )


def is_for_defend(rule: Rule) -> bool:
    """Tell whether a rule is written for Defend: whether one of its index patterns is."""
    return any(pattern.startswith(defend_values().index) for pattern in rule.index)


def translated(query: Any) -> Any:  # noqa: ANN401 - a Question, and the same kind of it comes back
    """Return a query whose tests can be passed by Defend's values as well."""
    if isinstance(query, BoundSequenceQuery):
        terms = tuple(replace(term, event=_event(term.event)) for term in query.terms)
        until = query.until and replace(query.until, event=_event(query.until.event))
        return replace(query, terms=terms, until=until)
    return replace(query, event=_event(query.event))


def _event(event: BoundEvent) -> BoundEvent:
    return replace(event, condition=translate(event.condition))


def translate(tree: Predicate) -> Predicate:
    """Return a condition in which every test can be passed by the values of the table as well."""
    if isinstance(tree, Constant):
        return tree
    if isinstance(tree, Not):
        return negated(translate(tree.item))
    if isinstance(tree, All):
        return all_of(map(translate, tree.items))
    if isinstance(tree, AnyOf):
        return any_of(map(translate, tree.items))
    if len(tree.fields) != 1 or tree.fields[0] not in defend_values().fields:
        return tree  # a function of several fields sees their recorded values
    return _with_added(tree)


def _with_added(leaf: Leaf) -> Predicate:
    field = leaf.fields[0]
    entries = [entry for entry in defend_values().values if field in entry.adds]
    passing: dict[tuple[tuple[str, tuple[str, ...]], ...], list[Added]] = {}
    for entry in entries:
        if leaf.test([entry.adds[field]]):
            passing.setdefault(tuple(entry.where.items()), []).append(entry)
    recorded: Predicate = leaf
    if leaf.test([()]):
        # A test that a missing field passes: with an added value the field is not missing.
        somewhere = any_of(_is_event(leaf, [entry], ()) for entry in entries)
        there = Leaf(LeafKind.EXISTS, leaf.fields, leaf.types, leaf.expr, f"{field} != null", exists)
        recorded = all_of([leaf, any_of([there, negated(somewhere)])])
    return any_of([recorded, *(_alternative(leaf, field, found) for found in passing.values())])


def _alternative(leaf: Leaf, field: str, entries: list[Added]) -> Predicate:
    values = dict.fromkeys(value for entry in entries for value in entry.adds[field] if leaf.test([(value,)]))
    return _is_event(leaf, entries, tuple((field, value) for value in values))


def _is_event(leaf: Leaf, entries: list[Added], stands_for: tuple[tuple[str, str], ...]) -> Predicate:
    """Return the test for events of some entries, which have their ``where`` in common."""
    names = tuple(dict.fromkeys(event for entry in entries for event in entry.events))
    tables = [event_class(name).mapping.table for name in names]
    wanted = frozenset((table.provider, table.code) for table in tables)
    kind = Leaf(
        LeafKind.SCRIPT,
        ("event.provider", "event.code"),
        (Type.KEYWORD, Type.KEYWORD),
        leaf.expr,
        leaf.source,
        lambda provider, code: (provider, str(code)) in wanted,
        constants=names,
        operator="defend",
        stands_for=stands_for,
    )
    conditions = (_has_value(leaf.expr, *condition) for condition in entries[0].where.items())
    return all_of([kind, *conditions])


def _has_value(expr: Expr, field: str, values: tuple[str, ...]) -> Leaf:
    quoted = ", ".join(f'"{value}"' for value in values)
    source = f"{field} in ({quoted})" if len(values) > 1 else f"{field} == {quoted}"
    holds = equal_to(Type.KEYWORD, values)
    return Leaf(LeafKind.EQUAL, (field,), (Type.KEYWORD,), expr, source, holds, constants=values, operator="==")


def translations(tree: Predicate) -> tuple[Translated, ...]:
    """Return the tests of a translated condition that added values can pass, in order."""
    return tuple(_translations(leaves(tree)))


def _translations(tests: Iterable[Leaf]) -> Iterator[Translated]:
    for leaf in tests:
        if leaf.stands_for:
            values = tuple(str(value) for _, value in leaf.stands_for)
            yield Translated(leaf.source, leaf.stands_for[0][0], values, tuple(map(str, leaf.constants)))
