"""Whether the logs that a finding or a verdict rests on are whole in the time that it speaks of.

A finding speaks of the 48 hours before it (its logons, its parents), a verdict of all the time in which the evidence
has records of the host. Only the logs that record starts of processes and logons count.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from evtxscan.context.coverage.model import GapReason, HostCoverage, StopReason
from evtxscan.evtx.filetime import TICKS_PER_SECOND, from_iso, to_iso

WindowReason = Literal["begins_later", "ends_earlier", "no_log"] | GapReason | StopReason

HOURS_BEFORE = 48
SYSMON = "Microsoft-Windows-Sysmon/Operational"
_SECURITY = "Security"
# The last records of two logs are never of the same moment; a shorter silence says nothing.
_QUIET = 3600 * TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Lack:
    """What of a log is not there in a window: from, to (ticks; None: open), and record ids where they are counted."""

    channel: str
    reason: WindowReason
    start: int | None
    end: int | None
    records: int = 0

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {
            "channel": self.channel,
            "reason": self.reason,
            "from": _time(self.start),
            "to": _time(self.end),
            "records": self.records,
        }


def lacks(host: HostCoverage, start: int, end: int) -> Iterator[Lack]:
    """Yield what of a host's Security and Sysmon logs is missing between two times; nothing where the window is whole.

    A host without a Sysmon log never had one, as far as the evidence says: that is no lack.
    """
    logs = {log.channel: log for log in host.logs}
    if _SECURITY not in logs and SYSMON not in logs:
        yield Lack(_SECURITY, "no_log", start, end)
    for channel in (SYSMON, _SECURITY):
        log = logs.get(channel)
        if log is None or log.start is None or log.end is None:
            continue
        if log.start > start and log.begins != "first_record":
            yield Lack(channel, "begins_later", start, log.start)
        if log.end < end - _QUIET:
            yield Lack(channel, "ends_earlier", log.end, end)
        for gap in log.gaps:
            if gap.start is None or gap.end is None or (gap.start <= end and gap.end >= start):
                yield Lack(channel, gap.reason, gap.start, gap.end, gap.records)
    for stop in host.stops:
        if stop.channel in (SYSMON, _SECURITY) and stop.start <= end and (stop.end is None or stop.end >= start):
            yield Lack(stop.channel, stop.reason, stop.start, stop.end)


def windows(db: sqlite3.Connection, host: HostCoverage) -> list[dict[str, Any]]:
    """Return the windows of the findings and verdicts that the case has of a host, as they stand in JSON."""
    times = [(log.start, log.end) for log in host.logs if log.start is not None and log.end is not None]
    found: list[dict[str, Any]] = []
    if times:
        whole = (min(start for start, _ in times), max(end for _, end in times))
        rows = db.execute("SELECT rule, verdict FROM verdict WHERE host = ? ORDER BY rule", (host.host,))
        found += [{"rule": rule, "verdict": verdict, **_window(host, *whole)} for rule, verdict in rows]
    rows = db.execute("SELECT id, rule, time FROM finding WHERE host = ? ORDER BY time, rule, id", (host.host,))
    for finding, rule, time in rows:
        end = from_iso(time)
        found.append(
            {
                "rule": rule,
                "finding": finding,
                **_window(host, end - HOURS_BEFORE * 3600 * TICKS_PER_SECOND, end),
            }
        )
    return found


def _window(host: HostCoverage, start: int, end: int) -> dict[str, Any]:
    missing = list(lacks(host, start, end))
    return {
        "from": _time(start),
        "to": _time(end),
        "whole": not missing,
        "lacks": [lack.document() for lack in missing],
    }


def _time(ticks: int | None) -> str | None:
    return None if ticks is None else to_iso(ticks)
