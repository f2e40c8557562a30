"""Makes the tables that say what the logs cover: logs, gaps in their record ids, and what records of them hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from evtxscan.context.coverage.logs import read_logs
from evtxscan.store.finish import index_chunks, index_kinds, live_only

TABLES = ("log", "log_gap", "recorded_field")

# An empty text is no value: so Windows writes a command line that is not audited.
_BLANK = """
SELECT v.id FROM column_value c JOIN value v ON v.id = c.value
WHERE c.column IN ('process.command_line', 'process.parent.executable') AND v.text IN ('', '-')
"""
_STARTS = """
CREATE TEMP TABLE coverage_start AS
SELECT lower(v.text) AS host, has_line, has_name, sum(events) AS events, min(first) AS first, max(last) AS last FROM (
    SELECT "host.name" AS host,
        "process.command_line" IS NOT NULL AND "process.command_line" NOT IN ({blank}) AS has_line,
        "process.parent.executable" IS NOT NULL AND "process.parent.executable" NOT IN ({blank}) AS has_name,
        count(*) AS events, min("@timestamp") AS first, max("@timestamp") AS last
    FROM event e INDEXED BY event_by_kind
    WHERE kind IN (SELECT id FROM kind WHERE mapping = 'security/4688') {live}
        AND e.id NOT IN (SELECT event FROM document_twin)
    GROUP BY 1, 2, 3
) JOIN value v ON v.id = host GROUP BY 1, 2, 3
"""
_FIELD = """
INSERT INTO recorded_field
SELECT host, ?, sum(events), sum(events * {has}), min(CASE WHEN {has} THEN first END),
    max(CASE WHEN {has} THEN last END), min(CASE WHEN NOT {has} THEN first END), max(CASE WHEN NOT {has} THEN last END)
FROM coverage_start GROUP BY host ORDER BY host
"""
_SYSMON = """
INSERT INTO recorded_field
SELECT lower(v.text), 'sysmon', sum(events), sum(events), min(first), max(last), NULL, NULL FROM event_count n
JOIN kind k ON k.id = n.kind JOIN value v ON v.id = n.host WHERE k.mapping LIKE 'sysmon/%' GROUP BY 1 ORDER BY 1
"""


def add_coverage(db: sqlite3.Connection) -> None:
    """Fill the tables, which are empty; counts of events have to be up to date."""
    index_chunks(db)  # a case of an earlier version may be without
    index_kinds(db)
    for number, log in enumerate(read_logs(db), 1):
        _insert(
            db,
            "log",
            [
                (
                    number, log.host, log.channel, log.events, log.files, log.first_id, log.last_id, log.start,
                    log.end, log.begins,
                )
            ],
        )  # fmt: skip
        _insert(
            db,
            "log_gap",
            (
                (number, gap.after, gap.before, gap.records, gap.lost, gap.start, gap.end, gap.reason)
                for gap in log.gaps
            ),
        )
    _add_recorded(db)


def _add_recorded(db: sqlite3.Connection) -> None:
    db.execute("DROP TABLE IF EXISTS temp.coverage_start")
    blank = ", ".join(str(value) for (value,) in db.execute(_BLANK))
    db.execute(_STARTS.format(blank=blank, live=live_only(db, "AND e.id")))
    for what, has in (("command_lines", "has_line"), ("parent_names", "has_name")):
        db.execute(_FIELD.format(has=has), (what,))
    db.execute(_SYSMON)
    db.execute("DROP TABLE temp.coverage_start")


def _insert(db: sqlite3.Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    for row in rows:
        db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
