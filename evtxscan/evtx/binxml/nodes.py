"""What BinXML says: a tree of elements with places for values, and the values that one record puts there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias


class BinXmlError(Exception):
    """Bytes are not what they would have to be. ``reason`` is a code, ``detail`` says where and what.

    Never leaves evtxscan.evtx: it becomes a refusal.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Text(NamedTuple):
    """Fixed text."""

    text: str


class Reference(NamedTuple):
    """An entity or character reference, as it is written: ``&lt;``, ``&#9;``."""

    text: str


class Substitution(NamedTuple):
    """The place of value ``number``; ``type`` is the one that the template names."""

    number: int
    type: int
    optional: bool


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a template, or one written out in a record."""

    name: str
    attributes: tuple[tuple[str, tuple[Node, ...]], ...]
    children: tuple[Node, ...]


Node: TypeAlias = Element | Text | Reference | Substitution


@dataclass(frozen=True, slots=True)
class Definition:
    """A template. ``size`` counts the bytes of its tokens, without the 24 of its header."""

    guid: bytes
    root: Element
    substitutions: tuple[Substitution, ...]
    size: int

    @property
    def template_id(self) -> int:
        """The number by which records name it: the first four bytes of its GUID."""
        return int.from_bytes(self.guid[:4], "little")


class Value(NamedTuple):
    """One substitution value: type (MS-EVEN6 2.2.14), bytes, and their offset in the chunk."""

    type: int
    data: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Instance:
    """A template's use: its id, the offset in the chunk where its definition was, and the values.

    ``inline``: the definition stands in the instance itself. ``end`` is the offset behind the last value.
    """

    template_id: int
    definition: int
    inline: bool
    values: tuple[Value, ...]
    end: int
