"""Makes the description of the case's tables and views: columns from a new case, comments from the migrations."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from evtxscan import schema
from evtxscan.ecs.columns import catalogue
from evtxscan.store.case import create_or_open, migrations
from evtxscan.store.finish import finish

_INTRO = Path(__file__).parent / "case_schema_intro.md"
_CREATE = re.compile(r"CREATE (TABLE|VIEW) (?:IF NOT EXISTS )?\"?(\w+)\"?", re.IGNORECASE)
_ADD = re.compile(r'ALTER TABLE (\w+) ADD COLUMN (?:"([^"]+)"|(\w+))', re.IGNORECASE)
# The column that a line defines: the first name of it in a table, the last one in a view's list of expressions.
_TABLE_COLUMN = re.compile(r'\s*(?:"([^"]+)"|(\w+))\s')
_VIEW_COLUMN = re.compile(r'(?:"([^"]+)"|(\w+)),?\s*\Z')


@dataclass(slots=True)
class Comments:
    """What a migration says of a table or view: above it, and beside its columns."""

    above: str = ""
    is_view: bool = False
    columns: dict[str, str] = field(default_factory=dict)


def render() -> str:
    """Return the page."""
    comments = read_comments()
    with tempfile.TemporaryDirectory() as folder, create_or_open(Path(folder) / "case.db") as case:
        finish(case)
        parts = [_INTRO.read_text("utf-8")]
        for kind in ("view", "table"):
            names = sorted(_names(case.db, kind), key=list(comments).index)
            listed = ", ".join(f"[{name}](#{name})" for name in names)
            parts.append(f"## {kind.title()}s\n\n{listed}\n")
            for name in names:
                parts += _described(case.db, name, comments, is_table=kind == "table")
    return "\n".join(parts)


def read_comments() -> dict[str, Comments]:
    """Return the comments of all tables and views by name, in the order of the migrations."""
    found: dict[str, Comments] = {}
    for migration in migrations():
        above: list[str] = []
        current, kind, last = Comments(), "", ""
        for line in schema.read_text(migration).splitlines():
            code, dashes, comment = line.partition("--")
            if not line.strip() and not kind:
                above = []
            if not code.strip() and dashes:
                if not kind:
                    above.append(comment.strip())
                elif last:
                    current.columns[last] = f"{current.columns[last]} {comment.strip()}".strip()
                continue
            if (added := _ADD.match(code)) and comment.strip():
                found[added[1]].columns[added[2] or added[3]] = comment.strip()
            if created := _CREATE.match(code):
                kind, name = created[1].upper(), created[2]
                current = found[name] = Comments(" ".join(above), kind == "VIEW")
                last = ""
            elif kind:
                pattern = _TABLE_COLUMN.match(code) if kind == "TABLE" else _VIEW_COLUMN.search(code.rstrip())
                if pattern:
                    last = pattern[1] or pattern[2]
                    current.columns[last] = comment.strip() or current.columns.get(last, "")
            if ";" in code:
                kind, above = "", []
    return found


def _names(db: sqlite3.Connection, kind: str) -> list[str]:
    rows = db.execute(
        "SELECT name FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '!_%' ESCAPE '!'",
        (kind,),
    )
    return [name for (name,) in rows]


def _described(db: sqlite3.Connection, name: str, comments: dict[str, Comments], *, is_table: bool) -> Iterator[str]:
    yield f"### {name}\n"
    if comments[name].above:
        yield f"{comments[name].above}\n"
    yield (
        "| column | type | what it holds |\n| --- | --- | --- |"
        if is_table
        else "| column | what it holds |\n| --- | --- |"
    )
    references = {row[3]: f"{row[2]}.{row[4]}" for row in db.execute(f'PRAGMA foreign_key_list("{name}")')}
    for _, column, kind, _, _, key in db.execute(f'PRAGMA table_info("{name}")'):
        text = comments[name].columns.get(column) or _shared(column, comments, is_table=is_table)
        notes = [text] if text else []
        if key and is_table:
            notes.append("primary key")
        if column in references:
            notes.append(f"→ {references[column]}")
        cells = [f"`{column}`", *([kind.lower()] if is_table else []), "; ".join(notes).replace("|", "\\|")]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _shared(column: str, comments: dict[str, Comments], *, is_table: bool) -> str:
    """Return what a column of this name means wherever it stands."""
    if "." in column or column.startswith("@"):
        if not is_table and (found := comments["events"].columns.get(column)):
            return found
        return catalogue()[column].description if column in catalogue() else ""
    if is_table:
        return ""
    return next(
        (entry.columns[column] for entry in comments.values() if entry.is_view and entry.columns.get(column)), ""
    )
