"""Reads events back: their ECS documents, their places in the evidence, their bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import orjson
import zstandard

from evtxscan.ecs.columns import catalogue
from evtxscan.ecs.document import document
from evtxscan.ecs.documents import document_mapping
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import Mapping
from evtxscan.errors import EvidenceError, UsageError
from evtxscan.evidence.evtx_layout import CHUNK_SIZE
from evtxscan.evtx.mend import Unreadable, mend_chunk
from evtxscan.evtx.parse import RenderError, render_xml
from evtxscan.evtx.walk import walk_chunk
from evtxscan.store.case import Case, explained
from evtxscan.store.stale_xml import stale_xml
from evtxscan.store.templates import Templates

# SQLite's limit on variables of one statement is higher; larger groups are no faster.
_GROUP = 500
# Hex digits of the source's SHA-256 in an event id.
_ID_DIGITS = 16
_VALUES_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class LineOf:
    """Where a document stands: line number in the file, from 1, offset in the file, size and SHA-256 of its bytes."""

    number: int
    offset: int
    size: int
    sha256: str

    def document(self) -> dict[str, Any]:
        """Return it as it stands in a provenance."""
        return {"number": self.number, "offset": self.offset, "size": self.size, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies: source path and SHA-256, chunk number in the source, offset in the chunk, record id.

    Of a document, ``chunk`` is the number of its block and ``line`` says where it stands in the file.
    """

    path: str
    sha256: str
    chunk: int
    offset: int
    record_id: int | None
    mended: bool
    origin: str = "live"
    line: LineOf | None = None

    @property
    def event_id(self) -> str:
        """The stable id of the event at this place: made of content and position alone."""
        return f"{self.sha256[:_ID_DIGITS]}-{self.chunk}-{self.offset}"

    def order(self) -> tuple[bool, str, int, int, str]:
        """Sort key that does not depend on the order of ingest; places of live records come first."""
        return (self.origin != "live", self.sha256, self.chunk, self.offset, self.path)

    def document(self) -> dict[str, Any]:
        """Return the entry of ``evtxscan.provenance``."""
        entry: dict[str, Any] = {
            "source": {"path": self.path, "sha256": self.sha256},
            "chunk": self.chunk,
            "offset": self.offset,
            "record_id": self.record_id,
            "origin": self.origin,
        }
        if self.mended:
            entry["mended"] = True
        return entry if self.line is None else {**entry, "line": self.line.document()}


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its row id, kind, column values (texts resolved), and the rest of ``winlog``."""

    row: int
    kind: Kind
    mapping: Mapping
    mended: bool
    columns: dict[str, str | int]
    data: dict[str, Any] | None

    def document(self) -> dict[str, Any]:
        """Return the flat ECS document: dotted field names, lists for several values."""
        return document(self.kind, self.mapping, self.columns, self.data)

    @property
    def ticks(self) -> int:
        """@timestamp as FILETIME ticks; 0 where damage left none."""
        return self.time or 0

    @property
    def time(self) -> int | None:
        """@timestamp as FILETIME ticks; None where damage left none."""
        found = self.columns.get("@timestamp")
        return None if found is None else int(found)


class Events:
    """Reads the events of one case. Keeps what repeats (kinds, texts) for its lifetime."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._db = case.db
        self._texts: dict[int, str] = {}
        self._chunk: tuple[int, bytes] = (0, b"")

    @cached_property
    def kinds(self) -> dict[int, tuple[Kind, Mapping]]:
        """All kinds of the case with their mappings, by row id."""
        result: dict[int, tuple[Kind, Mapping]] = {}
        for row, definition in self._db.execute("SELECT id, definition FROM kind ORDER BY id"):
            kind = Kind(**json.loads(definition))
            result[row] = (kind, document_mapping(kind, self._own_fields(row) if kind.is_document else frozenset()))
        return result

    def _own_fields(self, kind: int) -> frozenset[str]:
        """Return the fields that documents of a kind have, and no column."""
        return frozenset(
            field for (field,) in self._db.execute("SELECT field FROM document_field WHERE kind = ?", (kind,))
        )

    @cached_property
    def complete(self) -> dict[int, frozenset[str]]:
        """For each kind, the columns in which all its events have a value."""
        rows = self._db.execute("SELECT id, complete FROM kind")
        return {row: frozenset(json.loads(complete)) for row, complete in rows}

    def texts(self, ids: Iterable[int]) -> dict[int, str]:
        """Return id -> text for ids of table value."""
        if len(self._texts) > _VALUES_REMEMBERED:
            self._texts.clear()
        wanted = set(ids)
        missing = iter(sorted(wanted.difference(self._texts)))
        while group := list(islice(missing, _GROUP)):
            marks = ",".join("?" * len(group))
            self._texts.update(self._db.execute(f"SELECT id, text FROM value WHERE id IN ({marks})", group))
        return {value: self._texts[value] for value in wanted}

    def read(self, rows: Sequence[int]) -> list[Event]:
        """Return the events with these row ids, in the order of ``rows``."""
        with explained(self._case.path):
            found: dict[int, Event] = {}
            for start in range(0, len(rows), _GROUP):
                found.update((event.row, event) for event in self._read(rows[start : start + _GROUP]))
        return [found[row] for row in rows if row in found]

    def _read(self, rows: Sequence[int]) -> Iterator[Event]:
        names = list(catalogue())
        listed = ", ".join(f'"{name}"' for name in names)
        sql = f"SELECT id, kind, mended, data, {listed} FROM event WHERE id IN ({','.join('?' * len(rows))})"
        raw = self._db.execute(sql, list(rows)).fetchall()
        keywords = [name for name in names if catalogue()[name].type == "keyword"]
        positions = {name: number for number, name in enumerate(names, 4)}
        texts = self.texts(row[positions[name]] for row in raw for name in keywords if row[positions[name]] is not None)
        is_keyword = frozenset(keywords)
        for row in raw:
            columns = {
                name: texts[cell] if name in is_keyword else cell
                for name, position in positions.items()
                if (cell := row[position]) is not None
            }
            kind, mapping = self.kinds[row[1]]
            yield Event(row[0], kind, mapping, bool(row[2]), columns, orjson.loads(row[3]) if row[3] else None)

    def places(self, rows: Sequence[int]) -> dict[int, tuple[Place, ...]]:
        """Return row id -> all places where the evidence holds the record, the one that names the event first."""
        result: dict[int, set[Place]] = {row: set() for row in rows}
        with explained(self._case.path):
            for start in range(0, len(rows), _GROUP):
                group = list(rows[start : start + _GROUP])
                for row, *place, chunk, byte, line in self._db.execute(_places_sql(len(group)), group * 3).fetchall():
                    found = Place(*place)
                    if byte is not None:
                        found = replace(found, line=self._line(row, chunk, found.offset, (byte, line)))
                    result[row].add(found)
        return {row: tuple(sorted(places, key=Place.order)) for row, places in result.items()}

    def _line(self, row: int, chunk: int, offset: int, block: tuple[int, int]) -> LineOf:
        """Return where the line at ``offset`` of a block stands; ``block``: offset and line that it begins with."""
        own, at, sha256, size, number = self._db.execute(
            'SELECT chunk, "offset", sha256, size, line FROM event JOIN document_line ON event = id WHERE id = ?',
            (row,),
        ).fetchone()
        if (chunk, offset) != (own, at):  # the same line elsewhere: count those before it
            number = self._chunk_bytes(chunk)[:offset].count(b"\n")
        return LineOf(block[1] + number, block[0] + offset, size, sha256.hex())

    def find(self, event_id: str) -> int:
        """Return the row id of an event by its id. Raises UsageError when the case has no such event."""
        parts = event_id.rsplit("-", 2)
        valid = len(parts) == 3 and parts[0] and all(part.isascii() and part.isdigit() for part in parts[1:])
        if not valid or not set(parts[0]) <= set("0123456789abcdef"):
            raise UsageError(f"{event_id!r} is no event id; one looks like 0123456789abcdef-12-4608")
        with explained(self._case.path):
            chunk, offset = (min(int(part), 2**62) for part in parts[1:])
            found = self._db.execute(_FIND_SQL, (f"{parts[0]}*", chunk, offset)).fetchall()
        rows = {row for found_rows in found for row in found_rows if row is not None}
        if not rows:
            raise UsageError(f"{event_id}: no such event in {self._case.path}")
        if len(rows) > 1:
            raise UsageError(f"{event_id}: several sources begin with this hash; give more of its digits")
        return int(rows.pop())

    def chunk_of(self, row: int) -> tuple[bytes, int]:
        """Return the bytes of the chunk that holds an event, as they were in the evidence, and the record's offset."""
        with explained(self._case.path):
            chunk, offset = self._db.execute('SELECT chunk, "offset" FROM event WHERE id = ?', (row,)).fetchone()
            return self._chunk_bytes(chunk), offset

    def _chunk_bytes(self, chunk: int) -> bytes:
        if self._chunk[0] != chunk:
            (data,) = self._db.execute("SELECT bytes FROM chunk WHERE id = ?", (chunk,)).fetchone()
            self._chunk = (chunk, zstandard.ZstdDecompressor().decompress(data, max_output_size=CHUNK_SIZE))
        return self._chunk[1]

    def text(self, row: int) -> str:
        """Return the line of a document as it stands in the evidence; bytes that are no UTF-8 become ``\\xNN``."""
        data, offset = self.chunk_of(row)
        with explained(self._case.path):
            (size,) = self._db.execute("SELECT size FROM document_line WHERE event = ?", (row,)).fetchone()
        return data[offset : offset + size].decode("utf-8", "backslashreplace")

    def xml(self, row: int) -> str:
        """Render the record of an event as XML, from the bytes in the case.

        Raises EvidenceError when neither parser renders it (its JSON did once, so that is a parser's difference).
        """
        chunk, offset = self.chunk_of(row)
        if (stale := self._stale(row)) is not None:
            of, origin = stale
            return stale_xml(self._templates, of, offset, chunk, origin)
        walk = walk_chunk(chunk)
        rendered = [r for r in render_xml([chunk.ljust(CHUNK_SIZE, b"\0")]) if not isinstance(r, RenderError)]
        if [record_id for record_id, _ in rendered] == [span.record_id for span in walk.spans]:
            return next(text for span, (_, text) in zip(walk.spans, rendered, strict=True) if span.offset == offset)
        record = next(record for record in mend_chunk(chunk, walk, "xml") if record.span.offset == offset)
        if isinstance(record, Unreadable):
            raise EvidenceError(f"the record cannot be rendered as XML: {record.detail}")
        return record.text

    @cached_property
    def _templates(self) -> Templates:
        return Templates(self._db)

    def _stale(self, row: int) -> tuple[int, str] | None:
        """Return chunk and origin of an event whose record is a stale one, None for a live one."""
        with explained(self._case.path):
            found: tuple[int, str] | None = self._db.execute(
                "SELECT r.chunk, r.origin FROM stale_record r JOIN event e ON e.chunk = r.chunk"
                ' AND e."offset" = r."offset" WHERE e.id = ?',
                (row,),
            ).fetchone()
        return found


def _places_sql(count: int) -> str:
    marks = ",".join("?" * count)
    select = (
        "SELECT {event}, source.path, source.sha256, source_chunk.number,"
        ' {place}."offset", e."winlog.record_id", e.mended, {origin},'
        " {place}.chunk, source_chunk.start, source_chunk.line"
        " FROM {tables} JOIN source_chunk ON source_chunk.chunk = {place}.chunk"
        " JOIN source ON source.id = source_chunk.source WHERE {event} IN ({marks})"
    )
    own_origin = (
        "(SELECT coalesce(min(origin), 'live') FROM stale_record r"
        ' WHERE r.chunk = e.chunk AND r."offset" = e."offset")'
    )
    own = select.format(event="e.id", place="e", tables="event e", marks=marks, origin=own_origin)
    copies = select.format(
        event="c.event", place="c", tables="event_copy c JOIN event e ON e.id = c.event", marks=marks, origin="'live'"
    )
    of_stale = "stale_record r JOIN event e ON e.id = r.event"
    stale = select.format(event="r.event", place="r", tables=of_stale, marks=marks, origin="r.origin")
    return f"{own} UNION ALL {copies} UNION ALL {stale} AND r.state = 'copy'"


_FIND_SQL = """
SELECT event.id, event_copy.event, stale_record.event
FROM source JOIN source_chunk ON source_chunk.source = source.id
LEFT JOIN event ON event.chunk = source_chunk.chunk AND event."offset" = ?3
LEFT JOIN event_copy ON event_copy.chunk = source_chunk.chunk AND event_copy."offset" = ?3
LEFT JOIN stale_record ON stale_record.chunk = source_chunk.chunk AND stale_record."offset" = ?3
WHERE source.sha256 GLOB ?1 AND source_chunk.number = ?2
"""
