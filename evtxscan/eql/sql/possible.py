"""Finds what could be a sequence in a case if values that were not recorded were such as to make it one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from evtxscan.eql.possible import Possible, PossibleMatcher
from evtxscan.eql.sequences import Hit, Key, Run, without_missing
from evtxscan.eql.sql.candidates import UNRECORDED, Candidate, Candidates, Served
from evtxscan.eql.sql.run import CaseQueries, as_sql
from evtxscan.eql.sql.sequences import CompiledSequence, missing_stages
from evtxscan.store.case import explained


@dataclass(frozen=True, slots=True)
class Part:
    """A record in a possible sequence: its item, the id of its host's name, and what is open about it.

    ``is_unknown``: that it meets the item. ``lacks``: join fields of which it has no value.
    """

    item: int
    event: int
    host: int | None
    is_unknown: bool
    lacks: tuple[str, ...]


def hosts_of_items(queries: CaseQueries, compiled: CompiledSequence) -> dict[int, set[int | None]]:
    """Return for each item that has to be there the hosts (ids of their names) with records that may meet it."""
    found: dict[int, set[int | None]] = {}
    with explained(queries.case.path):
        for item in compiled.positive:
            hosts = found.setdefault(item.number, set())
            for part in item.compiled.selections:
                rows = queries.case.db.execute(
                    f'SELECT DISTINCT e."host.name" {part.source}{queries.filter}'
                    f" AND ({as_sql(part.match)} OR {as_sql(part.unknown)})"
                )
                hosts.update(host for (host,) in rows)
    return found


def possible_sequences(queries: CaseQueries, compiled: CompiledSequence) -> Iterator[tuple[Part, ...]]:
    """Yield sequences that the evidence neither shows nor excludes, as the records that would be in them.

    For each event that could complete one, the nearest of them. Events are joined by their keys; those that lack a
    value to join by, with all others of their host. What a process start's other record decides is decided. What must
    not be there counts only where it surely is.
    """
    certain = [replace(compiled.until, which="certain")] if compiled.until else []
    candidates = Candidates(queries, once=True)
    pass_ = _Pass(compiled)
    with explained(queries.case.path):
        found = candidates.read([*(replace(item, which="possible") for item in compiled.positive), *certain])
        chains: Iterable[Possible[dict[int, Part]]] = (chain for one in found for chain in pass_.feed(one))
        if compiled.missing:
            chains = _without_missing(compiled, candidates, list(chains))
        for _, chain in chains:
            yield tuple(step.hit.event[stage] for stage, step in enumerate(chain))


class _Pass:
    """Feeds candidates to two matchers: one joins by keys, the other by host where a key is not known."""

    def __init__(self, compiled: CompiledSequence) -> None:
        stages, maxspan = len(compiled.stages), compiled.query.maxspan
        self._compiled = compiled
        self._by_key: PossibleMatcher[dict[int, Part]] = PossibleMatcher(stages, maxspan)
        self._by_host: PossibleMatcher[dict[int, Part]] = PossibleMatcher(stages, maxspan)

    def feed(self, found: Candidate) -> list[Possible[dict[int, Part]]]:
        until = self._compiled.until
        ended = [key for served in found.served if until and served.item == until.number for key in served.keys]
        parts: dict[int, Part] = {}
        by_key: list[tuple[int, Key, bool]] = []
        by_host: list[tuple[int, Key, bool]] = []
        for number in dict.fromkeys(served.item for served in found.served if not until or served.item != until.number):
            records = _undecided(found, number)
            if not records:
                continue
            first = records[0]
            known = [key for record in records for key in record.keys if UNRECORDED not in key]
            lacking = _lacking(self._compiled, records, has_known=bool(known))
            if not known and not lacking:
                continue
            part = Part(number, first.event, first.host, first.is_unknown, lacking)
            for stage in self._compiled.stages_of(number):
                parts[stage] = part
                by_key += [(stage, key, first.is_unknown) for key in dict.fromkeys(known)]
                by_host.append((stage, (first.host,), bool(lacking)))
        hit = Hit(found.time, found.order, parts)
        return self._by_key.feed(hit, by_key, ended) + self._by_host.feed(hit, by_host)


def _undecided(found: Candidate, item: int) -> list[Served]:
    """Return the records that meet an item; if there is none, those that may unless another record decides."""
    records = [served for served in found.served if served.item == item]
    sure = [served for served in records if not served.is_unknown]
    if sure:
        return sure
    return [] if records[0].has_witness and len(records) == 1 else records


def _lacking(compiled: CompiledSequence, records: list[Served], *, has_known: bool) -> tuple[str, ...]:
    """Return the join fields without a value; none where the other record of the same process start has them."""
    if records[0].has_witness and (has_known or len(records) == 1):
        return ()
    keys = next(item.term.keys for item in compiled.items if item.number == records[0].item)
    lacking = {place for key in records[0].keys for place, value in enumerate(key) if value is UNRECORDED}
    return tuple(dict.fromkeys(keys[place].path for place in sorted(lacking)))


def _without_missing(
    compiled: CompiledSequence, candidates: Candidates, chains: list[Possible[dict[int, Part]]]
) -> Iterable[Possible[dict[int, Part]]]:
    """Leave out what an event that must be missing surely stands against.

    Not looked at is what comes before a sequence of several events: another one could begin there.
    """
    maxspan = compiled.query.maxspan
    assert maxspan is not None  # noqa: S101 - the parser sees to it
    found = candidates.read([replace(item, which="certain") for item in compiled.missing])
    missing = list(missing_stages(compiled, found, {key for key, _ in chains}).values())
    if len(compiled.stages) > 1:
        missing = [stage for stage in missing if stage.position > 0]
    for key, chain in chains:
        run: Run[Any] = Run(key, tuple(step.hit for step in chain))
        if without_missing([run], missing, maxspan):
            yield key, chain
