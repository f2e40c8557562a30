"""Finds sequences in a case: one pass over the events that meet an item, in their order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from evtxscan.eql.ast import Scalar
from evtxscan.eql.binder import BoundSequenceQuery
from evtxscan.eql.engine import key_rank
from evtxscan.eql.sequences import Hit, Key, MissingStage, Run, SequenceMatcher, without_missing
from evtxscan.eql.sql.candidates import Candidate, Candidates, Item, Served
from evtxscan.eql.sql.run import CaseQueries
from evtxscan.store.case import explained

# With more candidates than this, SQL leaves out those whose keys the rarest item does not have.
_MANY = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """A sequence: row ids of its events, None in the place of a missing one, and the values that join them.

    ``doubtful``: numbers of items that must be missing, and that an event nearby may be if a value was not recorded.
    """

    events: tuple[int | None, ...]
    join_keys: tuple[Scalar | None, ...]
    doubtful: tuple[int, ...] = ()

    @property
    def records(self) -> tuple[int, ...]:
        """The row ids of its events without the missing ones, each once."""
        return tuple(dict.fromkeys(event for event in self.events if event is not None))


@dataclass(frozen=True, slots=True)
class CompiledSequence:
    """A sequence query for a case: its items in order, those that must be missing among them, and ``until``."""

    query: BoundSequenceQuery
    items: tuple[Item, ...]
    until: Item | None

    @property
    def positive(self) -> tuple[Item, ...]:
        """The items that events have to meet."""
        return tuple(item for item in self.items if not item.term.missing)

    @property
    def missing(self) -> tuple[Item, ...]:
        """The items that no event may meet."""
        return tuple(item for item in self.items if item.term.missing)

    @property
    def stages(self) -> tuple[int, ...]:
        """For each event of a sequence that has to be there, the number of its item."""
        return tuple(item.number for item in self.positive for _ in range(item.term.runs))

    def stages_of(self, number: int) -> tuple[int, ...]:
        """Return the places in ``stages`` of an item."""
        return tuple(stage for stage, item in enumerate(self.stages) if item == number)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event in a sequence: its identity and the records that meet an item, the one that stands for it first."""

    identity: int
    served: tuple[Served, ...]

    def record(self, item: int, key: Key) -> int:
        """Return the record that meets an item with a key."""
        return next(served.event for served in self.served if served.item == item and key in served.keys)


Match: TypeAlias = Run[Occurrence]


def compile_sequence(queries: CaseQueries, query: BoundSequenceQuery) -> CompiledSequence:
    """Compile every item of a sequence for a case."""
    terms = [*query.terms, *([query.until] if query.until else [])]
    items = [Item(number, term, queries.compile_event(term.event, detailed=True)) for number, term in enumerate(terms)]
    return CompiledSequence(query, tuple(items[: len(query.terms)]), items[-1] if query.until else None)


def find_sequences(queries: CaseQueries, compiled: CompiledSequence, *, once: bool) -> list[Found]:
    """Return the sequences of a case in Elasticsearch's order: by last event, then by join key; no pipes applied.

    ``once``: the records of one process start are one event, so that a start which two logs have is in one sequence
    only, and never followed by itself. Otherwise every record is an event of its own, as it is for Elasticsearch.
    """
    with explained(queries.case.path):
        counts = [item.compiled.scanned.matches for item in compiled.positive]
        if not all(counts):
            return []
        candidates = Candidates(queries, once=once)
        shared = _shared(compiled, candidates, counts)
        runs = _runs(compiled, Candidates(queries, once=once, shared=shared))
        for table in shared.values():
            queries.case.db.execute(f"DROP TABLE {table}")
        maxspan = compiled.query.maxspan
        doubts: dict[int, list[int]] = {}
        if compiled.missing and runs and maxspan is not None:  # the parser sees to it that there is one
            runs, doubts = _without_missing(queries, compiled, candidates, runs, maxspan)
    runs = sorted(runs, key=lambda run: (run.hits[-1].order, [key_rank(value) for value in run.key]))
    if once:
        runs = _each_once(compiled, runs)
    return [_found(compiled, run, doubts.get(id(run), ())) for run in runs]


def _shared(compiled: CompiledSequence, candidates: Candidates, counts: list[int]) -> dict[int, str]:
    """Return tables of the join keys of the rarest item, by place, where that leaves many candidates out."""
    rarest = min(counts)
    is_worth_it = sum(counts) > _MANY and rarest * 2 < max(counts)
    return candidates.keep_cells(compiled.positive[counts.index(rarest)]) if is_worth_it else {}


def _runs(compiled: CompiledSequence, candidates: Candidates) -> list[Match]:
    until = compiled.until
    matcher: SequenceMatcher[Occurrence] = SequenceMatcher(len(compiled.stages), compiled.query.maxspan)
    stages = {item.number: compiled.stages_of(item.number) for item in compiled.positive}
    for found in candidates.read([*compiled.positive, *([until] if until else [])]):
        keys: dict[int, dict[Key, None]] = {}
        for served in found.served:
            keys.setdefault(served.item, {}).update(dict.fromkeys(served.keys))
        hit = Hit(found.time, found.order, Occurrence(found.identity, found.served))
        ended = keys.pop(until.number, {}) if until else {}
        matcher.feed(hit, [(stage, keys[number]) for number in keys for stage in stages[number]], ended)
    return matcher.complete


def _without_missing(
    queries: CaseQueries, compiled: CompiledSequence, candidates: Candidates, runs: list[Match], maxspan: int
) -> tuple[list[Match], dict[int, list[int]]]:
    """Return the sequences near which nothing is that must be missing, and by id(run) the items that may be there."""
    keys = {run.key for run in runs}
    surely = missing_stages(compiled, candidates.read(compiled.missing), keys)
    kept = without_missing(runs, list(surely.values()), maxspan)
    items = [replace(item, which="possible") for item in compiled.missing]
    perhaps = missing_stages(compiled, Candidates(queries, once=True).read(items), keys)
    doubts: dict[int, list[int]] = {}
    for number in surely:
        stages = list((surely | {number: perhaps[number]}).values())
        for run in kept:
            if not without_missing([run], stages, maxspan):
                doubts.setdefault(id(run), []).append(number)
    return kept, doubts


def missing_stages(compiled: CompiledSequence, found: Iterable[Candidate], keys: set[Key]) -> dict[int, MissingStage]:
    """Return for each item that must be missing when it is met with one of ``keys``, as ``found`` tells."""
    stages: dict[int, MissingStage] = {}
    position = 0
    for item in compiled.items:
        if item.term.missing:
            stages[item.number] = MissingStage(position)
        else:
            position += item.term.runs
    for candidate in found:
        for served in candidate.served:
            stages[served.item].feed(candidate.time, keys.intersection(served.keys))
    return stages


def _each_once(compiled: CompiledSequence, runs: list[Match]) -> list[Match]:
    """Keep, of sequences of the same events that differ in which records tell of them, those that Sysmon's tell."""
    best: dict[tuple[int, ...], tuple[int, ...]] = {}
    for run in runs:
        same, records = tuple(hit.event.identity for hit in run.hits), _records(compiled, run)
        best[same] = min(best.get(same, records), records, key=lambda given: _rank(run, given))
    return [run for run in runs if _records(compiled, run) == best[tuple(hit.event.identity for hit in run.hits)]]


def _rank(run: Match, records: tuple[int, ...]) -> list[int]:
    """Return for each event the place of its record among those that tell of it."""
    return [
        [served.event for served in hit.event.served].index(record)
        for hit, record in zip(run.hits, records, strict=True)
    ]


def _records(compiled: CompiledSequence, run: Match) -> tuple[int, ...]:
    return tuple(hit.event.record(item, run.key) for hit, item in zip(run.hits, compiled.stages, strict=True))


def _found(compiled: CompiledSequence, run: Match, doubtful: Iterable[int]) -> Found:
    records = iter(_records(compiled, run))
    events = [None if item.term.missing else next(records) for item in compiled.items for _ in range(item.term.runs)]
    return Found(tuple(events), tuple(value for _, value in run.key), tuple(doubtful))
