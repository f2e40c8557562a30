"""KQL over a case gives what it gives over the same events in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evtxscan.detect.documents import Documents
from evtxscan.eql.sql.run import CaseQueries
from evtxscan.kql import read_kql, run
from evtxscan.store.case import open_case
from evtxscan.store.events import Events
from evtxscan.store.scope import Scope

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
