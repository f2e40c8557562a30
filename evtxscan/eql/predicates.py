"""Conditions as trees of tests: what a query asks, ready to be evaluated or compiled.

A tree is made of ``All``, ``AnyOf``, ``Not``, ``Constant`` and ``Leaf``. A leaf is one test without and, or, not; it
says which fields it needs and answers as Elasticsearch does for any values of them. ``logic`` evaluates the trees.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any

from evtxscan.eql.ast import Expr, Scalar
from evtxscan.eql.mapping import Type
from evtxscan.eql.patterns import has_wildcard, longest_literal

# Operators of scripts over a text that ask for words in it, wherever they stand.
_OF_WORDS = frozenset(["phrase", "pattern"])
_SPACE = re.compile(r"\s")
_COMPARED_AS_TEXT = frozenset([Type.KEYWORD, Type.TEXT, Type.UNKNOWN])

Values = tuple[Scalar, ...]
"""The values of one field in one document; the empty tuple is a missing field."""


class LeafKind(StrEnum):
    """What a leaf asks. All but SCRIPT have exactly one field and are false where it is missing."""

    EXISTS = "exists"
    """The field has a value (``f != null``; ``f == null`` is a Not around it)."""
    EQUAL = "equal"
    """A value equals one of ``constants`` (``==``, ``in``, ``in~``, a bare boolean field)."""
    ORDER = "order"
    """A value stands in the relation ``operator`` to the one constant."""
    GLOB = "glob"
    """A value matches one of the wildcard patterns in ``constants`` (``:``, ``like``, startsWith ...)."""
    REGEXP = "regexp"
    """A value matches one of the Lucene regular expressions in ``constants``."""
    NETWORK = "network"
    """A value is an address in one of the networks in ``constants``."""
    SCRIPT = "script"
    """Anything else: functions and arithmetic over one or more fields."""


@dataclass(frozen=True, slots=True)
class Required:
    """A value that passes a test contains one of ``parts``, or is one of ``wholes``; case aside."""

    parts: tuple[str, ...] = ()
    wholes: tuple[str, ...] = ()

    @property
    def literals(self) -> tuple[str, ...]:
        """All of these texts: a value that passes contains one."""
        return (*self.parts, *self.wholes)


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """One test of an event.

    ``fields`` are the paths it needs and ``types`` what the mapping says of them, in the same order; ``expr`` is the
    node it was written as and ``source`` its text. ``constants``, ``operator`` and ``insensitive`` describe the test by
    ``kind``; ``literals`` are texts of which every value that passes a regular expression or a script contains one,
    whatever the case of A to Z. ``holds`` answers for one value per field, None where the field is missing; callers use
    ``test``.
    ``stands_for`` are values of another field, by its name, that events which pass this test count as having.
    """

    kind: LeafKind
    fields: tuple[str, ...]
    types: tuple[Type, ...]
    expr: Expr
    source: str
    holds: Callable[..., bool]
    constants: tuple[Scalar, ...] = ()
    operator: str = ""
    insensitive: bool = False
    many: Callable[[Iterable[str]], list[bool]] | None = None
    literals: tuple[str, ...] = ()
    stands_for: tuple[tuple[str, Scalar], ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        """Return a hashable value that two leaves share only if they are the same test of the same fields."""
        script = self.source if self.kind is LeafKind.SCRIPT else ""
        constants = tuple((type(constant).__name__, constant) for constant in self.constants)
        return (self.kind, self.fields, self.types, self.operator, self.insensitive, constants, script)

    def test(self, values: Sequence[Values]) -> bool:
        """Return Elasticsearch's answer where field i has the values ``values[i]``.

        One value that passes is enough; with several fields all combinations are tried. A missing field fails every
        test but those of a script for null, such as ``length(f) == null``.
        """
        if len(self.fields) == 1:
            holds = self.holds
            return any(map(holds, values[0])) if values[0] else holds(None)
        return any(self.holds(*choice) for choice in product(*(options or (None,) for options in values)))

    def matched(self, values: Sequence[Values]) -> tuple[Any, ...]:
        """Return the values that pass the test, in order; for several fields, tuples with one value each."""
        if len(self.fields) == 1:
            return tuple(filter(self.holds, values[0]))
        choices = product(*(options or (None,) for options in values))
        return tuple(choice for choice in choices if self.holds(*choice))

    def test_scalars(self, values: Iterable[str]) -> list[bool]:
        """Return for each text whether a field with that one value passes. For leaves of one field; fast in bulk."""
        if self.many is not None:
            return self.many(values)
        return list(map(self.holds, values))

    @property
    def globs(self) -> tuple[str, ...]:
        """Return wildcard patterns that say the same as this leaf over texts, or () if there are none.

        Together with ``insensitive`` they are the whole test of a GLOB, and of an EQUAL whose constants are all texts
        without ``*`` and ``?`` (which would be ordinary characters there).
        """
        if self.kind is LeafKind.GLOB:
            return tuple(map(str, self.constants))
        if self.kind is LeafKind.EQUAL and all(isinstance(c, str) and not has_wildcard(c) for c in self.constants):
            return tuple(map(str, self.constants)) if _COMPARED_AS_TEXT.issuperset(self.types) else ()
        return ()

    @property
    def required(self) -> "Required | None":
        """Return texts of which a value that passes contains one, or is one; None if that would narrow nothing down.

        Compare with A to Z folded: so are those of regular expressions and scripts, and tests may ignore case.
        """
        if self.literals:
            return Required(parts=self.literals)
        if not _COMPARED_AS_TEXT.issuperset(self.types):
            return None  # 10.1.2.3 is in 10.0.0.0/8, and 1.0 is 1
        if self.kind is LeafKind.EQUAL and all(isinstance(constant, str) for constant in self.constants):
            return Required(wholes=tuple(map(str, self.constants)))
        parts = tuple(longest_literal(pattern) for pattern in self.globs if has_wildcard(pattern))
        if not self.globs or not all(parts):
            return None
        return Required(parts, tuple(pattern for pattern in self.globs if not has_wildcard(pattern)))

    def holds_beyond(self, values: Sequence[Values]) -> bool:
        """Return whether what passes with these values, parts of longer texts, passes with the whole texts as well.

        Tests for words count what begins and ends in a part: at its edge there may be half a word.
        """
        globs = self.globs
        if self.kind is LeafKind.EXISTS or (globs and all(glob[:1] == "*" == glob[-1:] for glob in globs)):
            return True
        if self.kind is LeafKind.SCRIPT and self.operator in _OF_WORDS and self.types == (Type.TEXT,):
            return any(self.holds(_without_edges(str(value))) for value in values[0])
        return False


def _without_edges(text: str) -> str:
    """Return a text from its first space on and up to its last one; "" where it has none."""
    first = _SPACE.search(text)
    if first is None:
        return ""
    end = next(place for place in range(len(text), 0, -1) if text[place - 1].isspace())
    return text[first.start() : end]


@dataclass(frozen=True, slots=True)
class Constant:
    """A condition decided when the query was read. None (null) comes of unmapped optional fields and never matches."""

    value: bool | None


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of ``item``; never around a Constant or another Not."""

    item: "Predicate"


@dataclass(frozen=True, slots=True)
class All:
    """Every one of ``items``: two or more, none a Constant or an All."""

    items: tuple["Predicate", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of ``items``: two or more, none a Constant or an AnyOf."""

    items: tuple["Predicate", ...]


Predicate = Leaf | Constant | Not | All | AnyOf


def negated(item: Predicate) -> Predicate:
    """Return the opposite of a condition; the opposite of null is null."""
    if isinstance(item, Constant):
        return Constant(None if item.value is None else not item.value)
    return item.item if isinstance(item, Not) else Not(item)


def all_of(items: Iterable[Predicate]) -> Predicate:
    """Join conditions with and, as Elasticsearch's optimizer folds them: false wins, then null, true goes away."""
    flat: list[Predicate] = []
    null = False
    for item in items:
        if isinstance(item, Constant):
            if item.value is False:
                return item
            null = null or item.value is None
        else:
            flat.extend(item.items if isinstance(item, All) else (item,))
    if null:
        return Constant(None)
    if not flat:
        return Constant(True)
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def any_of(items: Iterable[Predicate]) -> Predicate:
    """Join conditions with or, as Elasticsearch's optimizer folds them: true wins; false and null go away."""
    flat: list[Predicate] = []
    null = False
    for item in items:
        if isinstance(item, Constant):
            if item.value is True:
                return item
            null = null or item.value is None
        else:
            flat.extend(item.items if isinstance(item, AnyOf) else (item,))
    if not flat:
        return Constant(None if null else False)
    return flat[0] if len(flat) == 1 else AnyOf(tuple(flat))


def key_of(tree: Predicate) -> Hashable:
    """Return a value that two conditions share only if they ask the same."""
    if isinstance(tree, Leaf):
        return tree.key
    if isinstance(tree, Constant):
        return tree.value
    if isinstance(tree, Not):
        return ("not", key_of(tree.item))
    return (type(tree).__name__, *map(key_of, tree.items))


def leaves(tree: Predicate) -> list[Leaf]:
    """Return the leaves of a tree, from left to right."""
    if isinstance(tree, Leaf):
        return [tree]
    if isinstance(tree, Constant):
        return []
    if isinstance(tree, Not):
        return leaves(tree.item)
    return [leaf for item in tree.items for leaf in leaves(item)]
