"""What stands around an event, as documents: parents, children, its logon session, sessions open and logons before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from evtxscan.context.model import Account, Ancestor, CredentialUse, NoSession, ProcessInfo, ProcessTree, SessionInfo
from evtxscan.context.read import Context
from evtxscan.evtx.filetime import to_iso
from evtxscan.store.case import Case
from evtxscan.store.events import Event, Events

# How far back an investigator looks for logons.
HOURS_BEFORE = 48
_MOST_REMEMBERED = 5_000


class Surroundings:
    """Asks the context of one case, and turns the answers into documents."""

    def __init__(self, case: Case, events: Events) -> None:
        self._events = events
        self._context = Context(case, events)
        self._ids: dict[int, str] = {}
        self._sessions: dict[int, dict[str, Any]] = {}  # findings share them

    def process(self, event: Event) -> dict[str, Any]:
        """Return the parents of the process that an event is about, and its logon session."""
        process = self._context.process_of(event.row)
        found: dict[str, Any] = {}
        if process is not None:
            parents = self._context.parents(process)
            self._know(ancestor.event for ancestor in parents.ancestors)
            found["parents"] = [self._ancestor(ancestor) for ancestor in parents.ancestors]
            found["parents_end"] = parents.end
        session = self._context.session_of(event.row if process is None else process)
        if process is not None or isinstance(session, SessionInfo):
            self._know_sessions([session])
            found["session"] = self._session(session)
        return found

    def logons(self, event: Event) -> dict[str, Any]:
        """Return the sessions open on the host at the time of an event, and the logons in the hours before."""
        host = str(event.columns.get("host.name", "")).lower()
        open_then = self._context.sessions_open_at(host, event.ticks)
        before = self._context.logons_before(host, event.ticks, HOURS_BEFORE)
        self._know_sessions([*open_then.sessions, *before.sessions])
        return {
            "sessions_open": [self._session(session) for session in open_then.sessions],
            "sessions_open_total": open_then.total,
            "logons_before": [self._session(session) for session in before.sessions],
            "logons_before_total": before.total,
        }

    def children(self, event: Event) -> dict[str, Any]:
        """Return what the process of a process start started, as a tree."""
        process = self._context.process_of(event.row)
        if process is None:
            return {}
        tree = self._context.children(process)
        return {"children": self._children(tree), "children_left_out": tree.left_out}

    def _children(self, tree: ProcessTree) -> list[dict[str, Any]]:
        self._know(child.process.event for child in tree.children)
        return [
            {**self._process(child.process, child.process.event), "children": self._children(child)}
            for child in tree.children
        ]

    def _ancestor(self, ancestor: Ancestor) -> dict[str, Any]:
        return {
            **self._process(ancestor.process, ancestor.event),
            "how": ancestor.how,
            "method": ancestor.method,
        }

    def _process(self, process: ProcessInfo, event: int | None) -> dict[str, Any]:
        started = None if process.started is None else to_iso(process.started, process.start_digits)
        return {
            "event": self._id(event),
            "pid": process.pid,
            "executable": process.executable,
            "command_line": process.command_line,
            "entity_id": process.entity_id,
            "start": started,
        }

    def _session(self, session: SessionInfo | NoSession) -> dict[str, Any]:
        if isinstance(session, NoSession):
            return {"logon_id": "", "status": "none", "reason": session.reason}
        found = self._sessions.get(session.id)
        if found is None:
            if len(self._sessions) > _MOST_REMEMBERED:
                self._sessions.clear()
            found = self._sessions[session.id] = self._told(session)
        return found

    def _told(self, session: SessionInfo) -> dict[str, Any]:
        return {
            "logon_id": session.logon_id_text,
            "status": "none" if session.logon_event is None else "found",
            "reason": session.reason,
            "logon_type": session.logon_type,
            "logon_type_name": session.logon_type_name,
            "user": _account(session.account),
            "source": {"ip": session.source_ip, "port": session.source_port},
            "workstation": session.workstation,
            "authentication_package": session.authentication_package,
            "logon_process": session.logon_process,
            "elevated": session.elevated,
            "linked_logon_id": None if session.linked_logon_id is None else f"0x{session.linked_logon_id:x}",
            "privileges": list(session.privileges),
            "explicit_credentials": [self._credential(use) for use in session.credentials],
            "start": None if session.started is None else to_iso(session.started),
            "end": None if session.ended is None else to_iso(session.ended),
            "end_reason": session.end_method,
            "event": self._id(session.logon_event),
        }

    def _credential(self, use: CredentialUse) -> dict[str, Any]:
        return {
            "user": _account(use.account),
            "target_server": use.target_server,
            "process": use.process,
            "time": to_iso(use.ticks),
            "event": self._id(use.event),
        }

    def _know_sessions(self, sessions: Iterable[SessionInfo | NoSession]) -> None:
        found = [session for session in sessions if isinstance(session, SessionInfo)]
        self._know(
            row for session in found for row in (session.logon_event, *(use.event for use in session.credentials))
        )

    def _know(self, rows: Iterable[int | None]) -> None:
        """Look up the ids of many events at once."""
        missing = sorted({row for row in rows if row is not None}.difference(self._ids))
        self._ids.update((row, places[0].event_id) for row, places in self._events.places(missing).items())

    def _id(self, row: int | None) -> str | None:
        if row is None:
            return None
        if row not in self._ids:
            self._know([row])
        return self._ids[row]


def _account(account: Account) -> dict[str, Any]:
    return {"id": account.sid, "name": account.name, "domain": account.domain}
