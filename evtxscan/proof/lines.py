"""Checks single documents: the evidence's line, read by Python's own JSON reader, against what the case has of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from evtxscan.ecs.incoming import IncomingError, flatten
from evtxscan.ecs.jsonline import Parsed, parse, parse_slowly
from evtxscan.evidence.ndjson import UTF8_MARK, Block, source_of
from evtxscan.evtx.compare import Difference
from evtxscan.ingest.documents import process_blocks
from evtxscan.proof.records import Against, Checked, altered_fields, flat_documents, shown


class KeptBlock:
    """A block of lines as the case keeps it; otherwise as a :class:`~evtxscan.proof.records.KeptChunk`."""

    def __init__(self, data: bytes, sha256: bytes) -> None:
        self.bytes = data
        self.is_sound = hashlib.sha256(data).digest() == sha256
        self._documents: dict[int, dict[str, Any]] | None = None

    def document(self, offset: int) -> dict[str, Any] | None:
        """Return the flat document that the line gives; None where there is none to be read."""
        if self._documents is None:
            batch = process_blocks([Block(0, 0, self.bytes)])
            self._documents = dict(flat_documents(batch.groups, batch.strings))
        return self._documents.get(offset)

    def check(self, offset: int, stored: dict[str, Any], evidence: bytes | None) -> Checked:
        """Check the line at ``offset``: ``stored`` is its event in the case, ``evidence`` the block as it is now."""
        against: Against = "case" if evidence is None else "evidence"
        data = self.bytes if evidence is None else evidence
        kept, line = line_at(self.bytes, offset), line_at(data, offset)
        same = None if evidence is None else line == kept
        altered = tuple(altered_fields(stored, self.document(offset)))
        if line is None:
            return Checked("gone", against, same, altered=altered, detail="no line begins there")
        try:
            found = tuple(_differences(parse(kept or b""), parse_slowly(line)))
        except IncomingError as error:
            return Checked("differs", against, same, altered=altered, detail=str(error))
        if not self.is_sound:
            detail = "the block of lines in the case does not have its hash any more: the case was changed"
            return Checked("differs", against, same, found, altered, detail)
        return Checked("differs" if found or altered else "agrees", against, same, found, altered)


def line_at(data: bytes, offset: int) -> bytes | None:
    """Return the line that begins at ``offset`` of a block, without its end; None where none begins."""
    begins = (
        not offset or data[offset - 1 : offset] == b"\n" or (offset == len(UTF8_MARK) and data.startswith(UTF8_MARK))
    )
    if offset >= len(data) or not begins:
        return None
    return data[offset:].partition(b"\n")[0].removesuffix(b"\r")


def _differences(first: Parsed, second: Parsed) -> Iterator[Difference]:
    one, other = (flatten(source_of(parsed.value) or {}) for parsed in (first, second))
    for name in sorted({*one, *other}):
        if one.get(name) != other.get(name):
            yield Difference(name, shown(one.get(name)), shown(other.get(name)))
