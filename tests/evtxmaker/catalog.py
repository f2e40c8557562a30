"""The events that can be made by name: `events.toml`, read once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

from .model import EventTemplate, Field, Payload, Provider, ValueType

_FILE = Path(__file__).with_name("events.toml")
_TYPES = {value_type.name.replace("_", ""): value_type for value_type in ValueType}


def template(provider: str, event_id: int, version: int | None = None) -> EventTemplate:
    """Return the template of an event; `provider` is its short name in `events.toml`, as "sysmon".

    Without `version` the newest that the catalogue has. Raises KeyError if it has none.
    """
    if version is None:
        versions = [key[2] for key in templates() if key[:2] == (provider, event_id)]
        if not versions:
            raise KeyError(f"no event {event_id} of {provider} in {_FILE.name}")
        version = max(versions)
    return templates()[provider, event_id, version]


@cache
def templates() -> Mapping[tuple[str, int, int], EventTemplate]:
    """Return all templates by provider's short name, event id and version."""
    content = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    found: dict[tuple[str, int, int], EventTemplate] = {}
    for short_name, provider in content.items():
        for entry in provider["events"]:
            made = _event_template(provider, entry)
            key = (short_name, made.event_id, made.version)
            if key in found:
                raise ValueError(f"{_FILE.name} has event {key} twice")
            found[key] = made
    return MappingProxyType(found)


def _event_template(provider: dict[str, Any], entry: dict[str, Any]) -> EventTemplate:
    merged = provider["defaults"] | entry
    guid = provider.get("guid")
    return EventTemplate(
        provider=Provider(provider["name"], UUID(guid) if guid else None, provider.get("event_source_name")),
        channel=merged["channel"],
        event_id=merged["id"],
        version=merged.get("version", 0),
        level=merged["level"],
        task=merged.get("task", 0),
        opcode=merged.get("opcode", 0),
        keywords=int(merged["keywords"], 16),
        qualifiers=merged.get("qualifiers"),
        payload=Payload(merged.get("payload", "EventData")),
        fields=tuple(map(_field, merged.get("fields", "").split())),
        binary=merged.get("binary", False),
        element=merged.get("element"),
        namespace=merged.get("namespace"),
    )


def _field(text: str) -> Field:
    name, _, type_name = text.partition(":")
    return Field(name, _TYPES[type_name.upper()] if type_name else ValueType.WSTRING)
