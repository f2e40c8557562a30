"""Where the values of a field are, for every event of one kind: what a query compiler needs to know.

Elasticsearch counts every field as an array, so values are tuples: empty where the field is absent. Where a
resolution has an ``override`` and the event's ``data`` has a value at that path, that one text is the field's only
value (the column could not give the recorded text back exactly).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]
"""Keys into the event's ``data`` JSON, outermost first; a key may hold dots."""

Cell = str | int | None
"""The value of a stored column, its dictionary id already replaced by the text; None where there is none."""

Values = tuple[Any, ...]
"""str, int and bool values; ``dns.answers`` alone has objects (its parts are fields of their own)."""


@dataclass(frozen=True, slots=True)
class Constant:
    """The same values for all events of the kind."""

    values: Values


@dataclass(frozen=True, slots=True)
class Column:
    """The value of one column, none where it is NULL. In a ``date`` column the value is FILETIME ticks."""

    name: str
    override: Path | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """What ``fn`` makes of the values of ``inputs``, in their order, each None where the column is NULL."""

    inputs: tuple[str, ...]
    fn: Callable[..., Values]
    override: Path | None = None


@dataclass(frozen=True, slots=True)
class Data:
    """The text at ``path`` of the event's ``data``, none where there is no such key."""

    path: Path


@dataclass(frozen=True, slots=True)
class Absent:
    """No event of the kind has the field."""


Resolution = Constant | Column | Derived | Data | Absent

ABSENT = Absent()


def cell_values(resolution: Column | Derived, cells: Mapping[str, Cell]) -> Values:
    """Return the values that ``resolution`` takes from the columns in ``cells``, its override left aside."""
    if isinstance(resolution, Column):
        value = cells.get(resolution.name)
        return () if value is None else (value,)
    return resolution.fn(*map(cells.get, resolution.inputs))
