"""A made computer: what happens on it goes into the logs that a real one would write, and those into a case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from evtxscan.context.build import rebuild
from evtxscan.ingest.run import Options, find_evidence, ingest
from evtxscan.store.case import Case, create_or_open
from evtxscan.store.finish import finish
from tests.evtxmaker import Event, Value, filetime, filetime_text, template, write_log

SECOND = 10_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
# StartTime and the like are read in microseconds.
START = filetime("2020-05-18T07:00:00.123456Z")

SVCHOST = "C:\\Windows\\System32\\svchost.exe"
USOSVC = "C:\\Windows\\System32\\svchost.exe -k netsvcs -p -s UsoSvc"
CMD = "C:\\Windows\\System32\\cmd.exe"
USER_SID = "S-1-5-21-1004336348-1177238915-682003330-1107"


@dataclass
class Machine:
    """Writes records as things happen. Times are FILETIME; each log numbers its own records."""

    name: str = "WS-FIN-07"
    security: list[Event] = field(default_factory=list)
    sysmon: list[Event] = field(default_factory=list)
    system: list[Event] = field(default_factory=list)

    def boot(self, at: int) -> None:
        """Start Windows: Kernel-General 12 with the exact time, then Security 4608 and the log service."""
        self._system("kernel-general", 12, at + SECOND // 2, StartTime=at)
        self.log(4608, at + 5 * SECOND)
        self._system("classic", 6009, at + 9 * SECOND, Data=["10.00.", "18363", "", "Multiprocessor Free", "0"])
        self._system("classic", 6005, at + 9 * SECOND + 1)

    def shutdown(self, at: int) -> None:
        """Shut Windows down."""
        self._system("classic", 6006, at - 2 * SECOND)
        self._system("kernel-general", 13, at, StopTime=at)

    def set_clock(self, old: int, new: int) -> None:
        """Set the clock from ``old`` to ``new``: both logs record it."""
        self.log(4616, new, PreviousTime=old, NewTime=new)
        self._system("kernel-general", 1, new, OldTime=old, NewTime=new)

    def start(
        self,
        at: int,
        pid: int,
        program: str = CMD,
        line: str = "",
        *,
        parent: int = 4,
        version: int = 2,
        **values: Value,
    ) -> None:
        """Write a Security 4688."""
        if version:
            values = {"CommandLine": line, **values}
        values = {"NewProcessId": pid, "NewProcessName": program, "ProcessId": parent, **values}
        self.log(4688, at, version=version, **{"SubjectUserSid": "S-1-5-18", "SubjectLogonId": 0x3E7, **values})

    def end(self, at: int, pid: int, program: str = CMD) -> None:
        """Write a Security 4689."""
        self.log(4689, at, ProcessId=pid, ProcessName=program)

    def sysmon_start(
        self, at: int, pid: int, guid: int, program: str = CMD, line: str = "", *, parent_guid: int = 0, **values: Value
    ) -> None:
        """Write a Sysmon 1."""
        values = {"ProcessId": pid, "ProcessGuid": UUID(int=guid), "Image": program, "CommandLine": line, **values}
        if parent_guid:
            values["ParentProcessGuid"] = UUID(int=parent_guid)
        self._sysmon(1, at, **{"LogonId": 0x3E7, "User": "NT AUTHORITY\\SYSTEM", **values})

    def sysmon_end(self, at: int, pid: int, guid: int, program: str = CMD) -> None:
        """Write a Sysmon 5."""
        self._sysmon(5, at, ProcessId=pid, ProcessGuid=UUID(int=guid), Image=program)

    def logon(self, at: int, logon_id: int, user: str = "ada", logon_type: int = 2, **values: Value) -> None:
        """Write a Security 4624."""
        account = {"TargetUserSid": USER_SID, "TargetUserName": user, "TargetDomainName": "CORP"}
        self.log(4624, at, **{**account, "TargetLogonId": logon_id, "LogonType": logon_type, **values})

    def log(self, code: int, at: int, *, version: int | None = None, **values: Value) -> None:
        """Write a record into the Security log."""
        made = template("security", code, version)
        self.security.append(Event(made, at, self.name, made.row(**values)))

    def _sysmon(self, code: int, at: int, **values: Value) -> None:
        made = template("sysmon", code)
        time = filetime_text(at)[:-5].replace("T", " ")
        self.sysmon.append(Event(made, at + SECOND // 100, self.name, made.row(UtcTime=time, **values)))

    def _system(self, provider: str, code: int, at: int, **values: Value) -> None:
        made = template(provider, code)
        self.system.append(Event(made, at, self.name, made.row(**values)))

    def write(self, folder: Path) -> list[Path]:
        """Write the logs that have records, each event in the order in which it happened in its log."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, events in (("Security", self.security), ("Sysmon", self.sysmon), ("System", self.system)):
            if events:
                paths.append(folder / f"{self.name}-{name}.evtx")
                write_log(paths[-1], events)
        return paths


@contextmanager
def case_of(folder: Path, *machines: Machine) -> Iterator[Case]:
    """Give the case of what some machines logged."""
    paths = [path for machine in machines for path in machine.write(folder)]
    with ingested(folder / "case.db", [paths]) as case:
        yield case


@contextmanager
def ingested(path: Path, groups: Iterable[list[Path]]) -> Iterator[Case]:
    """Give a case into which groups of files were ingested one after the other."""
    with create_or_open(path) as case:
        for paths in groups:
            run = case.start_run("ingest", [])
            ingest(case, run, find_evidence(paths, Options()), Options(jobs=1))
        finish(case)
        rebuild(case)
        yield case
