"""Numbers the texts of keyword columns: every text stands in the case once."""

from __future__ import annotations

import sqlite3

# Two generations of this many texts are remembered; whatever fell out is looked up in the case again.
_GENERATION = 50_000
# Longer texts repeat rarely and would make the memory grow.
_LONGEST_REMEMBERED = 2_000


class ValueIds:
    """Gives the id of a text in the table ``value``, entering it when it is new."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}

    def resolve(self, texts: list[str]) -> dict[int | None, int | None]:
        """Return text position -> id, and None -> None, for the texts of one batch."""
        young, old = self._young, self._old
        ids: dict[int | None, int | None] = {None: None}
        unknown: list[tuple[str, int]] = []
        for position, text in enumerate(texts):
            known = young.get(text)
            if known is None:
                known = old.get(text)
                if known is None:
                    unknown.append((text, position))
                    continue
                young[text] = known
            ids[position] = known
        if unknown:
            unknown.sort()  # neighbours in the index, one page after the other
            self._db.executemany("INSERT OR IGNORE INTO value(text) VALUES (?)", ((text,) for text, _ in unknown))
            select = self._db.execute
            for text, position in unknown:
                ids[position] = found = select("SELECT id FROM value WHERE text = ?", (text,)).fetchone()[0]
                if len(text) <= _LONGEST_REMEMBERED:
                    young[text] = found
        if len(young) > _GENERATION:
            self._old, self._young = young, {}
        return ids
