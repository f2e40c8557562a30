"""Answers leaves over the distinct values of a column, once, and hands SQL the sets of values."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import ahocorasick

from evtxscan.eql.predicates import Leaf, Values
from evtxscan.eql.scalars import fold_ascii
from evtxscan.eql.sql.storage import Computed, Fixed, Input, Storage, is_partial, storage_key
from evtxscan.evtx.filetime import to_iso

# Longer lists of ids go to a temporary table.
_INLINE = 200
# Numbers of temporary tables: one case may be asked several things at once.
_TABLES = count(1)
_FEW_LITERALS = 8

Weak = Callable[[Leaf, str], bool]
"""Tells whether a test's *no* for a recorded text proves nothing (see detect.services)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A leaf's answers as SQL: each is an expression that is never NULL, or a bool where it is the same for all.

    ``holds``: Elasticsearch's answer. ``known_true`` and ``known_false``: what the evidence can say; where neither is
    true the answer is unknown. ``absent``: SQL that is true where a field has no value at all.
    """

    holds: str | bool
    known_true: str | bool
    known_false: str | bool
    absent: str


class ValueSets:
    """Makes and remembers the sets of one run over one case."""

    def __init__(self, db: sqlite3.Connection, weak: Weak | None = None) -> None:
        self._db = db
        self._weak = weak or (lambda leaf, text: False)
        self._answers: dict[tuple[Any, ...], Answer] = {}
        self._texts: dict[tuple[str, ...], tuple[list[int], list[str]]] = {}
        self._squeezed: dict[tuple[Any, ...], list[str]] = {}

    def answer(self, leaf: Leaf, storages: Sequence[Storage], source: str) -> Answer:
        """Answer a leaf whose field i is kept as ``storages[i]``; ``source`` is SQL for ``FROM ... WHERE kind ...``."""
        fixed = [storage for storage in storages if isinstance(storage, Fixed)]
        if len(fixed) == len(storages):
            return _fixed(leaf, fixed)
        inputs = tuple(
            dict.fromkeys(i for storage in storages if isinstance(storage, Computed) for i in storage.inputs)
        )
        shared = len(inputs) == 1 and inputs[0].type == "keyword"
        key = (leaf.key, tuple(storage_key(storage) for storage in storages), "" if shared else source)
        if key not in self._answers:
            if len(inputs) == 1:
                self._answers[key] = self._over_one(leaf, storages, inputs[0], source)
            else:
                self._answers[key] = self._over_many(leaf, storages, inputs, source)
        return self._answers[key]

    def _over_one(self, leaf: Leaf, storages: Sequence[Storage], given: Input, source: str) -> Answer:
        holds: list[Any] = []
        unknown: list[Any] = []
        for cell, raw in self._candidates(leaf, storages, given, source):
            values = [storage.values if isinstance(storage, Fixed) else storage.compute(raw) for storage in storages]
            truth = leaf.test(values)
            if truth:
                holds.append(cell)
            if (
                not _known(storages, values)
                or (not truth and self._is_weak(leaf, raw))
                or (not (truth and leaf.holds_for_parts) and is_partial(storages, {given: raw}))
            ):
                unknown.append(cell)
        missing = [storage.values if isinstance(storage, Fixed) else storage.compute(None) for storage in storages]
        inside = self._inside(given.sql, holds)
        uncertain = self._inside(given.sql, unknown)
        without = f"{given.sql} IS NULL"
        return Answer(
            holds=_any([inside, without]) if leaf.test(missing) else inside,
            known_true=_all([inside, _not(uncertain)]),
            known_false=_all([_not(without), _not(inside), _not(uncertain)]),
            absent=without,
        )

    def _is_weak(self, leaf: Leaf, raw: object) -> bool:
        return isinstance(raw, str) and self._weak(leaf, raw)

    def _candidates(
        self, leaf: Leaf, storages: Sequence[Storage], given: Input, source: str
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (cell, value) of the input, without values that the leaf's literals rule out."""
        if given.type != "keyword":
            for (cell,) in self._db.execute(f"SELECT DISTINCT {given.sql} {source}"):
                if cell is not None:
                    yield cell, to_iso(cell) if given.type == "date" else cell
            return
        ids, texts = self._domain(given.columns)
        literals = leaf.required_literals
        only = storages[0]
        if len(storages) != 1 or not isinstance(only, Computed) or only.squeeze is None or not literals:
            yield from zip(ids, texts, strict=True)
            return
        squeeze = only.squeeze
        contains = _finder([fold_ascii(squeeze(literal)) for literal in literals])
        key = (given.columns, squeeze)
        if key not in self._squeezed:
            self._squeezed[key] = [fold_ascii(squeeze(text)) for text in texts]
        for cell, text, squeezed in zip(ids, texts, self._squeezed[key], strict=True):
            if contains(squeezed) or self._weak(leaf, text):
                yield cell, text

    def _domain(self, columns: tuple[str, ...]) -> tuple[list[int], list[str]]:
        """Return ids and texts of all values that stand in one of the columns anywhere in the case."""
        if columns not in self._texts:
            marks = ", ".join("?" * len(columns))
            rows = self._db.execute(
                "SELECT id, text FROM value WHERE id IN"
                f" (SELECT value FROM column_value WHERE column IN ({marks})) ORDER BY id",
                columns,
            ).fetchall()
            self._texts[columns] = ([row for row, _ in rows], [text for _, text in rows])
        return self._texts[columns]

    def _over_many(self, leaf: Leaf, storages: Sequence[Storage], inputs: tuple[Input, ...], source: str) -> Answer:
        """Answer a leaf that needs several inputs, over the combinations that occur."""
        number = next(_TABLES)
        table = f"temp.combination_{number}"
        names = [f"c{number}" for number in range(len(inputs))]
        self._db.execute(f"CREATE TABLE {table} ({', '.join(names)}, holds INTEGER, known INTEGER)")
        self._db.execute(f"CREATE INDEX {table}_i ON combination_{number} ({', '.join(names)})")
        listed = ", ".join(given.sql for given in inputs)
        rows: list[tuple[Any, ...]] = []
        for cells in self._db.execute(f"SELECT DISTINCT {listed} {source}").fetchall():
            raw = dict(zip(inputs, map(self._raw, inputs, cells), strict=True))
            values = [
                storage.values
                if isinstance(storage, Fixed)
                else storage.compute(*(raw[given] for given in storage.inputs))
                for storage in storages
            ]
            truth = leaf.test(values)
            known = _known(storages, values) and ((truth and leaf.holds_for_parts) or not is_partial(storages, raw))
            if truth or known:
                rows.append((*cells, truth, known))
        marks = ", ".join("?" * (len(inputs) + 2))
        self._db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        same = " AND ".join(f"s.{name} IS {given.sql}" for name, given in zip(names, inputs, strict=True))
        exists = f"EXISTS (SELECT 1 FROM {table} s WHERE {same} AND {{}})"
        return Answer(
            holds=exists.format("holds"),
            known_true=exists.format("holds AND known"),
            known_false=exists.format("known AND NOT holds"),
            absent=f"NOT {exists.format('known')}",
        )

    def _raw(self, given: Input, cell: Any) -> Any:  # noqa: ANN401 - whatever SQLite holds
        if cell is None or given.type in ("long", "json", "text"):
            return cell
        if given.type == "date":
            return to_iso(cell)
        return self._db.execute("SELECT text FROM value WHERE id = ?", (cell,)).fetchone()[0]

    def _inside(self, sql: str, cells: list[Any]) -> str | bool:
        if not cells:
            return False
        if len(cells) <= _INLINE and all(isinstance(cell, int) for cell in cells):
            return f"({sql} IS NOT NULL AND {sql} IN ({', '.join(map(str, cells))}))"
        table = f"temp.set_{next(_TABLES)}"
        self._db.execute(f"CREATE TABLE {table} (value PRIMARY KEY) WITHOUT ROWID")
        self._db.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?)", ((cell,) for cell in cells))
        return f"({sql} IS NOT NULL AND {sql} IN {table})"


def _finder(literals: list[str]) -> Callable[[str], bool]:
    """Return a function that tells whether a text contains one of the literals.

    A handful is looked for one by one; for more, one pass of an Aho-Corasick automaton finds any number of them.
    """
    distinct = sorted(set(literals))
    if len(distinct) <= _FEW_LITERALS or not all(distinct):
        return lambda text: any(literal in text for literal in distinct)
    automaton = ahocorasick.Automaton(ahocorasick.STORE_LENGTH)
    for literal in distinct:
        automaton.add_word(literal)
    automaton.make_automaton()
    return lambda text: next(automaton.iter(text), None) is not None


def _fixed(leaf: Leaf, storages: list[Fixed]) -> Answer:
    truth = leaf.test([storage.values for storage in storages])
    known = all(storage.is_known for storage in storages)
    return Answer(truth, truth and known, known and not truth, str(int(not known)))


def _known(storages: Sequence[Storage], values: Sequence[Values]) -> bool:
    """Whether each field has a value, or is known to have none."""
    return all(
        found or (isinstance(storage, Fixed) and storage.is_known)
        for storage, found in zip(storages, values, strict=True)
    )


def _not(term: str | bool) -> str | bool:
    return not term if isinstance(term, bool) else f"NOT {term}"


def _all(terms: Iterable[str | bool]) -> str | bool:
    return join("AND", terms)


def _any(terms: Iterable[str | bool]) -> str | bool:
    return join("OR", terms)


def join(operator: str, terms: Iterable[str | bool]) -> str | bool:
    """Join terms with AND or OR, folding constants; the result is in parentheses where it needs them."""
    neutral = operator == "AND"
    kept: list[str] = []
    for term in terms:
        if isinstance(term, bool):
            if term is not neutral:
                return term
        else:
            kept.append(term)
    if not kept:
        return neutral
    return kept[0] if len(kept) == 1 else f"({f' {operator} '.join(kept)})"
