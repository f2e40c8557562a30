"""All KQL rules of a copy of elastic/detection-rules, which is not part of this repository: set EVTXSCAN_RULES."""

import os

import pytest

from evtxscan.rules.kuery import read_rule_query
from evtxscan.rules.load import load_rules

ROOT = os.environ.get("EVTXSCAN_RULES")


@pytest.mark.skipif(not ROOT, reason="EVTXSCAN_RULES is not set")
def test_every_rule_parses_and_binds() -> None:
    """Catches a construct of a query, a filter, a threshold or new terms that real rules use and that is refused."""
    rules = [rule for rule in load_rules((ROOT or "",)).rules if rule.language == "kuery"]
    assert len(rules) > 58
    for rule in rules:
        assert read_rule_query(rule).fields, rule.path
        assert (rule.threshold is not None) == (rule.type == "threshold")
        assert (rule.new_terms is not None) == (rule.type == "new_terms")
    assert sum(len(rule.filters) for rule in rules) > 20
