"""What running a rule gives: events, groups of events, and what can be said of each host."""

from __future__ import annotations

from dataclasses import dataclass, field

from evtxscan.detect.verdict import Reason, Verdict
from evtxscan.detect.windows import RuleReads
from evtxscan.eql.binder import BoundSequenceQuery
from evtxscan.eql.sql.run import SingleEventQuery
from evtxscan.eql.sql.sequences import Found
from evtxscan.rules.new_terms import NewTerm
from evtxscan.rules.rule import Rule
from evtxscan.rules.threshold import ThresholdHit
from evtxscan.rules.unknown_fields import UnknownField


@dataclass(frozen=True, slots=True)
class Hit:
    """An event that matches, by row id, and the other records of the same process start.

    ``new`` are the combinations of values that it brings, where the rule asks for new ones.
    """

    row: int
    witnesses: tuple[int, ...] = ()
    new: tuple[NewTerm, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A group of events that is over a rule's threshold, and the hosts (lower case, sorted) that they are from."""

    hit: ThresholdHit
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotCovered:
    """A missing event of a sequence, by its place (from 0), of which the logs do not show that it was missing."""

    event: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class SequenceHit:
    """A sequence, and what of it the evidence does not show."""

    sequence: Found
    not_covered: tuple[NotCovered, ...]


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule gave: hits in order of time, and a verdict for every host of the case.

    A threshold rule gives ``groups`` of events in place of hits. ``unknown_fields`` are fields of the rule that neither
    ECS nor the case knows; ``reads`` is what it looks into.
    """

    rule: Rule
    query: SingleEventQuery
    hits: tuple[Hit, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    groups: tuple[Group, ...] = ()
    unknown_fields: tuple[UnknownField, ...] = ()
    reads: RuleReads = field(default_factory=RuleReads)


@dataclass(frozen=True, slots=True)
class SequenceResult:
    """What a sequence rule gave: hits in order of their last events, and a verdict for every host of the case."""

    rule: Rule
    query: BoundSequenceQuery
    hits: tuple[SequenceHit, ...]
    verdicts: tuple[Verdict, ...]
    unknown_fields: tuple[UnknownField, ...] = ()
    reads: RuleReads = field(default_factory=RuleReads)
