"""Sequence rules: a finding for each sequence, and for each host what can be said."""

from __future__ import annotations

from evtxscan.detect.hosts import Hosts
from evtxscan.detect.missing_events import MissingEvents
from evtxscan.detect.results import SequenceHit, SequenceResult
from evtxscan.detect.sequence_verdicts import verdicts
from evtxscan.detect.windows import Windows
from evtxscan.eql.binder import BoundSequenceQuery
from evtxscan.eql.sql.run import CaseQueries, limited
from evtxscan.eql.sql.sequences import compile_sequence, find_sequences
from evtxscan.rules.rule import Rule


def run(queries: CaseQueries, hosts: Hosts, windows: Windows, rule: Rule, query: BoundSequenceQuery) -> SequenceResult:
    """Find the sequences of a rule and judge the hosts.

    Unless only recorded fields count, the two records of a process start are one event.
    """
    compiled = compile_sequence(queries, query)
    found = list(find_sequences(queries, compiled, once=not queries.scope.observed_only))
    not_covered = MissingEvents(queries, hosts, windows, compiled).of(found)
    hits = tuple(map(SequenceHit, found, not_covered))
    judged = tuple(verdicts(queries, hosts, rule.id, compiled, hits))
    return SequenceResult(rule, query, tuple(limited(hits, query.pipes)), judged)
