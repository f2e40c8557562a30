"""The order of events on a host whose clock was set back.

**The rule.** Events are ordered by time, and by record id where times are equal. A clock that was set back ran through
a stretch of time twice; within such a stretch time decides nothing, and the place of the record in its own log does:
before or after the record of the change (Security 4616 in the Security log, Kernel-General 1 in the System log), and in
a log that does not record changes, before or after the place where its own times fall. A clock that was behind when
the host started counts as set back there. Every event so has an *era*, the
number of set-backs before it, and ``(era, time, record id)`` is the order that all of this package works in.

**Why not by record id alone:** record ids are the order of writing. The System log holds Kernel-General 12 and 13
behind records of the log service that are 20 seconds younger; ids begin again at 1 after a log file was deleted;
Sysmon and Security count on their own. **Why not by time alone:** a virtual machine whose hardware clock is ten hours
ahead is set back soon after each boot, so that by time all it did then lies before the boot.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import pairwise
from typing import NamedTuple

from evtxscan.evtx.filetime import TICKS_PER_SECOND

# The two logs record one change with times that were read one after the other.
_SAME_CHANGE = 2 * TICKS_PER_SECOND
# The logs begin to be written one after the other while a host starts.
_SAME_BOOT = 10 * 60 * TICKS_PER_SECOND
# Around a set-back, records are written out of order: a log that starts holds 4616 fifteen records before others that
# are ten hours "younger" and were made before it. Near its record, a time within minutes of the old or new one tells.
_NEAR = 100
_MARGIN = 2 * 60 * TICKS_PER_SECOND
# How many changes in a row are compared to find the two records of one; a log could hold thousands of one second.
_LOOK_BACK = 16
# Records of one log are out of order by milliseconds all the time; a fall below this says nothing about the clock.
MIN_FALL = TICKS_PER_SECOND


@dataclass(frozen=True, slots=True)
class ClockChange:
    """One record that shows a clock going from ``old`` to ``new``; ``log`` is the channel it stands in.

    ``is_at_boot``: it is the first record of a boot, ``old`` the time of the record before it.
    """

    host: str
    log: str
    record: int
    old: int
    new: int
    is_at_boot: bool = False


@dataclass(slots=True)
class SetBack:
    """The clock of a host was set back once; ``cuts`` names per log the first record after it."""

    old: int
    new: int
    cuts: dict[str, int] = field(default_factory=dict)

    @property
    def margin(self) -> int:
        """How far around its two times records are told apart by their time alone; 0 for a small set-back."""
        return _MARGIN if self.old - self.new > 2 * _MARGIN else 0


class Cut(NamedTuple):
    """The first record after a set-back in one log, and the times around it (without a margin: not used)."""

    record: int
    old: int = 0
    new: int = 0
    margin: int = 0

    def has_passed(self, record: int, ticks: int) -> bool:
        """Whether a record comes after the set-back."""
        if self.margin and abs(record - self.record) <= _NEAR:
            if abs(ticks - self.old) <= self.margin:
                return False
            if abs(ticks - self.new) <= self.margin:
                return True
        return record >= self.record


@dataclass(slots=True)
class Stretch:
    """A stretch of time that a clock ran through more than once.

    ``before`` set-backs came earlier, ``set_backs`` lie in it. ``cuts`` has them by log, in order of record id, for the
    logs where that is known.
    """

    start: int
    end: int
    before: int
    set_backs: int
    cuts: dict[str, list[Cut]] = field(default_factory=dict)

    def era(self, log: str, record: int | None, ticks: int) -> int:
        """Return the era of a record inside the stretch; one whose log has no cut counts as before the set-back."""
        cuts = self.cuts.get(log)
        if cuts is None or record is None:
            return self.before
        first = bisect_left(cuts, (record - _NEAR,))
        last = bisect_right(cuts, (record + _NEAR + 1,))
        return self.before + first + sum(cut.has_passed(record, ticks) for cut in cuts[first:last])


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
        return stretch.era(log, record, ticks)


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
        stretch.cuts[log] = [Cut(record) for record in found]


def _set_backs(changes: list[ClockChange]) -> list[SetBack]:
    """Make one set-back of the records that two logs, or two copies of a log, hold of it."""
    found: list[tuple[SetBack, bool]] = []
    for change in sorted(changes, key=lambda c: (c.new, c.old, c.log, c.record)):
        for known, is_at_boot in reversed(found[-_LOOK_BACK:]):
            if is_at_boot == change.is_at_boot and _is_same(known, change):
                known.cuts.setdefault(change.log, change.record)
                known.old, known.new = max(known.old, change.old), min(known.new, change.new)
                break
        else:
            found.append((SetBack(change.old, change.new, {change.log: change.record}), change.is_at_boot))
    return [set_back for set_back, _ in found]


def _is_same(known: SetBack, change: ClockChange) -> bool:
    if change.log in known.cuts:
        return known.cuts[change.log] == change.record
    if change.is_at_boot:  # what each log holds before a boot may be hours apart
        return abs(change.new - known.new) <= _SAME_BOOT
    return abs(change.new - known.new) <= _SAME_CHANGE and abs(change.old - known.old) <= _SAME_CHANGE


def _stretches(set_backs: list[SetBack]) -> list[Stretch]:
    """Join set-backs whose times overlap."""
    result: list[Stretch] = []
    for number, set_back in enumerate(sorted(set_backs, key=lambda s: (s.new - s.margin, s.old))):
        old, new, margin = set_back.old, set_back.new, set_back.margin
        if not result or new - margin > result[-1].end:
            result.append(Stretch(new - margin, old + margin, number, 0))
        stretch = result[-1]
        stretch.end = max(stretch.end, old + margin)
        stretch.set_backs += 1
        for log, record in set_back.cuts.items():
            insort(stretch.cuts.setdefault(log, []), Cut(record, old, new, margin))
    return result
