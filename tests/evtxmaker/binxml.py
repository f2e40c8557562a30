"""Template definitions as BinXml tokens (MS-EVEN6 2.2.12), laid out for a place in a chunk.

An element or attribute name stands once in a chunk, where it is first used, and every use holds its offset. So the
bytes of a definition depend on the names that the chunk has already; a `Layout` is one such form, kept for reuse.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property

from .model import Field, ValueType
from .values import encode_wstring

FRAGMENT_HEADER = b"\x0f\x01\x01\x00"
END_OF_STREAM = b"\x00"
DEFINITION_HEADER_SIZE = 24
NO_DEPENDENCY = 0xFFFF

_OPEN, _OPEN_WITH_ATTRIBUTES = 0x01, 0x41
_CLOSE_START, _CLOSE_EMPTY, _END = b"\x02", b"\x03", b"\x04"
_VALUE = 0x05
_ATTRIBUTE, _ATTRIBUTE_MORE = 0x06, 0x46
_NORMAL_SUBSTITUTION, _OPTIONAL_SUBSTITUTION = 0x0D, 0x0E

_U32 = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Text:
    """Fixed text."""

    text: str


@dataclass(frozen=True, slots=True)
class Substitution:
    """The place of a substitution value."""

    index: int
    type: ValueType
    optional: bool = True


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a template; with `dependency` Windows leaves it out when that substitution value is Null."""

    name: str
    attributes: tuple[tuple[str, Text | Substitution], ...] = ()
    children: tuple[Element | Text | Substitution, ...] = ()
    dependency: int = NO_DEPENDENCY


@dataclass(frozen=True, slots=True)
class Layout:
    """A definition's bytes, with what must still be filled in where it is placed.

    `references` are (position of a 4-byte name offset, name); `inlined` are (position of the name structure, name).
    Positions count from the start of the definition.
    """

    body: bytes
    references: tuple[tuple[int, str], ...]
    inlined: tuple[tuple[int, str], ...]


class Definition:
    """A template: its GUID, as Windows made from its content, and its layouts."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.guid = hashlib.sha256(repr(root).encode()).digest()[:16]
        self._layouts: dict[tuple[str, ...], Layout] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that it uses, in order of first use."""
        return tuple(dict.fromkeys(_names(self.root)))

    def layout(self, present: Container[str]) -> Layout:
        """Return the form for a chunk that has the names `present`."""
        missing = tuple(name for name in self.names if name not in present)
        layout = self._layouts.get(missing)
        if layout is None:
            layout = self._layouts[missing] = _LayoutBuilder(missing).build(self.root, self.guid)
        return layout


@cache
def name_hash(name: str) -> int:
    """Return the 16-bit hash of a name; modulo 64 it is the bucket of the chunk's string table (libevtx, section 3)."""
    value = 0
    for (unit,) in struct.iter_unpack("<H", encode_wstring(name)):
        value = (value * 65599 + unit) & 0xFFFFFFFF
    return value & 0xFFFF


def _names(element: Element) -> Iterator[str]:
    yield element.name
    for name, _ in element.attributes:
        yield name
    for child in element.children:
        if isinstance(child, Element):
            yield from _names(child)


class _LayoutBuilder:
    def __init__(self, missing: Iterable[str]) -> None:
        self._missing = set(missing)
        self._out = bytearray(DEFINITION_HEADER_SIZE)
        self._references: list[tuple[int, str]] = []
        self._inlined: list[tuple[int, str]] = []

    def build(self, root: Element, guid: bytes) -> Layout:
        self._out += FRAGMENT_HEADER
        self._element(root)
        self._out += END_OF_STREAM
        size = len(self._out) - DEFINITION_HEADER_SIZE
        self._out[:DEFINITION_HEADER_SIZE] = struct.pack("<I16sI", 0, guid, size)
        return Layout(bytes(self._out), tuple(self._references), tuple(self._inlined))

    @contextmanager
    def _sized(self) -> Iterator[None]:
        """Put the size of what the block writes in front of it."""
        at = len(self._out)
        self._out += bytes(4)
        yield
        _U32.pack_into(self._out, at, len(self._out) - at - 4)

    def _element(self, element: Element) -> None:
        token = _OPEN_WITH_ATTRIBUTES if element.attributes else _OPEN
        self._out += struct.pack("<BH", token, element.dependency)
        with self._sized():
            self._name(element.name)
            if element.attributes:
                with self._sized():
                    self._attributes(element.attributes)
            # Windows closes in short form the elements that hold attributes only.
            if element.attributes and not element.children:
                self._out += _CLOSE_EMPTY
                return
            self._out += _CLOSE_START
            for child in element.children:
                self._content(child)
            self._out += _END

    def _attributes(self, attributes: tuple[tuple[str, Text | Substitution], ...]) -> None:
        last = len(attributes) - 1
        for position, (name, value) in enumerate(attributes):
            self._out.append(_ATTRIBUTE if position == last else _ATTRIBUTE_MORE)
            self._name(name)
            self._content(value)

    def _content(self, content: Element | Text | Substitution) -> None:
        match content:
            case Element():
                self._element(content)
            case Text(text):
                encoded = encode_wstring(text)
                self._out += struct.pack("<BBH", _VALUE, ValueType.WSTRING, len(encoded) // 2) + encoded
            case Substitution(index, value_type, optional):
                token = _OPTIONAL_SUBSTITUTION if optional else _NORMAL_SUBSTITUTION
                self._out += struct.pack("<BHB", token, index, value_type)

    def _name(self, name: str) -> None:
        self._references.append((len(self._out), name))
        self._out += bytes(4)
        if name in self._missing:
            self._missing.remove(name)
            self._inlined.append((len(self._out), name))
            encoded = encode_wstring(name)
            self._out += struct.pack("<IHH", 0, name_hash(name), len(encoded) // 2) + encoded + b"\0\0"


def event_data(fields: tuple[Field, ...], *, binary: bool) -> Element:
    """Return the EventData of named Data elements; with `binary`, a length and the bytes are the last values."""
    children = [
        Element("Data", (("Name", Text(field.name)),), (Substitution(index, field.type, optional=False),))
        for index, field in enumerate(fields)
    ]
    if binary:
        index = len(fields) + 1
        children.append(Element("Binary", (), (Substitution(index, ValueType.BINARY, optional=False),)))
    return Element("EventData", (), tuple(children))


def classic_data() -> Element:
    """Return the EventData of event sources without manifest: values are the strings, the length and the Binary."""
    strings = Element("Data", (), (Substitution(0, ValueType.WSTRING_ARRAY),), dependency=0)
    binary = Element("Binary", (), (Substitution(2, ValueType.BINARY),), dependency=2)
    return Element("EventData", (), (strings, binary))


def user_data(element: str, namespace: str, fields: tuple[Field, ...]) -> Element:
    """Return the one element that UserData wraps, its fields as elements of their own names."""
    attributes = (
        ("xmlns:auto-ns3", Text("http://schemas.microsoft.com/win/2004/08/events")),
        ("xmlns", Text(namespace)),
    )
    children = tuple(
        Element(field.name, (), (Substitution(index, field.type, optional=False),))
        for index, field in enumerate(fields)
    )
    return Element(element, attributes, children)
