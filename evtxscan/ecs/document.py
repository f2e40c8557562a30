"""The read path: a stored row back to its ECS document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any, Final

from evtxscan.ecs.columns import PACKED
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import OWN, unpack
from evtxscan.ecs.mapping import Mapping as EventMapping
from evtxscan.ecs.resolve import Cell, Input, Path, cell_values, with_data
from evtxscan.evtx.filetime import to_iso

TIME_CREATED_DIGITS: Final = 7
"""FILETIME has 100 ns."""
UTC_TIME_DIGITS: Final = 3
"""Sysmon's UtcTime has milliseconds."""

_DATES = frozenset({"@timestamp", "winlog.time_created"})


def document(
    kind: Kind, mapping: EventMapping, row: Mapping[str, Cell], data: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the ECS document of one event, flat with dotted names, sorted by name.

    ``row`` has the event's column values by column name, dictionary ids already replaced by their texts; ``data`` is
    the parsed JSON of the event, which wins over what a column says. Fields without a value are left out.
    """
    fields = dict(mapping.constants(kind))
    fields.update(_from_cells(mapping, with_data(row, data, mapping.paths) if mapping.paths else row))
    fields.update(_from_data(data or {}, mapping.hidden))
    if kind.is_document:
        own = dict((data or {}).get(OWN, {}))
        if (time := own.pop("@timestamp", None)) is not None:  # with other digits than a record's
            own["@timestamp" if row.get("winlog.time_created") is None else "winlog.time_created"] = time
        packed = row.get(PACKED)
        fields.update(unpack(packed).get(OWN, {}) if isinstance(packed, str) else {})  # type: ignore[arg-type]
        fields.update(own)
    return {name: fields[name] for name in sorted(fields)}


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document nested as Elasticsearch's ``_source``.

    A name that would have to be a value and an object at once keeps its dots below the last object (only recorded
    names can clash so, and nothing may be lost).
    """
    nested: dict[str, Any] = {}
    for name in sorted(flat):
        parts = name.split(".")
        target = nested
        while len(parts) > 1 and isinstance(target.get(parts[0], {}), dict):
            target = target.setdefault(parts.pop(0), {})
        target[".".join(parts)] = flat[name]
    return nested


def render_time(ticks: int, row: Mapping[Any, Cell], field: str = "@timestamp") -> str:
    """Return a time of an event as ISO 8601 with the digits of its source.

    ``@timestamp`` is Sysmon's UtcTime where the row has TimeCreated beside it.
    """
    coarse = field == "@timestamp" and row.get("winlog.time_created") is not None
    return to_iso(ticks, UTC_TIME_DIGITS if coarse else TIME_CREATED_DIGITS)


def _from_cells(mapping: EventMapping, row: Mapping[str, Cell] | Mapping[Input, Cell]) -> Iterator[tuple[str, Any]]:
    for field, resolution in mapping.shown:
        values = cell_values(resolution, row)
        if not values:
            continue
        if field in mapping.lists or len(values) > 1:
            yield field, list(values)
        else:
            yield field, render_time(values[0], row, field) if field in _DATES else values[0]


def _from_data(data: Mapping[str, Any], hidden: Set[Path]) -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if key == OWN:
            continue
        if isinstance(value, dict):
            for name, text in value.items():
                if (key, name) not in hidden:
                    yield f"winlog.{key}.{name}", text
        else:
            yield f"winlog.{key}", value
