"""Raw documents of Winlogbeat, turned back into the record that they were made of.

What stands in ``winlog.*`` becomes the parts of a record again, in the form of the bulk parser's JSON, and goes the
way of all records from there: so a record and a document of it have the same fields. What a document has besides
(``agent.*``, ``message``, ``tags``, ``host.ip`` ...) is kept beside it, where the mapping says nothing of that field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from evtxscan.ecs.base import base
from evtxscan.ecs.incoming import IncomingError, Moment, moment
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import mapping_for

RAW = '{"raw":true}'
"""``Kind.document`` of raw documents."""

_DATA, _USER = "winlog.event_data.", "winlog.user_data."
_PARTS = frozenset(
    {
        "@timestamp", "winlog.activity_id", "winlog.channel", "winlog.computer_name", "winlog.event_id",
        "winlog.process.pid", "winlog.process.thread.id", "winlog.provider_guid", "winlog.provider_name",
        "winlog.record_id", "winlog.related_activity_id", "winlog.time_created", "winlog.user.identifier",
        "winlog.version", "winlog.event_data", "winlog.user_data",
    }
)  # fmt: skip
_OF_KIND = (
    "winlog.provider_name", "winlog.provider_guid", "winlog.channel", "winlog.event_id", "winlog.version",
    "winlog.opcode", "log.level",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Raw:
    """A raw document: its kind, the ``Event`` object and TimeCreated of its record, and what else it says, by field."""

    kind: Kind
    ticks: int
    event: dict[str, Any]
    own: dict[str, Any]


def read_raw(flat: Mapping[str, Any], event_data: dict[str, Any] | None = None) -> Raw:
    """Return the record of a flat raw document. Raises IncomingError where it has no time.

    ``event_data``: winlog.event_data, where it was not made flat with the rest.
    """
    created = moment(flat.get("winlog.time_created")) or moment(flat.get("@timestamp"))
    if created is None:
        raise IncomingError("no_time", "its @timestamp is no time")
    kind = _kind(tuple(_text(flat.get(name)) for name in _OF_KIND), tuple(map(str, _list(flat.get("winlog.keywords")))))
    event_data = {} if event_data is None else event_data
    user_data: dict[str, Any] = {}
    own: dict[str, Any] = {}
    mapped = _mapped(kind)
    for name, value in flat.items():
        if name in _PARTS or name in mapped:
            continue
        if name.startswith(_DATA):
            event_data[name[len(_DATA) :]] = value
        elif name.startswith(_USER):
            user_data[name[len(_USER) :]] = value
        else:
            own[name] = value
    if not created.is_plain:
        own["@timestamp"] = created.text
    event: dict[str, Any] = {"System": _system(flat, created)}
    if event_data:
        event["EventData"] = event_data
    if user_data:
        element = user_data.pop("xml_name", None)
        event["UserData"] = {element if isinstance(element, str) and element else "UserData": user_data}
    return Raw(kind, created.ticks, event, own)


def _system(flat: Mapping[str, Any], created: Moment) -> dict[str, Any]:
    """Return what of System differs from record to record; the kind has the rest."""
    computer = flat.get("winlog.computer_name") or flat.get("host.name")
    activity, related = flat.get("winlog.activity_id"), flat.get("winlog.related_activity_id")
    return {
        "TimeCreated": {"#attributes": {"SystemTime": created.as_recorded}},
        "EventRecordID": flat.get("winlog.record_id"),
        "Correlation": {"#attributes": {"ActivityID": activity, "RelatedActivityID": related}},
        "Execution": {
            "#attributes": {
                "ProcessID": flat.get("winlog.process.pid"),
                "ThreadID": flat.get("winlog.process.thread.id"),
            }
        },
        "Computer": computer if isinstance(computer, str) else None,
        "Security": {"#attributes": {"UserID": flat.get("winlog.user.identifier")}},
    }


@lru_cache(maxsize=4096)
def _kind(texts: tuple[str | None, ...], keywords: tuple[str, ...]) -> Kind:
    """Return the kind of a document with these values of _OF_KIND: opcode, level and keywords are texts there."""
    provider, guid, channel, code, version, opcode, level = texts
    bits = {text: bit for bit, text in base().keywords.items()}
    is_known = bool(keywords) and all(text in bits for text in keywords)
    return Kind(
        provider,
        guid,
        channel,
        code,
        int(version) if version and version.isascii() and version.isdigit() and len(version) < 6 else None,
        _number(base().levels, level, first=1),
        None,
        _number(base().opcodes, opcode),
        hex(sum(bits[text] for text in set(keywords))) if is_known else None,
        RAW,
    )


def _number(names: tuple[str, ...], text: str | None, first: int = 0) -> int | None:
    return names.index(text, first) if text in names[first:] else None


@lru_cache(maxsize=4096)
def _mapped(kind: Kind) -> frozenset[str]:
    """Return the fields that the mapping answers for, whatever the document says of them."""
    plain = replace(kind, document=None)
    mapping = mapping_for(plain)
    names = {*mapping.constants(plain), *mapping.fields, "host.name", "winlog.opcode", "winlog.keywords"}
    if kind.opcode is None:
        names.discard("winlog.opcode")
    if kind.keywords is None:
        names.discard("winlog.keywords")
    return frozenset(name for name in names if not name.startswith((_DATA, _USER)))


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def _list(value: object) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
