"""A Windows machine as far as its event logs see it: processes, sessions, and the three logs they leave traces in.

A machine writes what its auditing lets it write: Security 4688 and 4689 while process creation is audited, Sysmon
events while Sysmon runs, nothing into a log before that log begins (older records were overwritten).
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PureWindowsPath

from tests.evtxmaker import Event, EventTemplate, Value, filetime, from_filetime, template, write_log

TICKS_PER_MILLISECOND = 10_000
SYSMON_LOG = "Microsoft-Windows-Sysmon%4Operational.evtx"


@dataclass(frozen=True, slots=True)
class Session:
    """A logon session: who, its LUID, when it began (nothing: with the boot), and its processes' terminal session."""

    sid: str
    user: str
    domain: str
    logon_id: int
    began: str
    terminal: int = 0
    integrity: str = "System"
    elevation: str = "%%1936"

    @property
    def account(self) -> str:
        return f"{self.domain}\\{self.user}"


@dataclass(slots=True, eq=False)
class Process:
    """A process; `start` is a FILETIME, and `guid` its ProcessGuid in Sysmon."""

    pid: int
    image: str
    command_line: str
    session: Session
    start: int
    guid: str
    parent: Process | None


@dataclass(frozen=True, slots=True)
class Program:
    """What the version resource of an executable says."""

    file_version: str
    description: str
    product: str
    company: str
    original_name: str


@cache
def programs() -> dict[str, Program]:
    """Return the version resources by file name in lower case, from programs.toml."""
    content = tomllib.loads(Path(__file__).with_name("programs.toml").read_text(encoding="utf-8"))
    return {name.lower(): Program(*fields) for name, fields in content["programs"].items()}


def program(image: str) -> Program:
    """Return the version resource of an image; an image not listed has none, which Sysmon shows as hyphens."""
    return programs().get(PureWindowsPath(image).name.lower(), Program("-", "-", "-", "-", "-"))


def hashes(image: str) -> str:
    """Return Sysmon's Hashes field for a file that contains its own path."""
    content = image.lower().encode()
    digests = {
        "MD5": hashlib.md5(content, usedforsecurity=False),
        "SHA256": hashlib.sha256(content),
        "IMPHASH": hashlib.md5(b"imports of " + content, usedforsecurity=False),
    }
    return ",".join(f"{name}={digest.hexdigest().upper()}" for name, digest in digests.items())


def jitter(label: str, limit: int) -> int:
    """Return a number below `limit` that looks random and is the same in every build."""
    return int.from_bytes(hashlib.sha256(label.encode()).digest()[:8]) % limit


def made_guid(label: str) -> str:
    """Return a GUID that is the same in every build."""
    digest = hashlib.sha256(label.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"


@dataclass(frozen=True, slots=True)
class Windows:
    """A version of Windows, as the records of a boot give it."""

    major: int
    minor: int
    build: int
    service_pack: str
    update: int


class Machine:
    """One host, its clock and its logs."""

    def __init__(
        self, name: str, *, system: Session, sysmon_id: str, windows: Windows, first_ids: dict[str, int]
    ) -> None:
        self.name = name
        self.computer = f"{name}.corp.example"
        self.windows = windows
        self.system = system
        self.boot = 0
        self.auditing = True
        self.audits_command_lines = True
        self.creation_version = 2
        self.sysmon_pid: int | None = None
        self.sysmon_since = 0
        self.booted_at = ""
        self.lsass_pid = self.services_pid = self.eventlog_pid = 0
        self.begins: dict[str, int] = {}
        self._sysmon_id = sysmon_id
        self._first_ids = first_ids
        self._logs: dict[str, list[Event]] = {}
        self._guids = 0
        self._waiting = 0
        self._alive: dict[int, Process] = {}

    # ------------------------------------------------------------------ writing

    def record(
        self, log: str, shape: EventTemplate, at: int, pid: int = 0, user: str | None = None, /, **values: Value
    ) -> None:
        """Write one record into a log of the machine; `pid` and `user` are those of the System element."""
        if at < self.begins.get(log, 0):
            return
        tid = 4 * (1 + jitter(f"thread{log}{at}", 2_000)) if pid else 0
        written = at + 1_000 + jitter(f"written{log}{at}", 40_000)
        row = shape.row(**values)
        event = Event(shape, at, self.computer, row, pid=pid, tid=tid, security_sid=user, written=written)
        self._logs.setdefault(log, []).append(event)

    def security(self, event_id: int, at: int, pid: int = 0, version: int | None = None, /, **values: Value) -> None:
        """Write a Security record, by the security authority unless `pid` says otherwise."""
        self.record("Security.evtx", template("security", event_id, version), at, pid or self.lsass_pid, **values)

    def sysmon(self, event_id: int, at: int, utc: int | None = None, /, **values: Value) -> None:
        """Write a Sysmon record of something that happened at `at`, if Sysmon runs.

        It is written 1 to 3 ms later; what happened in a boot before the service ran, as soon as it runs.
        """
        if self.sysmon_pid is None:
            return
        happened = at if utc is None else utc
        later = at + TICKS_PER_MILLISECOND + jitter(f"sysmon{event_id}{at}", 2 * TICKS_PER_MILLISECOND)
        if later < self.sysmon_since:
            self._waiting += 1
            later = self.sysmon_since + 3_127 * self._waiting
        shape = _sysmon_11(event_id)
        values.setdefault("UtcTime", utc_text(happened))
        if any(field.name == "RuleName" for field in shape.fields):
            values.setdefault("RuleName", "-")
        self.record(SYSMON_LOG, shape, later, self.sysmon_pid, self.system.sid, **values)

    def save(self, folder: Path) -> None:
        """Write the logs under the path that they have on the machine."""
        logs = folder / self.name / "Windows" / "System32" / "winevt" / "Logs"
        logs.mkdir(parents=True, exist_ok=True)
        for name, events in sorted(self._logs.items()):
            in_order = sorted(events, key=lambda event: event.time)
            write_log(logs / name, in_order, first_record_id=self._first_ids[name])

    # ------------------------------------------------------------------ processes

    def start(
        self,
        at: str,
        pid: int,
        image: str,
        command_line: str = "",
        *,
        parent: Process | None,
        session: Session | None = None,
        folder: str = "C:\\Windows\\system32\\",
    ) -> Process:
        """Start a process and write what is recorded of it; its command line is its image, its session the parent's.

        A process without parent was started by the System process, which no record tells of.
        """
        if session is None:
            session = parent.session if parent else self.system
        command_line = command_line or image
        process = Process(pid, image, command_line, session, filetime(at), self._process_guid(at), parent)
        if pid in self._alive:
            raise ValueError(f"{at}: process {pid} is still {self._alive[pid].image}")
        if parent and parent.start >= process.start:
            raise ValueError(f"{at}: {image} is older than its parent")
        self._alive[pid] = process
        if self.auditing:
            version = self.creation_version
            known = {field.name for field in template("security", 4688, version).fields}
            values = {name: value for name, value in self._creation(process).items() if name in known}
            self.security(4688, process.start + jitter(f"4688{at}{pid}", 9_000), 4, version, **values)
        if self.sysmon_pid is not None:
            self.sysmon(1, process.start, **self._sysmon_creation(process, folder))
        return process

    def end(self, process: Process, at: str, status: int = 0) -> None:
        """End a process and write what is recorded of it."""
        when = filetime(at)
        if self._alive.pop(process.pid, None) is not process or when <= process.start:
            raise ValueError(f"{at}: process {process.pid} cannot end, it does not run")
        if self.auditing:
            self.security(
                4689,
                when,
                4,
                **self.subject(process.session),
                Status=status,
                ProcessId=process.pid,
                ProcessName=process.image,
            )
        self.sysmon(5, when, **self.actor(process))

    def restart(self, at: str) -> None:
        """Begin a boot at `at`: nothing runs."""
        self.boot += 1
        self.booted_at = at
        self._alive.clear()

    def actor(self, process: Process) -> dict[str, Value]:
        """Return the fields that say in a Sysmon record which process did it."""
        return {"ProcessGuid": process.guid, "ProcessId": process.pid, "Image": process.image}

    def subject(self, session: Session) -> dict[str, Value]:
        """Return the Subject fields; the machine's own account stands for SYSTEM, as Windows has it."""
        if session.sid == self.system.sid:
            name, domain = f"{self.name}$", "CORP"
        else:
            name, domain = session.user, session.domain
        return {
            "SubjectUserSid": session.sid,
            "SubjectUserName": name,
            "SubjectDomainName": domain,
            "SubjectLogonId": session.logon_id,
        }

    def logon_guid(self, session: Session) -> str:
        """Return a Sysmon LogonGuid: the machine, the time of the logon, the LUID."""
        luid = session.logon_id.to_bytes(8, "little").hex()
        began = session.began or self.booted_at
        return f"{self._sysmon_id}-{_seconds(began)}-{luid[:4]}-{luid[4:]}"

    def _process_guid(self, at: str) -> str:
        """Return a Sysmon ProcessGuid: the machine, the second of the start, a number, and one of the boot."""
        self._guids += 1
        number = self._guids.to_bytes(2, "little").hex()
        return f"{self._sysmon_id}-{_seconds(at)}-{number}-00000000{self.boot:02x}00"

    def _creation(self, process: Process) -> dict[str, Value]:
        parent = process.parent
        creator = parent.session if parent else self.system
        other = creator != process.session
        target = process.session
        return {
            **self.subject(creator),
            "NewProcessId": process.pid,
            "NewProcessName": process.image,
            "TokenElevationType": target.elevation,
            "ProcessId": parent.pid if parent else 4,
            "CommandLine": process.command_line if self.audits_command_lines else "",
            "TargetUserSid": target.sid if other else "S-1-0-0",
            "TargetUserName": target.user if other else "-",
            "TargetDomainName": target.domain if other else "-",
            "TargetLogonId": target.logon_id if other else 0,
            "ParentProcessName": parent.image if parent else "",
            "MandatoryLabel": _LABELS[target.integrity],
        }

    def _sysmon_creation(self, process: Process, folder: str) -> dict[str, Value]:
        parent, session, about = process.parent, process.session, program(process.image)
        return {
            **self.actor(process),
            "FileVersion": about.file_version,
            "Description": about.description,
            "Product": about.product,
            "Company": about.company,
            "OriginalFileName": about.original_name,
            "CommandLine": process.command_line,
            "CurrentDirectory": folder,
            "User": session.account,
            "LogonGuid": self.logon_guid(session),
            "LogonId": session.logon_id,
            "TerminalSessionId": session.terminal,
            "IntegrityLevel": session.integrity,
            "Hashes": hashes(process.image),
            "ParentProcessGuid": parent.guid if parent else f"{self._sysmon_id}-0000-0000-eb03-000000000000",
            "ParentProcessId": parent.pid if parent else 4,
            "ParentImage": parent.image if parent else "System",
            "ParentCommandLine": parent.command_line if parent else "",
        }


_LABELS = {"System": "S-1-16-16384", "High": "S-1-16-12288", "Medium": "S-1-16-8192", "Low": "S-1-16-4096"}


# The fields that Sysmon 11 of spring 2020 did not write yet.
_AFTER_SYSMON_11 = {
    1: ("ParentUser",),
    **dict.fromkeys((2, 5, 7, 9, 11, 12, 13, 14, 17, 18, 22), ("User",)),
    **dict.fromkeys((8, 10), ("SourceUser", "TargetUser")),
    15: ("Contents", "User"),
}


@cache
def _sysmon_11(event_id: int) -> EventTemplate:
    return template("sysmon", event_id).without(*_AFTER_SYSMON_11.get(event_id, ()))


def utc_text(ticks: int) -> str:
    """Return a time as Sysmon's UtcTime has it: milliseconds, cut."""
    return f"{from_filetime(ticks):%Y-%m-%d %H:%M:%S}.{ticks // TICKS_PER_MILLISECOND % 1000:03d}"


def _seconds(at: str) -> str:
    """Return the Unix second of a time as the second and third part of a Sysmon GUID: low half, high half."""
    seconds = filetime(at) // 10_000_000 - 11_644_473_600
    return f"{seconds & 0xFFFF:04x}-{seconds >> 16:04x}"
