"""Whether the logs that a finding or a verdict rests on are whole in the time that it speaks of, and if not, why."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from evtxscan.context.coverage.model import BeginReason, GapReason, HostCoverage, Log, Stop, StopReason
from evtxscan.evtx.filetime import TICKS_PER_SECOND, from_iso, to_iso

WindowReason = (
    Literal[
        "begins_later",  # the log begins within the window, and there were records before
        "first_record",  # it begins within the window with record 1: before that, nothing was written to it
        "restarted",  # its numbers began again within the window, or before it
        "ends_earlier",  # it ends within the window, and it was not so quiet before
        "no_log",  # the host has none of the logs that could hold the events
        "command_line_not_audited",  # starts of processes were recorded without their command lines
        "clock_set_back",  # times of the window were passed twice
        "no_time",  # the event has no time, so that there is no window
    ]
    | GapReason
    | StopReason
)
Uncovered = Literal["no_events", "log_begins_inside", "log_ends_inside", "records_missing", "not_logged"]
"""Why a log does not show that something was not there in a time; see ``detect.verdict.Reason``."""

SECURITY = "Security"
SYSMON = "Microsoft-Windows-Sysmon/Operational"

_HOUR = 3600 * TICKS_PER_SECOND
# A log is silent at times: what says something is a silence many times as long as those between its records. The last
# records of two logs are never of the same moment, and the first records of a new host's logs neither.
_SILENCE = 20
# Clocks are set by fractions of a second all the time.
_SET_BACK = 60 * TICKS_PER_SECOND
_BEGINS: dict[BeginReason, WindowReason] = {
    "first_record": "first_record",
    "cleared": "cleared",
    "exported": "exported",
    "restarted": "restarted",
    "overwritten": "begins_later",
}


@dataclass(frozen=True, slots=True)
class Lack:
    """What of a log is not there in a window: from, to (ticks; None: open), and how many records where that is known.

    ``channel`` is empty where it is not about one log.
    """

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


@dataclass(frozen=True, slots=True)
class Window:
    """A time (ticks; None: there is none), and what the logs lack of it."""

    start: int | None
    end: int | None
    lacks: tuple[Lack, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is lacking."""
        return not self.lacks

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {
            "from": _time(self.start),
            "to": _time(self.end),
            "whole": self.is_whole,
            "lacks": [lack.document() for lack in self.lacks],
        }


@dataclass(frozen=True, slots=True)
class Reads:
    """What is looked into: for each event that is asked for, the channels that may hold it.

    ``starts``: starts of processes are among them; ``command_lines``: their command lines are asked for.
    """

    parts: tuple[tuple[str, ...], ...]
    starts: bool = False
    command_lines: bool = False


def window(host: HostCoverage, reads: Reads, start: int, end: int) -> Window:
    """Return the window from ``start`` to ``end``. What one log lacks for one reason is one entry.

    Of several logs that may hold an event it is enough that the host has one; those that it has have to be whole.
    """
    return Window(start, end, tuple(_merged(_lacks(host, reads, start, end))))


def uncovered(host: HostCoverage, channel: str, start: int, end: int, *, starts: bool) -> Uncovered | None:
    """Return why a log does not show that no record was written from ``start`` to ``end``, None if it does.

    ``starts``: it is about starts of processes.
    """
    logs = [log for log in host.logs if log.channel == channel]
    times = [(log.start, log.end) for log in logs if log.start is not None and log.end is not None]
    if not times:
        return "no_events"
    if min(begin for begin, _ in times) > start:
        return "log_begins_inside"
    if max(last for _, last in times) < end:
        return "log_ends_inside"
    gaps = [(gap.start, gap.end) for log in logs for gap in log.gaps]
    gaps += [(one.end, other.start) for one, other in pairwise(logs)]
    if any(_overlaps(*gap, start, end) for gap in gaps):
        return "records_missing"
    return "not_logged" if any(_stops(host, (channel,), start, end, starts=starts)) else None


def _lacks(host: HostCoverage, reads: Reads, start: int, end: int) -> Iterator[Lack]:
    logs: dict[str, list[Log]] = {}
    for log in host.logs:
        logs.setdefault(log.channel, []).append(log)
    for part in reads.parts:
        if logs.keys().isdisjoint(part):
            yield from (Lack(channel, "no_log", start, end) for channel in part)
    channels = sorted({channel for part in reads.parts for channel in part if channel in logs})
    for channel in channels:
        yield from _of_log(logs[channel], start, end)
    for stop in _stops(host, channels, start, end, starts=reads.starts):
        yield Lack(stop.channel, stop.reason, stop.start, stop.end)
    if reads.command_lines and SECURITY in channels:
        yield from _without_command_lines(host, start, end)
    for change in host.clock_changes:
        old, new = change.old, change.new
        if old is not None and new is not None and old - new >= _SET_BACK and _overlaps(new, old, start, end):
            yield Lack("", "clock_set_back", new, old)


def _of_log(numberings: Sequence[Log], start: int, end: int) -> Iterator[Lack]:
    """Yield what the log of one channel lacks; it has a numbering behind each time that its numbers began again."""
    first, channel = numberings[0], numberings[0].channel
    if first.start is None or first.end is None:
        yield Lack(channel, "no_time", None, None)
        return
    margin = _HOUR if first.begins == "first_record" else 0
    if first.start > start + margin:
        yield Lack(channel, _BEGINS[first.begins], start, first.start)
    for log in numberings:
        for gap in log.gaps:
            if _overlaps(gap.start, gap.end, start, end):
                yield Lack(channel, gap.reason, *_in_order(gap.start, gap.end), gap.records)
    for one, other in pairwise(numberings):
        if _overlaps(one.end, other.start, start, end):
            yield Lack(channel, "restarted", *_in_order(one.end, other.start))
    last = max(numberings, key=lambda log: log.end or 0)
    if last.end is not None and last.end + _quiet(last) < end:
        yield Lack(channel, "ends_earlier", last.end, end)


def _quiet(log: Log) -> int:
    """Return how long a silence at the end of a log may be."""
    if log.start is None or log.end is None or log.begins == "exported":
        return _HOUR
    return max(_HOUR, _SILENCE * (log.end - log.start) // max(log.events - 1, 1))


def _without_command_lines(host: HostCoverage, start: int, end: int) -> Iterator[Lack]:
    for recorded in host.recorded:
        without = recorded.events - recorded.present
        first, last = recorded.first_without, recorded.last_without
        if recorded.what == "command_lines" and without and _overlaps(first, last, start, end):
            yield Lack(SECURITY, "command_line_not_audited", first, last, without)


def _stops(host: HostCoverage, channels: Collection[str], start: int, end: int, *, starts: bool) -> Iterator[Stop]:
    """Yield the times in which one of these logs was not written, or, if it is about them, not with starts."""
    for stop in host.stops:
        is_about = starts or stop.reason != "process_audit_off"
        if is_about and stop.channel in channels and _overlaps(stop.start, stop.end, start, end):
            yield stop


def _merged(lacks: Iterable[Lack]) -> Iterator[Lack]:
    """Yield one lack for each log and reason, from the first to the last of them."""
    groups: dict[tuple[str, WindowReason], list[Lack]] = {}
    for lack in lacks:
        groups.setdefault((lack.channel, lack.reason), []).append(lack)
    for (channel, reason), group in groups.items():
        starts = [lack.start for lack in group if lack.start is not None]
        ends = [lack.end for lack in group if lack.end is not None]
        yield Lack(
            channel,
            reason,
            min(starts) if len(starts) == len(group) else None,
            max(ends) if len(ends) == len(group) else None,
            sum(lack.records for lack in group),
        )


def _overlaps(start: int | None, end: int | None, low: int, high: int) -> bool:
    """Whether a time that may be open, or backwards where a clock was set back, has a part from low to high."""
    first, last = _in_order(start, end)
    return (first is None or first <= high) and (last is None or last >= low)


def _in_order(start: int | None, end: int | None) -> tuple[int | None, int | None]:
    return (end, start) if start is not None and end is not None and end < start else (start, end)


def _time(ticks: int | None) -> str | None:
    return None if ticks is None else to_iso(ticks)


def windows(db: sqlite3.Connection, host: HostCoverage) -> list[dict[str, Any]]:
    """Return the windows of the findings and verdicts that the case has of a host, as they stand in JSON."""
    reads = Reads(((SYSMON, SECURITY),), starts=True)
    times = [(log.start, log.end) for log in host.logs if log.start is not None and log.end is not None]
    found: list[dict[str, Any]] = []
    if times:
        whole = (min(start for start, _ in times), max(end for _, end in times))
        rows = db.execute("SELECT rule, verdict FROM verdict WHERE host = ? ORDER BY rule", (host.host,))
        found += [
            {"rule": rule, "verdict": verdict, **window(host, reads, *whole).document()} for rule, verdict in rows
        ]
    rows = db.execute("SELECT id, rule, time FROM finding WHERE host = ? ORDER BY time, rule, id", (host.host,))
    for finding, rule, time in rows:
        end = from_iso(time)
        told = window(host, reads, end - 48 * _HOUR, end)
        found.append({"rule": rule, "finding": finding, **told.document()})
    return found
