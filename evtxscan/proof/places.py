"""Records of a case with their places in the evidence, and the chunks that hold them, then and now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import zstandard

from evtxscan.errors import EvidenceError
from evtxscan.evidence.evtx_layout import CHUNK_SIZE
from evtxscan.evtx.chunks import read_chunks
from evtxscan.proof.records import Checked, KeptChunk
from evtxscan.proof.sources import SourceCheck
from evtxscan.store.case import Case, explained

_AT_PLACE = """
SELECT chunk.id, chunk.sha256, chunk.bytes FROM source JOIN source_chunk ON source_chunk.source = source.id
JOIN chunk ON chunk.id = source_chunk.chunk
WHERE source.path = ? AND source.sha256 = ? AND source_chunk.number = ? LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class PlaceCheck:
    """The check of one record at one place: source path and SHA-256, chunk number, offset in the chunk, record id."""

    event: str
    path: str
    sha256: str
    chunk: int
    offset: int
    record_id: int | None
    checked: Checked

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        checked = self.checked
        return {
            "event": self.event,
            "source": {"path": self.path, "sha256": self.sha256},
            "chunk": self.chunk,
            "offset": self.offset,
            "record_id": self.record_id,
            "outcome": checked.outcome,
            "against": checked.against,
            "same_bytes": checked.same_bytes,
            "differences": [
                {"field": found.field, "first": found.first, "second": found.second} for found in checked.differences
            ],
            "altered": [
                {"field": found.field, "case": found.first, "record": found.second} for found in checked.altered
            ],
            "detail": checked.detail,
        }


class Chunks:
    """Reads chunks of a case and of its evidence as it is now; keeps the last one of each."""

    def __init__(self, case: Case, sources: Iterable[SourceCheck]) -> None:
        self._case = case
        self._sources = {(source.path, source.sha256): source for source in sources}
        self._kept: tuple[int, KeptChunk] | None = None
        self._now: tuple[tuple[str, str, int], bytes | None] | None = None

    def kept(self, path: str, sha256: str, number: int) -> KeptChunk | None:
        """Return the chunk that the case has of a place, None where it has none. Raises CaseError."""
        with explained(self._case.path):
            row = self._case.db.execute(_AT_PLACE, (path, sha256, number)).fetchone()
        return None if row is None else self.opened(*row)

    def opened(self, row: int, sha256: bytes, data: bytes) -> KeptChunk:
        """Return a chunk by its row of table chunk; one that cannot be unpacked is empty, and so not sound."""
        if self._kept is None or self._kept[0] != row:
            try:
                content = zstandard.ZstdDecompressor().decompress(data, max_output_size=CHUNK_SIZE)
            except zstandard.ZstdError:
                content = b""
            self._kept = (row, KeptChunk(content, sha256))
        return self._kept[1]

    def now(self, path: str, sha256: str, number: int) -> bytes | None:
        """Return a chunk of the evidence as it is now; None where the evidence is not at hand, empty behind its end."""
        key = (path, sha256, number)
        if self._now is None or self._now[0] != key:
            self._now = (key, self._read(*key))
        return self._now[1]

    def _read(self, path: str, sha256: str, number: int) -> bytes | None:
        source = self._sources.get((path, sha256))
        if source is None or source.file is None:
            return None
        try:
            with source.file.open() as file:
                chunks = read_chunks(file, number, 1)
        except (OSError, EvidenceError):
            return None
        return chunks[0] if chunks else b""
