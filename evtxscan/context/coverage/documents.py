"""Coverage as it stands in JSON: times as ISO 8601, events as the ids that ``show`` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from evtxscan.context.coverage.model import Gap, HostCoverage, Log
from evtxscan.evtx.filetime import to_iso
from evtxscan.store.events import Events

EventId = Callable[[int], str]


def coverage_documents(hosts: Iterable[HostCoverage], events: Events) -> list[dict[str, Any]]:
    """Return one document a host. Raises CaseError."""
    found = list(hosts)
    rows = sorted({row for host in found for row in _rows(host)})
    ids = {row: places[0].event_id for row, places in events.places(rows).items()}
    return [_host(host, ids.__getitem__) for host in found]


def _rows(host: HostCoverage) -> Iterable[int]:
    for members in (host.clock_changes, host.stops, host.notices):
        yield from (member.event for member in members)


def _host(host: HostCoverage, event_id: EventId) -> dict[str, Any]:
    return {
        "host": host.host,
        "logs": [_log(log) for log in host.logs],
        "boots": [
            {
                "number": boot.number,
                "start": _time(boot.start),
                "start_method": boot.start_method,
                "end": _time(boot.end),
                "end_method": boot.end_method,
            }
            for boot in host.boots
        ],
        "clock_changes": [
            {
                "old": _time(change.old),
                "new": _time(change.new),
                "method": change.method,
                "event": event_id(change.event),
            }
            for change in host.clock_changes
        ],
        "recorded": [
            {
                "what": recorded.what,
                "events": recorded.events,
                "present": recorded.present,
                "first_with": _time(recorded.first_with),
                "last_with": _time(recorded.last_with),
                "first_without": _time(recorded.first_without),
                "last_without": _time(recorded.last_without),
            }
            for recorded in host.recorded
        ],
        "stops": [
            {
                "channel": stop.channel,
                "from": _time(stop.start),
                "to": _time(stop.end),
                "reason": stop.reason,
                "event": event_id(stop.event),
            }
            for stop in host.stops
        ],
        "notices": [
            {
                "time": _time(notice.time),
                "channel": notice.channel,
                "code": notice.code,
                "what": notice.what,
                "detail": notice.detail,
                "event": event_id(notice.event),
            }
            for notice in host.notices
        ],
    }


def _log(log: Log) -> dict[str, Any]:
    return {
        "channel": log.channel,
        "events": log.events,
        "files": log.files,
        "first_record_id": log.first_id,
        "last_record_id": log.last_id,
        "from": _time(log.start),
        "to": _time(log.end),
        "begins": log.begins,
        "gaps": [_gap(gap) for gap in log.gaps],
    }


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "after": gap.after,
        "before": gap.before,
        "records": gap.records,
        "lost": gap.lost,
        "from": _time(gap.start),
        "to": _time(gap.end),
        "reason": gap.reason,
    }


def _time(ticks: int | None) -> str | None:
    return None if ticks is None else to_iso(ticks)
