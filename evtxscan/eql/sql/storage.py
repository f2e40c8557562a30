"""Where a case keeps the values of a field, for each kind of record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from evtxscan.eql.predicates import Values
from evtxscan.evtx.filetime import to_iso

InputType = Literal["keyword", "long", "date", "json", "text"]


@dataclass(frozen=True, slots=True)
class Input:
    """A stored value that a field is computed from: an SQL expression over ``e`` (event) and ``l`` (lineage).

    ``keyword`` expressions give ids of value, and ``columns`` are those that the ids come from. ``read``, if given,
    turns what SQL gives into the value.
    """

    sql: str
    type: InputType
    columns: tuple[str, ...] = ()
    read: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Fixed:
    """A field with the same values in every record of a kind; no values where the kind never has the field.

    ``is_known`` without values: that the field is absent is a fact about the event, not a gap in what was recorded.
    """

    values: Values
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Computed:
    """A field that follows from stored values: ``compute`` gets one value (or None) per input.

    ``is_part``: the values are parts of the one text they follow from, so that what is not there is known not to be
    (the extension of a file without one); otherwise it may not have been recorded. ``is_partial`` tells of the same
    inputs as ``compute`` whether the values are only a part of what there was: a test that they fail is not known to be
    false.
    """

    inputs: tuple[Input, ...]
    compute: Callable[..., tuple[Any, ...]]
    key: tuple[Any, ...]
    is_part: bool = False
    is_partial: Callable[..., bool] | None = None


Storage = Fixed | Computed


def storage_key(storage: Storage) -> tuple[Any, ...]:
    """Return a hashable value that two storages share only if they give the same values for the same row."""
    if isinstance(storage, Fixed):
        return ("fixed", storage.is_known, *((type(value), value) for value in storage.values))
    return ("computed", storage.inputs, storage.key)


def told(given: Input, cell: Any, texts: Mapping[int, str]) -> Any:  # noqa: ANN401 - whatever SQLite holds
    """Return what stands behind a cell of an input, as it comes from SQL; ``texts`` has those of ids."""
    return behind(given.type, cell, texts) if given.read is None else given.read(cell)


def behind(kind: InputType, cell: Any, texts: Mapping[int, str]) -> Any:  # noqa: ANN401 - whatever SQLite holds
    """Return the text for its id, the time for ticks, anything else as it is."""
    if cell is None or kind in ("long", "json", "text"):
        return cell
    return to_iso(cell) if kind == "date" else texts[cell]
