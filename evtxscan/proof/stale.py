"""Checks stale records: their bytes in the evidence, rendered by evtxscan's own renderer and by python-evtx.

Two readers, one choice: python-evtx reads the record and its template itself, each from its bytes in the evidence. But
where the template no longer stands in the record's chunk, evtxscan says which one it is; the check names the place.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import UUID

from evtxscan.evidence.evtx_layout import CHUNK_SIZE
from evtxscan.evtx.binxml.to_json import to_json
from evtxscan.evtx.binxml.to_xml import to_xml
from evtxscan.evtx.carve import is_record, to_rebuild
from evtxscan.evtx.parse import RenderError
from evtxscan.evtx.recover import Known, Rebuilder, Recovered, Refused
from evtxscan.evtx.second import SecondParser
from evtxscan.evtx.walk import Span
from evtxscan.ingest.sort import Sorter
from evtxscan.proof.records import Checked, KeptChunk, Template, flat_documents

# Chunks that lend templates, open at a time.
_OPEN_LENDERS = 64


@dataclass(frozen=True, slots=True)
class Lender:
    """A chunk that lends a template: its parser, where the definition is in it, and what to say of it.

    ``is_sound``: it is the chunk that the template was read from.
    """

    parser: SecondParser
    template: Template
    is_sound: bool


class StaleChunk(KeptChunk):
    """A chunk as the case keeps it, or what was carved: what is to be said of its stale records.

    ``known`` finds templates by their id for our renderer, ``lend`` by their GUID for python-evtx.
    """

    def __init__(
        self, data: bytes, sha256: bytes, origin: str, known: Known, lend: Callable[[bytes], Lender | None]
    ) -> None:
        super().__init__(data, sha256)
        self._is_record = is_record(data) and origin == "carved"
        self._whole, spans, self._shift = to_rebuild(data, origin)
        self._spans = {span.offset - self._shift: span for span in spans}
        self._rebuilder = Rebuilder(self._whole, known)
        self._lend = lend
        self._parser: tuple[bytes, SecondParser] | None = None

    def first(self, offset: int) -> str | RenderError:
        """Return a record as XML, as evtxscan rebuilds it."""
        found = self._records.get(offset)
        if found is None:
            return RenderError("the case's copy of the chunk has no stale record there")
        if isinstance(found, Refused):
            return RenderError(f"evtxscan does not rebuild it: {found.detail}")
        return to_xml(found.root)

    def second(self, offset: int, evidence: bytes) -> str | RenderError:
        """Return a record as python-evtx's XML, with the templates that evtxscan took."""
        borrowed = {}
        for guid in self._borrowed(offset):
            lender = self._lend(guid)
            if lender is None or not lender.is_sound:
                return RenderError("the chunk that its template was read from is not what it was")
            borrowed[int.from_bytes(guid[:4], "little")] = (lender.parser, lender.template.offset)
        return self._parser_of(evidence).xml(offset + self._shift, borrowed)

    def document(self, offset: int) -> dict[str, Any] | None:
        """Return the flat ECS document that the record gives; None where it is not rebuilt."""
        return self._flat_documents.get(offset)

    def check(self, offset: int, stored: dict[str, Any], evidence: bytes | None) -> Checked:
        """Check a stale record, and name the templates that are not its chunk's own."""
        checked = super().check(offset, stored, evidence)
        found = self._records.get(offset)
        if not isinstance(found, Recovered):
            return checked
        lenders = map(self._lend, found.borrowed)
        templates = tuple(lender.template for lender in lenders if lender is not None)
        detail = checked.detail
        if checked.outcome == "cannot_render" and checked.same_bytes:
            detail = f"{detail}; its bytes are as they were read, evtxscan's own renderer alone reads them"
        return replace(checked, template=found.means.name.lower(), templates=templates, detail=detail)

    @cached_property
    def _records(self) -> dict[int, Recovered | Refused]:
        return {offset: self._rebuilder.rebuild(span) for offset, span in self._spans.items()}

    @cached_property
    def _flat_documents(self) -> dict[int, dict[str, Any]]:
        sorter = Sorter(None)
        whole = list(self._whole_records())
        sorter.add(0, self.bytes, [span for span, _ in whole], [text for _, text in whole])
        return dict(flat_documents(*sorter.groups()))

    def _whole_records(self) -> Iterator[tuple[Span, str]]:
        for offset, found in self._records.items():
            if isinstance(found, Recovered) and found.unnamed is None:
                yield found.span._replace(offset=offset), to_json(found.root)

    def _borrowed(self, offset: int) -> tuple[bytes, ...]:
        found = self._records.get(offset)
        return found.borrowed if isinstance(found, Recovered) else ()

    def _parser_of(self, evidence: bytes) -> SecondParser:
        """Return a parser of the bytes at this place: those of the evidence, or of the case's copy."""
        if self._parser is None or self._parser[0] != evidence:
            data = bytes(self._shift) + evidence if self._is_record else evidence
            self._parser = (evidence, SecondParser(data.ljust(CHUNK_SIZE, b"\0"), stale=True))
        return self._parser[1]


class Lenders:
    """Gives templates from the chunks they stand in; keeps the last of these open."""

    def __init__(
        self,
        place: Callable[[bytes], tuple[int, int]],
        read: Callable[[int], tuple[bytes, bool, str, str, int] | None],
    ) -> None:
        """``place`` gives chunk (row of the case) and offset of a template; ``read`` the bytes of a chunk, whether they
        are those of the case, and the place they were read from: source path, SHA-256, chunk."""
        self._place = place
        self._read = read
        self._open: OrderedDict[int, tuple[SecondParser, bool, str, str, int] | None] = OrderedDict()

    def lend(self, guid: bytes) -> Lender | None:
        """Return the lender of a template; None where its chunk is gone."""
        row, offset = self._place(guid)
        if row not in self._open:
            found = self._read(row)
            if found is None:
                self._open[row] = None
            else:
                data, is_sound, path, sha256, number = found
                parser = SecondParser(data.ljust(CHUNK_SIZE, b"\0"), stale=True)
                self._open[row] = (parser, is_sound, path, sha256, number)
            while len(self._open) > _OPEN_LENDERS:
                self._open.popitem(last=False)
        self._open.move_to_end(row)
        lending = self._open[row]
        if lending is None:
            return None
        parser, is_sound, path, sha256, number = lending
        return Lender(parser, Template(str(UUID(bytes_le=guid)), path, sha256, number, offset), is_sound)
