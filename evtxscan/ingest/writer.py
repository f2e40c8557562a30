"""The one writer of a case: stores batches so that every record is there once, however often it is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

import orjson

from evtxscan.ecs.columns import catalogue
from evtxscan.ecs.documents import ANY
from evtxscan.ecs.kind import Kind
from evtxscan.errors import CaseError
from evtxscan.evidence.source import Source
from evtxscan.ingest.batch import Batch, ChunkResult
from evtxscan.ingest.documents import BlockResult, DocumentBatch
from evtxscan.ingest.lines import KnownLines
from evtxscan.ingest.overlap import repeated_records
from evtxscan.ingest.sort import Group
from evtxscan.ingest.summary import ContainerSummary, Counts, SourceSummary
from evtxscan.ingest.values import ValueIds
from evtxscan.store.case import Case
from evtxscan.store.finish import index_chunks
from evtxscan.store.templates import note_slack

# Ids remembered per column as noted in column_value; a bound on memory, not on what is noted.
_NOTED = 20_000
# Different fields of the documents of one kind that are listed; real ones have some hundred.
_MOST_FIELDS = 5_000
_EVERY_COLUMN = orjson.dumps(sorted(catalogue())).decode()


@dataclass(slots=True)
class _Place:
    """Where a chunk of a batch went: its row, whether records of it are wanted, and at which offsets they are there."""

    row: int
    is_wanted: bool
    present: frozenset[int] = frozenset()
    stored: int = 0
    repeated: int = 0


class Writer:
    """Stores batches. Call it between BEGIN and COMMIT of ``case.transaction()``."""

    def __init__(self, case: Case, run: int, only: frozenset[str] | None) -> None:
        self._case = case
        self._db = case.db
        self._run = run
        self.scope = None if only is None else ",".join(sorted(only))
        self._values = ValueIds(case.db)
        self._kinds: dict[Kind, int] = {}
        self._complete: dict[int, frozenset[str]] = {}
        self._noted: dict[str, set[int]] = {}
        self._known_lines = KnownLines(case.db)
        self._own: dict[int, set[str]] = {}
        self._lines: dict[int, int] = {}

    def open_source(self, source: Source, exhibit: str | None, expected: str | None) -> int:
        """Enter a source that is about to be read and return its row."""
        cursor = self._db.execute(
            "INSERT INTO source(path, argument, sha256, size, modified, exhibit, expected_sha256, run, state)"
            " VALUES (?, ?, '', ?, ?, ?, ?, ?, 'reading')",
            (source.path, source.argument, source.size, source.modified, exhibit, expected, self._run),
        )
        return int(cursor.lastrowid or 0)

    def identify_source(self, row: int, sha256: str) -> None:
        """Note the hash of a source; nothing of it is committed before."""
        self._db.execute("UPDATE source SET sha256 = ? WHERE id = ?", (sha256, row))

    def close_source(self, row: int, state: str, counts: Counts, error: str | None = None) -> None:
        """Note how the reading of a source ended; an earlier reading of the same bytes under the same path goes.

        It goes only now, so that a killed run leaves no event without a source. One that was cut short and whose file
        has changed since stays, as what its events came from.
        """
        earlier = self._db.execute(
            "SELECT old.id FROM source old JOIN source new USING (path, argument, sha256)"
            " WHERE new.id = ? AND old.id <> new.id",
            (row,),
        ).fetchall()
        for old in earlier:
            self._db.execute("DELETE FROM source_chunk WHERE source = ?", old)
            self._db.execute("DELETE FROM source WHERE id = ?", old)
        self._db.execute(
            "UPDATE source SET state = 'failed', error = 'the reading was interrupted, and the file has changed since'"
            " WHERE state = 'reading' AND id <> ?"
            " AND (path, argument) = (SELECT path, argument FROM source WHERE id = ?)",
            (row, row),
        )
        self._db.execute(
            "UPDATE source SET state = ?, error = ?, found = ?, stored = ?, known = ?, lost = ?, filtered = ?"
            " WHERE id = ?",
            (state, error, counts.found, counts.stored, counts.known, counts.lost, counts.filtered, row),
        )

    def note_container(self, container: ContainerSummary) -> None:
        """Enter a file of a container; what an earlier run said of the same bytes goes, and a hash stays."""
        place = (container.path, container.argument)
        if container.sha256 is None:
            known = "SELECT 1 FROM container WHERE path = ? AND argument = ? AND size = ? AND sha256 IS NOT NULL"
            if self._db.execute(known, (*place, container.size)).fetchone():
                return
        self._db.execute(
            "DELETE FROM container WHERE path = ? AND argument = ? AND (sha256 IS NULL OR sha256 = ?)",
            (*place, container.sha256),
        )
        self._db.execute(
            "INSERT INTO container(path, argument, first, kind, sha256, size, modified, expected_sha256, error, run)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *place,
                container.first,
                container.kind,
                container.sha256,
                container.size,
                container.modified,
                container.expected_sha256,
                container.error,
                self._run,
            ),
        )

    def note_expected(self, source: SourceSummary, expected: str) -> None:
        """Note the hash that a source was compared with."""
        self._db.execute(
            "UPDATE source SET expected_sha256 = ? WHERE path = ? AND argument = ? AND sha256 = ?",
            (expected, source.path, source.argument, source.sha256),
        )

    def add(self, source: int, batch: Batch) -> Counts:
        """Store a batch of ``source`` and return what became of its records."""
        places = [self._place(result) for result in batch.chunks]
        if isinstance(batch, DocumentBatch):
            self._store_documents(batch, places)
        else:
            self._store_all(batch.groups, batch.strings, places)
        counts = Counts()
        for result, place in zip(batch.chunks, places, strict=True):
            counts.add(self._account(source, result, place))
        return counts

    def add_stale(self, chunks: Sequence[int], groups: list[Group], strings: list[str]) -> None:
        """Store stale records of chunks (row ids) that the case has; no count of live records includes them."""
        self._store_all(groups, strings, [_Place(row, is_wanted=True) for row in chunks])

    def _store_all(self, groups: list[Group], strings: list[str], places: list[_Place]) -> None:
        ids = self._values.resolve(strings)
        ids.append(-1)  # where cells of -1, no value, find themselves
        seen: dict[str, set[int]] = {}
        for group in groups:
            self._store(group, places, ids, seen)
        self._note_values(seen, ids)

    def _store_documents(self, batch: DocumentBatch, places: list[_Place]) -> None:
        """Store those documents of a batch whose lines the case does not have yet, and note where it has the others."""
        ids = self._values.resolve(batch.strings)
        ids.append(-1)
        seen: dict[str, set[int]] = {}
        wanted = {
            (index, offset): line
            for (index, offset), line in batch.by_place.items()
            if places[index].is_wanted and offset not in places[index].present
        }
        order = [
            (index, offset) for group in batch.groups for index, offset in zip(group.chunks, group.offsets, strict=True)
        ]
        lines = [(place, wanted[place]) for place in sorted(order) if place in wanted]
        events = self._known_lines.settle(lines, [result.sha256 for result in batch.chunks])
        for group in batch.groups:
            self._store(group, places, ids, seen, events.new)
            self._note_own(group)
        self._note_values(seen, ids)
        self._known_lines.keep(events, [place.row for place in places])
        for index, _ in events.repeated:
            places[index].repeated += 1

    def _note_own(self, group: Group) -> None:
        """Note the fields that documents have beside the columns; a bound keeps hostile ones from filling the case."""
        kind = self._kind(group)
        known = self._own.setdefault(kind, set())
        new = group.own - known - {"@timestamp"}
        if not new or ANY in known:
            return
        if not known:
            known.update(
                name for (name,) in self._db.execute("SELECT field FROM document_field WHERE kind = ?", (kind,))
            )
            new -= known
        if len(known) + len(new) > _MOST_FIELDS:
            new = frozenset({ANY})
        known |= new
        self._db.executemany(
            "INSERT OR IGNORE INTO document_field(kind, field) VALUES (?, ?)", ((kind, name) for name in sorted(new))
        )

    def _place(self, result: ChunkResult) -> _Place:
        found = self._db.execute("SELECT id, only_categories FROM chunk WHERE sha256 = ?", (result.sha256,)).fetchone()
        if found is None:
            return self._new_chunk(result)
        row, scope = found
        is_block = isinstance(result, BlockResult)
        if scope is None or scope == self.scope or result.bytes is None:
            return _Place(row, is_wanted=False)
        # An earlier `ingest --only` left records out: those that are there stay, the others are added.
        index_chunks(self._db)
        present = self._db.execute(
            'SELECT "offset" FROM event WHERE chunk = ? UNION SELECT "offset" FROM event_copy WHERE chunk = ?',
            (row, row),
        ).fetchall()
        there = frozenset(offset for (offset,) in present)
        # What was left out here, another copy of the chunk may have given since.
        repeated = {} if is_block else repeated_records(self._db, result, row)
        added = {offset: event for offset, event in repeated.items() if offset not in there}
        self._note_copies(row, added)
        merged = None if self.scope is None else ",".join(sorted({*scope.split(","), *self.scope.split(",")}))
        self._db.execute(
            "UPDATE chunk SET only_categories = ?, events = events + ? WHERE id = ?", (merged, len(added), row)
        )
        return _Place(row, is_wanted=True, present=there | added.keys())

    def _note_copies(self, chunk: int, events: dict[int, int]) -> None:
        """Note offset -> event: records of a chunk that the case has from another copy of it."""
        if events:
            self._db.executemany(
                "INSERT INTO event_copy(event, chunk, offset) VALUES (?, ?, ?)",
                ((event, chunk, offset) for offset, event in events.items()),
            )

    def _new_chunk(self, result: ChunkResult) -> _Place:
        if result.bytes is None:
            raise CaseError(f"{self._case.path}: chunk {result.number} vanished from the case; run the command again")
        repeated = repeated_records(self._db, result)
        cursor = self._db.execute(
            "INSERT INTO chunk(sha256, size, bytes, first_record_id, first_written, records, checksums_ok, events,"
            " lost, only_categories) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                result.sha256,
                result.size,
                result.bytes,
                result.first_record_id,
                result.first_written,
                result.records,
                result.checksums_ok,
                len(repeated),
                len(result.losses),
                self.scope,
            ),
        )
        row = int(cursor.lastrowid or 0)
        if result.slack is not None:
            note_slack(self._db, row, result.slack)
        if isinstance(result, BlockResult):
            self._db.execute("INSERT INTO document_block(chunk, lines) VALUES (?, ?)", (row, result.lines))
        if result.losses:
            self._db.executemany(
                "INSERT INTO loss(chunk, offset, record_id, reason, detail, line) VALUES (?, ?, ?, ?, ?, ?)",
                ((row, loss.offset, loss.record_id, loss.reason, loss.detail, loss.line) for loss in result.losses),
            )
        self._note_copies(row, repeated)
        return _Place(row, is_wanted=True, present=frozenset(repeated))

    def _store(
        self,
        group: Group,
        places: list[_Place],
        ids: list[int],
        seen: dict[str, set[int]],
        new: Mapping[tuple[int, int], int] | None = None,
    ) -> None:
        """Write the records of one kind; add to ``seen`` which texts (by place in ``ids``) are in which column.

        ``new``: of documents, those to store, by index of the block and offset, and the rows they are to have.
        NULLIF, because binding None to a statement takes longer than binding all the rest of a row.
        """
        rows = [place.row for place in places]
        columns: list[Iterable[object]] = [map(rows.__getitem__, group.chunks), group.offsets]
        names = ["chunk", '"offset"']
        marks = ["?", "?"]
        for name, cells in group.columns.items():
            names.append(f'"{name}"')
            marks.append("NULLIF(?, -1)" if name in group.gaps else "?")
            if catalogue()[name].type == "keyword":
                columns.append(map(ids.__getitem__, cells))
                seen.setdefault(name, set()).update(cells)
            else:
                columns.append(cells)
        if group.data is not None:
            names.append("data")
            marks.append("NULLIF(?, '')")
            columns.append(group.data)
        if new is not None:
            names.append("id")
            marks.append("?")
            columns.append([new.get(place) for place in zip(group.chunks, group.offsets, strict=True)])
        kind = self._kind(group)
        constants = f"{kind}, {int(group.mended)}"
        sql = f"INSERT INTO event(kind, mended, {', '.join(names)}) VALUES ({constants}, {', '.join(marks)})"
        keep = self._wanted(group, places) if new is None else self._count_new(group, places, new)
        lines = zip(*columns, strict=True)
        self._db.executemany(sql, lines if keep is None else compress(lines, keep))
        self._note_complete(kind, group)

    def _wanted(self, group: Group, places: list[_Place]) -> list[bool] | None:
        """Count the records to store, and say which ones; None for all of them."""
        counts = Counter(group.chunks)
        keep = None
        if not all(places[index].is_wanted and not places[index].present for index in counts):
            keep = [
                places[index].is_wanted and offset not in places[index].present
                for index, offset in zip(group.chunks, group.offsets, strict=True)
            ]
            counts = Counter(compress(group.chunks, keep))
        for index, count in counts.items():
            places[index].stored += count
        return keep

    def _count_new(self, group: Group, places: list[_Place], new: Mapping[tuple[int, int], int]) -> list[bool]:
        """Count the documents to store, and say which ones."""
        keep = [place in new for place in zip(group.chunks, group.offsets, strict=True)]
        for index, count in Counter(compress(group.chunks, keep)).items():
            places[index].stored += count
        return keep

    def _note_values(self, seen: dict[str, set[int]], ids: list[int]) -> None:
        for column, cells in seen.items():
            noted = self._noted.setdefault(column, set())
            if len(noted) > _NOTED:
                noted.clear()
            cells.discard(-1)
            new = set(map(ids.__getitem__, cells)) - noted
            noted |= new
            sql = f"INSERT OR IGNORE INTO column_value(column, value) VALUES ('{column}', ?)"
            self._db.executemany(sql, zip(sorted(new), strict=True))  # in order: one page after the other

    def _note_complete(self, kind: int, group: Group) -> None:
        complete = self._complete[kind] & (group.columns.keys() - group.gaps)
        if complete != self._complete[kind]:
            self._complete[kind] = frozenset(complete)
            listed = orjson.dumps(sorted(complete)).decode()
            self._db.execute("UPDATE kind SET complete = ? WHERE id = ?", (listed, kind))

    def _kind(self, group: Group) -> int:
        kind = group.kind
        if kind not in self._kinds:
            definition = kind.definition
            # Every column of a kind that is new is complete, until its first group says otherwise.
            self._db.execute(
                "INSERT OR IGNORE INTO kind(definition, mapping, provider, channel, code, version, complete)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (definition, group.mapping, kind.provider, kind.channel, kind.code, kind.version, _EVERY_COLUMN),
            )
            row, complete = self._db.execute(
                "SELECT id, complete FROM kind WHERE definition = ?", (definition,)
            ).fetchone()
            self._kinds[kind] = row
            self._complete[row] = frozenset(orjson.loads(complete))
        return self._kinds[kind]

    def _account(self, source: int, result: ChunkResult, place: _Place) -> Counts:
        """Book a chunk's place in its source and return what became of its records."""
        start = line = None
        if isinstance(result, BlockResult):
            start, line = result.start, self._lines.get(source, 1)
            self._lines[source] = line + result.lines
        self._db.execute(
            "INSERT INTO source_chunk(source, number, chunk, start, line) VALUES (?, ?, ?, ?, ?)",
            (source, result.number, place.row, start, line),
        )
        if added := place.stored + place.repeated:
            self._db.execute("UPDATE chunk SET events = events + ? WHERE id = ?", (added, place.row))
        found, events, lost = self._db.execute(
            "SELECT records, events, lost FROM chunk WHERE id = ?", (place.row,)
        ).fetchone()
        return Counts(found, place.stored, events - place.stored, lost, found - events - lost)
