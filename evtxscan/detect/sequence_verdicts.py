"""What can be said of a sequence rule on each host.

A sequence is possible where records that meet its items, or may meet them, stand in the right order and near enough,
and their keys agree as far as they are known. It is excluded where one of its items surely was not: its log is there
and whole, and nothing in it can be the item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from evtxscan.detect.hosts import Hosts
from evtxscan.detect.results import SequenceHit
from evtxscan.detect.undecided import as_missing, reason_for, undecided
from evtxscan.detect.verdict import Missing, Reason, Verdict
from evtxscan.eql.sql.candidates import Item
from evtxscan.eql.sql.possible import hosts_of_items, open_records, possible_sequences
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
    lacked: Counts = {}
    possible: set[str] = set()
    if candidates := evidence.candidates():
        lacked = _lacked(queries, hosts, compiled)
        if lacked:
            possible = _possible_hosts(queries, hosts, compiled, candidates)
    counts = {host: found for host, found in lacked.items() if host in possible}
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
            number: {hosts.name(cell) for cell in cells} for number, cells in hosts_of_items(compiled).items()
        }

    def candidates(self) -> set[str]:
        """Return the hosts with a record for each item that meets it or may; if any host's will do, those with one."""
        found = [self._possible[item.number] for item in self._items]
        if self._is_on_one_host:
            return set.intersection(*found)
        return set.union(*found) if all(found) else set()

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


def _possible_hosts(
    queries: CaseQueries, hosts: Hosts, compiled: CompiledSequence, candidates: Collection[str]
) -> set[str]:
    """Return those of the hosts on which a sequence is possible; ends as soon as it is on all of them."""
    found: set[str] = set()
    for cells in possible_sequences(queries, compiled):
        found.update(map(hosts.name, cells))
        if found.issuperset(candidates):
            break
    return found


def _lacked(queries: CaseQueries, hosts: Hosts, compiled: CompiledSequence) -> Counts:
    """Return host -> what its records lack for an item, or to be joined; a record counts for each item."""
    counts: Counts = {}
    for item in compiled.positive:
        found = undecided(queries, item.compiled)
        lacked: Counts = {
            host: Counter({(entry.field, entry.reason): entry.events for entry in entries})
            for host, entries in found.items()
        }
        for host, unjoined in _unjoined(queries, hosts, item).items():
            # A field that the item tests, too, is lacking in the same records.
            lacked[host] = lacked.get(host, Counter()) | unjoined
        for host, entry in lacked.items():
            _add(counts, host, entry)
    return counts


def _unjoined(queries: CaseQueries, hosts: Hosts, item: Item) -> Counts:
    """Return host -> what records of an item lack to be joined."""
    counts: Counts = {}
    for group in open_records(queries, item):
        lineage = None if queries.scope.observed_only else group.lineage
        reason = reason_for(group.field, queries.events.kinds[group.kind], lineage, absent=True)
        _add(counts, hosts.name(group.host), {(group.field, reason): group.records})
    return counts


def _add_not_covered(hosts: Hosts, hits: Sequence[SequenceHit], counts: Counts) -> None:
    """Add for each host the findings that rest on what the evidence does not show."""
    for hit in hits:
        reasons = {gap.reason for gap in hit.not_covered}
        for host in hosts.of(hit.sequence.records) if reasons else ():
            _add(counts, host, {("*", reason): 1 for reason in reasons})


def _add(counts: Counts, host: str, found: dict[tuple[str, Reason], int]) -> None:
    counts.setdefault(host, Counter()).update(found)
