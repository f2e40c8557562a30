"""Reads from a case what tells of clocks and boots, and gives every event its era.

A clock that is set while the host runs is recorded (Security 4616, Kernel-General 1). One that is behind when the host
starts (a virtual machine put back, an empty battery) is not: it shows in the first records of the boot, which are older
than the record before them.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Literal, NamedTuple

from evtxscan.context.boots import BootSign, Sign
from evtxscan.context.clock import MIN_FALL, Clock, ClockChange, find_cuts, read_clocks
from evtxscan.context.lookups import Hosts, Kinds, Programs, listed
from evtxscan.ecs.times import parse_time
from evtxscan.evtx.filetime import TICKS_PER_SECOND

_SIGNS: Mapping[str, Sign] = {
    "security/4608": "4608",
    "system/6005": "6005",
    "system/6006": "6006",
    "system/6008": "6008",
    "system/6009": "6009",
    "system/12": "kernel_start",
    "system/13": "kernel_stop",
}
_NAMED_TIMES: Mapping[Sign, str] = {"kernel_start": "StartTime", "kernel_stop": "StopTime"}
# Signs of which the first stands in its log behind all that was written before the boot.
_FIRST_OF_BOOT: frozenset[Sign] = frozenset({"first_process", "kernel_start", "4608", "6005", "6009"})

# What the kernel itself starts at boot, before anything else runs.
_FIRST_PROGRAMS = frozenset({"smss.exe", "registry"})
# The time that a record names is believed where the record was written this much later at most.
_BELIEVED = 10 * 60 * TICKS_PER_SECOND
# Winlogbeat cuts the times of records to milliseconds, and the times in them not.
_CUT = TICKS_PER_SECOND // 1000
# Records around a boot are out of order by seconds.
_FALL_AT_BOOT = 60 * TICKS_PER_SECOND
# The log service writes 1101 (events were dropped) ahead of a boot's first records, with a later time than theirs.
_WRITTEN_AHEAD = 3

ClockMethod = Literal["recorded", "previous_record", "at_boot"]


class ClockRow(NamedTuple):
    """A row of table clock_change."""

    event: int
    host: str
    old: int | None
    new: int | None
    method: ClockMethod


class _Found(NamedTuple):
    """A boot sign with the place of its record."""

    sign: Sign
    event: int
    kind: int
    host: str
    record: int | None
    ticks: int
    named: int | None
    chunk: int
    offset: int


def _by_host_and_time(found: _Found) -> tuple[str, int, str, int]:
    return found.host, found.ticks, found.sign, found.record or 0


class Signs:
    """The clocks and the boot signs of a case."""

    def __init__(self, db: sqlite3.Connection, kinds: Kinds, hosts: Hosts, programs: Programs) -> None:
        self._db = db
        self._kinds = kinds
        self._hosts = hosts
        self._programs = programs
        self._found = list(self._find())
        self._changes: list[ClockChange] = []
        self.clock_rows = [*self._recorded_changes(), *self._changes_at_boot()]
        self.clocks: Mapping[str, Clock] = read_clocks(self._changes)
        for host, clock in self.clocks.items():
            self._find_cuts(host, clock)

    def era(self, host: int | None, kind: int, record: int | None, ticks: int | None) -> int:
        """Return the era of an event by its columns; 0 for one without a time."""
        clock = self.clocks.get(self._hosts[host])
        return clock.era(self._kinds.log[kind], record, ticks) if clock and ticks is not None else 0

    def boot_signs(self) -> Iterator[BootSign]:
        """Yield the records that tell of boots and shutdowns."""
        for found in self._found:
            ticks = found.ticks if found.named is None else found.named
            clock = self.clocks.get(found.host)
            era = clock.era(self._kinds.log[found.kind], found.record, ticks) if clock else 0
            yield BootSign(found.host, (era, ticks), found.record or 0, found.event, found.sign)

    def _find(self) -> Iterator[_Found]:
        for mapping, sign in _SIGNS.items():
            yield from self._read(self._kinds.of(mapping), sign)
        yield from self._read(self._kinds.of("security/4688", "sysmon/1"), "first_process")

    def _read(self, kinds: list[int], sign: Sign) -> Iterator[_Found]:
        time = f"json_extract(data, '$.event_data.{_NAMED_TIMES[sign]}')" if sign in _NAMED_TIMES else "NULL"
        of_kernel = 'AND "process.parent.pid" = 4' if sign == "first_process" else ""
        rows = self._db.execute(
            f'SELECT id, kind, "host.name", "winlog.record_id", "@timestamp", {time}, chunk, "offset",'
            f' "process.executable" FROM event WHERE kind IN ({listed(kinds)}) AND "@timestamp" IS NOT NULL {of_kernel}'
            " AND id NOT IN (SELECT event FROM document_twin)"
            ' ORDER BY (SELECT sha256 FROM chunk c WHERE c.id = chunk), "offset"'
        )
        for event, kind, host, record, ticks, text, chunk, offset, program in rows:
            if of_kernel and self._programs[program].rpartition("\\")[2] not in _FIRST_PROGRAMS:
                continue
            named = parse_time(text)
            if named is not None and not -_CUT < ticks - named <= _BELIEVED:
                named = None
            yield _Found(sign, event, kind, self._hosts[host], record, ticks, named, chunk, offset)

    def _recorded_changes(self) -> Iterator[ClockRow]:
        rows = self._db.execute(
            'SELECT id, kind, "host.name", "winlog.record_id", "@timestamp", chunk, "offset",'
            " coalesce(json_extract(data, '$.event_data.PreviousTime'), json_extract(data, '$.event_data.OldTime')),"
            f" json_extract(data, '$.event_data.NewTime') FROM event WHERE kind IN ({listed(self._kinds.clock)})"
            " AND id NOT IN (SELECT event FROM document_twin)"
        ).fetchall()
        for event, kind, host, record, ticks, chunk, offset, old_text, new_text in rows:
            method: ClockMethod = "recorded"
            old, new = parse_time(old_text), parse_time(new_text)
            if old is None or new is None:
                # Up to Windows 7 these are local times in the user's format: the records around say more.
                method, new = "previous_record", ticks
                old = self._time_before(chunk, offset, 1)
            if old is not None and new is not None and record is not None:
                self._changes.append(ClockChange(self._hosts[host], self._kinds.log[kind], record, old, new))
            yield ClockRow(event, self._hosts[host], old, new, method)

    def _changes_at_boot(self) -> Iterator[ClockRow]:
        """Yield a change for each boot with a clock behind; every log with signs of the boot is cut at the first."""
        for host, signs in groupby(sorted(self._found, key=_by_host_and_time), key=lambda found: found.host):
            firsts = [found for found in signs if found.sign in _FIRST_OF_BOOT and found.record is not None]
            times = [found.ticks for found in firsts]
            for event, old, first, last in self._falls(firsts):
                yield ClockRow(event, host, old, first, "at_boot")
                cuts: dict[str, int] = {}
                around = slice(bisect_left(times, first - _BELIEVED), bisect_right(times, last + _BELIEVED))
                for found in firsts[around]:
                    log = self._kinds.log[found.kind]
                    cuts[log] = min(cuts.get(log, found.record or 0), found.record or 0)
                self._changes += [
                    ClockChange(host, log, record, old, first, is_at_boot=True) for log, record in sorted(cuts.items())
                ]

    def _falls(self, signs: list[_Found]) -> Iterator[tuple[int, int, int, int]]:
        """Yield (first record, time before, first time, last time) of boots whose first records are older than those
        before them, from the signs of one host in order of time."""
        fall: tuple[int, int, int, int] | None = None
        for found in signs:
            before = (
                None if found.sign == "kernel_start" else self._time_before(found.chunk, found.offset, _WRITTEN_AHEAD)
            )
            if before is None or before - found.ticks < _FALL_AT_BOOT:
                continue
            if fall is not None and found.ticks - fall[3] <= _BELIEVED:
                fall = (fall[0], max(fall[1], before), fall[2], found.ticks)
                continue
            if fall is not None:
                yield fall
            fall = (found.event, before, found.ticks, found.ticks)
        if fall is not None:
            yield fall

    def _time_before(self, chunk: int, offset: int, records: int) -> int | None:
        """Return the latest time among the ``records`` before one: of the same chunk, others may be of another log.

        None for a stale record: what stands before it in its chunk was written after it. And for a document: those of
        several logs may stand before it, in any order.
        """
        found = self._db.execute(
            'SELECT max(time) FROM (SELECT coalesce("winlog.time_created", "@timestamp") AS time FROM event'
            ' WHERE chunk = ?1 AND "offset" < ?2 AND ?1 NOT IN (SELECT chunk FROM document_block) AND NOT EXISTS'
            ' (SELECT 1 FROM stale_record r WHERE r.chunk = ?1 AND r."offset" = ?2) ORDER BY "offset" DESC LIMIT ?3)',
            (chunk, offset, records),
        ).fetchone()
        return None if found is None else found[0]

    def _find_cuts(self, host: str, clock: Clock) -> None:
        """Find where the logs without records of clock changes passed them."""
        for stretch in clock.stretches:
            for log in sorted(set(self._kinds.log.values())):
                if log in stretch.cuts or stretch.end - stretch.start < MIN_FALL:
                    continue
                rows = self._db.execute(
                    'SELECT "winlog.record_id", coalesce("winlog.time_created", "@timestamp") FROM event'
                    f' WHERE kind IN ({listed(self._kinds.of_log(log))}) AND "@timestamp" BETWEEN ? AND ?'
                    f' AND "host.name" IN ({listed(self._hosts.spellings(host))}) AND "winlog.record_id" IS NOT NULL'
                    ' ORDER BY "winlog.record_id", 2',
                    (stretch.start, stretch.end),
                )
                find_cuts(stretch, log, rows)
