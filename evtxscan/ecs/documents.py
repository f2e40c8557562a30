"""The mappings of documents: where the fields of a raw document are, and of one that was taken as it is.

A case has kinds of documents beside kinds of records, with ``Kind.document`` set. Fields that no column holds lie in
the event's ``data``, under :data:`OWN`, by their dotted names; the case knows which there are.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Final

import orjson

from evtxscan.ecs.columns import PACKED, catalogue
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import OWN, Mapping, mapping_for, unpack
from evtxscan.ecs.raw import RAW
from evtxscan.ecs.resolve import ABSENT, Absent, Cell, Column, Constant, Derived, Json, Resolution, Values
from evtxscan.ecs.tables import EventTable
from evtxscan.ecs.taken import derivables

ANY: Final = "*"
"""Stands for all names where documents of one kind have too many different ones to be listed."""

SHARED: Final = ("agent.", "cloud.", "elastic.", "host.", "observer.", "organization.")
"""Beginnings of the names of fields that are the same in all documents of a host: they share the packed column."""

START, END, OTHER = "document/process_start", "document/process_end", "document"
"""Mappings of documents that were not made of a Windows event."""
DOCUMENTS: Final = (START, END, OTHER)


@dataclass(frozen=True, slots=True, eq=False)
class DocumentMapping(Mapping):
    """The mapping of one kind of documents. ``own``: names of fields that some of them have under OWN.

    ``fixed``: what all of them have in common; None for raw documents, whose table says it.
    """

    own: frozenset[str] = frozenset()
    fixed: Dict[str, Any] | None = None

    def constants(self, kind: Kind) -> Dict[str, Any]:
        """Return the fields that are the same for all events of ``kind``."""
        return Mapping.constants(self, kind) if self.fixed is None else self.fixed

    def resolve(self, kind: Kind, field: str) -> Resolution:
        """Return where the values of ``field`` are, for every event of ``kind``."""
        constants = self.constants(kind)
        if field in constants:
            value = constants[field]
            return Constant(tuple(value) if isinstance(value, list) else (value,))
        stored = self.fields.get(field)
        if field != "@timestamp":
            parts = field.split(".")
            for size in range(len(parts), 0, -1):
                name = ".".join(parts[:size])
                if name in self.own and name.startswith(SHARED):
                    return _shared(name, ".".join(parts[size:]), stored)
                if name in self.own:
                    otherwise = stored if isinstance(stored, Column | Derived) else None
                    return Json((OWN, name), ".".join(parts[size:]), otherwise)
        if stored is None:
            stored = Mapping.resolve(self, kind, field) if self.fixed is None else ABSENT
        if ANY in self.own and field != "@timestamp" and isinstance(stored, Column | Derived | Absent):
            otherwise = None if isinstance(stored, Absent) else stored
            return _shared(field, "", stored) if field.startswith(SHARED) else Json((OWN, field), "", otherwise)
        return stored


def _shared(name: str, inside: str, stored: Resolution | None) -> Derived:
    """Return where a field is that stands in the packed column, or else in a column of its own."""
    if isinstance(stored, Column):
        return Derived((PACKED, stored.name), _pick_first(name, inside))
    if isinstance(stored, Derived) and stored.inputs == ("host.name",):
        return Derived((PACKED, "host.name"), _pick_first(name, inside, stored.fn))
    return Derived((PACKED,), _pick(name, inside))


@cache
def _pick(name: str, inside: str) -> Callable[[Cell], Values]:
    place = Json((OWN, name), inside)

    def pick(packed: Cell) -> Values:
        shared = unpack(packed).get(OWN) if isinstance(packed, str) else None
        return place.values(shared[name]) if isinstance(shared, dict) and name in shared else ()

    return pick


@cache
def _pick_first(
    name: str, inside: str, otherwise: Callable[[Cell], Values] = lambda cell: () if cell is None else (cell,)
) -> Callable[[Cell, Cell], Values]:
    pick = _pick(name, inside)
    return lambda packed, cell: pick(packed) or otherwise(cell)


@lru_cache(maxsize=4096)
def document_mapping(kind: Kind, own: frozenset[str]) -> Mapping:
    """Return the mapping of a kind; of a kind of records the usual one."""
    if kind.document is None:
        return mapping_for(kind)
    known = mapping_for(replace(kind, document=None))
    if kind.document == RAW:
        parts = (known.table, known.fields, known.shown, known.lists, known.paths, known.hidden)
        return DocumentMapping(*parts, own=own)
    return _taken(kind, known, own)


def _taken(kind: Kind, known: Mapping, own: frozenset[str]) -> Mapping:
    content = orjson.loads(kind.document or "{}")
    fixed: dict[str, Any] = content["fixed"]
    follows = {name: how for name, how in derivables(kind.channel).items() if name in content["derived"]}
    fields: dict[str, Column | Derived] = {
        name: Column(name) for name in catalogue() if name not in (PACKED, "winlog.time_created", "winlog.record_id")
    }
    fields["host.id"] = Derived(("host.name",), _lower)
    fields["winlog.record_id"] = Derived(("winlog.record_id",), lambda number: () if number is None else (str(number),))
    fields |= {name: Derived((how.column,), how.function) for name, how in follows.items()}
    for name in fixed:
        fields.pop(name, None)
    constants = {name: value for name, value in fixed.items() if name.startswith("event.")}
    table = EventTable(
        id=_id(kind, known, fixed),
        title="A document taken as it is",
        provider=kind.provider,
        channel=kind.channel,
        code=kind.code or "*",
        constants=constants,
    )
    lists = frozenset(name for name, how in follows.items() if how.is_list)
    return DocumentMapping(table, fields, tuple(fields.items()), lists, own=own, fixed=fixed)


def _lower(name: Cell) -> Values:
    return () if name is None else (str(name).lower(),)


def _id(kind: Kind, known: Mapping, fixed: Dict[str, Any]) -> str:
    """Return the name of the table that has such events: what is known of a log's records holds for documents, too."""
    if kind.channel is not None:
        return known.id
    categories, types = (_texts(fixed.get(name)) for name in ("event.category", "event.type"))
    if "process" in categories and "start" in types:
        return START
    return END if "process" in categories and "end" in types else OTHER


def _texts(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
