"""Documents taken as they are: every field is what the document says, and columns hold those that the case has.

Fields that are the same in many events (``event.category``, ``host.os.type`` ...) belong to the kind of an event, as
they do with records. Those that follow from a column (``process.name`` from ``process.executable``) are not stored
where what follows is what the document says; that they do is part of the kind, too. All others go to ``data``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from evtxscan.ecs import derive
from evtxscan.ecs.batch import Dictionary
from evtxscan.ecs.columns import PACKED, catalogue
from evtxscan.ecs.convert import MAX_LONG
from evtxscan.ecs.incoming import IncomingError, moment
from evtxscan.ecs.kind import Kind

_FIXED = (
    "agent.type", "data_stream.dataset", "data_stream.type", "ecs.version", "event.action", "event.category",
    "event.code", "event.dataset", "event.kind", "event.module", "event.outcome", "event.provider", "event.type",
    "host.os.family", "host.os.platform", "host.os.type", "log.level", "winlog.api", "winlog.channel",
    "winlog.event_id", "winlog.keywords", "winlog.opcode", "winlog.provider_guid", "winlog.provider_name",
    "winlog.task", "winlog.version",
)  # fmt: skip
# A text that is longer, or a list with more of them, is no name of anything.
_LONGEST, _MOST = 128, 8
# Who a document is about where it has no host.name.
_NAMES = ("winlog.computer_name", "host.hostname", "agent.hostname", "agent.name")
_NOT_SET = frozenset({"@timestamp", "winlog.time_created", PACKED})

Function = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Derivable:
    """A field that usually follows from a column, and how; a list in the document where ``is_list``."""

    column: str
    function: Function
    is_list: bool = False


def _count(args: Function) -> Function:
    return lambda line: derive.count(args(line))


@cache
def derivables(channel: str | None) -> Mapping[str, Derivable]:
    """Return the fields that follow from columns; the Security log's command lines are taken apart in another way."""
    args = derive.function("security_args" if channel == "Security" else "sysmon_args")
    found = {
        "file.directory": Derivable("file.path", derive.function("directory")),
        "file.extension": Derivable("file.path", derive.function("extension")),
        "file.name": Derivable("file.path", derive.function("base_name")),
    }
    for name in ("process", "process.parent"):
        found[f"{name}.args"] = Derivable(f"{name}.command_line", args, is_list=True)
        found[f"{name}.args_count"] = Derivable(f"{name}.command_line", _count(args))
        found[f"{name}.name"] = Derivable(f"{name}.executable", derive.function("base_name"))
    return found


@cache
def _columns() -> Mapping[str, str]:
    return {name: info.type for name, info in catalogue().items() if name not in _NOT_SET}


@cache
def _roles() -> Mapping[str, str]:
    """Return what is special about a field: that a kind can have it, that it may follow from a column, or has one."""
    columns = dict.fromkeys(["@timestamp", *_columns()], "column")
    return columns | dict.fromkeys(derivables(None), "derived") | dict.fromkeys(_FIXED, "fixed")


@dataclass(slots=True)
class Taken:
    """A document as it is stored: its kind, cells by column, and its other fields."""

    kind: Kind
    cells: dict[str, int]
    own: dict[str, Any]


class Taker:
    """Takes the documents of one batch; what repeats in them is worked out once."""

    def __init__(self, strings: Dictionary) -> None:
        self._strings = strings
        self._kinds: dict[tuple[Any, ...], Kind] = {}
        self._derived: dict[tuple[str, str | None, str], Any] = {}

    def take(self, flat: Mapping[str, Any]) -> Taken:
        """Return a flat document as it is stored. Raises IncomingError where it has no time."""
        time = moment(flat.get("@timestamp"))
        if time is None:
            raise IncomingError("no_time", "its @timestamp is no time")
        cells: dict[str, int] = {"@timestamp": time.ticks}
        own: dict[str, Any] = {} if time.is_plain else {"@timestamp": time.text}
        fixed: list[tuple[str, Any]] = []
        derived: list[str] = []
        channel = flat.get("winlog.channel")
        channel = channel if isinstance(channel, str) else None
        roles, strings = _roles(), self._strings
        for name, value in flat.items():
            role = roles.get(name)
            if role is None:
                own[name] = value
            elif role == "fixed":
                if (key := _as_key(value)) is not None:
                    fixed.append((name, key))
                else:
                    own[name] = value
            elif role == "derived" and self._follows(name, derivables(channel)[name], flat, value, channel):
                derived.append(name)
            elif value.__class__ is str and _columns().get(name) == "keyword":
                cells[name] = strings.setdefault(value, len(strings))
            elif name in _columns():
                _put_number(name, value, cells, own)
            elif name != "@timestamp":
                own[name] = value
        if "host.name" not in cells and "host.name" not in own:
            named = next((text for name in _NAMES if isinstance(text := flat.get(name), str) and text), None)
            if named is not None:
                cells["host.name"] = strings.setdefault(named, len(strings))
        return Taken(self._kind(flat, fixed, derived), cells, own)

    def _follows(self, name: str, how: Derivable, flat: Mapping[str, Any], value: object, channel: str | None) -> bool:
        """Whether a field is what follows from its column."""
        text = flat.get(how.column)
        if text.__class__ is not str:
            return False
        key = (name, channel, str(text))
        if key not in self._derived:
            found = list(how.function(text))
            self._derived[key] = found if how.is_list else found[0] if len(found) == 1 else None
        known = self._derived[key]
        return known == value and known.__class__ is value.__class__

    def _kind(self, flat: Mapping[str, Any], fixed: list[tuple[str, Any]], derived: list[str]) -> Kind:
        key = (*sorted(fixed), *sorted(derived))
        kind = self._kinds.get(key)
        if kind is None:
            names = dict(fixed)
            values = {name: list(value) if isinstance(value, tuple) else value for name, value in names.items()}
            if "host.os.type" not in flat and _is_windows(flat):
                values["host.os.type"] = "windows"
            document = orjson.dumps({"derived": sorted(derived), "fixed": values}, option=orjson.OPT_SORT_KEYS).decode()
            kind = self._kinds[key] = Kind(
                provider=_name(names.get("winlog.provider_name") or names.get("event.provider")),
                channel=_name(names.get("winlog.channel")),
                code=_name(names.get("winlog.event_id") or names.get("event.code")),
                document=document,
            )
        return kind


def _put_number(name: str, value: object, cells: dict[str, int], own: dict[str, Any]) -> None:
    """Put a value into a column of numbers where it is one, in the form that the field has; else it stays as it is."""
    if name == "winlog.record_id" and isinstance(value, str) and value.isascii() and value.isdigit():
        number = int(value) if len(value) < 20 else -1
        if number <= MAX_LONG and str(number) == value:
            cells[name] = number
            return
    elif value.__class__ is int and 0 <= value <= MAX_LONG and _columns()[name] == "long":
        cells[name] = value
        if name != "winlog.record_id":
            return
    own[name] = value


def _as_key(value: object) -> str | tuple[str, ...] | None:
    """Return a value that the kind of an event can have: a short text, or a few of them."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else None
    if not isinstance(value, list) or len(value) > _MOST:
        return None
    return tuple(value) if all(isinstance(item, str) and len(item) <= _LONGEST for item in value) else None


def _is_windows(flat: Mapping[str, Any]) -> bool:
    """Whether a document that does not say so in host.os.type is of Windows: Elastic's pipelines add it there."""
    if "windows" in (flat.get("host.os.family"), flat.get("host.os.platform")):
        return True
    return "winlog.channel" in flat or "winlog.provider_name" in flat


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
