"""The case's views tell what the documents and EXPECTED.md tell.

Each test would fail with a view that joins the wrong row, cuts a time, loses a place, or takes unknown for unsigned.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils

from evtxscan import schema
from evtxscan.casework import Filters, ingest_evidence, query, settled
from evtxscan.casework import detect as run_rules
from evtxscan.ecs.columns import catalogue
from evtxscan.ingest.run import Options
from evtxscan.store.case import migrations
from tests.evtxmaker import Event, Value, template, write_log

EVIDENCE = Path(__file__).parents[1] / "testdata" / "evidence"
START = 132_342_900_000_000_001  # 2020-05-18T15:40:00.0000001Z
HOST = "WS-01.corp.example"
SERVICES = "HKLM\\System\\CurrentControlSet\\Services"
SHA256 = "1614F3B6BFC942F0E95C4299E0C5FCC879C85EB24DF48BD5BDE49C5E8909326D"


def ingested(folder: Path, evidence: Path) -> Path:
    """Return a new case of this evidence."""
    case = folder / "case.db"
    assert ingest_evidence(case, [evidence], Options(jobs=1)).is_complete
    return case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The case of the shipped evidence, with findings."""
    path = ingested(tmp_path_factory.mktemp("views"), EVIDENCE)
    with settled(path) as opened:
        run_rules(opened, opened.start_run("detect", []), (), Filters())
    return path


@pytest.fixture(scope="module")
def views(case: Path) -> Iterator[sqlite_utils.Database]:
    """The same case as a user of sqlite-utils opens it."""
    database = sqlite_utils.Database(case)
    yield database
    database.close()


def rows(database: sqlite_utils.Database, view: str, where: str = "true", order: str = "1") -> list[dict[str, Any]]:
    """Return rows of a view."""
    return list(database.query(f"SELECT * FROM {view} WHERE {where} ORDER BY {order}"))


def test_every_view_reads_through_sqlite_utils(views: sqlite_utils.Database) -> None:
    """Catches a view that names a column which no longer exists: SQLite finds that only when it is read."""
    names = views.view_names()
    assert len(names) >= 15
    for name in names:
        assert [column.name for column in views[name].columns]
        list(views[name].rows)


def test_events_are_the_documents(case: Path, views: sqlite_utils.Database) -> None:
    """Every value that a row and its document both have is the same, and neither lacks what every event has."""
    with settled(case) as opened:
        documents = list(query(opened, "any where true", Filters(observed_only=True)))
    found = {row["event_id"]: row for row in rows(views, "events")}
    assert len(found) == len(documents) == 460
    compared: Counter[str] = Counter()
    for document in documents:
        row = found[document["evtxscan"]["event"]["id"]]
        place = document["evtxscan"]["provenance"][0]
        assert (row["path"], row["chunk"], row["offset"]) == (place["source"]["path"], place["chunk"], place["offset"])
        for name in {*catalogue(), "event.code", "event.provider", "winlog.channel"} - {"packed"}:
            value: Any = document
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            always = name in ("@timestamp", "host.name", "event.code", "winlog.channel", "winlog.record_id")
            if always or not (value is None or row[name] is None or isinstance(value, list)):
                compared[name] += 1
                assert str(row[name]) == str(value), (name, row["event_id"])
    assert compared["@timestamp"] == 460
    assert len(compared) > 40


def test_events_have_every_column_of_the_table(views: sqlite_utils.Database) -> None:
    """Catches a column that a later version of the table has and the view has not."""
    shown = {column.name for column in views["events"].columns}
    assert set(catalogue()) <= shown


def test_questions_of_the_investigation_guide(views: sqlite_utils.Database) -> None:
    """Counts from testdata/EXPECTED.md and its logs: six DNS look-ups, five registry events of queued work ..."""
    assert len(rows(views, "dns_lookups")) == 6
    (sent,) = rows(views, "network_connections", "\"process.executable\" LIKE '%\\igfxsvc.exe'")
    assert (sent["destination.ip"], sent["network.direction"]) == ("203.0.113.45", "egress")
    work = rows(views, "orchestrator_work", order='"@timestamp", event_id')
    assert {row["process.pid"] for row in work} == {5412}
    assert len(work) == 5
    installed = rows(views, "service_changes", "mapping = 'system/7045'", '"@timestamp"')
    assert [row["service.name"] for row in installed] == ["UsoSvc backup", "PSEXESVC", "USOSVC"]
    audited = rows(views, "service_changes", "mapping = 'security/4697'", '"@timestamp"')
    assert [row["image_path"] for row in audited] == [row["image_path"] for row in installed]


def test_processes_have_their_parents_and_sessions(views: sqlite_utils.Database) -> None:
    """The renamed tool of EXPECTED.md: child of pid 6120 by Sysmon's GUID, in SYSTEM's session."""
    (tool,) = rows(views, "processes", "\"process.executable\" LIKE '%\\igfxsvc.exe'")
    assert (tool["process.parent.pid"], tool["parent_method"]) == (6120, "sysmon_guid")
    assert tool["process.parent.command_line"].endswith("-s UsoSvc")
    assert (tool["winlog.logon.id"], tool["user.domain"], tool["user.name"]) == ("0x3e7", "NT AUTHORITY", "SYSTEM")
    (unseen,) = rows(views, "processes", "\"process.executable\" LIKE '%\\winupd.exe'")
    assert (unseen["started"], unseen["parent_method"]) == ("2020-05-19T09:22:47.3329228Z", "pid_time")
    (orphan,) = rows(views, "processes", '"process.pid" = 8624')
    assert orphan["parent"] is None
    assert orphan["process.parent.executable"].endswith("\\svchost.exe"), "recorded, though the parent's record is gone"


def test_logon_sessions_tell_what_an_examiner_quotes(views: sqlite_utils.Database) -> None:
    """The remote desktop logon of the stolen account, as EXPECTED.md has it."""
    (session,) = rows(views, "logon_sessions", "started LIKE '2020-05-18T09:02:26%'")
    wanted = {
        "user.domain": "CORP",
        "user.name": "t.brandt",
        "winlog.event_data.LogonType": "10",
        "source.ip": "198.51.100.23",
        "end_method": "logoff",
        "reason": None,
    }
    assert {key: session[key] for key in wanted} == wanted
    unknown = rows(views, "logon_sessions", "logon_event IS NULL AND reason <> 'well_known'")
    assert unknown, "a session without a logon record says why"


def test_findings_and_verdicts(views: sqlite_utils.Database) -> None:
    """Six findings, two of them with inferred fields; the reasons of both hosts' verdicts."""
    assert [row["inferred"] for row in rows(views, "findings", order="time")] == [None, None, 3, 3, None, None]
    missing = {
        (row["host"].split(".")[0], row["field"], row["reason"]): row["missing_in"] for row in rows(views, "verdicts")
    }
    assert missing["ws-fin-07", "process.parent.args", "shared_service_host"] == 1
    assert missing["srv-old-02", "process.parent.args", "command_line_not_audited"] == 3


def made(provider: str, code: int, number: int, **values: Value) -> Event:
    """Return an event of the made host; ``number`` are the seconds after START."""
    kind = template(provider, code)
    return Event(kind, START + number * 10_000_000, HOST, kind.row(**values), pid=4, tid=8)


def loaded(number: int, path: str, *, signed: bool, status: str) -> Event:
    """Return a Sysmon 7."""
    return made(
        "sysmon", 7, number, UtcTime=f"2020-05-18 15:40:{number:02}.000", Image=path, ImageLoaded=path,
        Hashes=f"SHA256={SHA256}", Signed=str(signed).lower(), Signature="Acme" if signed else "",
        SignatureStatus=status,
    )  # fmt: skip


def service(number: int, name: str, path: str, account: str = "LocalSystem") -> Event:
    """Return a System 7045."""
    return made("scm", 7045, number, ServiceName=name, ImagePath=path, ServiceType="user mode service",
                StartType="auto start", AccountName=account)  # fmt: skip


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite_utils.Database]:
    """A made host with services of every sort, and images loaded with and without valid signatures."""
    folder = tmp_path_factory.mktemp("services")
    logs = folder / "logs"
    logs.mkdir()
    registry = [("ImagePath", "D:\\Apps\\late.exe -k"), ("ObjectName", "NT AUTHORITY\\LocalService"),
                ("ObjectName", ".\\bob"), ("Parameters\\ServiceDll", "%SystemRoot%\\System32\\evil.dll")]  # fmt: skip
    write_log(
        logs / "system.evtx",
        [
            service(1, "quoted", '"C:\\Program Files\\Acme\\a.exe" /run', "CORP\\svc-backup"),
            service(2, "driver", "\\SystemRoot\\System32\\drivers\\d.sys"),
            service(3, "relative", "system32\\drivers\\d.sys", "NT AUTHORITY\\NetworkService"),
            service(4, "never-loaded", "C:\\Windows\\never.exe"),
            service(5, "good", "%SystemRoot%\\good.exe"),
            service(6, "longer", "C:\\Windows\\good.exe.bak"),
            service(7, "windir", "%windir%\\system32\\evil.dll"),
            service(8, "device", "\\??\\C:\\Windows\\System32\\drivers\\d.sys"),
        ],
    )
    write_log(
        logs / "sysmon.evtx",
        [
            loaded(11, "C:\\Program Files\\Acme\\A.EXE", signed=True, status="Revoked"),
            made("sysmon", 6, 12, UtcTime="2020-05-18 15:40:12.000",
                 ImageLoaded="C:\\Windows\\System32\\drivers\\d.sys", Hashes=f"SHA256={SHA256}",
                 Signed="false", Signature="", SignatureStatus="Unavailable"),
            loaded(13, "C:\\Windows\\good.exe", signed=True, status="Valid"),
            loaded(14, "C:\\Windows\\System32\\evil.dll", signed=False, status="Unavailable"),
            *(
                made("sysmon", 13, 20 + number, UtcTime=f"2020-05-18 15:40:{20 + number}.000", EventType="SetValue",
                     TargetObject=f"{SERVICES}\\reg{number}\\{value}", Details=details)
                for number, (value, details) in enumerate(registry)
            ),
        ],
    )  # fmt: skip
    database = sqlite_utils.Database(ingested(folder, logs))
    yield database
    database.close()


def test_services_under_ordinary_accounts(services: sqlite_utils.Database) -> None:
    assert [
        (row["service.name"], row["account"]) for row in rows(services, "service_accounts", order='"@timestamp"')
    ] == [
        ("quoted", "CORP\\svc-backup"),
        ("reg2", ".\\bob"),
    ]


def test_unsigned_service_executables(services: sqlite_utils.Database) -> None:
    """A file that was never seen loaded is unknown, not unsigned; one that is signed and revoked is not valid."""
    unsigned = rows(services, "unsigned_service_executables", order='"@timestamp"')
    assert [row["service.name"] for row in unsigned] == [
        "quoted", "driver", "relative", "windir", "device", "reg3",
    ]  # fmt: skip
    assert unsigned[0]["link"] == f"https://www.virustotal.com/gui/file/{SHA256.lower()}"
    known = {row["service.name"]: row["file.code_signature.status"] for row in rows(services, "service_executables")}
    assert (known["good"], known["never-loaded"], known["longer"], known["reg0"]) == ("Valid", None, None, None)


def test_registry_values_of_services(services: sqlite_utils.Database) -> None:
    changed = rows(services, "service_changes", "mapping = 'sysmon/13'", '"@timestamp"')
    assert [(row["service.name"], row["registry_value"]) for row in changed] == [
        ("reg0", "ImagePath"), ("reg1", "ObjectName"), ("reg2", "ObjectName"), ("reg3", "Parameters\\ServiceDll"),
    ]  # fmt: skip


def test_losses_have_their_source(tmp_path: Path) -> None:
    """A record that a chunk's header claims and nobody finds is a loss at its log."""
    logs = tmp_path / "logs"
    logs.mkdir()
    write_log(logs / "short.evtx", [service(number, f"s{number}", "C:\\a.exe") for number in range(3)])
    content = bytearray((logs / "short.evtx").read_bytes())
    content[0x1000 + 32 : 0x1000 + 40] = (5).to_bytes(
        8, "little"
    )  # the chunk's last record id: two more than there are
    (logs / "short.evtx").write_bytes(content)
    path = tmp_path / "case.db"
    assert not ingest_evidence(path, [logs], Options(jobs=1)).is_complete
    lost = rows(sqlite_utils.Database(path), "losses", order="record_id")
    assert [(row["path"], row["chunk"], row["record_id"], row["reason"]) for row in lost] == [
        ("short.evtx", 0, 4, "record_missing"), ("short.evtx", 0, 5, "record_missing"),
    ]  # fmt: skip


@pytest.mark.parametrize("view", ["dns_lookups", "network_connections", "orchestrator_work", "service_changes"])
def test_questions_read_only_their_kinds(case: Path, view: str) -> None:
    """Catches a view that reads a million events to find ten."""
    with sqlite3.connect(case) as database:
        plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {view} ORDER BY 2")]
    database.close()
    assert not [step for step in plan if step.startswith("SCAN") and step.split()[1] in ("e", "c", "sc", "s")], plan


def test_views_come_last(views: sqlite_utils.Database) -> None:
    """A view that a later migration's table would replace has to be made anew there."""
    made_by = "".join(schema.read_text(name) for name in migrations() if name >= "migrations/0006_views.sql")
    assert all(f"CREATE VIEW {name} AS" in made_by for name in views.view_names())
