"""The order of events on a host whose clock was set back.

**The rule.** Events are ordered by time, and by record id where times are equal. A clock that was set back ran through
a stretch of time twice; within such a stretch time decides nothing, and the place of the record in its own log does:
before or after the record of the change (Security 4616 in the Security log, Kernel-General 1 in the System log), and in
a log that does not record changes, before or after the place where its own times fall. Every event so has an *era*, the
number of set-backs before it, and ``(era, time, record id)`` is the order that all of this package works in.

**Why not by record id alone:** record ids are the order of writing. The System log holds Kernel-General 12 and 13
behind records of the log service that are 20 seconds younger; ids begin again at 1 after a log file was deleted;
Sysmon and Security count on their own. **Why not by time alone:** a virtual machine whose hardware clock is ten hours
ahead is set back soon after each boot, so that by time all it did then lies before the boot.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import pairwise

from evtxscan.evtx.filetime import TICKS_PER_SECOND

# The two logs record one change with times that were read one after the other.
_SAME_CHANGE = 2 * TICKS_PER_SECOND
# How many changes in a row are compared to find the two records of one; a log could hold thousands of one second.
_LOOK_BACK = 16
# Records of one log are out of order by milliseconds all the time; a fall below this says nothing about the clock.
MIN_FALL = TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class ClockChange:
    """One record of the clock being set from ``old`` to ``new``; ``log`` is the channel it stands in."""

    host: str
    log: str
    record: int
    event: int
    old: int
    new: int


@dataclass(slots=True)
class SetBack:
    """The clock of a host was set back once; ``cuts`` names per log the first record after it."""

    old: int
    new: int
    cuts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Stretch:
    """A stretch of time that a clock ran through more than once.

    ``before`` set-backs came earlier, ``set_backs`` lie in it. ``cuts`` has, sorted, the first record after each of
    them, for the logs where that is known.
    """

    start: int
    end: int
    before: int
    set_backs: int
    cuts: dict[str, list[int]] = field(default_factory=dict)

    def era(self, log: str, record: int | None) -> int:
        """Return the era of a record inside the stretch; one whose log has no cut counts as before the set-back."""
        return self.before + (bisect_right(self.cuts.get(log, ()), record) if record is not None else 0)


class Clock:
    """Tells the era of every event of one host."""

    def __init__(self, stretches: Sequence[Stretch] = ()) -> None:
        self.stretches = tuple(stretches)
        self._starts = [stretch.start for stretch in self.stretches]

    def era(self, log: str, record: int | None, ticks: int) -> int:
        """Return how many times the clock had been set back before this record of ``log``."""
        place = bisect_right(self._starts, ticks) - 1
        if place < 0:
            return 0
        stretch = self.stretches[place]
        if ticks > stretch.end:
            return stretch.before + stretch.set_backs
        return stretch.era(log, record)


def read_clocks(changes: Iterable[ClockChange]) -> Mapping[str, Clock]:
    """Return the clock of each host that was ever set back; the changes may come in any order."""
    by_host: dict[str, list[ClockChange]] = defaultdict(list)
    for change in changes:
        if change.new < change.old:
            by_host[change.host].append(change)
    return {host: Clock(_stretches(_set_backs(found))) for host, found in sorted(by_host.items())}


def find_cuts(stretch: Stretch, log: str, records: Iterable[tuple[int, int]]) -> None:
    """Enter where a log that records no clock changes passed the set-backs of ``stretch``.

    ``records`` are (record id, time of writing) of that log inside the stretch, in order of record id. The places are
    its largest falls of time, one per set-back; without as many falls the log stays without a cut.
    """
    falls = ((earlier - later, record) for (_, earlier), (record, later) in pairwise(records))
    largest = nlargest(stretch.set_backs, (fall for fall in falls if fall[0] >= MIN_FALL))
    found = sorted(record for _, record in largest)
    if len(found) == stretch.set_backs:
        stretch.cuts[log] = found


def _set_backs(changes: list[ClockChange]) -> list[SetBack]:
    """Make one set-back of the records that two logs hold of it."""
    found: list[SetBack] = []
    for change in sorted(changes, key=lambda c: (c.old, c.new, c.log, c.record)):
        for known in reversed(found[-_LOOK_BACK:]):
            if change.old - known.old > _SAME_CHANGE:
                continue
            copied = known.cuts.get(change.log) == change.record
            if copied or (change.log not in known.cuts and abs(change.new - known.new) <= _SAME_CHANGE):
                known.cuts.setdefault(change.log, change.record)
                known.old, known.new = max(known.old, change.old), min(known.new, change.new)
                break
        else:
            found.append(SetBack(change.old, change.new, {change.log: change.record}))
    return found


def _stretches(set_backs: list[SetBack]) -> list[Stretch]:
    """Join set-backs whose times overlap."""
    result: list[Stretch] = []
    for number, set_back in enumerate(sorted(set_backs, key=lambda s: (s.new, s.old))):
        if not result or set_back.new > result[-1].end:
            result.append(Stretch(set_back.new, set_back.old, number, 0))
        stretch = result[-1]
        stretch.end = max(stretch.end, set_back.old)
        stretch.set_backs += 1
        for log, record in set_back.cuts.items():
            insort(stretch.cuts.setdefault(log, []), record)
    return result
