"""Recognises records that a chunk shares with an earlier copy of itself: a log that grew between two collections.

Windows fills a chunk record by record, so a later copy begins with the same record (same id, same written time). The
bytes of a record are the same in both; what they refer to by offset (names, templates) is compared too, by rendering.
"""

from __future__ import annotations

import sqlite3

import zstandard

from evtxscan.evidence.evtx_layout import CHUNK_SIZE
from evtxscan.evtx.mend import Mended, mend_chunk
from evtxscan.evtx.parse import RenderError, render_json
from evtxscan.evtx.walk import walk_chunk
from evtxscan.ingest.batch import ChunkResult
from evtxscan.store.finish import index_chunks


def repeated_records(db: sqlite3.Connection, result: ChunkResult, own: int = 0) -> dict[int, int]:
    """Return offset -> event id of those records of a chunk that the case has from another copy of it.

    ``own``: the row of the chunk itself, where the case has it already.
    """
    if result.bytes is None or result.first_record_id is None:
        return {}
    copies = db.execute(
        "SELECT id, bytes FROM chunk WHERE first_record_id = ? AND first_written = ? AND id <> ? ORDER BY id",
        (result.first_record_id, result.first_written, own),
    ).fetchall()
    if not copies:
        return {}
    index_chunks(db)
    new = _texts(result.bytes)
    repeated: dict[int, int] = {}
    for chunk, data in copies:
        old = _texts(data)
        stored = db.execute(
            'SELECT "offset", id FROM event WHERE chunk = ?'
            ' UNION SELECT "offset", event FROM event_copy WHERE chunk = ?',
            (chunk, chunk),
        )
        for offset, event in stored:
            if offset in new and new[offset] == old.get(offset):
                repeated.setdefault(offset, event)
    return repeated


def _texts(compressed: bytes) -> dict[int, tuple[int, int, str]]:
    """Return offset -> (record id, written time, JSON text) of the records that can be read."""
    chunk = zstandard.ZstdDecompressor().decompress(compressed, max_output_size=CHUNK_SIZE)
    walk = walk_chunk(chunk)
    spans = walk.spans
    rendered = [
        record for record in render_json([chunk.ljust(CHUNK_SIZE, b"\0")]) if not isinstance(record, RenderError)
    ]
    if [record_id for record_id, _ in rendered] != [span.record_id for span in spans]:
        mended = [record for record in mend_chunk(chunk, walk) if isinstance(record, Mended)]
        return {record.span.offset: (record.span.record_id, record.span.written, record.text) for record in mended}
    return {span.offset: (span.record_id, span.written, text) for span, (_, text) in zip(spans, rendered, strict=True)}
