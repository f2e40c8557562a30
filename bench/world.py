"""A made-up busy Windows machine: what it does, as events of its Security, Sysmon and System logs.

Processes start and end (4688 and 4689, Sysmon 1 and 5, with ids that fit together), people and services log on and
off, and in between Sysmon sees files, registry values, connections, names looked up, images loaded and handles
opened. Texts come from pools of 50,000 distinct values, the first ones of each pool far more often than the last,
as on real machines; times, ids, GUIDs and ports are new in every record.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from tests.evtxmaker import Event, EventTemplate, Value, filetime, filetime_text, template

CHANNELS = ("Security", "Microsoft-Windows-Sysmon/Operational", "System")
COMPUTER = "WS-0417.corp.example"
DISTINCT = {
    "command": 20_000,
    "file": 12_000,
    "registry": 8_000,
    "name": 4_000,
    "module": 3_000,
    "program": 1_000,
    "address": 1_500,
    "user": 500,
}

_START = filetime("2026-03-02T06:30:00Z")
_SECOND = 10_000_000
_RUNNING = 400  # processes at a time
_SYSTEM_LOGON = 0x3E7
_PRIVILEGES = "\n\t\t\t".join(
    ("SeSecurityPrivilege", "SeTakeOwnershipPrivilege", "SeLoadDriverPrivilege", "SeBackupPrivilege",
     "SeRestorePrivilege", "SeDebugPrivilege", "SeSystemEnvironmentPrivilege", "SeImpersonatePrivilege")
)  # fmt: skip

# What happens how often: out of 1,000 things. A process start or end gives a record in each of two logs.
_ACTIVITIES = {
    "start": 90,
    "end": 90,
    "logon": 40,
    "logoff": 38,
    "failed_logon": 8,
    "explicit_logon": 10,
    "connect": 110,
    "load": 90,
    "open_process": 80,
    "create_file": 100,
    "delete_file": 20,
    "create_key": 70,
    "set_value": 150,
    "look_up": 70,
    "pipe": 14,
    "remote_thread": 2,
    "service": 16,
    "uptime": 2,
}


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    guid: UUID
    image: str
    command: str
    user: int
    logon: int


def events(count: int, seed: int, channels: frozenset[str] = frozenset(CHANNELS)) -> Iterator[Event]:
    """Yield the first ``count`` records of the machine, those of ``channels``; the same for the same seed."""
    machine = _Machine(seed)
    made = 0
    while made < count:
        for event in machine.step()[: count - made]:
            made += 1
            if event.template.channel in channels:
                yield event


class _Pools:
    """The texts of the machine; ``pick`` prefers those at the front of a pool."""

    def __init__(self, rng: random.Random) -> None:
        self._random = rng.random
        word = _Words(rng)
        folders = [rf"C:\{top}\{word()}\{word()}" for top in ("Program Files", "ProgramData", "Windows", "Tools")
                   for _ in range(100)]  # fmt: skip
        self.user = [f"{word()}.{word()}"[:20] for _ in range(DISTINCT["user"])]
        self.program = [rf"{rng.choice(folders)}\{word()}{n}.exe" for n in range(DISTINCT["program"])]
        self.command = [f'"{rng.choice(self.program)}" {_arguments(rng, word, n)}' for n in range(DISTINCT["command"])]
        self.file = [
            rf"C:\Users\{rng.choice(self.user)}\AppData\Local\{word()}\{word()}-{n:05}.{'tmp' if n % 3 else 'dat'}"
            for n in range(DISTINCT["file"])
        ]
        self.registry = [
            rf"HKLM\SOFTWARE\{word()}\{word()}\CurrentVersion\{word()}\{word()}{n}" for n in range(DISTINCT["registry"])
        ]
        self.name = [f"{word()}{n}.{word()}.example" for n in range(DISTINCT["name"])]
        self.module = [rf"{rng.choice(folders)}\{word()}{n}.dll" for n in range(DISTINCT["module"])]
        self.address = [f"10.{rng.randrange(256)}.{n // 250}.{n % 250 + 1}" for n in range(DISTINCT["address"])]
        self.hashes = {path: _hashes(rng) for path in (*self.program, *self.module)}

    def pick(self, pool: list[str]) -> str:
        return pool[int(len(pool) * self._random() ** 3)]


class _Words:
    def __init__(self, rng: random.Random) -> None:
        self._random = rng.random
        syllables = [first + second for first in "bcdfgklmnprstv" for second in "aeiou"]
        self._words = ["".join(rng.choices(syllables, k=4)).capitalize() for _ in range(4000)]

    def __call__(self) -> str:
        return self._words[int(len(self._words) * self._random())]


def _arguments(rng: random.Random, word: _Words, number: int) -> str:
    switches = " ".join(f"--{word().lower()}={rng.randrange(10**6)}" for _ in range(rng.randrange(1, 6)))
    return rf"{switches} /job:{number} C:\Data\{word()}\{word()}.xml"


def _hashes(rng: random.Random) -> str:
    return f"SHA1={rng.randbytes(20).hex().upper()},MD5={rng.randbytes(16).hex().upper()}," \
           f"SHA256={rng.randbytes(32).hex().upper()},IMPHASH={rng.randbytes(16).hex().upper()}"  # fmt: skip


class _Machine:
    def __init__(self, seed: int) -> None:
        rng = self._rng = random.Random(seed)  # noqa: S311 - repeatable by design
        self._pools = _Pools(rng)
        self._time = _START
        self._next_logon = 0x12000
        self._logons = [(0, _SYSTEM_LOGON)]
        self._templates: dict[tuple[str, int], EventTemplate] = {}
        self._running = [self._new_process() for _ in range(_RUNNING)]
        self._steps = [getattr(self, f"_{name}") for name in _ACTIVITIES]
        self._weights = [sum(list(_ACTIVITIES.values())[: n + 1]) for n in range(len(_ACTIVITIES))]

    def step(self) -> list[Event]:
        """Return the records of the next thing that happens."""
        self._time += int(self._rng.expovariate(6.0) * _SECOND) + 1
        (activity,) = self._rng.choices(self._steps, cum_weights=self._weights)
        made: list[Event] = activity()
        return made

    # How records are made ------------------------------------------------------------------------------------

    def _sysmon(self, event_id: int, **values: Value) -> Event:
        utc = filetime_text(self._time)[:23].replace("T", " ")
        return self._event("sysmon", event_id, 3120, 4000 + self._rng.randrange(4) * 4, "S-1-5-18",
                           RuleName="-", UtcTime=utc, **values)  # fmt: skip

    def _security(self, event_id: int, **values: Value) -> Event:
        return self._event("security", event_id, 4, 100 + self._rng.randrange(60) * 4, None, **values)

    def _event(self, provider: str, event_id: int, pid: int, tid: int, sid: str | None, **values: Value) -> Event:
        key = (provider, event_id)
        form = self._templates.get(key)
        if form is None:
            form = self._templates[key] = template(provider, event_id)
        self._time += 1 + self._rng.randrange(2000)
        return Event(form, self._time, COMPUTER, form.row(**values), pid=pid, tid=tid, security_sid=sid)

    def _sid(self, user: int) -> str:
        return f"S-1-5-21-1004336348-1177238915-682003330-{1000 + user}" if user else "S-1-5-18"

    def _account(self, user: int) -> tuple[str, str]:
        return (self._pools.user[user], "CORP") if user else ("WS-0417$", "CORP")

    def _subject(self, user: int, logon: int) -> dict[str, Value]:
        name, domain = self._account(user)
        return {
            "SubjectUserSid": self._sid(user),
            "SubjectUserName": name,
            "SubjectDomainName": domain,
            "SubjectLogonId": logon,
        }

    def _user_text(self, user: int) -> str:
        return f"CORP\\{self._pools.user[user]}" if user else "NT AUTHORITY\\SYSTEM"

    def _new_process(self) -> _Process:
        rng = self._rng
        user, logon = rng.choice(self._logons)
        command = self._pools.pick(self._pools.command)
        return _Process(
            rng.randrange(400, 20_000) * 4, UUID(int=rng.getrandbits(128)), command.split('"')[1], command, user, logon
        )

    def _who(self) -> _Process:
        return self._running[int(_RUNNING * self._rng.random() ** 2)]

    # What happens ---------------------------------------------------------------------------------------------

    def _start(self) -> list[Event]:
        parent, child = self._who(), self._new_process()
        self._running[self._rng.randrange(_RUNNING)] = child
        label = "S-1-16-8192" if child.user else "S-1-16-16384"
        level = "Medium" if child.user else "System"
        security = self._security(
            4688, **self._subject(child.user, child.logon), NewProcessId=child.pid, NewProcessName=child.image,
            TokenElevationType="%%1936", ProcessId=parent.pid, CommandLine=child.command, TargetUserSid="S-1-0-0",
            TargetUserName="-", TargetDomainName="-", TargetLogonId=0, ParentProcessName=parent.image,
            MandatoryLabel=label,
        )  # fmt: skip
        sysmon = self._sysmon(
            1, ProcessGuid=child.guid, ProcessId=child.pid, Image=child.image, FileVersion="10.0.19041.1",
            Description="Line of business", Product="Suite", Company="Example Ltd",
            OriginalFileName=child.image.rpartition("\\")[2], CommandLine=child.command,
            CurrentDirectory="C:\\Windows\\system32\\", User=self._user_text(child.user),
            LogonGuid=UUID(int=child.logon << 64 | 0x1234), LogonId=child.logon, TerminalSessionId=1,
            IntegrityLevel=level, Hashes=self._pools.hashes[child.image], ParentProcessGuid=parent.guid,
            ParentProcessId=parent.pid, ParentImage=parent.image, ParentCommandLine=parent.command,
            ParentUser=self._user_text(parent.user),
        )  # fmt: skip
        return [security, sysmon]

    def _end(self) -> list[Event]:
        who = self._who()
        return [
            self._security(4689, **self._subject(who.user, who.logon), ProcessId=who.pid, ProcessName=who.image),
            self._sysmon(5, ProcessGuid=who.guid, ProcessId=who.pid, Image=who.image, User=self._user_text(who.user)),
        ]

    def _logon(self) -> list[Event]:
        rng = self._rng
        user = int(DISTINCT["user"] * rng.random() ** 2)
        self._next_logon += 1 + rng.randrange(5000)
        logon = self._next_logon
        self._logons = [*self._logons[-60:], (user, logon)]
        name, domain = self._account(user)
        target = {"TargetUserSid": self._sid(user), "TargetUserName": name, "TargetDomainName": domain}
        made = [
            self._security(
                4624, **self._subject(0, _SYSTEM_LOGON), **target, TargetLogonId=logon,
                LogonType=rng.choice((2, 3, 3, 3, 5, 7, 10)), LogonProcessName="Kerberos",
                AuthenticationPackageName="Kerberos", WorkstationName="-", LogonGuid=UUID(int=rng.getrandbits(128)),
                TransmittedServices="-", LmPackageName="-", ProcessId=0x2A4,
                ProcessName="C:\\Windows\\System32\\lsass.exe", IpAddress=self._pools.pick(self._pools.address),
                IpPort=str(rng.randrange(49152, 65536)), ImpersonationLevel="%%1833", RestrictedAdminMode="-",
                TargetOutboundUserName="-", TargetOutboundDomainName="-", VirtualAccount="%%1843",
                TargetLinkedLogonId=0, ElevatedToken="%%1842",
            )
        ]  # fmt: skip
        if not user or rng.random() < 0.5:
            made.append(self._security(4672, **self._subject(user, logon), PrivilegeList=_PRIVILEGES))
        return made

    def _logoff(self) -> list[Event]:
        user, logon = self._rng.choice(self._logons)
        name, domain = self._account(user)
        return [
            self._security(4634, TargetUserSid=self._sid(user), TargetUserName=name, TargetDomainName=domain,
                           TargetLogonId=logon, LogonType=3)
        ]  # fmt: skip

    def _failed_logon(self) -> list[Event]:
        return [
            self._security(
                4625, **self._subject(0, _SYSTEM_LOGON), TargetUserSid="S-1-0-0",
                TargetUserName=self._pools.pick(self._pools.user), TargetDomainName="CORP", Status=0xC000006D,
                FailureReason="%%2313", SubStatus=0xC000006A, LogonType=3, LogonProcessName="NtLmSsp ",
                AuthenticationPackageName="NTLM", WorkstationName="WS-0099", TransmittedServices="-",
                LmPackageName="-", ProcessName="-", IpAddress=self._pools.pick(self._pools.address),
                IpPort=str(self._rng.randrange(49152, 65536)),
            )
        ]  # fmt: skip

    def _explicit_logon(self) -> list[Event]:
        who = self._who()
        return [
            self._security(
                4648, **self._subject(who.user, who.logon), TargetUserName=self._pools.pick(self._pools.user),
                TargetDomainName="CORP", TargetServerName="localhost", TargetInfo="localhost", ProcessId=who.pid,
                ProcessName=who.image, IpAddress="-", IpPort="-",
            )
        ]  # fmt: skip

    def _connect(self) -> list[Event]:
        who, rng = self._who(), self._rng
        return [
            self._sysmon(
                3, ProcessGuid=who.guid, ProcessId=who.pid, Image=who.image, User=self._user_text(who.user),
                Protocol="tcp", Initiated=True, SourceIp="10.1.4.17", SourceHostname=COMPUTER,
                SourcePort=rng.randrange(49152, 65536), SourcePortName="-",
                DestinationIp=self._pools.pick(self._pools.address), DestinationHostname="-",
                DestinationPort=rng.choice((80, 443, 443, 445, 135, 8080)), DestinationPortName="https",
            )
        ]  # fmt: skip

    def _load(self) -> list[Event]:
        who, module = self._who(), self._pools.pick(self._pools.module)
        return [
            self._sysmon(
                7, ProcessGuid=who.guid, ProcessId=who.pid, Image=who.image, ImageLoaded=module,
                FileVersion="10.0.19041.1", Description="Library", Product="Suite", Company="Example Ltd",
                OriginalFileName=module.rpartition("\\")[2], Hashes=self._pools.hashes[module], Signed="true",
                Signature="Example Ltd", SignatureStatus="Valid", User=self._user_text(who.user),
            )
        ]  # fmt: skip

    def _open_process(self) -> list[Event]:
        who, target = self._who(), self._who()
        trace = "|".join(rf"C:\Windows\SYSTEM32\ntdll.dll+{n:x}" for n in self._rng.sample(range(0x9C000, 0x9C100), 3))
        return [
            self._sysmon(
                10, SourceProcessGUID=who.guid, SourceProcessId=who.pid, SourceThreadId=who.pid + 8,
                SourceImage=who.image, TargetProcessGUID=target.guid, TargetProcessId=target.pid,
                TargetImage=target.image, GrantedAccess=0x1000, CallTrace=trace,
                SourceUser=self._user_text(who.user), TargetUser=self._user_text(target.user),
            )
        ]  # fmt: skip

    def _create_file(self) -> list[Event]:
        who = self._who()
        return [
            self._sysmon(
                11, ProcessGuid=who.guid, ProcessId=who.pid, Image=who.image,
                TargetFilename=self._pools.pick(self._pools.file), CreationUtcTime="2026-03-02 06:30:00.000",
                User=self._user_text(who.user),
            )
        ]  # fmt: skip

    def _delete_file(self) -> list[Event]:
        who = self._who()
        return [
            self._sysmon(
                23, ProcessGuid=who.guid, ProcessId=who.pid, User=self._user_text(who.user), Image=who.image,
                TargetFilename=self._pools.pick(self._pools.file), Hashes=self._pools.hashes[who.image],
                IsExecutable=False, Archived="true",
            )
        ]  # fmt: skip

    def _create_key(self) -> list[Event]:
        return [self._registry(12, "CreateKey")]

    def _set_value(self) -> list[Event]:
        return [self._registry(13, "SetValue", Details=f"DWORD (0x{self._rng.randrange(4096):08x})")]

    def _registry(self, event_id: int, what: str, **values: Value) -> Event:
        who = self._who()
        return self._sysmon(
            event_id, EventType=what, ProcessGuid=who.guid, ProcessId=who.pid, Image=who.image,
            TargetObject=self._pools.pick(self._pools.registry), User=self._user_text(who.user), **values,
        )  # fmt: skip

    def _look_up(self) -> list[Event]:
        who = self._who()
        return [
            self._sysmon(
                22, ProcessGuid=who.guid, ProcessId=who.pid, QueryName=self._pools.pick(self._pools.name),
                QueryStatus="0", QueryResults=f"::ffff:{self._pools.pick(self._pools.address)};", Image=who.image,
                User=self._user_text(who.user),
            )
        ]  # fmt: skip

    def _pipe(self) -> list[Event]:
        who = self._who()
        return [
            self._sysmon(
                self._rng.choice((17, 18)), EventType="ConnectPipe", ProcessGuid=who.guid, ProcessId=who.pid,
                PipeName=f"\\{self._rng.choice(('lsass', 'wkssvc', 'srvsvc', 'spoolss'))}", Image=who.image,
                User=self._user_text(who.user),
            )
        ]  # fmt: skip

    def _remote_thread(self) -> list[Event]:
        who, target = self._who(), self._who()
        return [
            self._sysmon(
                8, SourceProcessGuid=who.guid, SourceProcessId=who.pid, SourceImage=who.image,
                TargetProcessGuid=target.guid, TargetProcessId=target.pid, TargetImage=target.image,
                NewThreadId=who.pid + 4, StartAddress="0x00007FFD1A2B0000", StartModule="-", StartFunction="-",
                SourceUser=self._user_text(who.user), TargetUser=self._user_text(target.user),
            )
        ]  # fmt: skip

    def _service(self) -> list[Event]:
        values = {"param1": self._rng.choice(("Windows Update", "Update Orchestrator Service", "Print Spooler")),
                  "param2": self._rng.choice(("running", "stopped"))}  # fmt: skip
        return [self._event("scm", 7036, 712, 800 + 4 * self._rng.randrange(8), None, **values)]

    def _uptime(self) -> list[Event]:
        up = str((self._time - _START) // _SECOND)
        return [self._event("classic", 6013, 0, 0, None, Data=("", "", "", "", up, "60", "0 UTC"), Binary=None)]
