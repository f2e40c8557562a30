"""What an investigator is told about a process and its surroundings. Events are row ids, times FILETIME ticks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evtxscan.context import lineage, sessions

How = Literal["observed", "inferred"]
AncestorMethod = Literal["sysmon_guid", "pid_time", "child_record"]
ChainEnd = Literal[lineage.ParentReason, "loop", "too_long"]
NoSessionReason = Literal["not_recorded"]


@dataclass(frozen=True, slots=True)
class Account:
    """An account as a record names it; None where it does not."""

    sid: str | None = None
    name: str | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process. ``id`` is None for one that is known from its child's record alone."""

    host: str
    pid: int | None
    executable: str | None
    command_line: str | None
    entity_id: str | None
    id: int | None = None
    boot: int | None = None
    started: int | None = None
    ended: int | None = None
    end_method: lineage.EndMethod | None = None
    end_event: int | None = None
    sysmon_event: int | None = None
    security_event: int | None = None

    @property
    def event(self) -> int | None:
        """The record of its start that says most: Sysmon's, else Security's."""
        return self.security_event if self.sysmon_event is None else self.sysmon_event

    @property
    def start_digits(self) -> int:
        """Decimals of a second that ``started`` has: 7 in the Security log, 3 in Sysmon's."""
        return 3 if self.security_event is None else 7


@dataclass(frozen=True, slots=True)
class Ancestor:
    """One step up. ``how``: the child's record names it, or it was found by process id and time.

    ``event`` is the record that tells of it: of its own start, or with method ``child_record`` of its child's.
    """

    process: ProcessInfo
    how: How
    method: AncestorMethod
    event: int | None


@dataclass(frozen=True, slots=True)
class Parents:
    """The chain of parents, nearest first, and why it ends where it does."""

    ancestors: tuple[Ancestor, ...]
    end: ChainEnd | None


@dataclass(frozen=True, slots=True)
class ProcessTree:
    """A process and what it started, in order of start; ``left_out`` children are not shown."""

    process: ProcessInfo
    children: tuple[ProcessTree, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class CredentialUse:
    """A use of another account's credentials (Security 4648)."""

    event: int
    ticks: int
    account: Account
    target_server: str | None
    process: str | None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A logon session. Without ``logon_event`` no 4624 is in the evidence and ``reason`` says why.

    ``ended`` is not later than said where ``end_method`` is restart. ``method`` says how a process's session is known:
    recorded, or its creator's because its record says so (creator) or does not say (creator_assumed).
    """

    id: int
    host: str
    logon_id: int
    account: Account
    reason: sessions.SessionReason | None
    first_event: int
    logon_event: int | None = None
    privileges_event: int | None = None
    started: int | None = None
    first_seen: int | None = None
    ended: int | None = None
    end_method: sessions.EndMethod | None = None
    end_event: int | None = None
    logon_type: int | None = None
    logon_type_name: str | None = None
    source_ip: str | None = None
    source_port: int | None = None
    workstation: str | None = None
    authentication_package: str | None = None
    logon_process: str | None = None
    logon_guid: str | None = None
    elevated: bool | None = None
    linked_logon_id: int | None = None
    privileges: tuple[str, ...] = ()
    credentials: tuple[CredentialUse, ...] = ()
    method: lineage.SessionMethod | None = None

    @property
    def logon_id_text(self) -> str:
        """The logon id as Windows writes it."""
        return f"0x{self.logon_id:x}"


@dataclass(frozen=True, slots=True)
class SessionList:
    """Sessions in order of start: the latest of ``total``."""

    sessions: tuple[SessionInfo, ...]
    total: int


@dataclass(frozen=True, slots=True)
class NoSession:
    """No session can be named, and why."""

    reason: NoSessionReason
