"""Logon sessions: what opened, used and closed them.

A logon id is unique on a host from one boot to the next, so a session is (boot, logon id). Security 4624 opens it with
its TargetLogonId, 4634 or 4647 close it, else the end of the boot does. Where ids are opened twice without a boot in
between, a boot is missing from the evidence, and the second 4624 is a session of its own. Three sessions exist from the
start of each boot without a logon: SYSTEM, NETWORK SERVICE and LOCAL SERVICE. A session that records only use, without
the record of its logon, gets a row with the reason.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from evtxscan.context.boots import Boot, Boots, Walk
from evtxscan.context.lineage import NO_LINK, Row, SessionLink, SessionMethod
from evtxscan.context.pairing import TOLERANCE
from evtxscan.evtx.filetime import TICKS_PER_SECOND

SessionReason = Literal[
    "well_known",  # a service account's session: it exists from boot on, without a logon
    "log_begins_later",  # the Security log in the evidence begins after the session may have
    "logon_not_recorded",  # the log covers the time from the boot on: logons are not audited, or the record is lost
    "no_security_log",  # nothing of the host's Security log is in the evidence
]
EndMethod = Literal["logoff", "user_logoff", "shutdown", "restart", "id_reused"]

WELL_KNOWN: Final[Mapping[int, tuple[str, str]]] = {
    0x3E7: ("S-1-5-18", "SYSTEM"),
    0x3E5: ("S-1-5-19", "LOCAL SERVICE"),
    0x3E4: ("S-1-5-20", "NETWORK SERVICE"),
}
"""Logon ids that Windows gives to service accounts (winnt.h: SYSTEM_LUID, LOCALSERVICE_LUID, NETWORKSERVICE_LUID), with
the SID and name of each; all are of the domain NT AUTHORITY."""

# How long after a boot its first Security record may come, if the log covers the boot.
_BOOT_TAKES = 10 * 60 * TICKS_PER_SECOND

_ENDS: Final[Mapping[str, EndMethod]] = {"4634": "logoff", "4647": "user_logoff"}


class LogonRow(NamedTuple):
    """One record of Security 4624, 4634, 4647, 4672 or 4648 (``code``) and the session that it is about.

    ``host`` and ``logon`` (the logon id) are ids of table value.
    """

    era: int
    ticks: int | None
    record: int | None
    host: int | None
    code: str
    event: int
    logon: int | None


@dataclass(slots=True)
class Session:
    """A session on its way to a row of table logon_session."""

    id: int
    boot: Boot
    logon_id: int
    first_seen: int | None
    first_event: int
    started: int | None = None
    logon_event: int | None = None
    privileges_event: int | None = None
    ended: int | None = None
    end_method: EndMethod | None = None
    end_event: int | None = None
    sysmon_guid: int | None = None


class Credential(NamedTuple):
    """A row of table explicit_credential."""

    session: int
    event: int


class Logons:
    """Builds the sessions of a case: first from the logon records, then from the processes that name sessions.

    ``hosts`` gives the name of a host, ``logon_ids`` the number of a logon id (None for 0 and what is none), both by
    the id of the text in table value.
    """

    def __init__(
        self, boots: Boots, hosts: Mapping[int | None, str], logon_ids: Mapping[int | None, int | None]
    ) -> None:
        self._boots = boots
        self._hosts = hosts
        self._logon_ids = logon_ids
        self._walks: dict[int | None, Walk] = {}
        self._by_boot: dict[int, dict[int, Session]] = {}  # boot -> logon id -> the last session with it
        self._earlier: dict[tuple[int, int], list[Session]] = {}  # the ones before, where an id came twice
        self._by_guid: dict[tuple[str, int], Session] = {}
        self._all: list[Session] = []
        self._security_begins: dict[int, int] = {}
        self._security_hosts: set[str] = set()

    def read(self, rows: Iterable[LogonRow]) -> Iterator[Credential]:
        """Take the logon records, in order for each host, and yield the uses of explicit credentials."""
        last: LogonRow | None = None
        for row in rows:
            if last is not None and _same_record(row, last):
                continue  # from another copy of the log
            last = row
            if row.ticks is None:
                continue
            boot = self._boot(row, row.ticks)
            if boot.id not in self._security_begins:
                self._covers(boot, row.ticks)
            logon_id = self._logon_ids[row.logon]
            if logon_id is None:
                continue
            if row.code == "4624":
                self._logon(boot, logon_id, row.ticks, row.event)
                continue
            session = self._find(boot, logon_id, row.ticks) or self._new(boot, logon_id, row.ticks, row.event)
            if row.code == "4648":
                yield Credential(session.id, row.event)
            elif row.code == "4672":
                session.privileges_event = session.privileges_event or row.event
            elif session.logon_id not in WELL_KNOWN and session.end_method != "logoff":
                session.ended, session.end_method, session.end_event = row.ticks, _ENDS[row.code], row.event

    def link(self, row: Row, boot: Boot) -> SessionLink:
        """Return the sessions of a process start; a start that names one nobody opened gives that one a row."""
        ticks, ids = row.ticks, self._logon_ids
        if ticks is None:
            return NO_LINK
        if row.is_security and boot.id not in self._security_begins:
            self._covers(boot, ticks)
        subject, target, sysmon = ids[row.subject_logon], ids[row.target_logon], ids[row.sysmon_logon]
        creator = None if subject is None else self._used(boot, row, subject, ticks)
        if sysmon is not None:
            own = self._by_sysmon(boot, row, sysmon, ticks)
        elif target is not None:
            own = self._used(boot, row, target, ticks)
        elif creator is None:
            return NO_LINK
        else:
            # A record that has the field says 0x0 where the process runs in its creator's session; older ones lack it.
            method: SessionMethod = "creator_assumed" if row.target_logon is None else "creator"
            return SessionLink(creator.id, method, creator.id)
        return SessionLink(own.id, "recorded", None if creator is None else creator.id)

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield the rows of table logon_session, when all records and processes were read."""
        for session in self._all:
            boot = session.boot
            if session.end_method is None and boot.end_method is not None:
                session.ended = boot.ended
                session.end_method = "shutdown" if boot.end_method == "shutdown" else "restart"
            yield (
                session.id,
                boot.id,
                session.logon_id,
                session.started,
                session.first_seen,
                session.ended,
                session.end_method,
                session.end_event,
                session.logon_event,
                session.first_event,
                session.privileges_event,
                session.sysmon_guid,
                self._reason(session),
            )

    def _reason(self, session: Session) -> SessionReason | None:
        if session.logon_id in WELL_KNOWN:
            return "well_known"
        if session.logon_event is not None:
            return None
        boot = session.boot
        if boot.host not in self._security_hosts:
            return "no_security_log"
        begins = self._security_begins.get(boot.id)
        if begins is None or boot.started is None or begins - boot.started > _BOOT_TAKES:
            return "log_begins_later"
        return "logon_not_recorded"

    def _boot(self, row: LogonRow, ticks: int) -> Boot:
        walk = self._walks.get(row.host)
        if walk is None:
            walk = self._walks[row.host] = Walk(self._boots.of(self._hosts[row.host]))
        walk.passes((row.era, ticks))
        return walk.boot

    def _covers(self, boot: Boot, ticks: int) -> None:
        """Note the first record of the host's Security log in a boot."""
        self._security_hosts.add(boot.host)
        self._security_begins[boot.id] = min(ticks, self._security_begins.get(boot.id, ticks))

    def _logon(self, boot: Boot, logon_id: int, ticks: int, event: int) -> None:
        """Open a session, or take up the one that a 4672 written a moment before its 4624 began."""
        known = self._by_boot.get(boot.id, {}).get(logon_id)
        if known is not None and logon_id in WELL_KNOWN:
            known.logon_event = known.logon_event or event  # each service of the account logs on to the one session
            return
        began = known is not None and known.logon_event is None and known.end_method is None
        if known is None or not began or ticks - (known.first_seen or 0) > TOLERANCE:
            if known is not None and known.end_method is None:
                known.ended, known.end_method = ticks, "id_reused"
            known = self._new(boot, logon_id, ticks, event)
        known.logon_event = event
        if logon_id not in WELL_KNOWN:
            known.started = ticks

    def _find(self, boot: Boot, logon_id: int, ticks: int) -> Session | None:
        """Return the session that had the id at this time, if the evidence knows one."""
        found = self._by_boot.get(boot.id, {}).get(logon_id)
        if (
            found is not None
            and (found.first_seen or 0) > ticks
            and (earlier := self._earlier.get((boot.id, logon_id)))
        ):
            place = bisect_right(earlier, ticks, key=lambda session: session.first_seen or 0)
            found = earlier[max(place - 1, 0)]
        if found is not None and found.end_method == "logoff" and ticks - (found.ended or 0) > TOLERANCE:
            return None  # 4634 comes when nothing uses the session any more
        return found

    def _new(self, boot: Boot, logon_id: int, ticks: int, event: int, *, is_hidden: bool = False) -> Session:
        session = Session(len(self._all) + 1, boot, logon_id, ticks, event)
        if logon_id in WELL_KNOWN and boot.started is not None:
            session.started = session.first_seen = boot.started
        self._all.append(session)
        sessions = self._by_boot.setdefault(boot.id, {})
        if logon_id in sessions and not is_hidden:
            self._earlier.setdefault((boot.id, logon_id), []).append(sessions[logon_id])
        if not is_hidden:
            sessions[logon_id] = session
        return session

    def _used(self, boot: Boot, row: Row, logon_id: int, ticks: int) -> Session:
        found = self._find(boot, logon_id, ticks)
        if found is None:
            return self._new(boot, logon_id, ticks, row.event)
        if found.started is None and ticks < (found.first_seen or 0):
            found.first_seen, found.first_event = ticks, row.event
        return found

    def _by_sysmon(self, boot: Boot, row: Row, logon_id: int, ticks: int) -> Session:
        """Return the session of a Sysmon record. Sysmon's LogonGuid holds the logon's time and is never reused."""
        guid = row.sysmon_logon_guid
        if guid is None:
            return self._used(boot, row, logon_id, ticks)
        known = self._by_guid.get((boot.host, guid))
        if known is not None:
            return known
        found = self._used(boot, row, logon_id, ticks)
        if found.sysmon_guid is not None:
            found = self._new(boot, logon_id, ticks, row.event, is_hidden=True)
        found.sysmon_guid = guid
        self._by_guid[boot.host, guid] = found
        return found


def _same_record(one: LogonRow, other: LogonRow) -> bool:
    return one.record == other.record is not None and one._replace(event=0) == other._replace(event=0)
