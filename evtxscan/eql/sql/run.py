"""Runs a checked query over a case."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby, islice
from typing import Any, Protocol, TypeVar

from evtxscan.ecs.base import base
from evtxscan.ecs.documents import START
from evtxscan.eql.ast import Pipe
from evtxscan.eql.binder import BoundEvent, BoundQuery, bind
from evtxscan.eql.mapping import FieldMapping, field_type
from evtxscan.eql.parser import parse
from evtxscan.eql.predicates import key_of
from evtxscan.eql.sql.answers import Weak
from evtxscan.eql.sql.compile import Compiled, compiled_from
from evtxscan.eql.sql.fields import FieldStore
from evtxscan.eql.sql.scan import Scan
from evtxscan.evtx.filetime import MAX_TICKS
from evtxscan.store.case import Case, explained
from evtxscan.store.events import Events
from evtxscan.store.order import RecordOrder
from evtxscan.store.scope import LIVE, Scope
from evtxscan.store.scripts import SCRIPT_RECORD, Scripts

T = TypeVar("T")

TICKS_PER_MILLISECOND = 10_000

# Records of process starts, which alone have rows in lineage.
_SYSMON_START = "sysmon/1"
_STARTS = frozenset({_SYSMON_START, "security/4688", START})


class SingleEventQuery(Protocol):
    """A checked query that asks for single events, in EQL or in KQL."""

    @property
    def event(self) -> BoundEvent:
        """What it asks of an event."""


def read_query(text: str) -> BoundQuery:
    """Parse and check a query. Raises EqlError."""
    return bind(parse(text), FieldMapping({field: field_type(name) for field, name in base().types.items()}))


def limited(found: Iterable[T], pipes: Iterable[Pipe]) -> Iterable[T]:
    """Apply the pipes of a query, in their order, to what it found."""
    for pipe in pipes:
        found = islice(found, pipe.count) if pipe.name == "head" else deque(found, maxlen=pipe.count)
    return found


class CaseQueries:
    """Runs queries over one case in one scope; what they share (kinds, value sets) is made once."""

    def __init__(self, case: Case, events: Events, scope: Scope, weak: Weak | None = None) -> None:
        self.case = case
        self.events = events
        self._db = case.db
        self.scope = scope
        self._weak = None if scope.observed_only else weak
        self._prepared: dict[int, tuple[BoundEvent, Compiled]] = {}
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

    def is_start(self, kind: int) -> bool:
        """Whether records of this kind tell of the start of a process."""
        return self.events.kinds[kind][1].id in _STARTS

    @cached_property
    def order(self) -> RecordOrder:
        """The order of the records of this case."""
        return RecordOrder(self._db)

    def prepare(self, events: Sequence[BoundEvent], items: Sequence[tuple[BoundEvent, bool]] = ()) -> None:
        """Run the conditions of many queries, and of items of sequences, in one pass, for ``compile_event``.

        An item comes with whether it matters which events surely meet it: it does of those that must be missing.
        What several of them ask ("a process started") is asked once.
        """
        together = [*events, *(event for event, _ in items)]
        keys = [key_of(event.predicate) for event in together]
        distinct = dict(zip(keys, together, strict=True))
        places = {key: place for place, key in enumerate(distinct)}
        detailed: dict[int, bool] = {}
        for key, (_, is_certain) in zip(keys[len(events) :], items, strict=True):
            detailed[places[key]] = is_certain or detailed.get(places[key], False)
        found = self._scan(list(distinct.values()), self.filter, detailed)
        self._prepared.update(
            (id(event), (event, found[places[key]])) for key, event in zip(keys, together, strict=True)
        )

    def compile(self, query: SingleEventQuery) -> Compiled:
        """Run the query's condition over this case."""
        return self.compile_event(query.event)

    def compile_event(self, event: BoundEvent, *, detailed: bool = False) -> Compiled:
        """Run the condition on one event over this case.

        ``detailed``, for an item of a sequence: note also which events surely meet it, and which may.
        """
        if id(event) not in self._prepared:
            (compiled,) = self._scan([event], self.filter, {0: True} if detailed else {})
            return compiled
        return self._prepared[id(event)][1]

    def compile_unscoped(self, event: BoundEvent) -> Compiled:
        """Do the same for the whole case, whatever the scope."""
        return self.compile_event(event) if not self.filter else self._scan([event], "", {})[0]

    def _scan(self, events: Sequence[BoundEvent], narrowed: str, detailed: Mapping[int, bool]) -> list[Compiled]:
        kinds = self.events.kinds
        with explained(self.case.path):
            scan = Scan(
                self.events,
                self._db,
                self.kinds,
                [event.predicate for event in events],
                starts={
                    row: mapping.id != "security/4688" for row, (_, mapping) in kinds.items() if self.is_start(row)
                },
                counted=self.is_evidence,
                narrowed=narrowed,
                weak=self._weak,
                detailed=detailed,
            )
            found = scan.run()
        return [compiled_from(scan.table, place, one, detailed=detailed.get(place)) for place, one in enumerate(found)]

    def is_evidence(self, kind: int) -> bool:
        """Whether a record of this kind that lacks a field says anything: one without a category does not."""
        found, mapping = self.events.kinds[kind]
        return "event.category" in mapping.constants(found)

    def matches(self, compiled: Compiled) -> Iterator[int]:
        """Yield the row ids of events that match, by @timestamp in milliseconds, then in order of record.

        That is Elasticsearch's order. Events without a time, or with one that is none, come last.
        """
        time = f'CASE WHEN e."@timestamp" BETWEEN 0 AND {MAX_TICKS} THEN e."@timestamp" END'
        parts = [
            f"SELECT e.id, {time} AS at {s.source}{self.filter} AND {as_sql(s.match)}"
            for s in compiled.selections
            if s.match is not False
        ]
        if not parts:
            return
        with explained(self.case.path):
            rows = self._db.execute(f"{' UNION ALL '.join(parts)} ORDER BY at NULLS LAST")
            for row, _ in self.in_order(rows):
                yield row

    def in_order(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Yield rows of (event, @timestamp, ...) that come by time: those of one millisecond in order of record."""
        for _, group in groupby(rows, key=_millisecond):
            same_time = list(group)
            if len(same_time) > 1:
                places = self.order.places(row for row, *_ in same_time)
                same_time.sort(key=lambda row: places[row[0]])
            yield from same_time

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
        if self.scope.live_only:
            terms.append(LIVE)
        return "".join(f" AND {term}" for term in terms)


def _millisecond(row: tuple[Any, ...]) -> int | None:
    return None if row[1] is None else row[1] // TICKS_PER_MILLISECOND


def _is_host(name: str, wanted: set[str]) -> bool:
    """A host is named in full or by its first label."""
    return name in wanted or name.split(".", 1)[0] in wanted


def as_sql(condition: str | bool) -> str:
    """Return a compiled condition as SQL text."""
    return str(int(condition)) if isinstance(condition, bool) else condition
