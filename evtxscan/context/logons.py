"""Answers about logon sessions: of a process or an event, open at a time, before a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from evtxscan.context.host_sessions import HostSessions
from evtxscan.context.model import Account, CredentialUse, NoSession, ProcessInfo, SessionInfo, SessionList
from evtxscan.context.processes import Processes
from evtxscan.context.sessions import WELL_KNOWN
from evtxscan.ecs.convert import decimal, hexadecimal
from evtxscan.ecs.texts import lookup
from evtxscan.evtx.filetime import TICKS_PER_SECOND
from evtxscan.store.case import Case, explained
from evtxscan.store.events import Event, Events

_ELEVATED = {"%%1842": True, "%%1843": False}  # msobjs.dll: Yes, No
_SELECT = (
    "SELECT s.id, b.host, s.logon_id, s.reason, s.first_event, s.logon_event, s.privileges_event, s.started,"
    " s.first_seen, s.ended, s.end_method, s.end_event FROM logon_session s JOIN boot b ON b.id = s.boot"
)
_KNOWN = ", ".join(map(str, WELL_KNOWN))
_GROUP = 500
MOST_LISTED = 20
"""Sessions that are listed, the latest ones: on a domain controller thousands of logons come before a finding."""
_MOST_TOLD = 5_000
# Logons whose TargetLogonId names the session; in all other Security records it is the subject's.
_TARGET = frozenset({"security/4624", "security/4634", "security/4647"})


class LogonSessions:
    """Reads the logon sessions of one case. Every method may raise CaseError."""

    def __init__(self, case: Case, events: Events, processes: Processes) -> None:
        self._case = case
        self._db = case.db
        self._events = events
        self._processes = processes
        self._told: dict[int, SessionInfo] = {}
        self._hosts: dict[str, HostSessions] = {}

    def of_process(self, process: ProcessInfo) -> SessionInfo | NoSession:
        """Return the session that a process runs in."""
        with explained(self._case.path):
            row = self._db.execute("SELECT session, session_method FROM process WHERE id = ?", (process.id,)).fetchone()
        if row is None or row[0] is None:
            return NoSession("not_recorded")
        (session,) = self._by_id([row[0]])
        return replace(session, method=row[1])

    def creator_of(self, process: ProcessInfo) -> SessionInfo | NoSession:
        """Return the session of the account that created a process (Security 4688 names it)."""
        found = self._read("WHERE s.id = (SELECT creator_session FROM process WHERE id = ?)", (process.id,))
        return found[0] if found else NoSession("not_recorded")

    def of_event(self, event: int) -> SessionInfo | NoSession:
        """Return the session of the process that an event names, else the one that its logon id names."""
        process = self._processes.of_event(event)
        if process is not None:
            return self.of_process(process)
        for found in self._events.read([event]):
            column = "winlog.event_data.TargetLogonId" if found.mapping.id in _TARGET else "winlog.logon.id"
            logon_id = hexadecimal(str(found.columns.get(column, "")))
            if logon_id:
                host = str(found.columns.get("host.name", "")).lower()
                named = self._read(
                    "WHERE b.host = ?1 AND s.logon_id = ?2"
                    " ORDER BY s.first_seen > ?3, abs(s.first_seen - ?3), s.id LIMIT 1",
                    (host, logon_id, found.ticks),
                )
                if named:
                    return named[0]
        return NoSession("not_recorded")

    def open_at(self, host: str, ticks: int, most: int = MOST_LISTED) -> SessionList:
        """Return the sessions open on a host at a time, in order of start; those of service accounts left out."""
        sessions, total = self._on(host).open_at(ticks, most)
        return SessionList(tuple(self._by_id(sessions)), total)

    def logons_before(self, host: str, ticks: int, hours: int = 48, most: int = MOST_LISTED) -> SessionList:
        """Return the sessions whose logon was recorded in the hours before a time, in order of logon."""
        sessions, total = self._on(host).logons_between(ticks - hours * 3600 * TICKS_PER_SECOND, ticks, most)
        return SessionList(tuple(self._by_id(sessions)), total)

    def _on(self, host: str) -> HostSessions:
        name = host.lower()
        if name not in self._hosts:
            with explained(self._case.path):
                rows = self._db.execute(
                    "SELECT s.id, s.first_seen, s.ended, s.logon_event IS NOT NULL"
                    " FROM logon_session s JOIN boot b ON b.id = s.boot"
                    f" WHERE b.host = ? AND s.first_seen IS NOT NULL AND s.logon_id NOT IN ({_KNOWN})"
                    " ORDER BY s.first_seen, s.id",
                    (name,),
                )
                self._hosts[name] = HostSessions(rows)
        return self._hosts[name]

    def _by_id(self, ids: Sequence[int]) -> list[SessionInfo]:
        """Return sessions in this order; findings ask for the same ones again and again."""
        if len(self._told) > _MOST_TOLD:
            for session in list(self._told)[: _MOST_TOLD // 2]:
                del self._told[session]
        missing = [session for session in ids if session not in self._told]
        for start in range(0, len(missing), _GROUP):
            group = missing[start : start + _GROUP]
            found = self._read(f"WHERE s.id IN ({','.join('?' * len(group))})", tuple(group))
            self._told.update((session.id, session) for session in found)
        return [self._told[session] for session in ids]

    def _read(self, condition: str, arguments: tuple[object, ...]) -> tuple[SessionInfo, ...]:
        with explained(self._case.path):
            rows = self._db.execute(f"{_SELECT} {condition}", arguments).fetchall()
            wanted = {event for row in rows for event in row[4:7] if event is not None}
            events = {event.row: event for event in self._events.read(sorted(wanted))}
            uses = self._uses([row[0] for row in rows])
        return tuple(_session(row, events, uses.get(row[0], ())) for row in rows)

    def _uses(self, sessions: Sequence[int]) -> dict[int, tuple[CredentialUse, ...]]:
        found: dict[int, list[int]] = defaultdict(list)
        for start in range(0, len(sessions), _GROUP):
            group = sessions[start : start + _GROUP]
            marks = ",".join("?" * len(group))
            rows = self._db.execute(
                f"SELECT session, event FROM explicit_credential WHERE session IN ({marks})", list(group)
            )
            for session, event in rows:
                found[session].append(event)
        events = {event.row: event for event in self._events.read(sorted({e for es in found.values() for e in es}))}
        return {
            session: tuple(map(_use, sorted((events[event] for event in uses), key=_order)))
            for session, uses in found.items()
        }


def _order(event: Event) -> tuple[int, int]:
    return event.ticks, int(event.columns.get("winlog.record_id") or 0)


def _use(event: Event) -> CredentialUse:
    fields = event.document()
    account = Account(*(_text(fields, f"user.effective.{part}") for part in ("id", "name", "domain")))
    server = _text(fields, "winlog.event_data.TargetServerName")
    return CredentialUse(event.row, event.ticks, account, server, _text(fields, "process.executable"))


def _session(row: Sequence[Any], events: dict[int, Event], uses: Iterable[CredentialUse]) -> SessionInfo:
    session, host, logon_id, reason, first, logon_event, privileges, started, seen, ended, method, end_event = row
    logon = events[logon_event].document() if logon_event is not None else {}
    code = _text(logon, "winlog.event_data.LogonType")
    port = logon.get("source.port")
    granted = events[privileges].document().get("winlog.event_data.PrivilegeList", []) if privileges else []
    return SessionInfo(
        session,
        host,
        logon_id,
        _account(logon_id, logon, events[first]),
        reason,
        first,
        logon_event,
        privileges,
        started,
        seen,
        ended,
        method,
        end_event,
        logon_type=decimal(code or ""),
        logon_type_name=lookup("logon_types", code or ""),
        source_ip=_text(logon, "source.ip"),
        source_port=port if isinstance(port, int) else None,
        workstation=_text(logon, "source.domain"),
        authentication_package=_text(logon, "winlog.event_data.AuthenticationPackageName"),
        logon_process=(_text(logon, "winlog.event_data.LogonProcessName") or "").strip() or None,
        logon_guid=_text(logon, "winlog.event_data.LogonGuid"),
        elevated=_ELEVATED.get(_text(logon, "winlog.event_data.ElevatedToken") or ""),
        linked_logon_id=hexadecimal(_text(logon, "winlog.event_data.TargetLinkedLogonId") or "") or None,
        privileges=tuple(granted if isinstance(granted, list) else [granted]),
        credentials=tuple(uses),
    )


def _account(logon_id: int, logon: dict[str, Any], first: Event) -> Account:
    """Return the account of a session: from its logon, by its well-known id, or from the record that names it."""
    if logon_id in WELL_KNOWN:
        sid, name = WELL_KNOWN[logon_id]
        return Account(sid, name, "NT AUTHORITY")
    fields = logon or first.document()
    if first.mapping.id.startswith("sysmon/") and not logon:
        return Account(None, _text(fields, "user.name"), _text(fields, "user.domain"))
    target = _text(fields, "winlog.event_data.TargetLogonId")
    if first.mapping.id == "security/4688" and not logon and hexadecimal(target or "") == logon_id:
        return Account(*(_text(fields, f"user.effective.{part}") for part in ("id", "name", "domain")))
    return Account(*(_text(fields, f"user.{part}") for part in ("id", "name", "domain")))


def _text(fields: dict[str, Any], name: str) -> str | None:
    """Return a field's text; Security's ``-`` says that there is none."""
    value = fields.get(name)
    value = value[0] if isinstance(value, list) and value else value
    return None if value in (None, "", "-", []) else str(value)
