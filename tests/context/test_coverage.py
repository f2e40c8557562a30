"""What the logs cover: gaps in record ids with their causes told apart, and times in which something was not logged."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.evtxmaker import Event, damage, filetime, template
from tests.integration import logs
from tests.integration.command import EVIDENCE, evtxscan

SYSMON = "Microsoft-Windows-Sysmon/Operational"
COUNT, PER_CHUNK = 60, 10


def coverage(*evidence: Path, case: Path) -> list[dict[str, Any]]:
    evtxscan("ingest", *evidence, "--case", case, code=None)
    found: list[dict[str, Any]] = evtxscan("coverage", "--case", case, "--format", "json").json
    return found


def log_of(hosts: list[dict[str, Any]], channel: str) -> dict[str, Any]:
    (log,) = [log for host in hosts for log in host["logs"] if log["channel"] == channel]
    return dict(log)


def starts(first: int, count: int) -> list[Event]:
    return [logs.process_start(number) for number in range(first, first + count)]


def test_a_whole_log_has_no_gaps(tmp_path: Path) -> None:
    """Catches gaps at the seams of chunks."""
    logs.write(tmp_path / "a.evtx", starts(0, COUNT), per_chunk=PER_CHUNK)
    log = log_of(coverage(tmp_path / "a.evtx", case=tmp_path / "case.db"), SYSMON)
    assert (log["events"], log["gaps"], log["begins"]) == (COUNT, [], "first_record")
    assert (log["first_record_id"], log["last_record_id"]) == (1, COUNT)
    assert log["from"] == "2020-05-18T07:00:00.0000000Z"
    assert log["to"] == "2020-05-18T07:00:59.0000000Z"


def test_two_files_that_overlap_are_one_log(tmp_path: Path) -> None:
    """Catches a gap in one file that the other one fills."""
    events = starts(0, COUNT)
    logs.write(tmp_path / "a.evtx", events[:40], per_chunk=PER_CHUNK)
    logs.write(tmp_path / "b.evtx", events[25:], first_record_id=26, per_chunk=PER_CHUNK)
    log = log_of(coverage(tmp_path, case=tmp_path / "case.db"), SYSMON)
    assert (log["gaps"], log["files"], log["last_record_id"]) == ([], 2, COUNT)


def test_between_two_files(tmp_path: Path) -> None:
    logs.write(tmp_path / "a.evtx", starts(0, 20), first_record_id=501)
    logs.write(tmp_path / "b.evtx", starts(40, 20), first_record_id=541)
    log = log_of(coverage(tmp_path, case=tmp_path / "case.db"), SYSMON)
    assert log["begins"] == "overwritten"
    assert log["gaps"] == [
        {
            "after": 520,
            "before": 541,
            "records": 20,
            "lost": 0,
            "from": "2020-05-18T07:00:19.0000000Z",
            "to": "2020-05-18T07:00:40.0000000Z",
            "reason": "separate_files",
        }
    ]


def test_a_lost_record_is_a_known_loss(tmp_path: Path) -> None:
    path = tmp_path / "a.evtx"
    logs.write(path, starts(0, COUNT), per_chunk=PER_CHUNK)
    damage.break_record_magic(path, 25)
    (gap,) = log_of(coverage(path, case=tmp_path / "case.db"), SYSMON)["gaps"]
    assert (gap["after"], gap["before"], gap["records"], gap["lost"], gap["reason"]) == (24, 26, 1, 1, "lost")


def test_a_zeroed_chunk_is_damage(tmp_path: Path) -> None:
    """Catches records that go with their chunk, which no chunk header names any more."""
    path = tmp_path / "a.evtx"
    logs.write(path, starts(0, COUNT), per_chunk=PER_CHUNK)
    damage.overwrite(path, damage.chunk_offset(2), bytes(65536))
    (gap,) = log_of(coverage(path, case=tmp_path / "case.db"), SYSMON)["gaps"]
    assert (gap["after"], gap["before"], gap["reason"]) == (20, 31, "damaged")


def test_removed_records_are_unexplained(tmp_path: Path) -> None:
    """Catches the worst case: chunks taken out of a log whose file looks whole."""
    path = tmp_path / "a.evtx"
    logs.write(path, starts(0, COUNT), per_chunk=PER_CHUNK)
    data = path.read_bytes()
    path.write_bytes(data[: damage.chunk_offset(2)] + data[damage.chunk_offset(3) :])
    (gap,) = log_of(coverage(path, case=tmp_path / "case.db"), SYSMON)["gaps"]
    assert (gap["after"], gap["before"], gap["reason"]) == (20, 31, "unexplained")
    assert b"NOTHING IN THE EVIDENCE SAYS WHY" in evtxscan("coverage", "--case", tmp_path / "case.db").out


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The coverage of the shipped evidence by host."""
    found = coverage(EVIDENCE, case=tmp_path_factory.mktemp("coverage") / "case.db")
    return {host["host"].split(".")[0]: host for host in found}


def test_when_something_was_not_logged(hosts: dict[str, dict[str, Any]]) -> None:
    """As testdata/EXPECTED.md tells: Sysmon stopped twice, process creation not audited twice."""
    stops = [(stop["reason"], stop["from"][:19], stop["to"][:19]) for stop in hosts["ws-fin-07"]["stops"]]
    assert stops == [
        ("sysmon_stopped", "2020-05-18T10:15:58", "2020-05-18T10:21:52"),
        ("sysmon_stopped", "2020-05-19T09:20:03", "2020-05-19T09:45:10"),
        ("process_audit_off", "2020-05-19T09:36:00", "2020-05-19T09:37:10"),
        ("process_audit_off", "2020-05-19T09:50:02", "2020-05-19T09:52:02"),
    ]
    assert hosts["srv-old-02"]["stops"] == []  # its 1100 and 6006 are those of a shutdown


def test_what_is_recorded(hosts: dict[str, dict[str, Any]]) -> None:
    def told(host: str) -> dict[str, tuple[int, int]]:
        return {entry["what"]: (entry["present"], entry["events"]) for entry in hosts[host]["recorded"]}

    assert told("ws-fin-07") == {"command_lines": (118, 118), "parent_names": (117, 118), "sysmon": (179, 179)}
    assert told("srv-old-02") == {"command_lines": (0, 13), "parent_names": (0, 13)}


def test_boots_and_clock(hosts: dict[str, dict[str, Any]]) -> None:
    boots = [(boot["number"], (boot["start"] or "")[:19], boot["end_method"]) for boot in hosts["ws-fin-07"]["boots"]]
    assert boots == [(0, "", "unexpected"), (1, "2020-05-18T07:30:02", "shutdown"), (2, "2020-05-19T07:41:02", None)]
    assert {change["method"] for change in hosts["ws-fin-07"]["clock_changes"]} == {"recorded"}
    codes = [notice["code"] for notice in hosts["srv-old-02"]["notices"]]
    assert codes == ["6006", "1100", "6005"]


def service(code: int, seconds: float) -> Event:
    kind = template("classic", code)
    return Event(kind, logs.START + int(seconds * logs.SECOND), logs.HOST, kind.row())


def kernel_start(seconds: float) -> Event:
    kind = template("kernel-general", 12)
    time = logs.START + int(seconds * logs.SECOND)
    return Event(kind, time, logs.HOST, kind.row(StartTime=time))


def test_the_service_was_stopped_while_the_host_ran(tmp_path: Path) -> None:
    """Catches a stop that passes for a shutdown: no boot lies between the end of the service and its start."""
    events = [kernel_start(1), service(6005, 9), service(6006, 100), service(6005, 900)]
    logs.write(tmp_path / "System.evtx", events, first_record_id=70)
    (host,) = coverage(tmp_path, case=tmp_path / "case.db")
    assert [(stop["reason"], stop["from"][11:19], stop["to"][11:19]) for stop in host["stops"]] == [
        ("service_stopped", "07:01:40", "07:15:00")
    ]


def test_a_shutdown_is_no_stop(tmp_path: Path) -> None:
    events = [kernel_start(1), service(6005, 9), service(6006, 100), kernel_start(890), service(6005, 900)]
    logs.write(tmp_path / "System.evtx", [*events, service(6006, 2000)], first_record_id=70)
    (host,) = coverage(tmp_path, case=tmp_path / "case.db")
    assert host["stops"] == []


def test_one_host(tmp_path: Path) -> None:
    case = tmp_path / "case.db"
    evtxscan("ingest", EVIDENCE, "--case", case)
    done = evtxscan("coverage", "--case", case, "--host", "WS-FIN-07", "--format", "ndjson")
    assert [host["host"] for host in done.lines] == ["ws-fin-07.corp.example"]
    assert "no such host" in evtxscan("coverage", "--case", case, "--host", "nobody", code=2).message


def test_the_order_of_ingest_does_not_matter(tmp_path: Path) -> None:
    shutil.copytree(EVIDENCE, tmp_path / "evidence")
    one = coverage(tmp_path / "evidence", case=tmp_path / "one.db")
    logs_of = sorted((tmp_path / "evidence").rglob("*.evtx"), reverse=True)
    for path in logs_of:
        evtxscan("ingest", path, "--case", tmp_path / "two.db")
    assert evtxscan("coverage", "--case", tmp_path / "two.db", "--format", "json").json == one


def cleared(seconds: float) -> Event:
    kind = template("eventlog", 1102)
    return Event(kind, filetime("2020-05-18T07:00:00Z") + int(seconds * logs.SECOND), logs.HOST, kind.row())


def test_a_cleared_log(tmp_path: Path) -> None:
    """Catches a gap that a clearing left and that is put down to something else; ids go on behind it."""
    logs.write(tmp_path / "before.evtx", [logs.created(number) for number in range(10)], first_record_id=101)
    after = [cleared(300), *(logs.created(number) for number in range(301, 310))]
    logs.write(tmp_path / "after.evtx", after, first_record_id=151)
    log = log_of(coverage(tmp_path, case=tmp_path / "case.db"), "Security")
    (gap,) = log["gaps"]
    assert (gap["after"], gap["before"], gap["records"], gap["reason"]) == (110, 151, 40, "cleared")
    alone = log_of(coverage(tmp_path / "after.evtx", case=tmp_path / "alone.db"), "Security")
    assert alone["begins"] == "cleared"


def test_windows_of_findings_and_verdicts(tmp_path: Path) -> None:
    """Catches a window that is called whole although Sysmon was stopped in it."""
    case = tmp_path / "case.db"
    evtxscan("ingest", EVIDENCE, "--case", case)
    evtxscan("detect", "--case", case)
    hosts = evtxscan("coverage", "--case", case, "--format", "json").json
    (host,) = [host for host in hosts if host["host"].startswith("ws-fin")]
    verdict, *findings = host["windows"]
    assert (verdict["verdict"], verdict["whole"]) == ("match", False)
    reasons = [(lack["channel"], lack["reason"]) for lack in findings[0]["lacks"]]
    assert reasons == [(SYSMON, "begins_later"), ("Security", "begins_later"), (SYSMON, "sysmon_stopped")]
    text = evtxscan("coverage", "--case", case).out.decode()
    assert f"finding {findings[0]['finding']} of rule {verdict['rule']}: the logs are NOT WHOLE" in text
    assert "      Sysmon stopped 2020-05-18 10:15 to 10:21\n" in text


def test_a_window_that_is_whole(tmp_path: Path) -> None:
    """Catches windows that are never whole."""
    logs.write(tmp_path / "a.evtx", starts(0, COUNT), per_chunk=PER_CHUNK)
    case = tmp_path / "case.db"
    evtxscan("ingest", tmp_path / "a.evtx", "--case", case)
    evtxscan("detect", "--case", case)
    (host,) = evtxscan("coverage", "--case", case, "--format", "json").json
    assert [(window["verdict"], window["whole"]) for window in host["windows"]] == [("no_match", True)]


def test_a_case_without_the_index_of_chunks(tmp_path: Path) -> None:
    """Catches an SQLite error on a case that an earlier version made: it lacks the index until the next ingest."""
    logs.write(tmp_path / "a.evtx", starts(0, COUNT), per_chunk=PER_CHUNK)
    case = tmp_path / "case.db"
    before = coverage(tmp_path / "a.evtx", case=case)
    with closing(sqlite3.connect(case)) as db, db:
        db.execute("DROP INDEX event_by_chunk")
    assert evtxscan("coverage", "--case", case, "--format", "json").json == before


@pytest.mark.parametrize(("seconds", "stopped"), [(455, False), (40, True)])
def test_sysmon_is_stopped_by_a_shutdown(tmp_path: Path, seconds: float, *, stopped: bool) -> None:
    """Catches each shutdown that passes for Sysmon having been stopped: it says *Stopped* then, too."""
    off = Event(template("kernel-general", 13), logs.START + 460 * logs.SECOND, logs.HOST, _row(13, "StopTime", 460))
    events = [kernel_start(1), service(6005, 9), service(6006, 458), off, kernel_start(890), service(6005, 900)]
    logs.write(tmp_path / "System.evtx", events, first_record_id=70)
    states = [("Stopped", seconds), ("Started", 905)]
    logs.write(tmp_path / "Sysmon.evtx", [_state(*state) for state in states], first_record_id=70)
    (host,) = coverage(tmp_path, case=tmp_path / "case.db")
    assert [stop["reason"] for stop in host["stops"]] == (["sysmon_stopped"] if stopped else [])


def _state(state: str, seconds: float) -> Event:
    kind = template("sysmon", 4)
    values = kind.row(UtcTime=logs.utc_time(seconds), State=state)
    return Event(kind, logs.START + int(seconds * logs.SECOND), logs.HOST, values)


def _row(code: int, name: str, seconds: float) -> list[Any]:
    return list(template("kernel-general", code).row(**{name: logs.START + int(seconds * logs.SECOND)}))
