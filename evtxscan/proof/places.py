"""Records of a case with their places in the evidence, and the chunks that hold them, then and now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import zstandard

from evtxscan.errors import EvidenceError
from evtxscan.evidence.evtx_layout import CHUNK_SIZE
from evtxscan.evtx.chunks import read_chunks
from evtxscan.proof.lines import KeptBlock
from evtxscan.proof.records import Checked, KeptChunk
from evtxscan.proof.sources import SourceCheck
from evtxscan.proof.stale import Lenders, StaleChunk
from evtxscan.store.case import Case, explained
from evtxscan.store.templates import Templates

_LINES = """
SELECT source_chunk.start, chunk.size FROM source JOIN source_chunk ON source_chunk.source = source.id
JOIN chunk ON chunk.id = source_chunk.chunk
WHERE source.path = ? AND source.sha256 = ? AND source_chunk.number = ? AND source_chunk.start IS NOT NULL LIMIT 1
"""
_AT_PLACE = """
SELECT chunk.id, chunk.sha256, chunk.bytes FROM source JOIN source_chunk ON source_chunk.source = source.id
JOIN chunk ON chunk.id = source_chunk.chunk
WHERE source.path = ? AND source.sha256 = ? AND source_chunk.number = ? AND (source.state = 'carved') = ? LIMIT 1
"""
_OF_CHUNK = """
SELECT path, source.sha256, number, iif(source.state = 'carved', chunk.size, NULL)
FROM source_chunk JOIN source ON source.id = source JOIN chunk ON chunk.id = chunk WHERE chunk.id = ?
ORDER BY source.sha256, number, path
"""
# Chunks of the evidence as it is now that are kept: records of one chunk come one after the other.
_KEPT_NOW = 4


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a chunk lies: source path and SHA-256, number of the chunk in it.

    ``carved``: the size of what was carved, and the number is its offset in the file; None in a log.
    """

    path: str
    sha256: str
    number: int
    carved: int | None = None


@dataclass(frozen=True, slots=True)
class PlaceCheck:
    """The check of one record at one place: source path and SHA-256, chunk number, offset in the chunk, record id.

    ``origin``: live, slack or carved.
    """

    event: str
    path: str
    sha256: str
    chunk: int
    offset: int
    record_id: int | None
    checked: Checked
    origin: str = "live"

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        checked = self.checked
        of_stale = {"template": checked.template, "templates": [found.document() for found in checked.templates]}
        return {
            "event": self.event,
            "source": {"path": self.path, "sha256": self.sha256},
            "chunk": self.chunk,
            "offset": self.offset,
            "record_id": self.record_id,
            "origin": self.origin,
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
            **({} if self.origin == "live" else of_stale),
        }


class Chunks:
    """Reads chunks of a case and of its evidence as it is now; keeps the last ones."""

    def __init__(self, case: Case, sources: Iterable[SourceCheck]) -> None:
        self._case = case
        self._sources = {(source.path, source.sha256): source for source in sources}
        self._kept: tuple[int, dict[str, KeptChunk | KeptBlock]] = (0, {})
        self._now: OrderedDict[Spot, bytes | None] = OrderedDict()

    def at(self, path: str, sha256: str, number: int, origin: str) -> tuple[Spot, KeptChunk | KeptBlock] | None:
        """Return the chunk that the case has of a place, None where it has none. Raises CaseError."""
        is_carved = origin == "carved"
        with explained(self._case.path):
            row = self._case.db.execute(_AT_PLACE, (path, sha256, number, is_carved)).fetchone()
        if row is None:
            return None
        chunk, digest, data = row
        kept = self.opened(chunk, digest, data, origin)
        return Spot(path, sha256, number, len(kept.bytes) if is_carved else None), kept

    def opened(self, row: int, sha256: bytes, data: bytes, origin: str) -> KeptChunk | KeptBlock:
        """Return a chunk by its row of table chunk, to check its records of one origin.

        One that cannot be unpacked is empty, and so not sound.
        """
        if self._kept[0] != row:
            self._kept = (row, {})
        kept = self._kept[1]
        if origin not in kept:
            content = _unpacked(data)
            if origin == "live":
                of_lines = self._case.db.execute("SELECT 1 FROM document_block WHERE chunk = ?", (row,)).fetchone()
                kept[origin] = KeptBlock(content, sha256) if of_lines else KeptChunk(content, sha256)
            else:
                known = self._templates.known(row)
                kept[origin] = StaleChunk(content, sha256, origin, known, self._lenders.lend)
        return kept[origin]

    def spots(self, row: int) -> list[Spot]:
        """Return where a chunk lies, by its row of table chunk. Raises CaseError."""
        with explained(self._case.path):
            return [Spot(*found) for found in self._case.db.execute(_OF_CHUNK, (row,))]

    def now(self, spot: Spot) -> bytes | None:
        """Return a chunk of the evidence as it is now; None where the evidence is not at hand, empty behind its end."""
        if spot not in self._now:
            self._now[spot] = self._read(spot)
            if len(self._now) > _KEPT_NOW:
                self._now.popitem(last=False)
        return self._now[spot]

    def _read(self, spot: Spot) -> bytes | None:
        source = self._sources.get((spot.path, spot.sha256))
        if source is None or source.file is None:
            return None
        with explained(self._case.path):
            lines = self._case.db.execute(_LINES, (spot.path, spot.sha256, spot.number)).fetchone()
        try:
            with source.file.open() as file:
                if lines is not None:
                    file.seek(lines[0])
                    return file.read(lines[1])
                if spot.carved is not None:
                    file.seek(spot.number)
                    return file.read(spot.carved)
                chunks = read_chunks(file, spot.number, 1)
        except (OSError, EvidenceError):
            return None
        return chunks[0] if chunks else b""

    @cached_property
    def _templates(self) -> Templates:
        return Templates(self._case.db)

    @cached_property
    def _lenders(self) -> Lenders:
        return Lenders(self._templates.place, self._lending)

    def _lending(self, row: int) -> tuple[bytes, bool, str, str, int] | None:
        """Return a chunk that has a template, from the evidence if that is at hand, and whether it is the case's."""
        with explained(self._case.path):
            sha256, data = self._case.db.execute("SELECT sha256, bytes FROM chunk WHERE id = ?", (row,)).fetchone()
        kept = KeptChunk(_unpacked(data), sha256)
        spots = self.spots(row)
        for spot in spots:
            if (found := self._read(spot)) is not None:
                return found, found == kept.bytes, spot.path, spot.sha256, spot.number
        return (kept.bytes, kept.is_sound, spots[0].path, spots[0].sha256, spots[0].number) if spots else None


def _unpacked(data: bytes) -> bytes:
    try:
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=CHUNK_SIZE)
    except zstandard.ZstdError:
        return b""
