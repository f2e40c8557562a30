"""Whether a rule can run, and as what: the one place that decides it, for ``detect`` and ``rules`` alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evtxscan.eql.binder import BoundEvent, BoundEventQuery, BoundSequenceQuery, BoundTerm
from evtxscan.eql.predicates import leaves
from evtxscan.eql.sql.run import read_query
from evtxscan.errors import EqlError, EqlUnsupportedError, RuleError
from evtxscan.kql.binder import BoundKql
from evtxscan.rules.kuery import read_rule_query
from evtxscan.rules.rule import Rule
from evtxscan.rules.support import why_not

RefusalReason = Literal[
    "rule_type",  # a kind of rule that asks for more than events: ES|QL, machine learning, indicator match ...
    "construct",  # the query is valid and asks for something that evtxscan does not run
    "query",  # the query is not valid
    "file",  # the file is no rule
]
Question = BoundEventQuery | BoundSequenceQuery | BoundKql


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule that cannot run, and why.

    ``line`` is that of the rule file, ``column`` that of ``excerpt``, the line of the query; both count from 1.
    """

    rule: str
    path: str
    message: str
    reason: RefusalReason
    line: int | None = None
    column: int | None = None
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Ready:
    """A rule that runs, and its checked query."""

    rule: Rule
    query: Question


def prepare(rule: Rule) -> Ready | Refused:
    """Return the rule ready to run, or why it cannot."""
    if reason := why_not(rule):
        return Refused(rule.id, rule.path, reason, "rule_type")
    try:
        return Ready(rule, read_query(rule.query) if rule.type == "eql" else read_rule_query(rule))
    except RuleError as error:
        return Refused(rule.id, rule.path, error.message, "query", error.line, error.column, error.excerpt)
    except EqlError as error:
        line = rule.query_line + error.line - 1
        code: RefusalReason = "construct" if isinstance(error, EqlUnsupportedError) else "query"
        return Refused(rule.id, rule.path, error.message, code, line, error.column, error.excerpt)


def refused_file(error: RuleError) -> Refused:
    """Return the refusal of a file that could not be read as a rule."""
    return Refused("", error.path, error.message, "file", error.line, error.column, error.excerpt)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a rule asks of one event: the only one, or one of a sequence. ``missing``: there must be no such event.

    ``required`` are fields without which an event does not count: those that events are joined or grouped by.
    """

    event: BoundEvent
    fields: tuple[str, ...]
    required: tuple[str, ...] = ()
    missing: bool = False


def stages(ready: Ready) -> tuple[Stage, ...]:
    """Return what a rule asks of each of its events, in order; that of ``until`` last, as one that must be missing."""
    query = ready.query
    rule = ready.rule
    if isinstance(query, BoundSequenceQuery):
        terms = [_stage(term.event, _keys(term), missing=term.missing) for term in query.terms]
        until = [_stage(query.until.event, _keys(query.until), missing=True)] if query.until else []
        return (*terms, *until)
    if rule.threshold:
        counted = tuple(entry.field for entry in rule.threshold.cardinality)
        return (_stage(query.event, rule.threshold.fields, counted),)
    return (_stage(query.event, rule.new_terms.fields if rule.new_terms else ()),)


def _stage(event: BoundEvent, required: tuple[str, ...], more: tuple[str, ...] = (), *, missing: bool = False) -> Stage:
    tested = (field for leaf in leaves(event.predicate) for field in leaf.fields)
    return Stage(event, tuple(dict.fromkeys((*tested, *required, *more))), required, missing)


def _keys(term: BoundTerm) -> tuple[str, ...]:
    return tuple(key.path for key in term.keys if not key.optional)
