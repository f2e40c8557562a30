"""Values of Elastic Defend's: what they do to a condition, held against adding them to the events."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evtxscan.casework import Filters, query, settled
from evtxscan.ecs.errors import MappingError
from evtxscan.eql import run
from evtxscan.eql.binder import BoundEventQuery
from evtxscan.eql.sql.run import CaseQueries, read_query
from evtxscan.kql.read import read_kql
from evtxscan.rules.defend import defend_values, is_for_defend, read_defend_values, translated, translations
from evtxscan.rules.load import load_rules
from evtxscan.rules.ready import Refused, prepare
from evtxscan.schema import read_json
from evtxscan.store.case import Case
from evtxscan.store.events import Events
from evtxscan.store.scope import Scope
from tests.integration.command import evtxscan
from tests.integration.conftest import scenario as scenario_case
from tests.integration.test_sql_engine import MAPPING

RULES, CORPUS = os.environ.get("EVTXSCAN_RULES"), os.environ.get("EVTXSCAN_CORPUS")
scenario = scenario_case

QUERIES = [
    'any where event.action == "start"',
    'any where event.action != "start"',
    'any where event.action in ("start", "end", "load")',
    'any where not event.action in ("start", "end")',
    'any where event.action : "CREAT*"',
    'any where not event.action : ("creat*", "dele*")',
    'any where event.action like~ ("Process*", "mod*")',
    'any where event.action regex "(start|end)"',
    'any where event.type == "creation"',
    'any where event.type != "deletion"',
    'registry where event.type == "deletion" or event.action == "rename"',
    'registry where not (event.type == "deletion" and event.action : "*")',
    'any where event.outcome == "success"',
    "any where event.outcome == null",
    "any where event.outcome != null",
    "any where event.action == null",
    "any where length(event.outcome) == null",
    "any where length(event.action) > 12",
    "any where not length(event.action) > 12",
    'any where startsWith(event.action, "log")',
    'any where event.action == "lookup_requested" and event.action == "lookup_result"',
    'network where event.action == "connection_attempted"',
    'network where event.action : ("connection_accepted", "connection_attempted") and network.direction == "egress"',
    'any where process.Ext.token.integrity_level_name : ("HIGH", "system")',
    'any where process.Ext.token.integrity_level_name != "system" and event.action == "start"',
    "any where process.Ext.token.integrity_level_name == null",
    'any where registry.data.type == "REG_DWORD"',
    'any where registry.data.type != "REG_DWORD" and registry.data.type != null',
    'any where event.category == "file" and event.action != "creation"',
    'any where not (event.action == "start" or event.action == "end") and event.type == "start"',
]


class Seen:
    """A case as SQL sees it, and its documents with Defend's values written into them: the slow and obvious way."""

    def __init__(self, case: Case, *, every: int = 1) -> None:
        events = Events(case)
        self.queries = CaseQueries(case, events, Scope(observed_only=True))
        documents = list(query(case, "any where true", Filters(observed_only=True)))[::every]
        self.documents = [with_values(document) for document in documents]
        self.looked_at = {document["evtxscan"]["event"]["id"] for document in documents}
        rows = [row for (row,) in case.db.execute("SELECT id FROM event")]
        self.ids = {row: places[0].event_id for row, places in events.places(rows).items()}

    def by_sql(self, bound: BoundEventQuery) -> list[str]:
        """Return the ids of the events that a translated query finds."""
        found = self.queries.matches(self.queries.compile(translated(bound)))
        return [event for row in found if (event := self.ids[row]) in self.looked_at]

    def by_memory(self, text: str) -> list[str]:
        """Return those that the query finds as it is, among documents that have Defend's values."""
        found = run(text, self.documents, mapping=MAPPING)
        return [event["evtxscan"]["event"]["id"] for event in found if isinstance(event, dict)]


def with_values(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with the values of the table beside its own."""
    content: Any = read_json("ecs/defend.json")
    providers = {"sysmon": "Microsoft-Windows-Sysmon", "security": "Microsoft-Windows-Security-Auditing"}
    found = copy.deepcopy(document)
    for entry in content["values"]:
        for event in entry["events"]:
            log, _, code = event.partition("/")
            if document["event"].get("provider") != providers[log] or document["event"]["code"] != code:
                continue
            if not all(set(values(document, field)) & set(wanted) for field, wanted in entry.get("where", {}).items()):
                continue
            for field, added in entry["adds"].items():
                place = found
                *folders, name = field.split(".")
                for folder in folders:
                    place = place.setdefault(folder, {})
                place[name] = [*values(found, field), *added]
    return found


def values(document: dict[str, Any], field: str) -> list[Any]:
    """Return the values of a field."""
    value: Any = document
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, list) else [] if value is None else [value]


@pytest.fixture(scope="module")
def seen(scenario: Path) -> Iterator[Seen]:
    """The shipped evidence."""
    with settled(scenario) as case:
        yield Seen(case)


@pytest.mark.parametrize("text", QUERIES)
def test_translating_a_query_is_adding_values_to_events(seen: Seen, text: str) -> None:
    """Catches a negation that forgets the recorded or the added value, a wildcard that sees only one of them."""
    bound = read_query(text)
    assert isinstance(bound, BoundEventQuery)
    assert sorted(seen.by_sql(bound)) == sorted(seen.by_memory(text))


def test_the_queries_are_changed_by_it(seen: Seen) -> None:
    """Catches a table of queries that agrees because nothing is translated."""
    changed = 0
    for text in QUERIES:
        bound = read_query(text)
        assert isinstance(bound, BoundEventQuery)
        plain = [seen.ids[row] for row in seen.queries.matches(seen.queries.compile(bound))]
        changed += plain != seen.by_sql(bound)
    assert changed > len(QUERIES) * 2 / 3


def test_kql_is_translated_too(seen: Seen) -> None:
    bound = translated(read_kql("event.action:(start or end) and not process.Ext.token.integrity_level_name:*"))
    assert [entry.values for entry in translations(bound.event.predicate)][:2] == [("start", "end"), ("system",)]
    found = {seen.ids[row] for row in seen.queries.matches(seen.queries.compile(bound))}
    starts = 'any where event.action in ("start", "end") and process.Ext.token.integrity_level_name == null'
    assert found == set(seen.by_memory(starts))


@pytest.mark.skipif(not (RULES and CORPUS), reason="EVTXSCAN_RULES or EVTXSCAN_CORPUS is not set")
def test_elastics_rules_over_real_logs(tmp_path: Path) -> None:
    """Catches what no hand-written table has: every rule for Defend over logs of others."""
    case = tmp_path / "case.db"
    evtxscan("ingest", Path(CORPUS or ""), "--case", case, code=None)
    wrong: dict[str, object] = {}
    with settled(case) as opened:
        seen = Seen(opened, every=40)
        asked = 0
        for rule in load_rules((RULES or "",)).rules:
            ready = prepare(rule)
            if isinstance(ready, Refused) or rule.type != "eql" or not is_for_defend(rule):
                continue
            bound = ready.written
            if not isinstance(bound, BoundEventQuery) or not translations(translated(bound).event.predicate):
                continue
            if "event.action" not in rule.query and asked % 8:
                asked += 1
                continue
            asked += 1
            sql, memory = seen.by_sql(bound), seen.by_memory(rule.query)
            if sorted(sql) != sorted(memory):
                wrong[rule.path] = sorted(set(sql) ^ set(memory))[:4]
    assert asked > 100
    assert wrong == {}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"events": ["sysmon/99"], "adds": {"event.action": ["x"]}, "why": ""}, "no mapping table 'sysmon/99'"),
        ({"events": ["sysmon/1"], "adds": {"event.category": ["x"]}, "why": ""}, "nothing can be added"),
        ({"events": ["sysmon/1"], "adds": {"a": ["x"]}}, "needs events, adds and why"),
        (
            {"events": ["sysmon/1"], "where": {"file.path": ["x"]}, "adds": {"a": ["x"]}, "why": ""},
            "never has file.path",
        ),
    ],
)
def test_the_table_is_checked(entry: dict[str, Any], message: str) -> None:
    content = {"format": "evtxscan-defend-values/1", "index": "x", "values": [entry], "untranslated": {}}
    with pytest.raises(MappingError, match=message):
        read_defend_values(content)
    assert len(defend_values().values) > 20


RULE = """[rule]
rule_id = "defend"
name = "n"
type = "eql"
severity = "low"
risk_score = 1
index = [{index}]
query = '''
process where event.action == "start" and process.name : "cmd.exe" and not event.action : ("end", "fork")
'''
"""


def test_detect_says_what_it_did(tmp_path: Path, scenario: Path) -> None:
    """Only rules for Defend are translated; a finding that needs it says so; both switches turn it off."""
    (tmp_path / "defend.toml").write_text(RULE.format(index='"winlogbeat-*", "logs-endpoint.events.process-*"'))
    (tmp_path / "other.toml").write_text(RULE.format(index='"winlogbeat-*"').replace('"defend"', '"other"'))
    result = evtxscan("detect", "--case", scenario, "--rules", tmp_path, "--format", "json").json
    found = result["findings"]
    assert len(found) > 5
    assert {finding["evtxscan"]["rule"]["id"] for finding in found} == {"defend"}
    for finding in found:
        assert finding["evtxscan"]["defend_values"] == [{"field": "event.action", "value": "start"}]
        assert {
            "test": 'event.action == "start"',
            "values": {"event.provider": [finding["event"]["provider"]], "event.code": [finding["event"]["code"]]},
            "stands_for": [{"field": "event.action", "value": "start"}],
        } in finding["evtxscan"]["matched"]
        assert finding["event"]["action"] != "start"
    assert result["scope"]["defend_values"] is True
    for switch in ("--no-defend-values", "--observed-only"):
        off = evtxscan("detect", "--case", scenario, "--rules", tmp_path, "--format", "json", switch).json
        assert (off["findings"], off["scope"]["defend_values"]) == ([], False)
        (rule,) = (
            rule
            for rule in evtxscan("rules", "list", "--rules", tmp_path, "--format", "ndjson", switch).lines
            if rule["id"] == "defend"
        )
        assert (rule["can_match"], rule["defend_values"]) == (False, [])
    shown = evtxscan("rules", "show", "defend", "--rules", tmp_path).out.decode()
    assert 'event.action start: Sysmon 1 or Security 4688, in event.action == "start"' in " ".join(shown.split())
    report = evtxscan("detect", "--case", scenario, "--rules", tmp_path, "--format", "html").out.decode()
    assert "The match rests on a translation" in report
