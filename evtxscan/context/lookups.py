"""What the numbers in table event stand for: kinds of events, and the texts of table value in the form compared."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable

from evtxscan.context.pairing import fold
from evtxscan.ecs.convert import MAX_LONG
from evtxscan.ecs.documents import END, START
from evtxscan.ecs.raw import RAW

_KERNEL_CLOCK = ("Microsoft-Windows-Kernel-General", "System", "1")
_SECURITY_CLOCK = "security/4616"


# Documents that name processes by ids of their own tell what Sysmon's records do.
_TELLS_AS = {START: "sysmon/1", END: "sysmon/5"}


class Kinds:
    """The kinds of a case by mapping, and the log (channel) of each."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.log: dict[int, str] = {}
        self.clock: list[int] = []  # the kinds that record a change of the clock
        self.documents: list[int] = []  # of Windows' events
        self.taken: set[int] = set()  # documents that were taken as they are
        self._by_mapping: dict[str, list[int]] = defaultdict(list)
        rows = db.execute(
            "SELECT id, mapping, provider, channel, code, json_extract(definition, '$.document') FROM kind ORDER BY id"
        )
        for kind, mapping, provider, channel, code, document in rows:
            if document is not None and channel is not None:
                self.documents.append(kind)
            if document not in (None, RAW):
                self.taken.add(kind)
            self.log[kind] = channel or ""
            self._by_mapping[_TELLS_AS.get(mapping, mapping)].append(kind)
            if mapping == _SECURITY_CLOCK or (provider, channel, code) == _KERNEL_CLOCK:
                self.clock.append(kind)

    def of(self, *mappings: str) -> list[int]:
        """Return the kinds with these mappings."""
        return [kind for mapping in mappings for kind in self._by_mapping.get(mapping, ())]

    def of_log(self, log: str) -> list[int]:
        """Return the kinds of a log."""
        return [kind for kind, name in self.log.items() if name == log]


def listed(numbers: Iterable[int]) -> str:
    """Return numbers as SQL writes them between the parentheses of IN: row ids, of which none is negative."""
    return ", ".join(map(str, numbers)) or "-1"  # nothing is IN (NULL), but not "no": it is unknown


class Texts(dict[int | None, str]):
    """Texts of table value by id, read when first asked for; NULL is the empty text."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__({None: ""})
        self._db = db

    def __missing__(self, value: int | None) -> str:
        found = self._db.execute("SELECT text FROM value WHERE id = ?", (value,)).fetchone()
        text = self[value] = self.form(found[0] if found else "")
        return text

    @staticmethod
    def form(text: str) -> str:
        """Return the form of a text that is compared."""
        return text


class Hosts(Texts):
    """Names of hosts: computer names in lower case."""

    @staticmethod
    def form(text: str) -> str:
        """Return the name in lower case."""
        return text.lower()

    def spellings(self, host: str) -> list[int]:
        """Return the ids of the texts seen so far that name ``host``."""
        return [value for value, text in self.items() if text == host and value is not None]


class Programs(Texts):
    """Paths of executables, folded."""

    @staticmethod
    def form(text: str) -> str:
        """Return the folded path."""
        return fold(text)


class LogonIds(dict[int | None, int | None]):
    """Logon ids as numbers by the id of their text; None for 0, which says that there is none."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__({None: None})
        self._db = db
        rows = db.execute(
            "SELECT id, text FROM column_value JOIN value ON id = value WHERE column IN"
            " ('winlog.event_data.TargetLogonId', 'winlog.logon.id', 'winlog.event_data.LogonId')"
        )
        self.update((value, _number(text)) for value, text in rows)

    def forget(self) -> None:
        """Give the memory back; what is asked for again is read again."""
        self.clear()
        self[None] = None

    def __missing__(self, value: int | None) -> int | None:
        found = self._db.execute("SELECT text FROM value WHERE id = ?", (value,)).fetchone()
        number = self[value] = _number(found[0]) if found else None
        return number


def _number(text: str) -> int | None:
    """Return a logon id; many thousands are read at a time, so without a regular expression."""
    try:
        number = int(text, 16)
    except ValueError:
        return None
    return number if 0 < number <= MAX_LONG else None
