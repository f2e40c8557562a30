r"""Boots of a host, from the signs that logs hold of them.

A boot writes several records within minutes: Kernel-General 12 with the exact time, the first processes (the kernel
starts ``Registry`` and ``smss.exe`` before the Security log says 4608), Security 4608, and the log service's 6009 and
6005. These are grouped into one boot. The log service alone can start again without a boot (an attacker stops it), so
its records make no boot where the host writes Kernel-General 12 at all, which Windows 7 and later do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from evtxscan.evtx.filetime import TICKS_PER_SECOND

# From the kernel's start to the last sign of a boot; slow disks and updates take minutes.
_WINDOW = 10 * 60 * TICKS_PER_SECOND

Sign = Literal["kernel_start", "first_process", "4608", "6005", "6006", "6008", "6009", "kernel_stop"]
EndMethod = Literal["shutdown", "unexpected", "restart"]

# The order in which a boot gives its signs. A sign of lower rank than one before it belongs to the next boot.
_RANK = {"kernel_start": 0, "first_process": 1, "4608": 2, "6005": 2, "6008": 2, "6009": 2}
_REPEATED = frozenset({"first_process"})
_KERNEL = frozenset({"kernel_start", "first_process", "4608"})
_STOPS = frozenset({"6006", "kernel_stop"})

Key = tuple[int, int]
"""A moment on one host: (era, ticks), see :mod:`evtxscan.context.clock`."""


@dataclass(frozen=True, slots=True)
class BootSign:
    """One record that tells of a boot or a shutdown, at ``key`` (kernel signs: the time they name)."""

    host: str
    key: Key
    record: int
    event: int
    sign: Sign


@dataclass(slots=True)
class Boot:
    """The time from one start of a host to the next; ``number`` 0 is what ran before the first recorded start.

    ``ended`` is the shutdown where ``end_method`` says so, else the latest time possible: the next start.
    """

    id: int
    host: str
    number: int
    key: Key | None = None
    is_exact: bool = False
    ended: int | None = None
    end_method: EndMethod | None = None
    events: list[tuple[int, str]] = field(default_factory=list)

    @property
    def started(self) -> int | None:
        """Start in ticks, None for number 0."""
        return None if self.key is None else self.key[1]


class Boots:
    """All boots of a case. A host of which no boot is recorded has number 0 alone."""

    def __init__(self, signs: Iterable[BootSign] = ()) -> None:
        by_host: dict[str, list[BootSign]] = defaultdict(list)
        for sign in signs:
            by_host[sign.host].append(sign)
        self._by_host: dict[str, list[Boot]] = {}
        self._count = 0
        for host in sorted(by_host):
            self._by_host[host] = self._host(host, by_host[host])

    @property
    def all(self) -> list[Boot]:
        """All boots, in order of their ids."""
        return [boot for boots in self._by_host.values() for boot in boots]

    def of(self, host: str) -> list[Boot]:
        """Return the boots of a host in order, number 0 first."""
        if host not in self._by_host:
            self._by_host[host] = [self._new(host, 0)]
        return self._by_host[host]

    def _new(self, host: str, number: int) -> Boot:
        self._count += 1
        return Boot(self._count, host, number)

    def _host(self, host: str, signs: list[BootSign]) -> list[Boot]:
        groups, last_stops = _group(sorted(signs, key=lambda s: (s.key, _RANK.get(s.sign, -1), s.sign, s.record)))
        writes_kernel_start = any(sign.sign == "kernel_start" for sign in signs)
        boots = [self._new(host, 0)]
        stops: list[BootSign] = []
        for group in groups:
            stops += group.stops_before
            if (
                writes_kernel_start and not group.seen & _KERNEL
            ):  # the log service alone: it had been stopped, not the host
                stops = [stop for stop in stops if stop.sign == "kernel_stop"]
                continue
            boot = self._new(host, len(boots))
            boot.key = group.signs[0].key
            boot.is_exact = group.signs[0].sign == "kernel_start"
            boot.events = [(s.event, "unexpected" if s.sign == "6008" else "start") for s in group.signs]
            _end(boots[-1], boot, stops, is_unexpected="6008" in group.seen)
            boots.append(boot)
            stops = []
        _end(boots[-1], None, stops + last_stops, is_unexpected=False)
        return boots


class Walk:
    """Finds the boot of each moment of one host, for moments in order. ``following`` is when the next boot begins."""

    __slots__ = ("_boots", "_place", "boot", "following")

    def __init__(self, boots: Sequence[Boot]) -> None:
        self._boots = boots
        self._place = 0
        self.boot = boots[0]
        self.following = boots[1].key if len(boots) > 1 else None

    def passes(self, key: Key) -> bool:
        """Go on to the boot at ``key`` and return whether it is another one than before."""
        if self.following is None or key < self.following:
            return False
        while self.following is not None and key >= self.following:
            self._place += 1
            after = self._place + 1
            self.following = self._boots[after].key if after < len(self._boots) else None
        self.boot = self._boots[self._place]
        return True


@dataclass(slots=True)
class _Group:
    """Signs of one start of the log service or of the host, and the stops between the group before and this one."""

    signs: list[BootSign]
    stops_before: list[BootSign]
    seen: set[Sign]
    rank: int

    def takes(self, sign: BootSign) -> bool:
        """Whether ``sign`` may be of the same start."""
        first, last = self.signs[0], self.signs[-1]
        if (sign.sign, sign.record, sign.key) == (last.sign, last.record, last.key):
            return True  # the same record from another copy of the log
        if sign.key[1] - first.key[1] > _WINDOW or sign.key[0] != first.key[0]:
            return False
        return _RANK[sign.sign] >= self.rank and (sign.sign in _REPEATED or sign.sign not in self.seen)


def _group(signs: Iterable[BootSign]) -> tuple[list[_Group], list[BootSign]]:
    """Group sorted signs by start; the stops after the last group come beside."""
    groups: list[_Group] = []
    stops: list[BootSign] = []
    for sign in signs:
        if sign.sign in _STOPS:
            stops.append(sign)
            continue
        if not groups or stops or not groups[-1].takes(sign):
            groups.append(_Group([], stops, set(), 0))
            stops = []
        group = groups[-1]
        group.signs.append(sign)
        group.seen.add(sign.sign)
        group.rank = max(group.rank, _RANK[sign.sign])
    return groups, stops


def _end(boot: Boot, following: Boot | None, stops: Sequence[BootSign], *, is_unexpected: bool) -> None:
    """Enter how ``boot`` ended: the kernel's own stop counts more than the log service's."""
    best = max(stops, key=lambda s: (s.sign == "kernel_stop", s.key), default=None)
    if best is not None and not is_unexpected:
        boot.ended, boot.end_method = best.key[1], "shutdown"
        boot.events += [(stop.event, "stop") for stop in stops]
    elif following is not None:
        boot.ended, boot.end_method = following.started, "unexpected" if is_unexpected else "restart"
