"""The state of one batch while it is read, and the dicts that turn JSON values into cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evtxscan.ecs.convert import MAX_LONG, Conversion, decimal
from evtxscan.ecs.tables import EventTable
from evtxscan.ecs.text import to_text

Cells = list[int | None]


class Dictionary(dict[str, int]):
    """The texts of a batch in order of their numbers; ``cells`` has for each conversion what texts became."""

    __slots__ = ("_cells",)

    def __init__(self) -> None:
        super().__init__()
        self._cells: dict[tuple[Conversion, frozenset[str], bool], TextCells] = {}

    def cells(self, conversion: Conversion, blank: frozenset[str], *, shown: bool) -> TextCells:
        """Return the dict from text to cell that all columns of the batch with this conversion share."""
        key = (conversion, blank, shown)
        found = self._cells.get(key)
        if found is None:
            made = PlainCells if conversion.exact else TextCells
            found = self._cells[key] = made(conversion, self, blank, shown=shown)
        return found


@dataclass(slots=True)
class Batch:
    """Records of one kind. ``rest`` is, per record, what goes to its ``data``.

    A rest is ``{"event_data": {name: text}, "record_id": text ...}``, None while there is nothing in it.
    """

    table: EventTable
    size: int
    strings: Dictionary
    columns: dict[str, Cells] = field(default_factory=dict)
    rest: list[dict[str, Any] | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rest = [None] * self.size

    def put(self, column: str, cells: Cells, places: Sequence[int] | None = None) -> None:
        """Set a column, or those of its cells that are at ``places``."""
        if places is None:
            self.columns[column] = cells
            return
        target = self.columns.setdefault(column, [None] * self.size)
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


class NotTextError(Exception):
    """A value that is not a text was looked up among texts."""


class CellOf(dict[Any, int | None]):
    """From a JSON value to its cell, computed once per distinct value.

    ``kept`` has the text of each value that the column does not hold or would not give back exactly. Numbers and
    booleans that are equal (1, 1.0, true) are one key: see :func:`cells_of`.
    """

    __slots__ = ("_blank", "_convert", "_decimal", "_restore", "_strings", "kept")

    def __init__(self, conversion: Conversion, strings: Dictionary, blank: frozenset[str], *, shown: bool) -> None:
        super().__init__()
        self._convert = conversion.convert if not conversion.exact else None
        self._restore = conversion.restore if shown and not conversion.exact else None
        self._decimal = conversion.convert is decimal and not any(map(str.isdigit, blank))
        self._strings = strings
        self._blank = blank
        self.kept: dict[Any, str] = {}

    def __missing__(self, raw: object) -> int | None:
        cell: int | None
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


class TextCells(CellOf):
    """The same for texts and nulls only, which no other value equals; raises NotTextError."""

    __slots__ = ()

    def __missing__(self, raw: object) -> int | None:
        if raw.__class__ is not str and raw is not None:
            raise NotTextError
        return super().__missing__(raw)


class PlainCells(TextCells):
    """The same for texts that stay as they are: the usual case, and so without the calls of the others."""

    __slots__ = ()

    def __missing__(self, raw: object) -> int | None:
        if raw.__class__ is not str:
            return super().__missing__(raw)
        text: str | None = raw
        if not raw or len(raw) == 36 or "\n" in raw:
            text = to_text(raw)
        strings = self._strings
        cell = None if text is None or text in self._blank else strings.setdefault(text, len(strings))
        self[raw] = cell
        return cell


@dataclass(frozen=True, slots=True)
class Converted:
    """A column: its cells, the values they come from, and the texts of values that are not (quite) in the column."""

    cells: Cells
    values: Sequence[Any]
    kept: dict[Any, str]


def cells_of(
    strings: Dictionary, conversion: Conversion, blank: frozenset[str], values: Sequence[Any], *, shown: bool = False
) -> Converted:
    """Convert the values of a column; raises TypeError for nested ones.

    The returned values are texts where numbers are equal whose texts are not.
    """
    texts = strings.cells(conversion, blank, shown=shown)
    try:
        return Converted(list(map(texts.__getitem__, values)), values, texts.kept)
    except NotTextError:
        types = set(map(type, values))
    if types == {int} and _is_number(conversion, blank, min(values), max(values)):
        return Converted(list(values), values, {})
    memo = CellOf(conversion, strings, blank, shown=shown)
    values = as_keys(values)
    return Converted(list(map(memo.__getitem__, values)), values, memo.kept)


def _is_number(conversion: Conversion, blank: frozenset[str], lowest: int, highest: int) -> bool:
    """Whether the numbers of this range are their own cells."""
    if conversion.convert is not decimal or lowest < 0 or highest > MAX_LONG:
        return False
    return not any(text.isdigit() and lowest <= int(text) <= highest for text in blank)


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
