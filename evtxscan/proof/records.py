"""Checks single records: the evidence's bytes, rendered by the second parser, against what the case has of them."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from evtxscan.ecs.columns import catalogue
from evtxscan.ecs.document import document
from evtxscan.ecs.documents import document_mapping
from evtxscan.evidence.evtx_layout import CHUNK_SIZE, RECORD_HEADER_SIZE, RECORD_MAGIC
from evtxscan.evtx.compare import Difference, differences, read_fields
from evtxscan.evtx.mend import Mended, mend_chunk
from evtxscan.evtx.parse import RenderError, render_xml
from evtxscan.evtx.second import SecondParser
from evtxscan.evtx.walk import walk_chunk
from evtxscan.ingest.batch import process_chunks
from evtxscan.ingest.sort import Group

Outcome = Literal["agrees", "differs", "cannot_render", "gone"]
Against = Literal["evidence", "case"]
OUTCOMES: tuple[Outcome, ...] = ("agrees", "differs", "cannot_render", "gone")

_RECORD = struct.Struct("<4sIQ")
_SHA256_SIZE = 32


@dataclass(frozen=True, slots=True)
class Template:
    """A template that a stale record's own chunk does not have any more, and where it was read from."""

    guid: str
    path: str
    sha256: str
    chunk: int
    offset: int

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        source = {"path": self.path, "sha256": self.sha256}
        return {"guid": self.guid, "source": source, "chunk": self.chunk, "offset": self.offset}


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of one record gave.

    ``against``: the evidence, or, where that is not at hand, the chunk that the case keeps. ``same_bytes``: whether
    the record's bytes are those that were read (None: no evidence). ``differences`` are between the renderings of the
    two parsers, ``altered`` between the record and the event that the case makes of it (ECS names). Of a stale record,
    ``template`` says where its templates were found (in_place, same_source, other_source), and ``templates`` names
    those of other chunks.
    """

    outcome: Outcome
    against: Against
    same_bytes: bool | None
    differences: tuple[Difference, ...] = ()
    altered: tuple[Difference, ...] = ()
    detail: str | None = None
    template: str | None = None
    templates: tuple[Template, ...] = ()


class KeptChunk:
    """A chunk as the case keeps it: what the first parser makes of its records, and what the case should have of them.

    ``bytes`` may be cut short; ``is_sound`` says whether they still have the hash under which they were stored.
    """

    def __init__(self, data: bytes, sha256: bytes) -> None:
        self.bytes = data
        # What was carved has a mark behind its hash.
        self.is_sound = hashlib.sha256(data).digest() == sha256[:_SHA256_SIZE]
        self._first: dict[int, str | None] | None = None
        self._documents: dict[int, dict[str, Any]] | None = None
        self._second = SecondParser(data.ljust(CHUNK_SIZE, b"\0"))

    def first(self, offset: int) -> str | RenderError:
        """Return a record as the first parser's XML."""
        if self._first is None:
            self._first = dict(_first_renderings(self.bytes))
        text = self._first.get(offset)
        return RenderError("only python-evtx renders it: there is no second opinion") if text is None else text

    def second(self, offset: int, evidence: bytes) -> str | RenderError:
        """Return a record as python-evtx's XML, from the bytes of the chunk as it is now."""
        parser = self._second if evidence == self.bytes else SecondParser(evidence.ljust(CHUNK_SIZE, b"\0"))
        return parser.xml(offset)

    def document(self, offset: int) -> dict[str, Any] | None:
        """Return the flat ECS document that the record gives; None where there is no record to be read."""
        if self._documents is None:
            batch = process_chunks([self.bytes], 0)
            self._documents = dict(flat_documents(batch.groups, batch.strings))
        return self._documents.get(offset)

    def check(self, offset: int, stored: dict[str, Any], evidence: bytes | None) -> Checked:
        """Check the record at ``offset``: ``stored`` is its event in the case, ``evidence`` the chunk as it is now."""
        against: Against = "case" if evidence is None else "evidence"
        data = self.bytes if evidence is None else evidence
        same = None if evidence is None else evidence == self.bytes or self._same(offset, evidence)
        altered = tuple(altered_fields(stored, self.document(offset)))
        if missing := self._gone(offset, data):
            return Checked("gone", against, same, altered=altered, detail=missing)
        found = compare_renderings(self.first(offset), self.second(offset, data))
        if isinstance(found, RenderError):
            outcome: Outcome = "differs" if altered or not self.is_sound else "cannot_render"
            return Checked(outcome, against, same, altered=altered, detail=found.message)
        if not self.is_sound:
            detail = "the chunk in the case does not have its hash any more: the case was changed"
            return Checked("differs", against, same, tuple(found), altered, detail)
        return Checked("differs" if found or altered else "agrees", against, same, tuple(found), altered)

    def _same(self, offset: int, data: bytes) -> bool:
        size = _size(self.bytes, offset)
        return self.bytes[offset : offset + size] == data[offset : offset + size]

    def _gone(self, offset: int, data: bytes) -> str | None:
        """Say what stands in a record's place where the record does not."""
        if offset + RECORD_HEADER_SIZE > len(data):
            return "the file ends before it"
        magic, _, record_id = _RECORD.unpack_from(data, offset)
        if magic != RECORD_MAGIC:
            return "no record begins there"
        expected = (
            _RECORD.unpack_from(self.bytes, offset)[2] if offset + RECORD_HEADER_SIZE <= len(self.bytes) else None
        )
        return None if record_id == expected else f"record {record_id} stands there, not {expected}"


def compare_renderings(first: str | RenderError, second: str | RenderError) -> list[Difference] | RenderError:
    """Return where two renderings differ, or why there are no two that can be compared."""
    for rendering in (first, second):
        if isinstance(rendering, RenderError):
            return rendering
    fields = [read_fields(str(rendering)) for rendering in (first, second)]
    for one in fields:
        if isinstance(one, RenderError):
            return one
    return differences(*fields)  # type: ignore[arg-type]


def _size(data: bytes, offset: int) -> int:
    return int(_RECORD.unpack_from(data, offset)[1]) if offset + RECORD_HEADER_SIZE <= len(data) else 0


def _first_renderings(data: bytes) -> Iterator[tuple[int, str | None]]:
    """Yield offset and XML of each record; None for one that the first parser does not render."""
    walk = walk_chunk(data)
    plain = [r for r in render_xml([data.ljust(CHUNK_SIZE, b"\0")]) if not isinstance(r, RenderError)]
    if [record_id for record_id, _ in plain] == [span.record_id for span in walk.spans]:
        yield from ((span.offset, text) for span, (_, text) in zip(walk.spans, plain, strict=True))
        return
    for record in mend_chunk(data, walk, "xml"):
        if isinstance(record, Mended):
            yield record.span.offset, None if record.is_second else record.text


def flat_documents(groups: Sequence[Group], strings: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield offset and flat ECS document of the records of one chunk, mapped again."""
    for group in groups:
        mapping = document_mapping(group.kind, group.own)
        for row, offset in enumerate(group.offsets):
            columns = {
                name: strings[cells[row]] if catalogue()[name].type == "keyword" else cells[row]
                for name, cells in group.columns.items()
                if not (name in group.gaps and cells[row] == -1)
            }
            text = group.data[row] if group.data else ""
            yield offset, document(group.kind, mapping, columns, orjson.loads(text) if text else None)


def altered_fields(stored: dict[str, Any], made: dict[str, Any] | None) -> Iterator[Difference]:
    """Yield where an event in the case is not what its record gives."""
    if made is None:
        yield Difference("*", "an event", None)
        return
    for field in sorted({*stored, *made}):
        if stored.get(field) != made.get(field):
            yield Difference(field, shown(stored.get(field)), shown(made.get(field)))


def shown(value: Any) -> str | None:  # noqa: ANN401 - a value of a document
    """Return a value as a difference names it."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
