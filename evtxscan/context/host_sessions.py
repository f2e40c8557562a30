"""The logon sessions of one host in order of time: which are open at a moment, and which began in a span.

Findings ask again and again, mostly in order of time; a host may have a hundred thousand sessions.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

_FOREVER = 2**63 - 1


class HostSessions:
    """Made of rows (session, first seen, ended or None, has a logon record) in the order in which they began.

    Times are FILETIME ticks.
    """

    def __init__(self, rows: Iterable[tuple[int, int, int | None, int]]) -> None:
        self._ids, self._seen, self._ended = array("q"), array("q"), array("q")
        self._logons, self._logons_seen = array("q"), array("q")
        for session, seen, ended, has_logon in rows:
            self._ids.append(session)
            self._seen.append(seen)
            self._ended.append(_FOREVER if ended is None else ended)
            if has_logon:
                self._logons.append(session)
                self._logons_seen.append(seen)
        self._by_end = array("q", sorted(range(len(self._ids)), key=self._ended.__getitem__))
        self._ends = array("q", map(self._ended.__getitem__, self._by_end))
        # How many sessions had begun, and how many were over, at the time last asked for; the places of those open.
        self._begun = self._over = 0
        self._open: list[int] = []

    def open_at(self, ticks: int, most: int) -> tuple[list[int], int]:
        """Return the sessions open at a time, of more than ``most`` the latest, in order, and how many there are.

        It costs as much as there is between this time and the one asked for before.
        """
        begun, over = bisect_right(self._seen, ticks), bisect_right(self._ends, ticks)
        begin, end = sorted((begun, self._begun))
        self._change(range(begin, end), ticks)
        begin, end = sorted((over, self._over))
        self._change(self._by_end[begin:end], ticks)
        self._begun, self._over = begun, over
        return [self._ids[place] for place in self._open[-most:]], len(self._open)

    def logons_between(self, first: int, last: int, most: int) -> tuple[list[int], int]:
        """Return the same of sessions whose logon was recorded from ``first`` to ``last``."""
        begin, end = bisect_left(self._logons_seen, first), bisect_right(self._logons_seen, last)
        return self._logons[max(begin, end - most, 0) : max(begin, end)].tolist(), max(end - begin, 0)

    def _change(self, places: Iterable[int], ticks: int) -> None:
        """Add the sessions that are open at a time, and take out those that are not."""
        for place in places:
            found = bisect_left(self._open, place)
            is_listed = found < len(self._open) and self._open[found] == place
            is_open = self._seen[place] <= ticks < self._ended[place]
            if is_open and not is_listed:
                self._open.insert(found, place)
            elif is_listed and not is_open:
                del self._open[found]
