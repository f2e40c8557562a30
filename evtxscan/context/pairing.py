"""Which Sysmon 1 and which Security 4688 are records of the same process start.

The two belong together if host, process id and program are the same and their times are closest. Both are stamped while
the process is made: Sysmon by its driver (UtcTime, cut to milliseconds), 4688 when the audit queue writes it. On real
logs they are half a millisecond apart, and a busy queue delays the second; Windows does not give a process id to
another process of the same program within that time unless the first one ended, so a tolerance of two seconds pairs
late records and the order of times keeps reused ids apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from evtxscan.evtx.filetime import TICKS_PER_SECOND

TOLERANCE = 2 * TICKS_PER_SECOND
# Starts of one program under one process id within seconds of each other: more than a few only in a forged log.
_LARGEST = 64

_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


class Start(NamedTuple):
    """The start of a process as one log has it; ``host`` and ``executable`` are ids of table value."""

    pid: int
    ticks: int
    is_security: bool
    event: int
    host: int | None
    executable: int | None
    record: int | None


def without_copies(starts: Iterable[Start], copies: list[tuple[int, int]]) -> Iterator[Start]:
    """Pass each record once; (event, event passed) of further copies of it (of an exported log) go to ``copies``."""
    last: Start | None = None
    for start in starts:
        if last is not None and _same_record(start, last):
            copies.append((start.event, last.event))
        else:
            last = start
            yield start


def fold(path: str) -> str:
    """Return a path in lower case as Windows and EQL compare it here: ASCII letters only."""
    return path.lower() if path.isascii() else path.translate(_ASCII_LOWER)


def same_program(one: str, other: str) -> bool:
    r"""Whether two folded paths name one program.

    Before drives have letters, and for network and shadow copies, the logs name one file in different ways
    (``\Device\HarddiskVolume2\...``, ``\SystemRoot\...``, ``C:\...``): then the file name decides.
    """
    if one == other:
        return True
    if one[1:3] == ":\\" and other[1:3] == ":\\":
        return False
    return one.rpartition("\\")[2] == other.rpartition("\\")[2]


def pair(
    starts: Iterable[Start], hosts: Mapping[int | None, str], programs: Mapping[int | None, str]
) -> Iterator[tuple[int, int]]:
    """Yield (Sysmon event, Security event) of each process that both logs have.

    ``starts`` are in order of process id, time, log and record id; ``hosts`` gives the name of a host, ``programs``
    the folded path of an executable. As many pairs as possible without crossing, then those whose times are closest.
    """
    cluster: list[Start] = []
    for start in starts:
        if cluster and (start.ticks - cluster[-1].ticks > TOLERANCE or start.pid != cluster[-1].pid):
            if len(cluster) > 1:
                yield from _pairs(cluster, hosts, programs)
            cluster = []
        cluster.append(start)
    if len(cluster) > 1:
        yield from _pairs(cluster, hosts, programs)


def _pairs(
    cluster: list[Start], hosts: Mapping[int | None, str], programs: Mapping[int | None, str]
) -> Iterator[tuple[int, int]]:
    """Pair the starts of one process id, none of which lies far from the next."""
    if len(cluster) == 2:  # the usual case: each log has the start once
        sysmon, security = cluster if cluster[1].is_security else cluster[::-1]
        if sysmon.host == security.host and security.is_security and not sysmon.is_security:
            if _match(sysmon, security, programs):
                yield sysmon.event, security.event
            return
    by_host: dict[str, tuple[list[Start], list[Start]]] = defaultdict(lambda: ([], []))
    for start in cluster:
        by_host[hosts[start.host]][start.is_security].append(start)
    for from_sysmon, from_security in by_host.values():
        align = _best if max(len(from_sysmon), len(from_security)) <= _LARGEST else _in_order
        yield from align(from_sysmon, from_security, programs)


def _same_record(one: Start, other: Start) -> bool:
    return one.record == other.record is not None and one._replace(event=0) == other._replace(event=0)


def _match(one: Start, other: Start, programs: Mapping[int | None, str]) -> bool:
    if abs(one.ticks - other.ticks) > TOLERANCE:
        return False
    return one.executable == other.executable or same_program(programs[one.executable], programs[other.executable])


def _best(
    left: Sequence[Start], right: Sequence[Start], programs: Mapping[int | None, str]
) -> Iterator[tuple[int, int]]:
    """Align two short sequences: most pairs first, least distance second."""
    score = [[(0, 0)] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in reversed(range(len(left))):
        for j in reversed(range(len(right))):
            score[i][j] = max(score[i + 1][j], score[i][j + 1])
            if _match(left[i], right[j], programs):
                pairs, distance = score[i + 1][j + 1]
                score[i][j] = max(score[i][j], (pairs + 1, distance - abs(left[i].ticks - right[j].ticks)))
    i = j = 0
    while i < len(left) and j < len(right):
        if score[i][j] == score[i + 1][j]:
            i += 1
        elif score[i][j] == score[i][j + 1]:
            j += 1
        else:
            yield left[i].event, right[j].event
            i, j = i + 1, j + 1


def _in_order(
    left: Sequence[Start], right: Sequence[Start], programs: Mapping[int | None, str]
) -> Iterator[tuple[int, int]]:
    """Pair first with first, in one pass."""
    i = j = 0
    while i < len(left) and j < len(right):
        if _match(left[i], right[j], programs):
            yield left[i].event, right[j].event
            i, j = i + 1, j + 1
        elif left[i].ticks <= right[j].ticks:
            i += 1
        else:
            j += 1
