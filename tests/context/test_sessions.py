"""Logon sessions: who they belong to, when they began and ended, and what the evidence does not say."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from evtxscan.context.logons import MOST_LISTED
from evtxscan.context.model import Account, NoSession, SessionInfo, SessionList
from evtxscan.context.read import Context
from evtxscan.store.case import Case
from tests.context.machine import HOUR, MINUTE, SECOND, START, USER_SID, Machine, case_of


def session(case: Case, pid: int) -> SessionInfo:
    """Return the session of the last process with a process id."""
    (event,) = case.db.execute(
        "SELECT coalesce(security_event, sysmon_event) FROM process WHERE pid = ? ORDER BY id DESC LIMIT 1", (pid,)
    ).fetchone()
    context = Context(case)
    process = context.process_of(event)
    assert process is not None
    found = context.session_of(process)
    assert isinstance(found, SessionInfo)
    assert context.session_of(event) == found
    return found


def test_session_tells_what_an_examiner_quotes_from_its_4624(tmp_path: Path) -> None:
    # Catches: fields of the logon mixed up, and the logon's subject (the service) taken for who logged on.
    machine = Machine()
    machine.logon(
        START,
        0x5A1B2,
        logon_type=10,
        SubjectLogonId=0x3E7,
        IpAddress="198.51.100.7",
        IpPort="50123",
        WorkstationName="EVIL-PC",
        LogonProcessName="User32 ",
        AuthenticationPackageName="Negotiate",
        LogonGuid=UUID(int=7),
        TargetLinkedLogonId=0x5A1B3,
        ElevatedToken="%%1842",
    )
    machine.log(4672, START, SubjectLogonId=0x5A1B2, PrivilegeList="SeDebugPrivilege\n\t\t\tSeTcbPrivilege")
    machine.start(START + MINUTE, 4000, SubjectLogonId=0x5A1B2)
    with case_of(tmp_path, machine) as case:
        found = session(case, 4000)
    assert found.account == Account(USER_SID, "ada", "CORP")
    assert (found.logon_id_text, found.logon_type, found.logon_type_name) == ("0x5a1b2", 10, "RemoteInteractive")
    assert (found.source_ip, found.source_port, found.workstation) == ("198.51.100.7", 50123, "EVIL-PC")
    assert (found.logon_process, found.authentication_package) == ("User32", "Negotiate")
    assert (found.elevated, found.linked_logon_id) == (True, 0x5A1B3)
    assert found.logon_guid == "{00000000-0000-0000-0000-000000000007}"
    assert found.privileges == ("SeDebugPrivilege", "SeTcbPrivilege")
    assert (found.started, found.ended, found.end_method, found.reason) == (START, None, None, None)
    assert found.method == "creator"


def test_ends_of_sessions(tmp_path: Path) -> None:
    # Catches: an end not read, a bound told as an end, and 4647 (the user's wish) preferred to 4634 (the end itself).
    machine = Machine()
    machine.boot(START)
    for logon_id in (0x101, 0x102, 0x103):
        machine.logon(START + MINUTE, logon_id)
    machine.log(4647, START + HOUR, TargetLogonId=0x101)
    machine.log(4634, START + HOUR + SECOND, TargetLogonId=0x101, LogonType=2)
    machine.log(4647, START + HOUR, TargetLogonId=0x102)
    machine.logon(START + HOUR, 0x106)
    machine.log(4634, START + HOUR + SECOND, TargetLogonId=0x106)
    machine.log(4647, START + HOUR + 2 * SECOND, TargetLogonId=0x106)
    machine.log(4634, START + HOUR, TargetLogonId=0x3E7)
    machine.shutdown(START + 2 * HOUR)
    machine.boot(START + 3 * HOUR)
    machine.logon(START + 3 * HOUR + MINUTE, 0x104)
    machine.boot(START + 4 * HOUR)
    machine.logon(START + 4 * HOUR + MINUTE, 0x105)
    with case_of(tmp_path, machine) as case:
        ends = case.db.execute("SELECT logon_id, ended, end_method FROM logon_session ORDER BY id").fetchall()
    assert ends == [
        (0x101, START + HOUR + SECOND, "logoff"),
        (0x102, START + HOUR, "user_logoff"),
        (0x103, START + 2 * HOUR, "shutdown"),
        (0x106, START + HOUR + SECOND, "logoff"),
        (0x3E7, START + 2 * HOUR, "shutdown"),
        (0x104, START + 4 * HOUR, "restart"),
        (0x105, None, None),
    ]


def test_logon_ids_given_again_after_a_boot_are_other_sessions(tmp_path: Path) -> None:
    # Catches: sessions joined by host and id alone: the attacker's process shown in the session of last week's user.
    machine = Machine()
    machine.boot(START)
    machine.logon(START + MINUTE, 0x101, "ada")
    machine.boot(START + HOUR)
    machine.start(START + HOUR + MINUTE, 4000, SubjectLogonId=0x101)
    machine.logon(START + HOUR + 2 * MINUTE, 0x102, "eve")
    machine.start(START + HOUR + 3 * MINUTE, 4004, SubjectLogonId=0x102)
    with case_of(tmp_path, machine) as case:
        assert (session(case, 4000).logon_event, session(case, 4000).reason) == (None, "logon_not_recorded")
        assert session(case, 4004).account.name == "eve"


def test_logon_ids_given_again_without_a_recorded_boot_are_other_sessions(tmp_path: Path) -> None:
    # Catches: a second 4624 of one id written into the first session.
    machine = Machine()
    machine.logon(START, 0x101, "ada")
    machine.start(START + MINUTE, 4000, SubjectLogonId=0x101)
    machine.logon(START + HOUR, 0x101, "eve")
    machine.start(START + HOUR + MINUTE, 4004, SubjectLogonId=0x101)
    with case_of(tmp_path, machine) as case:
        assert (session(case, 4000).account.name, session(case, 4000).end_method) == ("ada", "id_reused")
        assert session(case, 4004).account.name == "eve"


def test_use_after_the_end_is_another_session(tmp_path: Path) -> None:
    # Catches: a process given to a session that was over for hours.
    machine = Machine()
    machine.logon(START, 0x101, "ada")
    machine.log(4634, START + MINUTE, TargetLogonId=0x101)
    machine.start(START + HOUR, 4000, SubjectLogonId=0x101)
    with case_of(tmp_path, machine) as case:
        assert session(case, 4000).logon_event is None


def test_process_of_4688_runs_in_the_target_session_and_was_created_from_the_subjects(tmp_path: Path) -> None:
    # Catches: the creator's session (a service's) shown as the session of what ran as the user.
    machine = Machine()
    machine.logon(START, 0x101, "ada")
    machine.logon(START, 0x102, "eve")
    machine.start(START + MINUTE, 4000, SubjectLogonId=0x101, TargetLogonId=0x102)
    machine.start(START + MINUTE, 4004, SubjectLogonId=0x101, TargetLogonId=0)
    machine.start(START + MINUTE, 4008, SubjectLogonId=0x101, version=1)
    with case_of(tmp_path, machine) as case:
        assert (session(case, 4000).account.name, session(case, 4000).method) == ("eve", "recorded")
        assert (session(case, 4004).account.name, session(case, 4004).method) == ("ada", "creator")
        assert (session(case, 4008).account.name, session(case, 4008).method) == ("ada", "creator_assumed")
        context = Context(case)
        (event,) = case.db.execute("SELECT security_event FROM process WHERE pid = 4000").fetchone()
        process = context.process_of(event)
        assert process is not None
        creator = context.creator_session_of(process)
        assert isinstance(creator, SessionInfo)
        assert creator.account.name == "ada"


def test_session_of_sysmons_process_is_its_own_and_kept_apart_by_its_guid(tmp_path: Path) -> None:
    # Catches: Sysmon's LogonId unread; two sessions of one id taken for one although Sysmon tells them apart.
    machine = Machine()
    machine.logon(START, 0x101, "ada")
    machine.sysmon_start(START + MINUTE, 4000, 1, LogonId=0x101, LogonGuid=UUID(int=1), User="CORP\\ada")
    machine.sysmon_start(START + HOUR, 4004, 2, LogonId=0x101, LogonGuid=UUID(int=2), User="CORP\\eve")
    with case_of(tmp_path, machine) as case:
        assert session(case, 4000).account == Account(USER_SID, "ada", "CORP")
        assert session(case, 4004).account == Account(None, "eve", "CORP")


def test_service_accounts_sessions_are_answers_with_a_reason(tmp_path: Path) -> None:
    # Catches: a blank for SYSTEM, whose session has no logon; the service logons (type 5) told as its logons.
    machine = Machine()
    machine.boot(START)
    machine.start(START + MINUTE, 4000, SubjectLogonId=0x3E7)
    machine.logon(START + 2 * MINUTE, 0x3E7, "SYSTEM", 5)
    machine.logon(START + 3 * MINUTE, 0x3E7, "SYSTEM", 5)
    machine.start(START + MINUTE, 4004, SubjectLogonId=0x3E4)
    with case_of(tmp_path, machine) as case:
        system = session(case, 4000)
        assert system.account == Account("S-1-5-18", "SYSTEM", "NT AUTHORITY")
        assert (system.reason, system.started) == ("well_known", START)
        assert session(case, 4004).account.name == "NETWORK SERVICE"
        assert case.db.execute("SELECT count(*) FROM logon_session WHERE logon_id = 0x3e7").fetchone() == (1,)


def test_missing_logons_say_why(tmp_path: Path) -> None:
    # Catches: one reason for all.
    machine, sysmon, booted = Machine(), Machine(name="WS-FIN-08"), Machine(name="WS-FIN-09")
    machine.start(START, 4000, SubjectLogonId=0x101)
    sysmon.sysmon_start(START, 4004, 1, LogonId=0x101, User="CORP\\ada")
    booted.boot(START)
    booted.start(START + MINUTE, 4008, SubjectLogonId=0x101)
    late, logons = Machine(name="WS-FIN-10"), Machine(name="WS-FIN-11")
    late.boot(START)
    late.security.clear()
    late.start(START + HOUR, 4012, SubjectLogonId=0x101)
    logons.boot(START)
    logons.logon(START + MINUTE, 0x102)
    logons.sysmon_start(START + HOUR, 4016, 1, LogonId=0x101)
    with case_of(tmp_path, machine, sysmon, booted, late, logons) as case:
        assert session(case, 4000).reason == "log_begins_later"
        assert session(case, 4004).reason == "no_security_log"
        assert session(case, 4008).reason == "logon_not_recorded"
        assert session(case, 4012).reason == "log_begins_later"
        assert session(case, 4016).reason == "logon_not_recorded"


def test_privileges_written_a_moment_before_the_logon_are_its_own(tmp_path: Path) -> None:
    # Catches: a session without a logon beside the one with it; privileges of a later record shown as the logon's.
    machine = Machine()
    machine.log(4672, START, SubjectLogonId=0x101, PrivilegeList="SeDebugPrivilege")
    machine.logon(START + 1, 0x101, "ada")
    machine.log(4672, START + HOUR, SubjectLogonId=0x101, PrivilegeList="SeTcbPrivilege")
    machine.start(START + 2 * HOUR, 4000, SubjectLogonId=0x101)
    with case_of(tmp_path, machine) as case:
        assert case.db.execute("SELECT count(*) FROM logon_session").fetchone() == (1,)
        assert session(case, 4000).privileges == ("SeDebugPrivilege",)


def test_session_without_a_logon_is_open_from_its_first_use(tmp_path: Path) -> None:
    # Catches: the session known from its logoff on, when it is over.
    machine = Machine()
    machine.start(START + HOUR, 4000, SubjectLogonId=0x101)
    machine.log(4634, START + 2 * HOUR, TargetLogonId=0x101)
    with case_of(tmp_path, machine) as case:
        found = session(case, 4000)
        assert (found.started, found.first_seen, found.ended) == (None, START + HOUR, START + 2 * HOUR)


def test_event_without_a_logon_id_has_no_session(tmp_path: Path) -> None:
    # Catches: 0x0 and absent ids taken for sessions.
    machine = Machine()
    machine.start(START, 4000, SubjectLogonId=0, TargetLogonId=0)
    machine.log(4608, START)
    with case_of(tmp_path, machine) as case:
        context = Context(case)
        for (event,) in case.db.execute("SELECT id FROM event").fetchall():
            assert context.session_of(event) == NoSession("not_recorded")


def test_credentials_used_from_a_session(tmp_path: Path) -> None:
    # Catches: 4648 joined to the account whose credentials they are instead of the one that used them.
    machine = Machine()
    machine.logon(START, 0x101, "ada")
    target = {"TargetUserName": "admin", "TargetDomainName": "CORP", "TargetServerName": "dc1.corp.example"}
    machine.log(4648, START + MINUTE, SubjectLogonId=0x101, ProcessName="C:\\Windows\\System32\\lsass.exe", **target)
    machine.start(START + HOUR, 4000, SubjectLogonId=0x101)
    with case_of(tmp_path, machine) as case:
        (use,) = session(case, 4000).credentials
    assert use.account == Account(None, "admin", "CORP")
    assert (use.target_server, use.process) == ("dc1.corp.example", "C:\\Windows\\System32\\lsass.exe")
    assert use.ticks == START + MINUTE


def test_sessions_open_at_a_time_and_logons_before_it(tmp_path: Path) -> None:
    # Catches: ended sessions told as open, later ones told at all, another host's, service accounts' noise.
    machine, other = Machine(), Machine(name="WS-FIN-08")
    machine.boot(START)
    machine.logon(START + MINUTE, 0x101, "ada")
    machine.log(4634, START + HOUR, TargetLogonId=0x101)
    machine.logon(START + 2 * MINUTE, 0x102, "bob")
    machine.logon(START + 3 * MINUTE, 0x3E7, "SYSTEM", 5)
    machine.logon(START + 60 * HOUR, 0x103, "eve", 3)
    machine.start(START + 61 * HOUR, 4000)
    machine.logon(START + 62 * HOUR, 0x104, "ida")
    other.logon(START + MINUTE, 0x101, "max")
    with case_of(tmp_path, machine, other) as case:
        context = Context(case)
        at = START + 61 * HOUR
        assert names(context.sessions_open_at("ws-fin-07", at)) == (["bob", "eve"], 2)
        assert names(context.logons_before("WS-FIN-07", at)) == (["eve"], 1)
        assert names(context.logons_before("WS-FIN-07", at, hours=100)) == (["ada", "bob", "eve"], 3)


def test_the_latest_sessions_are_listed_and_all_counted(tmp_path: Path) -> None:
    # Catches: a domain controller's thousand logons in each finding, and a shortened list that passes for the whole.
    machine = Machine()
    machine.boot(START)
    for number in range(MOST_LISTED + 5):
        machine.logon(START + (number + 1) * MINUTE, 0x1000 + number, f"user {number}")
    with case_of(tmp_path, machine) as case:
        context = Context(case)
        at = START + 4 * HOUR
        for found in (context.sessions_open_at(machine.name, at), context.logons_before(machine.name, at)):
            expected = [f"user {number}" for number in range(5, MOST_LISTED + 5)]
            assert names(found) == (expected, MOST_LISTED + 5)


def names(found: SessionList) -> tuple[list[str | None], int]:
    """Return the accounts of listed sessions, and how many there are in all."""
    return [session.account.name for session in found.sessions], found.total


def test_session_of_a_logon_record_is_the_one_it_opens(tmp_path: Path) -> None:
    # Catches: 4624's SubjectLogonId (who asked for the logon) taken for the session that it opens.
    machine = Machine()
    machine.logon(START, 0x101, "ada", SubjectLogonId=0x3E7)
    machine.log(4697, START + MINUTE, SubjectLogonId=0x101, ServiceName="x")
    with case_of(tmp_path, machine) as case:
        for (event,) in case.db.execute("SELECT id FROM event").fetchall():
            found = Context(case).session_of(event)
            assert isinstance(found, SessionInfo)
            assert found.account.name == "ada"
