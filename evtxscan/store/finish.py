"""What is made once all batches of an ingest are in: the indexes of events and the counts per host."""

from __future__ import annotations

import sqlite3

from evtxscan.store.case import Case


def finish(case: Case) -> None:
    """Make what is derived from the event table as a whole. Runs again after every ingest; raises CaseError.

    Counts are of live records.

    The indexes are made at the end because sorting once is much faster than keeping a million rows sorted.
    """
    with case.transaction():
        index_chunks(case.db)
        index_kinds(case.db)
        case.db.execute("DELETE FROM event_count")
        case.db.execute(
            "INSERT INTO event_count(kind, host, events, first, last)"
            ' SELECT kind, "host.name", count(*), min("@timestamp"), max("@timestamp") FROM event'
            " WHERE id NOT IN (SELECT event FROM stale_record WHERE state = 'event')"
            ' GROUP BY kind, "host.name" ORDER BY kind, "host.name"'
        )


def index_chunks(db: sqlite3.Connection) -> None:
    """Make the index that finds the events of a chunk, if it is not there: an ingest seldom needs it earlier."""
    db.execute("CREATE INDEX IF NOT EXISTS event_by_chunk ON event(chunk)")


def index_kinds(db: sqlite3.Connection) -> None:
    """Make the index that finds the events of a kind, if it is not there."""
    db.execute('CREATE INDEX IF NOT EXISTS event_by_kind ON event(kind, "@timestamp", "host.name")')
