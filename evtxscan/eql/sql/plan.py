"""What a set of conditions has to be asked of one kind of records: which of them can be met, and from which cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from evtxscan.eql.predicates import All, Constant, Leaf, Predicate, leaves
from evtxscan.eql.sql.answers import Answers, Cells, is_known
from evtxscan.eql.sql.storage import Computed, Fixed, Input, Storage


@dataclass(frozen=True, slots=True)
class Settled:
    """A test with the same answer for all records of the kind."""

    holds: bool
    known: bool


@dataclass(frozen=True, slots=True)
class OfText:
    """A test whose answer follows from the text of one keyword column."""

    given: Input
    cells: Cells


@dataclass(frozen=True, slots=True)
class OfCells:
    """A test whose answer follows from several cells, or from one that is no text; ``known`` fills as it is asked."""

    leaf: Leaf
    storages: tuple[Storage, ...]
    inputs: tuple[Input, ...]
    known: dict[tuple[Any, ...], tuple[bool, bool]] = field(default_factory=dict)


Asked = Settled | OfText | OfCells


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
    """One kind of records. ``trees`` are the places of the conditions that its records could meet."""

    def __init__(
        self, kind: int, storage_of: Callable[[str], Storage], trees: Sequence[Predicate], numbers: Numbers
    ) -> None:
        self.kind = kind
        self.asked: dict[int, Asked] = {}
        self._storage_of = storage_of
        self._numbers = numbers
        self._storages: dict[str, Storage] = {}
        self._settled: dict[int, bool] = {}
        self.trees = [place for place, tree in enumerate(trees) if not self._never(tree)]

    def ask(self, trees: Sequence[Predicate], answers: Answers) -> None:
        """Prepare the tests of the conditions that remain."""
        for place in self.trees:
            for leaf in leaves(trees[place]):
                number = self._numbers[leaf]
                if number not in self.asked:
                    self.asked[number] = self._asked(number, leaf, answers)

    @property
    def inputs(self) -> list[Input]:
        """The cells that have to be read of each record."""
        return list(dict.fromkeys(self._inputs()))

    def _inputs(self) -> Iterator[Input]:
        for asked in self.asked.values():
            if isinstance(asked, OfText):
                yield asked.given
            elif isinstance(asked, OfCells):
                yield from asked.inputs

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
            return OfText(inputs[0], answers.want(number, leaf, storages, inputs[0]))
        return OfCells(leaf, storages, inputs)

    def _never(self, tree: Predicate) -> bool:
        """Tell whether fixed fields alone make the condition false: most kinds end here."""
        if isinstance(tree, Leaf):
            number = self._numbers[tree]
            never = self._settled.get(number)
            if never is None:
                never = self._settled[number] = self._is_false(tree)
            return never
        if isinstance(tree, All):
            return any(map(self._never, tree.items))
        if isinstance(tree, Constant):
            return tree.value is not True
        return False

    def _is_false(self, leaf: Leaf) -> bool:
        values = []
        for name in leaf.fields:
            storage = self._storage(name)
            if not isinstance(storage, Fixed) or not storage.is_known:
                return False
            values.append(storage.values)
        return not leaf.test(values)


def answer(asked: OfCells, raw: Sequence[Any]) -> tuple[bool, bool]:
    """Return whether a test holds for the values of its inputs, and whether that is known."""
    named = dict(zip(asked.inputs, raw, strict=True))
    values = [
        storage.values if isinstance(storage, Fixed) else storage.compute(*(named[given] for given in storage.inputs))
        for storage in asked.storages
    ]
    return asked.leaf.test(values), is_known(asked.storages, values)
