"""Code to name tables of Windows and of protocols, from ``schema/ecs/texts.json``."""

from __future__ import annotations

from functools import cache

from evtxscan.ecs.errors import MappingError
from evtxscan.schema import read_json

_FILE, _FORMAT = "ecs/texts.json", "evtxscan-ecs-texts/1"


def lookup(table: str, code: str) -> str | None:
    """Return the name of ``code`` in ``table``, or None. Raises MappingError for an unknown table."""
    return names(table).get(code)


def names(table: str) -> dict[str, str]:
    """Return one table, code to name, in the order of the file."""
    try:
        return tables()[table]
    except KeyError:
        raise MappingError(f"schema/{_FILE}: there is no table {table!r}") from None


def bits(table: str) -> tuple[tuple[int, str], ...]:
    """Return a table of flags as ``(mask, name)``, in the order of the file."""
    return tuple((int(code, 16), name) for code, name in names(table).items())


@cache
def tables() -> dict[str, dict[str, str]]:
    """Return all tables. Raises MappingError where the file is not valid."""
    content = read_json(_FILE)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise MappingError(f"schema/{_FILE}: format has to be {_FORMAT!r}")
    found: dict[str, dict[str, str]] = {}
    for name, table in content["tables"].items():
        entries = table.get("names") if isinstance(table, dict) else None
        if not isinstance(entries, dict) or not table.get("source"):
            raise MappingError(f"schema/{_FILE}: table {name!r} needs a source and names")
        if not all(isinstance(text, str) and text for text in entries.values()):
            raise MappingError(f"schema/{_FILE}: table {name!r} has a name that is no text")
        found[name] = entries
    return found
