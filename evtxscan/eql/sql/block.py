"""Some rows of a case in memory, in columns: what conditions are evaluated over, all at once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from itertools import chain, compress
from typing import Any

from evtxscan.eql.sql.bits import members, to_bits
from evtxscan.eql.sql.storage import Input

_NONE = frozenset([None])


# Sets of more cells than this are looked up row by row; the places of those in smaller ones are listed once.
BROAD = 4_000


class Block:
    """Rows at places from 0 to ``size``, not all of which need to be taken; ``all`` has the bits of those that are.

    ``asked`` has for each input the cells that tests ask for, those of sets of more than BROAD aside.
    """

    def __init__(
        self, size: int, taken: int, columns: dict[Input, Sequence[Any]], asked: Mapping[Input, Set[Any]]
    ) -> None:
        self.size = size
        self.all = taken
        self._columns = columns
        self._asked = asked
        self._single: dict[Input, dict[Any, list[int]]] = {}
        self._combined: dict[tuple[Input, ...], dict[tuple[Any, ...], int]] = {}
        self._empty: dict[Input, int] = {}

    def without(self, given: Input) -> int:
        """Return the rows that have no cell there."""
        found = self._empty.get(given)
        if found is None:
            found = self._empty[given] = members(self._columns[given], _NONE) & self.all
        return found

    def among(self, given: Input, cells: Set[Any]) -> int:
        """Return the rows that have one of these cells there."""
        if not cells:
            return 0
        if len(cells) > BROAD:
            return members(self._columns[given], cells) & self.all
        places = self._places(given)
        common = cells & places.keys() if len(cells) > len(places) else cells
        lists = [found for cell in common if (found := places.get(cell))]
        if not lists:
            return 0
        return to_bits(lists[0] if len(lists) == 1 else list(chain.from_iterable(lists)), self.size) & self.all

    def combinations(self, inputs: tuple[Input, ...]) -> dict[tuple[Any, ...], int]:
        """Return for each combination of cells that occurs the rows that have it."""
        found = self._combined.get(inputs)
        if found is None:
            places: dict[Hashable, list[int]] = _by_value(zip(*(self._columns[given] for given in inputs), strict=True))
            found = {}
            for cells, rows in places.items():
                bits = to_bits(rows, self.size) & self.all
                if bits:
                    found[cells] = bits  # type: ignore[index]
            self._combined[inputs] = found
        return found

    def partition(self, columns: Sequence[Sequence[Any]]) -> dict[tuple[Any, ...], int]:
        """Return for each combination of values of columns that are no inputs the rows that have it."""
        found = {}
        for values, rows in _by_value(zip(*columns, strict=True)).items():
            if bits := to_bits(rows, self.size) & self.all:
                found[values] = bits
        return found

    def _places(self, given: Input) -> dict[Any, list[int]]:
        found = self._single.get(given)
        if found is None:
            column, asked = self._columns[given], self._asked.get(given, _NONE)
            are_asked = list(map(asked.__contains__, column))
            values = zip(compress(range(self.size), are_asked), compress(column, are_asked), strict=True)
            found = self._single[given] = _listed(values)
        return found


def _by_value(values: Iterable[Any]) -> dict[Any, list[int]]:
    """Return for each value the places where it stands."""
    return _listed(enumerate(values))


def _listed(values: Iterable[tuple[int, Any]]) -> dict[Any, list[int]]:
    """Return for each value its places."""
    found: dict[Any, list[int]] = {}
    for place, value in values:
        if value in found:
            found[value].append(place)
        else:
            found[value] = [place]
    return found
