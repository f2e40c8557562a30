"""Which record ids of each log a case has: runs of ids without a gap, chunk by chunk.

A chunk of an ordinary log is one run, and SQLite adds it up in one pass over the events. Only chunks with records of
several logs, or with ids missing between them, are looked into.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from evtxscan.store.finish import live_only

# A log is told from the others of its chunk by its number above the bits for the row of its host's name.
_HOST_BITS = 40
_TABLES = """
CREATE TEMP TABLE coverage_kind (id INTEGER PRIMARY KEY, log INTEGER NOT NULL);
CREATE TEMP TABLE coverage_host (id INTEGER PRIMARY KEY, host INTEGER NOT NULL);
CREATE TEMP TABLE coverage_mixed (chunk INTEGER PRIMARY KEY);
CREATE TEMP TABLE coverage_run (
    log INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, events INTEGER NOT NULL,
    start INTEGER, end INTEGER, chunk INTEGER NOT NULL
);
"""
_DROPPED = ("coverage_kind", "coverage_host", "coverage_mixed", "coverage_run")
_CHUNKS = """
SELECT e.chunk, min("winlog.record_id"), max("winlog.record_id"), count("winlog.record_id"), min("@timestamp"),
    max("@timestamp"), min(k.log + coalesce(e."host.name", 0)), max(k.log + coalesce(e."host.name", 0))
FROM event e INDEXED BY event_by_chunk CROSS JOIN coverage_kind k ON k.id = e.kind {where} GROUP BY e.chunk
"""
# Records of one log and chunk whose ids follow each other have the same difference between id and rank. Records that a
# chunk repeats of another copy of it are in it as well: so its runs do not depend on which copy was ingested first.
_ISLANDS = """
SELECT log, min(record), max(record), sum(is_own), min(time), max(time), chunk FROM (
    SELECT p.chunk, k.log + h.host AS log, "winlog.record_id" AS record, "@timestamp" AS time, p.is_own,
        "winlog.record_id" - dense_rank() OVER (
            PARTITION BY p.chunk, k.log + h.host ORDER BY "winlog.record_id") AS island
    FROM (
        SELECT m.chunk, e.id AS event, 1 AS is_own
        FROM coverage_mixed m CROSS JOIN event e INDEXED BY event_by_chunk ON e.chunk = m.chunk
        UNION ALL
        SELECT m.chunk, c.event, 0 FROM coverage_mixed m CROSS JOIN event_copy c ON c.chunk = m.chunk
    ) p CROSS JOIN event e ON e.id = p.event
    CROSS JOIN coverage_kind k ON k.id = e.kind CROSS JOIN coverage_host h ON h.id = e."host.name"
    WHERE "winlog.record_id" IS NOT NULL {where}
) GROUP BY chunk, log, island
"""
# A document of a record that the case has as well tells nothing new, and has its time cut.
_NO_TWIN = "e.id NOT IN (SELECT event FROM document_twin)"
_FILTERED = """
SELECT id, first_record_id, first_record_id + records - 1, first_written FROM chunk
WHERE only_categories IS NOT NULL AND records > events AND lost = 0 AND first_record_id IS NOT NULL
"""
_LOG_OF_SOURCE = """
SELECT c.chunk, min(s.log) FROM source_chunk c JOIN (
    SELECT source, min(r.log) AS log FROM source_chunk JOIN coverage_run r USING (chunk)
    GROUP BY source HAVING min(r.log) = max(r.log)
) s ON s.source = c.source GROUP BY c.chunk HAVING min(s.log) = max(s.log)
"""


class Run(NamedTuple):
    """Record ids of one log that follow each other in one chunk, and the earliest and latest times of their records.

    ``events`` does not count what another chunk has given already.
    """

    log: int
    first: int
    last: int
    events: int
    start: int | None
    end: int | None
    chunk: int


class Runs:
    """The runs of a case, in a temporary table until ``close``. Logs are numbers: see ``names``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.close()
        for statement in _TABLES.split(";"):
            db.execute(statement)
        self._channels: dict[str | None, int] = {}
        self._hosts = self._make_hosts()
        self._make_kinds()
        self._add(self._whole_chunks())
        self._add(self._islands())
        self._add(list(self._left_out()))

    def close(self) -> None:
        """Drop the tables."""
        for table in _DROPPED:
            self._db.execute(f"DROP TABLE IF EXISTS temp.{table}")

    def names(self) -> dict[int, tuple[str, str]]:
        """Return number -> host (lower case) and channel of all logs that have a run."""
        texts = dict(self._db.execute("SELECT h.id, lower(text) FROM coverage_host h JOIN value v ON v.id = h.host"))
        channels = {number: channel or "" for channel, number in self._channels.items()}
        numbers = self._db.execute("SELECT DISTINCT log FROM coverage_run ORDER BY log").fetchall()
        mask = (1 << _HOST_BITS) - 1
        return {number: (texts[number & mask], channels[number >> _HOST_BITS]) for (number,) in numbers}

    def of(self, log: int) -> list[Run]:
        """Return the runs of a log in order of their ids."""
        rows = self._db.execute(
            "SELECT log, first, last, events, start, end, chunk FROM coverage_run WHERE log = ?"
            " ORDER BY first, last, start, end",
            (log,),
        )
        return [Run(*row) for row in rows]

    def _make_hosts(self) -> dict[int, int]:
        """Give names that differ by case alone the same number."""
        first: dict[str, int] = {}
        rows = self._db.execute(
            "SELECT value.id, lower(text) FROM column_value JOIN value ON value.id = value"
            " WHERE column = 'host.name' ORDER BY value.id"
        ).fetchall()
        hosts = {row: first.setdefault(text, row) for row, text in rows}
        self._db.executemany("INSERT INTO coverage_host VALUES (?, ?)", hosts.items())
        return hosts

    def _make_kinds(self) -> None:
        rows = self._db.execute("SELECT id, channel FROM kind ORDER BY id").fetchall()
        self._db.executemany(
            "INSERT INTO coverage_kind VALUES (?, ?)",
            ((kind, self._channels.setdefault(channel, len(self._channels)) << _HOST_BITS) for kind, channel in rows),
        )

    def _whole_chunks(self) -> Iterator[Run]:
        """Yield the runs that are whole chunks, and note the other chunks."""
        repeating = {chunk for (chunk,) in self._db.execute("SELECT DISTINCT chunk FROM event_copy")}
        mixed = [(chunk,) for chunk in sorted(repeating)]
        mask = (1 << _HOST_BITS) - 1
        where = f"WHERE {_NO_TWIN} {live_only(self._db, 'AND e.id')}"
        rows = self._db.execute(_CHUNKS.format(where=where))
        for chunk, first, last, events, start, end, low, high in rows:
            if chunk in repeating:
                continue
            if low == high and first is not None and events == last - first + 1 and (host := low & mask):
                yield Run(low - host + self._hosts[host], first, last, events, start, end, chunk)
            elif first is not None:
                mixed.append((chunk,))
        self._db.executemany("INSERT INTO coverage_mixed VALUES (?)", mixed)

    def _islands(self) -> Iterator[Run]:
        """Yield the runs of the other chunks."""
        where = f"AND {_NO_TWIN} {live_only(self._db, 'AND e.id')}"
        rows = self._db.execute(_ISLANDS.format(where=where))
        return (Run(*row) for row in rows)

    def _left_out(self) -> Iterator[Run]:
        """Yield runs for what ``ingest --only`` left out of a chunk: the ids that its headers have.

        Not where the ids in the records are others, as in exported logs; and a chunk without any event is one of the
        log that all the rest of its file is of.
        """
        filtered = self._db.execute(_FILTERED).fetchall()
        if not filtered:
            return
        logs = self._by_chunk()
        of_source = dict(self._db.execute(_LOG_OF_SOURCE))
        for chunk, first, last, written in filtered:
            known = logs.get(chunk, ())
            if len(known) == 1 and all(first <= low and high <= last for _, low, high in known):
                yield Run(known[0][0], first, last, 0, None, None, chunk)
            elif not known and chunk in of_source:
                yield Run(of_source[chunk], first, last, 0, written, written, chunk)

    def _by_chunk(self) -> dict[int, list[tuple[int, int, int]]]:
        found: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        rows = self._db.execute("SELECT chunk, log, min(first), max(last) FROM coverage_run GROUP BY chunk, log")
        for chunk, *span in rows:
            found[chunk].append((span[0], span[1], span[2]))
        return found

    def _add(self, runs: Iterable[Run]) -> None:
        self._db.executemany("INSERT INTO coverage_run VALUES (?, ?, ?, ?, ?, ?, ?)", runs)
