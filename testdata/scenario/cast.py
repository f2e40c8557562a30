"""Who and what appears on the workstation: accounts, addresses, programs, and the processes of every boot."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .machine import Machine, Process, Session, jitter

MONDAY, TUESDAY = "2020-05-18", "2020-05-19"
DOMAIN_SID = "S-1-5-21-1004336348-1177238915-682003330"

OWN_IP, DOMAIN_CONTROLLER, PROXY = "192.0.2.47", "192.0.2.10", "192.0.2.20"
INTRUDER_IP, INTRUDER_HOST = "198.51.100.23", "KALI-3"
CONTROL_IP, CONTROL_HOST = "203.0.113.45", "updates.example.net"

SYSTEM32 = "C:\\Windows\\System32\\"
SVCHOST = SYSTEM32 + "svchost.exe"
CMD = SYSTEM32 + "cmd.exe"
OFFICE = "C:\\Program Files\\Microsoft Office\\root\\Office16\\"
CHROME = "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe"

SYSTEM = Session("S-1-5-18", "SYSTEM", "NT AUTHORITY", 0x3E7, "")
LOCAL_SERVICE = replace(SYSTEM, sid="S-1-5-19", user="LOCAL SERVICE", logon_id=0x3E5)
NETWORK_SERVICE = replace(SYSTEM, sid="S-1-5-20", user="NETWORK SERVICE", logon_id=0x3E4)


def user(name: str, rid: int, logon_id: int, began: str, *, terminal: int, integrity: str = "Medium") -> Session:
    """Return a session of a domain account; High and its Medium twin are the two tokens of an administrator."""
    elevation = {"High": "%%1937", "Medium": "%%1936"}[integrity]
    return Session(f"{DOMAIN_SID}-{rid}", name, "CORP", logon_id, began, terminal, integrity, elevation)


KELLER, BRANDT, ORTIZ = ("a.keller", 1147), ("t.brandt", 1162), ("m.ortiz", 1109)


def at(day: str, clock: str) -> str:
    """Return a time of the story with seven digits below the second; what `clock` does not give is made up."""
    whole, _, digits = clock.partition(".")
    made = f"{jitter(day + clock, 10_000_000):07d}"
    return f"{day}T{whole}.{digits}{made[len(digits) :]}Z"


def svchost(
    machine: Machine, when: str, pid: int, arguments: str, parent: Process, *, session: Session = SYSTEM
) -> Process:
    """Start a service host as the Service Control Manager does: image and command line spell System32 differently."""
    command_line = f"C:\\Windows\\system32\\svchost.exe {arguments}"
    return machine.start(when, pid, SVCHOST, command_line, parent=parent, session=session)


@dataclass(frozen=True, slots=True)
class _Start:
    seconds: str
    name: str
    image: str
    command_line: str
    parent: str


_SERVICES = (
    ("dcom", "-k DcomLaunch -p", SYSTEM),
    ("rpc", "-k RPCSS -p", NETWORK_SERVICE),
    ("eventlog", "-k LocalServiceNetworkRestricted -p -s EventLog", LOCAL_SERVICE),
    ("schedule", "-k netsvcs -p -s Schedule", SYSTEM),
    ("profiles", "-k netsvcs -p -s ProfSvc", SYSTEM),
    ("users", "-k netsvcs -p -s UserManager", SYSTEM),
    ("dns", "-k NetworkService -p -s Dnscache", NETWORK_SERVICE),
    ("terminal", "-k NetworkService -s TermService", NETWORK_SERVICE),
    ("time", "-k LocalService -s W32Time", LOCAL_SERVICE),
    ("wmi", "-k netsvcs -p -s Winmgmt", SYSTEM),
    ("bits", "-k netsvcs -p -s BITS", SYSTEM),
    ("shared", "-k netsvcs -p", SYSTEM),
)


def start_windows(machine: Machine, day: str, minute: str, pids: dict[str, int]) -> dict[str, Process]:
    """Start what every boot starts, from second 4 of `minute` on; return the processes by their short names."""
    running: dict[str, Process] = {}
    first = (
        _Start("04.1", "smss", "smss.exe", "\\SystemRoot\\System32\\smss.exe", ""),
        _Start("05.2", "smss-0", "smss.exe", "\\SystemRoot\\System32\\smss.exe 000000d8 00000084", "smss"),
        _Start("05.3", "csrss-0", "csrss.exe", "%SystemRoot%\\system32\\csrss.exe ObjectDirectory=\\Windows", "smss-0"),
        _Start("05.6", "smss-1", "smss.exe", "\\SystemRoot\\System32\\smss.exe 000000e4 00000084", "smss"),
        _Start("05.7", "wininit", "wininit.exe", "wininit.exe", "smss-0"),
        _Start("05.8", "csrss-1", "csrss.exe", "%SystemRoot%\\system32\\csrss.exe ObjectDirectory=\\Windows", "smss-1"),
        _Start("06.0", "winlogon", "winlogon.exe", "winlogon.exe", "smss-1"),
        _Start("06.1", "services", "services.exe", "C:\\Windows\\system32\\services.exe", "wininit"),
        _Start("06.2", "lsass", "lsass.exe", "C:\\Windows\\system32\\lsass.exe", "wininit"),
    )
    for step in first:
        when, parent = at(day, f"{minute}:{step.seconds}"), running.get(step.parent)
        image, pid = SYSTEM32 + step.image, pids[step.name]
        running[step.name] = machine.start(when, pid, image, step.command_line, parent=parent)
    machine.services_pid, machine.lsass_pid = pids["services"], pids["lsass"]
    for place, name in enumerate(("smss-0", "smss-1")):
        machine.end(running[name], at(day, f"{minute}:06.{3 + place}"))
    for place, (name, arguments, session) in enumerate(_SERVICES):
        when = at(day, f"{minute}:{7 + place // 4:02d}.{1 + 2 * (place % 4)}")
        running[name] = svchost(machine, when, pids[name], arguments, running["services"], session=session)
    machine.eventlog_pid = pids["eventlog"]
    others = (
        ("spooler", SYSTEM32 + "spoolsv.exe", "C:\\Windows\\System32\\spoolsv.exe"),
        ("defender", "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18.2004.6-0\\MsMpEng.exe", '"{}"'),
    )
    for place, (name, image, command_line) in enumerate(others):
        when = at(day, f"{minute}:1{place}.2")
        parent = running["services"]
        running[name] = machine.start(when, pids[name], image, command_line.format(image), parent=parent)
    return running


def start_desktop(
    machine: Machine, day: str, minute: str, running: dict[str, Process], *, session: Session, first_pid: int
) -> Process:
    """Start a user's desktop as winlogon does, from second 20 of `minute` on; return the user's Explorer."""
    pid = iter(range(first_pid, first_pid + 400, 44))

    def clock(seconds: float) -> str:
        return at(day, f"{minute}:{seconds}")

    start = machine.start
    winlogon, users, schedule, dcom = (running[name] for name in ("winlogon", "users", "schedule", "dcom"))
    start(clock(20.1), next(pid), SYSTEM32 + "sihost.exe", "sihost.exe", parent=users, session=session)
    userinit_image = SYSTEM32 + "userinit.exe"
    userinit = start(clock(20.4), next(pid), userinit_image, userinit_image, parent=winlogon, session=session)
    command_line = "taskhostw.exe {222A245B-E637-4AE9-A93F-A59CA119A75E}"
    start(clock(20.6), next(pid), SYSTEM32 + "taskhostw.exe", command_line, parent=schedule, session=session)
    explorer = start(clock(20.9), next(pid), "C:\\Windows\\explorer.exe", "C:\\Windows\\Explorer.EXE", parent=userinit)
    command_line = "C:\\Windows\\System32\\RuntimeBroker.exe -Embedding"
    start(clock(22.3), next(pid), SYSTEM32 + "RuntimeBroker.exe", command_line, parent=dcom, session=session)
    machine.end(userinit, clock(45.8))
    return explorer
