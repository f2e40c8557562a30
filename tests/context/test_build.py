"""The context tables follow from the events alone, are complete or untouched, and stand whatever a log holds."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from evtxscan.context import build
from evtxscan.context.build import ensure, rebuild
from evtxscan.context.model import SessionInfo
from evtxscan.context.read import Context
from evtxscan.store.case import Case
from evtxscan.store.events import Events
from tests.context.machine import CMD, HOUR, MINUTE, SECOND, START, SVCHOST, USOSVC, Machine, case_of, ingested
from tests.evtxmaker import write_log

# Columns that hold row ids: of events and of texts.
_EVENT_COLUMNS = {
    "event", "end_event", "sysmon_event", "security_event", "parent_event", "logon_event", "first_event",
    "privileges_event",
}  # fmt: skip
_TABLES = ("boot", "boot_event", "clock_change", "process", "lineage", "logon_session", "explicit_credential")


def busy() -> Machine:
    """Return a machine on which a bit of everything happened."""
    machine = Machine()
    machine.boot(START)
    machine.logon(START + MINUTE, 0x101)
    machine.log(4672, START + MINUTE, SubjectLogonId=0x101, PrivilegeList="SeDebugPrivilege")
    machine.start(START + 2 * MINUTE, 900, SVCHOST, USOSVC, parent=600)
    for number in range(20):
        at = START + HOUR + number * SECOND
        machine.start(at, 4000 + 4 * number, parent=900, SubjectLogonId=0x101)
        machine.sysmon_start(at, 4000 + 4 * number, number + 1, LogonId=0x101, ParentProcessId=900)
    machine.set_clock(START + 3 * HOUR, START + 2 * HOUR)
    for number in range(2):
        at = START + 2 * HOUR + number * MINUTE
        machine.log(4648, at, SubjectLogonId=0x101, TargetUserName="admin")
        machine.end(at, 4000 + 4 * number)
    machine.shutdown(START + 4 * HOUR)
    machine.boot(START + 5 * HOUR)
    machine.start(START + 6 * HOUR, 4000, parent=900, SubjectLogonId=0x202)
    return machine


def contents(case: Case) -> dict[str, list[tuple[Any, ...]]]:
    """Return the tables with stable event ids and texts for row ids."""
    db, events = case.db, Events(case)
    texts = dict(db.execute("SELECT id, text FROM value"))
    rows = [row for (row,) in db.execute("SELECT id FROM event")]
    names = {row: places[0].event_id for row, places in events.places(rows).items()}
    found: dict[str, list[tuple[Any, ...]]] = {}
    for table in _TABLES:
        cursor = db.execute(f"SELECT * FROM {table}")
        columns = [column[0] for column in cursor.description]
        found[table] = sorted(
            (
                tuple(
                    names.get(cell) if name in _EVENT_COLUMNS else texts.get(cell) if "." in name else cell
                    for name, cell in zip(columns, row, strict=True)
                )
                for row in cursor
            ),
            key=str,
        )
    return found


def test_order_of_ingest_changes_nothing(tmp_path: Path) -> None:
    # Catches: ties broken by row ids, numbers given in the order of ingest, one witness or copy preferred by chance.
    paths = busy().write(tmp_path)
    paths.append(tmp_path / "Exported.evtx")
    write_log(paths[-1], busy().security, records_per_chunk=7)
    forth, back = [[path] for path in paths], [[path] for path in paths[::-1]]
    with ingested(tmp_path / "one.db", forth) as one, ingested(tmp_path / "two.db", back) as two:
        first = contents(one)
        assert first == contents(two)
    assert all(first.values())


def test_parts_of_a_log_make_one_whatever_comes_first(tmp_path: Path) -> None:
    # Catches: records of one moment ordered by their rows instead of their record ids; uses of credentials, too.
    machine = Machine()
    machine.logon(START - HOUR, 0x101)
    machine.log(4648, START - MINUTE, SubjectLogonId=0x101)
    machine.start(START, 900, SVCHOST, USOSVC)
    machine.start(START, 4000, parent=900, SubjectLogonId=0x101)
    machine.log(4648, START + MINUTE, SubjectLogonId=0x101)
    old, new = tmp_path / "old.evtx", tmp_path / "new.evtx"
    write_log(old, machine.security[:3])
    write_log(new, machine.security[3:], first_record_id=4)
    with ingested(tmp_path / "case.db", [[new], [old]]) as case:
        (event,) = case.db.execute("SELECT security_event FROM process WHERE parent IS NOT NULL").fetchone()
        session = Context(case).session_of(event)
        assert isinstance(session, SessionInfo)
        assert [use.ticks for use in session.credentials] == [START - MINUTE, START + MINUTE]


def test_exported_copy_of_a_log_adds_witnesses_and_no_process(tmp_path: Path) -> None:
    # Catches: every process and session doubled by a second copy of the log, whose chunks are filled differently.
    machine = busy()
    paths = machine.write(tmp_path)
    with ingested(tmp_path / "one.db", [paths]) as case:
        counts = [case.db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("process", "logon_session")]
    paths.append(tmp_path / "Exported.evtx")
    write_log(paths[-1], machine.security[1:], first_record_id=2, records_per_chunk=7)
    with ingested(tmp_path / "two.db", [paths]) as case:
        again = [case.db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("process", "logon_session")]
        (event,) = case.db.execute("SELECT max(sysmon_event) FROM process").fetchone()
        assert len(Context(case).witnesses(event)) == 2
    assert again == counts


def test_ensure_notices_new_events_and_new_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Catches: tables of before an ingest that was killed, or of an older evtxscan, taken for current.
    with case_of(tmp_path, busy()) as case:
        assert not ensure(case)
        case.db.execute("INSERT INTO event(kind, chunk, offset, mended) SELECT kind, chunk, 1, 0 FROM event LIMIT 1")
        assert ensure(case)
        assert not ensure(case)
        monkeypatch.setattr(build, "RULES_VERSION", build.RULES_VERSION + 1)
        assert ensure(case)


def test_failure_leaves_the_tables_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Catches: tables emptied or half filled by a rebuild that was killed.
    with case_of(tmp_path, busy()) as case:
        before = contents(case)

        def fail(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(build, "add_lineage", fail)
        with pytest.raises(KeyboardInterrupt):
            rebuild(case)
        assert contents(case) == before


def test_one_lineage_row_for_each_start_event(tmp_path: Path) -> None:
    # Catches: starts that a rule would not see, or see twice.
    with case_of(tmp_path, busy()) as case:
        starts = case.db.execute(
            "SELECT event.id FROM event JOIN kind ON kind.id = kind WHERE mapping IN ('sysmon/1', 'security/4688')"
            " ORDER BY event.id"
        ).fetchall()
        assert case.db.execute("SELECT event FROM lineage ORDER BY event").fetchall() == starts


def test_nothing_in_a_log_raises(tmp_path: Path) -> None:
    # Catches: extremes of every number, ids that name themselves, values missing: written by whoever forges a log.
    machine = Machine(name="W\u0130-\u202eFIN-\U0001f4be")
    huge = 2**64 - 1
    machine.start(0, 0, "", "", parent=0, SubjectLogonId=huge, TargetLogonId=huge)
    machine.start(2**62, huge, "\\", "x" * 20_000, parent=huge, ParentProcessName="\\\\")
    machine.start(START, 4, "?", "", parent=4)
    machine.end(START, huge)
    machine.end(0, 4, "")
    machine.sysmon_start(START, 2**32 - 1, 0, "-", "", ParentProcessId=2**32 - 1, ParentImage="-")
    machine.sysmon_start(START, 5, 5, "-", "", parent_guid=5, ParentProcessId=5, LogonId=huge, LogonGuid=UUID(int=1))
    machine.logon(START, huge, "-", 99)
    machine.log(4634, 0, TargetLogonId=huge)
    machine.log(4672, START, SubjectLogonId=huge, PrivilegeList="")
    machine.log(4616, START, PreviousTime=2**63 - 1, NewTime=0)
    machine.log(4616, 0)
    machine.boot(0)
    machine.boot(2**62)
    machine.shutdown(2 * SECOND)
    with case_of(tmp_path, machine) as case:
        context = Context(case)
        for (event,) in case.db.execute("SELECT id FROM event").fetchall():
            context.session_of(event)
            process = context.process_of(event)
            if process is not None:
                context.parents(process)
                context.children(process)
                context.creator_session_of(process)
        context.sessions_open_at(machine.name, START)
        context.logons_before(machine.name, 2**62)


def test_damaged_log_gives_what_is_left(tmp_path: Path) -> None:
    # Catches: a start without a time or a host that stops the rest.
    with case_of(tmp_path, busy()) as case:
        case.db.execute('UPDATE event SET "@timestamp" = NULL WHERE id % 3 = 0')
        case.db.execute('UPDATE event SET "host.name" = NULL WHERE id % 5 = 0')
        case.db.execute('UPDATE event SET "process.pid" = NULL, "winlog.record_id" = NULL WHERE id % 7 = 0')
        rebuild(case)
        (starts,) = case.db.execute(
            "SELECT count(*) FROM event JOIN kind ON kind.id = kind WHERE mapping IN ('sysmon/1', 'security/4688')"
        ).fetchone()
        assert case.db.execute("SELECT count(*) FROM lineage").fetchone() == (starts,)


def test_boots_and_clock_changes_are_kept_with_their_records(tmp_path: Path) -> None:
    # Catches: boots without evidence, clock changes unrecorded.
    with case_of(tmp_path, busy()) as case:
        boots = case.db.execute(
            "SELECT number, started, start_method, ended, end_method FROM boot ORDER BY id"
        ).fetchall()
        assert boots == [
            (0, None, None, START, "restart"),
            (1, START, "recorded", START + 4 * HOUR, "shutdown"),
            (2, START + 5 * HOUR, "recorded", None, None),
        ]
        roles = case.db.execute("SELECT role, count(*) FROM boot_event GROUP BY role ORDER BY role").fetchall()
        assert roles == [("start", 8), ("stop", 2)]
        changes = case.db.execute("SELECT old, new, method FROM clock_change").fetchall()
        assert changes == [(START + 3 * HOUR, START + 2 * HOUR, "recorded")] * 2


def test_clock_behind_at_boot_does_not_mix_boots(tmp_path: Path) -> None:
    # Catches: a virtual machine put back two hours: by time its second boot lies inside the first, and its processes
    # find parents there.
    machine = Machine()
    machine.boot(START)
    machine.start(START + HOUR, 900, SVCHOST, USOSVC)
    machine.start(START + 3 * HOUR, 904, CMD)
    machine.boot(START + 2 * HOUR)
    machine.start(START + 2 * HOUR + MINUTE, 4000, parent=900)
    machine.start(START + 4 * HOUR, 4004, parent=904)
    with case_of(tmp_path, machine) as case:
        parents = case.db.execute(
            "SELECT pid, parent, parent_reason FROM process WHERE pid > 1000 ORDER BY id"
        ).fetchall()
        assert parents == [(4000, None, "host_restarted"), (4004, None, "host_restarted")]
        assert ("at_boot",) in case.db.execute("SELECT method FROM clock_change").fetchall()


def test_record_written_ahead_of_a_boot_does_not_hide_that_the_clock_was_behind(tmp_path: Path) -> None:
    # Catches: only the one record before a boot compared. Windows 7 writes 1101 there, with the time after the clock
    # is set; so it does in the public log of a machine that was put back and whose hardware clock is ten hours ahead.
    machine = Machine()
    machine.boot(START)
    machine.start(START + 5 * HOUR, 900, SVCHOST, USOSVC)
    machine.start(START + 14 * HOUR, 904, CMD)
    machine.log(4697, START + 2 * HOUR + MINUTE, ServiceName="written ahead")
    machine.boot(START + 12 * HOUR)
    machine.set_clock(START + 12 * HOUR + 10 * SECOND, START + 2 * HOUR)
    machine.start(START + 7 * HOUR, 4000, parent=900)
    with case_of(tmp_path, machine) as case:
        assert case.db.execute("SELECT parent_reason FROM process WHERE pid = 4000").fetchone() == ("host_restarted",)
        boots = case.db.execute("SELECT started FROM boot WHERE number > 0 ORDER BY number").fetchall()
        assert boots == [(START,), (START + 12 * HOUR,)]
        last = "SELECT number FROM process JOIN boot ON boot.id = boot WHERE pid = 904"
        assert case.db.execute(last).fetchone() == (1,)


def test_start_time_that_cannot_be_true_is_not_believed(tmp_path: Path) -> None:
    # Catches: a damaged StartTime that puts the boot into 1601.
    machine = Machine()
    machine.boot(START)
    (first, *others) = machine.system
    machine.system = [replace(first, values=first.template.row(StartTime=0)), *others]
    with case_of(tmp_path, machine) as case:
        assert case.db.execute("SELECT started FROM boot WHERE number = 1").fetchone() == (START + SECOND // 2,)


def test_a_case_is_read_without_a_rebuild(tmp_path: Path) -> None:
    # Catches: a copy of a case, on read-only media, that cannot be read because something is made anew on opening.
    with case_of(tmp_path, busy()) as case:
        before = contents(case)
        shutil.copy(case.path, tmp_path / "copy.db")
        copy = Case(tmp_path / "copy.db", case.db)
        assert not ensure(copy)
        assert contents(copy) == before


def test_starts_that_only_sysmon_has(tmp_path: Path) -> None:
    """Catches an error where no log has a 4688 and one process id starts twice at once. Found by fuzzing."""
    machines = [Machine("WS-1"), Machine("WS-2")]
    for machine in machines:
        for number in range(2):
            machine.sysmon_start(START + number, 4000, number + 1)
    with case_of(tmp_path, *machines) as case:
        assert case.db.execute("SELECT count(*) FROM process").fetchone() == (4,)
