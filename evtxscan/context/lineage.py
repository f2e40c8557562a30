"""Processes and their parents, from the records of process starts and ends in order.

One pass over each host's records keeps which process holds which process id. The parent of a new process is

- by Sysmon's ParentProcessGuid, which is exact, else
- the process that holds the creator's process id: the latest start with that id before the child's, in the same boot,
  not ended before the child's start, and not running another program than the one the child's record names.

A start without an end frees its id when the id is given again. "Before" is the order of
:mod:`evtxscan.context.clock`: by time, by record id where times are equal or the clock was set back. Ends that stand
in the other log than the child's start count only if they are older than the tolerance of
:mod:`evtxscan.context.pairing`: a program that starts another and exits at once is still its parent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from evtxscan.context.boots import Boot, Boots, Walk
from evtxscan.context.pairing import TOLERANCE, same_program

ParentMethod = Literal["sysmon_guid", "pid_time"]
ParentReason = Literal[
    "not_recorded",  # the record names no parent
    "system_process",  # the kernel (process ids 0 and 4): nothing records its start
    "parent_record_missing",  # no start with the parent's id is recorded in this boot
    "parent_ended",  # the last process with that id had ended before
    "host_restarted",  # the last process with that id ran before the host was started again
    "other_program",  # the last process with that id is not the one that the child's record names
]
EndMethod = Literal["recorded", "shutdown", "restart", "pid_reused"]
SessionMethod = Literal["recorded", "creator", "creator_assumed"]

# The idle process and the kernel: no log has their start, and they have no command line.
_KERNEL_PIDS = frozenset({0, 4})


class Row(NamedTuple):
    """One process start, with both its records where two logs have it, or one process end. Texts are ids of value.

    A start in the Security log comes at that record's time, and ``event`` is that record; ``sysmon_event`` is the
    Sysmon record beside it. A start in Sysmon's log alone has its record in both.
    """

    era: int
    ticks: int | None
    host: int | None
    is_end: int
    is_security: int
    event: int
    pid: int | None
    executable: int | None
    command_line: int | None = None
    parent_pid: int | None = None
    parent_executable: int | None = None
    entity_id: int | None = None
    parent_entity_id: int | None = None
    sysmon_event: int | None = None
    subject_logon: int | None = None
    target_logon: int | None = None
    sysmon_logon: int | None = None
    sysmon_logon_guid: int | None = None


class ProcessRow(NamedTuple):
    """A row of table process."""

    id: int
    boot: int
    pid: int | None
    started: int | None
    ended: int | None
    end_method: EndMethod | None
    end_event: int | None
    entity_id: int | None
    executable: int | None
    command_line: int | None
    sysmon_event: int | None
    security_event: int | None
    parent: int | None
    parent_method: ParentMethod | None
    parent_reason: ParentReason | None
    session: int | None
    session_method: SessionMethod | None
    creator_session: int | None


class LateParent(NamedTuple):
    """A parent named by its GUID whose record came after the child's: replaces what the process's row says."""

    process: int
    parent: int


class SessionLink(NamedTuple):
    """The sessions of a process: its own with how it is known, and its creator's."""

    session: int | None
    method: SessionMethod | None
    creator: int | None


NO_LINK: Final = SessionLink(None, None, None)

Sessions = Callable[[Row, Boot], SessionLink]
"""Finds the logon sessions of a start."""


@dataclass(slots=True)
class _Process:
    """A process that holds its id. ``is_gone``: it must have ended, though no record says when."""

    row: Row
    id: int
    boot: Boot
    parent: int | None
    method: ParentMethod | None
    reason: ParentReason | None
    sessions: SessionLink
    security_end: tuple[int, int] | None = None
    sysmon_end: tuple[int, int] | None = None
    is_gone: bool = False

    def ended_before(self, child: Row) -> bool:
        """Whether it had certainly ended when ``child`` started."""
        own, other = self.security_end, self.sysmon_end
        if not child.is_security:
            own, other = other, own
        late = other is not None and child.ticks is not None and child.ticks - other[0] > TOLERANCE
        return self.is_gone or own is not None or late


class _Host:
    """What is known of a host at one moment: who holds each process id, and which were held in earlier boots."""

    __slots__ = ("earlier", "live", "walk")

    def __init__(self, boots: list[Boot]) -> None:
        self.walk = Walk(boots)
        self.live: dict[int, _Process] = {}
        self.earlier: set[int] = set()


class Lineage:
    """Links processes.

    By ids of table value, ``hosts`` gives the name of a host and ``programs`` the folded path of an executable;
    ``blank`` are the texts that say "unknown".
    """

    def __init__(
        self,
        boots: Boots,
        hosts: Mapping[int | None, str],
        programs: Mapping[int | None, str],
        blank: Collection[int | None],
        sessions: Sessions,
    ) -> None:
        self._boots = boots
        self._names = hosts
        self._programs = programs
        self._blank = frozenset(blank) | {None}
        self._sessions = sessions
        self._hosts: dict[int | None, _Host] = {}
        self._by_name: dict[str, _Host] = {}
        self._by_guid: dict[int, int] = {}
        self._late: list[tuple[int, int]] = []
        self._count = 0

    def link(self, rows: Iterable[Row]) -> Iterator[ProcessRow | LateParent]:
        """Yield the processes of all hosts; ``rows`` are in order for each host, each record once.

        The LateParents come last.
        """
        hosts = self._hosts
        for row in rows:
            host = hosts.get(row.host) or self._host(row.host)
            walk = host.walk
            if walk.following is not None and row.ticks is not None and walk.passes((row.era, row.ticks)):
                host.earlier.update(host.live)
                yield from map(_finished, host.live.values())
                host.live.clear()
            if row.is_end:
                self._end(host, row)
                continue
            process = self._start(host, row)
            if row.pid is None or row.ticks is None:  # damaged: it cannot be found as a parent
                yield _finished(process)
                continue
            before = host.live.get(row.pid)
            host.live[row.pid] = process
            if before is not None:
                yield _finished(before, row.ticks)
        for host in self._by_name.values():
            yield from map(_finished, host.live.values())
        for child, guid in self._late:
            parent = self._by_guid.get(guid)
            if parent is not None and parent != child:
                yield LateParent(child, parent)

    def _host(self, text: int | None) -> _Host:
        """Return the state of a host, whose name may be written in several ways."""
        name = self._names[text]
        if name not in self._by_name:
            self._by_name[name] = _Host(self._boots.of(name))
        host = self._hosts[text] = self._by_name[name]
        return host

    def _start(self, host: _Host, row: Row) -> _Process:
        boot = host.walk.boot
        self._count += 1
        parent, method, reason = self._parent(host, row)
        parent_id = None if parent is None else parent.id
        if row.entity_id is not None:
            self._by_guid.setdefault(row.entity_id, self._count)
            if row.parent_entity_id is not None and method != "sysmon_guid":
                self._late.append((self._count, row.parent_entity_id))
        return _Process(row, self._count, boot, parent_id, method, reason, self._sessions(row, boot))

    def _parent(self, host: _Host, row: Row) -> tuple[_Process | None, ParentMethod | None, ParentReason | None]:
        pid, guid = row.parent_pid, row.parent_entity_id
        if pid is None or row.ticks is None:
            return None, None, "not_recorded"
        found = host.live.get(pid)
        if found is None:
            if pid in _KERNEL_PIDS:
                return None, None, "system_process"
            return None, None, "host_restarted" if pid in host.earlier else "parent_record_missing"
        if guid is not None and found.row.entity_id is not None:
            if found.row.entity_id == guid:
                return found, "sysmon_guid", None
            return None, None, "parent_record_missing"
        if found.ended_before(row):
            return None, None, "parent_ended"
        if not self._runs(found, row.parent_executable):
            return None, None, "other_program"
        return found, "pid_time", None

    def _runs(self, process: _Process, named: int | None) -> bool:
        """Whether a process may be the one that a record names by its program, if it does."""
        known = process.row.executable
        return named in self._blank or named == known or same_program(self._programs[named], self._programs[known])

    def _end(self, host: _Host, row: Row) -> None:
        """Enter the end of a process, if the process that holds the id is the one that ended."""
        found = host.live.get(row.pid) if row.pid is not None else None
        if found is None or row.ticks is None:
            return
        if row.entity_id is not None and found.row.entity_id is not None and row.entity_id != found.row.entity_id:
            return
        if not self._runs(found, row.executable):
            # Another program held the id in between, so its holder that we know is gone as well.
            found.is_gone = True
        elif row.is_security:
            found.security_end = found.security_end or (row.ticks, row.event)
        else:
            found.sysmon_end = found.sysmon_end or (row.ticks, row.event)


def _finished(process: _Process, replaced: int | None = None) -> ProcessRow:
    """Return the row of a process that nothing more will be known of; ``replaced``: when its id was given again."""
    row, boot = process.row, process.boot
    end = process.security_end or process.sysmon_end
    ended: int | None
    method: EndMethod | None
    if end is not None:
        (ended, event), method = end, "recorded"
    elif replaced is not None:
        ended, event, method = replaced, None, "pid_reused"
    else:
        ended, event, method = boot.ended, None, None
        if boot.end_method is not None:
            method = "shutdown" if boot.end_method == "shutdown" else "restart"
    return ProcessRow(
        process.id,
        boot.id,
        row.pid,
        row.ticks,
        ended,
        method,
        event,
        row.entity_id,
        row.executable,
        row.command_line,
        row.sysmon_event,
        row.event if row.is_security else None,
        process.parent,
        process.method,
        process.reason,
        *process.sessions,
    )
