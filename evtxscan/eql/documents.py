"""Reads the fields of ECS documents: nested objects, dotted keys and both at once, objects in arrays flattened."""

from collections.abc import Callable, Mapping
from typing import Any

from evtxscan.eql.ast import Scalar
from evtxscan.eql.mapping import FieldMapping
from evtxscan.eql.predicates import Values

Document = Mapping[str, Any]


def flatten(document: Document) -> dict[str, tuple[Scalar | None, ...]]:
    """Return the values of a document by dotted path; an explicit null stays, as None.

    ``{"a": [{"b": 1}, {"b": [2, null]}], "c.d": "x"}`` gives ``{"a.b": (1, 2, None), "c.d": ("x",)}``.
    """
    found: dict[str, list[Scalar | None]] = {}
    pending: list[tuple[str, Any]] = [(str(key), value) for key, value in reversed(list(document.items()))]
    while pending:
        path, value = pending.pop()
        if isinstance(value, Mapping):
            pending.extend((f"{path}.{key}", item) for key, item in reversed(list(value.items())))
        elif isinstance(value, list | tuple):
            pending.extend((path, item) for item in reversed(value))
        else:
            found.setdefault(path, []).append(value)
    return {path: tuple(values) for path, values in found.items()}


def reader(document: Document, mapping: FieldMapping) -> Callable[[str], Values]:
    """Return the lookup of a field's values in a document: nulls vanish, or are the mapping's null value."""
    fields = flatten(document)
    null_values = mapping.null_values

    def lookup(path: str) -> Values:
        values = fields.get(path, ())
        if None not in values:
            return values  # type: ignore[return-value]
        null_value = null_values.get(path)
        present = (null_value if value is None else value for value in values)
        return tuple(value for value in present if value is not None)

    return lookup
