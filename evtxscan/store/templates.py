"""The templates that the chunks of a case define, for records that lost their own."""

from __future__ import annotations

import sqlite3
import struct
from dataclasses import dataclass, field
from operator import attrgetter

import zstandard

from evtxscan.evidence.evtx_layout import CHUNK_SIZE
from evtxscan.evtx.binxml.nodes import BinXmlError, Definition
from evtxscan.evtx.binxml.tokens import read_definition
from evtxscan.evtx.recover import Known, Means
from evtxscan.evtx.slack import Slack

_ENTRY = struct.Struct("<16sHB")
# Places remembered of one template. The first that can be read is taken, and the first nearly always can.
_PLACES = 4


def note_slack(db: sqlite3.Connection, chunk: int, slack: Slack, origin: str = "slack") -> None:
    """Note what a chunk has besides live records; where there are stale ones, they are still to be looked at.

    ``origin`` is carved for what is no chunk of a log: then none of its records is live.
    """
    definitions = b"".join(_ENTRY.pack(guid, offset, is_stale) for guid, offset, is_stale in slack.definitions)
    db.execute(
        "INSERT INTO chunk_slack(chunk, origin, records, settled, definitions) VALUES (?, ?, ?, ?, ?)",
        (chunk, origin, slack.records, not slack.records, definitions),
    )


@dataclass(slots=True)
class _Template:
    """Where one template stands: the sources that have it, and the best places, each (rank, chunk, offset)."""

    guid: bytes
    sources: set[int] = field(default_factory=set)
    places: list[tuple[tuple[bool, bool, bytes, int], int]] = field(default_factory=list)


class Templates:
    """Finds templates by their id. Which place one is read from does not depend on the order of ingest."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._by_guid: dict[bytes, _Template] = {}
        self._by_id: dict[int, list[_Template]] = {}
        self._read: dict[bytes, tuple[Definition, tuple[int, int]] | None] = {}
        rows = db.execute(
            "SELECT s.chunk, s.definitions, c.sha256, c.checksums_ok,"
            " (SELECT group_concat(source) FROM source_chunk WHERE chunk = s.chunk)"
            " FROM chunk_slack s JOIN chunk c ON c.id = s.chunk WHERE s.definitions <> x''"
        )
        for chunk, definitions, sha256, checksums_ok, sources in rows:
            of = [int(source) for source in (sources or "").split(",") if source]
            for guid, offset, is_stale in _ENTRY.iter_unpack(definitions):
                self._learn(guid, of, ((bool(is_stale), not checksums_ok, sha256, offset), chunk))

    @property
    def ids(self) -> set[int]:
        """The ids of all templates that can be looked for."""
        return set(self._by_id)

    def known(self, chunk: int) -> Known:
        """Return the look-up for the records of one chunk."""
        sources = {row for (row,) in self._db.execute("SELECT source FROM source_chunk WHERE chunk = ?", (chunk,))}

        def find(template_id: int) -> list[tuple[Definition, Means]]:
            found = []
            for template in sorted(self._by_id.get(template_id, ()), key=attrgetter("guid")):
                read = self._definition(template)
                if read is not None:
                    is_near = not sources.isdisjoint(template.sources)
                    found.append((read[0], Means.SAME_SOURCE if is_near else Means.OTHER_SOURCE))
            return found

        return find

    def place(self, guid: bytes) -> tuple[int, int]:
        """Return where a template that was found is read from: chunk (row id) and offset in it."""
        read = self._definition(self._by_guid[guid])
        if read is None:
            raise KeyError(guid)
        return read[1]

    def _learn(self, guid: bytes, sources: list[int], place: tuple[tuple[bool, bool, bytes, int], int]) -> None:
        template = self._by_guid.get(guid)
        if template is None:
            template = self._by_guid[guid] = _Template(guid)
            self._by_id.setdefault(int.from_bytes(guid[:4], "little"), []).append(template)
        template.sources.update(sources)
        places = template.places
        if len(places) < _PLACES or place < places[-1]:
            places.append(place)
            places.sort()
            del places[_PLACES:]

    def _definition(self, template: _Template) -> tuple[Definition, tuple[int, int]] | None:
        if template.guid not in self._read:
            self._read[template.guid] = self._read_first(template)
        return self._read[template.guid]

    def _read_first(self, template: _Template) -> tuple[Definition, tuple[int, int]] | None:
        for (_, _, _, offset), chunk in template.places:
            try:
                definition = read_definition(chunk_bytes(self._db, chunk), offset)
            except BinXmlError:
                continue
            if definition.guid == template.guid:
                return definition, (chunk, offset)
        return None


def chunk_bytes(db: sqlite3.Connection, chunk: int) -> bytes:
    """Return the bytes of a chunk as they were in the evidence."""
    (data,) = db.execute("SELECT bytes FROM chunk WHERE id = ?", (chunk,)).fetchone()
    found: bytes = zstandard.ZstdDecompressor().decompress(data, max_output_size=CHUNK_SIZE)
    return found


def origin_of(db: sqlite3.Connection, chunk: int) -> str:
    """Return what the stale records of a chunk are: slack or carved."""
    found: str = db.execute("SELECT origin FROM chunk_slack WHERE chunk = ?", (chunk,)).fetchone()[0]
    return found
