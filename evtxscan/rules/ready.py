"""Whether a rule can run, and as what: the one place that decides it, for ``detect`` and ``rules`` alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from evtxscan.eql.binder import BoundEvent, BoundEventQuery, BoundSequenceQuery, BoundTerm
from evtxscan.eql.predicates import leaves
from evtxscan.eql.sql.run import read_query
from evtxscan.errors import EqlError, EqlUnsupportedError, RuleError
from evtxscan.kql.binder import BoundKql
from evtxscan.rules.defend import is_for_defend, translated
from evtxscan.rules.kuery import read_rule_query
from evtxscan.rules.rule import Rule
from evtxscan.rules.support import why_not
from evtxscan.rules.unknown_fields import Recorded, UnknownField, unknown_fields

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
    """A rule that runs, with its checked query: as it runs, and as it is written, before any translation."""

    rule: Rule
    query: Question
    written: Question


def prepare(rule: Rule, *, defend: bool = True) -> Ready | Refused:
    """Return the rule ready to run, or why it cannot.

    ``defend``: tests of a rule that is written for Elastic Defend can be passed by Defend's values for the events of
    Windows logs (see ``rules.defend``).
    """
    if reason := why_not(rule):
        return Refused(rule.id, rule.path, reason, "rule_type")
    try:
        written = read_query(rule.query) if rule.type == "eql" else read_rule_query(rule)
        return Ready(rule, translated(written) if defend and is_for_defend(rule) else written, written)
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
    rule = ready.rule
    query, written = ready.query, ready.written
    if isinstance(query, BoundSequenceQuery) and isinstance(written, BoundSequenceQuery):
        terms = [_term(*pair, missing=pair[0].missing) for pair in zip(query.terms, written.terms, strict=True)]
        until = [_term(query.until, written.until, missing=True)] if query.until and written.until else []
        return (*terms, *until)
    assert not isinstance(query, BoundSequenceQuery)  # noqa: S101 - both are of one kind
    assert not isinstance(written, BoundSequenceQuery)  # noqa: S101
    tested = _tested(written.event)
    if rule.threshold:
        counted = (entry.field for entry in rule.threshold.cardinality)
        return (_stage(query.event, (*tested, *counted), rule.threshold.fields),)
    return (_stage(query.event, tested, rule.new_terms.fields if rule.new_terms else ()),)


def _term(term: BoundTerm, written: BoundTerm, *, missing: bool) -> Stage:
    keys = tuple(key.path for key in term.keys if not key.optional)
    return _stage(term.event, _tested(written.event), keys, missing=missing)


def _stage(event: BoundEvent, tested: Iterable[str], required: tuple[str, ...], *, missing: bool = False) -> Stage:
    return Stage(event, tuple(dict.fromkeys((*tested, *required))), required, missing)


def _tested(event: BoundEvent) -> tuple[str, ...]:
    return tuple(field for leaf in leaves(event.predicate) for field in leaf.fields)


def unknown_in(ready: Ready, recorded: Recorded | None = None) -> tuple[UnknownField, ...]:
    """Return the fields of a rule that neither ECS nor the case (``recorded``) knows.

    None for Sigma rules: their fields are named for all logs of a kind, and by the conversion, not by who wrote them.
    """
    if ready.rule.sigma is not None:
        return ()
    fields = (field for stage in stages(ready) for field in stage.fields)
    return unknown_fields(fields, ready.rule.query, recorded, first_line=ready.rule.query_line)
