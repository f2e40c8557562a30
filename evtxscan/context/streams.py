"""The records that the rules of this package go through, read from a case in order and without keeping them.

The order does not depend on the order of ingest: era, time, record id, then log, chunk hash and offset.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from evtxscan.context.lineage import Row
from evtxscan.context.lookups import Kinds, listed
from evtxscan.context.pairing import Start
from evtxscan.context.sessions import LogonRow
from evtxscan.context.signs import Signs

_TWIN = "(SELECT event FROM document_twin)"
_LOGON_ID = {
    "security/4624": "winlog.event_data.TargetLogonId",
    "security/4634": "winlog.event_data.TargetLogonId",
    "security/4647": "winlog.event_data.TargetLogonId",
    "security/4648": "winlog.logon.id",
    "security/4672": "winlog.logon.id",
}
"""The column that names the session a record is about."""


def rank_chunks(db: sqlite3.Connection) -> None:
    """Make the temporary table context_chunk: the order of the chunks, those of records before those of documents."""
    db.execute("DROP TABLE IF EXISTS temp.context_chunk")
    db.execute("CREATE TEMP TABLE context_chunk (id INTEGER PRIMARY KEY, rank INTEGER NOT NULL)")
    db.execute(
        "INSERT INTO context_chunk SELECT id, row_number()"
        " OVER (ORDER BY id IN (SELECT chunk FROM document_block), sha256) FROM chunk"
    )


class Streams:
    """Reads one case. Makes the temporary tables context_chunk, context_copy and context_pair in its connection."""

    def __init__(self, db: sqlite3.Connection, kinds: Kinds, signs: Signs) -> None:
        self._db = db
        self._kinds = kinds
        self._era = "0"
        if signs.clocks:
            db.create_function("context_era", 4, signs.era, deterministic=True)
            self._era = 'context_era(e."host.name", e.kind, e."winlog.record_id", e."@timestamp")'
        rank_chunks(db)

    def starts(self) -> Iterator[Start]:
        """Yield all process starts in the order that pairing wants."""
        security, sysmon = listed(self._kinds.of("security/4688")), listed(self._kinds.of("sysmon/1"))
        rows = self._db.execute(
            f'SELECT "process.pid", "@timestamp", kind IN ({security}) AS is_security, event.id,'
            ' "host.name", "process.executable", "winlog.record_id" FROM event JOIN context_chunk c ON c.id = chunk'
            f' WHERE kind IN ({security}, {sysmon}) AND "process.pid" IS NOT NULL AND "@timestamp" IS NOT NULL'
            f" AND event.id NOT IN {_TWIN}"
            ' ORDER BY "process.pid", "@timestamp", is_security, "winlog.record_id", "host.name", rank, "offset"'
        )
        return map(Start._make, rows)

    def keep_copies(self, copies: Iterable[tuple[int, int]]) -> None:
        """Keep (event, event it is a copy of) in context_copy."""
        self._db.execute("DROP TABLE IF EXISTS temp.context_copy")
        self._db.execute("CREATE TEMP TABLE context_copy (event INTEGER PRIMARY KEY, original INTEGER NOT NULL)")
        self._db.executemany("INSERT INTO context_copy VALUES (?, ?)", copies)
        # A document of a process start says of it what its record says, or what that is a copy of.
        self._db.execute(
            "INSERT INTO context_copy SELECT t.event, coalesce(c.original, t.original) FROM document_twin t"
            " LEFT JOIN context_copy c ON c.event = t.original"
        )

    def keep_pairs(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Keep (Sysmon event, Security event) in context_pair."""
        self._db.execute("DROP TABLE IF EXISTS temp.context_pair")
        self._db.execute("CREATE TEMP TABLE context_pair (sysmon INTEGER PRIMARY KEY, security INTEGER NOT NULL)")
        self._db.executemany("INSERT INTO context_pair VALUES (?, ?)", pairs)
        self._db.execute("CREATE UNIQUE INDEX temp.context_pair_by_security ON context_pair(security)")

    def close(self) -> None:
        """Drop the temporary tables."""
        for table in ("context_chunk", "context_copy", "context_pair"):
            self._db.execute(f"DROP TABLE IF EXISTS temp.{table}")

    def rows(self) -> Iterator[Row]:
        """Yield process starts and ends in order. Copies and pairs have to be kept before."""
        rows = self._db.execute(
            _ROWS.format(
                era=self._era,
                start=listed(self._kinds.of("security/4688")),
                sysmon_start=listed(self._kinds.of("sysmon/1")),
                end=listed(self._kinds.of("security/4689")),
                sysmon_end=listed(self._kinds.of("sysmon/5")),
            )
        )
        return map(Row._make, rows)

    def logon_rows(self) -> Iterator[LogonRow]:
        """Yield the records that open, use and close logon sessions, in order."""
        parts = [
            f'SELECT {self._era} AS era, "@timestamp" AS ticks, "winlog.record_id" AS record, "host.name" AS host,'
            f' \'{mapping.partition("/")[2]}\' AS code, e.id AS event, "{column}" AS logon, rank, "offset" AS place'
            f" FROM event e JOIN context_chunk c ON c.id = e.chunk WHERE kind IN ({listed(self._kinds.of(mapping))})"
            f" AND e.id NOT IN {_TWIN}"
            for mapping, column in _LOGON_ID.items()
        ]
        rows = self._db.execute(
            f"SELECT era, ticks, record, host, code, event, logon FROM ({' UNION ALL '.join(parts)})"
            " ORDER BY era, ticks, record, code, rank, place"
        )
        return map(LogonRow._make, rows)


# The columns are the fields of Row, and behind them what else decides the order.
_ROWS = """
SELECT era, ticks, host, is_end, is_security, event, pid, executable, command_line, parent_pid, parent_executable,
    entity_id, parent_entity_id, sysmon_event, subject_logon, target_logon, sysmon_logon, sysmon_logon_guid
FROM (
    SELECT {era} AS era, e."@timestamp" AS ticks, e."host.name" AS host, 0 AS is_end, 1 AS is_security, e.id AS event,
        e."process.pid" AS pid, e."process.executable" AS executable,
        ifnull(e."process.command_line", s."process.command_line") AS command_line,
        e."process.parent.pid" AS parent_pid,
        ifnull(e."process.parent.executable", s."process.parent.executable") AS parent_executable,
        s."process.entity_id" AS entity_id, s."process.parent.entity_id" AS parent_entity_id, s.id AS sysmon_event,
        e."winlog.logon.id" AS subject_logon, e."winlog.event_data.TargetLogonId" AS target_logon,
        s."winlog.event_data.LogonId" AS sysmon_logon, s."winlog.event_data.LogonGuid" AS sysmon_logon_guid,
        e."winlog.record_id" AS record, rank, e."offset" AS place
    FROM event e JOIN context_chunk c ON c.id = e.chunk
        LEFT JOIN context_pair p ON p.security = e.id LEFT JOIN event s ON s.id = p.sysmon
    WHERE e.kind IN ({start}) AND e.id NOT IN (SELECT event FROM context_copy)
        AND e.id NOT IN (SELECT event FROM document_twin)
    UNION ALL
    SELECT {era}, e."@timestamp", e."host.name", 0, 0, e.id, e."process.pid", e."process.executable",
        e."process.command_line", e."process.parent.pid", e."process.parent.executable", e."process.entity_id",
        e."process.parent.entity_id", e.id, NULL, NULL, e."winlog.event_data.LogonId",
        e."winlog.event_data.LogonGuid", e."winlog.record_id", rank, e."offset"
    FROM event e JOIN context_chunk c ON c.id = e.chunk
    WHERE e.kind IN ({sysmon_start}) AND e.id NOT IN (SELECT event FROM context_copy)
        AND e.id NOT IN (SELECT event FROM document_twin)
        AND e.id NOT IN (SELECT sysmon FROM context_pair)
    UNION ALL
    SELECT {era}, e."@timestamp", e."host.name", 1, e.kind IN ({end}), e.id, e."process.pid", e."process.executable",
        NULL, NULL, NULL, e."process.entity_id", NULL, NULL, NULL, NULL, NULL, NULL,
        e."winlog.record_id", rank, e."offset"
    FROM event e JOIN context_chunk c ON c.id = e.chunk
    WHERE e.kind IN ({end}, {sysmon_end}) AND e.id NOT IN (SELECT event FROM document_twin)
)
ORDER BY era, ticks, record, is_end, is_security, rank, place
"""
