"""Renders a stale record again, from the bytes in the case."""

from __future__ import annotations

from evtxscan.errors import EvidenceError
from evtxscan.evtx.binxml.to_xml import to_xml
from evtxscan.evtx.recover import Rebuilder, Refused
from evtxscan.evtx.slack import stale_records
from evtxscan.evtx.walk import walk_chunk
from evtxscan.store.templates import Templates


def stale_xml(templates: Templates, chunk: int, offset: int, data: bytes) -> str:
    """Render the stale record at ``offset`` of a chunk (row id, bytes) as XML. Raises EvidenceError."""
    rebuilder = Rebuilder(data, templates.known(chunk))
    for span in stale_records(data, walk_chunk(data)):
        if span.offset == offset:
            found = rebuilder.rebuild(span)
            if isinstance(found, Refused):
                raise EvidenceError(f"the record cannot be rendered as XML: {found.detail}")
            return to_xml(found.root)
    raise EvidenceError("the record cannot be rendered as XML: its bytes are not where they were")
