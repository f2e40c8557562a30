"""States of rules, and the events that can meet a condition."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evtxscan.casework import Filters, query, settled
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import mapping_for
from evtxscan.eql.sql.run import read_query
from evtxscan.errors import EqlError
from evtxscan.rules.events import classes_that_can_meet, event_class, is_recorded
from evtxscan.rules.load import load_rules
from evtxscan.rules.ready import prepare
from evtxscan.rules.rule import parse_rule
from evtxscan.rules.state import RuleState, state_of, states_of
from tests.integration.command import evtxscan
from tests.integration.conftest import scenario as scenario_case

RULES = os.environ.get("EVTXSCAN_RULES")
scenario = scenario_case


def state(condition: str, language: str = "eql", rule_type: str = "eql") -> RuleState:
    """Return the state of a rule with this query."""
    text = (
        f'[rule]\nrule_id = "r"\nname = "n"\ntype = "{rule_type}"\nlanguage = "{language}"\nseverity = "low"\n'
        f"risk_score = 1\nquery = '''\n{condition}\n'''\n"
    )
    rule = parse_rule(text.encode(), "r.toml")
    return state_of(prepare(rule), rule)


def events_of(condition: str) -> tuple[str, ...]:
    """Return the classes of events that can meet a query for one event."""
    return classes_that_can_meet(read_query(condition).event.predicate)


@pytest.mark.parametrize(
    ("condition", "events"),
    [
        ('process where event.type == "start" and process.name : "x"', ("sysmon/1", "sysmon/7", "security/4688")),
        ('process where process.parent.command_line : "x"', ("sysmon/1", "security/4688")),
        ('process where process.pe.original_file_name : "x"', ("sysmon/1",)),
        ('registry where registry.data.strings : "x"', ("sysmon/13",)),
        ('any where event.code == "4662"', ("security/4662",)),
        ('any where event.code in ("4697", "7045")', ("security/4697", "system/7045")),
        ('any where event.provider == "Nobody" and event.code == "1"', ("base",)),
        ('process where event.action == "start"', ()),
        ('file where event.module == "endpoint"', ()),
        ('process where not event.action == "Process creation" and process.args != null', ("security/4688",)),
        ("process where process.Ext.ancestry == null and process.args_count > 0", ("sysmon/1", "security/4688")),
        ("nothing where true", ()),
    ],
)
def test_events_that_can_meet_a_condition(condition: str, events: tuple[str, ...]) -> None:
    """Catches a missing field that passes a test, a negation turned round, an event id that is nobody's."""
    found = [event for event in events_of(condition) if not event.startswith("powershell")]
    assert tuple(found) == events


QUERIES = (Path(__file__).parents[1] / "integration" / "queries.eql").read_text(encoding="utf-8").splitlines()


def test_no_event_matches_that_should_not(scenario: Path) -> None:
    """Catches an analysis that is too strict: what a query finds is of the classes that can meet it."""
    with settled(scenario) as case:
        asked = 0
        for text in QUERIES:
            if not text or text.startswith("#"):
                continue
            try:
                classes = set(events_of(text))
            except EqlError:
                continue
            asked += 1
            for event in query(case, text, Filters()):
                kind = Kind(event["event"]["provider"], None, event["winlog"]["channel"], event["event"]["code"])
                found = mapping_for(kind).id
                assert found in classes or event_class(found).code is None, (text, found)
        assert asked > 100


def test_fields_of_event_logs() -> None:
    for field in ("process.parent.args", "host.os.type", "event.outcome", "winlog.event_data.Whatever", "@timestamp"):
        assert is_recorded(field), field
    for field in (
        "process.Ext.ancestry",
        "process.code_signature.trusted",
        "winlog.event_data",
        "host.ip",
        "file.size",
    ):
        assert not is_recorded(field), field


def test_states() -> None:
    assert state('process where process.name : "x"').state == "runs"
    partly = state('process where process.name : "x" and not process.code_signature.trusted == true')
    assert (partly.state, partly.never) == ("runs_without_fields", ("process.code_signature.trusted",))
    assert partly.can_match
    never = state("process where process.code_signature.trusted == true")
    assert (never.state, never.can_match) == ("runs_without_fields", False)
    esql = state("from logs-* | limit 1", "esql", "esql")
    assert (esql.state, esql.is_broken, esql.can_match) == ("not_supported", False, False)
    broken = state("process where process.name ::")
    assert broken.is_broken
    assert broken.refused
    assert (broken.refused.reason, broken.refused.line, broken.refused.column) == ("query", 9, 29)


@pytest.mark.skipif(not RULES, reason="EVTXSCAN_RULES is not set")
def test_a_state_is_what_detect_does(scenario: Path) -> None:
    """Catches a rule that the list says runs and detect refuses, or the other way round."""
    folders = [part for folder in ("rules", "rules_building_block") for part in ("--rules", Path(RULES or "") / folder)]
    states = states_of(load_rules(tuple(str(part) for part in folders if part != "--rules")))
    assert len(states) > 400
    result = evtxscan("detect", "--case", scenario, *folders, "--format", "json").json
    ran, refused = {rule["id"] for rule in result["rules"]}, {entry["path"] for entry in result["refused"]}
    assert {s.rule.id for s in states if s.rule and s.state != "not_supported"} == ran
    assert {s.path for s in states if s.state == "not_supported"} == refused
    matching = {finding["evtxscan"]["rule"]["id"] for finding in result["findings"]}
    assert not matching & {s.rule.id for s in states if s.rule and not s.can_match}
