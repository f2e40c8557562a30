"""What is said of the coverage of logs. Times are FILETIME ticks, hosts names in lower case, events row ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GapReason = Literal[
    "cleared",  # a record says that the log was cleared there (Security 1102, System 104)
    "lost",  # all the records are known losses: they are named by a chunk, and could not be read
    "damaged",  # chunks of the same file are damaged or missing there
    "exported",  # the log was exported, filtered or forwarded: it holds a choice of records
    "filtered",  # ``ingest --only`` left them out: the evidence has them, the case has no events of them
    "separate_files",  # the records before and after are in different files, and the rest is in none
    "unexplained",  # nothing in the evidence says why
]
BeginReason = Literal[
    "first_record",  # the log begins with record 1
    "cleared",
    "exported",
    "restarted",  # the numbers of the channel's records began again: another log of the same name was there before
    "overwritten",  # older records were overwritten, or are in no file of the evidence
]
StopReason = Literal[
    "service_stopped",  # the event log service ended and began again without a boot (Security 1100, System 6006)
    "sysmon_stopped",  # Sysmon 4
    "process_audit_off",  # Security 4719: starts of processes were not audited
]


@dataclass(frozen=True, slots=True)
class Gap:
    """Record ids that no record of a log has: ``records`` of them between two ids, ``lost`` of these known as lost.

    ``start`` and ``end`` are the times of the records before and after.
    """

    after: int
    before: int
    records: int
    lost: int
    start: int | None
    end: int | None
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Log:
    """One log of one host. ``begins``: why it does not begin earlier; ``files``: sources that hold records of it."""

    host: str
    channel: str
    events: int
    files: int
    first_id: int | None
    last_id: int | None
    start: int | None
    end: int | None
    begins: BeginReason
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """A time in which a log was not written, or not with starts of processes; ``end`` None: not in the evidence."""

    channel: str
    start: int
    end: int | None
    reason: StopReason
    event: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """Whether a field is recorded in records of a kind: ``present`` of ``events`` have it.

    Times of the first and the last record with it, and without it.
    """

    what: str
    events: int
    present: int
    first_with: int | None
    last_with: int | None
    first_without: int | None
    last_without: int | None


@dataclass(frozen=True, slots=True)
class Boot:
    """A time in which the host ran; see table boot."""

    number: int
    start: int | None
    start_method: str | None
    end: int | None
    end_method: str | None


@dataclass(frozen=True, slots=True)
class ClockChange:
    """The clock was set; see table clock_change."""

    old: int | None
    new: int | None
    method: str
    event: int


@dataclass(frozen=True, slots=True)
class Notice:
    """A record about the logs themselves: cleared, stopped, full, audit policy changed; ``detail`` is what it names."""

    time: int | None
    channel: str
    code: str
    what: str
    detail: str
    event: int


@dataclass(frozen=True, slots=True)
class HostCoverage:
    """All that is said of one host."""

    host: str
    logs: tuple[Log, ...]
    boots: tuple[Boot, ...]
    clock_changes: tuple[ClockChange, ...]
    recorded: tuple[Recorded, ...]
    stops: tuple[Stop, ...]
    notices: tuple[Notice, ...]
