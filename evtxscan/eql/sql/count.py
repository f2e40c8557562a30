"""Counts the events of a case, and those of them that pass tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from evtxscan.eql.predicates import Leaf
from evtxscan.eql.sql.compile import FROM, LINEAGE
from evtxscan.eql.sql.run import CaseQueries, as_sql
from evtxscan.eql.sql.sets import ValueSets
from evtxscan.eql.sql.storage import storage_key


class Counter:
    """Counts in the scope of ``queries``; what several counts share is made once."""

    def __init__(self, queries: CaseQueries) -> None:
        self._queries = queries
        self._sets = ValueSets(queries.case.db)

    def count(self, kinds: Sequence[int], tests: Sequence[Leaf]) -> Iterator[tuple[Any, ...]]:
        """Yield (cell of host.name, events, events that pass test 1, ...) for the events of some kinds.

        A host may come more than once: kinds that keep the fields differently are counted apart.
        """
        groups: dict[tuple[Any, ...], list[int]] = {}
        for kind in kinds:
            kept = tuple(storage_key(self._queries.kinds[kind](field)) for test in tests for field in test.fields)
            groups.setdefault(kept, []).append(kind)
        for group in groups.values():
            yield from self._count(group, tests)

    def _count(self, kinds: Sequence[int], tests: Sequence[Leaf]) -> Iterator[tuple[Any, ...]]:
        storage_of = self._queries.kinds[kinds[0]]
        where = f"WHERE e.kind IN ({', '.join(map(str, kinds))})"
        source = f"{FROM}{LINEAGE} {where}"
        answers = [self._sets.answer(test, [storage_of(field) for field in test.fields], source) for test in tests]
        sums = "".join(f", total({as_sql(answer.holds)})" for answer in answers)
        lineage = LINEAGE if "l." in sums else ""
        sql = f'SELECT e."host.name", count(*){sums} {FROM}{lineage} {where}{self._queries.filter} GROUP BY 1'
        for host, events, *counts in self._queries.case.db.execute(sql):
            yield (host, events, *map(int, counts))
