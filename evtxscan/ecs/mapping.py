"""The mapping of one sort of events: which column holds what, and where each field of the document comes from."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import orjson

from evtxscan.ecs import derive
from evtxscan.ecs.base import base, kind_constants
from evtxscan.ecs.columns import PACKED
from evtxscan.ecs.convert import CONVERSIONS
from evtxscan.ecs.errors import MappingError
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.resolve import (
    ABSENT,
    Cell,
    Column,
    Constant,
    Data,
    Derived,
    Input,
    Path,
    Resolution,
    Values,
    cell_values,
)  # fmt: skip
from evtxscan.ecs.tables import EventTable, StoreRule, event_tables
from evtxscan.ecs.terms import Call, Name, Term

SECTIONS: Final = ("event_data", "user_data", "processing_error_data", "debug_data", "binary_event_data",
                   "rendering_info", "other")  # fmt: skip
"""The objects of ``winlog`` (and of an event's ``data``) that hold recorded values by name."""

OWN: Final = "document"
"""The object of ``data`` with the fields of a document that no column holds, by their dotted names."""

_CORE: Final[dict[str, Resolution]] = {
    "@timestamp": Column("@timestamp"),
    "winlog.time_created": Data(("time_created",)),
    "host.name": Column("host.name"),
    "host.id": Derived(("host.name",), lambda name: () if name is None else (name.lower(),)),
    "winlog.computer_name": Column("host.name"),
    "winlog.process.pid": Column("winlog.process.pid", override=("process.pid",)),
    "winlog.process.thread.id": Column("winlog.process.thread.id", override=("process.thread.id",)),
    "winlog.user.identifier": Column("winlog.user.identifier"),
    "winlog.activity_id": Column("winlog.activity_id"),
    "winlog.related_activity_id": Data(("related_activity_id",)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """One event table, compiled.

    ``fields`` are all fields that neither the kind nor leftover event data decide; ``shown`` those of them that the
    document takes from columns or makes of ``data`` (parts of an object field are not shown beside it), ``lists`` those
    that are lists. ``paths`` are the texts of ``data`` that fields are made of, ``hidden`` those that the document has
    under no other name.
    """

    table: EventTable
    fields: Dict[str, Resolution]
    shown: tuple[tuple[str, Column | Derived | Data], ...]
    lists: frozenset[str]
    paths: tuple[Path, ...] = ()
    hidden: frozenset[Path] = frozenset()

    @property
    def id(self) -> str:
        """The mapping's name, for example ``sysmon/1``; ``base`` for the events that no table names."""
        return self.table.id

    def constants(self, kind: Kind) -> Dict[str, Any]:
        """Return the fields that are the same for all events of ``kind``; lists where the document has lists."""
        return _constants(self, kind)

    def resolve(self, kind: Kind, field: str) -> Resolution:
        """Return where the values of ``field`` are, for every event of ``kind``."""
        constants = self.constants(kind)
        if field in constants:
            value = constants[field]
            return Constant(tuple(value) if isinstance(value, list) else (value,))
        return self.fields.get(field) or self._leftover(field)

    def _leftover(self, field: str) -> Resolution:
        """Return where a field is that the table does not name: event data as recorded, or nowhere."""
        if not field.startswith("winlog."):
            return ABSENT
        section, _, name = field.removeprefix("winlog.").partition(".")
        if section not in SECTIONS or not name:
            return ABSENT
        if section == self.table.payload and self._vanishes(name):
            return ABSENT
        return Data((section, name))

    def _vanishes(self, raw: str) -> bool:
        """Whether a recorded value never stays in the event data: moved without exception, hidden or dropped."""
        rules = [rule for rule in self.table.rules if rule.raw == raw]
        always = all(CONVERSIONS[rule.conversion].exact or rule.otherwise == "drop" for rule in rules)
        named = bool(rules) or raw in self.table.hide
        return raw in self.table.drop or (named and always and not _contested(self, raw))


def _contested(mapping: Mapping, raw: str) -> bool:
    """Whether another value may already fill the column, so that this one stays in the event data."""
    columns = {rule.column for rule in mapping.table.rules if rule.raw == raw and rule.otherwise != "drop"}
    return any(rule.column in columns for rule in mapping.table.rules if rule.raw != raw)


@lru_cache(maxsize=4096)
def _constants(mapping: Mapping, kind: Kind) -> dict[str, Any]:
    return kind_constants(kind, mapping.table.tasks) | dict(mapping.table.constants)


def mapping_for(kind: Kind) -> Mapping:
    """Return the mapping of the events of ``kind``; the base mapping where no table names provider and channel."""
    known = mappings()
    key = (kind.provider, kind.channel)
    return known.get((*key, kind.code or "*")) or known.get((*key, "*")) or known[None, None, "*"]


@cache
def mappings() -> dict[tuple[str | None, str | None, str], Mapping]:
    """Return all mappings by (provider, channel, event id). Raises MappingError where a table is not valid."""
    found = {(table.provider, table.channel, table.code): compile_table(table) for table in event_tables()}
    found[None, None, "*"] = compile_table(EventTable(id="base", title="All other events"))
    return found


def compile_table(table: EventTable) -> Mapping:
    """Compile a table. Raises MappingError where a derived field reads what the table does not store."""
    fields = dict(_CORE)
    if table.timestamp:
        fields["winlog.time_created"] = Column("winlog.time_created", override=("time_created",))
    record_id = ("winlog.record_id",)
    fields["winlog.record_id"] = (
        Derived(record_id, lambda number: () if number is None else (str(number),), override=("record_id",))
        if table.record_id_text
        else Column("winlog.record_id", override=("record_id",))
    )
    for rule in table.rules:
        _add_stored(fields, table, rule)
    for raw in table.pack:
        if raw not in table.hide:
            fields[f"winlog.{table.payload}.{raw}"] = Derived((PACKED,), _picker(raw))
    for name, term in table.derive.items():
        try:
            fields[name] = _Compiler(table).resolution(term)
        except MappingError as error:
            raise MappingError(f"{table.id}: {name}: {error}") from None
    parts = tuple(f"{name}." for name in base().objects)
    shown = tuple(
        (name, found)
        for name, found in fields.items()
        if (isinstance(found, (Column, Derived)) or (isinstance(found, Data) and name in table.derive))
        and not name.startswith(parts)
    )
    lists = frozenset(name for name in table.derive if _is_list(table, name))
    paths = tuple((table.payload, raw) for raw in sorted(table.read))
    hidden = frozenset((table.payload, raw) for raw in table.read & table.hide)
    return Mapping(table, fields, shown, lists, paths, hidden)


def _add_stored(fields: dict[str, Resolution], table: EventTable, rule: StoreRule) -> None:
    conversion = CONVERSIONS[rule.conversion]
    if not (rule.raw in table.hide or rule.column.removeprefix("winlog.event_data.") in table.hide):
        fields[rule.column] = Column(rule.column, _renamed(table, rule.column))
    recorded = f"winlog.{table.payload}.{rule.raw}"
    if rule.otherwise == "pack":
        fields[recorded] = _packed_first(rule) if rule.shown else Derived((PACKED,), _picker(rule.raw))
    elif rule.shown and recorded != rule.column:
        override = None if conversion.exact else (table.payload, rule.raw)
        if conversion.number:
            restore = conversion.restore
            fields[recorded] = Derived((rule.column,), lambda n: () if n is None else (restore(n),), override)
        else:
            fields[recorded] = Column(rule.column, override)


def _renamed(table: EventTable, column: str) -> Path | None:
    """Return the path of the value that is recorded under a column's own name, if the column takes another one.

    Sysmon 8 has TargetProcessGuid in winlog.event_data.TargetProcessGUID; a record that has both keeps the second.
    """
    sources = {rule.raw for rule in table.rules if rule.column == column}
    _, prefix, name = column.partition("winlog.event_data.")
    return ("event_data", name) if prefix and sources != {name} else None


@cache
def _picker(raw: str) -> Callable[[Cell], Values]:
    """Make the function that picks one recorded value out of the packed column."""

    def pick(packed: Cell) -> Values:
        value = unpack(packed).get(raw) if isinstance(packed, str) else None
        return () if value is None else (value,)

    return pick


def _packed_first(rule: StoreRule) -> Derived:
    pick, restore = _picker(rule.raw), CONVERSIONS[rule.conversion].restore

    def choose(cell: Cell, packed: Cell) -> Values:
        return pick(packed) or (() if cell is None else (restore(cell),))

    return Derived((rule.column, PACKED), choose)


@lru_cache(maxsize=8192)
def unpack(packed: str) -> dict[str, str]:
    """Return the recorded values in one text of the packed column; treat the result as read-only, it is shared."""
    try:
        found = orjson.loads(packed)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


class _Compiler:
    """Turns terms into resolutions for one table."""

    def __init__(self, table: EventTable) -> None:
        self.table = table
        self.rules = {rule.raw: rule for rule in table.rules if f"winlog.event_data.{rule.raw}" == rule.column}
        self.columns = {rule.column for rule in table.rules} | {
            column.name for column in _CORE.values() if isinstance(column, Column)
        }

    def resolution(self, term: Term) -> Column | Derived | Data:
        """Return where the values of a term are; another field's resolution where the term is just that field."""
        if isinstance(term, Name):
            return self._named(term.text)
        parts = [self.resolution(part) for part in term.inputs]
        if term.spec == "same":
            return parts[0]
        return _derived(term, tuple(parts))

    def _named(self, name: str) -> Column | Derived | Data:
        if "." in name:
            if name in self.columns:
                return Column(name)
            if name in self.table.derive:
                return self.resolution(self.table.derive[name])
        elif name in self.rules or f"winlog.event_data.{name}" in self.columns:
            return Column(f"winlog.event_data.{name}")
        elif name in self.table.pack:
            return Derived((PACKED,), _picker(name))
        elif name in self.table.read:
            return Data((self.table.payload, name))
        raise MappingError(f"{name!r} is neither a stored value nor a derived field of this event")


@cache
def _derived(term: Call, parts: tuple[Column | Derived | Data, ...]) -> Derived:
    """Return what a term makes of other fields; tables that say the same share one function."""
    names = tuple(dict.fromkeys(given for part in parts for given in _inputs(part)))
    if len(parts) == 1 == len(names):  # most are, and they are asked for the most
        return Derived(names, _of_one(term, parts[0]))
    apply = term.apply

    def values(*cells: Cell) -> Values:
        row = dict(zip(names, cells, strict=True))
        return apply([cell_values(part, row) for part in parts])

    return Derived(names, values)


def _of_one(term: Call, part: Column | Derived | Data) -> Callable[[Cell], Values]:
    """Return the function of a term with one input, which follows from one cell."""
    function, takes_all = derive.function(term.spec), term.takes_all
    if not isinstance(part, Derived):
        return (lambda cell: function(() if cell is None else (cell,))) if takes_all else function
    inner = part.fn
    if takes_all:
        return lambda cell: function(inner(cell))

    def values(cell: Cell) -> Values:
        found = inner(cell)
        return function(found[0] if found else None)

    return values


def _inputs(part: Column | Derived | Data) -> tuple[Input, ...]:
    """Return what a resolution reads."""
    if isinstance(part, Derived):
        return part.inputs
    return (part.name,) if isinstance(part, Column) else (part.path,)


def _is_list(table: EventTable, name: str) -> bool:
    term = table.derive[name]
    if term.spec == "same" and isinstance(term.inputs[0], Name) and term.inputs[0].text in table.derive:
        return _is_list(table, term.inputs[0].text)
    return term.makes_list
