"""What is made once all batches of an ingest are in: the index of events by kind and the counts per host."""

from __future__ import annotations

from evtxscan.store.case import Case


def finish(case: Case) -> None:
    """Make what is derived from the event table as a whole. Runs again after every ingest; raises CaseError.

    The index is made at the end because sorting once is much faster than keeping a million rows sorted.
    """
    with case.transaction():
        case.db.execute('CREATE INDEX IF NOT EXISTS event_by_kind ON event(kind, "@timestamp", "host.name")')
        case.db.execute("DELETE FROM event_count")
        case.db.execute(
            "INSERT INTO event_count(kind, host, events, first, last)"
            ' SELECT kind, "host.name", count(*), min("@timestamp"), max("@timestamp") FROM event'
            ' GROUP BY kind, "host.name" ORDER BY kind, "host.name"'
        )
