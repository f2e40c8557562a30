"""Which lines of documents the case has: a line with the same bytes is the same document, wherever it stands.

An event stands where its line is found first in the order of the blocks' SHA-256 and of offsets, whatever came first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evtxscan.ingest.documents import Line

# SQLite's limit on variables of one statement is higher; larger groups are no faster.
_GROUP = 500

Place = tuple[int, int]
"""Index of the block in its batch, offset in the block."""


class _Known(NamedTuple):
    """Where the case has a line: its event, SHA-256 and row of the block, and the offset in it."""

    event: int
    digest: bytes
    chunk: int
    offset: int


@dataclass(slots=True)
class Settled:
    """What is to become of lines: ``new`` events with the rows they are to have; ``repeated`` are events already.

    ``moved`` are repeated ones that stand before the place that their event has, which is given.
    """

    new: dict[Place, int] = field(default_factory=dict)
    repeated: dict[Place, int] = field(default_factory=dict)
    moved: dict[Place, tuple[int, int]] = field(default_factory=dict)
    lines: dict[Place, Line] = field(default_factory=dict)


class KnownLines:
    """The lines of one case, by their SHA-256."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def settle(self, lines: Sequence[tuple[Place, Line]], digests: Sequence[bytes]) -> Settled:
        """Tell new lines from those that the case has, or that stand twice; ``digests``: SHA-256 of the blocks."""
        settled = Settled(lines=dict(lines))
        places: dict[bytes, list[Place]] = {}
        for place, line in lines:
            places.setdefault(line.sha256, []).append(place)
        known = self._known(places)
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()
        for sha256, found in places.items():
            first = min(found, key=lambda place: (digests[place[0]], place[1]))
            there = known.get(sha256)
            if there is None:
                last += 1
                settled.new[first] = last
                event = last
            else:
                event = there.event
                settled.repeated[first] = event
                if (digests[first[0]], first[1]) < (there.digest, there.offset):
                    settled.moved[first] = (there.chunk, there.offset)
            settled.repeated.update((place, event) for place in found if place != first)
        return settled

    def keep(self, settled: Settled, chunks: Sequence[int]) -> None:
        """Enter lines whose events are stored now; ``chunks`` has the rows of the blocks."""
        lines = settled.lines
        self._db.executemany(
            "INSERT INTO document_line(event, sha256, size, line) VALUES (?, ?, ?, ?)",
            ((event, lines[at].sha256, lines[at].size, lines[at].number) for at, event in settled.new.items()),
        )
        self._db.executemany(
            "INSERT INTO event_copy(event, chunk, offset) VALUES (?, ?, ?)",
            ((event, *settled.moved.get(at, (chunks[at[0]], at[1]))) for at, event in settled.repeated.items()),
        )
        moved = [(chunks[at[0]], at[1], lines[at].number, settled.repeated[at]) for at in settled.moved]
        self._db.executemany('UPDATE event SET chunk = ?1, "offset" = ?2 WHERE id = ?4', moved)
        self._db.executemany("UPDATE document_line SET line = ?3 WHERE event = ?4", moved)

    def _known(self, digests: Iterable[bytes]) -> dict[bytes, _Known]:
        found: dict[bytes, _Known] = {}
        wanted = sorted(digests)
        for start in range(0, len(wanted), _GROUP):
            group = wanted[start : start + _GROUP]
            marks = ",".join("?" * len(group))
            rows = self._db.execute(
                'SELECT l.sha256, l.event, c.sha256, e.chunk, e."offset" FROM document_line l JOIN event e'
                f" ON e.id = l.event JOIN chunk c ON c.id = e.chunk WHERE l.sha256 IN ({marks})",
                group,
            )
            found.update((sha256, _Known(*row)) for sha256, *row in rows)
        return found
