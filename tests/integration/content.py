"""Says what a case holds, in a form that two cases of the same evidence share."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]

_EVENTS = """
SELECT hex(c.sha256), e."offset", e."winlog.record_id", k.definition, k.mapping, e.mended, e."@timestamp", v.text,
    e.data
FROM event e JOIN chunk c ON c.id = e.chunk JOIN kind k ON k.id = e.kind LEFT JOIN value v ON v.id = e."host.name"
ORDER BY 1, 2
"""
_COPIES = """
SELECT hex(c.sha256), p."offset", hex(o.sha256), e."offset"
FROM event_copy p JOIN chunk c ON c.id = p.chunk JOIN event e ON e.id = p.event JOIN chunk o ON o.id = e.chunk
ORDER BY 1, 2
"""
_LOSSES = """
SELECT hex(c.sha256), l."offset", l.record_id, l.reason, l.detail FROM loss l JOIN chunk c ON c.id = l.chunk
ORDER BY 1, 2, 3
"""
_CHUNKS = """
SELECT hex(sha256), size, records, events, lost, checksums_ok, first_record_id, first_written, only_categories
FROM chunk ORDER BY 1
"""
_PLACES = """
SELECT s.path, s.sha256, sc.number, hex(c.sha256) FROM source_chunk sc JOIN source s ON s.id = sc.source
JOIN chunk c ON c.id = sc.chunk ORDER BY 1, 2, 3
"""
_SOURCES = "SELECT path, sha256, size, state, error, found, lost, filtered FROM source ORDER BY path, sha256"
LIVE = "id NOT IN (SELECT event FROM stale_record WHERE state = 'event')"
"""What events of live records are, in SQL."""
_STALE = """
SELECT hex(c.sha256), r."offset", r.size, r.record_id, r.written, r.origin, r.state, r.template, r.template_id,
    r.reason, r.detail, r.document, hex(o.sha256), e."offset"
FROM stale_record r JOIN chunk c ON c.id = r.chunk LEFT JOIN event e ON e.id = r.event
LEFT JOIN chunk o ON o.id = e.chunk ORDER BY 1, 2
"""
_HOSTS = """
SELECT k.definition, v.text, events, first, last FROM event_count n JOIN kind k ON k.id = n.kind
LEFT JOIN value v ON v.id = n.host ORDER BY 1, 2
"""
_BYTES = "SELECT bytes FROM chunk ORDER BY hex(sha256)"
_PROCESSES = """
SELECT b.host, b.number, p.pid, p.started, p.ended, p.end_method, o.pid, p.parent_method, p.parent_reason
FROM process p JOIN boot b ON b.id = p.boot LEFT JOIN process o ON o.id = p.parent ORDER BY 1, 2, 3, 4
"""


def read(case: Path, sql: str) -> list[Row]:
    """Run a query over a case as any SQLite program would."""
    with closing(sqlite3.connect(case)) as db:
        return db.execute(sql).fetchall()


def events(case: Path) -> list[Row]:
    """Return every event by its place in the evidence: chunk's SHA-256, offset, record id, kind, times, host, data."""
    return read(case, _EVENTS)


def content(case: Path) -> dict[str, list[Row]]:
    """Return all that an ingest stores and works out; no row ids, no times of day."""
    return {
        "events": events(case),
        "copies": read(case, _COPIES),
        "losses": read(case, _LOSSES),
        "chunks": read(case, _CHUNKS),
        "places": read(case, _PLACES),
        "sources": read(case, _SOURCES),
        "stale records": read(case, _STALE),
        "hosts": read(case, _HOSTS),
        "processes": read(case, _PROCESSES),
        "chunk bytes": [(hashlib.sha256(data).hexdigest(),) for (data,) in read(case, _BYTES)],
        "skipped": read(case, "SELECT path, reason FROM skipped ORDER BY path"),
    }


def faults(case: Path) -> list[str]:
    """Return what is wrong with a case of which no ingest is under way: SQLite's own checks, and our sums."""
    checks = {
        "a record is stored twice": 'SELECT chunk, "offset" FROM event GROUP BY 1, 2 HAVING count(*) > 1',
        "a record is an event and a copy": 'SELECT chunk, "offset" FROM event JOIN event_copy USING (chunk, "offset")',
        "a chunk miscounts its events": (
            "SELECT c.id FROM chunk c WHERE c.events <> (SELECT count(*) FROM event e WHERE e.chunk = c.id"
            " AND e.id NOT IN (SELECT event FROM stale_record WHERE state = 'event'))"
            " + (SELECT count(*) FROM event_copy p WHERE p.chunk = c.id)"
        ),
        "a chunk miscounts its losses": (
            "SELECT c.id FROM chunk c WHERE c.lost <> (SELECT count(*) FROM loss l WHERE l.chunk = c.id)"
        ),
        "a stale record is counted as live": (
            "SELECT sum(events) FROM event_count HAVING sum(events) <>"
            " (SELECT count(*) FROM event) - (SELECT count(*) FROM stale_record WHERE state = 'event')"
        ),
        "a stale record is an event of another": (
            'SELECT r.chunk, r."offset" FROM stale_record r JOIN event e ON e.id = r.event'
            ' WHERE (r.state = \'event\') <> (e.chunk = r.chunk AND e."offset" = r."offset")'
        ),
        "a stale record has no event": (
            "SELECT chunk, \"offset\" FROM stale_record WHERE (state IN ('event', 'copy')) <> (event IS NOT NULL)"
        ),
        "a record is neither stored nor lost": (
            "SELECT id FROM chunk WHERE records <> events + lost AND only_categories IS NULL"
        ),
        "a source's sum is wrong": (
            "SELECT path FROM source WHERE state <> 'reading' AND found <> stored + known + lost + filtered"
        ),
    }
    with closing(sqlite3.connect(case)) as db:  # one for all: reading the schema takes longer than a check
        found = [str(row) for (row,) in db.execute("PRAGMA integrity_check") if row != "ok"]
        found += [f"{row}" for row in db.execute("PRAGMA foreign_key_check")]
        for what, sql in checks.items():
            found += [f"{what}: {row}" for row in db.execute(sql)]
    return found
