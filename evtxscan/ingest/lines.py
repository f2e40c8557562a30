"""Which lines of documents the case has: a line with the same bytes is the same document, wherever it stands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from evtxscan.ingest.documents import Line

# SQLite's limit on variables of one statement is higher; larger groups are no faster.
_GROUP = 500

Place = tuple[int, int]
"""Index of the block in its batch, offset in the block."""


@dataclass(slots=True)
class Settled:
    """What is to become of lines: ``new`` events with the rows they are to have; ``repeated`` are events already."""

    new: dict[Place, int] = field(default_factory=dict)
    repeated: dict[Place, int] = field(default_factory=dict)
    lines: dict[Place, Line] = field(default_factory=dict)


class KnownLines:
    """The lines of one case, by their SHA-256."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def settle(self, lines: Sequence[tuple[Place, Line]]) -> Settled:
        """Tell new lines from those that the case has, or that stand further up."""
        known = self._known({line.sha256 for _, line in lines})
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()
        settled = Settled()
        for place, line in lines:
            event = known.get(line.sha256)
            if event is None:
                last += 1
                known[line.sha256] = settled.new[place] = last
                settled.lines[place] = line
            else:
                settled.repeated[place] = event
        return settled

    def keep(self, settled: Settled, chunks: Sequence[int]) -> None:
        """Enter lines whose events are stored now; ``chunks`` has the rows of the blocks."""
        self._db.executemany(
            "INSERT INTO document_line(event, sha256, size, line) VALUES (?, ?, ?, ?)",
            (
                (event, line.sha256, line.size, line.number)
                for place, event in settled.new.items()
                for line in [settled.lines[place]]
            ),
        )
        self._db.executemany(
            "INSERT INTO event_copy(event, chunk, offset) VALUES (?, ?, ?)",
            ((event, chunks[index], offset) for (index, offset), event in settled.repeated.items()),
        )

    def _known(self, digests: Iterable[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        wanted = sorted(digests)
        for start in range(0, len(wanted), _GROUP):
            group = wanted[start : start + _GROUP]
            marks = ",".join("?" * len(group))
            found.update(self._db.execute(f"SELECT sha256, event FROM document_line WHERE sha256 IN ({marks})", group))
        return found
