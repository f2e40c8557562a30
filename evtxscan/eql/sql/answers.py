"""Answers tests over the distinct texts of a column: every text is looked at once, whatever the number of tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ahocorasick

from evtxscan.eql.predicates import Leaf, LeafKind, Values
from evtxscan.eql.scalars import fold_ascii
from evtxscan.eql.sql.storage import Computed, Fixed, Input, Storage, storage_key

# Texts read from the case at a time.
_AT_ONCE = 10_000

Weak = Callable[[Leaf], Callable[[str], bool] | None]
"""Gives for a test a function that tells of which texts its *no* proves nothing; None where it always does."""


@dataclass(slots=True)
class Cells:
    """A test's answers by the cells of its one input.

    ``holds``: the cells that pass; None: all of them. ``uncertain``: cells of which the answer is not known.
    ``missing``: whether rows without a cell pass.
    """

    missing: bool
    holds: set[int] | None = field(default_factory=set)
    uncertain: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Test:
    """A leaf over storages that all follow from one text."""

    leaf: Leaf
    storages: Sequence[Storage]
    cells: Cells
    weak: Callable[[str], bool] | None

    def ask(self, cell: int, values: Sequence[Values], text: str) -> None:
        truth = self.leaf.test(values)
        if truth and self.cells.holds is not None:
            self.cells.holds.add(cell)
        if not is_known(self.storages, values) or (not truth and self.weak is not None and self.weak(text)):
            self.cells.uncertain.add(cell)


class Answers:
    """The answers of one run over one case: :meth:`want` all that is needed, :meth:`work_out`, then look at the cells.

    Work is shared by column: one pass over its texts finds the literals of all patterns (Aho and Corasick, 1975), and
    only tests that a literal was found for are asked.
    """

    def __init__(self, db: sqlite3.Connection, weak: Weak | None = None) -> None:
        self._db = db
        self._weak = weak
        self._known: dict[tuple[Any, ...], Cells] = {}
        self._waiting: dict[tuple[str, ...], list[_Test]] = {}

    def want(self, number: int, leaf: Leaf, storages: Sequence[Storage], given: Input) -> Cells:
        """Return where the answers of a leaf will be; ``number`` stands for its key, ``given`` is its only input."""
        key = (number, tuple(map(storage_key, storages)))
        cells = self._known.get(key)
        if cells is None:
            missing = [s.values if isinstance(s, Fixed) else s.compute(None) for s in storages]
            cells = self._known[key] = Cells(missing=leaf.test(missing))
            if leaf.kind is LeafKind.EXISTS and is_plain(storages):
                cells.holds = None
            else:
                weak = self._weak(leaf) if self._weak else None
                self._waiting.setdefault(given.columns, []).append(_Test(leaf, storages, cells, weak))
        return cells

    def work_out(self) -> None:
        """Answer what was wanted since the last time."""
        for columns, tests in self._waiting.items():
            groups: dict[tuple[Any, ...], list[_Test]] = {}
            for test in tests:
                groups.setdefault(tuple(map(storage_key, test.storages)), []).append(test)
            passes = [_Pass(group) for group in groups.values()]
            for texts in self._texts(columns):
                for one in passes:
                    one.over(texts)
        self._waiting.clear()

    def _texts(self, columns: tuple[str, ...]) -> Iterator[list[tuple[int, str]]]:
        marks = ", ".join("?" * len(columns))
        rows = self._db.execute(
            "SELECT id, text FROM value WHERE id IN"
            f" (SELECT value FROM column_value WHERE column IN ({marks})) ORDER BY id",
            columns,
        )
        while group := rows.fetchmany(_AT_ONCE):
            yield group


class _Pass:
    """The tests of one field of one column, over some texts after the other."""

    def __init__(self, tests: list[_Test]) -> None:
        self._storages = tests[0].storages
        only = self._storages[0]
        self._squeeze = only.squeeze if len(self._storages) == 1 and isinstance(only, Computed) else None
        self._always: list[_Test] = []
        self._plain: list[_Test] = []
        self._finder: Any = None
        by_literal: dict[str, list[_Test]] = {}
        for test in tests:
            literals = self._literals(test.leaf)
            if literals:
                for literal in literals:
                    by_literal.setdefault(literal, []).append(test)
            elif is_plain(self._storages) and test.weak is None:
                self._plain.append(test)
            else:
                self._always.append(test)
        self._weak = [test for test in tests if test.weak is not None and self._literals(test.leaf)]
        if by_literal:
            self._finder = ahocorasick.Automaton()
            for literal, found in by_literal.items():
                self._finder.add_word(literal, found)
            self._finder.make_automaton()

    def over(self, texts: list[tuple[int, str]]) -> None:
        """Ask the tests about some texts."""
        for test in self._plain:
            passed = test.leaf.test_scalars([text for _, text in texts])
            holds = test.cells.holds
            if holds is not None:
                holds.update(cell for (cell, _), truth in zip(texts, passed, strict=True) if truth)
        if self._finder is None and not self._always:
            return
        for cell, text in texts:
            asked = list(self._always)
            if self._finder is not None and self._squeeze is not None:
                hits: dict[int, _Test] = {}
                for _, found in self._finder.iter(fold_ascii(self._squeeze(text))):
                    for test in found:
                        hits[id(test)] = test
                for test in self._weak:
                    if id(test) not in hits and test.weak is not None and test.weak(text):
                        hits[id(test)] = test
                asked += hits.values()
            if asked:
                values = [s.values if isinstance(s, Fixed) else s.compute(text) for s in self._storages]
                for test in asked:
                    test.ask(cell, values, text)

    def _literals(self, leaf: Leaf) -> list[str]:
        """Return texts one of which a value that passes has to contain; none where that would not narrow it down."""
        squeeze = self._squeeze
        if squeeze is None:
            return []
        literals = [fold_ascii(squeeze(literal)) for literal in leaf.required_literals]
        return literals if all(literals) else []


def is_plain(storages: Sequence[Storage]) -> bool:
    """Whether there is one field, and it is the text itself."""
    return len(storages) == 1 and isinstance(storages[0], Computed) and storages[0].key == ("column", "text")


def is_known(storages: Sequence[Storage], values: Sequence[Values]) -> bool:
    """Whether each field has a value, or is known to have none."""
    return all(
        found or (isinstance(storage, Fixed) and storage.is_known)
        for storage, found in zip(storages, values, strict=True)
    )
