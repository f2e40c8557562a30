"""Parents are found where the records show them, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evtxscan.context.read import Context
from evtxscan.store.case import Case
from tests.context.machine import CMD, HOUR, MINUTE, SECOND, START, SVCHOST, USOSVC, Machine, case_of
from tests.evtxmaker import Event, Field, template


def lineage(case: Case, pid: int) -> tuple[Any, ...]:
    """Return (inferred program, inferred command line, method, reason) of the last Security start of a process id."""
    found = case.db.execute(
        'SELECT (SELECT text FROM value WHERE id = l."process.parent.executable"),'
        ' (SELECT text FROM value WHERE id = l."process.parent.command_line"), method, reason'
        " FROM lineage l JOIN process p ON p.id = process WHERE event = security_event AND pid = ?"
        " ORDER BY p.id DESC LIMIT 1",
        (pid,),
    ).fetchone()
    assert found is not None
    return tuple(found)


def parent_of(case: Case, pid: int) -> tuple[Any, ...]:
    """Return (pid of the parent, command line of the parent, method, reason) of the last process with a process id."""
    found = case.db.execute(
        'SELECT q.pid, (SELECT text FROM value WHERE id = q."process.command_line"), p.parent_method, p.parent_reason'
        " FROM process p LEFT JOIN process q ON q.id = p.parent WHERE p.pid = ? ORDER BY p.id DESC LIMIT 1",
        (pid,),
    ).fetchone()
    assert found is not None
    return tuple(found)


def test_parents_command_line_comes_from_the_parents_own_4688(tmp_path: Path) -> None:
    # Catches: a join on the wrong process id, or none at all.
    machine = Machine()
    machine.start(START, 900, SVCHOST, USOSVC, parent=600)
    machine.start(START + HOUR, 4000, CMD, "cmd /c x", parent=900, ParentProcessName=SVCHOST)
    with case_of(tmp_path, machine) as case:
        assert lineage(case, 4000) == (None, USOSVC, "pid_time", None)
        assert lineage(case, 900) == (None, None, None, "parent_record_missing")


def test_pid_reuse_and_a_reboot_between_parent_and_child_break_the_lineage(tmp_path: Path) -> None:
    # Catches: a parent taken from before a boot, or the id's former holder taken for its present one.
    machine = Machine()
    machine.boot(START)
    machine.start(START + MINUTE, 900, SVCHOST, USOSVC)
    machine.start(START + MINUTE, 904, SVCHOST, "svchost -k rpcss")
    machine.end(START + 2 * MINUTE, 904, SVCHOST)
    machine.start(START + 3 * MINUTE, 904, SVCHOST, USOSVC)
    machine.start(START + 4 * MINUTE, 4000, parent=904)
    machine.boot(START + HOUR)
    machine.start(START + HOUR + MINUTE, 4004, parent=900)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (904, USOSVC, "pid_time", None)
        assert parent_of(case, 4004) == (None, None, None, "host_restarted")
        assert lineage(case, 4004) == (None, None, None, "parent_record_missing")


def test_pid_reused_without_a_recorded_end_belongs_to_the_latest_start(tmp_path: Path) -> None:
    # Catches: the first start with an id kept for good where process ends are not audited.
    machine = Machine()
    machine.start(START, 900, SVCHOST, USOSVC)
    machine.start(START + HOUR, 900, CMD, "cmd /k")
    machine.start(START + 2 * HOUR, 4000, parent=900)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (900, "cmd /k", "pid_time", None)
        ends = case.db.execute("SELECT ended, end_method FROM process WHERE pid = 900 ORDER BY id").fetchall()
        assert ends == [(START + HOUR, "pid_reused"), (None, None)]


def test_parent_that_ended_before_is_none(tmp_path: Path) -> None:
    # Catches: ends not read. The real parent's start is missing; its id's former holder is no answer.
    machine = Machine()
    machine.start(START, 900, SVCHOST, USOSVC)
    machine.end(START + MINUTE, 900, SVCHOST)
    machine.start(START + HOUR, 4000, parent=900)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (None, None, None, "parent_ended")
        assert lineage(case, 4000) == (None, None, None, "parent_record_missing")


def test_process_seen_only_ending_frees_its_id(tmp_path: Path) -> None:
    # Catches: an end of another program under the same id ignored: the holder that we know must be gone as well.
    machine = Machine()
    machine.start(START, 900, SVCHOST, USOSVC)
    machine.end(START + MINUTE, 900, "C:\\Tools\\other.exe")
    machine.start(START + HOUR, 4000, parent=900)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (None, None, None, "parent_ended")


def test_parent_must_be_the_program_that_the_child_names(tmp_path: Path) -> None:
    # Catches: ParentProcessName unused. The id was given to a program whose start is not recorded.
    machine = Machine()
    machine.start(START, 900, SVCHOST, USOSVC)
    machine.start(START + HOUR, 4000, parent=900, ParentProcessName="C:\\Windows\\explorer.exe")
    machine.start(START + HOUR, 4004, parent=900, ParentProcessName=SVCHOST.upper())
    machine.start(START + HOUR, 4008, parent=900, ParentProcessName="\\Device\\HarddiskVolume2\\svchost.exe")
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (None, None, None, "other_program")
        assert parent_of(case, 4004)[0] == 900
        assert parent_of(case, 4008)[0] == 900


def test_starts_at_the_same_moment_go_by_record_id(tmp_path: Path) -> None:
    # Catches: ties of time broken by anything else. Old clocks tick 64 times a second, so ties are common.
    machine = Machine()
    machine.start(START, 4000, parent=900)
    machine.start(START, 900, SVCHOST, USOSVC)
    machine.start(START, 4004, parent=900)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000)[3] == "parent_record_missing"
        assert parent_of(case, 4004)[0] == 900


@pytest.mark.parametrize(
    ("version", "line", "reason"),
    [(0, "", "command_line_not_audited"), (1, "", "command_line_not_audited"), (1, USOSVC, None)],
)
def test_parent_without_a_command_line_says_why(tmp_path: Path, version: int, line: str, reason: str | None) -> None:
    # Catches: an audited start without command line told as a missing record; programs of old records not inferred.
    machine = Machine()
    machine.start(START, 900, SVCHOST, line, version=version)
    machine.start(START + HOUR, 4000, parent=900, version=version)
    with case_of(tmp_path, machine) as case:
        assert lineage(case, 4000) == (SVCHOST, line or None, "pid_time", reason)


def test_children_of_the_kernel_have_no_parent_record(tmp_path: Path) -> None:
    # Catches: "the record is missing" said of a process that no log ever records.
    machine = Machine()
    machine.start(START, 400, "C:\\Windows\\System32\\smss.exe", parent=4)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 400) == (None, None, None, "system_process")
        assert lineage(case, 400)[3] == "not_recorded"


def test_clock_set_back_keeps_parents_that_came_before(tmp_path: Path) -> None:
    # Catches: order by time alone. By time the parent starts after its child, and an older holder of its id before.
    machine = Machine()
    machine.start(START, 900, SVCHOST, "svchost -k old")
    machine.end(START + MINUTE, 900, SVCHOST)
    machine.start(START + 5 * HOUR, 900, SVCHOST, USOSVC)
    machine.set_clock(START + 6 * HOUR, START + 3 * HOUR)
    machine.start(START + 4 * HOUR, 4000, parent=900)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (900, USOSVC, "pid_time", None)


def test_clock_set_back_does_not_make_later_processes_parents(tmp_path: Path) -> None:
    # Catches: order by time alone, the other way. By time the parent starts before its child; it came after.
    machine = Machine()
    machine.start(START + 5 * HOUR, 4000, parent=900)
    machine.set_clock(START + 6 * HOUR, START + 3 * HOUR)
    machine.start(START + 4 * HOUR, 900, SVCHOST, USOSVC)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000)[3] == "parent_record_missing"


def test_clock_set_back_orders_a_log_that_does_not_record_it(tmp_path: Path) -> None:
    # Catches: Sysmon's records left in the order of their times.
    machine = Machine()
    machine.sysmon_start(START + 5 * HOUR, 900, 1, SVCHOST, USOSVC)
    machine.set_clock(START + 6 * HOUR, START + 3 * HOUR)
    machine.sysmon_start(START + 4 * HOUR, 4000, 2, ParentProcessId=900)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (900, USOSVC, "pid_time", None)


def test_clock_change_in_local_time_is_told_by_the_records_around(tmp_path: Path) -> None:
    # Catches: Windows 7's 4616, whose times are texts in the user's format, taken for no change.
    machine = Machine()
    machine.start(START + 5 * HOUR, 900, SVCHOST, USOSVC)
    made = template("security", 4616)
    old = replace(made, fields=tuple(Field(f.name) if f.name.endswith("Time") else f for f in made.fields))
    times = old.row(PreviousTime="12:14:49 AM", NewTime="2:14:52 PM")
    machine.security.append(Event(old, START + 3 * HOUR, machine.name, times))
    machine.start(START + 4 * HOUR, 4000, parent=900)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (900, USOSVC, "pid_time", None)
        change = case.db.execute("SELECT old, new, method FROM clock_change").fetchone()
        assert change == (START + 5 * HOUR, START + 3 * HOUR, "previous_record")


def test_parents_command_line_comes_from_the_record_that_has_it(tmp_path: Path) -> None:
    # Catches: a value marked as inferred from a record in which nobody will find it.
    machine = Machine()
    machine.start(START, 900, SVCHOST, "")
    machine.sysmon_start(START, 900, 1, SVCHOST, USOSVC)
    machine.start(START + HOUR, 4000, parent=900)
    with case_of(tmp_path, machine) as case:
        assert lineage(case, 4000) == (SVCHOST, USOSVC, "pid_time", None)
        (origin, sysmon) = case.db.execute(
            "SELECT parent_event, (SELECT sysmon_event FROM process WHERE pid = 900) FROM lineage"
            " WHERE parent_event IS NOT NULL"
        ).fetchone()
        assert origin == sysmon


def test_hosts_do_not_share_processes(tmp_path: Path) -> None:
    # Catches: the host left out of the join. Upper and lower case name one host.
    machine, other = Machine(), Machine(name="WS-FIN-08")
    machine.start(START, 900, SVCHOST, USOSVC)
    other.start(START + HOUR, 4000, parent=900)
    same = Machine(name="ws-fin-07")
    same.start(START + HOUR, 4004, parent=900)
    with case_of(tmp_path, machine, other) as case:
        assert parent_of(case, 4000)[3] == "parent_record_missing"
    machine.security += same.security
    with case_of(tmp_path / "same", machine) as case:
        assert parent_of(case, 4004)[0] == 900


def test_sysmon_parent_is_the_one_that_the_guid_names(tmp_path: Path) -> None:
    # Catches: process ids preferred to GUIDs: the id was given again a minute before.
    machine = Machine()
    machine.sysmon_start(START, 900, 1, SVCHOST, USOSVC)
    machine.sysmon_start(START + HOUR, 900, 2, SVCHOST, "svchost -k new")
    machine.sysmon_start(START + HOUR + 1, 4000, 3, parent_guid=1, ParentProcessId=900, ParentCommandLine=USOSVC)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (900, USOSVC, "sysmon_guid", None)


def test_sysmon_parent_whose_record_comes_later_is_found(tmp_path: Path) -> None:
    # Catches: GUIDs looked up only among the records before.
    machine = Machine()
    machine.sysmon_start(START, 4000, 3, parent_guid=1, ParentProcessId=900)
    machine.sysmon_start(START + SECOND, 900, 1, SVCHOST, USOSVC)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (900, USOSVC, "sysmon_guid", None)


def test_sysmon_child_finds_a_parent_that_only_security_recorded(tmp_path: Path) -> None:
    # Catches: no way from Sysmon to 4688: Sysmon's configuration often leaves service hosts out.
    machine = Machine()
    machine.start(START, 900, SVCHOST, USOSVC)
    machine.sysmon_start(START + HOUR, 4000, 3, parent_guid=1, ParentProcessId=900, ParentImage="?")
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (900, USOSVC, "pid_time", None)
        (event,) = case.db.execute("SELECT sysmon_event FROM process WHERE pid = 4000").fetchone()
        added = case.db.execute("SELECT method, reason FROM lineage WHERE event = ?", (event,)).fetchone()
        assert added == ("pid_time", None)


def test_a_4688_takes_its_parents_command_line_from_the_sysmon_record_of_the_same_start(tmp_path: Path) -> None:
    # Catches: the nearest source unused; the parent itself is in no log.
    machine = Machine()
    machine.start(START, 4000, parent=900, ParentProcessName=SVCHOST)
    machine.sysmon_start(START, 4000, 3, parent_guid=1, ParentProcessId=900, ParentCommandLine=USOSVC)
    with case_of(tmp_path, machine) as case:
        assert lineage(case, 4000) == (None, USOSVC, "witness", None)


def test_one_start_in_two_logs_is_one_process_with_two_witnesses(tmp_path: Path) -> None:
    # Catches: no pairing, and pairing by process id alone: the id is given twice to one program within a second.
    machine = Machine()
    for number, at in enumerate((START, START + SECOND), 1):
        machine.sysmon_start(at, 4000, number, line=f"cmd {number}")
        machine.start(at + SECOND // 5, 4000, CMD.lower(), line=f"cmd {number}")
    machine.start(START + MINUTE, 4000)
    with case_of(tmp_path, machine) as case:
        rows = case.db.execute("SELECT sysmon_event, security_event FROM process ORDER BY id").fetchall()
        assert [(bool(sysmon), bool(security)) for sysmon, security in rows] == [(True, True)] * 2 + [(False, True)]
        texts = 'SELECT event.id, text FROM event JOIN value ON value.id = "process.command_line"'
        lines = dict(case.db.execute(texts).fetchall())
        assert all(lines[sysmon] == lines[security] for sysmon, security in rows[:2])
        context = Context(case)
        sysmon, security = rows[0]
        assert context.witnesses(sysmon) == (security,)
        assert context.witnesses(security) == (sysmon,)


def test_parent_that_exits_at_once_is_still_the_parent(tmp_path: Path) -> None:
    # Catches: an end in the other log, whose times are milliseconds off, taken to come before the child's start.
    machine = Machine()
    machine.start(START, 900, CMD, "launcher")
    machine.sysmon_start(START, 900, 1, CMD, "launcher")
    machine.start(START + SECOND, 4000, parent=900)
    machine.sysmon_end(START + SECOND - SECOND // 100, 900, 1)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000)[0] == 900


def test_end_of_the_ids_former_holder_does_not_end_the_present_one(tmp_path: Path) -> None:
    # Catches: Sysmon's ends matched by process id alone, although they name the process.
    machine = Machine()
    machine.sysmon_start(START, 900, 1, SVCHOST, "svchost -k old")
    machine.sysmon_start(START + HOUR, 900, 2, SVCHOST, USOSVC)
    machine.sysmon_end(START + HOUR + SECOND, 900, 1, SVCHOST)
    machine.start(START + 2 * HOUR, 4000, parent=900)
    with case_of(tmp_path, machine) as case:
        assert parent_of(case, 4000) == (900, USOSVC, "pid_time", None)


def test_ends_are_recorded_or_bounded(tmp_path: Path) -> None:
    # Catches: a bound told as a recorded time, and ends given to the wrong process.
    machine = Machine()
    machine.boot(START)
    machine.start(START + MINUTE, 900)
    machine.end(START + 2 * MINUTE, 900)
    machine.start(START + MINUTE, 904)
    machine.shutdown(START + HOUR)
    machine.boot(START + 2 * HOUR)
    machine.start(START + 2 * HOUR + MINUTE, 900)
    machine.boot(START + 3 * HOUR)
    machine.start(START + 3 * HOUR + MINUTE, 900)
    with case_of(tmp_path, machine) as case:
        ends = case.db.execute("SELECT pid, ended, end_method FROM process ORDER BY id").fetchall()
        assert ends == [
            (900, START + 2 * MINUTE, "recorded"),
            (904, START + HOUR, "shutdown"),
            (900, START + 3 * HOUR, "restart"),
            (900, None, None),
        ]
