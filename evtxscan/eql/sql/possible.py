"""Finds where a case could hold a sequence if values that were not recorded were such as to make it one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeAlias

from evtxscan.eql.possible import Possible, PossibleMatcher
from evtxscan.eql.sequences import Hit, Key, Run, without_missing
from evtxscan.eql.sql.candidates import UNRECORDED, Candidate, Candidates, Item, Open, Served
from evtxscan.eql.sql.run import CaseQueries
from evtxscan.eql.sql.sequences import CompiledSequence, missing_stages
from evtxscan.store.case import explained

Host: TypeAlias = int | None
"""The id of a host's name."""
Hosts: TypeAlias = dict[int, Host]
"""Stage -> host of the record that would have this place in a sequence."""


def hosts_of_items(compiled: CompiledSequence) -> dict[int, set[Host]]:
    """Return for each item that has to be there the hosts with records that meet it or may."""
    return {item.number: item.compiled.scanned.hosts for item in compiled.positive}


def open_records(queries: CaseQueries, item: Item) -> Iterator[Open]:
    """Yield how many records of an item, by kind, host and lineage, lack which join field and may have had any value.

    A process start that another log has too is none of them: its other record has what there is.
    """
    with explained(queries.case.path):
        yield from Candidates(queries, once=True).without_key(replace(item, which="possible"))


def possible_sequences(queries: CaseQueries, compiled: CompiledSequence) -> Iterator[frozenset[Host]]:
    """Yield, for sequences that the evidence neither shows nor excludes, the hosts of their records.

    For each event that could complete one, the nearest of them. Events are joined by their keys; those that lack a
    value to join by, with all others of their host. What a process start's other record decides is decided. What must
    not be there counts only where it surely is.
    """
    certain = [replace(compiled.until, which="certain")] if compiled.until else []
    candidates = Candidates(queries, once=True)
    one_pass = _Pass(compiled)
    with explained(queries.case.path):
        found = candidates.read([*(replace(item, which="possible") for item in compiled.positive), *certain])
        chains: Iterable[Possible[Hosts]] = (chain for one in found for chain in one_pass.feed(one))
        if compiled.missing:
            chains = _without_missing(compiled, candidates, list(chains))
        for _, chain in chains:
            yield frozenset(step.hit.event[stage] for stage, step in enumerate(chain))


class _Pass:
    """Feeds candidates to two matchers: one joins by keys, the other by host where a key is not known."""

    def __init__(self, compiled: CompiledSequence) -> None:
        stages, maxspan = len(compiled.stages), compiled.query.maxspan
        self._until = compiled.until.number if compiled.until else None
        self._stages = {item.number: compiled.stages_of(item.number) for item in compiled.positive}
        self._by_key: PossibleMatcher[Hosts] = PossibleMatcher(stages, maxspan)
        self._by_host: PossibleMatcher[Hosts] = PossibleMatcher(stages, maxspan)

    def feed(self, found: Candidate) -> list[Possible[Hosts]]:
        ended = [key for served in found.served if served.item == self._until for key in served.keys]
        hosts: Hosts = {}
        by_key: list[tuple[int, Key, bool]] = []
        by_host: list[tuple[int, Key, bool]] = []
        for number in {served.item for served in found.served} & self._stages.keys():
            records = _undecided([served for served in found.served if served.item == number])
            if not records:
                continue
            first = records[0]
            keys = dict.fromkeys(key for record in records for key in record.keys)
            known = [key for key in keys if UNRECORDED not in key]
            # Where the other record of a process start has the key, or decided the item, nothing is open.
            is_lacking = len(known) < len(keys) and not (first.has_witness and (known or len(records) == 1))
            for stage in self._stages[number] if known or is_lacking else ():
                hosts[stage] = first.host
                by_key += [(stage, key, first.is_unknown) for key in known]
                by_host.append((stage, (first.host,), is_lacking))
        hit = Hit(found.time, found.order, hosts)
        return self._by_key.feed(hit, by_key, ended) + self._by_host.feed(hit, by_host)


def _undecided(records: list[Served]) -> list[Served]:
    """Return the records that meet an item; if there is none, those that may unless another record decides."""
    sure = [served for served in records if not served.is_unknown]
    if sure:
        return sure
    return [] if records[0].has_witness and len(records) == 1 else records


def _without_missing(
    compiled: CompiledSequence, candidates: Candidates, chains: list[Possible[Hosts]]
) -> Iterator[Possible[Hosts]]:
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
        run: Run[Hosts] = Run(key, tuple(step.hit for step in chain))
        if without_missing([run], missing, maxspan):
            yield key, chain
