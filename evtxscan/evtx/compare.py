"""Compares two renderings of one record, by different parsers.

What the two parsers write differently by design is put right here, value by value, and nothing else is: two values
agree only where both say the same thing in full. docs/verify.md lists the rules with what makes each of them sound.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from lxml import etree

from evtxscan.evtx.filetime import TICKS_PER_SECOND, from_iso
from evtxscan.evtx.parse import RenderError
from evtxscan.evtx.salvage import parse_xml

_GUID = re.compile(r"\{?([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})\}?", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"0x[0-9a-f]+|-?\d+", re.ASCII | re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|\+00:00)?", re.ASCII)
_BINARY = re.compile(r"(?:[0-9A-F]{2})+", re.ASCII)
# python-evtx leaves these out, whatever they stand for; XML cannot hold most of them.
_LEFT_OUT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
# How the Rust parser lays out an element that holds nothing.
_LAYOUT = re.compile(r"\n\s*")
# How python-evtx writes an array of strings: as text.
_STRINGS = re.compile(r"(?:<string>.*?</string>\n)+", re.DOTALL)
_STRING = re.compile(r"<string>(.*?)</string>\n", re.DOTALL)
# The Rust parser cuts times to microseconds.
_TICKS_PER_MICROSECOND = TICKS_PER_SECOND // 1_000_000

Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that two renderings give differently; None where one of them has no such field there."""

    field: str
    first: str | None
    second: str | None


def read_fields(xml: str) -> Fields | RenderError:
    """Return the fields of a rendered record in order: ``System.EventID``, ``EventData.<Data name>``, attributes too.

    Empty attributes and empty elements of System are left out: the parsers disagree on whether to show them.
    """
    root = parse_xml(xml)
    if isinstance(root, RenderError):
        return root
    return [
        (name, value)
        for name, value in _fields(root, "")
        if value or not (name.startswith("System.") or name.rpartition(".")[2].startswith("@"))
    ]


def differences(first: Fields, second: Fields) -> list[Difference]:
    """Return where two renderings do not agree; nothing where they do. ``second`` is python-evtx's."""
    names = [name for name, _ in first]
    if names == [name for name, _ in second] and all(
        same_value(one, other) for (_, one), (_, other) in zip(first, second, strict=True)
    ):
        return []
    second = [(name, part) for name, value in second for part in _strings(value)]
    return list(_differences(_shown(first), _shown(second)))


def same_value(first: str, second: str) -> bool:
    """Whether two texts are the same value, as the Rust parser and python-evtx write it."""
    if first == second:
        return True
    first, second = _LEFT_OUT.sub("", first), _LEFT_OUT.sub("", second)
    if first == second:
        return True
    if (guid := _GUID.fullmatch(first)) and (other := _GUID.fullmatch(second)):
        return guid[1].lower() == other[1].lower()
    if second in ("True", "False"):
        truth = {"true": True, "false": False}.get(first.lower())
        if truth is None and _NUMBER.fullmatch(first):  # a boolean that is neither 0 nor 1
            truth = int(first, 0) != 0
        return truth is (second == "True")
    if _NUMBER.fullmatch(first) and _NUMBER.fullmatch(second):
        return _number(first) == _number(second)
    if _TIME.fullmatch(first) and _TIME.fullmatch(second):
        return _same_time(first, second)
    return bool(_BINARY.fullmatch(first)) and _bytes(second) == bytes.fromhex(first)


def _fields(parent: etree._Element, prefix: str) -> Iterator[tuple[str, str]]:
    for element in parent:
        if not isinstance(element.tag, str):
            continue
        local = etree.QName(element).localname
        named = element.get("Name") if local == "Data" else None
        name = prefix + (local if named is None else str(named))
        for key, value in sorted((str(key), str(value)) for key, value in element.attrib.items()):
            if not (local == "Data" and key == "Name"):
                yield f"{name}.@{etree.QName(key).localname if key.startswith('{') else key}", _text(value)
        if len(element):
            yield from _fields(element, f"{name}.")
        else:
            yield name, _text(element.text)


def _text(value: Any) -> str:  # noqa: ANN401 - what lxml calls a text
    text = str(value or "").replace("\r\n", "\n")
    return "" if _LAYOUT.fullmatch(text) else text


def _strings(value: str) -> Sequence[str]:
    return _STRING.findall(value) if _STRINGS.fullmatch(value) else (value,)


def _shown(fields: Fields) -> Fields:
    """Leave out empty elements without a name of their own: one parser shows an array without strings, one does not."""
    return [(name, value) for name, value in fields if value or not name.endswith(".Data")]


def _differences(first: Fields, second: Fields) -> Iterator[Difference]:
    if [name for name, _ in first] == [name for name, _ in second]:
        for (name, one), (_, other) in zip(first, second, strict=True):
            if not same_value(one, other):
                yield Difference(name, one, other)
        return
    for name in dict.fromkeys(name for name, _ in (*first, *second)):
        ones = [value for found, value in first if found == name]
        others = [value for found, value in second if found == name]
        for one, other in zip_longest(ones, others):
            if one is None or other is None or not same_value(one, other):
                yield Difference(name, one, other)
    if len(first) == len(second) and sorted(name for name, _ in first) == sorted(name for name, _ in second):
        yield Difference("(order)", ", ".join(name for name, _ in first), ", ".join(name for name, _ in second))


def _number(text: str) -> int:
    return int(text, 16) if text[:2].lower() == "0x" else int(text)


def _same_time(first: str, second: str) -> bool:
    try:
        return from_iso(first) // _TICKS_PER_MICROSECOND == from_iso(second) // _TICKS_PER_MICROSECOND
    except ValueError:
        return False


def _bytes(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        return None
