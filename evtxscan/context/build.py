"""Makes the context tables: boots, clock changes, processes, lineage, logon sessions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from evtxscan.context.boots import Boots
from evtxscan.context.lineage import LateParent, Lineage, LineageRow, ProcessRow
from evtxscan.context.lookups import Hosts, Kinds, LogonIds, Programs
from evtxscan.context.pairing import pair, without_copies
from evtxscan.context.sessions import Logons
from evtxscan.context.signs import Signs
from evtxscan.context.streams import Streams
from evtxscan.store.case import Case, explained

RULES_VERSION = 1
"""Goes up with every change that can give another table from the same events."""

_TABLES = (
    "boot",
    "boot_event",
    "clock_change",
    "process",
    "lineage",
    "logon_session",
    "explicit_credential",
    "context_state",
)
# Rows held back between two statements.
_BATCH = 2_000


def ensure(case: Case) -> bool:
    """Make the tables anew if they do not fit the events of the case, and return whether that was needed.

    Raises CaseError when the case cannot be written.
    """
    with explained(case.path):
        known = case.db.execute("SELECT version, last_event FROM context_state").fetchone()
        last = _last_event(case.db)
    if known == (RULES_VERSION, last):
        return False
    rebuild(case)
    return True


def rebuild(case: Case) -> None:
    """Make all context tables anew from the events, in one transaction. Raises CaseError.

    The result depends on the records alone, not on the order in which they were ingested.
    """
    with case.transaction():
        db = case.db
        for table in _TABLES:
            db.execute(f"DELETE FROM {table}")
        kinds, hosts, programs = Kinds(db), Hosts(db), Programs(db)
        signs = Signs(db, kinds, hosts, programs)
        _insert(db, "INSERT OR IGNORE INTO clock_change VALUES (?, ?, ?, ?, ?)", signs.clock_rows)
        boots = Boots(signs.boot_signs())
        streams = Streams(db, kinds, signs)
        logons = Logons(boots, hosts, LogonIds(db))
        _insert(db, "INSERT OR IGNORE INTO explicit_credential VALUES (?, ?)", logons.read(streams.logon_rows()))
        copies: list[tuple[int, int]] = []
        streams.keep_pairs(list(pair(without_copies(streams.starts(), copies), hosts, programs)))
        streams.keep_copies(copies)
        lineage = Lineage(boots, hosts, programs, _blank(db), logons.link)
        _insert_lineage(db, lineage.link(streams.rows()))
        db.execute(_COPIES)
        _insert(db, f"INSERT INTO logon_session VALUES ({_marks(13)})", logons.rows())
        _insert_boots(db, boots)
        db.execute("INSERT INTO context_state VALUES (1, ?, ?)", (RULES_VERSION, _last_event(db)))


def _last_event(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()[0])


def _blank(db: sqlite3.Connection) -> set[int]:
    """Return the ids of the texts that Sysmon writes for what it could not find out."""
    return {value for (value,) in db.execute("SELECT id FROM value WHERE text IN ('?', '-')")}


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _insert(db: sqlite3.Connection, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH)):
        db.executemany(sql, batch)


def _insert_lineage(db: sqlite3.Connection, rows: Iterator[ProcessRow | LineageRow | LateParent]) -> None:
    processes, lineages, late = [], [], []
    while batch := list(islice(rows, _BATCH)):
        for row in batch:
            if isinstance(row, ProcessRow):
                processes.append(row)
            elif isinstance(row, LineageRow):
                lineages.append(row)
            else:
                late.append(row)
        db.executemany(f"INSERT INTO process VALUES ({_marks(len(ProcessRow._fields))})", processes)
        db.executemany(f"INSERT INTO lineage VALUES ({_marks(len(LineageRow._fields))})", lineages)
        processes.clear()
        lineages.clear()
    for child, parent in late:
        db.execute(_LATE_PARENT, (parent, child))
        db.execute(_LATE_LINEAGE, (parent, child))


def _insert_boots(db: sqlite3.Connection, boots: Boots) -> None:
    for boot in boots.all:
        method = None if boot.key is None else "recorded" if boot.is_exact else "first_sign"
        db.execute(
            f"INSERT INTO boot VALUES ({_marks(7)})",
            (boot.id, boot.host, boot.number, boot.started, method, boot.ended, boot.end_method),
        )
        db.executemany(
            "INSERT OR IGNORE INTO boot_event VALUES (?, ?, ?)", ((boot.id, event, role) for event, role in boot.events)
        )


# Further copies of a record say of their process what the first one says.
_COPIES = """
INSERT OR IGNORE INTO lineage
SELECT copy.event, process, parent_event, "process.parent.executable", "process.parent.command_line", method, reason
FROM temp.context_copy copy JOIN lineage ON lineage.event = copy.original
"""
_LATE_PARENT = "UPDATE process SET parent = ?, parent_method = 'sysmon_guid', parent_reason = NULL WHERE id = ?"
# What was taken from a process that only held the right id gives way to what the named parent says.
_LATE_LINEAGE = """
UPDATE lineage SET
    parent_event = coalesce(p.security_event, p.sysmon_event),
    "process.parent.command_line" = p."process.command_line",
    method = 'sysmon_guid',
    reason = iif(p."process.command_line" IS NULL, 'command_line_not_audited', NULL)
FROM (SELECT * FROM process WHERE id = ?) p
WHERE lineage.process = ? AND (method <> 'witness' OR method IS NULL) AND (method IS NOT NULL OR reason IS NOT NULL)
"""
