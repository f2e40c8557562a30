"""The base layer: what every event has whatever its provider, from ``schema/ecs/base.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from evtxscan.ecs.errors import MappingError
from evtxscan.ecs.kind import Kind
from evtxscan.schema import read_json

_FILE, _FORMAT = "ecs/base.json", "evtxscan-ecs-base/1"
_KEYS = {
    "format", "profile", "constants", "additions", "datasets", "levels", "opcodes", "keywords", "outcomes", "objects",
    "types",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Base:
    """The content of base.json. ``keywords`` and ``outcomes`` are keyed by bit mask."""

    profile: str
    constants: Mapping[str, Any]
    additions: Mapping[str, str]
    datasets: Mapping[str, str]
    levels: tuple[str, ...]
    opcodes: tuple[str, ...]
    keywords: Mapping[int, str]
    outcomes: Mapping[int, str]
    objects: frozenset[str]
    types: Mapping[str, str]


@cache
def base() -> Base:
    """Return the base layer's tables. Raises MappingError where the file is not valid."""
    content = read_json(_FILE)
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise MappingError(f"schema/{_FILE}: format has to be {_FORMAT!r}")
    if odd := set(content) ^ _KEYS:
        raise MappingError(f"schema/{_FILE}: key {sorted(odd)[0]!r} is unknown or missing")
    return Base(
        profile=content["profile"],
        constants=MappingProxyType(content["constants"]),
        additions=MappingProxyType(content["additions"]),
        datasets=MappingProxyType(content["datasets"]),
        levels=tuple(content["levels"]),
        opcodes=tuple(content["opcodes"]),
        keywords=MappingProxyType({int(bit, 16): text for bit, text in content["keywords"].items()}),
        outcomes=MappingProxyType({int(bit, 16): text for bit, text in content["outcomes"].items()}),
        objects=frozenset(content["objects"]),
        types=MappingProxyType(content["types"]),
    )


def field_type(field: str) -> str:
    """Return the Elasticsearch type of ``field``: keyword unless base.json names another."""
    return base().types.get(field, "keyword")


def kind_constants(kind: Kind, tasks: Mapping[int, str]) -> dict[str, Any]:
    """Return the fields that a record's kind alone decides; lists where the document has lists.

    Offline there is no provider metadata: the task's name, which is event.action where no table sets it, is known
    only for the tasks in ``tasks`` and for task 0.
    """
    tables = base()
    bits = kind.keyword_bits
    task = None if kind.task is None else tasks.get(kind.task, None if kind.task else "None")
    found = {
        **tables.constants,
        "event.code": kind.code,
        "event.provider": kind.provider,
        "event.action": task,
        "event.outcome": next((text for bit, text in tables.outcomes.items() if bits & bit), None),
        "data_stream.dataset": tables.datasets.get(kind.channel or ""),
        "log.level": _at(tables.levels, kind.level),
        "winlog.channel": kind.channel,
        "winlog.event_id": kind.code,
        "winlog.keywords": [text for bit, text in tables.keywords.items() if bits & bit] or None,
        "winlog.opcode": _at(tables.opcodes, kind.opcode),
        "winlog.provider_guid": kind.provider_guid,
        "winlog.provider_name": kind.provider,
        "winlog.task": task,
        "winlog.version": kind.version or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _at(names: tuple[str, ...], place: int | None) -> str | None:
    return names[place] if place is not None and place < len(names) else None
