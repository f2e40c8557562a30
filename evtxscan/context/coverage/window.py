"""Whether the logs that a finding or a verdict rests on are whole in the time that it speaks of, and if not, why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from evtxscan.context.coverage.model import BeginReason, GapReason, HostCoverage, Log, Stop, StopReason
from evtxscan.evtx.filetime import TICKS_PER_SECOND, to_iso

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
# Any log will do for a condition that asks for no event id: all of them are not named.
_MOST_NAMED = 4
# What a log lacks more often than that for one reason is told as one.
_MOST_PARTS = 5
# Two logs record that the clock was set with times that were read one after the other.
_SAME = 4 * TICKS_PER_SECOND
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

    ``parts`` is how many separate times it puts together, from the first to the last. ``channel`` is empty where it is
    not about one log, ``host`` where the window is of one host.
    """

    channel: str
    reason: WindowReason
    start: int | None
    end: int | None
    records: int = 0
    parts: int = 1
    host: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        found: dict[str, Any] = {
            "channel": self.channel,
            "reason": self.reason,
            "from": _time(self.start),
            "to": _time(self.end),
            "records": self.records,
            "parts": self.parts,
        }
        return {**found, "host": self.host} if self.host else found


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
    """Return the window from ``start`` to ``end``. What one log lacks for one reason very often is one entry.

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
            named = part if 0 < len(part) <= _MOST_NAMED else ("",)
            yield from (Lack(channel, "no_log", start, end) for channel in named)
    channels = sorted({channel for part in reads.parts for channel in part if channel in logs})
    for channel in channels:
        yield from _of_log(logs[channel], start, end)
    yield from _stops(host, channels, start, end, starts=reads.starts)
    if reads.command_lines and SECURITY in channels:
        yield from _without_command_lines(host, start, end)
    yield from _set_back(host, start, end)


def _of_log(numberings: Sequence[Log], start: int, end: int) -> Iterator[Lack]:
    """Yield what the log of one channel lacks; it has a numbering behind each time that its numbers began again."""
    first, channel = numberings[0], numberings[0].channel
    if first.start is None or first.end is None:
        yield Lack(channel, "no_time", None, None)
        return
    margin = _HOUR if first.begins == "first_record" else TICKS_PER_SECOND
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


def _stops(host: HostCoverage, channels: Collection[str], start: int, end: int, *, starts: bool) -> Iterator[Lack]:
    """Yield the times in which one of these logs was not written, or, if it is about them, not with starts.

    The event log service writes all logs; that it was stopped may stand in two of them.
    """
    service: Stop | None = None
    for stop in host.stops:
        if not _overlaps(stop.start, stop.end, start, end):
            continue
        if stop.reason == "service_stopped":
            if service is None or service.end is None or stop.start > service.end:
                yield Lack("", stop.reason, stop.start, stop.end)
            service = stop
        elif stop.channel in channels and (starts or stop.reason != "process_audit_off"):
            yield Lack(stop.channel, stop.reason, stop.start, stop.end)


def _set_back(host: HostCoverage, start: int, end: int) -> Iterator[Lack]:
    """Yield the times that the clock passed twice, each once: two logs record that it was set."""
    known: set[tuple[int, int]] = set()
    for change in host.clock_changes:
        old, new = change.old, change.new
        if old is None or new is None or old - new < _SET_BACK or not _overlaps(new, old, start, end):
            continue
        times = {(old // _SAME, new // _SAME), ((old + _SAME // 2) // _SAME, (new + _SAME // 2) // _SAME)}
        if known.isdisjoint(times):
            yield Lack("", "clock_set_back", new, old)
        known |= times


def _merged(lacks: Iterable[Lack]) -> Iterator[Lack]:
    """Yield the lacks, many of one log and reason as one from the first to the last of them."""
    groups: dict[tuple[str, WindowReason], list[Lack]] = {}
    for lack in lacks:
        groups.setdefault((lack.channel, lack.reason), []).append(lack)
    for (channel, reason), group in groups.items():
        if len(group) <= _MOST_PARTS:
            yield from group
            continue
        starts = [lack.start for lack in group if lack.start is not None]
        ends = [lack.end for lack in group if lack.end is not None]
        yield Lack(
            channel,
            reason,
            min(starts) if len(starts) == len(group) else None,
            max(ends) if len(ends) == len(group) else None,
            sum(lack.records for lack in group),
            len(group),
        )


def _overlaps(start: int | None, end: int | None, low: int, high: int) -> bool:
    """Whether a time that may be open, or backwards where a clock was set back, has a part from low to high."""
    first, last = _in_order(start, end)
    return (first is None or first <= high) and (last is None or last >= low)


def _in_order(start: int | None, end: int | None) -> tuple[int | None, int | None]:
    return (end, start) if start is not None and end is not None and end < start else (start, end)


def _time(ticks: int | None) -> str | None:
    return None if ticks is None else to_iso(ticks)
