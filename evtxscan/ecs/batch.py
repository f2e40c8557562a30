"""The state of one batch while it is read, and the dicts that turn JSON values into cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evtxscan.ecs.convert import MAX_LONG, Conversion, decimal
from evtxscan.ecs.tables import EventTable
from evtxscan.ecs.text import to_text

Cells = list[int | None]


@dataclass(slots=True)
class Batch:
    """Records of one kind. ``rest`` is, per record, what goes to its ``data``.

    A rest is ``{"event_data": {name: text}, "record_id": text ...}``, None while there is nothing in it.
    """

    table: EventTable
    events: list[dict[str, Any]]
    strings: dict[str, int]
    columns: dict[str, Cells] = field(default_factory=dict)
    rest: list[dict[str, Any] | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rest = [None] * len(self.events)

    def put(self, column: str, cells: Cells, places: Sequence[int] | None = None) -> None:
        """Set a column, or those of its cells that are at ``places``."""
        if places is None:
            self.columns[column] = cells
            return
        target = self.columns.setdefault(column, [None] * len(self.events))
        for place, cell in zip(places, cells, strict=True):
            target[place] = cell

    def keep(self, place: int, name: str, text: str, section: str | None = None) -> None:
        """Put a text into the ``data`` of one record, in an object of it where ``section`` is given."""
        rest = self.rest[place]
        if rest is None:
            rest = self.rest[place] = {}
        if section is None:
            rest[name] = text
        else:
            rest.setdefault(section, {})[name] = text

    def keep_all(self, place: int, named: dict[str, str]) -> None:
        """Put recorded values into the ``data`` of one record."""
        rest = self.rest[place]
        if rest is None:
            self.rest[place] = {self.table.payload: named}
        else:
            rest.setdefault(self.table.payload, {}).update(named)


class TextOf(dict[Any, str | None]):
    """From a JSON value to its text, computed once per distinct value; None for what is no value of the table."""

    __slots__ = ("_blank",)

    def __init__(self, blank: frozenset[str]) -> None:
        super().__init__()
        self._blank = blank

    def __missing__(self, raw: object) -> str | None:
        text = to_text(raw)
        self[raw] = text = None if text in self._blank else text
        return text


class CellOf(dict[Any, int | None]):
    """From a JSON value to its cell, computed once per distinct value.

    ``kept`` has the text of each value that the column does not hold or would not give back exactly. Numbers and
    booleans that are equal (1, 1.0, true) are one key; :func:`cells_of` notices.
    """

    __slots__ = ("_blank", "_convert", "_decimal", "_restore", "_strings", "kept", "plain")

    def __init__(
        self, conversion: Conversion, strings: dict[str, int], blank: frozenset[str], *, shown: bool = False
    ) -> None:
        super().__init__()
        self._convert = conversion.convert if not conversion.exact else None
        self._restore = conversion.restore if shown and not conversion.exact else None
        self._decimal = conversion.convert is decimal and not any(map(str.isdigit, blank))
        self._strings = strings
        self._blank = blank
        self.kept: dict[Any, str] = {}
        self.plain = True  # only texts and nulls so far

    def __missing__(self, raw: object) -> int | None:
        cell: int | None
        if raw.__class__ is not str and raw is not None:
            self.plain = False
            if self._decimal and raw.__class__ is int and 0 <= raw <= MAX_LONG:
                self[raw] = cell = raw
                return cell
        text = to_text(raw)
        if text is None or text in self._blank:
            cell = None
        elif self._convert is None:
            cell = self._strings.setdefault(text, len(self._strings))
        else:
            cell = self._converted(raw, text, self._convert(text))
        self[raw] = cell
        return cell

    def _converted(self, raw: object, text: str, value: str | int | None) -> int | None:
        if value is None:
            self.kept[raw] = text
            return None
        if self._restore is not None and self._restore(value) != text:
            self.kept[raw] = text
        return value if isinstance(value, int) else self._strings.setdefault(value, len(self._strings))


def cells_of(memo: CellOf, values: Sequence[Any]) -> tuple[Cells, Sequence[Any]]:
    """Return the cells of ``values``, and the values themselves, as texts where equal numbers have different texts."""
    cells = list(map(memo.__getitem__, values))
    if not memo.plain and _mixed(values):
        values = [to_text(value) for value in values]
        memo.clear()
        memo.kept.clear()
        cells = list(map(memo.__getitem__, values))
    return cells, values


def as_keys(values: Sequence[Any]) -> Sequence[Any]:
    """Return values that are equal only where their texts are."""
    return [to_text(value) for value in values] if _mixed(values) else values


def _mixed(values: Sequence[Any]) -> bool:
    """Whether values may be equal though their texts are not: 1 and true, 1 and 1.0, 0.0 and -0.0.

    Raises TypeError for nested values, as their use as keys of a dict does.
    """
    types = set(map(type, values))
    if list in types or dict in types:
        raise TypeError("nested values are no cells")
    return float in types or {bool, int} <= types
