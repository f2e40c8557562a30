"""Reads the events that may take part in a sequence from a case: in order, with their join keys, a few at a time.

Each item of a sequence is a condition of its own, compiled as for single events. Join keys are worked out once per
distinct combination of the cells that they follow from; no document is made of a row.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby, product
from operator import attrgetter
from typing import Any, Literal

from evtxscan.eql.binder import BoundTerm, JoinKey
from evtxscan.eql.engine import JoinValue, join_values
from evtxscan.eql.sequences import Key
from evtxscan.eql.sql.compile import FROM, LINEAGE, Compiled, Selection
from evtxscan.eql.sql.run import TICKS_PER_MILLISECOND, CaseQueries, as_sql
from evtxscan.eql.sql.storage import Computed, Fixed, Input, Storage, storage_key, told
from evtxscan.evtx.filetime import MAX_TICKS

# Rows of one statement that are read, and whose texts are looked up, together.
_AT_ONCE = 1_000
# Values that repeat are worked out once; one that never repeats must not fill the memory.
_REMEMBERED = 50_000

# Numbers of temporary tables.
_TABLES = count(1)
# Where the cells of a row begin.
_CELLS = 7

UNRECORDED: JoinValue = ("unrecorded", None)
"""In place of a join value that the evidence does not have and that may have been anything."""

# Records of process starts stand where Sysmon's record of the same start does, and are one event with it.
_PROCESS = (
    " LEFT JOIN process p ON p.id = l.process"
    " LEFT JOIN event s ON s.id = coalesce(p.sysmon_event, p.security_event, e.id)"
)


Which = Literal["matching", "possible", "certain"]
"""The records of an item: what Elasticsearch finds; also those that may meet it; those only that surely do."""


@dataclass(frozen=True, slots=True)
class Item:
    """One condition of a sequence, compiled. ``number`` is its place in the query.

    Where ``which`` is *possible*, join values that were not recorded come as UNRECORDED.
    """

    number: int
    term: BoundTerm
    compiled: Compiled
    which: Which = "matching"


@dataclass(frozen=True, slots=True)
class Served:
    """A record that meets an item, or might (``is_unknown``), and the join keys with which it does.

    ``host`` is the id of the host's name; ``has_witness`` tells that another log has a record of the same start.
    """

    item: int
    event: int
    keys: tuple[Key, ...]
    host: int | None
    has_witness: bool
    is_unknown: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event in its place: ``time`` in milliseconds since 1601, ``order`` rising.

    Two records of one process start, taken as one event, have one ``identity``.
    """

    time: int
    order: int
    identity: int
    served: tuple[Served, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """How many records of one kind and host lack a join field; ``lineage`` says why lineage has no command line."""

    field: str
    kind: int
    host: int | None
    lineage: str | None
    records: int


@dataclass(frozen=True, slots=True)
class _Row:
    ticks: int
    place: int
    identity: int
    served: Served


class Candidates:
    """Reads candidates of one case.

    ``once``: records of one process start are one event, at the time of Sysmon's record. ``shared``: tables of the
    cells that a join key has to be one of, by the key's place.
    """

    def __init__(self, queries: CaseQueries, *, once: bool, shared: Mapping[int, str] | None = None) -> None:
        self._queries = queries
        self._once = once
        self._shared = shared or {}

    def read(self, items: Sequence[Item]) -> Iterator[Candidate]:
        """Yield candidates by @timestamp in milliseconds, those of one millisecond in order of record."""
        rows = heapq.merge(*(self._rows(item, part) for item in items for part in self._parts(item)), key=_ticks)
        order = 0
        for time, group in groupby(rows, key=lambda row: row.ticks // TICKS_PER_MILLISECOND):
            for identity, served in self._events(list(group)):
                yield Candidate(time, order, identity, served)
                order += 1

    def keep_cells(self, item: Item) -> dict[int, str]:
        """Keep the cells of an item's join keys in temporary tables, and return those by the key's place.

        Keys that may be null, or that do not stand in one column as they are, are left out.
        """
        parts = list(self._parts(item))
        tables: dict[int, str] = {}
        for place, key in enumerate(item.term.keys):
            inputs = [_plain(part.kept(item.term.keys)[key.path]) for part in parts]
            if key.optional or None in inputs:
                continue
            tables[place] = f"temp.shared_{next(_TABLES)}"
            self._queries.case.db.execute(f"CREATE TABLE {tables[place]} (cell PRIMARY KEY) WITHOUT ROWID")
            for part, given in zip(parts, inputs, strict=True):
                if given is not None:
                    sql = part.sql_of_cells(given, self._queries.filter)
                    self._queries.case.db.execute(f"INSERT OR IGNORE INTO {tables[place]} {sql}")
        return tables

    def _narrowed(self, item: Item, part: _Part) -> str:
        """Return SQL for records whose join keys are among the shared ones, as far as SQL can tell."""
        kept = part.kept(item.term.keys)
        inputs = {place: _plain(kept[key.path]) for place, key in enumerate(item.term.keys) if not key.optional}
        return "".join(
            f" AND {given.sql} IN {table}"
            for place, table in self._shared.items()
            if (given := inputs.get(place)) is not None
        )

    def without_key(self, item: Item) -> Iterator[Open]:
        """Yield how many records of an item lack a join field that they may have had, other records of them aside."""
        for part in self._parts(item):
            for field, storage in part.kept(item.term.keys).items():
                if _is_known(storage) or (isinstance(storage, Fixed) and storage.values):
                    continue
                if isinstance(storage, Computed) and any(
                    self._is_always_there(part, given) for given in storage.inputs
                ):
                    continue
                rows = self._queries.case.db.execute(part.sql_without(storage, self._queries.filter))
                for kind, host, lineage, records in rows:
                    yield Open(field, kind, host, lineage, records)

    def _is_always_there(self, part: _Part, given: Input) -> bool:
        complete = self._queries.events.complete
        return bool(given.columns) and all(given.columns[0] in complete[kind] for kind in part.kinds)

    def _events(self, rows: list[_Row]) -> Iterator[tuple[int, tuple[Served, ...]]]:
        """Put the rows of one moment in order and those of one event together, the record they stand at first."""
        if len(rows) == 1:
            yield rows[0].identity, (rows[0].served,)
            return
        distinct = {row.place for row in rows}
        places = self._queries.order.places(distinct) if len(distinct) > 1 else {}
        rows.sort(key=lambda row: (places.get(row.place), row.served.event != row.place, row.served.event))
        for identity, group in groupby(rows, key=attrgetter("identity")):
            yield identity, tuple(row.served for row in group)

    def _parts(self, item: Item) -> Iterator[_Part]:
        for selection in item.compiled.selections:
            match = selection.true if item.which == "certain" else selection.match
            unknown = selection.unknown if item.which == "possible" else False
            if match is False and unknown is False:
                continue
            groups: dict[tuple[Any, ...], list[int]] = {}
            kept: dict[tuple[Any, ...], tuple[Storage, ...]] = {}
            for kind in selection.kinds:
                storages = tuple(map(self._queries.kinds[kind], dict.fromkeys(key.path for key in item.term.keys)))
                signature = (self._once and self._queries.is_start(kind), *map(storage_key, storages))
                groups.setdefault(signature, []).append(kind)
                kept.setdefault(signature, storages)
            for signature, kinds in groups.items():
                part = _Part(selection, tuple(kinds), kept[signature], bool(signature[0]), match, unknown)
                if _can_join(item, part):
                    yield part

    def _rows(self, item: Item, part: _Part) -> Iterator[_Row]:
        reader = _KeyReader(self._queries, item, part)
        cursor = self._queries.case.db.execute(part.sql(self._queries.filter + self._narrowed(item, part)))
        while rows := cursor.fetchmany(_AT_ONCE):
            keys_of_rows = reader.read([row[_CELLS:] for row in rows])
            for (event, ticks, place, identity, host, *flags), keys in zip(rows, keys_of_rows, strict=True):
                if keys:
                    served = Served(item.number, event, keys, host, bool(flags[0]), bool(flags[1]))
                    yield _Row(ticks, place, identity, served)


@dataclass(frozen=True, slots=True)
class _Part:
    """Kinds of a selection that keep the join fields alike; ``storages`` in the order of the distinct fields."""

    selection: Selection
    kinds: tuple[int, ...]
    storages: tuple[Storage, ...]
    is_start: bool
    match: str | bool
    unknown: str | bool

    def kept(self, keys: tuple[JoinKey, ...]) -> dict[str, Storage]:
        """Return where these kinds keep each join field."""
        return dict(zip(dict.fromkeys(key.path for key in keys), self.storages, strict=True))

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The cells that the join fields follow from."""
        computed = [storage for storage in self.storages if isinstance(storage, Computed)]
        return tuple(dict.fromkeys(given for storage in computed for given in storage.inputs))

    @property
    def _condition(self) -> str:
        matches = as_sql(self.match)
        return matches if self.unknown is False else f"({matches} OR {as_sql(self.unknown)})"

    def sql_of_cells(self, given: Input, where: str) -> str:
        """Return SQL for the cells of an input."""
        tables = FROM + (LINEAGE if "l." in given.sql else "")
        return (
            f"SELECT DISTINCT {given.sql} {tables} WHERE e.kind IN ({', '.join(map(str, self.kinds))}){where}"
            f" AND {self._condition} AND {given.sql} IS NOT NULL"
        )

    def sql_without(self, storage: Storage, where: str) -> str:
        """Return SQL for kind, host, reason of lineage and number of records in which a field has no value."""
        cells = [given.sql for given in storage.inputs] if isinstance(storage, Computed) else []
        absent = "".join(f" AND {cell} IS NULL" for cell in cells)
        alone = " AND (p.sysmon_event IS NULL OR p.security_event IS NULL)" if self.is_start else ""
        return (
            f'SELECT e.kind, e."host.name", l.reason, count(*) {FROM}{LINEAGE}{_PROCESS if self.is_start else ""}'
            f" WHERE e.kind IN ({', '.join(map(str, self.kinds))}){where} AND {self._condition}{absent}{alone}"
            " GROUP BY 1, 2, 3"
        )

    def sql(self, where: str) -> str:
        """Return SQL for event, ticks, event it stands at, identity, host, has another witness, is unknown, cells."""
        cells = [given.sql for given in self.inputs]
        tables = FROM
        if self.is_start or any("l." in cell for cell in cells):
            tables += LINEAGE
        place, identity = "e", "e.id"
        if self.is_start:
            tables += _PROCESS
            place, identity = "s", "coalesce(-l.process, e.id)"
        columns = ", ".join(
            [
                "e.id",
                f'{place}."@timestamp"',
                f"{place}.id",
                identity,
                'e."host.name"',
                "p.sysmon_event IS NOT NULL AND p.security_event IS NOT NULL" if self.is_start else "0",
                "0" if self.unknown is False else f"NOT {as_sql(self.match)}",
                *cells,
            ]
        )
        return (
            f"SELECT {columns} {tables} WHERE e.kind IN ({', '.join(map(str, self.kinds))}){where}"
            f' AND {self._condition} AND {place}."@timestamp" BETWEEN 0 AND {MAX_TICKS} ORDER BY 2'
        )


class _KeyReader:
    """Works out join keys from the cells of rows; what repeats is computed once."""

    def __init__(self, queries: CaseQueries, item: Item, part: _Part) -> None:
        self._events = queries.events
        self._keys = item.term.keys
        self._inputs = part.inputs
        self._fields = part.kept(self._keys)
        self._possible = item.which == "possible"
        self._known: dict[tuple[Any, ...], tuple[Key, ...]] = {}

    def read(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Key, ...]]:
        """Yield for each row of cells its join keys: none where a value is missing and cannot be null."""
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        new = {cells for cells in rows if cells not in self._known}
        texts = self._events.texts(
            cell
            for cells in new
            for given, cell in zip(self._inputs, cells, strict=True)
            if given.type == "keyword" and cell is not None
        )
        for cells in new:
            self._known[cells] = tuple(self._work_out(cells, texts))
        return (self._known[cells] for cells in rows)

    def _work_out(self, cells: tuple[Any, ...], texts: Mapping[int, str]) -> Iterator[Key]:
        cells_told = {given: told(given, cell, texts) for given, cell in zip(self._inputs, cells, strict=True)}
        values = {
            field: storage.values
            if isinstance(storage, Fixed)
            else storage.compute(*(cells_told[given] for given in storage.inputs))
            for field, storage in self._fields.items()
        }
        return product(*(self._join(key, values[key.path]) for key in self._keys))

    def _join(self, key: JoinKey, values: tuple[Any, ...]) -> Iterable[JoinValue]:
        found = join_values(key, lambda _: values)
        if self._possible and not values and not _is_known(self._fields[key.path]):
            return [*found, UNRECORDED]
        return found


def _can_join(item: Item, part: _Part) -> bool:
    """Whether records of these kinds have the join fields at all."""
    kept = part.kept(item.term.keys)
    return all(
        key.optional or _may_have(kept[key.path]) or (item.which == "possible" and not _is_known(kept[key.path]))
        for key in item.term.keys
    )


def _plain(storage: Storage) -> Input | None:
    """Return the column that holds the field as it is, if one does: its cells are equal where the values are."""
    if isinstance(storage, Computed) and storage.key == ("column", "text") and storage.inputs[0].type == "keyword":
        return storage.inputs[0]
    return None


def _may_have(storage: Storage) -> bool:
    return isinstance(storage, Computed) or bool(storage.values)


def _is_known(storage: Storage) -> bool:
    """Whether it is a fact that the field is not there, and no gap in what was recorded."""
    return isinstance(storage, Fixed) and storage.is_known


def _ticks(row: _Row) -> int:
    return row.ticks
