"""Puts together the script blocks that PowerShell wrote in several records (4104).

PowerShell cuts a script of more than some ten thousand characters into parts, one record each, numbered MessageNumber
of MessageTotal; ScriptBlockId, a GUID, says what belongs together. A block here is what one process of one host wrote
under one id. The same part found twice is one part. Where a part is there with two different texts, the activity id
tells the blocks apart; if it does not, nothing is put together: somebody wrote records of his own under that id, or the
log is not what it says, and which text is PowerShell's cannot be told.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Literal, NamedTuple

from evtxscan.context.lookups import listed
from evtxscan.context.recorded import RecordedTexts, joined
from evtxscan.ecs.text import to_text
from evtxscan.store.scripts import MAX_PARTS, OWN_TEXT

ScriptState = Literal[
    "complete",
    "incomplete",  # parts are missing: there is a text for each run of parts without a gap
    "conflicting",  # a part is there with different texts: nothing is put together
    "too_large",  # nothing is put together
]

MAX_CHARACTERS = 16 * 1024 * 1024
"""Longer scripts are not put together. The log that PowerShell writes to has room for half of that by default."""
MAX_RECORDS = 20_000
"""Nor are scripts of so many records; those of one within MAX_CHARACTERS are fewer than MAX_PARTS, and their copies."""
MAX_RANGES = 1_000
"""So many ranges of missing parts are named for each block."""


class _Row(NamedTuple):
    host: str
    script_block_id: str
    total: int
    pid: int | None
    number: int
    activity: int | None
    event: int
    chunk: int
    offset: int
    id_value: int


# The order does not depend on the order of ingest.
_ROWS = """
SELECT (SELECT lower(text) FROM value WHERE id = e."host.name") AS host, v.text AS id_text,
    e."powershell.total" AS total, e."winlog.process.pid" AS pid, e."powershell.sequence" AS number,
    e."winlog.activity_id", e.id, e.chunk, e."offset", v.id
FROM event e JOIN value v ON v.id = e."powershell.file.script_block_id" JOIN chunk c ON c.id = e.chunk
WHERE e.kind IN ({kinds}) AND e."powershell.total" > 1 AND e."powershell.sequence" BETWEEN 1 AND e."powershell.total"
ORDER BY host, id_text, total, pid, number, e."@timestamp", e."winlog.record_id", c.sha256, e."offset"
"""


def add_script_blocks(db: sqlite3.Connection, kinds: Sequence[int]) -> None:
    """Fill the tables script_block, script_block_part and script_block_text from the records of ``kinds``."""
    if kinds:
        builder = _Builder(db)
        rows = map(_Row._make, db.execute(_ROWS.format(kinds=listed(kinds))))
        for _, group in groupby(rows, key=lambda row: row[:4]):
            builder.add(list(islice(group, MAX_RECORDS + 1)))


class _Builder:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._recorded = RecordedTexts(db)

    def add(self, rows: list[_Row]) -> None:
        """Add what one process wrote under one id, in order of the parts' numbers."""
        if len(rows) > MAX_RECORDS:
            self._store(rows[:MAX_RECORDS], "too_large")
        elif not self._is_conflicting(rows):
            self._put_together(rows)
        else:
            activities: dict[int | None, list[_Row]] = {}
            for row in rows:
                activities.setdefault(row.activity, []).append(row)
            for own in activities.values():
                if self._is_conflicting(own):
                    self._store(own, "conflicting")
                else:
                    self._put_together(own)

    def _put_together(self, rows: list[_Row]) -> None:
        parts = list(_distinct(rows))
        if len(parts) < 2:
            self._store(rows, "incomplete")
            return
        texts = self._texts(parts) if len(parts) <= MAX_PARTS else None
        if texts is None:
            self._store(rows, "too_large")
            return
        block = self._store(rows, "complete" if len(parts) == rows[0].total else "incomplete")
        self._db.executemany("INSERT INTO script_block_text VALUES (?, ?, ?, ?, ?)", [(block, *text) for text in texts])

    def _store(self, rows: Sequence[_Row], state: ScriptState) -> int:
        """Enter a block and its parts; return its row."""
        parts = list(_distinct(rows))
        first = parts[0]
        missing = [] if state == "too_large" else list(islice(_gaps(parts), MAX_RANGES))
        cursor = self._db.execute(
            'INSERT INTO script_block(event, "powershell.file.script_block_id", "powershell.total", parts, state,'
            " missing) VALUES (?, ?, ?, ?, ?, ?)",
            (first.event, first.id_value, first.total, len(parts), state, json.dumps(missing)),
        )
        block = int(cursor.lastrowid or 0)
        originals = {part.event for part in parts}
        self._db.executemany(
            "INSERT INTO script_block_part(event, block, number, is_copy) VALUES (?, ?, ?, ?)",
            ((row.event, block, row.number, row.event not in originals) for row in rows),
        )
        return block

    def _is_conflicting(self, rows: list[_Row]) -> bool:
        """Tell whether a part is there with different texts."""
        for _, group in groupby(rows, key=lambda row: row.number):
            same = list(group)
            # Compared as events have them: of one copy the line ends may not be known.
            if len(same) > 1 and len({to_text(joined([self._text(row)[0]])) for row in same}) > 1:
                return True
        return False

    def _texts(self, parts: Iterable[_Row]) -> list[tuple[int, int, bool, str]] | None:
        """Return (first part, last part, is exact, text) of each run of parts; None if they are too long."""
        texts: list[tuple[int, int, bool, str]] = []
        left = MAX_CHARACTERS
        for run in _runs(parts):
            pieces: list[str] = []
            exact = []
            for row in run:
                text, is_exact = self._text(row)
                left -= len(text)
                if left < 0:
                    return None
                pieces.append(text)
                exact.append(is_exact)
            # At the end of a text no line end is kept in any case.
            texts.append((run[0].number, run[-1].number, all(exact[:-1]), to_text(joined(pieces)) or ""))
        return texts

    def _text(self, row: _Row) -> tuple[str, bool]:
        """Return the text of a part, and whether it is all that was recorded."""
        recorded = self._recorded.of(row.chunk, row.offset)
        if recorded is not None:
            return recorded, True
        (stored,) = self._db.execute(f"SELECT {OWN_TEXT} FROM event WHERE id = ?", (row.event,)).fetchone()
        return stored or "", False


def _distinct(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Yield the first record of each part."""
    for _, group in groupby(rows, key=lambda row: row.number):
        yield next(group)


def _runs(parts: Iterable[_Row]) -> Iterator[list[_Row]]:
    """Yield lists of parts whose numbers follow each other."""
    for _, group in groupby(enumerate(parts), key=lambda pair: pair[1].number - pair[0]):
        yield [part for _, part in group]


def _gaps(parts: Iterable[_Row]) -> Iterator[tuple[int, int]]:
    """Yield first and last number of each range of missing parts."""
    expected, total = 1, 0
    for part in parts:
        if part.number > expected:
            yield expected, part.number - 1
        expected, total = part.number + 1, part.total
    if expected <= total:
        yield expected, total
