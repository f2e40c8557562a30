"""Renders a stale record again, from the bytes in the case."""

from __future__ import annotations

from evtxscan.errors import EvidenceError
from evtxscan.evtx.binxml.to_xml import to_xml
from evtxscan.evtx.carve import to_rebuild
from evtxscan.evtx.recover import Rebuilder, Refused
from evtxscan.store.templates import Templates


def stale_xml(templates: Templates, chunk: int, offset: int, data: bytes, origin: str) -> str:
    """Render the stale record at ``offset`` of a chunk (row id, bytes) as XML. Raises EvidenceError."""
    whole, spans, shift = to_rebuild(data, origin)
    for span in spans:
        if span.offset - shift == offset:
            found = Rebuilder(whole, templates.known(chunk)).rebuild(span)
            if isinstance(found, Refused):
                raise EvidenceError(f"the record cannot be rendered as XML: {found.detail}")
            return to_xml(found.root)
    raise EvidenceError("the record cannot be rendered as XML: its bytes are not where they were")
