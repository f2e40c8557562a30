"""Makes the context tables: boots, clock changes, processes, lineage, logon sessions, script blocks, coverage."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from evtxscan.context.added import add_lineage
from evtxscan.context.boots import Boots
from evtxscan.context.coverage.build import TABLES, add_coverage
from evtxscan.context.lineage import LateParent, Lineage, ProcessRow
from evtxscan.context.lookups import Hosts, Kinds, LogonIds, Programs
from evtxscan.context.pairing import pair, without_copies
from evtxscan.context.scripts import add_script_blocks
from evtxscan.context.sessions import Logons
from evtxscan.context.signs import Signs
from evtxscan.context.streams import Streams, rank_chunks
from evtxscan.context.twins import find_twins
from evtxscan.store.case import Case, explained
from evtxscan.store.finish import finish
from evtxscan.store.scripts import SCRIPT_RECORD

RULES_VERSION = 4
"""Goes up with every change that can give another table from the same events."""

_TABLES = (
    "boot",
    "boot_event",
    "clock_change",
    "process",
    "lineage",
    "logon_session",
    "explicit_credential",
    "document_twin",
    "script_block",
    "script_block_part",
    "script_block_text",
    *TABLES,
    "context_state",
)


def ensure(case: Case) -> bool:
    """Make the tables anew if they do not fit the events of the case, and return whether that was needed.

    So it is after an ingest that was killed, and in a case of an earlier version. Raises CaseError when the case cannot
    be written.
    """
    with explained(case.path):
        known = case.db.execute("SELECT version, last_event, last_source FROM context_state").fetchone()
        newest = _newest(case.db)
    if known == (RULES_VERSION, *newest):
        return False
    finish(case)
    rebuild(case)
    return True


def rebuild(case: Case) -> None:
    """Make all context tables anew from the events, in one transaction. Raises CaseError.

    Indexes and counts of events have to be up to date (``store.finish``). The result depends on the records alone, not
    on the order in which they were ingested.
    """
    with case.transaction():
        db = case.db
        indexes = _take_indexes(db)
        for table in _TABLES:
            db.execute(f"DELETE FROM {table}")
        kinds, hosts, programs, logon_ids = Kinds(db), Hosts(db), Programs(db), LogonIds(db)
        rank_chunks(db)
        find_twins(db, kinds)
        signs = Signs(db, kinds, hosts, programs)
        boots = Boots(signs.boot_signs())
        streams = Streams(db, kinds, signs)
        logons = Logons(boots, hosts, logon_ids)
        _insert(db, "clock_change", 5, signs.clock_rows)
        _insert(db, "explicit_credential", 2, logons.read(streams.logon_rows()))
        logon_ids.forget()
        copies: list[tuple[int, int]] = []
        streams.keep_pairs(list(pair(without_copies(streams.starts(), copies), hosts, programs)))
        streams.keep_copies(copies)
        lineage = Lineage(boots, hosts, programs, _blank(db), logons.link)
        _insert_processes(db, lineage.link(streams.rows()))
        add_lineage(db)
        _insert(db, "logon_session", 13, logons.rows())
        _insert_boots(db, boots)
        add_script_blocks(db, [kind for kind in kinds.of(SCRIPT_RECORD) if kind not in kinds.taken])
        add_coverage(db)
        _insert(db, "context_state", 4, [(1, RULES_VERSION, *_newest(db))])
        streams.close()
        for definition in indexes:
            db.execute(definition)


def _take_indexes(db: sqlite3.Connection) -> list[str]:
    """Drop the indexes of the tables and return their definitions: to fill a table without them is much faster."""
    marks = ", ".join("?" * len(_TABLES))
    found = db.execute(
        f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({marks})"
        " ORDER BY name",
        _TABLES,
    ).fetchall()
    for name, _ in found:
        db.execute(f"DROP INDEX {name}")
    return [definition for _, definition in found]


def _newest(db: sqlite3.Connection) -> tuple[int, int]:
    """Return the newest event and the newest source."""
    event, source = db.execute(
        "SELECT (SELECT coalesce(max(id), 0) FROM event), (SELECT coalesce(max(id), 0) FROM source)"
    ).fetchone()
    return int(event), int(source)


def _blank(db: sqlite3.Connection) -> set[int]:
    """Return the ids of the texts that Sysmon writes for what it could not find out."""
    return {value for (value,) in db.execute("SELECT id FROM value WHERE text IN ('?', '-')")}


def _insert(db: sqlite3.Connection, table: str, width: int, rows: Iterable[Sequence[Any]]) -> None:
    db.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * width)})", rows)


def _insert_processes(db: sqlite3.Connection, rows: Iterator[ProcessRow | LateParent]) -> None:
    late: list[LateParent] = []

    def processes() -> Iterator[ProcessRow]:
        for row in rows:
            if isinstance(row, ProcessRow):
                yield row
            else:
                late.append(row)

    _insert(db, "process", len(ProcessRow._fields), processes())
    db.executemany(
        "UPDATE process SET parent = ?2, parent_method = 'sysmon_guid', parent_reason = NULL WHERE id = ?1", late
    )


def _insert_boots(db: sqlite3.Connection, boots: Boots) -> None:
    for boot in boots.all:
        method = None if boot.key is None else "recorded" if boot.is_exact else "first_sign"
        row = (boot.id, boot.host, boot.number, boot.started, method, boot.ended, boot.end_method)
        _insert(db, "boot", len(row), [row])
        _insert(db, "boot_event", 3, ((boot.id, event, role) for event, role in boot.events))
