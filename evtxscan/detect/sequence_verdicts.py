"""What can be said of a sequence rule on each host.

A sequence is possible where records that meet its items, or may meet them, stand in the right order and near enough,
and their keys agree as far as they are known. It is excluded where one of its items surely was not: its log is there
and whole, and nothing in it can be the item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from evtxscan.detect.hosts import Hosts
from evtxscan.detect.lacking import Lacking
from evtxscan.detect.results import SequenceHit
from evtxscan.detect.undecided import as_missing, why_undecided
from evtxscan.detect.verdict import Missing, Reason, Verdict
from evtxscan.eql.sql.candidates import Item
from evtxscan.eql.sql.possible import Part, hosts_of_items, possible_sequences
from evtxscan.eql.sql.run import CaseQueries
from evtxscan.eql.sql.sequences import CompiledSequence

# Join fields whose values are those of one host.
_OF_HOST = frozenset({"host.id", "host.name", "winlog.computer_name"})
_OF_PROCESS = ".entity_id"

Counts = dict[str, Counter[tuple[str, Reason]]]


def verdicts(
    queries: CaseQueries, hosts: Hosts, rule: str, compiled: CompiledSequence, hits: Sequence[SequenceHit]
) -> Iterator[Verdict]:
    """Yield a verdict for every host."""
    matched = hosts.of({event for hit in hits for event in hit.sequence.records})
    evidence = _Evidence(queries, hosts, compiled)
    counts = _of_possible(queries, hosts, compiled) if evidence.allows_a_sequence() else {}
    possible = set(counts)
    _add_not_covered(hosts, hits, counts)
    missing = as_missing(counts)
    events = hosts.events({kind for item in compiled.items for kind in item.compiled.kinds})
    for host in hosts.names:
        lacks, lost, count = missing.get(host, ()), evidence.lost(host), events.get(host, 0)
        if host in matched:
            yield Verdict(rule, host, "match", count, (*lacks, *lost))
        elif host in possible:
            yield Verdict(rule, host, "undetermined", count, (*lacks, *lost))
        elif evidence.excludes(host):
            yield Verdict(rule, host, "no_match", count)
        else:
            gaps = (*lost, *evidence.without_events(host))
            yield Verdict(rule, host, "incomplete" if gaps else "no_match", count, gaps)


class _Evidence:
    """What there is on each host for the items of a sequence.

    Where no key says that all of them are on one host, any host's records may be part of a sequence with any other's.
    """

    def __init__(self, queries: CaseQueries, hosts: Hosts, compiled: CompiledSequence) -> None:
        self._is_on_one_host = _is_on_one_host(compiled)
        self._items = compiled.positive
        categories = {item.number: item.term.event.category for item in self._items}
        self._events = {item.number: hosts.events(item.compiled.kinds) for item in self._items}
        self._lost = {number: hosts.lost(category) for number, category in categories.items()}
        self._all_lost = hosts.lost(*categories.values())
        self._possible = {
            number: {hosts.name(cell) for cell in cells} for number, cells in hosts_of_items(queries, compiled).items()
        }

    def allows_a_sequence(self) -> bool:
        """Whether each item has a record that may meet it: on one host, if a sequence has to be on one."""
        found = [self._possible[item.number] for item in self._items]
        return bool(set.intersection(*found)) if self._is_on_one_host else all(found)

    def excludes(self, host: str) -> bool:
        """Whether one of the items surely was not."""
        return any(
            not self._may_be(item, host)
            and self._sum(self._events[item.number], host)
            and not self._sum(self._lost[item.number], host)
            for item in self._items
        )

    def lost(self, host: str) -> tuple[Missing, ...]:
        """Return how many records were lost that may have been part of a sequence."""
        lost = self._sum(self._all_lost, host)
        return (Missing("*", lost, "evidence_lost"),) if lost else ()

    def without_events(self, host: str) -> tuple[Missing, ...]:
        """Return whether there is nothing at all that could be one of the items."""
        lacks = any(not self._sum(self._events[item.number], host) for item in self._items)
        return (Missing("event.category", 0, "no_events"),) if lacks else ()

    def _may_be(self, item: Item, host: str) -> bool:
        hosts = self._possible[item.number]
        return host in hosts if self._is_on_one_host else bool(hosts)

    def _sum(self, counts: dict[str, int], host: str) -> int:
        return counts.get(host, 0) if self._is_on_one_host else sum(counts.values())


def _is_on_one_host(compiled: CompiledSequence) -> bool:
    fields = zip(*([key.path for key in item.term.keys] for item in compiled.positive), strict=True)
    return any(all(field in _OF_HOST or field.endswith(_OF_PROCESS) for field in same) for same in fields)


def _of_possible(queries: CaseQueries, hosts: Hosts, compiled: CompiledSequence) -> Counts:
    """Return what the events of possible sequences lack, each event once for every host of its sequences."""
    counts: Counts = {}
    together: dict[tuple[str, ...], dict[Part, None]] = {}
    for parts in possible_sequences(queries, compiled):
        names = {hosts.name(part.host) for part in parts}
        opened = [part for part in parts if part.is_unknown or part.lacks]
        # What is on one host is counted by host below, whichever it is.
        together.setdefault(tuple(sorted(names)) if len(names) > 1 else (), {}).update(dict.fromkeys(opened))
        _add(counts, {name: Counter() for name in names})
    for several, found in together.items():
        lacked = _lacked(queries, compiled, found)
        if not several:
            _add(counts, lacked)
        for name in several:
            _add(counts, {name: sum(lacked.values(), Counter())})
    return counts


def _lacked(queries: CaseQueries, compiled: CompiledSequence, parts: Iterable[Part]) -> Counts:
    undecided: dict[int, dict[int, None]] = {}
    keys = Lacking(queries)
    for part in parts:
        keys.add(part.event, part.lacks)
        if part.is_unknown:
            undecided.setdefault(part.item, {})[part.event] = None
    counts: Counts = {}
    for number, events in undecided.items():
        item = compiled.items[number]
        _add(counts, why_undecided(queries, item.term.event.predicate, item.compiled.selections, events))
    for host, lacked in keys.by_host().items():
        _add(counts, {host: Counter({(missing.field, missing.reason): missing.events for missing in lacked})})
    return counts


def _add_not_covered(hosts: Hosts, hits: Sequence[SequenceHit], counts: Counts) -> None:
    """Add for each host the findings that rest on what the evidence does not show."""
    for hit in hits:
        reasons = {gap.reason for gap in hit.not_covered}
        for host in hosts.of(hit.sequence.records) if reasons else ():
            _add(counts, {host: Counter({("*", reason): 1 for reason in reasons})})


def _add(counts: Counts, more: Counts) -> None:
    for host, found in more.items():
        counts.setdefault(host, Counter()).update(found)
