"""Turns the syntax tree of a KQL query into the tree of tests that EQL's queries become (``evtxscan.eql.predicates``).

As there, conditions have two values: ``not`` holds where a field is missing, and one value of an array is enough for a
test.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evtxscan.eql.binder import DEFAULT_CATEGORY_FIELD, BoundEvent
from evtxscan.eql.mapping import FieldMapping
from evtxscan.eql.predicates import All, Constant, Leaf, LeafKind, Predicate, all_of, any_of, leaves, negated
from evtxscan.eql.source import error_at
from evtxscan.kql.ast import And, Condition, Is, Not, Or, Range
from evtxscan.kql.leaves import LeafMaker, Written
from evtxscan.kql.parser import parse


@dataclass(frozen=True, slots=True)
class BoundKql:
    """A checked query. ``event`` is that of an EQL event query; its category is the only one that can match, if any.

    ``fields`` are those whose values it tests, in order: of ``process.name.caseless``, process.name.
    """

    source: str
    condition: Condition | None
    mapping: FieldMapping
    event: BoundEvent
    fields: tuple[str, ...]

    def narrowed(self, filters: Iterable[Predicate]) -> "BoundKql":
        """Return the query with further conditions that an event has to meet, such as a rule's filters."""
        tree = all_of([self.event.condition, *filters])
        return BoundKql(self.source, self.condition, self.mapping, _event(tree), _fields(tree))


def bind(text: str, mapping: FieldMapping | Mapping[str, Any] | None = None) -> BoundKql:
    """Parse a query and check it against a mapping (default: every field exists, of unknown type).

    Raises EqlError with the place for what is no KQL, and EqlUnsupportedError for what is refused by name.
    """
    known = FieldMapping.of(mapping)
    condition = parse(text)
    tree = Constant(True) if condition is None else _Binder(text, LeafMaker(known)).condition(condition)
    return BoundKql(text, condition, known, _event(tree), _fields(tree))


def _event(tree: Predicate) -> BoundEvent:
    return BoundEvent(_category(tree), None, tree)


def _category(tree: Predicate) -> str | None:
    """Return the event category that every match has, if the query asks for exactly one."""
    for item in tree.items if isinstance(tree, All) else (tree,):
        if isinstance(item, Leaf) and item.kind is LeafKind.EQUAL and item.fields == (DEFAULT_CATEGORY_FIELD,):
            return str(item.constants[0]) if len(item.constants) == 1 else None
    return None


def _fields(tree: Predicate) -> tuple[str, ...]:
    return tuple(dict.fromkeys(field for leaf in leaves(tree) for field in leaf.fields))


@dataclass(frozen=True, slots=True)
class _Binder:
    text: str
    make: LeafMaker

    def condition(self, node: Condition) -> Predicate:
        if isinstance(node, And):
            return all_of(list(map(self.condition, node.items)))
        if isinstance(node, Or):
            return any_of(self.alternatives(node.items))
        if isinstance(node, Not):
            return negated(self.condition(node.item))
        if isinstance(node, Range):
            return self.range(node)
        return self.values([node])

    def alternatives(self, items: Sequence[Condition]) -> list[Predicate]:
        """Bind the items of an or; values of one field that are compared alike become one test of many constants."""
        groups: dict[object, list[Condition]] = {}
        for item in items:
            groups.setdefault(_likeness(item), []).append(item)
        found: list[Predicate] = []
        for group in groups.values():
            alike = [item for item in group if isinstance(item, Is)]
            found.append(self.values(alike) if alike else self.condition(group[0]))
        return found

    def values(self, items: Sequence[Is]) -> Predicate:
        """Bind values of one field that are compared alike."""
        first, path = items[0], items[0].field.path
        texts = [self.text[item.value.start : item.value.end] for item in items]
        source = f"{path}:{texts[0]}" if len(items) == 1 else f"{path}:({' or '.join(texts)})"
        written = Written(first.start, items[-1].end, source)
        patterns = [item.value.pattern for item in items if item.value.pattern is not None]
        try:
            if not patterns:
                return self.plain(items, written)
            if patterns[0].is_lone_star:
                return self.make.exists(written, path)
            return self.make.pattern(written, path, patterns)
        except ValueError as error:
            raise error_at(self.text, self.culprit(items), f"{source}: {error}") from None

    def plain(self, items: Sequence[Is], written: Written) -> Predicate:
        path, first = items[0].field.path, items[0].value
        for item in items:
            if not item.value.quoted and item.value.text == "null":
                raise error_at(self.text, item.value.start, f"null is no value; write not {path}:* for a missing field")
        values = [item.value.text for item in items]
        return self.make.phrase(written, path, values) if first.quoted else self.make.equal(written, path, values)

    def culprit(self, items: Sequence[Is]) -> int:
        """Return the place of the value that cannot be one of its field's."""
        for item in items if len(items) > 1 else ():
            try:
                self.make.equal(Written(0, 0, ""), item.field.path, [item.value.text])
            except ValueError:
                return item.value.start
        return items[0].value.start

    def range(self, node: Range) -> Predicate:
        source = f"{node.field.path} {node.operator} {self.text[node.value.start : node.value.end]}"
        try:
            return self.make.order(
                Written(node.start, node.end, source), node.field.path, node.operator, node.value.text
            )
        except ValueError as error:
            raise error_at(self.text, node.value.start, f"{source}: {error}") from None


def _likeness(item: Condition) -> object:
    """Return what the items of an or share whose values can be tested together; else something of their own."""
    if not isinstance(item, Is):
        return id(item)
    pattern = item.value.pattern
    if pattern is None:
        return (item.field.path, "quoted" if item.value.quoted else "plain")
    return (item.field.path, "exists" if pattern.is_lone_star else "pattern")
