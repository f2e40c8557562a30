"""Gets every intact record out of a damaged chunk.

The bulk parser gives up the rest of a chunk at the first record it cannot read. So the chunk is laid out anew for it:
a header that says what the walk found, and an empty record over every place that is none. A record that still does
not render is covered in the same way, the chunk is fed again, and the record itself goes to the second parser.
Offsets never change, so names and templates that records share stay where they are.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Literal

import orjson

from evtxscan.evidence.evtx_layout import CHUNK_HEADER_SIZE, CHUNK_MAGIC, CHUNK_SIZE, RECORD_HEADER_SIZE, RECORD_MAGIC
from evtxscan.evtx import salvage
from evtxscan.evtx.parse import RenderError, render_json, render_xml
from evtxscan.evtx.walk import ChunkWalk, Span

# A record that ends its BinXML at once: header, one end token, the size again.
_MIN_FILLER = RECORD_HEADER_SIZE + 1 + 4
_FILLER_ID = 2**63 - 1

Form = Literal["json", "xml"]


@dataclass(frozen=True, slots=True)
class Mended:
    """One record of a damaged chunk as text, in the form that was asked for; ``is_second``: by the second parser."""

    span: Span
    text: str
    is_second: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that the walk found and no parser renders."""

    span: Span
    detail: str


def mend_chunk(chunk: bytes, walk: ChunkWalk, form: Form = "json") -> list[Mended | Unreadable]:
    """Render every walked record of a damaged chunk of up to 64 KiB; one result per span, in order.

    JSON has the shape of the Rust parser's, also where the second parser rendered the record.
    """
    layout = _lay_out(chunk, walk)
    rendered: dict[int, str] = {}
    failed: dict[int, str] = {}
    while len(rendered) + len(failed) < len(walk.spans):
        todo = [span for span in walk.spans if span.offset not in failed]
        error = _feed(bytes(layout), todo, rendered, form)
        bad = next((span for span in todo if span.offset not in rendered), None)
        if bad is None:
            break
        failed[bad.offset] = error
        _cover(layout, bad.offset, bad.size)
    whole = chunk.ljust(CHUNK_SIZE, b"\0")
    return [_result(whole, span, rendered, failed, form) for span in walk.spans]


def _lay_out(chunk: bytes, walk: ChunkWalk) -> bytearray:
    layout = bytearray(chunk.ljust(CHUNK_SIZE, b"\0"))
    end = max([s.offset + s.size for s in walk.spans] + [g.offset + g.size for g in walk.gaps] + [CHUNK_HEADER_SIZE])
    sizes = {span.offset: span.size for span in walk.spans}
    for gap in walk.gaps:
        if gap.size >= _MIN_FILLER:
            _cover(layout, gap.offset, gap.size)
            continue
        # Too small for a record of its own: the record before it takes it in, as bytes behind its end token.
        before = next((offset for offset in sizes if offset + sizes[offset] == gap.offset), None)
        if before is not None:
            sizes[before] += gap.size
    for offset, size in sizes.items():  # the header's size may be what is damaged
        struct.pack_into("<I", layout, offset + 4, size)
    ids = [span.record_id for span in walk.spans] or [0]
    head = struct.pack("<8sQQQQIII", CHUNK_MAGIC, ids[0], ids[-1], ids[0], ids[-1], 128, 0, end)
    layout[: len(head)] = head
    struct.pack_into("<I", layout, 52, zlib.crc32(layout[CHUNK_HEADER_SIZE:end]))
    struct.pack_into("<I", layout, 124, zlib.crc32(layout[128:512], zlib.crc32(layout[:120])))
    return layout


def _cover(layout: bytearray, offset: int, size: int) -> None:
    struct.pack_into("<4sIQQB", layout, offset, RECORD_MAGIC, size, _FILLER_ID, 0, 0)
    struct.pack_into("<I", layout, offset + size - 4, size)


def _feed(layout: bytes, todo: list[Span], rendered: dict[int, str], form: Form) -> str:
    """Add to ``rendered`` what the parser returns, matched to ``todo`` in order; return its first complaint."""
    complaints: list[str] = []
    position = 0
    for result in render_json([layout]) if form == "json" else render_xml([layout]):
        if isinstance(result, RenderError):
            complaints.append(result.message)
            continue
        record_id, text = result
        if record_id == _FILLER_ID:
            continue
        while position < len(todo) and todo[position].record_id != record_id:
            position += 1
        if position == len(todo):
            break
        rendered.setdefault(todo[position].offset, text)
        position += 1
    return complaints[0] if complaints else "the parser ended before this record"


def _result(
    chunk: bytes, span: Span, rendered: dict[int, str], failed: dict[int, str], form: Form
) -> Mended | Unreadable:
    if span.offset in rendered:
        return Mended(span, rendered[span.offset])
    second: str | RenderError
    if form == "xml":
        second = salvage.render_xml(chunk, span.offset)
    else:
        event = salvage.render_event(chunk, span.offset)
        second = event if isinstance(event, RenderError) else orjson.dumps({"Event": event}).decode()
    if isinstance(second, RenderError):
        return Unreadable(span, f"{failed.get(span.offset, 'not rendered')}; {second.message}")
    return Mended(span, second, is_second=True)
