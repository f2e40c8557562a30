"""The syntax tree of a KQL query: what was written, nothing decided yet.

Every node knows the half-open range ``start``-``end`` of characters it was written in. A list of values is spread over
its field: ``f:(a or b)`` is an Or of two Is nodes. And and Or are n-ary and never directly inside their own kind.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evtxscan.kql.wildcards import Pattern


@dataclass(frozen=True, slots=True)
class Node:
    """Anything with a place in the text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A field by its dotted path."""

    path: str


@dataclass(frozen=True, slots=True)
class Value(Node):
    """A value, escapes resolved. ``text`` has the wildcards as ``*``; ``pattern`` is None where there are none.

    A wildcard is an unquoted, unescaped ``*``; all other characters stand for themselves.
    """

    text: str
    quoted: bool
    pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Is(Node):
    """``field:value``."""

    field: Name
    value: Value


@dataclass(frozen=True, slots=True)
class Range(Node):
    """``field op value`` with one of ``< <= > >=``."""

    field: Name
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Not(Node):
    """``not item``."""

    item: "Condition"


@dataclass(frozen=True, slots=True)
class And(Node):
    """All of ``items``, two or more."""

    items: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or(Node):
    """Any of ``items``, two or more."""

    items: tuple["Condition", ...]


Condition = Is | Range | Not | And | Or
Partial = Callable[[Name], Condition]
"""A list of values that waits for its field."""


def joined(kind: type[And] | type[Or], items: Iterable[Condition]) -> Condition:
    """Join conditions in one n-ary node; one condition stays as it is."""
    flat: list[Condition] = []
    for item in items:
        flat.extend(item.items if isinstance(item, kind) else (item,))
    return flat[0] if len(flat) == 1 else kind(flat[0].start, flat[-1].end, tuple(flat))
