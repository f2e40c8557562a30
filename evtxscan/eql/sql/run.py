"""Runs a checked query over a case."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from evtxscan.ecs.base import base
from evtxscan.eql.binder import BoundEventQuery, BoundSequenceQuery, bind
from evtxscan.eql.mapping import FieldMapping, field_type
from evtxscan.eql.parser import parse
from evtxscan.eql.source import unsupported_at
from evtxscan.eql.sql.compile import Compiled, compile_condition
from evtxscan.eql.sql.fields import FieldStore
from evtxscan.eql.sql.sets import ValueSets, Weak
from evtxscan.store.case import Case, explained
from evtxscan.store.events import Events
from evtxscan.store.scope import Scope
from evtxscan.store.scripts import SCRIPT_RECORD, Scripts

# Records of process starts, which alone have rows in lineage.
_STARTS = frozenset({"sysmon/1", "security/4688"})


def read_query(text: str) -> BoundEventQuery:
    """Parse and check a query. Raises EqlError, EqlUnsupportedError for what a case cannot be asked yet."""
    query = parse(text)
    if query.pipes:
        raise unsupported_at(text, query.pipes[0].start, "pipes are not supported yet")
    bound = bind(query, FieldMapping({field: field_type(name) for field, name in base().types.items()}))
    if isinstance(bound, BoundSequenceQuery):
        raise unsupported_at(text, query.start, "sequences are not supported yet")
    return bound


class CaseQueries:
    """Runs queries over one case in one scope; what they share (kinds, value sets) is made once."""

    def __init__(self, case: Case, events: Events, scope: Scope, weak: Weak | None = None) -> None:
        self.case = case
        self.events = events
        self._db = case.db
        self.scope = scope
        self._sets = ValueSets(case.db, None if scope.observed_only else weak)
        scripts = Scripts(case.db)
        has_blocks = not scope.observed_only and scripts.has_blocks()
        self.kinds = {
            row: FieldStore(
                case.db,
                row,
                kind,
                mapping,
                lineage=mapping.id in _STARTS and not scope.observed_only,
                scripts=scripts if has_blocks and mapping.id == SCRIPT_RECORD else None,
            )
            for row, (kind, mapping) in events.kinds.items()
        }
        self.filter = self._filter()

    def compile(self, query: BoundEventQuery) -> Compiled:
        """Compile the query for the kinds of this case."""
        with explained(self.case.path):
            return compile_condition(query.event.predicate, self.kinds, self._sets)

    def matches(self, compiled: Compiled) -> Iterator[int]:
        """Yield the row ids of events that match, by @timestamp and, for equal times, by place in the evidence."""
        parts = [
            f'SELECT e.id, e."@timestamp" AS at {s.source}{self.filter} AND {as_sql(s.match)}'
            for s in compiled.selections
            if s.match is not False
        ]
        if not parts:
            return
        with explained(self.case.path):
            rows = self._db.execute(f"{' UNION ALL '.join(parts)} ORDER BY at")
            for _, group in groupby(rows, key=itemgetter(1)):
                same_time = [row for row, _ in group]
                yield from same_time if len(same_time) == 1 else self._in_order_of_place(same_time)

    def _in_order_of_place(self, rows: list[int]) -> list[int]:
        places = self.events.places(rows)
        return sorted(rows, key=lambda row: places[row][0].order())

    def host_ids(self) -> list[int]:
        """Return the ids of the host names in the scope."""
        wanted = {host.lower() for host in self.scope.hosts}
        rows = self._db.execute(
            "SELECT id, text FROM value WHERE id IN (SELECT value FROM column_value WHERE column = 'host.name')"
        )
        return [row for row, text in rows if not wanted or _is_host(text.lower(), wanted)]

    def _filter(self) -> str:
        terms: list[str] = []
        if self.scope.start is not None:
            terms.append(f'e."@timestamp" >= {int(self.scope.start)}')
        if self.scope.end is not None:
            terms.append(f'e."@timestamp" <= {int(self.scope.end)}')
        if self.scope.hosts:
            terms.append(f'e."host.name" IN ({", ".join(map(str, self.host_ids()))})')
        return "".join(f" AND {term}" for term in terms)


def _is_host(name: str, wanted: set[str]) -> bool:
    """A host is named in full or by its first label."""
    return name in wanted or name.split(".", 1)[0] in wanted


def as_sql(condition: str | bool) -> str:
    """Return a compiled condition as SQL text."""
    return str(int(condition)) if isinstance(condition, bool) else condition
