"""Some rows of a case in memory, in columns: what conditions are evaluated over, all at once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from evtxscan.eql.sql.bits import to_bits
from evtxscan.eql.sql.storage import Input


class Block:
    """Rows at places from 0 to ``size``, not all of which need to be taken; ``all`` has the bits of those that are."""

    def __init__(self, size: int, taken: int, columns: dict[Input, Sequence[Any]]) -> None:
        self.size = size
        self.all = taken
        self._columns = columns
        self._single: dict[Input, dict[Any, list[int]]] = {}
        self._combined: dict[tuple[Input, ...], dict[tuple[Any, ...], int]] = {}
        self._empty: dict[Input, int] = {}

    def without(self, given: Input) -> int:
        """Return the rows that have no cell there."""
        found = self._empty.get(given)
        if found is None:
            found = self._empty[given] = to_bits(self._places(given).get(None, ()), self.size) & self.all
        return found

    def among(self, given: Input, cells: set[int]) -> int:
        """Return the rows that have one of these cells there."""
        if not cells:
            return 0
        places = self._places(given)
        if len(cells) > len(places):
            cells = cells.intersection(places)
        lists = [found for cell in cells if (found := places.get(cell))]
        if not lists:
            return 0
        return to_bits((place for found in lists for place in found), self.size) & self.all

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
            found = self._single[given] = _by_value(self._columns[given])
        return found


def _by_value(values: Iterable[Any]) -> dict[Any, list[int]]:
    """Return for each value the places where it stands."""
    found: dict[Any, list[int]] = {}
    for place, value in enumerate(values):
        if value in found:
            found[value].append(place)
        else:
            found[value] = [place]
    return found
