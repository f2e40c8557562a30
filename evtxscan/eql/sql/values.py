"""Reads fields of the events that a compiled condition matches, many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

from evtxscan.eql.binder import JoinKey
from evtxscan.eql.engine import join_values
from evtxscan.eql.mapping import FieldMapping
from evtxscan.eql.predicates import Values
from evtxscan.eql.sql.compile import FROM, LINEAGE, Compiled, Selection
from evtxscan.eql.sql.run import CaseQueries, as_sql
from evtxscan.eql.sql.storage import Computed, Fixed, Input, Storage, storage_key, told
from evtxscan.store.case import explained

# Rows whose texts are looked up together.
_AT_ONCE = 2_000
# Values that repeat are worked out once; a field that never repeats must not fill the memory.
_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class EventValues:
    """An event by row id, its @timestamp in FILETIME ticks (None: it has none), and the values of some fields.

    ``values`` has one tuple for each field that was asked for, in that order, each value once and as its type compares
    (of an address its canonical text); an empty one where the field is missing.
    """

    event: int
    ticks: int | None
    values: tuple[Values, ...]


def matching_values(
    queries: CaseQueries,
    compiled: Compiled,
    fields: Sequence[str],
    mapping: FieldMapping,
    where: str | None = None,
) -> Iterator[EventValues]:
    """Yield the events that match, in the order of ``CaseQueries.matches``, with the values of some fields.

    ``where``: SQL that narrows the events down, of the form " AND ..."; None: the scope of ``queries``.
    """
    narrowed = queries.filter if where is None else where
    parts = [part for selection in compiled.selections for part in _parts(queries, selection, fields)]
    if not parts:
        return
    width = max(len(part.inputs) for part in parts)
    sql = " UNION ALL ".join(part.sql(number, width, narrowed) for number, part in enumerate(parts))
    keys = [JoinKey(field, optional=False, mapped=True, type=mapping.type_of(field)) for field in fields]
    reader = _Reader(queries, parts, keys)
    with explained(queries.case.path):
        rows = queries.in_order(queries.case.db.execute(f"{sql} ORDER BY 2"))
        while group := list(islice(rows, _AT_ONCE)):
            yield from reader.read(group)


@dataclass(frozen=True, slots=True)
class _Part:
    """Kinds of one selection that keep the fields alike. ``inputs`` are the cells that the fields follow from."""

    selection: Selection
    kinds: tuple[int, ...]
    storages: tuple[Storage, ...]
    inputs: tuple[Input, ...]

    def sql(self, number: int, width: int, where: str) -> str:
        cells = [given.sql for given in self.inputs] + ["NULL"] * (width - len(self.inputs))
        listed = ", ".join(["e.id", 'e."@timestamp"', str(number), *cells])
        needs_lineage = any("l." in given.sql for given in self.inputs)
        return (
            f"SELECT {listed} {FROM}{LINEAGE if needs_lineage else ''}"
            f" WHERE e.kind IN ({', '.join(map(str, self.kinds))}){where} AND {as_sql(self.selection.match)}"
        )


def _parts(queries: CaseQueries, selection: Selection, fields: Sequence[str]) -> Iterator[_Part]:
    if selection.match is False:
        return
    groups: dict[tuple[Any, ...], list[int]] = {}
    kept: dict[tuple[Any, ...], tuple[Storage, ...]] = {}
    for kind in selection.kinds:
        storages = tuple(queries.kinds[kind](field) for field in fields)
        key = tuple(map(storage_key, storages))
        groups.setdefault(key, []).append(kind)
        kept.setdefault(key, storages)
    for key, kinds in groups.items():
        computed = [storage for storage in kept[key] if isinstance(storage, Computed)]
        inputs = tuple(dict.fromkeys(given for storage in computed for given in storage.inputs))
        yield _Part(selection, tuple(kinds), kept[key], inputs)


class _Reader:
    """Turns rows of cells into values; what repeats is computed once."""

    def __init__(self, queries: CaseQueries, parts: list[_Part], keys: list[JoinKey]) -> None:
        self._events = queries.events
        self._parts = parts
        self._keys = keys
        self._known: dict[tuple[Any, ...], Values] = {}

    def read(self, rows: list[tuple[Any, ...]]) -> Iterator[EventValues]:
        """Yield the values of some rows of (event, ticks, part, cells ...)."""
        texts = self._events.texts(
            cell
            for _, _, part, *cells in rows
            for given, cell in zip(self._parts[part].inputs, cells, strict=False)
            if given.type == "keyword" and cell is not None
        )
        for event, ticks, number, *cells in rows:
            part = self._parts[number]
            raw = dict(zip(part.inputs, cells, strict=False))
            values: list[Values] = []
            for place, storage in enumerate(part.storages):
                given = () if isinstance(storage, Fixed) else tuple(raw[name] for name in storage.inputs)
                key = (number, place, *given)
                if (known := self._known.get(key)) is None:
                    known = self._remember(key, self._work_out(place, storage, given, texts))
                values.append(known)
            yield EventValues(event, ticks, tuple(values))

    def _remember(self, key: tuple[Any, ...], values: Values) -> Values:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        return self._known.setdefault(key, values)

    def _work_out(self, place: int, storage: Storage, cells: tuple[Any, ...], texts: dict[int, str]) -> Values:
        if isinstance(storage, Fixed):
            found = storage.values
        else:
            found = storage.compute(*map(told, storage.inputs, cells, repeat(texts)))
        return tuple(value for _, value in join_values(self._keys[place], lambda _: found) if value is not None)
