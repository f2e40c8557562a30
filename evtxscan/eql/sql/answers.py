"""Answers tests over the distinct texts of a column: every text is looked at once, whatever the number of tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress
from typing import Any, Literal

import ahocorasick

from evtxscan.eql.patterns import fold_many
from evtxscan.eql.predicates import Leaf, LeafKind, Values
from evtxscan.eql.scalars import fold_ascii
from evtxscan.eql.sql.storage import Computed, Fixed, Input, Storage, storage_key

# Texts read from the case at a time: few enough that what one field unpacks of them is still there for the next.
_AT_ONCE = 8_000
_FEW_LITERALS = 8

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


@dataclass(frozen=True, slots=True)
class _Test:
    """A leaf over storages that all follow from one text, and where its answers go."""

    leaf: Leaf
    storages: Sequence[Storage]
    cells: Cells
    weak: Callable[[str], bool] | None


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
            passes = [
                _OneField(group) if len(group[0].storages) == 1 else _SeveralFields(group) for group in groups.values()
            ]
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


class _OneField:
    """The tests of one field that follows from a column, over some texts after the other.

    Texts differ more than the values of a field: each value is looked at once.
    """

    def __init__(self, tests: list[_Test]) -> None:
        (storage,) = tests[0].storages
        self._compute = None if is_plain(tests[0].storages) or isinstance(storage, Fixed) else storage.compute
        self._is_part = isinstance(storage, Computed) and storage.is_part
        self._tests = tests
        self._everywhere: list[_Test] = []
        by_part: dict[str, list[int]] = {}
        self._by_whole: dict[str, list[int]] = {}
        for place, test in enumerate(tests):
            required = test.leaf.required
            if required is None:
                self._everywhere.append(test)
                continue
            for literals, places in ((required.parts, by_part), (required.wholes, self._by_whole)):
                for literal in literals:
                    places.setdefault(fold_ascii(literal), []).append(place)
        # Where all tests need literals, and the values are parts of the text, most texts need not be taken apart.
        squeezed = [_squeezed(literal) for literal in (*by_part, *self._by_whole)]
        is_narrow = self._is_part and self._compute is not None and not self._everywhere and all(squeezed)
        self._narrowing = squeezed if is_narrow and len(squeezed) <= _FEW_LITERALS else []
        self._finder: Any = None
        if by_part:
            self._finder = ahocorasick.Automaton()
            for literal, found in by_part.items():
                self._finder.add_word(literal, found)
            self._finder.make_automaton()

    def over(self, texts: list[tuple[int, str]]) -> None:
        """Ask the tests about some texts."""
        try:
            by_value, without = self._values(self._narrowed(texts))
        except TypeError:  # objects, which no rule asks for
            _SeveralFields(self._tests).over(texts)
            return
        values = list(by_value)
        are_texts = set(map(type, values)) == {str}
        for test in self._everywhere if are_texts else self._tests:
            _pass(test, values, by_value, are_texts=are_texts)
        if are_texts and len(self._everywhere) < len(self._tests):
            for place, found in self._candidates(values).items():
                _pass(self._tests[place], found, by_value, are_texts=True)
        for test in self._tests:
            if without:
                # That a path has no extension is known; what the record does not hold is not.
                if not self._is_part:
                    test.cells.uncertain.update(without)
                if test.cells.holds is not None and test.leaf.test([()]):
                    test.cells.holds.update(without)
            if test.weak is not None:
                holds = test.cells.holds or ()
                test.cells.uncertain.update(cell for cell, text in texts if cell not in holds and test.weak(text))

    def _narrowed(self, texts: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Leave out texts of which no part can pass a test."""
        literals = self._narrowing
        if not literals:
            return texts
        folded = map(_squeezed, fold_many([text for _, text in texts]))
        pairs = zip(texts, folded, strict=True)
        return [pair for pair, text in pairs if any(literal in text for literal in literals)]

    def _values(self, texts: list[tuple[int, str]]) -> tuple[dict[Any, list[int]], list[int]]:
        """Return the cells by value of the field, and those that give none."""
        if self._compute is None:
            return {text: [cell] for cell, text in texts}, []
        by_value: dict[Any, list[int]] = {}
        without: list[int] = []
        for cell, text in texts:
            values = self._compute(text)
            for value in values:
                if value in by_value:
                    by_value[value].append(cell)
                else:
                    by_value[value] = [cell]
            if not values:
                without.append(cell)
        return by_value, without

    def _candidates(self, values: list[str]) -> dict[int, list[str]]:
        """Return for each test the values that its literals let through."""
        candidates: dict[int, list[str]] = {}
        whole = self._by_whole.get
        find = self._finder.iter if self._finder is not None else None
        for value, folded in zip(values, fold_many(values), strict=True):
            hits = set(whole(folded, ()))
            if find is not None:
                for _, places in find(folded):
                    hits.update(places)
            for place in hits:
                candidates.setdefault(place, []).append(value)
        return candidates


def _squeezed(text: str) -> str:
    """Return a text without what goes when arguments are taken out of a command line: quotes and backslashes."""
    return text.replace('"', "").replace("\\", "")


def _pass(test: _Test, values: list[Any], by_value: dict[Any, list[int]], *, are_texts: bool) -> None:
    """Note the cells of the values that pass."""
    holds = test.cells.holds
    if holds is None:
        return
    if test.leaf.kind is LeafKind.EXISTS:
        holds.update(chain.from_iterable(by_value.values()))
        return
    passed = test.leaf.test_scalars(values) if are_texts else map(test.leaf.holds, values)
    holds.update(chain.from_iterable(compress(map(by_value.__getitem__, values), passed)))


class _SeveralFields:
    """Tests of several fields that all follow from one column."""

    def __init__(self, tests: list[_Test]) -> None:
        self._tests = tests
        self._storages = tests[0].storages

    def over(self, texts: list[tuple[int, str]]) -> None:
        """Ask the tests about some texts."""
        for cell, text in texts:
            values = [s.values if isinstance(s, Fixed) else s.compute(text) for s in self._storages]
            for test in self._tests:
                truth = test.leaf.test(values)
                if truth and test.cells.holds is not None:
                    test.cells.holds.add(cell)
                if not is_known(self._storages, values) or (not truth and test.weak is not None and test.weak(text)):
                    test.cells.uncertain.add(cell)


def is_plain(storages: Sequence[Storage], what: Literal["text", "number"] = "text") -> bool:
    """Whether there is one field, and it is the text, or the number, of a column itself."""
    return len(storages) == 1 and isinstance(storages[0], Computed) and storages[0].key == ("column", what)


def is_known(storages: Sequence[Storage], values: Sequence[Values]) -> bool:
    """Whether each field has a value, or is known to have none."""
    return all(
        found or (isinstance(storage, Fixed) and storage.is_known)
        for storage, found in zip(storages, values, strict=True)
    )
