"""Where the values of a field are, for every event of one kind: what a query compiler needs to know.

Elasticsearch counts every field as an array, so values are tuples: empty where the field is absent. Where a
resolution has an ``override`` and the event's ``data`` has a value at that path, that one text is the field's only
value (the column could not give the recorded text back exactly).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]
"""Keys into the event's ``data`` JSON, outermost first; a key may hold dots."""

Input = str | Path
"""What a field is computed from: a column by its name, or a text in ``data`` by its path."""

Cell = str | int | None
"""The value of a stored column, its dictionary id already replaced by the text; None where there is none."""

Values = tuple[Any, ...]
"""str, int and bool values; the object fields of base.json have objects (their parts are fields of their own)."""


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
    """What ``fn`` makes of the values of ``inputs``, in their order, each None where there is none.

    An input is the name of a column, or a path into the event's ``data``.
    """

    inputs: tuple[Input, ...]
    fn: Callable[..., Values]
    override: Path | None = None


@dataclass(frozen=True, slots=True)
class Data:
    """The text at ``path`` of the event's ``data``, none where there is no such key."""

    path: Path


@dataclass(frozen=True, slots=True)
class Json:
    """The JSON value at ``path`` of the event's ``data``: a scalar, or a list with several values of the field.

    ``inside`` leads on into objects of it, with dots. Where there is no such key, the values are those of
    ``otherwise``, if there is something.
    """

    path: Path
    inside: str = ""
    otherwise: Column | Derived | None = None

    def values(self, value: object) -> Values:
        """Return the values of the field in what stands at ``path``."""
        found = value if isinstance(value, list) else [value]
        for name in self.inside.split(".") if self.inside else ():
            found = [item for part in found if isinstance(part, dict) for item in _items(part.get(name))]
        return tuple(item for item in found if item is not None and not isinstance(item, dict | list))


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True, slots=True)
class Absent:
    """No event of the kind has the field."""


Resolution = Constant | Column | Derived | Data | Json | Absent

ABSENT = Absent()


def cell_values(resolution: Column | Derived | Data, cells: Mapping[Any, Cell]) -> Values:
    """Return the values that ``resolution`` takes from ``cells``, its override left aside.

    ``cells`` has columns by name and, as :func:`with_data` adds them, texts of ``data`` by path.
    """
    if isinstance(resolution, Derived):
        return resolution.fn(*map(cells.get, resolution.inputs))
    value = cells.get(resolution.path if isinstance(resolution, Data) else resolution.name)
    return () if value is None else (value,)


def with_data(
    row: Mapping[str, Cell], data: Mapping[str, Any] | None, paths: Iterable[Path]
) -> Mapping[str, Cell] | dict[Input, Cell]:
    """Return the cells of a row with those texts of its ``data`` that ``paths`` name."""
    found: dict[Input, Cell] = {path: text for path in paths if (text := text_at(data, path)) is not None}
    if not found:
        return row
    found.update(row)
    return found


def text_at(data: Mapping[str, Any] | None, path: Path) -> str | None:
    """Return the text at ``path`` of an event's ``data``, or None."""
    found: object = data
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None
