"""Sequence rules over made logs: one finding a process start, verdicts, and what a log does not cover."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from evtxscan.casework import Filters, detect, logged, settled
from evtxscan.export.result import Result
from tests.evtxmaker import Event, damage, template
from tests.export.schemas import faults
from tests.integration import logs
from tests.integration.command import evtxscan
from tests.integration.content import read

Document: TypeAlias = dict[str, Any]


def connection(number: int, *, host: str, seconds: float, **values: str) -> Event:
    """Return a Sysmon 3 of the process with this number."""
    kind = template("sysmon", 3)
    given = {
        "UtcTime": logs.utc_time(seconds),
        "ProcessGuid": f"00000000-0000-0000-0000-{number:012x}",
        "ProcessId": 1000 + number,
        "Image": f"C:\\Windows\\System32\\tool{number % 7}.exe",
        "Protocol": "tcp",
        "Initiated": True,
        "DestinationIp": "192.0.2.7",
        "DestinationPort": 443,
        **values,
    }
    return Event(kind, logs.START + int(seconds * logs.SECOND), host, kind.row(**given), pid=4, tid=8)


def run_rule(folder: Path, query: str, *, observed_only: bool = False) -> Result:
    """Run one query as a rule over the logs of a folder."""
    rule = folder / "rule.toml"
    rule.write_text(
        '[rule]\nrule_id = "r"\nname = "x"\ntype = "eql"\nlanguage = "eql"\nseverity = "low"\nrisk_score = 1\n'
        f"query = '''\n{query}\n'''\n"
    )
    case = folder / "case.db"
    if not case.exists():
        evtxscan("ingest", folder / "logs", "--case", case, code=None)
    with settled(case) as opened, logged(opened, "detect", []) as entry:
        result = detect(opened, entry.number, (str(rule),), Filters(observed_only=observed_only))
        assert result.refused == ()
        findings = list(result.findings)
    for finding in findings:
        assert faults("finding", finding) == []
    return Result(findings, result.verdicts, (), {}, result.rules)


def pids(finding: Document) -> list[int | None]:
    return [None if event is None else event["process"]["pid"] for event in finding["evtxscan"]["events"]]


def records(finding: Document) -> list[str | None]:
    return [None if event is None else event["event"]["code"] for event in finding["evtxscan"]["events"]]


def verdicts(result: Result) -> dict[str, tuple[str, set[tuple[str, str]]]]:
    return {
        verdict.host: (verdict.verdict, {(missing.field, missing.reason) for missing in verdict.missing})
        for verdict in result.verdicts
    }


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    """Three starts of one program, each in both logs; Security's records come half a second later."""
    logs.write(tmp_path / "logs" / "sysmon.evtx", [logs.process_start(7 * n) for n in (1, 2, 3)])
    logs.write(tmp_path / "logs" / "security.evtx", [logs.created(7 * n, seconds=7 * n + 0.5) for n in (1, 2, 3)])
    return tmp_path


def test_a_start_in_two_logs_is_one_event_of_a_sequence(twice: Path) -> None:
    """Catches a start that follows itself, counts twice for runs, or is in two findings for its two records."""
    item = '[process where event.type == "start" and process.name : "tool0.exe"]'
    found = run_rule(twice, f"sequence by host.id {item} {item}").findings
    assert [pids(finding) for finding in found] == [[1007, 1014], [1014, 1021]]
    assert [records(finding) for finding in found] == [["1", "1"]] * 2
    for finding in found:
        for event in finding["evtxscan"]["events"]:
            assert len(event["evtxscan"]["witnesses"]) == 1
    assert len(run_rule(twice, f"sequence by host.id {item} with runs=3").findings) == 1
    assert len(run_rule(twice, f"sequence by host.id {item} with runs=4").findings) == 0
    assert len(run_rule(twice, f"sequence by host.id {item} with runs=4", observed_only=True).findings) == 3
    assert len(run_rule(twice, f"sequence by host.id with maxspan=1s {item} {item}").findings) == 0
    by_record = run_rule(twice, f"sequence by host.id with maxspan=1s {item} {item}", observed_only=True).findings
    assert [records(finding) for finding in by_record] == [["1", "4688"]] * 3


def test_the_view_of_findings_shows_the_first_event(twice: Path) -> None:
    """Catches a later migration that makes the view for single events again."""
    item = '[process where process.name : "tool0.exe"]'
    run_rule(twice, f"sequence by host.id {item} {item}")
    rows = read(twice / "case.db", 'SELECT "process.executable", events, event_id IS NULL FROM findings')
    assert rows == [("C:\\Windows\\System32\\tool0.exe", 2, 0)] * 2


def test_either_record_of_a_start_may_meet_an_item(twice: Path) -> None:
    """Catches a start whose other record alone has the field, or the value to be joined by."""
    security = '[process where event.code == "4688" and process.name : "tool0.exe"]'
    sysmon = '[process where event.code == "1" and process.name : "tool0.exe"]'
    found = run_rule(twice, f"sequence by host.id {security} {sysmon}").findings
    assert [(pids(finding), records(finding)) for finding in found] == [
        ([1007, 1014], ["4688", "1"]),
        ([1014, 1021], ["4688", "1"]),
    ]
    by_user = run_rule(twice, f"sequence by user.name {sysmon} {sysmon}").findings
    assert [finding["evtxscan"]["join_keys"] for finding in by_user] == [["a.keller"]] * 2
    both = '[process where process.name : "tool0.exe"]'
    assert len(run_rule(twice, f"sequence by host.id, user.id {both} {both}").findings) == 2


START = '[process where event.type == "start" and process.command_line : "*evil*"]'
QUERY = f"sequence by process.entity_id with maxspan=1m {START} [network where destination.port == 443]"
HOSTS: dict[str, tuple[list[Event], str, set[tuple[str, str]]]] = {
    "match": (
        [
            logs.process_start(1, host="match", CommandLine="evil"),
            connection(1, host="match", seconds=9),
        ],
        "match",
        set(),
    ),
    "absent": (
        [
            logs.process_start(2, host="absent", CommandLine="good"),
            connection(2, host="absent", seconds=9),
        ],
        "no_match",
        set(),
    ),
    "late": (
        [
            logs.process_start(3, host="late", CommandLine="evil"),
            connection(3, host="late", seconds=64),
        ],
        "no_match",
        set(),
    ),
    "unknown": (
        [
            logs.process_start(4, host="unknown", CommandLine=""),
            connection(4, host="unknown", seconds=9),
        ],
        "undetermined",
        {("process.command_line", "not_recorded")},
    ),
    "unknown-late": (
        [
            logs.process_start(5, host="unknown-late", CommandLine=""),
            connection(5, host="unknown-late", seconds=66),
        ],
        "no_match",
        set(),
    ),
    "unknown-other": (
        [
            logs.process_start(6, host="unknown-other", CommandLine=""),
            connection(60, host="unknown-other", seconds=9),
        ],
        "no_match",
        set(),
    ),
    "no-network": (
        [logs.process_start(7, host="no-network", CommandLine="evil")],
        "incomplete",
        {("event.category", "no_events")},
    ),
    "no-network-absent": (
        [logs.process_start(8, host="no-network-absent", CommandLine="good")],
        "no_match",
        set(),
    ),
    "no-key": (
        [
            logs.created(9, host="no-key", CommandLine="evil"),
            connection(9, host="no-key", seconds=11),
        ],
        "undetermined",
        {("process.entity_id", "no_sysmon")},
    ),
    "no-key-late": (
        [
            logs.created(10, host="no-key-late", CommandLine="evil"),
            connection(10, host="no-key-late", seconds=71),
        ],
        "no_match",
        set(),
    ),
    "decided": (
        [
            logs.created(11, host="decided", CommandLine=""),
            logs.process_start(11, host="decided", CommandLine="good"),
            connection(11, host="decided", seconds=12),
        ],
        "no_match",
        set(),
    ),
}  # fmt: skip


def test_verdicts(tmp_path: Path) -> None:
    """Catches a host that is called clear where a value was not recorded, or unclear where the evidence excludes it."""
    events: Iterable[Event] = (event for made, _, _ in HOSTS.values() for event in made)
    logs.write(tmp_path / "logs" / "log.evtx", events)
    result = run_rule(tmp_path, QUERY)
    assert verdicts(result) == {host: (verdict, missing) for host, (_, verdict, missing) in HOSTS.items()}
    assert [pids(finding) for finding in result.findings] == [[1001, 1001]]


def test_lost_records_leave_open_what_they_were(tmp_path: Path) -> None:
    """Catches no match where a lost record may have completed a sequence."""
    events = [logs.process_start(n, CommandLine="evil" if n == 1 else "good") for n in range(1, 9)]
    logs.write(tmp_path / "logs" / "log.evtx", [*events, connection(70, host=logs.HOST, seconds=5)])
    damage.break_record_body(tmp_path / "logs" / "log.evtx", 4)
    found = verdicts(run_rule(tmp_path, QUERY))
    assert found[logs.HOST.lower()] == ("incomplete", {("*", "evidence_lost")})


@pytest.mark.parametrize(
    ("others", "removed", "reasons"),
    [
        ([5, 200], None, []),
        ([5, 30], None, ["log_ends_inside"]),
        ([200], None, ["log_begins_inside"]),
        ([5, 12, 14, 200], 3, ["records_missing"]),
    ],
)
def test_what_is_missing_has_to_be_covered_by_a_log(
    tmp_path: Path, others: list[int], removed: int | None, reasons: list[str]
) -> None:
    """Catches a finding that rests on an event not being there, in a time for which there is no log."""
    starts = [logs.process_start(n) for n in others]
    network = [connection(1, host=logs.HOST, seconds=70)]
    path = tmp_path / "logs" / "log.evtx"
    made = sorted([*starts, *network], key=lambda event: event.time)
    logs.write(path, made)
    if removed is not None:
        damage.break_record_body(path, removed)
    query = "[network where true] by host.id"
    before = f"sequence with maxspan=1m ![process where process.pid == 1] by host.id {query}"
    after = f"sequence with maxspan=1m {query} ![process where process.pid == 1] by host.id"
    either = run_rule(tmp_path, before if "log_ends_inside" not in reasons else after)
    [finding] = either.findings
    assert [gap["reason"] for gap in finding["evtxscan"].get("not_covered", [])] == reasons
    assert {reason for field, reason in verdicts(either)[logs.HOST.lower()][1] if reason != "evidence_lost"} == set(
        reasons
    )


def test_pipes_in_a_rule(twice: Path) -> None:
    """Catches head and tail that are parsed and passed over, or that make a match none."""
    item = '[process where process.name : "tool0.exe"]'
    assert [pids(f) for f in run_rule(twice, f"sequence by host.id {item} {item} | tail 1").findings] == [[1014, 1021]]
    found = run_rule(twice, 'process where process.name : "tool0.exe" | head 2').findings
    assert [finding["process"]["pid"] for finding in found] == [1007, 1014]
    for query in (f"sequence by host.id {item} {item} | head 0", 'process where process.name : "tool0.exe" | tail 0'):
        result = run_rule(twice, query)
        assert (result.findings, verdicts(result)) == ([], {logs.HOST.lower(): ("match", set())})


def test_a_value_that_is_tested_and_joined_by_is_missing_once(tmp_path: Path) -> None:
    """Catches a record that is counted for the test and again for the key."""
    logs.write(tmp_path / "logs" / "log.evtx", [logs.process_start(n, CurrentDirectory="") for n in (1, 2)])
    item = '[process where process.working_directory : "x*"]'
    [verdict] = run_rule(tmp_path, f"sequence by process.working_directory {item} {item}").verdicts
    missing = [(entry.field, entry.events, entry.reason) for entry in verdict.missing]
    assert (verdict.verdict, missing) == ("undetermined", [("process.working_directory", 4, "not_recorded")])
