"""Which documents tell of a record that another event tells of, too.

Winlogbeat ships a record that may also be in the evidence as its log has it, and two programs may ship the same one.
Both are events, and say where they come from; for boots, processes and sessions the record counts once. The same record
is one of the same host and log, with the same event id and record id, in the same millisecond, which is what documents
keep of its time.
"""

from __future__ import annotations

import sqlite3

from evtxscan.context.lookups import Kinds, listed

_TICKS = 10_000  # of a millisecond

_DOCUMENTS = """
CREATE TEMP TABLE context_document AS
SELECT e.id AS event, e."winlog.record_id" AS record, e."@timestamp" / {ticks} AS time, lower(v.text) AS host,
    k.provider AS provider, k.channel AS channel, k.code AS code, c.rank AS rank, e."offset" AS place
FROM event e JOIN kind k ON k.id = e.kind JOIN value v ON v.id = e."host.name" JOIN context_chunk c ON c.id = e.chunk
WHERE e.kind IN ({kinds}) AND e."winlog.record_id" IS NOT NULL AND e."@timestamp" IS NOT NULL
"""
# Bare columns of a query with min() are those of the row that has it; CROSS JOIN keeps the order, as d has the index.
_TWINS = """
INSERT INTO document_twin
SELECT event, original FROM (
    SELECT d.event AS event, e.id AS original, min(printf('%d %020d %05d', e.kind IN ({kinds}), c.rank, e."offset"))
    FROM event e CROSS JOIN context_document d ON d.record = e."winlog.record_id" AND d.time = e."@timestamp" / {ticks}
        JOIN kind k ON k.id = e.kind JOIN value v ON v.id = e."host.name" JOIN context_chunk c ON c.id = e.chunk
    WHERE k.channel = d.channel AND k.code = d.code AND k.provider IS d.provider AND lower(v.text) = d.host
    GROUP BY d.event
) WHERE event <> original
"""


def find_twins(db: sqlite3.Connection, kinds: Kinds) -> None:
    """Fill the empty table document_twin. Temp table context_chunk has to be there."""
    documents = listed(kinds.documents)
    if not kinds.documents:
        return
    db.execute("DROP TABLE IF EXISTS temp.context_document")
    db.execute(_DOCUMENTS.format(kinds=documents, ticks=_TICKS))
    db.execute("CREATE INDEX temp.context_document_by_record ON context_document(record, time)")
    db.execute(_TWINS.format(kinds=documents, ticks=_TICKS))
    db.execute("DROP TABLE temp.context_document")
