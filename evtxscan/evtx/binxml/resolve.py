"""Puts the values of a record into its template: a tree of elements that hold text, values and elements.

The tree is what the Rust parser makes of the same bytes. An array repeats the element it stands in, once for each of
its items (MS-EVEN6 3.1.4.7.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from evtxscan.evtx.binxml.nodes import BinXmlError, Element, Node, Reference, Substitution, Value
from evtxscan.evtx.binxml.types import ANSI, ARRAY, BINARY, BINXML, NULL, STRING, array_items, is_number, scalar_text

_ELEMENT = 16  # what an element costs, in characters
# A record has less than 64 KiB; those of public logs make some 20,000 characters at most.
_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Leaf:
    """Text, as it stands in the document. ``bare``: a number or truth value; ``blank``: as good as not there."""

    text: str
    bare: bool = False
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Array:
    """A value of several items, each of which makes an element of its own."""

    items: tuple[Leaf, ...]


Content: TypeAlias = "Leaf | Resolved"


@dataclass(frozen=True, slots=True)
class Resolved:
    """An element with everything in its place. Attributes without a value are left out."""

    name: str
    attributes: tuple[tuple[str, tuple[Leaf, ...]], ...]
    children: tuple[Content, ...]


Nested = Callable[[Value], Resolved]
"""Reads a value of type BinXML."""


class Budget:
    """How large one record may become: a template can show each value any number of times, and so can what it nests."""

    def __init__(self) -> None:
        self._left = _MOST

    def spend(self, amount: int) -> None:
        """Take from it. Raises BinXmlError when nothing is left."""
        self._left -= amount
        if self._left < 0:
            raise BinXmlError("too_large", f"one record makes more than {_MOST} characters")


def resolve(root: Element, values: Sequence[Value], nested: Nested, budget: Budget) -> Resolved:
    """Return ``root`` with the values in it. Raises BinXmlError for a value that is none of its type."""
    return next(_elements(root, _Values(values, nested, budget)))


class _Values(NamedTuple):
    values: Sequence[Value]
    nested: Nested
    budget: Budget


def _elements(element: Element, given: _Values) -> Iterator[Resolved]:
    attributes = [
        (name, [found for node in nodes for found in _contents(node, given)]) for name, nodes in element.attributes
    ]
    children = [found for node in element.children for found in _contents(node, given)]
    for found in _expanded(element.name, attributes, children):
        given.budget.spend(_ELEMENT)
        yield found


def _contents(node: Node, given: _Values) -> Iterator[Content | Array]:
    if isinstance(node, Element):
        yield from _elements(node, given)
    elif isinstance(node, Substitution):
        if node.number < len(given.values):
            value = given.values[node.number]
            given.budget.spend(len(value.data))
            yield from _value(value, given.nested, optional=node.optional)
    elif isinstance(node, Reference):
        yield Leaf(node.text)
    else:
        yield Leaf(node.text, blank=not node.text)


def _value(value: Value, nested: Nested, *, optional: bool) -> Iterator[Content | Array]:
    kind = value.type
    if kind == BINXML:
        if value.data:
            yield nested(value)
        return
    if kind & ARRAY and kind != ARRAY:
        items = tuple(_leaf(*item) for item in array_items(kind, value.data))
        if len(items) > 1:
            yield Array(items)
        elif items:
            yield Leaf(items[0].text)
        elif not optional:
            yield Leaf("", blank=True)
        return
    leaf = _leaf(kind, value.data)
    if not (optional and leaf.blank):
        yield leaf


def _leaf(kind: int, data: bytes) -> Leaf:
    text = scalar_text(kind, data)
    # A string of characters that are left out (lone surrogates) is not blank.
    blank = data[:2] in (b"", b"\0\0") if kind == STRING else not text and kind in (NULL, ANSI, BINARY)
    return Leaf(text, is_number(kind), blank)


def _expanded(
    name: str, attributes: list[tuple[str, list[Content | Array]]], children: list[Content | Array]
) -> Iterator[Resolved]:
    """Yield the element once for each item of the first array in it, and so on for the other arrays."""
    for place, child in enumerate(children):
        if isinstance(child, Array):
            for item in child.items:
                yield from _expanded(name, attributes, [*children[:place], *_item(item), *children[place + 1 :]])
            return
    for number, (attribute, nodes) in enumerate(attributes):
        for place, node in enumerate(nodes):
            if isinstance(node, Array):
                for item in node.items:
                    one = (attribute, [*nodes[:place], *_item(item), *nodes[place + 1 :]])
                    yield from _expanded(name, [*attributes[:number], one, *attributes[number + 1 :]], children)
                return
    kept = tuple((attribute, tuple(nodes)) for attribute, nodes in attributes if nodes)
    yield Resolved(name, kept, tuple(children))  # type: ignore[arg-type]  # no array is left


def _item(item: Leaf) -> list[Content | Array]:
    return [] if item.blank else [item]
