"""Elastic's golden documents as cases, and how a document is compared with one.

The cases lie outside the repository, in the folder that EVTXSCAN_CONFORMANCE names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import orjson
from evtx import PyEvtxParser

from tests.ecs.stored import event_json, store

ROOT = os.environ.get("EVTXSCAN_CONFORMANCE")
WINLOGBEAT = "winlogbeat-main-2026-07"

# What evtxscan adds to the winlogbeat profile (schema/ecs/base.json, additions), and what depends on the reader.
ADDED = ("host.id", "host.os.type", "host.os.family", "data_stream.dataset", "winlog.time_created")
UNORDERED = ("related.", "winlog.event_data.NewUACList", "winlog.event_data.AccessMaskDescription",
             "winlog.event_data.TicketOptionsDescription")  # fmt: skip
_OPCODES = {"Info": 0, "Start": 1, "Stop": 2}
_KEYWORDS = {"Audit Failure": 1 << 52, "Audit Success": 1 << 53, "Classic": 1 << 55}
_LEVELS = {"critical": 1, "error": 2, "warning": 3, "information": 4, "verbose": 5}


@dataclass(frozen=True, slots=True)
class Case:
    """One golden document and the record that it was made of, as JSON text."""

    id: str
    profile: str
    channel: str
    code: str
    text: str
    expected: dict[str, Any]
    host_dependent: frozenset[str]


@cache
def cases() -> tuple[Case, ...]:
    """Return all cases; none where the folder is not there."""
    return tuple(_read()) if ROOT else ()


def _read() -> Iterator[Case]:
    root = Path(cast(str, ROOT)) / "ecs"
    for line in (root / "cases.jsonl").read_bytes().splitlines():
        entry = orjson.loads(line)
        yield Case(
            id=entry["id"],
            profile=entry["profile"],
            channel=entry["channel"],
            code=str(entry["event_id"]),
            text=_records(root / entry["evtx"])[entry["record_id"]] if entry["evtx"] else _from_winlog(entry["winlog"]),
            expected=entry["expected"],
            host_dependent=frozenset(entry["host_dependent"]),
        )


@cache
def categories() -> tuple[tuple[str, str, dict[str, Any]], ...]:
    """Return channel, event id and category, type, action, outcome of all events that Elastic's tables name."""
    if not ROOT:
        return ()
    content = orjson.loads((Path(ROOT) / "ecs" / "event-categorization.json").read_bytes())
    channels = {"sysmon": "Microsoft-Windows-Sysmon/Operational", "security": "Security"}
    return tuple((channels[name], code, entry) for name in channels for code, entry in content[name].items())


@cache
def _records(path: Path) -> dict[int, str]:
    """Return the records of a log by EventRecordID, which in an exported log is not the id in the record's header."""
    texts = [record["data"] for record in PyEvtxParser(str(path)).records_json()]
    return {orjson.loads(text)["Event"]["System"]["EventRecordID"]: text for text in texts}


def _from_winlog(winlog: dict[str, Any]) -> str:
    """Return the record that a live agent made this ``winlog`` object of."""
    process = winlog.get("process", {})
    keywords = sum(_KEYWORDS[name] for name in winlog.get("keywords", ()) if name in _KEYWORDS)
    user_data = dict(winlog.get("user_data", {}))
    elements: dict[str, Any] = {"EventData": winlog["event_data"]} if "event_data" in winlog else {}
    if user_data:
        elements["UserData"] = {user_data.pop("xml_name", "Xml"): user_data}
    system = {
        "Provider": {"#attributes": {"Name": winlog["provider_name"], "Guid": winlog.get("provider_guid", "")}},
        "EventID": int(winlog["event_id"]),
        "Version": winlog.get("version", 0),
        "Level": _LEVELS.get(winlog.get("level", ""), 0),
        "Opcode": _OPCODES.get(winlog.get("opcode", "")),
        "Keywords": hex(keywords),
        "TimeCreated": {"#attributes": {"SystemTime": winlog.get("time_created")}},
        "EventRecordID": int(winlog.get("record_id", 0)),
        "Correlation": {"#attributes": {"ActivityID": winlog["activity_id"]}} if "activity_id" in winlog else None,
        "Execution": {
            "#attributes": {"ProcessID": process.get("pid"), "ThreadID": process.get("thread", {}).get("id")}
        },
        "Channel": winlog["channel"],
        "Computer": winlog["computer_name"],
        "Security": {"#attributes": {"UserID": winlog.get("user", {}).get("identifier")}},
    }
    return event_json(system, **elements)


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which a document differs: ``golden`` or ``ours`` is None where it is missing there."""

    case: Case
    field: str
    golden: Any
    ours: Any


def compare(case: Case) -> list[Difference]:
    """Return the differences between a golden document and ours that the rules of comparison leave."""
    return compare_with(case, store([case.text])[0].document)


def compare_with(case: Case, ours: dict[str, Any]) -> list[Difference]:
    """Return the same for a document of ours that was made in another way."""
    golden = dict(case.expected)
    skipped = {*case.host_dependent, *ADDED, "event.ingested", "message"}
    fields = sorted((golden.keys() | ours.keys()) - skipped)
    return [
        Difference(case, field, golden.get(field), ours.get(field))
        for field in fields
        if _comparable(field, golden.get(field)) != _comparable(field, ours.get(field))
    ]


def _comparable(field: str, value: object) -> object:
    if field == "@timestamp" and isinstance(value, str):
        return value.rstrip("Z").ljust(23, "0")[:23]
    if field.endswith(("_guid", "activity_id", "Guid", "GUID")) and isinstance(value, str):
        return value.lower()
    if field.startswith(UNORDERED) and isinstance(value, list):
        return sorted(set(value))
    return value
