"""Reads the conditions of a rule in KQL: its query and its filters as one tree of tests."""

from __future__ import annotations

from evtxscan.errors import RuleError
from evtxscan.kql.binder import BoundKql
from evtxscan.kql.read import case_mapping, read_kql
from evtxscan.rules.filters import read_filters
from evtxscan.rules.rows import MalformedError
from evtxscan.rules.rule import Rule


def read_rule_query(rule: Rule) -> BoundKql:
    """Return what a rule's query and filters ask of an event.

    Raises EqlError with the place in the query, RuleError for a filter that cannot be read.
    """
    bound = read_kql(rule.query)
    try:
        filters = read_filters(rule.filters, case_mapping())
    except MalformedError as error:
        raise RuleError(rule.path, f"[rule] {error}") from None
    return bound.narrowed(filters) if filters else bound
