"""Puts what was carved from an image or any other file into a case."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

import zstandard

from evtxscan.evidence.source import Source, unreadable
from evtxscan.evtx.carve import carve, is_record, look_into
from evtxscan.store.case import Case
from evtxscan.store.templates import note_slack

_ZSTD_LEVEL = 3
# Behind the SHA-256 of what was carved: it is never taken for the live chunk.
CARVED_MARK = b"\x01"


@dataclass(slots=True)
class CarvedCounts:
    """What one file gave: chunks and single records, and those of both that the case has as they are."""

    path: str
    sha256: str = ""
    chunks: int = 0
    records: int = 0
    known: int = 0


def carve_source(case: Case, run: int, source: Source, advance: Callable[[int], None] | None = None) -> CarvedCounts:
    """Carve one file and store what is found; its records become events with :func:`recover_stale`.

    Everything is stored, or nothing. Raises EvidenceError, CaseError.
    """
    counts = CarvedCounts(source.path)
    digest = hashlib.sha256()

    def read(block: bytes) -> None:
        digest.update(block)
        if advance:
            advance(len(block))

    with case.transaction():
        row = _open(case.db, run, source)
        with source.open() as file:
            try:
                for found in carve(file, read):
                    _store(case.db, row, found.offset, found.data, counts)
            except OSError as error:
                raise unreadable(source.place, error) from error
        counts.sha256 = digest.hexdigest()
        _close(case.db, row, source, counts.sha256)
    return counts


def _open(db: sqlite3.Connection, run: int, source: Source) -> int:
    cursor = db.execute(
        "INSERT INTO source(path, argument, sha256, size, modified, run, state) VALUES (?, ?, '', ?, ?, ?, 'carved')",
        (source.path, source.argument, source.size, source.modified, run),
    )
    return int(cursor.lastrowid or 0)


def _close(db: sqlite3.Connection, row: int, source: Source, sha256: str) -> None:
    """Note the hash of a source; an earlier carving of the same bytes under the same path goes."""
    earlier = db.execute(
        "SELECT id FROM source WHERE path = ? AND argument = ? AND sha256 = ? AND state = 'carved'",
        (source.path, source.argument, sha256),
    ).fetchall()
    for old in earlier:
        db.execute("DELETE FROM source_chunk WHERE source = ?", old)
        db.execute("DELETE FROM source WHERE id = ?", old)
    db.execute("UPDATE source SET sha256 = ? WHERE id = ?", (sha256, row))


def _store(db: sqlite3.Connection, source: int, offset: int, data: bytes, counts: CarvedCounts) -> None:
    if is_record(data):
        counts.records += 1
    else:
        counts.chunks += 1
    digest = hashlib.sha256(data).digest()
    sha256 = digest + CARVED_MARK
    found = db.execute("SELECT id FROM chunk WHERE sha256 = ?", (sha256,)).fetchone()
    if found is None and db.execute("SELECT 1 FROM chunk WHERE sha256 = ?", (digest,)).fetchone() is not None:
        counts.known += 1  # the log itself, where its file lies in the image
        return
    if found is None:
        cursor = db.execute(
            "INSERT INTO chunk(sha256, size, records, checksums_ok, bytes) VALUES (?, ?, 0, 0, ?)",
            (sha256, len(data), zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data)),
        )
        found = (int(cursor.lastrowid or 0),)
        note_slack(db, found[0], look_into(data), "carved")
    else:
        counts.known += 1
    db.execute("INSERT INTO source_chunk(source, number, chunk) VALUES (?, ?, ?)", (source, offset, found[0]))
