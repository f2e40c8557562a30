"""The logs of a case, from the records of each chunk: their time ranges, and the record ids that are missing.

Everything is added up by SQLite, chunk by chunk; only chunks whose records do not follow each other are looked into.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from evtxscan.context.coverage.model import BeginReason, Gap, GapReason, Log

# What the records of one chunk say of one log. is_copied: the ids in the headers are not those in the records, which is
# so where Windows exported or forwarded them.
_SPANS = """
CREATE TEMP TABLE coverage_span AS
SELECT s.chunk, s.channel, s.host, s.first, s.last, s.events, s.start, s.end,
    s.first <> c.first_record_id AND s.last <> c.first_record_id + c.records - 1 AS is_copied,
    c.checksums_ok = 0 OR c.lost > 0 AS is_damaged
FROM (
    SELECT chunk, k.channel AS channel, lower(v.text) AS host, min(first) AS first, max(last) AS last,
        sum(events) AS events, min(start) AS start, max(end) AS end
    FROM (
        SELECT chunk, kind, "host.name" AS host, min("winlog.record_id") AS first, max("winlog.record_id") AS last,
            count(*) AS events, min("@timestamp") AS start, max("@timestamp") AS end
        FROM event INDEXED BY event_by_chunk WHERE "winlog.record_id" IS NOT NULL GROUP BY chunk, kind, host
    ) e JOIN kind k ON k.id = e.kind JOIN value v ON v.id = e.host
    GROUP BY chunk, k.channel, lower(v.text)
) s JOIN chunk c ON c.id = s.chunk
"""
_INSIDE = """
SELECT host, channel, after, before, start, end, chunk FROM (
    SELECT s.host, s.channel, s.chunk, e."winlog.record_id" AS after, e."@timestamp" AS start,
        lead(e."winlog.record_id") OVER w AS before, lead(e."@timestamp") OVER w AS end
    FROM coverage_span s CROSS JOIN event e ON e.chunk = s.chunk
    CROSS JOIN kind k ON k.id = e.kind AND k.channel IS s.channel
    CROSS JOIN value v ON v.id = e."host.name" AND lower(v.text) = s.host
    WHERE s.events < s.last - s.first + 1 AND e."winlog.record_id" IS NOT NULL
    WINDOW w AS (PARTITION BY s.host, s.channel, s.chunk ORDER BY e."winlog.record_id")
) WHERE before > after + 1
"""
_BETWEEN = """
SELECT host, channel, chunk, first, last, start, end, is_copied, is_damaged FROM coverage_span
ORDER BY host, channel, first, last, start
"""
_TOTALS = """
SELECT s.host, s.channel, sum(s.events), count(DISTINCT source.sha256), min(first), max(last), min(s.start), max(s.end)
FROM coverage_span s LEFT JOIN source_chunk ON source_chunk.chunk = s.chunk
    LEFT JOIN source ON source.id = source_chunk.source
GROUP BY 1, 2 ORDER BY 1, 2
"""
_CLEARED = """
SELECT lower(v.text), CASE k.code WHEN '1102' THEN k.channel ELSE coalesce(
        json_extract(p.text, '$.Channel'), json_extract(e.data, '$.user_data.Channel')) END,
    e."@timestamp", e."winlog.record_id"
FROM kind k CROSS JOIN event e ON e.kind = k.id JOIN value v ON v.id = e."host.name"
    LEFT JOIN value p ON p.id = e.packed
WHERE (k.channel, k.code) IN (VALUES ('Security', '1102'), ('System', '104')) AND k.provider LIKE '%eventlog%'
ORDER BY 1, 3
"""
_LOST = """
SELECT DISTINCT s.host, s.channel, l.record_id FROM coverage_span s JOIN loss l ON l.chunk = s.chunk
WHERE l.record_id IS NOT NULL
"""
# The record of a clearing is written a moment after the log was cleared, and not by the same clock reading.
_CLEARING = 5 * 10_000_000

_Key = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class _Hole:
    after: int
    before: int
    start: int | None
    end: int | None
    chunks: tuple[int, int]
    is_copied: bool
    is_damaged: bool


def read_logs(db: sqlite3.Connection) -> list[Log]:
    """Return all logs of a case, by host and channel."""
    db.execute("DROP TABLE IF EXISTS temp.coverage_span")
    db.execute(_SPANS)
    try:
        return list(_logs(db))
    finally:
        db.execute("DROP TABLE temp.coverage_span")


def _logs(db: sqlite3.Connection) -> Iterator[Log]:
    holes = _holes(db)
    cleared: dict[_Key, list[tuple[int, int]]] = defaultdict(list)
    for host, channel, time, record in db.execute(_CLEARED):
        cleared[host, channel].append((time, record))
    lost: dict[_Key, set[int]] = defaultdict(set)
    for host, channel, record in db.execute(_LOST):
        lost[host, channel].add(record)
    for host, channel, events, files, first, last, start, end in db.execute(_TOTALS).fetchall():
        key = (host, channel)
        gaps = tuple(_gap(db, hole, cleared[key], lost[key]) for hole in holes.get(key, ()))
        begins = _begins(db, key, first, start, cleared[key])
        yield Log(host, channel or "", events, files, first, last, start, end, begins, gaps)


def _holes(db: sqlite3.Connection) -> Mapping[_Key, list[_Hole]]:
    """Return the ids that no record has, in order of id."""
    found: dict[_Key, list[_Hole]] = defaultdict(list)
    copied: set[int] = set()
    damaged: set[int] = set()
    spans: dict[_Key, list[tuple[int, int]]] = {}
    for key, rows in groupby(db.execute(_BETWEEN).fetchall(), key=lambda row: (row[0], row[1])):
        known = spans[key] = []
        last: tuple[int, int, int | None] | None = None  # the highest id so far, its chunk and time
        for _, _, chunk, first, end_id, start, end, is_copied, is_damaged in rows:
            copied.update([chunk] if is_copied else [])
            damaged.update([chunk] if is_damaged else [])
            known.append((first, end_id))
            if last is not None and first > last[0] + 1:
                both = {chunk, last[1]}
                hole = _Hole(
                    last[0], first, last[2], start, (last[1], chunk), bool(both & copied), bool(both & damaged)
                )
                found[key].append(hole)
            if last is None or end_id > last[0]:
                last = (end_id, chunk, end)
    for host, channel, after, before, start, end, chunk in db.execute(_INSIDE).fetchall():
        key = (host, channel)
        # Another copy of the chunk, or another file, may have them.
        if not any(first <= after + 1 and before - 1 <= last for first, last in _others(spans[key], after, before)):
            found[key].append(_Hole(after, before, start, end, (chunk, chunk), chunk in copied, chunk in damaged))
    for holes in found.values():
        holes.sort(key=lambda hole: hole.after)
    return found


def _others(spans: Iterable[tuple[int, int]], after: int, before: int) -> Iterator[tuple[int, int]]:
    """Yield the spans that do not themselves have the hole: those that begin or end within it."""
    return (span for span in spans if after < span[0] < before or after < span[1] < before)


def _gap(db: sqlite3.Connection, hole: _Hole, cleared: list[tuple[int, int]], lost: set[int]) -> Gap:
    records = hole.before - hole.after - 1
    known = sum(hole.after < record < hole.before for record in lost)
    return Gap(
        hole.after, hole.before, records, known, hole.start, hole.end, _reason(db, hole, records, known, cleared)
    )


def _reason(db: sqlite3.Connection, hole: _Hole, records: int, lost: int, cleared: list[tuple[int, int]]) -> GapReason:
    if lost == records:
        return "lost"
    if hole.start is not None and hole.end is not None:
        times = range(hole.start, hole.end + _CLEARING)
        if any(time in times for time, _ in cleared):
            return "cleared"
    if hole.is_copied:
        return "exported"
    if hole.is_damaged:
        return "damaged"
    one, other = (_files(db, chunk) for chunk in hole.chunks)
    shared = {source: (number, other[source]) for source, number in one.items() if source in other}
    if not shared:
        return "separate_files"
    if all(abs(later - earlier) > 1 for earlier, later in shared.values()):
        return "damaged"  # whole chunks between them are gone from the same file
    return "unexplained"


def _files(db: sqlite3.Connection, chunk: int) -> dict[int, int]:
    return dict(db.execute("SELECT source, number FROM source_chunk WHERE chunk = ?", (chunk,)))


def _begins(
    db: sqlite3.Connection, key: _Key, first: int, start: int | None, cleared: list[tuple[int, int]]
) -> BeginReason:
    if first == 1:
        return "first_record"
    if start is not None and any(abs(time - start) <= _CLEARING for time, _ in cleared):
        return "cleared"
    (is_copied,) = db.execute(
        "SELECT is_copied FROM coverage_span WHERE host = ? AND channel IS ? ORDER BY first LIMIT 1", key
    ).fetchone()
    return "exported" if is_copied else "overwritten"
