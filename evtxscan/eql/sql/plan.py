"""What a set of conditions has to be asked of one kind of records: which of them can be met, and from which cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from evtxscan.eql.logic import kleene
from evtxscan.eql.predicates import Constant, Leaf, LeafKind, Predicate, leaves
from evtxscan.eql.sql.answers import Answers, Cells, is_known, is_plain
from evtxscan.eql.sql.block import BROAD
from evtxscan.eql.sql.storage import Computed, Fixed, Input, Storage


@dataclass(frozen=True, slots=True)
class Settled:
    """A test with the same answer for all records of the kind."""

    holds: bool
    known: bool


@dataclass(frozen=True, slots=True)
class OfCell:
    """A test whose answer follows from one cell: the id of a text, or an integer."""

    given: Input
    cells: Cells


class Answer(NamedTuple):
    """Whether a test holds, and whether that is sure.

    ``partial``: places of the fields that alone keep it from being sure, because their texts are parts of longer ones.
    """

    holds: bool
    is_sure: bool
    partial: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class OfCells:
    """A test whose answer follows from several cells, or from one that is no text.

    ``known`` fills as it is asked, with answers for cells that are not large.
    """

    leaf: Leaf
    storages: tuple[Storage, ...]
    inputs: tuple[Input, ...]
    known: dict[tuple[Any, ...], Answer] = field(default_factory=dict)


Asked = Settled | OfCell | OfCells


class Numbers:
    """Numbers tests, so that the same test in two rules is one; its key may hold thousands of texts."""

    def __init__(self, trees: Sequence[Predicate]) -> None:
        self._by_key: dict[tuple[Any, ...], int] = {}
        self._by_leaf: dict[int, int] = {}
        for tree in trees:
            for leaf in leaves(tree):
                self._by_leaf[id(leaf)] = self._by_key.setdefault(leaf.key, len(self._by_key))

    def __getitem__(self, leaf: Leaf) -> int:
        return self._by_leaf[id(leaf)]


class Plan:
    """One kind of records. ``trees`` are the places of the conditions that its records could meet.

    ``complete``: the columns in which all of its records have a value.
    """

    def __init__(
        self,
        kind: int,
        storage_of: Callable[[str], Storage],
        trees: Sequence[Predicate],
        numbers: Numbers,
        complete: frozenset[str],
    ) -> None:
        self.kind = kind
        self.asked: dict[int, Asked] = {}
        self._storage_of = storage_of
        self._all = trees
        self._numbers = numbers
        self._complete = complete
        self._storages: dict[str, Storage] = {}
        self._fixed: dict[int, bool | None] = {}
        self.trees = [place for place, tree in enumerate(trees) if self._is_possible(tree)]

    def ask(self, answers: Answers) -> None:
        """Prepare the tests of the conditions that remain."""
        for place in self.trees:
            for leaf in leaves(self._all[place]):
                number = self._numbers[leaf]
                if number not in self.asked:
                    self.asked[number] = self._asked(number, leaf, answers)

    def settle(self) -> None:
        """Drop conditions that no record meets or could meet, now that it is known which texts pass which tests."""
        for number, asked in self.asked.items():
            if isinstance(asked, OfCell) and not asked.cells.uncertain and self._is_complete(asked.given):
                if asked.cells.holds is None:
                    self.asked[number] = Settled(holds=True, known=True)
                elif not asked.cells.holds:
                    self.asked[number] = Settled(holds=False, known=True)
        self.trees = [place for place in self.trees if kleene(self._all[place], self._when_settled) is not False]

    def _is_complete(self, given: Input) -> bool:
        return bool(given.columns) and given.columns[0] in self._complete

    @cached_property
    def inputs(self) -> list[Input]:
        """The cells that have to be read of each record."""
        return list(dict.fromkeys(self._inputs()))

    @cached_property
    def cells(self) -> dict[Input, set[Any]]:
        """For each input the cells that tests ask for, those of sets of more than BROAD aside."""
        found: dict[Input, set[Any]] = {}
        for asked in self._remaining():
            if isinstance(asked, OfCell):
                for cells in (asked.cells.holds, asked.cells.uncertain):
                    if cells and len(cells) <= BROAD:
                        found.setdefault(asked.given, set()).update(cells)
        return found

    def _inputs(self) -> Iterator[Input]:
        for asked in self._remaining():
            if isinstance(asked, OfCell):
                yield asked.given
            elif isinstance(asked, OfCells):
                yield from asked.inputs

    def _remaining(self) -> Iterator[Asked]:
        for number in {self._numbers[leaf] for place in self.trees for leaf in leaves(self._all[place])}:
            yield self.asked[number]

    def _storage(self, name: str) -> Storage:
        found = self._storages.get(name)
        if found is None:
            found = self._storages[name] = self._storage_of(name)
        return found

    def _asked(self, number: int, leaf: Leaf, answers: Answers) -> Asked:
        storages = tuple(self._storage(name) for name in leaf.fields)
        inputs = tuple(dict.fromkeys(i for s in storages if isinstance(s, Computed) for i in s.inputs))
        if not inputs:
            values = [storage.values for storage in storages if isinstance(storage, Fixed)]
            return Settled(leaf.test(values), all(s.is_known for s in storages if isinstance(s, Fixed)))
        if len(inputs) == 1 and inputs[0].type == "keyword":
            return OfCell(inputs[0], answers.want(number, leaf, storages, inputs[0]))
        if is_plain(storages, "number") and leaf.kind is LeafKind.EQUAL:
            integers = {constant for constant in leaf.constants if type(constant) is int}
            if len(integers) == len(set(leaf.constants)):
                return OfCell(inputs[0], Cells(missing=leaf.test([()]), holds=integers))
        return OfCells(leaf, storages, inputs)

    def _is_possible(self, tree: Predicate) -> bool:
        """Tell whether fields that are the same in all records leave the condition open: most kinds end here."""
        return tree.value is True if isinstance(tree, Constant) else kleene(tree, self._when_fixed) is not False

    def _when_fixed(self, leaf: Leaf) -> bool | None:
        """Return the answer of a test of fields that are the same in all records; None of any other."""
        number = self._numbers[leaf]
        if number not in self._fixed:
            self._fixed[number] = self._fixed_answer(leaf)
        return self._fixed[number]

    def _fixed_answer(self, leaf: Leaf) -> bool | None:
        values = []
        for name in leaf.fields:
            storage = self._storage(name)
            if not isinstance(storage, Fixed) or not storage.is_known:
                return None
            values.append(storage.values)
        return leaf.test(values)

    def _when_settled(self, leaf: Leaf) -> bool | None:
        asked = self.asked[self._numbers[leaf]]
        return asked.holds if isinstance(asked, Settled) and asked.known else None


def answer(asked: OfCells, raw: Sequence[Any]) -> Answer:
    """Return whether a test holds for the values of its inputs, and whether that is known."""
    named = dict(zip(asked.inputs, raw, strict=True))
    given = [() if isinstance(storage, Fixed) else [named[i] for i in storage.inputs] for storage in asked.storages]
    values = [
        storage.values if isinstance(storage, Fixed) else storage.compute(*cells)
        for storage, cells in zip(asked.storages, given, strict=True)
    ]
    leaf = asked.leaf
    holds = leaf.test(values)
    if not is_known(asked.storages, values):
        return Answer(holds, is_sure=False)
    partial = tuple(
        place
        for place, (storage, cells) in enumerate(zip(asked.storages, given, strict=True))
        if isinstance(storage, Computed) and storage.is_partial and storage.is_partial(*cells)
    )
    if not partial or (holds and leaf.holds_beyond(values)):
        return Answer(holds, is_sure=True)
    return Answer(holds, is_sure=False, partial=partial)
