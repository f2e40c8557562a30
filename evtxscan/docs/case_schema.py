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
# The column that a line defines: the first name of it in a table, the last one in a view's list of expressions.
_TABLE_COLUMN = re.compile(r'\s*(?:"([^"]+)"|(\w+))\s')
_VIEW_COLUMN = re.compile(r'(?:"([^"]+)"|(\w+)),?\s*\Z')


@dataclass(slots=True)
class Comments:
    """What a migration says of a table or view: above it, and beside its columns."""

    above: str = ""
    columns: dict[str, str] = field(default_factory=dict)


def render() -> str:
    """Return the page."""
    comments = read_comments()
    with tempfile.TemporaryDirectory() as folder, create_or_open(Path(folder) / "case.db") as case:
        finish(case)
        tables = sorted(_names(case.db, "table"), key=list(comments).index)
        views = sorted(_names(case.db, "view"), key=list(comments).index)
        parts = [_INTRO.read_text("utf-8"), "\n## Views\n"]
        for name in views:
            parts += _described(case.db, name, comments[name], typed=False)
        parts.append("\n## Tables\n")
        for name in tables:
            parts += _described(case.db, name, comments[name], typed=True)
    return "\n".join(parts)


def read_comments() -> dict[str, Comments]:
    """Return the comments of all tables and views by name, in the order of the migrations."""
    found: dict[str, Comments] = {}
    for migration in migrations():
        above: list[str] = []
        current, kind, last = Comments(), "", ""
        for line in schema.read_text(migration).splitlines():
            code, dashes, comment = line.partition("--")
            if not code.strip() and dashes:
                if not kind:
                    above.append(comment.strip())
                elif last:
                    current.columns[last] += f" {comment.strip()}"
                continue
            if created := _CREATE.match(code):
                kind, name = created[1].upper(), created[2]
                current = found[name] = Comments(" ".join(above))
                last = ""
            elif kind:
                pattern = _TABLE_COLUMN.match(code) if kind == "TABLE" else _VIEW_COLUMN.search(code.rstrip())
                last = (pattern[1] or pattern[2]) if pattern and comment else ""
                if last:
                    current.columns[last] = comment.strip()
            if ";" in code:
                kind, above = "", []
    return found


def _names(db: sqlite3.Connection, kind: str) -> list[str]:
    rows = db.execute(
        "SELECT name FROM sqlite_master WHERE type = ? AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '!_%' ESCAPE '!'",
        (kind,),
    )
    return [name for (name,) in rows]


def _described(db: sqlite3.Connection, name: str, comments: Comments, *, typed: bool) -> Iterator[str]:
    yield f"### {name}\n"
    if comments.above:
        yield f"{comments.above}\n"
    yield (
        "| column | type | what it holds |\n| --- | --- | --- |"
        if typed
        else "| column | what it holds |\n| --- | --- |"
    )
    references = {row[3]: f"{row[2]}.{row[4]}" for row in db.execute(f'PRAGMA foreign_key_list("{name}")')}
    for _, column, kind, _, _, key in db.execute(f'PRAGMA table_info("{name}")'):
        text = comments.columns.get(column) or _ecs_comment(name, column)
        notes = [text] if text else []
        if key and typed:
            notes.append("primary key")
        if column in references:
            notes.append(f"→ {references[column]}")
        cells = [f"`{column}`", *([kind.lower()] if typed else []), "; ".join(notes).replace("|", "\\|")]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _ecs_comment(table: str, column: str) -> str:
    return catalogue()[column].description if column in catalogue() and table in _ECS_TABLES else ""


_ECS_TABLES = ("event", "ecs", "process", "lineage", "logon_session")
