"""What a kind of rule is given to run, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evtxscan.detect.history import Histories
from evtxscan.detect.hosts import Hosts
from evtxscan.detect.results import Group, Hit
from evtxscan.detect.verdict import Missing
from evtxscan.eql.sql.compile import Compiled
from evtxscan.eql.sql.run import CaseQueries, SingleEventQuery
from evtxscan.rules.rule import Rule

MissingByHost = Mapping[str, tuple[Missing, ...]]
"""Host (lower case) -> what its events lack for a decision."""


@dataclass(frozen=True, slots=True)
class Task:
    """One rule over one case: its query, bound and compiled, and what the rules of a run share."""

    queries: CaseQueries
    hosts: Hosts
    histories: Histories
    rule: Rule
    query: SingleEventQuery
    compiled: Compiled


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hits in order of time, or groups; and what could not be decided."""

    unknown: MissingByHost
    hits: tuple[Hit, ...] = ()
    groups: tuple[Group, ...] = ()
