"""Which field names there are: those of ECS, those that the mapping tables fill, and what products add to them.

``schema/ecs/names.json`` has the names of ECS in sets (``{hash}`` takes in all of a set), beginnings of names under
which products put whatever they like, and names of sub-fields. A name that is not among them is not wrong: every field
counts as mapped. It is more often misspelt than meant, though, and then a condition is never met in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from evtxscan.ecs.base import base, kind_constants
from evtxscan.ecs.errors import MappingError
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import SECTIONS, mappings
from evtxscan.schema import read_json

_FILE, _FORMAT = "ecs/names.json", "evtxscan-field-names/1"
_KEYS = {"format", "version", "sets", "fields", "open", "sub_fields"}


@dataclass(frozen=True, slots=True)
class FieldNames:
    """The names of fields, beginnings of names that are open to all, and names of sub-fields."""

    names: frozenset[str]
    open: tuple[str, ...]
    sub_fields: frozenset[str]


@cache
def field_names() -> FieldNames:
    """Return all names of ECS and of the mapping tables. Raises MappingError where the file is not valid."""
    found = read_field_names(read_json(_FILE))
    kind = Kind("x", "x", "x", "x", 1, 0, 0, 0, "0x8020000000000000")
    filled = {*base().constants, *kind_constants(kind, {}), "event.action", "data_stream.dataset"}
    for mapping in mappings().values():
        filled.update(mapping.fields, mapping.table.constants)
        payload = mapping.table.payload
        raw = {rule.raw for rule in mapping.table.rules} | {*mapping.table.pack, *mapping.table.read}
        filled.update(f"winlog.{payload}.{name}" for name in raw | mapping.table.drop)
    return FieldNames(found.names | filled, found.open, found.sub_fields)


def read_field_names(content: Any) -> FieldNames:  # noqa: ANN401 - parsed JSON, checked here
    """Check and return the content of the file. Raises MappingError, with the place, where it is not valid."""
    where = f"schema/{_FILE}"
    if not isinstance(content, dict) or content.get("format") != _FORMAT or set(content) != _KEYS:
        raise MappingError(f"{where}: format has to be {_FORMAT!r}, with the keys {', '.join(sorted(_KEYS))}")
    names: set[str] = set()
    for prefix, text in content["fields"].items():
        for word in text.split():
            if word.startswith("{") and word[1:-1] not in content["sets"]:
                raise MappingError(f"{where}: {prefix}: there is no set {word}")
            parts = content["sets"][word[1:-1]].split() if word.startswith("{") else [word]
            names.update(f"{prefix}.{part}" if prefix else part for part in parts)
    return FieldNames(frozenset(names), tuple(content["open"]), frozenset(content["sub_fields"]))


def is_known(field: str) -> bool:
    """Tell whether a field is one of ECS or of the mapping tables, or of those that products add.

    Event data may have any name; ``is_event_data`` tells it from the others.
    """
    known = field_names()
    if field in known.names or field.startswith(known.open):
        return True
    whole, _, last = field.rpartition(".")
    return last in known.sub_fields and whole in known.names


def is_event_data(field: str) -> bool:
    """Tell whether a field is recorded event data, which may have any name."""
    section, _, name = field.removeprefix("winlog.").partition(".")
    return field.startswith("winlog.") and section in SECTIONS and bool(name)


def nearest(field: str, more: Iterable[str] = ()) -> str | None:
    """Return the known name, or the one of ``more``, that looks most like a field; None where none does."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for a message, and slow to load

    names = sorted({*field_names().names, *more})
    lowered = {name.lower(): name for name in names}
    close = get_close_matches(field.lower(), lowered, n=1, cutoff=0.75)
    return lowered[close[0]] if close else None
