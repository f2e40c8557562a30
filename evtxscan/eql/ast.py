"""The syntax tree of a query: what was written, nothing decided yet.

Every node knows the half-open range ``start``-``end`` of characters it was written in. ``and``, ``or``, lists and
chains of arithmetic are n-ary, so that the depth of the tree is the depth of nesting in the text, not the length of a
list.
"""

from dataclasses import dataclass
from typing import ClassVar

Scalar = str | int | float | bool
"""A value of a document or a constant that is there; absence is ``None``."""


@dataclass(frozen=True, slots=True)
class Node:
    """Anything with a place in the text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant: ``null``, ``true``, ``4.5``, ``"text"`` (escapes already resolved)."""

    value: Scalar | None


@dataclass(frozen=True, slots=True)
class Field(Node):
    """A field by its dotted path; ``?name`` sets ``optional``."""

    path: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``name(args)`` or, with ``insensitive``, ``name~(args)``. The name is as written."""

    name: str
    insensitive: bool
    args: tuple["Expr", ...]


@dataclass(frozen=True, slots=True)
class Negate(Node):
    """``-operand``."""

    operand: "Expr"


@dataclass(frozen=True, slots=True)
class Arith(Node):
    """``first op operand op operand ...``, evaluated from left to right; operators of one precedence only."""

    first: "Expr"
    rest: tuple[tuple[str, "Expr"], ...]


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """``left op right`` with one of ``== != < <= > >=``."""

    op: str
    left: "Expr"
    right: "Expr"


@dataclass(frozen=True, slots=True)
class Match(Node):
    """``value : patterns``, ``value like patterns``, ``value regex patterns``; op is ``:``, ``like`` or ``regex``."""

    op: str
    insensitive: bool
    value: "Expr"
    patterns: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Membership(Node):
    """``value in (items)``; ``not in`` is a Not around it."""

    insensitive: bool
    value: "Expr"
    items: tuple["Expr", ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    """``not item``."""

    item: "Expr"


@dataclass(frozen=True, slots=True)
class And(Node):
    """All of ``items``, two or more."""

    items: tuple["Expr", ...]


@dataclass(frozen=True, slots=True)
class Or(Node):
    """Any of ``items``, two or more."""

    items: tuple["Expr", ...]


Expr = Literal | Field | Call | Negate | Arith | Compare | Match | Membership | Not | And | Or


@dataclass(frozen=True, slots=True)
class EventFilter(Node):
    """``category where condition``; the category is None for ``any``."""

    category: str | None
    category_end: int
    condition: Expr


@dataclass(frozen=True, slots=True)
class Term(Node):
    """One ``[...]`` of a sequence; ``missing`` for ``![...]``; ``keys`` its own ``by`` fields."""

    event: EventFilter
    keys: tuple[Field, ...]
    missing: bool = False
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Pipe(Node):
    """``| head count`` or ``| tail count``."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class EventQuery(Node):
    """A query for single events. ``source`` is the whole text."""

    kind: ClassVar[str] = "event"

    source: str
    event: EventFilter
    pipes: tuple[Pipe, ...]


@dataclass(frozen=True, slots=True)
class SequenceQuery(Node):
    """A query for sequences of events; ``start`` is the place of the word ``sequence``.

    ``keys`` are the fields after ``sequence by``; they come before those of each term. ``maxspan`` is in milliseconds.
    """

    kind: ClassVar[str] = "sequence"

    source: str
    keys: tuple[Field, ...]
    maxspan: int | None
    terms: tuple[Term, ...]
    until: Term | None
    pipes: tuple[Pipe, ...]


Query = EventQuery | SequenceQuery
