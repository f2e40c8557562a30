"""Runs any number of conditions over a case in one pass over its events.

What costs is shared: the texts of each column are matched against all patterns once, and the events of each kind are
read once, in blocks, over which every condition is a few operations on sets of rows. So the time hardly grows with the
number of conditions, and the memory not with the number of events.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson

from evtxscan.eql.predicates import Predicate
from evtxscan.eql.sql.answers import Answers, Weak
from evtxscan.eql.sql.bits import chosen, to_bits
from evtxscan.eql.sql.block import Block
from evtxscan.eql.sql.evaluate import Evaluation, Rows
from evtxscan.eql.sql.plan import Numbers, OfCells, Plan
from evtxscan.eql.sql.storage import Input, Storage, behind
from evtxscan.store.events import Events
from evtxscan.store.scripts import JoinedScript

# Rows in memory at a time, and of those with texts of their own, as scripts are, no more than have so many characters.
_BLOCK = 1 << 14
_CHARACTERS = 1 << 23
# Processes at a time where their records have such texts.
_FEW = 1 << 10
# Names of temporary tables: one case may be scanned more than once.
_TABLES = count(1)

MATCH, TRUE, UNKNOWN = range(3)
PARTS = 3

_HOST = 'e."host.name"'


@dataclass(frozen=True, slots=True)
class Lack:
    """What keeps events from being decided. ``kind`` and ``host`` (a text) are row ids; ``reason`` is lineage's.

    ``is_absent``: the field has no value at all; otherwise the value it has proves nothing.
    """

    kind: int
    host: int | None
    reason: str | None
    field: str
    is_absent: bool


@dataclass(slots=True)
class Scanned:
    """What a condition gave. ``kinds``: those whose records could meet it. ``matches``: how many events do.

    ``lacks`` and ``undecided`` count events that do not match and might: by what they lack, and by host. ``hosts``, of
    a condition with details, are those with an event that matches or might.
    """

    kinds: list[int] = field(default_factory=list)
    matches: int = 0
    lacks: Counter[Lack] = field(default_factory=Counter)
    undecided: Counter[int | None] = field(default_factory=Counter)
    hosts: set[int | None] = field(default_factory=set)


class Scan:
    """One pass over a case for ``trees``.

    Events are left in the temporary table ``table`` (part, event). Condition number n has the part 3n + MATCH: its
    matches. Where n is in ``detailed``, it has also 3n + UNKNOWN: what does not match and of which the evidence cannot
    say that it should not; and, where ``detailed`` says so of it, 3n + TRUE: what surely meets it.

    ``kinds`` gives for each kind where it keeps a field. ``starts`` are the kinds of process starts, the flag says
    which are Sysmon's; of those, two records may tell of one process. ``narrowed`` is SQL of the form " AND ..." over
    event e. ``counted`` tells of which kinds undecided events count.
    """

    def __init__(
        self,
        events: Events,
        db: sqlite3.Connection,
        kinds: Mapping[int, Callable[[str], Storage]],
        trees: Sequence[Predicate],
        *,
        starts: Mapping[int, bool],
        counted: Callable[[int], bool],
        narrowed: str = "",
        weak: Weak | None = None,
        detailed: Mapping[int, bool] | None = None,
    ) -> None:
        self._events = events
        self._db = db
        self._trees = trees
        self._numbers = Numbers(trees)
        self._starts = starts
        self._counted = counted
        self._narrowed = narrowed
        self._detailed = detailed or {}
        self.table = f"temp.scan_{next(_TABLES)}"
        self.results = [Scanned() for _ in trees]
        self._plans = self._planned(kinds, Answers(db, weak))

    def run(self) -> list[Scanned]:
        """Scan the case and return what each condition gave, in their order."""
        self._db.execute(
            f"CREATE TABLE {self.table} (part INTEGER, event INTEGER, PRIMARY KEY (part, event)) WITHOUT ROWID"
        )
        starts = [plan for plan in self._plans if plan.kind in self._starts]
        for plan in self._plans:
            if plan.kind not in self._starts:
                self._scan(plan, f"FROM event e WHERE e.kind = {plan.kind}")
        if starts:
            self._scan_starts(starts)
        return self.results

    def _planned(self, kinds: Mapping[int, Callable[[str], Storage]], answers: Answers) -> list[Plan]:
        complete = self._events.complete
        plans = [
            Plan(kind, storage_of, self._trees, self._numbers, complete[kind]) for kind, storage_of in kinds.items()
        ]
        plans = [plan for plan in plans if plan.trees]
        for plan in plans:
            plan.ask(answers)
            for place in plan.trees:
                self.results[place].kinds.append(plan.kind)
        answers.work_out()
        for plan in plans:
            plan.settle()
        return [plan for plan in plans if plan.trees]

    def _scan(self, plan: Plan, source: str) -> None:
        """Scan records that stand for themselves."""
        inputs = plan.inputs
        listed = ", ".join(["e.id", _HOST, *(given.sql for given in inputs)])
        lineage = " LEFT JOIN lineage l ON l.event = e.id" if any("l." in given.sql for given in inputs) else ""
        sql = f"SELECT {listed} {source.replace(' WHERE', f'{lineage} WHERE', 1)}{self._narrowed}"
        rows = self._db.execute(sql)
        for group in _groups(rows, inputs):
            events, hosts, *columns = zip(*group, strict=True)
            block = Block(len(group), (1 << len(group)) - 1, dict(zip(inputs, columns, strict=True)), plan.cells)
            told = _Told(plan.kind, events, hosts, [None] * len(group))
            evaluation = Evaluation(plan, self._numbers, block, self._raw)
            is_counted = self._counted(plan.kind)
            for place in plan.trees:
                tree = self._trees[place]
                found = evaluation.rows(tree)
                unknown = evaluation.unknown(found) if is_counted else 0
                self._keep(place, told, block, found, unknown)
                if unknown:
                    self._count(place, evaluation, told, block, unknown)

    def _scan_starts(self, plans: list[Plan]) -> None:
        """Scan process starts in the order of their processes, so that both records of one stand at the same place."""
        inputs = list(dict.fromkeys(given for plan in plans for given in plan.inputs))
        kinds = ", ".join(str(plan.kind) for plan in plans)
        listed = ", ".join(["e.id", _HOST, "l.reason", *(given.sql for given in inputs)])
        sql = (
            f"SELECT e.kind, l.process, e.id IN (p.sysmon_event, p.security_event), {listed}"
            " FROM lineage l CROSS JOIN event e ON e.id = l.event CROSS JOIN process p ON p.id = l.process"
            f" WHERE l.process BETWEEN ? AND ? AND e.kind IN ({kinds}){self._narrowed}"
        )
        last = self._db.execute("SELECT coalesce(max(id), 0) FROM process").fetchone()[0]
        step = _FEW if any(given.type == "json" for given in inputs) else _BLOCK
        for first in range(0, last + 1, step):
            rows = self._db.execute(sql, (first, first + step - 1)).fetchall()
            parts = {plan.kind: [row for row in rows if row[0] == plan.kind] for plan in plans}
            del rows
            copies = self._scan_pairs(plans, inputs, parts, first)
            for plan, further in copies:
                self._scan_copies(plan, inputs, further)
        for plan in plans:
            self._scan(plan, f"FROM event e WHERE e.kind = {plan.kind} AND e.id NOT IN (SELECT event FROM lineage)")

    def _scan_pairs(
        self, plans: list[Plan], inputs: list[Input], parts: dict[int, list[Any]], first: int
    ) -> list[tuple[Plan, list[Any]]]:
        """Scan the first record of each log of processes from number ``first`` on; return further copies of them."""
        copies: list[tuple[Plan, list[Any]]] = []
        security, sysmon = _Side(), _Side()
        for plan in plans:
            rows = parts.pop(plan.kind)
            places = [row[1] - first for row in rows]
            if not all(row[2] for row in rows):
                copies.append((plan, [row for row in rows if not row[2]]))
                rows = [row for row in rows if row[2]]
                places = [row[1] - first for row in rows]
            if rows:
                side = sysmon if self._starts[plan.kind] else security
                side.parts.append(self._part(plan, inputs, rows, places))
                side.there |= side.parts[-1][1].all
        for side in (security, sysmon):
            for told, block, evaluation in side.parts:
                for place in evaluation.plan.trees:
                    tree = self._trees[place]
                    found = evaluation.rows(tree)
                    unknown = evaluation.unknown(found)
                    self._keep(place, told, block, found, unknown)
                    if unknown:
                        side.unknown.setdefault(place, []).append((told, block, evaluation, unknown))
        # A start that its other record decides is decided; where neither does, Sysmon's tells of it.
        for place, found_unknown in security.unknown.items():
            for told, block, evaluation, unknown in found_unknown:
                self._count(place, evaluation, told, block, unknown & ~sysmon.there)
        for place, found_unknown in sysmon.unknown.items():
            open_too = 0
            for *_, unknown in security.unknown.get(place, ()):
                open_too |= unknown
            for told, block, evaluation, unknown in found_unknown:
                self._count(place, evaluation, told, block, unknown & ~(security.there & ~open_too))
        return copies

    def _part(self, plan: Plan, inputs: list[Input], rows: list[Any], places: Sequence[int]) -> _Part:
        size = 1 + max(places)
        padded = rows
        if len(rows) < size:
            padded = [(None,) * len(rows[0])] * size
            for place, row in zip(places, rows, strict=True):
                padded[place] = row
        _, _, _, events, hosts, reasons, *columns = zip(*padded, strict=True)
        taken = (1 << size) - 1 if len(rows) == size else to_bits(places, size)
        block = Block(size, taken, dict(zip(inputs, columns, strict=True)), plan.cells)
        return _Told(plan.kind, events, hosts, reasons), block, Evaluation(plan, self._numbers, block, self._raw)

    def _scan_copies(self, plan: Plan, inputs: list[Input], rows: list[Any]) -> None:
        """Scan further copies of records: what is not known of them is not known of the first one either."""
        told, block, evaluation = self._part(plan, inputs, rows, range(len(rows)))
        for place in plan.trees:
            found = evaluation.rows(self._trees[place])
            self._keep(place, told, block, found, evaluation.unknown(found))

    def _keep(self, place: int, told: _Told, block: Block, found: Rows, unknown: int) -> None:
        result = self.results[place]
        result.matches += found.match.bit_count()
        parts = {MATCH: found.match}
        if place in self._detailed:
            parts |= {TRUE: found.true if self._detailed[place] else 0, UNKNOWN: unknown}
            if perhaps := found.match | unknown:
                result.hosts.update(host for (host, _), rows in told.groups(block).items() if perhaps & rows)
        for part, bits in parts.items():
            if bits:
                events = orjson.dumps(chosen(told.events, bits)).decode()  # a quarter of the time of a row at a time
                self._db.execute(
                    f"INSERT INTO {self.table} SELECT {PARTS * place + part}, value FROM json_each(?)", (events,)
                )

    def _count(self, place: int, evaluation: Evaluation, told: _Told, block: Block, unknown: int) -> None:
        if not unknown:
            return
        result = self.results[place]
        lacking = evaluation.lacking(self._trees[place], unknown)
        for (host, reason), rows in told.groups(block).items():
            if events := (unknown & rows).bit_count():
                result.undecided[host] += events
            for (name, is_absent), bits in lacking.items():
                if events := (bits & rows).bit_count():
                    result.lacks[Lack(told.kind, host, reason, name, is_absent)] += events

    def _raw(self, asked: OfCells, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return what stands behind cells: texts for the ids of texts, times for ticks."""
        texts = self._events.texts(
            cell
            for cells in rows
            for given, cell in zip(asked.inputs, cells, strict=True)
            if given.type == "keyword" and cell is not None
        )
        types = [given.type for given in asked.inputs]
        return [tuple(behind(kind, cell, texts) for kind, cell in zip(types, cells, strict=True)) for cells in rows]


def _groups(rows: sqlite3.Cursor, inputs: Sequence[Input]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield rows (event, host, a cell per input) by the block, with what inputs that are read by a function stand for.

    A script may have megabytes, and any value beside the columns as much as a record can hold.
    """
    before = 2
    large = [(place, given.read) for place, given in enumerate(inputs, before) if given.type == "json"]
    if not large:
        while block := rows.fetchmany(_BLOCK):
            yield block
        return
    group: list[tuple[Any, ...]] = []
    characters = 0
    for row in rows:
        cells = list(row)
        for place, read in large:
            cell = cells[place] if read is None else read(cells[place])
            cells[place] = cell
            characters += len(cell) if isinstance(cell, str | JoinedScript) else 0
        group.append(tuple(cells))
        if len(group) == _BLOCK or characters >= _CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


@dataclass(slots=True)
class _Told:
    """What is said of the rows of a block, beside what conditions ask."""

    kind: int
    events: Sequence[int]
    hosts: Sequence[int | None]
    reasons: Sequence[str | None]
    _groups: dict[tuple[int | None, str | None], int] | None = None

    def groups(self, block: Block) -> dict[tuple[int | None, str | None], int]:
        """Return the rows by host and reason."""
        if self._groups is None:
            self._groups = {
                (host, reason): rows for (host, reason), rows in block.partition([self.hosts, self.reasons]).items()
            }
        return self._groups


@dataclass(slots=True)
class _Side:
    """The records that one log has of the processes of a block; ``unknown`` by condition."""

    there: int = 0
    parts: list[_Part] = field(default_factory=list)
    unknown: dict[int, list[tuple[_Told, Block, Evaluation, int]]] = field(default_factory=dict)


_Part = tuple[_Told, Block, Evaluation]
