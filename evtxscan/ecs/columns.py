"""The columns of the case's one event table, from ``schema/ecs/columns.json``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, cast, get_args

from evtxscan.ecs.errors import MappingError
from evtxscan.schema import read_json

ColumnType = Literal["keyword", "long", "date"]
"""``keyword``: a dictionary-coded text; ``long``: a signed 64-bit integer; ``date``: one that is FILETIME ticks."""

PACKED: Final = "packed"
"""The column with the event data that repeats from event to event, as one JSON object."""

_FILE, _FORMAT = "ecs/columns.json", "evtxscan-ecs-columns/1"


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """One column: its name (an ECS path, a ``winlog.*`` path or :data:`PACKED`), type and what it holds."""

    name: str
    type: ColumnType
    description: str


@cache
def catalogue() -> dict[str, ColumnInfo]:
    """Return all columns by name, in the order of the file. Raises MappingError where the file is not valid."""
    content = read_json(_FILE)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise MappingError(f"schema/{_FILE}: format has to be {_FORMAT!r}")
    columns: dict[str, ColumnInfo] = {}
    for number, entry in enumerate(content.get("columns", ())):
        where = f"schema/{_FILE}: columns[{number}]"
        if not isinstance(entry, dict) or set(entry) != {"name", "type", "description"}:
            raise MappingError(f"{where}: needs name, type and description, nothing else")
        if entry["type"] not in get_args(ColumnType):
            raise MappingError(f"{where}: unknown type {entry['type']!r}")
        if entry["name"] in columns:
            raise MappingError(f"{where}: column {entry['name']!r} is named twice")
        columns[entry["name"]] = ColumnInfo(entry["name"], cast(ColumnType, entry["type"]), entry["description"])
    return columns
