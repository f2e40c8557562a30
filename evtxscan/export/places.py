"""Says where in its file a record or a document lies."""

from __future__ import annotations

from evtxscan.export.fields import Document, plain


def where(place: Document) -> str:
    """Return the place of an entry of ``evtxscan.provenance`` in words, without the name of its file."""
    record_id = plain(place.get("record_id"))
    line = place.get("line")
    if line is None:
        return f"chunk {place['chunk']}, offset {place['offset']}, record {record_id or None}"
    return f"line {line['number']:,} (byte {line['offset']:,})" + (f", record {record_id}" if record_id else "")
