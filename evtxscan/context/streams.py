"""What the rules of this package need to know of the events, read from a case in order and without reading it whole.

The order does not depend on the order of ingest: era, time, record id, then log, chunk hash and offset.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from evtxscan.context.boots import BootSign, Sign
from evtxscan.context.clock import MIN_FALL, Clock, ClockChange, find_cuts, read_clocks
from evtxscan.context.lineage import Row
from evtxscan.context.pairing import Start, fold
from evtxscan.context.sessions import LogonRow
from evtxscan.ecs.convert import hexadecimal
from evtxscan.ecs.times import parse_time
from evtxscan.evtx.filetime import TICKS_PER_SECOND

ClockMethod = Literal["recorded", "previous_record"]

_SYSMON_START, _SYSMON_END = "sysmon/1", "sysmon/5"
_START, _END = "security/4688", "security/4689"
_LOGONS = ("security/4624", "security/4634", "security/4647", "security/4672", "security/4648")
_SIGNS: dict[str, Sign] = {
    "security/4608": "4608",
    "system/6005": "6005",
    "system/6006": "6006",
    "system/6008": "6008",
    "system/6009": "6009",
    "system/12": "kernel_start",
    "system/13": "kernel_stop",
}
_CLOCK_SECURITY = "security/4616"
_CLOCK_KERNEL = ("Microsoft-Windows-Kernel-General", "System", "1")

# What the kernel itself starts at boot, before anything else runs.
_FIRST_PROGRAMS = frozenset({"smss.exe", "registry"})
# StartTime and StopTime are believed where they are this much older than their record at most.
_BELIEVED = 10 * 60 * TICKS_PER_SECOND


class _Texts(dict[int | None, str]):
    """Texts of table value by id, read when first asked for; NULL is the empty text."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__({None: ""})
        self._db = db

    def __missing__(self, value: int | None) -> str:
        found = self._db.execute("SELECT text FROM value WHERE id = ?", (value,)).fetchone()
        text = self[value] = self.convert(found[0] if found else "")
        return text

    @staticmethod
    def convert(text: str) -> str:
        """Return the form of a text that is compared."""
        return text


class _Hosts(_Texts):
    @staticmethod
    def convert(text: str) -> str:
        return text.lower()


class _Programs(_Texts):
    @staticmethod
    def convert(text: str) -> str:
        return fold(text)


class _LogonIds(dict[int | None, int | None]):
    """Logon ids as numbers by the id of their text; None for 0, which says that there is none."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__({None: None})
        self._db = db

    def __missing__(self, value: int | None) -> int | None:
        found = self._db.execute("SELECT text FROM value WHERE id = ?", (value,)).fetchone()
        number = self[value] = (hexadecimal(found[0]) if found else None) or None
        return number

    def preload(self) -> None:
        """Read all that occur in one go."""
        rows = self._db.execute(
            "SELECT id, text FROM column_value JOIN value ON id = value WHERE column IN"
            " ('winlog.event_data.TargetLogonId', 'winlog.logon.id', 'winlog.event_data.LogonId')"
        )
        self.update((value, hexadecimal(text) or None) for value, text in rows)


class Streams:
    """Reads one case. Makes the temporary tables context_chunk, context_copy and context_pair in its connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.hosts: Mapping[int | None, str] = _Hosts(db)
        self.programs: Mapping[int | None, str] = _Programs(db)
        logon_ids = _LogonIds(db)
        logon_ids.preload()
        self.logon_ids: Mapping[int | None, int | None] = logon_ids
        self._kinds: dict[str, list[int]] = defaultdict(list)
        self._channels: dict[int, str] = {}
        self._clock_kinds: list[int] = []
        for kind, mapping, provider, channel, code in db.execute(
            "SELECT id, mapping, provider, channel, code FROM kind ORDER BY id"
        ):
            self._kinds[mapping].append(kind)
            self._channels[kind] = channel or ""
            if mapping == _CLOCK_SECURITY or (provider, channel, code) == _CLOCK_KERNEL:
                self._clock_kinds.append(kind)
        self._clocks: Mapping[str, Clock] = {}
        self._rank_chunks()

    @property
    def blank(self) -> set[int | None]:
        """The ids of the texts that Sysmon writes for what it could not find out."""
        rows = self._db.execute("SELECT id FROM value WHERE text IN ('?', '-', '')")
        return {None, *(value for (value,) in rows)}

    def clock_changes(self) -> Iterator[tuple[int, str, int | None, int | None, ClockMethod]]:
        """Yield (event, host, old, new, method) of each recorded setting of a clock, and learn the eras from them."""
        changes: list[ClockChange] = []
        rows = self._db.execute(
            'SELECT id, kind, "host.name", "winlog.record_id", "@timestamp", chunk, "offset",'
            " coalesce(json_extract(data, '$.event_data.PreviousTime'), json_extract(data, '$.event_data.OldTime')),"
            f" json_extract(data, '$.event_data.NewTime') FROM event WHERE kind IN ({_listed(self._clock_kinds)})"
        ).fetchall()
        for event, kind, host, record, ticks, chunk, offset, old_text, new_text in rows:
            old, new, method = parse_time(old_text), parse_time(new_text), "recorded"
            if old is None or new is None:
                # Up to Windows 7 these are local times in the user's format: the records around say more.
                old, new, method = self._time_before(chunk, offset), ticks, "previous_record"
            yield event, self.hosts[host], old, new, "recorded" if method == "recorded" else "previous_record"
            if old is not None and new is not None and record is not None:
                changes.append(ClockChange(self.hosts[host], self._channels[kind], record, event, old, new))
        self._clocks = read_clocks(changes)
        for host_name, clock in self._clocks.items():
            self._find_cuts(host_name, clock)

    def boot_signs(self) -> Iterator[BootSign]:
        """Yield the records that tell of boots and shutdowns. Ask for the clock changes first."""
        for mapping, sign in _SIGNS.items():
            time = {"kernel_start": "StartTime", "kernel_stop": "StopTime"}.get(sign)
            yield from self._signs(
                self._kinds[mapping], sign, f"json_extract(data, '$.event_data.{time}')" if time else "NULL", ""
            )
        starts = self._kinds[_START] + self._kinds[_SYSMON_START]
        yield from self._signs(starts, "first_process", "NULL", 'AND "process.parent.pid" = 4')

    def starts(self) -> Iterator[Start]:
        """Yield all process starts in the order that pairing wants."""
        both = self._kinds[_START] + self._kinds[_SYSMON_START]
        rows = self._db.execute(
            f'SELECT "process.pid", "@timestamp", kind IN ({_listed(self._kinds[_START])}) AS is_security, event.id,'
            ' "host.name", "process.executable", "winlog.record_id" FROM event JOIN context_chunk c ON c.id = chunk'
            f' WHERE kind IN ({_listed(both)}) AND "process.pid" IS NOT NULL AND "@timestamp" IS NOT NULL'
            ' ORDER BY "process.pid", "@timestamp", is_security, "winlog.record_id", "host.name", rank, "offset"'
        )
        return map(Start._make, rows)

    def keep_copies(self, copies: Iterable[tuple[int, int]]) -> None:
        """Keep (event, event it is a copy of) in context_copy."""
        self._db.execute("DROP TABLE IF EXISTS temp.context_copy")
        self._db.execute("CREATE TEMP TABLE context_copy (event INTEGER PRIMARY KEY, original INTEGER NOT NULL)")
        self._db.executemany("INSERT INTO context_copy VALUES (?, ?)", copies)

    def keep_pairs(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Keep (Sysmon event, Security event) in context_pair."""
        self._db.execute("DROP TABLE IF EXISTS temp.context_pair")
        self._db.execute("CREATE TEMP TABLE context_pair (sysmon INTEGER PRIMARY KEY, security INTEGER NOT NULL)")
        self._db.executemany("INSERT INTO context_pair VALUES (?, ?)", pairs)
        self._db.execute("CREATE UNIQUE INDEX temp.context_pair_by_security ON context_pair(security)")

    def rows(self) -> Iterator[Row]:
        """Yield process starts and ends in order. Copies and pairs have to be kept before."""
        width = len(Row._fields)
        rows = self._db.execute(
            _ROWS.format(
                era=self._era("e"),
                start=_listed(self._kinds[_START]),
                sysmon_start=_listed(self._kinds[_SYSMON_START]),
                end=_listed(self._kinds[_END]),
                sysmon_end=_listed(self._kinds[_SYSMON_END]),
            )
        )
        return (Row._make(row[:width]) for row in rows)

    def logon_rows(self) -> Iterator[LogonRow]:
        """Yield the records that open, use and close logon sessions, in order."""
        parts = []
        for mapping in _LOGONS:
            code = mapping.partition("/")[2]
            column = "winlog.logon.id" if code in ("4672", "4648") else "winlog.event_data.TargetLogonId"
            parts.append(
                f'SELECT {self._era("e")} AS era, "@timestamp" AS ticks, "winlog.record_id" AS record, "host.name",'
                f' \'{code}\' AS code, e.id, "{column}", rank, "offset" FROM event e'
                f" JOIN context_chunk c ON c.id = e.chunk WHERE kind IN ({_listed(self._kinds[mapping])})"
            )
        rows = self._db.execute(f'{" UNION ALL ".join(parts)} ORDER BY era, ticks, record, code, rank, "offset"')
        return (LogonRow._make(row[:7]) for row in rows)

    def _rank_chunks(self) -> None:
        self._db.execute("DROP TABLE IF EXISTS temp.context_chunk")
        self._db.execute("CREATE TEMP TABLE context_chunk (id INTEGER PRIMARY KEY, rank INTEGER NOT NULL)")
        self._db.execute("INSERT INTO context_chunk SELECT id, row_number() OVER (ORDER BY sha256) FROM chunk")

    def _time_before(self, chunk: int, offset: int) -> int | None:
        """Return the time of the record before, in the same chunk: another may be of another log."""
        found = self._db.execute(
            'SELECT coalesce("winlog.time_created", "@timestamp") FROM event WHERE chunk = ? AND "offset" < ?'
            ' ORDER BY "offset" DESC LIMIT 1',
            (chunk, offset),
        ).fetchone()
        return None if found is None else found[0]

    def _find_cuts(self, host: str, clock: Clock) -> None:
        """Find where the logs without records of clock changes passed them."""
        spellings = [value for value, text in self.hosts.items() if text == host and value is not None]
        logs = sorted(set(self._channels.values()))
        for stretch in clock.stretches:
            for log in logs:
                if log in stretch.cuts or stretch.end - stretch.start < MIN_FALL:
                    continue
                kinds = [kind for kind, channel in self._channels.items() if channel == log]
                rows = self._db.execute(
                    'SELECT "winlog.record_id", coalesce("winlog.time_created", "@timestamp") FROM event'
                    f' WHERE kind IN ({_listed(kinds)}) AND "@timestamp" BETWEEN ? AND ?'
                    f' AND "host.name" IN ({_listed(spellings)}) AND "winlog.record_id" IS NOT NULL'
                    ' ORDER BY "winlog.record_id", 2',
                    (stretch.start, stretch.end),
                )
                find_cuts(stretch, log, rows)

    def _signs(self, kinds: list[int], sign: Sign, time: str, condition: str) -> Iterator[BootSign]:
        rows = self._db.execute(
            'SELECT id, kind, "host.name", "winlog.record_id", "@timestamp", "process.executable",'
            f" {time} FROM event WHERE kind IN ({_listed(kinds)}) {condition}"
        )
        for event, kind, host, record, ticks, program, named in rows:
            if ticks is None:
                continue
            if sign == "first_process" and self.programs[program].rpartition("\\")[2] not in _FIRST_PROGRAMS:
                continue
            moment = parse_time(named)
            time_of = ticks if moment is None or not 0 <= ticks - moment <= _BELIEVED else moment
            name = self.hosts[host]
            clock = self._clocks.get(name)
            era = clock.era(self._channels[kind], record, time_of) if clock else 0
            yield BootSign(name, (era, time_of), record or 0, event, sign)

    def _era(self, event: str) -> str:
        """Return the SQL that gives an event's era."""
        if not self._clocks:
            return "0"

        def era(host: int | None, kind: int, record: int | None, ticks: int | None) -> int:
            clock = self._clocks.get(self.hosts[host])
            return clock.era(self._channels[kind], record, ticks) if clock and ticks is not None else 0

        self._db.create_function("context_era", 4, era, deterministic=True)
        return f'context_era({event}."host.name", {event}.kind, {event}."winlog.record_id", {event}."@timestamp")'


def _listed(kinds: Iterable[int]) -> str:
    return ", ".join(map(str, kinds)) or "NULL"


_ROWS = """
SELECT {era} AS era, e."@timestamp" AS ticks, e."winlog.record_id" AS record, e."host.name",
    0 AS is_end, 1 AS is_security, e.id, e."process.pid", e."process.executable", e."process.command_line",
    e."process.parent.pid", e."process.parent.executable", e."process.parent.command_line",
    s."process.entity_id", s."process.parent.entity_id", s.id, s."process.command_line",
    s."process.parent.executable", s."process.parent.command_line",
    e."winlog.logon.id", e."winlog.event_data.TargetLogonId",
    s."winlog.event_data.LogonId", s."winlog.event_data.LogonGuid", rank, e."offset" AS place
FROM event e JOIN context_chunk c ON c.id = e.chunk
    LEFT JOIN context_pair p ON p.security = e.id LEFT JOIN event s ON s.id = p.sysmon
WHERE e.kind IN ({start}) AND e.id NOT IN (SELECT event FROM context_copy)
UNION ALL
SELECT {era}, e."@timestamp", e."winlog.record_id", e."host.name",
    0, 0, e.id, e."process.pid", e."process.executable", e."process.command_line",
    e."process.parent.pid", e."process.parent.executable", e."process.parent.command_line",
    e."process.entity_id", e."process.parent.entity_id", e.id, NULL, NULL, NULL, NULL, NULL,
    e."winlog.event_data.LogonId", e."winlog.event_data.LogonGuid", rank, e."offset"
FROM event e JOIN context_chunk c ON c.id = e.chunk
WHERE e.kind IN ({sysmon_start}) AND e.id NOT IN (SELECT event FROM context_copy)
    AND e.id NOT IN (SELECT sysmon FROM context_pair)
UNION ALL
SELECT {era}, e."@timestamp", e."winlog.record_id", e."host.name",
    1, e.kind IN ({end}), e.id, e."process.pid", e."process.executable", NULL, NULL, NULL, NULL,
    e."process.entity_id", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, rank, e."offset"
FROM event e JOIN context_chunk c ON c.id = e.chunk
WHERE e.kind IN ({end}, {sysmon_end})
ORDER BY era, ticks, record, is_end, is_security, rank, place
"""
