"""Evaluates conditions over a block of rows, in both logics, a test at a time and all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from evtxscan.eql.predicates import All, Constant, Leaf, Not, Predicate
from evtxscan.eql.sql.block import Block
from evtxscan.eql.sql.plan import Answer, Asked, Numbers, OfCell, OfCells, Plan, Settled, answer
from evtxscan.store.scripts import JoinedScript

# Answers remembered per test from one block to the next.
_REMEMBERED = 50_000
# Characters of a cell that an answer may be remembered for: others would fill the memory, and hardly come again.
_LONGEST = 1_000

Raw = Callable[[OfCells, list[tuple[Any, ...]]], list[tuple[Any, ...]]]
"""Turns the cells of a test's inputs into their values, for many rows."""


class Rows(NamedTuple):
    """Rows by a condition's answer: it matches (Elasticsearch), is known to be true, is known to be false."""

    match: int
    true: int
    false: int


class Evaluation:
    """The conditions of a plan over one block of records of its kind."""

    def __init__(self, plan: Plan, numbers: Numbers, block: Block, raw: Raw) -> None:
        self.plan = plan
        self._numbers = numbers
        self._block = block
        self._raw = raw
        self._tests: dict[int, Rows] = {}
        self._partial: dict[int, dict[int, int]] = {}

    def rows(self, tree: Predicate) -> Rows:
        """Return the rows of the block by the answer of a condition."""
        every = self._block.all
        if isinstance(tree, Leaf):
            return self._test(tree)
        if isinstance(tree, Constant):
            return Rows(*(every if tree.value is value else 0 for value in (True, True, False)))
        if isinstance(tree, Not):
            match, true, false = self.rows(tree.item)
            return Rows(every & ~match, false, true)
        if isinstance(tree, All):
            match, true, false = every, every, 0
            for item in tree.items:
                found = self.rows(item)
                match, true, false = match & found.match, true & found.true, false | found.false
                if not match and false == every:
                    break
            return Rows(match, true & ~false, false)
        match, true, false = 0, 0, every
        for item in tree.items:
            found = self.rows(item)
            match, true, false = match | found.match, true | found.true, false & found.false
        return Rows(match, true, false)

    def unknown(self, rows: Rows) -> int:
        """Return the rows that do not match and of which the evidence cannot say that they should not."""
        return self._block.all & ~(rows.match | rows.true | rows.false)

    def lacking(self, tree: Predicate, among: int) -> dict[tuple[str, bool], int]:
        """Return for each field (and whether its value is missing altogether) the rows that it leaves unknown.

        ``among``: the rows looked at. Only fields count whose value could decide: see eql.logic.unknown_fields.
        """
        found: dict[tuple[str, bool], int] = {}
        self._visit(tree, among, found)
        return found

    def _visit(self, tree: Predicate, among: int, found: dict[tuple[str, bool], int]) -> None:
        if isinstance(tree, Constant):
            return
        rows = self.rows(tree)
        among &= ~(rows.true | rows.false)
        if not among:
            return
        if isinstance(tree, Not):
            self._visit(tree.item, among, found)
        elif not isinstance(tree, Leaf):
            for item in tree.items:
                self._visit(item, among, found)
        else:
            for key, bits in self._lacks(tree, among):
                if bits:
                    found[key] = found.get(key, 0) | bits

    def _lacks(self, leaf: Leaf, among: int) -> Iterator[tuple[tuple[str, bool], int]]:
        """Yield what :meth:`lacking` returns, for one test; ``among`` are rows in which it is unknown."""
        partial = self._partial.get(self._numbers[leaf], {})
        for place, rows in partial.items():
            yield (leaf.fields[place], False), among & rows
        for rows in partial.values():
            among &= ~rows
        absent = self._absent(leaf)
        for place, name in enumerate(leaf.fields):
            # What a test of several fields lacks is told by its first.
            there = among & ~absent if place == 0 else 0
            yield (name, True), among & ~there
            yield (name, False), there

    def _asked(self, leaf: Leaf) -> Asked:
        return self.plan.asked[self._numbers[leaf]]

    def _absent(self, leaf: Leaf) -> int:
        """Return the rows in which a test's field has no value at all."""
        asked = self._asked(leaf)
        if isinstance(asked, OfCell):
            return self._block.without(asked.given)
        rows = self._test(leaf)
        return self._block.all & ~(rows.true | rows.false)

    def _test(self, leaf: Leaf) -> Rows:
        number = self._numbers[leaf]
        rows = self._tests.get(number)
        if rows is None:
            asked = self.plan.asked[number]
            if isinstance(asked, OfCell):
                rows = self._of_cell(asked)
            elif isinstance(asked, OfCells):
                rows = self._of_cells(asked, self._partial.setdefault(number, {}))
            else:
                rows = self._settled(asked)
            self._tests[number] = rows
        return rows

    def _settled(self, asked: Settled) -> Rows:
        every = self._block.all
        known = every if asked.known else 0
        return Rows(every, known, 0) if asked.holds else Rows(0, 0, known)

    def _of_cell(self, asked: OfCell) -> Rows:
        block, cells = self._block, asked.cells
        without = block.without(asked.given)
        inside = block.all & ~without if cells.holds is None else block.among(asked.given, cells.holds)
        sure = block.all & ~without
        if cells.uncertain:
            sure &= ~block.among(asked.given, cells.uncertain)
        return Rows(inside | without if cells.missing else inside, inside & sure, sure & ~inside)

    def _of_cells(self, asked: OfCells, partial: dict[int, int]) -> Rows:
        """Return the rows by the answer of a test; note in ``partial`` which a field's place leaves open."""
        match = true = false = 0
        combinations = self._block.combinations(asked.inputs)
        known = asked.known
        if len(known) > _REMEMBERED:
            known.clear()
        new = [cells for cells in combinations if cells not in known]
        large: dict[tuple[Any, ...], Answer] = {}
        for cells, values in zip(new, self._raw(asked, new), strict=True):
            answers = large if any(map(_is_large, cells)) else known
            answers[cells] = answer(asked, values)
        for cells, bits in combinations.items():
            holds, is_sure, places = large[cells] if cells in large else known[cells]
            if holds:
                match |= bits
                true |= bits if is_sure else 0
            elif is_sure:
                false |= bits
            for place in places:
                partial[place] = partial.get(place, 0) | bits
        return Rows(match, true, false)


def _is_large(cell: object) -> bool:
    return isinstance(cell, str | JoinedScript) and len(cell) > _LONGEST
