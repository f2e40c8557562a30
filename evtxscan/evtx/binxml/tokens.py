"""Reads the tokens of BinXML (MS-EVEN6 2.2.12 and the format document of libevtx), and believes nothing.

Every size has to end where the tokens in it end, every name has to have its hash, and every byte of a definition has
to be accounted for: what was overwritten in part does not pass.

Offsets count from the start of the chunk.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from evtxscan.evtx.binxml.nodes import (
    BinXmlError,
    Definition,
    Element,
    Instance,
    Node,
    Reference,
    Substitution,
    Text,
    Value,
)
from evtxscan.evtx.binxml.types import STRING, is_type

DEFINITION_HEADER_SIZE = 24
_FRAGMENT_HEADER = b"\x0f\x01\x01"
_END_OF_STREAM, _OPEN, _CLOSE_START, _CLOSE_EMPTY, _END = 0x00, 0x01, 0x02, 0x03, 0x04
_VALUE, _ATTRIBUTE, _CDATA, _CHARACTER, _ENTITY = 0x05, 0x06, 0x07, 0x08, 0x09
_INSTANCE, _NORMAL, _OPTIONAL = 0x0C, 0x0D, 0x0E
_MORE = 0x40
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
# Windows nests templates two deep and elements a few; more is an attack on the stack.
_DEEPEST = 32
# What is left over where sizes are multiples of 8.
_MOST_PADDING = 8
# No template has more values; the field has room for four billion.
_MOST_VALUES = 4096


class Reader:
    """Reads from one chunk, within ``[position, end)``."""

    def __init__(self, chunk: bytes, position: int, end: int) -> None:
        self.chunk = chunk
        self.position = position
        self.end = end
        if not 0 <= position <= end <= len(chunk):
            raise BinXmlError("out_of_bounds", f"bytes {position} to {end} of a chunk of {len(chunk)}")

    def byte(self) -> int:
        at = self._advance(1)
        return self.chunk[at]

    def peek(self) -> int:
        if self.position >= self.end:
            raise BinXmlError("out_of_bounds", f"the tokens go on behind offset {self.end}")
        return self.chunk[self.position]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def take(self, count: int) -> bytes:
        at = self._advance(count)
        return self.chunk[at : at + count]

    def _advance(self, count: int) -> int:
        at = self.position
        if count > self.end - at:
            raise BinXmlError("out_of_bounds", f"{count} bytes at offset {at} go beyond {self.end}")
        self.position = at + count
        return at

    def expect_end(self, end: int, what: str) -> None:
        if self.position != end:
            raise BinXmlError("sizes_disagree", f"{what} ends at offset {self.position}, by its size at {end}")


def read_fragment(chunk: bytes, start: int, end: int) -> Instance | Element:
    """Read what a record, or a value of type BinXML, consists of: a template instance, or an element written out.

    Raises BinXmlError. Bytes behind the end of an instance are the caller's to judge.
    """
    reader = Reader(chunk, start, end)
    if reader.peek() == _FRAGMENT_HEADER[0]:
        _expect_header(reader)
    if reader.peek() == _INSTANCE:
        return _instance(reader)
    root = _element(reader, [], in_template=False, depth=0)
    if reader.position < end and reader.byte() != _END_OF_STREAM:
        raise BinXmlError("unknown_token", f"bytes behind the element at offset {reader.position - 1}")
    if end - reader.position >= _MOST_PADDING:
        raise BinXmlError("sizes_disagree", f"the element ends at offset {reader.position}, what holds it at {end}")
    return root


def read_definition(chunk: bytes, offset: int) -> Definition:
    """Read the template definition at ``offset``: next offset (4), GUID (16), size (4), tokens. Raises BinXmlError."""
    head = Reader(chunk, offset, len(chunk))
    head.take(4)
    guid = head.take(16)
    size = head.u32()
    if size > len(chunk) - head.position:
        raise BinXmlError("out_of_bounds", f"a definition of {size} bytes at offset {offset}")
    end = head.position + size
    reader = Reader(chunk, head.position, end)
    _expect_header(reader)
    substitutions: list[Substitution] = []
    root = _element(reader, substitutions, in_template=True, depth=0)
    if reader.byte() != _END_OF_STREAM:
        raise BinXmlError("unknown_token", f"no end of the definition at offset {reader.position - 1}")
    reader.expect_end(end, "the definition")
    return Definition(guid, root, tuple(substitutions), size)


def _expect_header(reader: Reader) -> None:
    at = reader.position
    header = reader.take(4)
    if header[:3] != _FRAGMENT_HEADER:
        raise BinXmlError("unknown_token", f"no fragment header at offset {at}")


def _instance(reader: Reader) -> Instance:
    reader.byte()
    reader.byte()
    template_id, definition = reader.u32(), reader.u32()
    inline = definition == reader.position
    if inline:
        reader.take(DEFINITION_HEADER_SIZE - 4)
        reader.take(reader.u32())
    count = reader.u32()
    if count > _MOST_VALUES:
        raise BinXmlError("too_many_values", f"{count} values at offset {reader.position - 4}")
    shape = struct.unpack(f"<{'HBB' * count}", reader.take(4 * count))
    values = []
    for size, kind, unused in zip(shape[::3], shape[1::3], shape[2::3], strict=True):
        at = reader.position
        if unused:
            raise BinXmlError("unknown_type", f"descriptor of the value at offset {at}")
        values.append(Value(kind, reader.take(size), at))
    return Instance(template_id, definition, inline, tuple(values), reader.position)


def _element(reader: Reader, substitutions: list[Substitution], *, in_template: bool, depth: int) -> Element:
    if depth > _DEEPEST:
        raise BinXmlError("nested_too_deep", f"element at offset {reader.position}")
    token = reader.byte()
    if token & ~_MORE != _OPEN:
        raise BinXmlError("unknown_token", f"0x{token:02x} at offset {reader.position - 1} opens no element")
    if in_template:
        reader.u16()  # dependency: Windows leaves the element out where that value is Null; no parser does
    size = reader.u32()
    end = reader.position + size
    if end > reader.end:
        raise BinXmlError("out_of_bounds", f"an element that ends at {end}, behind {reader.end}")
    name = _name(reader)
    attributes: list[tuple[str, tuple[Node, ...]]] = []
    if token & _MORE:
        listed = reader.u32()
        end_of_list = reader.position + listed
        while reader.peek() & ~_MORE == _ATTRIBUTE:
            more = reader.byte() & _MORE
            attribute = _name(reader)
            attributes.append((attribute, tuple(_content(reader, substitutions))))
            if not more:
                break
        reader.expect_end(end_of_list, "an attribute list")
    children: list[Node] = []
    closing = reader.byte()
    if closing == _CLOSE_START:
        while True:
            children += _content(reader, substitutions)
            if reader.peek() == _END:
                reader.byte()
                break
            children.append(_element(reader, substitutions, in_template=in_template, depth=depth + 1))
    elif closing != _CLOSE_EMPTY:
        raise BinXmlError("unknown_token", f"0x{closing:02x} at offset {reader.position - 1} in element {name}")
    reader.expect_end(end, f"element {name}")
    return Element(name, tuple(attributes), tuple(children))


def _content(reader: Reader, substitutions: list[Substitution]) -> list[Node]:
    """Read what is neither an element nor the end of one: text, references, places of values."""
    nodes: list[Node] = []
    while True:
        token = reader.peek() & ~_MORE
        if token in (_NORMAL, _OPTIONAL):
            reader.byte()
            place = Substitution(reader.u16(), reader.byte(), token == _OPTIONAL)
            if not is_type(place.type):
                raise BinXmlError("unknown_type", f"0x{place.type:02x} at offset {reader.position - 1}")
            substitutions.append(place)
            nodes.append(place)
        elif token == _VALUE:
            reader.byte()
            if (kind := reader.byte()) != STRING:
                raise BinXmlError("unknown_type", f"0x{kind:02x} as fixed text at offset {reader.position - 1}")
            nodes.append(Text(_text(reader)))
        elif token == _CDATA:
            reader.byte()
            nodes.append(Text(_text(reader)))
        elif token == _CHARACTER:
            reader.byte()
            nodes.append(Reference(f"&#{reader.u16()};"))
        elif token == _ENTITY:
            reader.byte()
            nodes.append(_entity(_name(reader)))
        else:
            return nodes


def _entity(name: str) -> Node:
    known = _ENTITIES.get(name)
    return Reference(f"&{name};") if known is None else Text(known)


def _text(reader: Reader) -> str:
    return reader.take(2 * reader.u16()).decode("utf-16-le", "ignore")


def _name(reader: Reader) -> str:
    """Read a name: its offset, and where that is right here, the name itself."""
    offset = reader.u32()
    name, size = name_at(reader.chunk, offset)
    if offset == reader.position:
        reader.take(size)
    return name


def name_at(chunk: bytes, offset: int) -> tuple[str, int]:
    """Read the name at ``offset``: next offset (4), hash (2), length (2), UTF-16, NUL; return it and its size.

    Raises BinXmlError when the hash is not the name's.
    """
    reader = Reader(chunk, min(offset, len(chunk)), len(chunk))
    reader.u32()
    hashed, length = reader.u16(), reader.u16()
    raw = reader.take(2 * length)
    name = _checked_name(raw, hashed)
    if name is None or reader.u16():
        raise BinXmlError("name_overwritten", f"no name at offset {offset}")
    return name, reader.position - offset


@lru_cache(maxsize=8192)
def _checked_name(raw: bytes, hashed: int) -> str | None:
    value = 0
    for (unit,) in struct.iter_unpack("<H", raw):
        value = (value * 65599 + unit) & 0xFFFFFFFF
    if value & 0xFFFF != hashed:
        return None
    try:
        name = raw.decode("utf-16-le")
    except UnicodeDecodeError:
        return None
    return name if _is_xml_name(name) else None


def _is_xml_name(name: str) -> bool:
    """Whether a name can stand in XML and JSON as it is."""
    return bool(name) and (name[0].isalpha() or name[0] == "_") and all(c.isalnum() or c in "_-.:" for c in name)
