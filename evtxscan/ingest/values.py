"""Numbers the texts of keyword columns: every text stands in the case once.

An index of a million texts costs more to keep up than all the rest of the writing. So the texts written are known by
fingerprints in memory, 8 bytes each at most half of the table full, and a text whose fingerprint is known is compared
with the one in the case. Only a case with more texts than fit the table gets an index.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable
from itertools import repeat

# Two generations of this many texts are remembered as they are; whatever fell out is looked up again.
_GENERATION = 50_000
# Longer texts repeat rarely and would make the memory grow.
_LONGEST_REMEMBERED = 2_000

_ID_BITS = 24
_ID_MASK = (1 << _ID_BITS) - 1
_HASH_MASK = (1 << 63 - _ID_BITS) - 1
_FIRST_SLOTS = 1 << 16
# 64 MB of memory, for four million texts.
_LAST_SLOTS = 1 << 23

_INDEX = "value_by_text"


class ValueIds:
    """Gives the id of a text in the table ``value``, entering it when it is new."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}
        self._known: _Fingerprints | _Index | None = None
        self._next = 1
        self._version = -1

    def resolve(self, texts: list[str]) -> list[int]:
        """Return the ids of the texts of one batch, which are all different."""
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:  # the first batch, or another program wrote to the case since the last one
            self._version = version
            self._known = None
        young, old = self._young, self._old
        ids = list(map(young.get, texts, repeat(0)))
        new: list[tuple[int, str]] = []
        for place, found in enumerate(ids):
            if not found:
                text = texts[place]
                known = old.get(text) or self._find(text)
                if known is None:
                    known = self._next
                    self._next += 1
                    new.append((known, text))
                ids[place] = known
                if len(text) <= _LONGEST_REMEMBERED:
                    young[text] = known
        if new:
            self._add(new)
        if len(young) > _GENERATION:
            self._old, self._young = young, {}
        return ids

    def _find(self, text: str) -> int | None:
        known = self._known
        if known is None:
            known = self._open()
        return known.find(text)

    def _add(self, new: list[tuple[int, str]]) -> None:
        self._db.executemany("INSERT INTO value(id, text) VALUES (?, ?)", new)
        if isinstance(self._known, _Fingerprints) and not self._known.add(new):
            self._known = _Index(self._db)

    def _open(self) -> _Fingerprints | _Index:
        """Learn the texts that the case has already."""
        self._next = 1 + self._db.execute("SELECT coalesce(max(id), 0) FROM value").fetchone()[0]
        is_indexed = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_INDEX,)).fetchone()
        fingerprints = _Fingerprints(self._db)
        if is_indexed or not fingerprints.add(self._db.execute("SELECT id, text FROM value")):
            self._known = _Index(self._db)
        else:
            self._known = fingerprints
        return self._known


class _Index:
    """Finds texts with an index in the case: as many as there may be, but slowly."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS {_INDEX} ON value(text)")

    def find(self, text: str) -> int | None:
        """Return the id of a text, or None."""
        row = self._db.execute("SELECT id FROM value WHERE text = ?", (text,)).fetchone()
        return None if row is None else int(row[0])


class _Fingerprints:
    """Finds texts by a hash table of open addressing; a slot holds part of a text's hash and its id, or 0."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._slots = array("q", bytes(8 * _FIRST_SLOTS))
        self._count = 0

    def find(self, text: str) -> int | None:
        """Return the id of a text, or None."""
        slots = self._slots
        last = len(slots) - 1
        part = hash(text) & _HASH_MASK
        at = part & last
        while entry := slots[at]:
            if entry >> _ID_BITS == part and self._is_text(entry & _ID_MASK, text):
                return entry & _ID_MASK
            at = (at + 1) & last
        return None

    def add(self, new: Iterable[tuple[int, str]]) -> bool:
        """Enter texts that are in the case and not in the table; False when there is no room for them all."""
        slots = self._slots
        last, room = len(slots) - 1, len(slots) // 2 - self._count
        for known, text in new:
            if room <= 0 or known > _ID_MASK:
                if known > _ID_MASK or not self._grow():
                    return False
                slots = self._slots
                last, room = len(slots) - 1, len(slots) // 2 - self._count
            part = hash(text) & _HASH_MASK
            at = part & last
            while slots[at]:
                at = (at + 1) & last
            slots[at] = part << _ID_BITS | known
            self._count += 1
            room -= 1
        return True

    def _grow(self) -> bool:
        if len(self._slots) >= _LAST_SLOTS:
            return False
        entries = self._slots
        self._slots = slots = array("q", bytes(16 * len(entries)))
        last = len(slots) - 1
        for entry in filter(None, entries):
            at = (entry >> _ID_BITS) & last
            while slots[at]:
                at = (at + 1) & last
            slots[at] = entry
        return True

    def _is_text(self, known: int, text: str) -> bool:
        found: str = self._db.execute("SELECT text FROM value WHERE id = ?", (known,)).fetchone()[0]
        return found == text
