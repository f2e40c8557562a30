"""What a case knows of stale records: counts, and each of those that no event was made of."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from evtxscan.evidence.evtx_layout import RECORD_HEADER_SIZE
from evtxscan.evtx.filetime import to_iso
from evtxscan.store.case import Case, explained
from evtxscan.store.templates import chunk_bytes

# Runs of printable characters in UTF-16, as long as a word, and not so many that one record fills the screen.
_STRING = re.compile(rb"(?:[\x20-\x7e\xa0-\xff]\x00){4,}")
_MOST_STRINGS = 64
STALE_STATES = ("event", "copy", "unnamed", "refused", "filtered")
"""What can become of a stale record."""
_STATES = {"event": "events", "copy": "copies", "unnamed": "unnamed", "refused": "refused", "filtered": "filtered"}


@dataclass(frozen=True, slots=True)
class StaleCounts:
    """What became of stale records: found = events + copies + unnamed + refused + filtered + unread.

    ``copies`` are of live records or of each other; ``unnamed`` lack the names of their data; ``unread`` are those
    that ingest --no-slack left alone. ``reasons`` counts the refused.
    """

    found: int = 0
    events: int = 0
    copies: int = 0
    unnamed: int = 0
    refused: int = 0
    filtered: int = 0
    unread: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return asdict(self)


def stale_counts(db: sqlite3.Connection, source: int | None = None, origin: str = "slack") -> StaleCounts:
    """Count the stale records of one origin, of a source (row id) or of all the case's chunks, each once."""
    of = "WHERE origin = ?"
    values: tuple[str | int, ...] = (origin,)
    if source is not None:
        of += " AND chunk IN (SELECT chunk FROM source_chunk WHERE source = ?)"
        values += (source,)
    (found,) = db.execute(f"SELECT coalesce(sum(records), 0) FROM chunk_slack {of}", values).fetchone()
    counts = dict.fromkeys(_STATES.values(), 0)
    reasons: dict[str, int] = {}
    for state, reason, count in db.execute(
        f"SELECT state, reason, count(*) FROM stale_record {of} GROUP BY 1, 2 ORDER BY 1, 2", values
    ):
        counts[_STATES[state]] += count
        if state == "refused":
            reasons[reason] = count
    return StaleCounts(found, **counts, unread=found - sum(counts.values()), reasons=reasons)


def source_counts(db: sqlite3.Connection, path: str, argument: str, sha256: str) -> StaleCounts:
    """Count the stale records of a source by its name."""
    row = db.execute(
        "SELECT max(id) FROM source WHERE path = ? AND argument = ? AND sha256 = ?", (path, argument, sha256)
    ).fetchone()
    return StaleCounts() if row[0] is None else stale_counts(db, row[0])


def stale_documents(case: Case, states: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the stale records of a case in these states, in an order that does not depend on that of ingest.

    Each has its place, what its header says, what became of it, and the strings among its bytes.
    """
    marks = ",".join("?" * len(states))
    data: tuple[int, bytes] = (0, b"")
    with explained(case.path):
        rows = case.db.execute(_LISTED.format(marks=marks), states)
        for path, sha256, number, chunk, offset, size, record_id, written, *rest in rows:
            if data[0] != chunk:
                data = (chunk, chunk_bytes(case.db, chunk))
            origin, state, template, reason, detail, document = rest
            yield {
                "source": {"path": path, "sha256": sha256},
                "chunk": number,
                "offset": offset,
                "size": size,
                "record_id": record_id,
                "written": None if written is None else to_iso(written),
                "origin": origin,
                "state": state,
                "template": template,
                "reason": reason,
                "detail": detail,
                "record": json.loads(document)["Event"] if document else None,
                "strings": _strings(data[1][offset + RECORD_HEADER_SIZE : offset + size]),
            }


def _strings(data: bytes) -> list[str]:
    found = [match.group().decode("utf-16-le") for match in _STRING.finditer(data)]
    return found[:_MOST_STRINGS]


_LISTED = """
SELECT source.path, source.sha256, number, r.chunk, r."offset", r.size, r.record_id, r.written, r.origin, r.state,
    r.template, r.reason, r.detail, r.document
FROM stale_record r JOIN source_chunk ON source_chunk.chunk = r.chunk JOIN source ON source.id = source_chunk.source
WHERE r.state IN ({marks})
ORDER BY source.path, source.sha256, number, r."offset"
"""
