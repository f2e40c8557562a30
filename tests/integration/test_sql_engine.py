"""The SQL engine gives what the engine in memory gives over the exported documents, row for row."""

from __future__ import annotations

import os
import random
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evtxscan.casework import Filters, query, settled
from evtxscan.ecs.base import base
from evtxscan.eql import run
from evtxscan.eql.binder import BoundEventQuery
from evtxscan.eql.mapping import FieldMapping, field_type
from evtxscan.eql.sql.run import CaseQueries, read_query
from evtxscan.errors import EqlError
from evtxscan.store.case import Case
from evtxscan.store.events import Events
from evtxscan.store.scope import Scope
from tests.integration.command import evtxscan

RULES, CORPUS = os.environ.get("EVTXSCAN_RULES"), os.environ.get("EVTXSCAN_CORPUS")
MAPPING = FieldMapping({field: field_type(name) for field, name in base().types.items()})
SAMPLE_FILES, SAMPLE_RULES = 24, 100


class Both:
    """A case as the two engines see it: SQL, with what several queries share, and documents as they are exported."""

    def __init__(self, case: Case, *, observed_only: bool, every: int = 1) -> None:
        """``every``: give the engine in memory, which is slow, only so many of the documents."""
        events = Events(case)
        self._queries = CaseQueries(case, events, Scope(observed_only=observed_only))
        self.documents = list(query(case, "any where true", Filters(observed_only=observed_only)))[::every]
        self.looked_at = {document["evtxscan"]["event"]["id"] for document in self.documents}
        rows = [row for (row,) in case.db.execute("SELECT id FROM event")]
        self._ids = {row: places[0].event_id for row, places in events.places(rows).items()}
        self.everything = set(self._ids.values())
        assert len(self.looked_at) == len(self.documents) == -(-len(rows) // every)

    def by_sql(self, text: str) -> list[str]:
        """Return the ids of the events that a query finds, in order."""
        bound = read_query(text)
        assert isinstance(bound, BoundEventQuery)
        rows = self._queries.matches(self._queries.compile(bound))
        return [self._ids[row] for row in rows]

    def by_memory(self, text: str) -> list[str]:
        """Return the same as the engine in memory gives it."""
        found = run(text, self.documents, mapping=MAPPING)
        return [event["evtxscan"]["event"]["id"] for event in found if isinstance(event, dict)]

    def differ(self, text: str) -> list[tuple[str, str]]:
        """Return the events that only one of the engines finds, with its name; or, found by both, in another order."""
        sql = [event for event in self.by_sql(text) if event in self.looked_at]
        memory = self.by_memory(text)
        if sorted(sql) == sorted(memory):
            return [] if sql == memory else [("order", event) for event in sql]
        return [("sql", event) for event in sql if event not in set(memory)] + [
            ("memory", event) for event in memory if event not in set(sql)
        ]


@pytest.fixture(scope="session", params=[True, False], ids=["observed", "inferred"])
def shipped(scenario: Path, request: pytest.FixtureRequest) -> Iterator[Both]:
    """The shipped evidence."""
    with settled(scenario) as case:
        yield Both(case, observed_only=request.param, every=3)


QUERIES = [
    line
    for line in Path(__file__).with_name("queries.eql").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_table_of_queries(shipped: Both) -> None:
    """Catches an operator, function or kind of field that SQL answers otherwise than the engine in memory."""
    wrong: dict[str, object] = {}
    for text in QUERIES:
        try:
            different = shipped.differ(text)
        except EqlError as error:
            wrong[text] = error.message
            continue
        if different:
            wrong[text] = different[:4]
    assert wrong == {}


def test_negations_complement(shipped: Both) -> None:
    """Catches SQL's third value: a row for which a test is neither true nor false would be in neither half."""
    for text in QUERIES:
        head, _, condition = text.partition(" where ")
        if head == "any":
            yes, no = set(shipped.by_sql(text)), set(shipped.by_sql(f"any where not ({condition})"))
            if " / 0" not in condition:  # a division by zero is null, and so is its opposite
                assert yes | no == shipped.everything, text
            assert not yes & no, text


def test_the_table_tells_queries_apart(shipped: Both) -> None:
    """Catches a table that agrees because nothing is found: two thirds of the queries find some events, not all."""
    counts = [len(shipped.by_sql(text)) for text in QUERIES]
    assert sum(0 < count < len(shipped.everything) for count in counts) > len(QUERIES) * 2 / 3


def test_filters(scenario: Path) -> None:
    """Catches a limit that is off by one, of which SQL knows more digits than an examiner gives."""
    with settled(scenario) as case:
        everything = list(query(case, "any where true", Filters()))
        times = sorted({event["@timestamp"] for event in everything})
        for start, end in [(times[40], times[200]), (times[7], None), (None, times[7]), (times[9], times[9])]:
            wanted = [
                event["evtxscan"]["event"]["id"]
                for event in everything
                if (start is None or padded(event) >= pad(start)) and (end is None or padded(event) <= pad(end))
            ]
            found = query(case, "any where true", Filters(start, end))
            assert [event["evtxscan"]["event"]["id"] for event in found] == wanted, (start, end)
        offset = query(case, "any where true", Filters("2020-05-18T15:20:05.535+02:00", "2020-05-18T13:20:05.535Z"))
        assert [event["process"]["pid"] for event in offset] == [9012]
        for hosts in (("WS-FIN-07",), ("ws-fin-07.corp.example",), ("srv-old-02", "WS-FIN-07"), ("nobody",), ("ws",)):
            names = {host.lower().partition(".")[0] for host in hosts}
            wanted = [
                event["evtxscan"]["event"]["id"]
                for event in everything
                if event["host"]["id"].partition(".")[0] in names
            ]
            found = query(case, "any where true", Filters(hosts=hosts))
            assert [event["evtxscan"]["event"]["id"] for event in found] == wanted, hosts


def padded(event: dict[str, Any]) -> str:
    return pad(event["@timestamp"])


def pad(time: str) -> str:
    """Return a time with seven digits."""
    whole, _, digits = time.removesuffix("Z").partition(".")
    return f"{whole}.{digits:0<7}"


def runs(text: str) -> bool:
    """Tell whether a query asks for single events; tests/integration/test_sequences.py has the others."""
    return isinstance(read_query(text), BoundEventQuery)


@pytest.mark.skipif(not (RULES and CORPUS), reason="EVTXSCAN_RULES or EVTXSCAN_CORPUS is not set")
def test_elastics_rules_over_real_logs(tmp_path: Path) -> None:
    """Catches what no hand-written table has: 400 rules of others over the logs of others, a sample of both."""
    chance = random.Random(20201118)  # noqa: S311 - repeatable, not secret
    files = sorted(path for path in Path(CORPUS or "").rglob("*.evtx") if path.stat().st_size < 2_000_000)
    queries = []
    for path in sorted(Path(RULES or "").rglob("*.toml")):
        rule = tomllib.loads(path.read_text(encoding="utf-8")).get("rule", {})
        if rule.get("language") == "eql" and runs(rule["query"]):
            queries.append((path.name, rule["query"]))
    case = tmp_path / "case.db"
    evtxscan("ingest", *chance.sample(files, SAMPLE_FILES), "--case", case, code=None)
    wrong: dict[str, object] = {}
    with settled(case) as opened:
        both = Both(opened, observed_only=True)
        assert len(both.everything) > 300
        for name, text in chance.sample(queries, SAMPLE_RULES):
            if different := both.differ(text):
                wrong[name] = different[:4]
    assert wrong == {}
