"""Reads fields of nested ECS documents by their dotted names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Value = Any  # whatever JSON can hold
Document = dict[str, Value]


def get(document: Document, path: str) -> Value:
    """Return the value at a dotted path, or None.

    A number picks from a list (``evtxscan.provenance.0.offset``), ``*`` takes one value of each of its elements.
    """
    value: Value = document
    steps = path.split(".")
    for place, step in enumerate(steps):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step == "*":
            return [get(item, ".".join(steps[place + 1 :])) for item in value]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def flatten(document: Document, prefix: str = "") -> Iterator[tuple[str, Value]]:
    """Yield (dotted name, value) sorted by name; lists of plain values stay lists, empty parts are left out."""
    for key in sorted(document):
        yield from _flatten_value(f"{prefix}{key}", document[key])


def _flatten_value(name: str, value: Value) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict):
        yield from flatten(value, f"{name}.")
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for index, item in enumerate(value):
            yield from _flatten_value(f"{name}.{index}", item)
    elif value is not None and value != []:
        yield name, value


def plain(value: Value) -> str:
    """Return one value as the text it has in JSON, without the quotes; nothing for null."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def texts(value: Value) -> list[str]:
    """Return the elements of a field as text: EQL takes every field for a list."""
    if value is None:
        return []
    return [plain(item) for item in value] if isinstance(value, list) else [plain(value)]


def readable_time(value: str | None) -> str:
    """Write an ISO 8601 time in UTC as people read it, with all its digits: ``2024-05-14 09:12:03.1234567 UTC``."""
    if not value:
        return ""
    return f"{value[:10]} {value[11:-1]} UTC" if value[10:11] == "T" and value.endswith("Z") else value
