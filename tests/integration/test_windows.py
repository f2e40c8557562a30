"""Whether a finding and a *no match* say rightly that their logs are whole, and if not, why: on made logs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.evtxmaker import Event, Value, damage, template
from tests.export.schemas import faults
from tests.integration import logs
from tests.integration.command import evtxscan

Document: TypeAlias = dict[str, Any]

HOUR = 3600.0
HOURS, PER_CHUNK = 100, 10
FOUND = 90
SYSMON = "Microsoft-Windows-Sysmon/Operational"
RULE = """[rule]
rule_id = "{id}"
name = "{id}"
type = "eql"
language = "eql"
severity = "low"
risk_score = 1
query = '''
{query}
'''
"""


def starts(first: int, count: int, **values: Value) -> list[Event]:
    """A process start (Security 4688) an hour."""
    return [logs.created(number, seconds=number * HOUR, **values) for number in range(first, first + count)]


def other(name: str, code: int, hours: float, **values: Value) -> Event:
    """An event of another kind."""
    kind = template(name, code)
    return Event(kind, logs.START + int(hours * HOUR * logs.SECOND), logs.HOST, kind.row(**values))


def at(hours: float) -> str:
    """The time so many hours after the first event, to the minute."""
    day, hour = divmod(7 + hours, 24)
    return f"2020-05-{18 + int(day):02}T{int(hour):02}:{round(hour % 1 * 60):02}"


class Answers:
    """What two rules say of the logs of a folder: one finds the start of the 90th hour, the other nothing."""

    def __init__(
        self, folder: Path, *ingest: str, found: str = "", nothing: str = "", detect: Iterable[str] = ()
    ) -> None:
        self.case = folder / "case.db"
        found = found or f"process where process.pid == {1000 + FOUND}"
        nothing = nothing or "process where process.pid == 1"
        rules = folder / "rules"
        rules.mkdir()
        for name, query in (("found", found), ("nothing", nothing)):
            (rules / f"{name}.toml").write_text(RULE.format(id=name, query=query))
        evtxscan("ingest", folder / "logs", "--case", self.case, *ingest, code=None)
        self._detect = ("detect", "--case", self.case, "--rules", rules, *detect)
        result = evtxscan(*self._detect, "--format", "json").json
        assert faults("detect", result) == []
        (self.found,) = [finding["evtxscan"]["window"] for finding in result["findings"]] or [None]
        verdicts = {entry["rule"]: entry for entry in result["verdicts"] if entry["host"] == logs.HOST.lower()}
        self.verdict: str = verdicts["nothing"]["verdict"]
        self.nothing: Document = verdicts["nothing"]["window"]
        self.match: Document = verdicts["found"]["window"]

    def text(self) -> str:
        """What stands on the screen, without its line ends."""
        return " ".join(evtxscan(*self._detect).out.decode().split())


def told(window: Document) -> list[tuple[str, str, str | None, str | None, int]]:
    """What a window lacks: log, reason, from and to (to the minute), records."""
    assert window["whole"] is (window["lacks"] == [])
    return [
        (
            lack["channel"],
            lack["reason"],
            lack["from"] and lack["from"][:16],
            lack["to"] and lack["to"][:16],
            lack["records"],
        )
        for lack in window["lacks"]
    ]


def test_a_whole_log(tmp_path: Path) -> None:
    """Catches windows that are never whole, and those that are not those of the finding and the host."""
    logs.write(tmp_path / "logs" / "Security.evtx", starts(0, HOURS), first_record_id=501, per_chunk=PER_CHUNK)
    answers = Answers(tmp_path)
    assert (answers.verdict, told(answers.nothing), told(answers.found)) == ("no_match", [], [])
    assert (answers.nothing["from"][:16], answers.nothing["to"][:16]) == (at(0), at(HOURS - 1))
    assert (answers.found["from"][:16], answers.found["to"][:16]) == (at(FOUND - 48), at(FOUND))
    assert "window whole, 2020-05-20 01:00 to 2020-05-22 01:00 UTC" in answers.text()
    assert "logs whole, 2020-05-18 07:00 to" in answers.text()


@pytest.mark.parametrize(("chunk", "is_in_window"), [(7, True), (2, False)])
def test_records_that_were_removed(tmp_path: Path, chunk: int, is_in_window: bool) -> None:
    """Catches a gap that goes unnoticed, and one outside of the 48 hours that a finding rests on."""
    path = tmp_path / "logs" / "Security.evtx"
    logs.write(path, starts(0, HOURS), first_record_id=501, per_chunk=PER_CHUNK)
    data = path.read_bytes()
    path.write_bytes(data[: damage.chunk_offset(chunk)] + data[damage.chunk_offset(chunk + 1) :])
    answers = Answers(tmp_path)
    gap = ("Security", "unexplained", at(chunk * 10 - 1), at(chunk * 10 + 10), 10)
    assert (answers.verdict, told(answers.nothing)) == ("no_match", [gap])
    assert told(answers.match) == [gap]
    assert told(answers.found) == ([gap] if is_in_window else [])
    assert "logs not whole: Security: 10 records missing 2020-05-" in answers.text()


def test_a_cleared_log(tmp_path: Path) -> None:
    """Catches a clearing that is put down to a gap between two files."""
    logs.write(tmp_path / "logs" / "old.evtx", starts(0, 60), first_record_id=1)
    after = [other("eventlog", 1102, 70), *starts(71, HOURS - 71)]
    logs.write(tmp_path / "logs" / "Security.evtx", after, first_record_id=71)
    answers = Answers(tmp_path)
    gap = ("Security", "cleared", at(59), at(70), 10)
    assert (told(answers.nothing), told(answers.found)) == ([gap], [gap])
    assert "Security: log cleared, 10 records missing 2020-05-20 18:00 to 2020-05-21 05:00" in answers.text()


def test_a_log_that_begins_where_it_was_cleared(tmp_path: Path) -> None:
    """Catches a clearing of which only the log behind it is left; the other log tells how far back the host goes."""
    logs.write(tmp_path / "logs" / "System.evtx", [other("classic", 6005, 0), other("classic", 6009, 99)])
    after = [other("eventlog", 1102, 70), *starts(71, HOURS - 71)]
    logs.write(tmp_path / "logs" / "Security.evtx", after, first_record_id=71)
    answers = Answers(tmp_path)
    assert told(answers.nothing) == [("Security", "cleared", at(0), at(70), 0)]
    assert told(answers.found) == [("Security", "cleared", at(FOUND - 48), at(70), 0)]


def test_the_service_was_stopped(tmp_path: Path) -> None:
    """Catches a stop of the service that writes all logs, and stands in one that the rule does not look into."""
    logs.write(tmp_path / "logs" / "Security.evtx", starts(0, HOURS), first_record_id=501)
    boot = [other("kernel-general", 12, 0, StartTime=logs.START), other("classic", 6005, 0.01)]
    stop = [other("classic", 6006, 60.25), other("classic", 6005, 60.75)]
    logs.write(tmp_path / "logs" / "System.evtx", [*boot, *stop])
    answers = Answers(tmp_path)
    lack = ("", "service_stopped", at(60.25), at(60.75), 0)
    assert (told(answers.nothing), told(answers.found)) == ([lack], [lack])
    assert "event log service stopped 2020-05-20 19:15 to 19:45" in answers.text()


def test_a_rotated_log(tmp_path: Path) -> None:
    """Catches a log whose older records were overwritten and that passes for whole, since it has no gap."""
    logs.write(tmp_path / "logs" / "Security.evtx", starts(60, HOURS - 60), first_record_id=501)
    logs.write(tmp_path / "logs" / "System.evtx", [other("classic", 6009, hours) for hours in range(HOURS)])
    answers = Answers(tmp_path)
    assert told(answers.nothing) == [("Security", "begins_later", at(0), at(60), 0)]
    assert told(answers.found) == [("Security", "begins_later", at(FOUND - 48), at(60), 0)]
    assert "logs not whole: Security begins at 2020-05-20 19:00" in answers.text()


def test_a_log_that_ends_early(tmp_path: Path) -> None:
    """Catches a log that was collected days before the others, and a quiet one that is taken for such."""
    logs.write(tmp_path / "logs" / "Security.evtx", starts(0, HOURS), first_record_id=501)
    late = [other("classic", 6009, hours) for hours in (0, HOURS + 15, HOURS + 25)]
    logs.write(tmp_path / "logs" / "System.evtx", late, first_record_id=7)
    answers = Answers(tmp_path)
    assert told(answers.nothing) == [("Security", "ends_earlier", at(HOURS - 1), at(HOURS + 25), 0)]
    assert told(answers.found) == []
    asked = Answers(
        _beside(tmp_path), nothing='any where event.code == "6005"', detect=("--to", f"{at(HOURS + 30)}:00Z")
    )
    assert told(asked.nothing) == []


def _beside(folder: Path) -> Path:
    """The same logs for a case of its own."""
    copy = folder / "beside"
    copy.mkdir()
    (copy / "logs").symlink_to(folder / "logs")
    return copy


def test_there_is_no_such_log(tmp_path: Path) -> None:
    """Catches a *no match* about registry keys of a host that never had Sysmon, which passes for an answer."""
    logs.write(tmp_path / "logs" / "Security.evtx", starts(0, HOURS), first_record_id=501)
    answers = Answers(tmp_path, nothing='registry where registry.path : "*\\\\Run\\\\*"')
    assert answers.verdict == "incomplete"
    assert told(answers.nothing) == [(SYSMON, "no_log", at(0), at(HOURS - 1), 0)]
    assert "no Sysmon log" in answers.text()


def test_a_host_needs_one_of_the_logs_only(tmp_path: Path) -> None:
    """Catches a rule for logons that is told to lack Sysmon, and the reverse: a stop of Sysmon that does not matter."""
    logs.write(tmp_path / "logs" / "Security.evtx", starts(0, HOURS), first_record_id=501)
    sysmon = [logs.process_start(number) for number in range(20)]
    logs.write(tmp_path / "logs" / "Sysmon.evtx", sysmon, first_record_id=9)
    answers = Answers(tmp_path, nothing="authentication where process.pid == 1")
    assert told(answers.nothing) == []
    assert told(answers.match) == [(SYSMON, "ends_earlier", at(0), at(HOURS - 1), 0)]


def test_command_lines_that_were_not_recorded(tmp_path: Path) -> None:
    """Catches a *no match* on command lines over records without; a rule that asks for none is not told of it."""
    before = starts(0, 50, CommandLine="")
    logs.write(tmp_path / "logs" / "Security.evtx", [*before, *starts(50, 50)], first_record_id=501)
    answers = Answers(tmp_path, nothing='process where process.command_line : "*mimikatz*"')
    lack = ("Security", "command_line_not_audited", at(0), at(49), 50)
    assert (told(answers.nothing), told(answers.match), told(answers.found)) == ([lack], [], [])


def test_the_clock_was_set_back(tmp_path: Path) -> None:
    """Catches a time that was passed twice; what sets a clock by seconds is no matter."""
    changes = [_set(60, 55), _set(80, 80 - 30 / 3600)]
    events = sorted([*starts(0, HOURS), *changes], key=lambda event: event.time)
    logs.write(tmp_path / "logs" / "Security.evtx", events, first_record_id=501)
    answers = Answers(tmp_path)
    lack = ("", "clock_set_back", at(55), at(60), 0)
    assert (told(answers.nothing), told(answers.found)) == ([lack], [lack])
    assert "clock set back from 2020-05-20 19:00 to 2020-05-20 14:00" in answers.text()


def _set(old: float, new: float) -> Event:
    times = {
        name: logs.START + int(hours * HOUR * logs.SECOND) for name, hours in (("PreviousTime", old), ("NewTime", new))
    }
    return other("security", 4616, new, **times)


def test_numbers_that_began_again(tmp_path: Path) -> None:
    """Catches a log file that was deleted: the new one fills the numbers of the old one, and both pass for one."""
    logs.write(tmp_path / "logs" / "old.evtx", starts(0, 60), first_record_id=1)
    logs.write(tmp_path / "logs" / "Security.evtx", starts(70, 30), first_record_id=1)
    answers = Answers(tmp_path)
    lack = ("Security", "restarted", at(59), at(70), 0)
    assert (told(answers.nothing), told(answers.found)) == ([lack], [lack])
    (host,) = evtxscan("coverage", "--case", answers.case, "--format", "json").json
    begins = [(log["begins"], log["events"], log["from"][:16]) for log in host["logs"]]
    assert begins == [("first_record", 60, at(0)), ("restarted", 30, at(70))]


def test_what_ingest_left_out_is_in_the_evidence(tmp_path: Path) -> None:
    """Catches gaps that are none: an ingest of some categories stores a choice of records of a log that is whole."""
    events = [logs.created(n, seconds=n * HOUR) if n % 5 == 0 else other("security", 4624, n) for n in range(HOURS)]
    logs.write(tmp_path / "logs" / "Security.evtx", events, first_record_id=501, per_chunk=PER_CHUNK)
    answers = Answers(tmp_path, "--only", "process")
    assert (told(answers.nothing), told(answers.found)) == ([], [])
    (host,) = evtxscan("coverage", "--case", answers.case, "--format", "json").json
    (log,) = host["logs"]
    assert (log["gaps"], log["first_record_id"], log["last_record_id"]) == ([], 501, 600)


def test_the_time_that_is_asked_for(tmp_path: Path) -> None:
    """Catches a window of the host where the examiner set limits: what lies beyond its logs was not examined."""
    logs.write(tmp_path / "logs" / "Security.evtx", starts(0, HOURS), first_record_id=501, per_chunk=PER_CHUNK)
    answers = Answers(tmp_path, detect=("--from", "2020-05-01T00:00:00Z"))
    assert told(answers.nothing) == [("Security", "begins_later", "2020-05-01T00:00", at(0), 0)]


def test_coverage_tells_the_same(tmp_path: Path) -> None:
    """Catches a finding and evtxscan coverage that differ in what they say of one window."""
    logs.write(tmp_path / "logs" / "old.evtx", starts(0, 60), first_record_id=1)
    logs.write(tmp_path / "logs" / "Security.evtx", starts(70, 30), first_record_id=71)
    answers = Answers(tmp_path)
    (host,) = evtxscan("coverage", "--case", answers.case, "--format", "json").json
    windows = [{name: entry[name] for name in ("from", "to", "whole", "lacks")} for entry in host["windows"]]
    assert windows == [answers.match, answers.nothing, answers.found]
    assert answers.found["lacks"][0]["reason"] == "separate_files"


def test_a_case_of_an_earlier_version(tmp_path: Path) -> None:
    """Catches a case without the tables of coverage in which every log passes for absent: they are made when needed."""
    logs.write(tmp_path / "logs" / "Security.evtx", starts(0, HOURS), first_record_id=501, per_chunk=PER_CHUNK)
    answers = Answers(tmp_path)
    with closing(sqlite3.connect(answers.case)) as db, db:
        for table in ("log", "log_gap", "recorded_field"):
            db.execute(f"DELETE FROM {table}")
        db.execute("UPDATE context_state SET version = 2")
        db.execute("DROP INDEX event_by_chunk")
    assert "logs whole" in answers.text()


def test_csv_says_it_too(tmp_path: Path) -> None:
    """Catches columns that stay empty."""
    logs.write(tmp_path / "logs" / "old.evtx", starts(0, 60), first_record_id=1)
    logs.write(tmp_path / "logs" / "Security.evtx", starts(70, 30), first_record_id=71)
    answers = Answers(tmp_path)
    rules = tmp_path / "rules"
    lines = evtxscan("detect", "--case", answers.case, "--rules", rules, "--format", "csv").out.decode("utf-8-sig")
    head, line = lines.splitlines()
    assert head.endswith('"window_whole","window_lacks"')
    assert line.endswith('"no","Security: 10 records missing 2020-05-20 18:00 to 2020-05-21 05:00 (between two files)"')
