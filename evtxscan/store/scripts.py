"""PowerShell script blocks of several records, as :mod:`evtxscan.context.scripts` put them together.

The first record of a block that is in the evidence stands for it: there the text of the whole block is the value of
``powershell.file.script_block_text``, an inferred one. A block with gaps has several texts, and so several values. All
other records keep the text of their own part.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

SCRIPT_TEXT = "powershell.file.script_block_text"
SCRIPT_RECORD = "powershell_operational/4104"
"""The mapping of the records that hold scripts."""

MAX_PARTS = 2_000
"""Blocks of more parts are not put together."""

OWN_TEXT = """json_extract(data, '$."event_data"."ScriptBlockText"')"""
"""SQL for the text that a row of table event has itself."""

_GROUP = 500
_BLOCKS = """
SELECT p.event, p.number, b.id, b.event, v.text, b."powershell.total", b.parts, b.state,
    iif(p.event = b.event, b.missing, '[]')
FROM script_block_part p JOIN script_block b ON b.id = p.block
    JOIN value v ON v.id = b."powershell.file.script_block_id"
WHERE p.event IN ({marks})
"""


@dataclass(frozen=True, slots=True)
class Run:
    """Parts without a gap between them, numbers ``first`` to ``last``; ``is_exact``: no line end is missing."""

    first: int
    last: int
    text: str
    is_exact: bool


@dataclass(frozen=True, slots=True)
class JoinedScript:
    """The texts of a block, in order; one and all of it where it ``is_complete``. Its length is in characters."""

    texts: tuple[str, ...]
    is_complete: bool

    def __len__(self) -> int:
        return sum(map(len, self.texts))


@dataclass(frozen=True, slots=True)
class Part:
    """What a record is a part of.

    ``event`` is the row that stands for the block; only there ``missing`` names ranges of the numbers of missing parts.
    """

    number: int
    block: int
    event: int
    script_block_id: str
    total: int
    parts: int
    state: str
    missing: tuple[tuple[int, int], ...]


class Scripts:
    """Reads the script blocks of one case. Events are row ids; methods may raise sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def has_blocks(self) -> bool:
        """Return whether the case has any script block of several records."""
        return self._db.execute("SELECT 1 FROM script_block LIMIT 1").fetchone() is not None

    def parts(self, rows: Sequence[int]) -> dict[int, Part]:
        """Return what each of these events is a part of; those that are none are not in it."""
        found: dict[int, Part] = {}
        for start in range(0, len(rows), _GROUP):
            group = rows[start : start + _GROUP]
            sql = _BLOCKS.format(marks=",".join("?" * len(group)))
            for row, number, block, event, name, total, there, state, missing in self._db.execute(sql, list(group)):
                ranges = tuple((first, last) for first, last in json.loads(missing))
                found[row] = Part(number, block, event, name, total, there, state, ranges)
        return found

    def events(self, block: int) -> list[tuple[int, int]]:
        """Return number and event of all parts of a block, in order, without further copies."""
        sql = "SELECT number, event FROM script_block_part WHERE block = ? AND NOT is_copy ORDER BY number"
        return self._db.execute(sql, (block,)).fetchall()

    def runs(self, block: int) -> list[Run]:
        """Return the texts of a block in order; none where nothing was put together."""
        sql = "SELECT first, last, text, is_exact FROM script_block_text WHERE block = ? ORDER BY first"
        return [Run(first, last, text, bool(exact)) for first, last, text, exact in self._db.execute(sql, (block,))]

    def joined(self, event: int) -> JoinedScript:
        """Return the script of the block that an event stands for; the event's own part if nothing was put together."""
        block, state = self._db.execute("SELECT id, state FROM script_block WHERE event = ?", (event,)).fetchone()
        texts = tuple(run.text for run in self.runs(block))
        return JoinedScript(texts or self._own(event), state == "complete")

    def _own(self, event: int) -> tuple[str, ...]:
        row = self._db.execute(f"SELECT {OWN_TEXT} FROM event WHERE id = ?", (event,)).fetchone()
        return (row[0],) if row and isinstance(row[0], str) else ()
