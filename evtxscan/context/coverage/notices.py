"""Records about the logs themselves, and the times in which something was not logged."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from evtxscan.context.coverage.model import Boot, Notice, Stop, StopReason
from evtxscan.evtx.filetime import TICKS_PER_SECOND

_SYSMON = "Microsoft-Windows-Sysmon/Operational"
# (channel, event id) -> what the record says, and which of its data says more.
_KINDS: Mapping[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("Security", "1100"): ("the event log service was shut down", ()),
    ("Security", "1101"): ("audit events were dropped", ("Reason",)),
    ("Security", "1102"): ("the Security log was cleared", ("SubjectUserName",)),
    ("Security", "1104"): ("the Security log is full", ()),
    ("Security", "1105"): ("the Security log was archived", ("BackupPath",)),
    ("Security", "4612"): ("audit messages were discarded", ("AuditsDiscarded",)),
    ("Security", "4719"): ("the audit policy was changed", ("SubcategoryGuid", "AuditPolicyChanges")),
    ("System", "104"): ("a log was cleared", ("Channel", "SubjectUserName")),
    ("System", "6005"): ("the event log service was started", ()),
    ("System", "6006"): ("the event log service was stopped", ()),
    ("System", "6008"): ("the shutdown before was unexpected", ()),
    (_SYSMON, "4"): ("Sysmon's state changed", ("State",)),
    (_SYSMON, "16"): ("Sysmon's configuration changed", ("Configuration",)),
    (_SYSMON, "255"): ("Sysmon reports an error", ("ID", "Description")),
}
_PROVIDERS = (
    "microsoft-windows-eventlog",
    "eventlog",
    "microsoft-windows-security-auditing",
    "microsoft-windows-sysmon",
)
# Audit subcategory Process Creation (MS-GPAC 2.2.1.2), and the codes of AuditPolicyChanges.
_PROCESS_CREATION = "0cce922b-69ae-11d9-bed3-505054503030"
_SUCCESS_REMOVED, _SUCCESS_ADDED = "%%8448", "%%8449"
_SHUTDOWN_TAKES = 5 * 60 * TICKS_PER_SECOND
_SERVICE_ENDS = frozenset({("Security", "1100"), ("System", "6006")})


def read_notices(db: sqlite3.Connection) -> dict[str, list[Notice]]:
    """Return host -> the records about its logs, in order of time."""
    kinds = {
        kind: (channel, code)
        for kind, channel, code, provider in db.execute("SELECT id, channel, code, provider FROM kind")
        if (channel, code) in _KINDS and (provider or "").lower() in _PROVIDERS
    }
    found: dict[str, list[Notice]] = defaultdict(list)
    for kind, (channel, code) in kinds.items():
        rows = db.execute(
            'SELECT e.id, lower(v.text), e."@timestamp", p.text, e.data FROM event e JOIN value v'
            ' ON v.id = e."host.name" LEFT JOIN value p ON p.id = e.packed WHERE e.kind = ?'
            " AND e.id NOT IN (SELECT event FROM document_twin)",
            (kind,),
        )
        what, names = _KINDS[channel, code]
        for event, host, time, packed, data in rows:
            values = _values(packed, data) if names else {}
            detail = ", ".join(str(values[name]) for name in names if values.get(name))
            found[host].append(Notice(time, channel, code, what, detail, event))
    for notices in found.values():
        notices.sort(key=lambda notice: (notice.time or 0, notice.channel, notice.code, notice.detail))
    return found


def _values(packed: str | None, data: str | None) -> dict[str, object]:
    values: dict[str, object] = {}
    for part in (json.loads(data) if data else {}).values():
        if isinstance(part, dict):
            values.update(part)
    if packed:
        values.update(json.loads(packed))
    return values


def stops(notices: Iterable[Notice], boots: Sequence[Boot]) -> list[Stop]:
    """Return the times in which a host went on and a log did not, or not with starts of processes."""
    found = list(notices)
    begun = [boot.start for boot in boots if boot.start is not None]
    result = [
        *_service(found, begun),
        *_but_shutdowns(_switch(found, _SYSMON, "sysmon_stopped", _sysmon_state), boots),
        *_switch(found, "Security", "process_audit_off", _process_audit),
    ]
    return sorted(result, key=lambda stop: (stop.start, stop.channel, stop.reason))


def _service(notices: list[Notice], begun: list[int]) -> Iterator[Stop]:
    """Yield ends of the event log service after which it began again (6005) without a boot of the host.

    Every shutdown ends the service, too; where no record shows that it began again, nothing is said.
    """
    starts = [notice.time for notice in notices if notice.code == "6005" and notice.time is not None]
    for notice in notices:
        if (notice.channel, notice.code) not in _SERVICE_ENDS or notice.time is None:
            continue
        again = min((start for start in starts if start >= notice.time), default=None)
        if again is not None and not any(notice.time <= start <= again for start in begun):
            yield Stop(notice.channel, notice.time, again, "service_stopped", notice.event)


def _but_shutdowns(stops: Iterable[Stop], boots: Sequence[Boot]) -> Iterator[Stop]:
    """Yield the stops of Sysmon that are not part of a shutdown of the host, which follows within minutes."""
    ends = [boot.end for boot in boots if boot.end is not None and boot.end_method == "shutdown"]
    yield from (stop for stop in stops if not any(0 <= end - stop.start <= _SHUTDOWN_TAKES for end in ends))


def _switch(
    notices: list[Notice], channel: str, reason: StopReason, state: Callable[[Notice], bool | None]
) -> Iterator[Stop]:
    """Yield the times between a record that switches something off and the next one that switches it on."""
    since: Notice | None = None
    for notice in notices:
        is_on = state(notice) if notice.channel == channel and notice.time is not None else None
        if is_on is False and since is None:
            since = notice
        elif is_on and since is not None:
            yield Stop(channel, since.time or 0, notice.time, reason, since.event)
            since = None
    if since is not None:
        yield Stop(channel, since.time or 0, None, reason, since.event)


def _sysmon_state(notice: Notice) -> bool | None:
    return {"started": True, "stopped": False}.get(notice.detail.lower()) if notice.code == "4" else None


def _process_audit(notice: Notice) -> bool | None:
    if notice.code != "4719" or _PROCESS_CREATION not in notice.detail.lower():
        return None
    if _SUCCESS_REMOVED in notice.detail:
        return False
    return True if _SUCCESS_ADDED in notice.detail else None
