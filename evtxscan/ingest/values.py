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

# Texts compared with one statement.
_ASKED = 500
_ID_BITS = 24
_ID_MASK = (1 << _ID_BITS) - 1
_HASH_MASK = (1 << 63 - _ID_BITS) - 1
_FIRST_SLOTS = 1 << 16
# 64 MB of memory, for four million texts.
_MOST_SLOTS = 1 << 23

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
        places = [place for place, known in enumerate(ids) if not known]
        rare = []
        for place in places:
            known = old.get(texts[place], 0)
            if known:
                ids[place] = known
            else:
                rare.append(place)
        if rare:
            for place, known in zip(rare, self._find_or_add([texts[place] for place in rare]), strict=True):
                ids[place] = known
        young.update((text, ids[place]) for place in places if len(text := texts[place]) <= _LONGEST_REMEMBERED)
        if len(young) > _GENERATION:
            self._old, self._young = young, {}
        return ids

    def _find_or_add(self, texts: list[str]) -> list[int]:
        known = self._known or self._open()
        ids = known.find(texts, self._next)
        new = [(number, text) for number, text in zip(ids, texts, strict=True) if number >= self._next]
        if new:
            self._db.executemany("INSERT INTO value(id, text) VALUES (?, ?)", new)
            self._next += len(new)
            if known.is_full:
                self._known = _Index(self._db)
        return ids

    def _open(self) -> _Fingerprints | _Index:
        """Learn the texts that the case has already."""
        self._next = 1 + self._db.execute("SELECT coalesce(max(id), 0) FROM value").fetchone()[0]
        is_indexed = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_INDEX,)).fetchone()
        fingerprints = _Fingerprints(self._db)
        if not is_indexed:
            fingerprints.learn(self._db.execute("SELECT id, text FROM value"))
        self._known = _Index(self._db) if is_indexed or fingerprints.is_full else fingerprints
        return self._known


class _Index:
    """Finds texts with an index in the case: as many as there may be, but slowly."""

    is_full = False

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS {_INDEX} ON value(text)")

    def find(self, texts: list[str], unused: int) -> list[int]:
        """Return the ids of texts, which are all different; those not in the case get ids from ``unused`` on."""
        ids = []
        for text in texts:
            row = self._db.execute("SELECT id FROM value WHERE text = ?", (text,)).fetchone()
            if row is None:
                ids.append(unused)
                unused += 1
            else:
                ids.append(row[0])
        return ids


class _Fingerprints:
    """Finds texts by a hash table of open addressing; a slot holds part of a text's hash and its id, or 0."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._slots = array("q", bytes(8 * _FIRST_SLOTS))
        self._count = 0
        self.is_full = False
        """There may be texts that are not in the table: it is not to be used any more."""

    def find(self, texts: list[str], unused: int) -> list[int]:
        """Return the ids of texts, which are all different; those not in the case get ids from ``unused`` on.

        They are entered, and the caller is to put them into the case.
        """
        slots, last = self._make_room(len(texts), unused)
        first, ids = unused, []
        for part in [hash(text) & _HASH_MASK for text in texts]:
            at = part & last
            while entry := slots[at]:
                # What this very call has entered is another text, and not in the case yet.
                if entry >> _ID_BITS == part and entry & _ID_MASK < first:
                    ids.append(entry & _ID_MASK)
                    break
                at = (at + 1) & last
            else:
                slots[at] = part << _ID_BITS | unused
                ids.append(unused)
                unused += 1
        for place in self._mistaken(texts, ids, first):
            found = self._find_exactly(texts[place], first, unused)
            ids[place] = found
            unused += found == unused
        self._count += unused - first
        return ids

    def _mistaken(self, texts: list[str], ids: list[int], first: int) -> list[int]:
        """Return the places of texts that were given the id of another text with the same part of the hash."""
        known = sorted(number for number in ids if number < first)
        there: dict[int, str] = {}
        for start in range(0, len(known), _ASKED):
            asked = known[start : start + _ASKED]
            marks = ",".join("?" * len(asked))
            there.update(self._db.execute(f"SELECT id, text FROM value WHERE id IN ({marks})", asked))
        pairs = enumerate(zip(ids, texts, strict=True))
        return [place for place, (number, text) in pairs if number < first and there[number] != text]

    def _find_exactly(self, text: str, first: int, unused: int) -> int:
        """Do the same for one text whose hash misleads, comparing it with each text that has this part of it."""
        slots, last = self._slots, len(self._slots) - 1
        part = hash(text) & _HASH_MASK
        at = part & last
        while entry := slots[at]:
            known = entry & _ID_MASK
            if entry >> _ID_BITS == part and known < first and self._is_text(known, text):
                return known
            at = (at + 1) & last
        slots[at] = part << _ID_BITS | unused
        return unused

    def learn(self, rows: Iterable[tuple[int, str]]) -> None:
        """Enter the texts of the case."""
        slots, last = self._slots, len(self._slots) - 1
        for number, (known, text) in enumerate(rows):
            if not number & 0xFFF:
                slots, last = self._make_room(0x1000, known)
                if self.is_full:
                    return
            part = hash(text) & _HASH_MASK
            at = part & last
            while slots[at]:
                at = (at + 1) & last
            slots[at] = part << _ID_BITS | known
            self._count += 1

    def _make_room(self, count: int, unused: int) -> tuple[array[int], int]:
        """Return a table with room for ``count`` more texts, and its last place."""
        entries = self._slots
        size = len(entries)
        while self._count + count > size // 2:
            size *= 2
        self.is_full = self.is_full or size > _MOST_SLOTS or unused + count > _ID_MASK
        fits = self._count + count <= len(entries) // 4 * 3  # the last time before it is replaced
        if size > len(entries) and not (self.is_full and fits):
            self._slots = slots = array("q", bytes(8 * size))
            last = size - 1
            for entry in filter(None, entries):
                at = (entry >> _ID_BITS) & last
                while slots[at]:
                    at = (at + 1) & last
                slots[at] = entry
        return self._slots, len(self._slots) - 1

    def _is_text(self, known: int, text: str) -> bool:
        found: str = self._db.execute("SELECT text FROM value WHERE id = ?", (known,)).fetchone()[0]
        return found == text
