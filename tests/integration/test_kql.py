"""KQL over a case gives what it gives over the same events in memory."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from evtxscan.casework import Filters, query, settled
from evtxscan.detect.documents import Documents
from evtxscan.detect.engine import run_rules
from evtxscan.detect.results import RuleResult
from evtxscan.detect.windows import Windows
from evtxscan.eql.binder import JoinKey
from evtxscan.eql.dates import milliseconds
from evtxscan.eql.documents import reader
from evtxscan.eql.engine import join_values
from evtxscan.eql.sql.run import CaseQueries
from evtxscan.kql import read_kql, run
from evtxscan.kql.read import case_mapping
from evtxscan.rules.kuery import read_rule_query
from evtxscan.rules.load import load_rules
from evtxscan.rules.new_terms import new_terms
from evtxscan.rules.rows import Row
from evtxscan.rules.rule import Rule, parse_rule
from evtxscan.rules.threshold import over_threshold
from evtxscan.store.case import Case, open_case
from evtxscan.store.events import Events
from evtxscan.store.scope import Scope
from tests.integration.command import evtxscan

RULES, CORPUS = os.environ.get("EVTXSCAN_RULES"), os.environ.get("EVTXSCAN_CORPUS")
SAMPLE_FILES = 24

QUERIES = [
    "",
    "event.category:process and event.type:start",
    'event.code:("1" or 4688) and not process.name:cmd.exe',
    "process.name.caseless:(SVCHOST.EXE or p*.exe)",
    "process.name:(svchost.exe or CMD.EXE or *shell*)",
    "process.parent.args:(* and not *-s*)",
    "process.args:*UsoSvc*",
    "process.pid > 1000 and process.pid <= 5000",
    "not process.executable:*",
    r"process.executable:C\:\\Windows\\*32\\*.exe",
    'event.category:"authentication" and user.name:*',
    "source.ip:10.0.0.0/8 or destination.port:(443 or 80)",
    "@timestamp >= 2026 and not event.provider:*Sysmon",
    "message:x or powershell.file.script_block_text:y",
    "winlog.event_data.LogonType:(2 or 3 or 5)",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_case_answers_as_its_documents_do(query: str, scenario: Path, events: list[dict[str, Any]]) -> None:
    bound = read_kql(query)
    with open_case(scenario) as case:
        stored = Events(case)
        queries = CaseQueries(case, stored, Scope())
        rows = list(queries.matches(queries.compile(bound)))
        found = [d["evtxscan"]["event"]["id"] for d in Documents(case, stored, observed_only=False).of(rows)]
    wanted = [document["evtxscan"]["event"]["id"] for document in run(bound, events)]
    assert sorted(found) == sorted(wanted)


def test_the_queries_are_worth_asking(events: list[dict[str, Any]]) -> None:
    """Most of them match some events and not all."""
    counts = [len(run(read_kql(query), events)) for query in QUERIES]
    assert sum(0 < count < len(events) for count in counts) > 9


class InMemory:
    """What rules find in the documents of a case, as Elasticsearch has them, without a line of SQL."""

    def __init__(self, case: Case) -> None:
        self.documents = list(query(case, "any where true", Filters(observed_only=True)))
        rows = [row for (row,) in case.db.execute("SELECT id FROM event")]
        self._rows = {places[0].event_id: row for row, places in Events(case).places(rows).items()}
        self._matching: dict[str, list[dict[str, Any]]] = {}

    def row(self, document: dict[str, Any]) -> int:
        return self._rows[document["evtxscan"]["event"]["id"]]

    def found(self, rule: Rule) -> list[Any]:
        """Return what the rule finds, in a form that ``told`` gives too."""
        if rule.query not in self._matching or rule.filters:
            self._matching[rule.query] = run(read_rule_query(rule), self.documents)
        documents = self._matching[rule.query]
        if rule.threshold:
            rows = self.values(documents, rule.threshold.row_fields)
            groups = over_threshold(rows, rule.threshold, rule.lookback)
            return [(group.key, group.events, group.different) for group in groups]
        if rule.new_terms:
            new = new_terms(self.values(documents, rule.new_terms.fields), rule.new_terms.history)
            return [(term.event, term.key, term.last) for term in new]
        return [self.row(document) for document in documents]

    def values(self, documents: Sequence[dict[str, Any]], fields: Sequence[str]) -> Iterator[Row]:
        """Yield rows of the values of some fields."""
        mapping = case_mapping()
        keys = [JoinKey(field, optional=False, mapped=True, type=mapping.type_of(field)) for field in fields]
        for document in documents:
            lookup = reader(document, mapping)
            (time,) = map(milliseconds, lookup("@timestamp"))
            assert time is not None
            values = tuple(tuple(value for _, value in join_values(key, lookup) if value is not None) for key in keys)
            yield Row(time, self.row(document), values)


def told(result: RuleResult) -> list[Any]:
    """Return what a case says that a rule finds."""
    if result.rule.threshold:
        return [(group.hit.key, group.hit.events, group.hit.different) for group in result.groups]
    if result.rule.new_terms:
        return [(term.event, term.key, term.last) for hit in result.hits for term in hit.new]
    return [hit.row for hit in result.hits]


GROUPED = [
    ["host.id"],
    ["process.name"],
    ["user.id", "process.executable"],
    ["source.ip"],
    ["process.args"],
    ["event.code", "host.name"],
    ["winlog.event_data.TargetUserName"],
    ["process.parent.args"],
    ["related.user", "destination.port"],
    ["event.category", "event.type"],
]
COUNTED = [
    "host.name:*",
    "event.category:process and not user.id:S-1-5-18",
    "winlog.event_data.TargetUserName:* or file.path:*",
]


def made_rules() -> Iterator[Rule]:
    """Yield threshold and new-terms rules of all sorts."""
    for number, (text, fields) in enumerate(product(COUNTED, GROUPED)):
        listed = ", ".join(f'"{field}"' for field in fields)
        threshold = f"[rule.threshold]\nfield = [{listed}]\nvalue = {2 + number % 3}\n"
        if number % 2:
            threshold += '[[rule.threshold.cardinality]]\nfield = "process.pid"\nvalue = 2\n'
        history = '[[rule.new_terms.history_window_start]]\nfield = "x"\nvalue = "now-2h"\n'
        for kind, tables in (
            ("threshold", threshold),
            ("new_terms", f"[rule.new_terms]\nvalue = [{listed}]\n{history}"),
        ):
            content = (
                f'[rule]\nrule_id = "{kind}-{number}"\nname = "x"\ntype = "{kind}"\nseverity = "low"\n'
                f"risk_score = 1\nfrom = \"now-{1 + number}m\"\nquery = '{text}'\n{tables}"
            )
            yield parse_rule(content.encode(), f"{kind}-{number}.toml")


def test_groups_and_new_values_are_those_of_the_documents(scenario: Path) -> None:
    """Catches a field that is read otherwise in bulk than it stands in the document, and an event out of order."""
    with settled(scenario) as case:
        memory = InMemory(case)
        scope = Scope(observed_only=True)
        sizes = []
        for result in run_rules(case, Events(case), made_rules(), scope, Windows(case, scope)):
            assert isinstance(result, RuleResult)
            assert told(result) == memory.found(result.rule), result.rule
            sizes.append(len(told(result)))
    assert sum(size > 2 for size in sizes) > len(sizes) / 2


@pytest.mark.skipif(not (RULES and CORPUS), reason="EVTXSCAN_RULES or EVTXSCAN_CORPUS is not set")
def test_elastics_rules_over_real_logs(tmp_path: Path) -> None:
    """Catches what no hand-written rule has: the rules of others, filters and all, over the logs of others."""
    chance = random.Random(20201119)  # noqa: S311 - repeatable, not secret
    files = sorted(path for path in Path(CORPUS or "").rglob("*.evtx") if path.stat().st_size < 2_000_000)
    rules = [rule for rule in load_rules((str(RULES),)).rules if rule.language == "kuery"]
    assert {rule.type for rule in rules} == {"query", "threshold", "new_terms"}
    evtxscan("ingest", *chance.sample(files, SAMPLE_FILES), "--case", tmp_path / "case.db", code=None)
    wrong, found = [], 0
    with settled(tmp_path / "case.db") as case:
        memory = InMemory(case)
        scope = Scope(observed_only=True)
        for result in run_rules(case, Events(case), rules, scope, Windows(case, scope)):
            assert isinstance(result, RuleResult), result
            if told(result) != memory.found(result.rule):
                wrong.append(result.rule.path)
            found += len(told(result))
    assert wrong == []
    assert found > 3
