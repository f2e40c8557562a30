"""Reads schema/sigma: which events a log source means, and where evtxscan's documents have the fields of rules.

``logsources.json`` names the events of each category and the channels of services that pySigma does not know or knows
under another name. ``fields.json`` says, by log source, which of our fields hold a field of Sigma's: only where
pySigma's ECS pipeline has none or another one. ``expressions`` are fields that no document has as such; they are
computed in the query. Every entry has its reason; docs/sigma/mapping.md is written from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, cast

from evtxscan.schema import read_json

KEYWORD = ""
"""Stands for values that a rule does not bind to a field."""
ANY_OTHER = "*"


@dataclass(frozen=True, slots=True)
class Place:
    """One field that may hold the value: in events of these ids, in all but these, and where another field has none.

    Without the ids, an event that never has the field would count as one that lacks it, and stay undecided.
    """

    field: str
    codes: tuple[str, ...] = ()
    not_codes: tuple[str, ...] = ()
    without: str = ""

    @property
    def is_everywhere(self) -> bool:
        """Tell whether the field alone decides."""
        return not (self.codes or self.not_codes or self.without)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a field of Sigma's is: in any of ``places``.

    ``convert`` names what has to be done with values: ``hashes`` (then ``algorithms`` has the field of each) or
    ``registry_data``. ``values`` replaces values, compared without regard to case. ``why`` is a key of the reasons.
    """

    places: tuple[Place, ...]
    convert: str = ""
    algorithms: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    why: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields alone, each once."""
        return tuple(dict.fromkeys(place.field for place in self.places))


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of some log sources; ``default`` is for all others, with ``{}`` in place of the name."""

    name: str
    categories: tuple[str, ...]
    services: tuple[str, ...]
    fields: Mapping[str, Target]
    default: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Category:
    """The events of a category: lists of provider and event ids, and values that some field has to have besides."""

    events: tuple[tuple[str, tuple[str, ...]], ...]
    where: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Service:
    """The channels of a service, any of which it may be, and why pySigma's will not do."""

    channels: tuple[str, ...]
    why: str


@cache
def categories() -> Mapping[str, Category]:
    """Return the categories by name."""
    return {
        name: Category(
            tuple((provider, tuple(codes)) for provider, *codes in entry["events"]),
            {path: tuple(values) for path, values in entry.get("where", {}).items()},
        )
        for name, entry in _content("logsources")["categories"].items()
    }


@cache
def services() -> Mapping[str, Service]:
    """Return the services that we name in place of pySigma."""
    entries = _content("logsources")["services"]
    return {name: Service(tuple(entry["channels"]), entry["why"]) for name, entry in entries.items()}


@cache
def elsewhere() -> Mapping[str, str]:
    """Return the event.category of log sources that are no event logs of Windows."""
    return cast(dict[str, str], _content("logsources")["elsewhere"])


@cache
def expressions() -> Mapping[str, str]:
    """Return the EQL of the fields that have to be computed."""
    return cast(dict[str, str], _content("fields")["expressions"])


@cache
def reasons() -> Mapping[str, str]:
    """Return the texts of the reasons."""
    return cast(dict[str, str], _content("fields")["reasons"])


@cache
def tables() -> tuple[Table, ...]:
    """Return the tables of fields, the one for every log source first."""
    return tuple(
        Table(
            name=entry["name"],
            categories=tuple(entry.get("categories", ())),
            services=tuple(entry.get("services", ())),
            fields={name: _target(target) for name, target in entry["fields"].items()},
            default=tuple(entry.get("default", ())),
        )
        for entry in _content("fields")["tables"]
    )


@cache
def tactics() -> Mapping[str, Mapping[str, str]]:
    """Return id and name of ATT&CK's tactics by the names that tags give them."""
    return cast(dict[str, dict[str, str]], _content("tactics")["tactics"])


@dataclass(frozen=True, slots=True)
class Fields:
    """Answers where the fields of rules of one log source are."""

    own: tuple[Table, ...]
    common: Table

    def find(self, name: str) -> Target | None:
        """Return where a field is; None leaves it to pySigma's pipeline."""
        for table in self.own:
            if name in table.fields:
                return table.fields[name]
        if name == KEYWORD:
            return None
        for table in self.own:
            if table.default:
                return Target(tuple(Place(pattern.format(name)) for pattern in table.default), why="base")
        return self.common.fields.get(name)


@cache
def fields_of(category: str | None, service: str | None) -> Fields:
    """Return the fields of a log source."""
    common, *others = tables()
    own = tuple(
        table
        for table in others
        if category in table.categories or (service or ("" if category is None else None)) in table.services
    )
    if not own and service and service not in ("sysmon", "powershell"):
        own = tuple(table for table in others if ANY_OTHER in table.services)
    return Fields(own, common)


def _target(entry: dict[str, Any]) -> Target:
    to = entry["to"]
    algorithms = to if isinstance(to, dict) else {}
    return Target(
        places=tuple(map(_place, dict.fromkeys(algorithms.values()) if algorithms else to)),
        convert=entry.get("convert", ""),
        algorithms=algorithms,
        values=entry.get("values", {}),
        why=entry.get("why", ""),
    )


def _place(entry: str | dict[str, Any]) -> Place:
    if isinstance(entry, str):
        return Place(entry)
    codes, others = tuple(entry.get("codes", ())), tuple(entry.get("not_codes", ()))
    return Place(entry["field"], codes, others, entry.get("without", ""))


def _content(name: str) -> dict[str, Any]:
    return cast(dict[str, Any], read_json(f"sigma/{name}.json"))
