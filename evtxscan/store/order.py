"""The order of records in the evidence, the same whatever was ingested first."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cached_property
from itertools import islice

_GROUP = 500

Place = tuple[int, int]
"""Where a record stands: the rank of its chunk among all chunks of the case, the offset in it."""


class RecordOrder:
    """Ranks records by the first place that the evidence has for them: SHA-256 of the source, chunk, offset."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def places(self, events: Iterable[int]) -> dict[int, Place]:
        """Return event -> its first place, for row ids of table event."""
        found: dict[int, Place] = {}
        remaining = iter(events)
        while group := list(islice(remaining, _GROUP)):
            marks = ",".join("?" * len(group))
            sql = f'SELECT id, chunk, "offset" FROM event WHERE id IN ({marks})'
            for event, chunk, offset in self._db.execute(sql, group):
                found[event] = (self._ranks[chunk], offset)
            if self._has_copies:
                sql = f'SELECT event, chunk, "offset" FROM event_copy WHERE event IN ({marks})'
                for event, chunk, offset in self._db.execute(sql, group):
                    found[event] = min(found[event], (self._ranks[chunk], offset))
        return found

    @cached_property
    def _ranks(self) -> dict[int, int]:
        ranks: dict[int, int] = {}
        chunks = self._db.execute(
            "SELECT source_chunk.chunk FROM source_chunk JOIN source ON source.id = source_chunk.source"
            " ORDER BY source.sha256, source_chunk.number"
        )
        for (chunk,) in chunks:
            ranks.setdefault(chunk, len(ranks))
        return ranks

    @cached_property
    def _has_copies(self) -> bool:
        return self._db.execute("SELECT 1 FROM event_copy LIMIT 1").fetchone() is not None
