"""Makes small logs for a test in a line or two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.evtxmaker import Event, Value, WrittenLog, filetime, template, write_log

START = filetime("2020-05-18T07:00:00.0000001Z")
SECOND = 10_000_000
HOST = "WS-01.corp.example"
SVCHOST = "C:\\Windows\\System32\\svchost.exe"


def process_start(number: int, *, host: str = HOST, seconds: float | None = None, **values: Value) -> Event:
    """Return a Sysmon 1; ``number`` makes pid, time and GUID."""
    kind = template("sysmon", 1)
    after = number if seconds is None else seconds
    time = START + int(after * SECOND)
    given: dict[str, Value] = {
        "UtcTime": utc_time(after),
        "ProcessGuid": f"00000000-0000-0000-0000-{number:012x}",
        "ProcessId": 1000 + number,
        "Image": f"C:\\Windows\\System32\\tool{number % 7}.exe",
        "CommandLine": f"tool{number % 7}.exe /n {number}",
        "User": "CORP\\a.keller",
        "ParentImage": SVCHOST,
        "ParentCommandLine": f"{SVCHOST} -k netsvcs -p -s Schedule",
        **values,
    }
    return Event(kind, time, host, kind.row(**given), pid=4, tid=8, security_sid="S-1-5-18")


def created(number: int, *, host: str = HOST, seconds: float | None = None, **values: Value) -> Event:
    """Return a Security 4688 of version 2; ``number`` makes pid and time."""
    kind = template("security", 4688)
    time = START + int((number if seconds is None else seconds) * SECOND)
    given: dict[str, Value] = {
        "SubjectUserSid": "S-1-5-18",
        "NewProcessId": 1000 + number,
        "NewProcessName": f"C:\\Windows\\System32\\tool{number % 7}.exe",
        "CommandLine": f"tool{number % 7}.exe /n {number}",
        "ProcessId": 900,
        "ParentProcessName": SVCHOST,
        **values,
    }
    return Event(kind, time, host, kind.row(**given), pid=4, tid=8)


def utc_time(seconds: float) -> str:
    """Return Sysmon's UtcTime so many seconds after START."""
    whole = int(seconds)
    millis = round((seconds - whole) * 1000)
    return f"2020-05-18 {7 + whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}.{millis:03}"


def mixed(count: int, first: int = 0) -> Iterator[Event]:
    """Yield events of two logs' kinds and two hosts, all with different values."""
    for number in range(first, first + count):
        make = created if number % 3 == 0 else process_start
        yield make(number, host=HOST if number % 5 else "SRV-02.corp.example")


def write(path: Path, events: Iterable[Event], *, first_record_id: int = 1, per_chunk: int | None = None) -> WrittenLog:
    """Write a log, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_log(path, events, first_record_id=first_record_id, records_per_chunk=per_chunk)
