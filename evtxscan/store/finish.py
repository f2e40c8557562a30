"""What is made once all batches of an ingest are in: the indexes of events and the counts per host."""

from __future__ import annotations

import sqlite3

from evtxscan.store.case import Case
from evtxscan.store.scope import STALE

_INSERT = "INSERT INTO event_count(kind, host, events, first, last)"
_COUNTS = 'count(*), min("@timestamp"), max("@timestamp") FROM event INDEXED BY event_by_kind WHERE {which}'
# Most evidence is of one host: then the index gives the counts as it is, and nothing has to be sorted.
_IS_ONE_HOST = 'min("host.name") = max("host.name") AND count("host.name") = count(*)'


def finish(case: Case) -> None:
    """Make what is derived from the event table as a whole. Runs again after every ingest; raises CaseError.

    Counts are of live records.

    The indexes are made at the end because sorting once is much faster than keeping a million rows sorted.
    """
    with case.transaction():
        index_chunks(case.db)
        index_kinds(case.db)
        _count_events(case.db)


def live_only(db: sqlite3.Connection, before: str) -> str:
    """Return what keeps stale records out of a query for events: nothing where the case has none.

    ``before`` is what stands before it there, with the event's id: ``AND e.id``.
    """
    has_stale = db.execute(f"{STALE} LIMIT 1").fetchone() is not None
    return f"{before} NOT IN ({STALE})" if has_stale else ""


def _count_events(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM event_count")
    counts = _COUNTS.format(which=f"1 {live_only(db, 'AND id')}")
    db.execute(f'{_INSERT} SELECT kind, min("host.name"), {counts} GROUP BY kind HAVING {_IS_ONE_HOST}')
    several = "kind IN (SELECT id FROM kind) AND kind NOT IN (SELECT kind FROM event_count)"
    counts = _COUNTS.format(which=f"{several} {live_only(db, 'AND id')}")
    db.execute(f'{_INSERT} SELECT kind, "host.name", {counts} GROUP BY kind, "host.name" ORDER BY kind, "host.name"')


def index_chunks(db: sqlite3.Connection) -> None:
    """Make the index that finds the events of a chunk, if it is not there: an ingest seldom needs it earlier."""
    db.execute("CREATE INDEX IF NOT EXISTS event_by_chunk ON event(chunk)")


def index_kinds(db: sqlite3.Connection) -> None:
    """Make the index that finds the events of a kind, if it is not there."""
    db.execute('CREATE INDEX IF NOT EXISTS event_by_kind ON event(kind, "@timestamp", "host.name")')
