"""Reads and checks the mapping tables ``schema/ecs/*.json`` of FILES: data in, plain tables out.

A table says for each event of a provider what happens to each recorded value:

- ``move``: it becomes the value of a column and leaves the event data,
- ``copy``: it becomes the value of a column and stays in the event data as well,
- ``keep``: it stays in the event data and has a column of its own,
- ``pack``: it stays in the event data and shares the column ``packed`` with others that repeat as it does,
- ``read``: it stays in the event data, as JSON, and fields are computed from it there: a text as long as a script, or
  one that differs in every record, has no place in a column,
- ``hide``: kept, packed or read, but not in the document: other fields are made of it,
- ``drop``: Elastic removes it and nothing is made of it.

What is not named stays in the event data, as JSON. ``derive`` names the fields computed on reading; a ``#``
in field and term stands for the numbers 0 to 15. ``use`` takes all
that from sets that events share; an event's own lines win over them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, cast

from evtxscan.ecs.columns import PACKED, catalogue
from evtxscan.ecs.convert import CONVERSIONS
from evtxscan.ecs.errors import MappingError
from evtxscan.ecs.terms import Call, Term, parse
from evtxscan.ecs.texts import names
from evtxscan.schema import read_json

FILES = ("sysmon", "security", "system", "powershell", "powershell_operational")
_FORMAT = "evtxscan-ecs-mapping/1"
_FILE_KEYS = {"format", "name", "channel", "constants", "record_id", "timestamp", "blank", "sets", "providers"}
_PROVIDER_KEYS = {"use", "payload", "tasks", "events"}
_RULE_KEYS = {"move", "copy", "keep", "pack", "read", "hide", "drop", "derive"}
_EVENT_KEYS = _RULE_KEYS | {"title", "category", "type", "action", "outcome", "constants", "use", "first"}

NUMBERED = 16
"""How many fields a name with ``#`` stands for."""

Elsewhere = Literal["data", "pack", "drop"]
"""Where a value goes that its column cannot hold."""


@dataclass(frozen=True, slots=True)
class StoreRule:
    """One recorded value into one column. ``shown``: the event data of the document has it too."""

    raw: str
    column: str
    conversion: str = "text"
    otherwise: Elsewhere = "data"
    shown: bool = False


@dataclass(frozen=True, slots=True)
class EventTable:
    """All that a table says about the events of one provider, channel and id (``*``: all its other ids)."""

    id: str
    title: str
    provider: str | None = None
    channel: str | None = None
    code: str = "*"
    payload: str = "event_data"
    record_id_text: bool = False
    timestamp: str | None = None
    blank: frozenset[str] = frozenset()
    constants: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    tasks: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    rules: tuple[StoreRule, ...] = ()
    pack: tuple[str, ...] = ()
    read: frozenset[str] = frozenset()
    hide: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()
    first: frozenset[str] = frozenset()
    derive: Mapping[str, Call] = field(default_factory=lambda: MappingProxyType({}))


@cache
def event_tables() -> tuple[EventTable, ...]:
    """Return the tables of all files. Raises MappingError, with file and place, where one is not valid."""
    return tuple(table for name in FILES for table in read_table(table_content(name), f"ecs/{name}.json"))


def table_content(name: str) -> dict[str, Any]:
    """Return the unchecked content of one of FILES; treat it as read-only."""
    return cast(dict[str, Any], read_json(f"ecs/{name}.json"))


def read_table(content: object, file: str) -> Iterator[EventTable]:
    """Yield the event tables of one file's content. Raises MappingError, with file and place, where it is not valid."""
    where = f"schema/{file}"
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise MappingError(f"{where}: format has to be {_FORMAT!r}")
    _only(content, _FILE_KEYS, where)
    sets = content.get("sets", {})
    for name, rules in sets.items():
        _only(rules, _RULE_KEYS, f"{where}: set {name!r}")
    for provider, entry in content["providers"].items():
        _only(entry, _PROVIDER_KEYS, f"{where}: provider {provider!r}")
        for code, event in entry["events"].items():
            place = f"{where}: {provider}, event {code}"
            _only(event, _EVENT_KEYS, place)
            try:
                yield _event(content, provider, entry, code, event)
            except MappingError as error:
                raise MappingError(f"{place}: {error}") from None


def _only(entry: object, known: set[str], where: str) -> None:
    if not isinstance(entry, dict):
        raise MappingError(f"{where}: has to be an object")
    if unknown := set(entry) - known:
        raise MappingError(f"{where}: unknown key {sorted(unknown)[0]!r} (known: {', '.join(sorted(known))})")


def _event(
    content: dict[str, Any], provider: str, entry: dict[str, Any], code: str, event: dict[str, Any]
) -> EventTable:
    layers = [*_sets(content, entry.get("use", [])), *_sets(content, event.get("use", [])), event]
    rules, pack = _rules(layers)
    derive: dict[str, Call] = {}
    for name, text in _derived(layers):
        term: Term = parse(text)
        if not isinstance(term, Call):
            raise MappingError(f"{name}: {text!r} has to be a call")
        derive[name] = term
    hide, read = _names(layers, "hide"), _names(layers, "read")
    if missing := hide - {*pack, *read, *(rule.raw for rule in rules), *(_own_name(rule.column) for rule in rules)}:
        raise MappingError(f"hide: {sorted(missing)[0]!r} is not stored by this event")
    return EventTable(
        id=f"{content['name']}/{code}",
        title=event["title"],
        provider=provider,
        channel=content["channel"],
        code=code,
        payload=entry.get("payload", "event_data"),
        record_id_text=content.get("record_id") == "text",
        timestamp=content.get("timestamp"),
        blank=frozenset(content.get("blank", [])),
        constants=MappingProxyType(_constants(content, event)),
        tasks=MappingProxyType(_tasks(entry.get("tasks", {}))),
        rules=rules,
        pack=pack,
        read=read,
        hide=hide,
        drop=_names(layers, "drop"),
        first=frozenset(event.get("first", [])),
        derive=MappingProxyType(derive),
    )


def _tasks(tasks: dict[str, str] | str) -> dict[int, str]:
    """Return the tasks of a provider; a text names the table of texts.json that has them."""
    named = names(tasks) if isinstance(tasks, str) else tasks
    return {int(task.removeprefix("%%")): text for task, text in named.items()}


def _derived(layers: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield field and term, those with ``#`` once for each number."""
    for layer in layers:
        for name, text in layer.get("derive", {}).items():
            if "#" in name:
                yield from ((name.replace("#", str(n)), text.replace("#", str(n))) for n in range(NUMBERED))
            else:
                yield name, text


def _sets(content: dict[str, Any], names: list[str]) -> list[dict[str, Any]]:
    known = content.get("sets", {})
    if missing := [name for name in names if name not in known]:
        raise MappingError(f"there is no set {missing[0]!r}")
    return [known[name] for name in names]


def _constants(content: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    named = {f"event.{key}": event[key] for key in ("category", "type", "action", "outcome") if key in event}
    return {**content.get("constants", {}), **named, **event.get("constants", {})}


def _own_name(column: str) -> str:
    return column.removeprefix("winlog.event_data.")


def _names(layers: list[dict[str, Any]], key: str) -> frozenset[str]:
    return frozenset(name for layer in layers for name in layer.get(key, []))


def _rules(layers: list[dict[str, Any]]) -> tuple[tuple[StoreRule, ...], tuple[str, ...]]:
    """Merge the layers: the last one that names a value decides what happens to it."""
    stored: dict[str, list[StoreRule]] = {}
    pack: dict[str, None] = {}
    for layer in layers:
        for raw, rules in _layer_rules(layer):
            pack.pop(raw, None)
            stored[raw] = rules
        for raw in layer.get("pack", []):
            stored.pop(raw, None)
            pack[raw] = None
    return tuple(rule for rules in stored.values() for rule in rules), tuple(pack)


def _layer_rules(layer: dict[str, Any]) -> Iterator[tuple[str, list[StoreRule]]]:
    for verb in ("move", "copy"):
        for raw, targets in layer.get(verb, {}).items():
            texts = targets if isinstance(targets, list) else [targets]
            yield raw, [_rule(raw, text, shown=verb == "copy") for text in texts]
    for raw in layer.get("keep", []):
        yield raw, [_rule(raw, f"winlog.event_data.{raw}", shown=True)]


def _rule(raw: str, text: str, *, shown: bool) -> StoreRule:
    """Read ``column [conversion] [else pack|drop]``."""
    words = text.split()
    otherwise = "data"
    if len(words) > 2 and words[-2] == "else":
        otherwise = words[-1]
        words = words[:-2]
    column, conversion = words[0], words[1] if len(words) == 2 else "text"
    if len(words) > 2 or otherwise not in ("data", "pack", "drop"):
        raise MappingError(f"{raw}: {text!r} is not 'column [conversion] [else pack|drop]'")
    if conversion not in CONVERSIONS:
        raise MappingError(f"{raw}: there is no conversion {conversion!r}")
    info = catalogue().get(column)
    if info is None or column == PACKED:
        raise MappingError(f"{raw}: there is no column {column!r} in schema/ecs/columns.json")
    if CONVERSIONS[conversion].number != (info.type == "long"):
        raise MappingError(f"{raw}: {conversion!r} does not fit the type {info.type!r} of column {column!r}")
    return StoreRule(raw, column, conversion, cast(Elsewhere, otherwise), shown)
