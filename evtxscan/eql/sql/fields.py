"""Finds where a case keeps a field: recorded columns, what follows from them, and what lineage inferred."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cache
from typing import Any

import orjson

from evtxscan.ecs import derive
from evtxscan.ecs.base import field_type
from evtxscan.ecs.columns import catalogue
from evtxscan.ecs.inferred import INFERRED, ORIGIN
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import Mapping, mappings
from evtxscan.ecs.resolve import Absent, Column, Constant, Data, Derived, Json, Path, Resolution
from evtxscan.eql.sql.storage import Computed, Fixed, Input, Storage
from evtxscan.store.scripts import SCRIPT_TEXT, JoinedScript, Scripts

# Fields whose values are parts of the one text they are derived from (see Computed.is_part).
_PARTS = frozenset(
    {
        "process.args",
        "process.parent.args",
        "process.name",
        "process.parent.name",
        "file.name",
        "file.directory",
        "file.extension",
        "dll.name",
        "registry.key",
        "registry.value",
    }
)


def _as_it_is(value: Any) -> Any:  # noqa: ANN401 - JSON
    return value


def _long(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a number that a document has as text, as Elasticsearch does for a field of this type."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19 else value


def _boolean(value: Any) -> Any:  # noqa: ANN401 - JSON
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


# Its command lines are taken apart in another way than those that lineage adds.
_SECURITY = "Security"
_CONVERSIONS = {"long": _long, "boolean": _boolean}


class FieldStore:
    """Answers where the fields of one kind of record are.

    ``lineage``: the kind has rows there and they count; ``scripts`` likewise, where records are parts of scripts.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        row: int,
        kind: Kind,
        mapping: Mapping,
        *,
        lineage: bool,
        scripts: Scripts | None = None,
    ) -> None:
        self._db = db
        self._row = row
        self._kind = kind
        self._mapping = mapping
        self._lineage = lineage
        self._scripts = scripts

    def __call__(self, field: str) -> Storage:
        """Return the storage of ``field`` in records of this kind."""
        found = self._mapping.resolve(self._kind, field)
        if self._lineage and field in INFERRED:
            return self._inferred_beside(field, found) if self._may_differ(found) else _inferred(field)
        if isinstance(found, Json):
            return self._json(field, found)
        if self._scripts is not None and field == SCRIPT_TEXT and isinstance(found, Data):
            return _script(found, self._scripts)
        if isinstance(found, Absent):
            return Fixed((), is_known=_is_elsewhere(field, self._mapping))
        if isinstance(found, Constant):
            return Fixed(found.values)
        if isinstance(found, Data):
            return Computed((event_data(found.path),), derive.one(str), ("data", found.path))
        if found.override is not None and self._has(found.override):
            return self._overridden(field, found, found.override)
        return self._plain(field, found)

    def _plain(self, field: str, found: Column | Derived) -> Computed:
        if isinstance(found, Column):
            given = column(found.name)
            same = "number" if given.type == "long" else "text"
            return Computed((given,), _same, ("column", same), is_part=given.type == "keyword")
        inputs = tuple(column(given) if isinstance(given, str) else event_data(given) for given in found.inputs)
        return Computed(inputs, found.fn, ("derived", found.fn), is_part=len(inputs) == 1 and field in _PARTS)

    def _json(self, field: str, found: Json) -> Computed:
        """Return the storage of a field that documents have in their JSON, and perhaps in a column."""
        otherwise = None if found.otherwise is None else self._plain(field, found.otherwise)
        convert = _CONVERSIONS.get(field_type(field), _as_it_is)

        def read(text: str | None, *cells: object) -> tuple[Any, ...]:
            if text is not None:
                return tuple(map(convert, found.values(orjson.loads(text))))
            return () if otherwise is None else otherwise.compute(*cells)

        inputs = () if otherwise is None else otherwise.inputs
        key = ("json", found.path, found.inside, otherwise and otherwise.key, field_type(field))
        return Computed((event_json(found.path), *inputs), read, key)

    def _may_differ(self, found: Resolution) -> bool:
        """Whether a field that lineage may add does not follow from its column in the way that it does with records."""
        if not self._kind.is_document or isinstance(found, Column):
            return False
        return not isinstance(found, Derived) or self._kind.channel == _SECURITY

    def _inferred_beside(self, field: str, found: Resolution) -> Computed:
        """Return the storage of a field that lineage may add to a document: what the document says comes first."""
        name, function = INFERRED[field]
        own: Computed | None = None
        if isinstance(found, Json):
            own = self._json(field, found)
        elif isinstance(found, Column | Derived):
            own = self._plain(field, found)

        def choose(text: str | None, *cells: object) -> tuple[Any, ...]:
            return (own.compute(*cells) if own else ()) or (() if text is None else function(text))

        given = Input(f'l."{name}"', "keyword", (ORIGIN[name],))
        key = ("inferred_beside", field, own and own.key)
        return Computed((given, *(own.inputs if own else ())), choose, key)

    def _overridden(self, field: str, found: Column | Derived, path: Path) -> Computed:
        plain = self._plain(field, found)

        def choose(recorded: object, *cells: object) -> tuple[Any, ...]:
            return (recorded,) if recorded is not None else plain.compute(*cells)

        return Computed((event_data(path), *plain.inputs), choose, ("override", self._mapping.id, field))

    def _has(self, path: Path) -> bool:
        """Whether any record of the kind keeps a value beside its column; hardly one ever does."""
        where = f"e.kind = ? AND e.data IS NOT NULL AND {event_data(path).sql} IS NOT NULL"
        found = self._db.execute(f"SELECT 1 FROM event e WHERE {where} LIMIT 1", (self._row,)).fetchone()
        return found is not None


def _is_elsewhere(field: str, mapping: Mapping) -> bool:
    """Whether a record of this kind cannot have the field because it tells of something else.

    That holds for what the kind of an event decides (event.*), and for fields that other records of the same log and
    category have: an image load has no parent's arguments, the process start that Sysmon records beside it does.
    """
    return field.startswith("event.") or field in _fields_of_log(mapping)


@cache
def _fields_of_log(mapping: Mapping) -> frozenset[str]:
    categories = set(mapping.table.constants.get("event.category", ()))
    return frozenset(
        field
        for other in mappings().values()
        if (other.table.provider, other.table.channel) == (mapping.table.provider, mapping.table.channel)
        and categories & set(other.table.constants.get("event.category", ()))
        for field in other.fields
    )


def column(name: str) -> Input:
    """Return the input that is one column of table event."""
    info = catalogue()[name]
    return Input(f'e."{name}"', info.type, (name,) if info.type == "keyword" else ())


def _inferred(field: str) -> Computed:
    name, function = INFERRED[field]
    # Lineage is empty where the record has a value, but for Sysmon's "?", which says that it could not tell.
    given = Input(f'ifnull(l."{name}", e."{name}")', "keyword", (name, ORIGIN[name]))
    return Computed((given,), function, ("inferred", field), is_part=True)


def _script(own: Data, scripts: Scripts) -> Computed:
    """Return the storage of the script's text: a record's own, but for the one that stands for a block of several."""

    def read(cell: str | int | None) -> str | JoinedScript | None:
        return scripts.joined(cell) if isinstance(cell, int) else cell

    # The row that stands for a block, else a text or nothing: a text that looks like a number is one all the same.
    own_text = f"CAST({event_data(own.path).sql} AS TEXT)"
    given = Input(f"iif(e.id IN (SELECT event FROM script_block), e.id, {own_text})", "json", (), read)
    return Computed((given,), _script_texts, ("script",), is_partial=_is_partial_script)


def _script_texts(script: str | JoinedScript | None) -> tuple[Any, ...]:
    return script.texts if isinstance(script, JoinedScript) else _same(script)


def _is_partial_script(script: str | JoinedScript | None) -> bool:
    return isinstance(script, JoinedScript) and not script.is_complete


def event_data(path: Path) -> Input:
    """Return the input that is one value of the event's ``data``.

    A path of SQLite's ends a quoted name at the next quote and takes JSON's escapes as they stand: other names are
    looked for.
    """
    if not any(character in '"\\' or character < " " for part in path for character in part):
        return Input(f"json_extract(e.data, {_literal('$' + _quoted(path))})", "json")
    *folders, name = path
    return Input(
        f"(SELECT j.value FROM json_each(e.data, {_literal('$' + _quoted(folders))}) j WHERE j.key = {_literal(name)})",
        "json",
    )


def event_json(path: Path) -> Input:
    """Return the input that is the JSON of one value of the event's ``data``; of the same names as event_data."""
    if not any(character in '"\\' or character < " " for part in path for character in part):
        return Input(f"e.data -> {_literal('$' + _quoted(path))}", "json")
    *folders, name = path
    value = "CASE WHEN j.type IN ('array', 'object') THEN j.value WHEN j.type IN ('true', 'false') THEN j.type"
    return Input(
        f"(SELECT {value} ELSE json_quote(j.value) END FROM json_each(e.data, {_literal('$' + _quoted(folders))}) j"
        f" WHERE j.key = {_literal(name)})",
        "json",
    )


def _quoted(parts: Iterable[str]) -> str:
    return "".join(f'."{part}"' for part in parts)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _same(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a text or a number, as the column has it
    return () if value is None else (value,)
