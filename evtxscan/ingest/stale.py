"""Makes events of stale records, when all chunks of an ingest are in: their templates may stand in any of them.

What becomes of a record depends on the evidence in the case alone, not on the order it came in: records that lacked a
template are tried again when it has come, and one whose live twin came later turns from an event into a copy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from evtxscan.ecs.columns import catalogue
from evtxscan.evidence.evtx_layout import RECORD_HEADER_SIZE
from evtxscan.evtx.binxml.to_json import to_json
from evtxscan.evtx.carve import to_rebuild
from evtxscan.evtx.recover import Rebuilder, Recovered, Refused
from evtxscan.evtx.slack import look_behind
from evtxscan.evtx.walk import Span, walk_chunk
from evtxscan.ingest.sort import Sorter
from evtxscan.ingest.writer import Writer
from evtxscan.store.case import Case
from evtxscan.store.finish import index_chunks, index_kinds
from evtxscan.store.templates import Templates, chunk_bytes, note_slack, origin_of

# Chunks whose records are mapped and written together.
_CHUNKS_AT_ONCE = 64
_EVENTS_AT_ONCE = 10_000
_MAX_INTEGER = 2**63 - 1


def recover_stale(case: Case, run: int, only: frozenset[str] | None = None) -> None:
    """Look at all stale records of the case that nothing was made of yet. Raises CaseError.

    ``only``: the ECS categories to store, as for live records.
    """
    with case.transaction():
        _look_behind_all(case.db)
        templates = Templates(case.db)
        _reopen(case.db, templates, only)
        pending = [
            chunk
            for (chunk,) in case.db.execute(
                "SELECT s.chunk FROM chunk_slack s JOIN chunk c ON c.id = s.chunk WHERE NOT s.settled ORDER BY c.sha256"
            )
        ]
        writer = Writer(case, run, only)
        chunks = iter(pending)
        while group := list(islice(chunks, _CHUNKS_AT_ONCE)):
            _settle_chunks(case.db, writer, templates, group, only)
        index_chunks(case.db)
        index_kinds(case.db)
        case.db.execute(
            "UPDATE stale_record SET event = (SELECT id FROM event e WHERE e.chunk = stale_record.chunk"
            ' AND e."offset" = stale_record."offset") WHERE state = \'event\' AND event IS NULL'
        )
        _join_copies(case.db)
        _drop_twins(case.db)


def _look_behind_all(db: sqlite3.Connection) -> None:
    """Do for the chunks of an older case what the workers do for new ones."""
    missing = db.execute("SELECT id FROM chunk WHERE id NOT IN (SELECT chunk FROM chunk_slack) ORDER BY id").fetchall()
    for (chunk,) in missing:
        data = chunk_bytes(db, chunk)
        note_slack(db, chunk, look_behind(data, walk_chunk(data)))


def _reopen(db: sqlite3.Connection, templates: Templates, only: frozenset[str] | None) -> None:
    """Forget what was said of records that more can be said of now."""
    lacking = db.execute("SELECT DISTINCT template_id FROM stale_record WHERE template_id IS NOT NULL").fetchall()
    found = templates.ids
    again = [(wanted,) for (wanted,) in lacking if wanted in found]
    marks = "chunk IN (SELECT chunk FROM stale_record WHERE template_id = ?)"
    db.executemany(f"UPDATE chunk_slack SET settled = 0 WHERE {marks}", again)
    db.executemany("DELETE FROM stale_record WHERE template_id = ?", again)
    if only is None:
        filtered = "FROM stale_record WHERE state = 'filtered'"
        db.execute(f"UPDATE chunk_slack SET settled = 0 WHERE chunk IN (SELECT chunk {filtered})")
        db.execute(f"DELETE {filtered}")


@dataclass(slots=True)
class _Chunk:
    """One chunk of a group, and the records of it that are rendered."""

    row: int
    data: bytes
    origin: str
    spans: list[Span] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def _settle_chunks(
    db: sqlite3.Connection, writer: Writer, templates: Templates, rows: Sequence[int], only: frozenset[str] | None
) -> None:
    sorter = Sorter(only)
    chunks = [_Chunk(row, chunk_bytes(db, row), origin_of(db, row)) for row in rows]
    for index, chunk in enumerate(chunks):
        _rebuild(db, templates, chunk)
        sorter.add(index, chunk.data, chunk.spans, chunk.texts)
    groups, strings = sorter.groups()
    writer.add_stale(rows, groups, strings)
    for group in groups:
        db.executemany(
            "UPDATE stale_record SET state = 'event' WHERE chunk = ? AND \"offset\" = ?",
            ((rows[index], offset) for index, offset in zip(group.chunks, group.offsets, strict=True)),
        )
    db.executemany(
        "UPDATE stale_record SET state = 'refused', reason = 'name_overwritten', detail = ?3"
        ' WHERE chunk = ?1 AND "offset" = ?2',
        ((rows[index], offset, detail) for index, offset, detail in sorter.unreadable),
    )
    db.executemany("UPDATE chunk_slack SET settled = 1 WHERE chunk = ?", ((row,) for row in rows))


def _rebuild(db: sqlite3.Connection, templates: Templates, chunk: _Chunk) -> None:
    """Enter the stale records of a chunk into the case; those that are whole as filtered, until they are stored."""
    data, spans, shift = to_rebuild(chunk.data, chunk.origin)
    rebuilder = Rebuilder(data, templates.known(chunk.row))
    present = {offset for (offset,) in db.execute('SELECT "offset" FROM stale_record WHERE chunk = ?', (chunk.row,))}
    entries = []
    for span in spans:
        place = span._replace(offset=span.offset - shift)
        if place.offset in present:
            continue
        found = rebuilder.rebuild(span)
        if isinstance(found, Recovered) and found.unnamed is None:
            chunk.spans.append(place)
            chunk.texts.append(to_json(found.root))
        entries.append(_entry(chunk, place, found))
    db.executemany(
        'INSERT INTO stale_record(chunk, "offset", size, record_id, written, origin, state, template, template_id,'
        " reason, detail, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        entries,
    )


def _entry(chunk: _Chunk, span: Span, found: Recovered | Refused) -> tuple[object, ...]:
    head = (chunk.row, span.offset, span.size, _fitting(span.record_id), _fitting(span.written), chunk.origin)
    if isinstance(found, Refused):
        return (*head, "refused", None, found.template_id, found.reason, found.detail, None)
    means = found.means.name.lower()
    if found.unnamed is not None:
        detail = f"template 0x{found.unnamed:08x} of its data is nowhere in the evidence"
        return (*head, "unnamed", means, found.unnamed, "template_unknown", detail, to_json(found.root))
    return (*head, "filtered", means, None, None, None, None)


def _fitting(number: int) -> int | None:
    return number if number <= _MAX_INTEGER else None


def _join_copies(db: sqlite3.Connection) -> None:
    """Make one event of stale records with the same content as another event: of a live one if there is one."""
    columns = ", ".join(f'"{name}"' for name in [*catalogue(), "data"])
    headers = _Headers(db)
    last = 0
    while stale := db.execute(_STALE_EVENTS, (last, _EVENTS_AT_ONCE)).fetchall():
        last = stale[-1][0]
        for event, kind, ticks, host, *header in stale:
            others = db.execute(_SAME_MOMENT, (kind, ticks, host, event)).fetchall()
            own = _row(db, columns, event) if others else None
            if own is None:  # it is alone, or a copy already
                continue
            same = [
                other for (other,) in others if _row(db, columns, other) == own and headers.of(other) == tuple(header)
            ]
            keep = min([event, *same], key=headers.order)
            for other in {event, *same} - {keep}:
                if headers.is_stale(other):
                    _make_copy(db, other, keep)


_STALE_EVENTS = """
SELECT e.id, e.kind, e."@timestamp", e."host.name", r.record_id, r.written FROM stale_record r JOIN event e
ON e.id = r.event WHERE r.state = 'event' AND e."@timestamp" IS NOT NULL AND e.id > ? ORDER BY e.id LIMIT ?
"""
_SAME_MOMENT = 'SELECT id FROM event WHERE kind = ? AND "@timestamp" = ? AND "host.name" IS ? AND id <> ?'


def _make_copy(db: sqlite3.Connection, event: int, of: int) -> None:
    db.execute("UPDATE stale_record SET event = ?, state = 'copy' WHERE event = ?", (of, event))
    db.execute("UPDATE finding SET event = ? WHERE event = ?", (of, event))
    db.execute("DELETE FROM event WHERE id = ?", (event,))


def _row(db: sqlite3.Connection, columns: str, event: int) -> tuple[object, ...] | None:
    found: tuple[object, ...] | None = db.execute(f"SELECT {columns} FROM event WHERE id = ?", (event,)).fetchone()
    return found


def _drop_twins(db: sqlite3.Connection) -> None:
    """Drop carved chunks that the case has live as well: the image holds the log itself."""
    twins = db.execute(
        "SELECT s.chunk FROM chunk_slack s JOIN chunk c ON c.id = s.chunk WHERE s.origin = 'carved' AND EXISTS"
        " (SELECT 1 FROM chunk l WHERE l.sha256 = substr(c.sha256, 1, 32)) AND NOT EXISTS"
        " (SELECT 1 FROM stale_record r WHERE r.chunk = s.chunk AND r.state = 'event')"
    ).fetchall()
    for table in ("stale_record", "source_chunk", "chunk_slack"):
        db.executemany(f"DELETE FROM {table} WHERE chunk = ?", twins)
    db.executemany("DELETE FROM chunk WHERE id = ?", twins)


class _Headers:
    """What the headers of events' records say, read from the bytes in the case."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._chunk: tuple[int, bytes] = (0, b"")

    def of(self, event: int) -> tuple[int, int]:
        """Return record id and written time of an event's record."""
        chunk, offset = self._place(event)
        if self._chunk[0] != chunk:
            self._chunk = (chunk, chunk_bytes(self._db, chunk))
        head = self._chunk[1][offset : offset + RECORD_HEADER_SIZE]
        return int.from_bytes(head[8:16], "little"), int.from_bytes(head[16:24], "little")

    def is_stale(self, event: int) -> bool:
        """Tell whether an event's own record is a stale one."""
        found = self._db.execute(
            'SELECT 1 FROM stale_record WHERE chunk = ? AND "offset" = ?', self._place(event)
        ).fetchone()
        return found is not None

    def order(self, event: int) -> tuple[bool, tuple[str, int, int], int]:
        """Sort key of the events of one record: a live one first, then by its first place in the evidence."""
        chunk, offset = self._place(event)
        sha256, number = self._db.execute(
            "SELECT sha256, number FROM source_chunk JOIN source ON source.id = source WHERE chunk = ? ORDER BY 1, 2",
            (chunk,),
        ).fetchone()
        return self.is_stale(event), (sha256, number, offset), event

    def _place(self, event: int) -> tuple[int, int]:
        found: tuple[int, int] = self._db.execute('SELECT chunk, "offset" FROM event WHERE id = ?', (event,)).fetchone()
        return found
