"""The case: one SQLite file. Opening, creating and migrating it, and its log of commands."""

from __future__ import annotations

import json
import platform
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from evtxscan import __version__, schema
from evtxscan.errors import CaseError

if TYPE_CHECKING:
    import sqlite_utils

APPLICATION_ID = 0x65767478  # "evtx": what makes an SQLite file a case
_MAGIC = b"SQLite format 3\0"
_CACHE_KIB = 32 * 1024
_WAIT_SECONDS = 10
_OLDEST_SQLITE = (3, 38)  # the first with the operator ->
# One INSERT for each kind of record: a busy log has hundreds.
_STATEMENTS = 1024
_PACKAGES = ("evtx", "python-evtx", "orjson", "publicsuffixlist", "zstandard", "sqlite-utils")
_DAMAGED = "the case is damaged; restore a copy or ingest the evidence again"


class Case:
    """An open case. ``db`` is the connection; every method may raise CaseError."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self.db = db

    def close(self) -> None:
        """Close the file; what was not committed is rolled back."""
        self.db.close()

    def __enter__(self) -> Case:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block did, or nothing of it."""
        with explained(self.path):
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.db.rollback()
                raise
            self.db.execute("COMMIT")

    def info(self) -> dict[str, str]:
        """Return what the laboratory wrote on the folder."""
        with explained(self.path):
            return dict(self.db.execute("SELECT key, value FROM case_info ORDER BY key"))

    def set_info(self, values: dict[str, str]) -> None:
        """Write entries of case_info, replacing those of the same key."""
        with self.transaction():
            self.db.executemany("INSERT OR REPLACE INTO case_info(key, value) VALUES (?, ?)", sorted(values.items()))

    def start_run(self, command: str, arguments: list[str]) -> int:
        """Enter a command into the log and return its number."""
        with self.transaction():
            cursor = self.db.execute(
                "INSERT INTO run(command, arguments, started, versions) VALUES (?, ?, ?, ?)",
                (command, json.dumps(arguments), now(), json.dumps(versions(), sort_keys=True)),
            )
        return int(cursor.lastrowid or 0)

    def end_run(self, run: int, exit_code: int) -> None:
        """Note when and how a command ended."""
        with self.transaction():
            self.db.execute("UPDATE run SET ended = ?, exit_code = ? WHERE id = ?", (now(), exit_code, run))


def now() -> str:
    """Return the time of day as ISO 8601 UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def versions() -> dict[str, str]:
    """Return the versions that can change a result: evtxscan, its parsers, its mapping, Python and SQLite."""
    return {
        "evtxscan": __version__,
        "mapping": schema.digest("ecs"),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: _version(name) for name in _PACKAGES},
    }


@cache
def _version(package: str) -> str:
    return metadata.version(package)  # reads and parses a file each time


def create_or_open(path: Path) -> Case:
    """Open the case at ``path`` for writing, making it if there is no file. Raises CaseError."""
    if not path.exists() or _is_empty(path):
        if not path.parent.is_dir():
            raise CaseError(f"{path}: the folder {path.parent} does not exist; create it first")
        with explained(path):
            db = _connect(path, "rwc")
            db.execute("PRAGMA page_size = 4096")
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        return _migrated(path, db)
    return open_case(path)


def open_case(path: Path, *, read_only: bool = False) -> Case:
    """Open an existing case. Raises CaseError when it is none, is damaged, or a newer evtxscan made it."""
    _check_file(path)
    with explained(path):
        db = _connect(path, "ro" if read_only else "rw")
        identity = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
    if identity != APPLICATION_ID:
        db.close()
        raise CaseError(f"{path}: an SQLite file, but not a case of evtxscan; name another file with --case")
    newest = len(migrations())
    if version > newest:
        db.close()
        raise CaseError(
            f"{path}: made by a newer evtxscan (case format {version}, this version knows {newest}); update evtxscan"
        )
    if version < newest and read_only:
        db.close()
        return open_case(path)
    return _migrated(path, db)


def migrations() -> list[str]:
    """Return the names of the migrations in the order in which they apply."""
    return schema.names("migrations", ".sql")


def _is_empty(path: Path) -> bool:
    """Tell whether nothing was ever written: making a case was cut off at once, or the disk was full."""
    return path.is_file() and path.stat().st_size == 0


def _check_file(path: Path) -> None:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise CaseError(f"{path}: not a case of evtxscan (no regular file); name another file with --case")
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except FileNotFoundError as error:
        raise CaseError(f"{path}: no such case; make one with: evtxscan ingest EVIDENCE --case {path}") from error
    except OSError as error:
        raise CaseError(f"{path}: cannot be opened: {error.strerror or error}") from error
    if not head:
        raise CaseError(f"{path}: an empty file; make a case of it with: evtxscan ingest EVIDENCE --case {path}")
    if head != _MAGIC:
        raise CaseError(f"{path}: not a case of evtxscan (no SQLite file); name another file with --case")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        needed = ".".join(map(str, _OLDEST_SQLITE))
        raise CaseError(f"this Python has SQLite {sqlite3.sqlite_version}; evtxscan needs {needed} or later")
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    db = sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None, cached_statements=_STATEMENTS)
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("PRAGMA temp_store = MEMORY")
    return db


def _migrated(path: Path, db: sqlite3.Connection) -> Case:
    names = migrations()
    if _version_of(db) == len(names):
        return Case(path, db)
    import sqlite_utils  # noqa: PLC0415 - slow to import, and only needed for a case that is new or old
    from sqlite_utils.migrations import Migrations  # noqa: PLC0415

    steps = Migrations("evtxscan")
    for number, name in enumerate(names, 1):
        steps(name=name)(_Step(name, number))
    with explained(path):
        while (version := _version_of(db)) < len(names):
            try:
                steps.apply(sqlite_utils.Database(db))
            except sqlite3.OperationalError:
                if _version_of(db) == version:
                    raise
                time.sleep(0.05)  # another process makes the same case: it has got further, and this one goes on there
    return Case(path, db)


def _version_of(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


class _Step:
    """One migration: the statements of a file in schema/migrations, and the case format they lead to."""

    def __init__(self, name: str, number: int) -> None:
        self.__name__ = name
        self.number = number

    def __call__(self, db: sqlite_utils.Database) -> None:
        for statement in _statements(schema.read_text(self.__name__)):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {self.number}")


def _statements(script: str) -> Iterator[str]:
    """Split a script, so that it can run inside one transaction (executescript would commit first)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into a CaseError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise CaseError(f"{path}: {_advice(error)}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:  # texts that SQLite has no reason to doubt
        raise CaseError(f"{path}: {_DAMAGED}") from error


def _advice(error: sqlite3.Error) -> str:
    extended = getattr(error, "sqlite_errorcode", 0)
    if extended == sqlite3.SQLITE_READONLY_DBMOVED:
        return "the case was moved or deleted while it was written; run the same command again"
    code = extended & 0xFF
    return {
        sqlite3.SQLITE_FULL: "the disk is full; free space and run the same command again, nothing stored is lost",
        sqlite3.SQLITE_BUSY: "another program is using the case; wait for it to end and run the command again",
        sqlite3.SQLITE_LOCKED: "another program is using the case; wait for it to end and run the command again",
        sqlite3.SQLITE_READONLY: "the case may not be written; check its permissions or copy it elsewhere",
        sqlite3.SQLITE_CORRUPT: _DAMAGED,
        sqlite3.SQLITE_NOTADB: "not a case of evtxscan (no SQLite file); name another file with --case",
        sqlite3.SQLITE_CANTOPEN: "the case cannot be opened; check the folder and its permissions",
        sqlite3.SQLITE_IOERR: f"the disk reports an error ({error}); check it and run the command again",
    }.get(code, str(error))
