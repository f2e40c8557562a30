"""Renders records with both parsers: the Rust one, and ours with the templates where the records say they are."""

from __future__ import annotations

from evtxscan.evtx.binxml.to_json import to_json
from evtxscan.evtx.parse import RenderError, render_json
from evtxscan.evtx.recover import Means, Rebuilder, Recovered
from evtxscan.evtx.walk import ChunkWalk, walk_chunk
from tests.evtxmaker.chunk import CHUNK_SIZE


def rust(chunk: bytes) -> list[str] | None:
    """Return the JSON of all records of a chunk; None where the parser gives up on one."""
    found = list(render_json([chunk.ljust(CHUNK_SIZE, b"\0")]))
    return None if any(isinstance(record, RenderError) for record in found) else [text for _, text in found]  # type: ignore[misc]


def ours(chunk: bytes, walk: ChunkWalk | None = None) -> list[str | None]:
    """Return the JSON of all live records of a chunk; None for a record that is refused."""
    rebuilder = Rebuilder(chunk, lambda _: [])
    texts: list[str | None] = []
    for span in (walk or walk_chunk(chunk)).spans:
        found = rebuilder.rebuild(span)
        whole = isinstance(found, Recovered) and found.means is Means.IN_PLACE and found.unnamed is None
        texts.append(to_json(found.root) if whole and isinstance(found, Recovered) else None)
    return texts
