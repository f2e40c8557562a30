"""What the caller knows about fields: their types, their null values, and which exist at all.

Elasticsearch takes this from the mapping of an index. Without one every field exists and a value is compared by what
it looks like; with one, values and constants are read as the field's type says.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from evtxscan.eql.ast import Scalar
from evtxscan.errors import EqlError


class Type(StrEnum):
    """Types of fields and expressions; UNKNOWN for a field without a mapping, NULL for the constant null."""

    KEYWORD = "keyword"
    TEXT = "text"
    LONG = "long"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    IP = "ip"
    DATE = "date"
    VERSION = "version"
    NULL = "null"
    UNKNOWN = "unknown"


NUMERIC = frozenset([Type.LONG, Type.DOUBLE])
_ALIASES = {
    **dict.fromkeys(("wildcard", "constant_keyword", "flattened"), Type.KEYWORD),
    **dict.fromkeys(("match_only_text", "annotated_text"), Type.TEXT),
    **dict.fromkeys(("integer", "short", "byte", "unsigned_long"), Type.LONG),
    **dict.fromkeys(("float", "half_float", "scaled_float"), Type.DOUBLE),
    "date_nanos": Type.DATE,
}
_PARTS = ("types", "null_values", "fields")
_OBJECTS = frozenset(["object", "nested"])


def field_type(name: str) -> Type:
    """Return the type for an Elasticsearch type name (``integer`` is LONG, ``wildcard`` is KEYWORD); raise EqlError."""
    if name in _ALIASES:
        return _ALIASES[name]
    try:
        return Type(name)
    except ValueError:
        raise EqlError(f"mapping: unknown field type {name!r}") from None


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Field types by path, the value that an explicit null stands for, and the paths that exist.

    ``fields`` None means that every field exists; otherwise those named there or in ``types`` do.
    """

    types: Mapping[str, Type] = field(default_factory=dict)
    null_values: Mapping[str, Scalar] = field(default_factory=dict)
    fields: frozenset[str] | None = None

    @classmethod
    def of(cls, spec: "FieldMapping | Mapping[str, Any] | None") -> "FieldMapping":
        """Read a mapping; raise EqlError if it makes no sense.

        Entries are types, ``{"process.pid": "long", "tag": {"type": "keyword", "null_value": "NULL"}}``, at top level
        or under ``types``. ``null_values`` is a dictionary. ``fields`` lists the fields that exist (as a dictionary
        it also gives their types); without it all do. ``{"properties": {...}}`` is read as an Elasticsearch mapping:
        nothing else exists.
        """
        if spec is None:
            return cls()
        if isinstance(spec, FieldMapping):
            return spec
        given = spec["mappings"] if isinstance(spec.get("mappings"), Mapping) else spec
        if isinstance(given.get("properties"), Mapping):
            types, null_values = _entries(_properties(given["properties"], ""))
            return cls(types, null_values, frozenset(types))
        return _from_parts(given)

    def exists(self, path: str) -> bool:
        """Tell whether a query may name this field."""
        return self.fields is None or path in self.fields or path in self.types

    def type_of(self, path: str) -> Type:
        """Return the field's type, UNKNOWN if the mapping does not say."""
        return self.types.get(path, Type.UNKNOWN)

    def known(self) -> frozenset[str]:
        """Return every path that the mapping names."""
        return frozenset(self.types) | (self.fields or frozenset())

    def with_default(self, path: str, kind: Type) -> "FieldMapping":
        """Return a mapping in which ``path`` exists and has a type, ``kind`` if none was given."""
        return self if path in self.types else replace(self, types={**self.types, path: kind})

    def with_field(self, path: str) -> "FieldMapping":
        """Return a mapping in which ``path`` exists."""
        return self if self.exists(path) else replace(self, fields=(self.fields or frozenset()) | {path})


def _from_parts(spec: Mapping[str, Any]) -> FieldMapping:
    parts = {name: spec[name] for name in _PARTS if name in spec and not isinstance(spec[name], str)}
    entries = [(path, entry) for path, entry in spec.items() if path not in parts]
    fields = parts.get("fields")
    if isinstance(fields, Mapping):
        entries += fields.items()
    types, null_values = _entries([*entries, *(parts.get("types") or {}).items()])
    null_values |= parts.get("null_values") or {}
    return FieldMapping(types, null_values, None if fields is None else frozenset(fields))


def _entries(entries: Iterable[tuple[str, Any]]) -> tuple[dict[str, Type], dict[str, Scalar]]:
    types: dict[str, Type] = {}
    null_values: dict[str, Scalar] = {}
    for path, entry in entries:
        kind = entry.get("type", "keyword") if isinstance(entry, Mapping) else entry
        if not isinstance(kind, str):
            raise EqlError(f"mapping: the type of {path!r} is not a name")
        types[path] = field_type(kind)
        if isinstance(entry, Mapping) and entry.get("null_value") is not None:
            null_values[path] = entry["null_value"]
    return types, null_values


def _properties(properties: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, entry in properties.items():
        path = f"{prefix}{name}"
        if isinstance(entry.get("properties"), Mapping):
            yield from _properties(entry["properties"], f"{path}.")
        elif entry.get("type") not in _OBJECTS:
            yield path, entry
        for extra, sub_entry in entry.get("fields", {}).items():
            yield f"{path}.{extra}", sub_entry
