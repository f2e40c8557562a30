"""The questions that an investigator asks of a case next, in one place."""

from __future__ import annotations

from evtxscan.context.logons import LogonSessions
from evtxscan.context.model import NoSession, Parents, ProcessInfo, ProcessTree, SessionInfo, SessionList
from evtxscan.context.processes import Processes
from evtxscan.store.case import Case
from evtxscan.store.events import Events


class Context:
    """Reads the context tables of one case, which :func:`evtxscan.context.build.ensure` keeps up to date.

    Events are row ids. Every method may raise CaseError.
    """

    def __init__(self, case: Case, events: Events | None = None) -> None:
        events = events or Events(case)
        self._processes = Processes(case, events)
        self._logons = LogonSessions(case, events, self._processes)

    def process_of(self, event: int) -> ProcessInfo | None:
        """Return the process that an event started or ended, or that it names by Sysmon's GUID."""
        return self._processes.of_event(event)

    def parents(self, process: ProcessInfo) -> Parents:
        """Return the chain of parents with how each is known, and why it ends."""
        return self._processes.parents(process)

    def children(self, process: ProcessInfo, *, depth: int = 4, most: int = 200) -> ProcessTree:
        """Return the tree of what a process started; see :meth:`Processes.children`."""
        return self._processes.children(process, depth=depth, most=most)

    def witnesses(self, event: int) -> tuple[int, ...]:
        """Return the other records of the same process start."""
        return self._processes.witnesses(event)

    def session_of(self, subject: ProcessInfo | int) -> SessionInfo | NoSession:
        """Return the logon session of a process or an event."""
        if isinstance(subject, ProcessInfo):
            return self._logons.of_process(subject)
        return self._logons.of_event(subject)

    def creator_session_of(self, process: ProcessInfo) -> SessionInfo | NoSession:
        """Return the session from which a process was created, where Security 4688 names it."""
        return self._logons.creator_of(process)

    def sessions_open_at(self, host: str, ticks: int) -> SessionList:
        """Return the sessions open on a host at a time, in order of start; those of service accounts left out."""
        return self._logons.open_at(host, ticks)

    def logons_before(self, host: str, ticks: int, hours: int = 48) -> SessionList:
        """Return the sessions whose logon was recorded in the hours before a time, in order of logon."""
        return self._logons.logons_before(host, ticks, hours)
