"""Script texts as the records have them: a case's events lack the line ends at the end of a value.

A part of a script may end anywhere, also in or behind a line end, and between the two halves of a character beyond
U+FFFF, which no parser renders. So the parts that are put together are read again, from the bytes of their chunks.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from functools import lru_cache

import orjson
import zstandard

from evtxscan.evidence.evtx_layout import CHUNK_SIZE
from evtxscan.evtx.mend import Mended, mend_chunk
from evtxscan.evtx.parse import RenderError, render_json
from evtxscan.evtx.walk import Span, walk_chunk

# A part takes a third of a chunk or more: what is put together lies in neighbours.
_CHUNKS_REMEMBERED = 4
_HALF = re.compile("[\ud800-\udfff]")


class RecordedTexts:
    """Reads ``ScriptBlockText`` of records of one case."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._chunk = lru_cache(maxsize=_CHUNKS_REMEMBERED)(self._read)

    def of(self, chunk: int, offset: int) -> str | None:
        """Return the text of the record at ``offset`` of a chunk (by row id), or None where it cannot be read again.

        Half a character at its beginning or end is there as a lone surrogate: :func:`joined` makes it whole.
        """
        return self._chunk(chunk).get(offset)

    def _read(self, chunk: int) -> dict[int, str]:
        (packed, of_lines) = self._db.execute(
            "SELECT bytes, id IN (SELECT chunk FROM document_block) FROM chunk WHERE id = ?", (chunk,)
        ).fetchone()
        if of_lines:  # documents have texts as their events have them
            return {}
        data = zstandard.ZstdDecompressor().decompress(packed, max_output_size=CHUNK_SIZE)
        found: dict[int, str] = {}
        for span, text in _rendered(data):
            script = _script(text)
            if script is not None:
                found[span.offset] = _with_halves(script, data[span.offset : span.offset + span.size])
        return found


def joined(pieces: Iterable[str]) -> str:
    """Put texts together; what is half a character then is left out, as the parsers leave it out."""
    text = "".join(pieces)
    if not _HALF.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _rendered(chunk: bytes) -> Iterator[tuple[Span, str]]:
    """Yield place and JSON text of the records of a chunk that can be read."""
    walk = walk_chunk(chunk)
    rendered = [r for r in render_json([chunk.ljust(CHUNK_SIZE, b"\0")]) if not isinstance(r, RenderError)]
    if [record_id for record_id, _ in rendered] == [span.record_id for span in walk.spans]:
        yield from ((span, text) for span, (_, text) in zip(walk.spans, rendered, strict=True))
        return
    yield from ((record.span, record.text) for record in mend_chunk(chunk, walk) if isinstance(record, Mended))


def _script(text: str) -> str | None:
    if '"ScriptBlockText"' not in text:
        return None
    event = orjson.loads(text).get("Event")
    data = event.get("EventData") if isinstance(event, dict) else None
    script = data.get("ScriptBlockText") if isinstance(data, dict) else None
    return script if isinstance(script, str) else None


def _with_halves(text: str, record: bytes) -> str:
    """Add the halves of characters that stand right before and behind the text in the record's bytes.

    Behind may also stand another value that only looks so: what finds no other half goes again.
    """
    data = text.encode("utf-16-le")
    start = record.find(data) if data else -1
    if start < 0:
        return text
    before = int.from_bytes(record[start - 2 : start], "little")
    behind = int.from_bytes(record[start + len(data) : start + len(data) + 2], "little")
    low = chr(before) if 0xDC00 <= before <= 0xDFFF else ""
    return low + text + (chr(behind) if 0xD800 <= behind <= 0xDBFF else "")
