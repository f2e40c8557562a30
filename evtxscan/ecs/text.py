"""Turns values of the bulk parser's JSON into the texts that winlogbeat writes.

Everything in event data is text there: numbers in decimal, booleans as ``true`` and ``false``, GUIDs in braces, line
ends as LF with none at the end; a value that is empty after that is no value. The parser gives scalars, but also
objects and lists where a provider nests elements, where Data has no names and in damaged records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

MAX_DEPTH = 32
"""Elements nested deeper than this are not event data of any provider; they are cut off."""

_BARE_GUID = re.compile(r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}", re.ASCII)
_TEXT, _ATTRIBUTES = "#text", "#attributes"


def to_text(raw: object) -> str | None:
    """Return the text of one scalar JSON value, or None where it is empty.

    The parser writes a binary GUID in upper case without braces; Windows and winlogbeat write it with braces. An
    object or a list has no text here (see :func:`flatten`) and comes back as its JSON.
    """
    if isinstance(raw, str):
        if "\n" in raw:
            raw = raw.replace("\r\n", "\n").rstrip("\n")
        return (guid(raw) if len(raw) == 36 else raw) or None
    if raw is None:
        return None
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, (int, float)):
        return str(raw)
    return dump(raw)


def guid(text: str) -> str:
    """Return ``text`` with braces if it is a GUID as the parser writes it, else unchanged."""
    return f"{{{text}}}" if _BARE_GUID.fullmatch(text) else text


def dump(value: object) -> str:
    """Return compact JSON, the form of every JSON text in a case; a value that JSON cannot hold gives ``null``."""
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, UnicodeDecodeError):
        return "null"


def flatten(payload: object) -> dict[str, Any]:
    """Return the named values of an EventData-like element: scalars as they are, nested names joined with dots.

    Unnamed ``Data`` become ``paramN`` (N counts from 1). The n-th repetition of a name gets the suffix ``_n`` (the
    parser itself does so for repeated elements); no value is dropped but those nested deeper than MAX_DEPTH.
    Attributes of nested elements are named ``element.attribute``; those of the element itself and namespaces are not
    event data.
    """
    if not isinstance(payload, dict):
        payload = {} if payload is None else {"Data": payload}
    found: dict[str, Any] = {}
    position = 0
    for name, value in payload.items():
        if name == _ATTRIBUTES:
            continue
        if name == "Data":
            for item in _texts(value):
                position += 1
                for path, scalar in _leaves(f"param{position}", item, 0):
                    _put(found, path, scalar)
        else:
            for path, scalar in _leaves("text" if name == _TEXT else name, value, 0):
                _put(found, path, scalar)
    return found


def _texts(data: object) -> list[Any]:
    """Return the values of unnamed Data elements: ``{"#text": [...]}``, ``{"#text": value}``, a list or a scalar."""
    if isinstance(data, dict) and _TEXT in data:
        data = data[_TEXT]
    return data if isinstance(data, list) else [data]


def _leaves(path: str, value: object, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name, child in value.items():
            if name == _ATTRIBUTES:
                yield from _attributes(path, child, depth)
            else:
                yield from _leaves(path if name == _TEXT else f"{path}.{name}", child, depth + 1)
    elif isinstance(value, list):
        for child in value:
            yield from _leaves(path, child, depth + 1)
    else:
        yield path, value


def _attributes(path: str, attributes: object, depth: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(attributes, dict):
        return
    for name, value in attributes.items():
        if not name.startswith("xmlns"):
            yield from _leaves(f"{path}.{name}", value, depth + 1)


def _put(found: dict[str, Any], path: str, value: object) -> None:
    name, count = path, 0
    while name in found:
        count += 1
        name = f"{path}_{count}"
    found[name] = value
