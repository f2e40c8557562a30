"""Makes documents: as Winlogbeat ships them before any pipeline, and as Elastic Defend writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from evtx import PyEvtxParser

from evtxscan.ecs.base import base
from evtxscan.ecs.text import flatten, to_text

Document = dict[str, Any]


def lines(documents: Iterable[Mapping[str, Any]]) -> bytes:
    """Return documents as NDJSON."""
    return b"".join(json.dumps(document, separators=(",", ":")).encode() + b"\n" for document in documents)


def raw_documents(folder: Path, *, digits: int = 3) -> Iterator[Document]:
    """Yield a raw document of each record below a folder; ``digits``: decimals of their times (Winlogbeat: 3)."""
    for path in sorted(folder.rglob("*.evtx")):
        for record in PyEvtxParser(str(path)).records_json():
            yield raw_document(json.loads(record["data"])["Event"], digits=digits)


def raw_document(event: Document, *, digits: int = 3) -> Document:
    """Return the document that Winlogbeat makes of a record, given as the bulk parser's JSON."""
    system = event["System"]
    provider = system["Provider"]["#attributes"]
    code = system["EventID"]
    code = str(code["#text"] if isinstance(code, dict) else code)
    created = _attribute(system, "TimeCreated", "SystemTime") or "2024-05-01T10:00:00.000Z"
    winlog: Document = {
        "channel": system["Channel"],
        "computer_name": system["Computer"],
        "event_id": code,
        "provider_name": provider["Name"],
        "record_id": system["EventRecordID"],
    }
    if guid := provider.get("Guid"):
        winlog["provider_guid"] = f"{{{guid.strip('{}')}}}"
    if system.get("Version"):
        winlog["version"] = system["Version"]
    if (opcode := system.get("Opcode")) is not None and opcode < len(base().opcodes):
        winlog["opcode"] = base().opcodes[opcode]
    bits = int(system["Keywords"], 16)
    if keywords := [text for bit, text in base().keywords.items() if bits & bit]:
        winlog["keywords"] = keywords
    if pid := _attribute(system, "Execution", "ProcessID"):
        winlog["process"] = {"pid": pid, "thread": {"id": _attribute(system, "Execution", "ThreadID")}}
    if sid := _attribute(system, "Security", "UserID"):
        winlog["user"] = {"identifier": sid}
    if activity := _attribute(system, "Correlation", "ActivityID"):
        winlog["activity_id"] = f"{{{activity.strip('{}')}}}"
    if data := event.get("EventData"):
        winlog["event_data"] = _texts(data)
    if data := event.get("UserData"):
        name = next(iter(data))
        winlog["user_data"] = {"xml_name": name, **_texts(data[name])}
    return {
        "@timestamp": f"{created.removesuffix('Z')[: 20 + digits]}Z",
        "agent": {"type": "winlogbeat", "version": "9.1.2", "id": "6f1c"},
        "event": {"code": code, "kind": "event", "provider": provider["Name"]},
        "host": {"name": system["Computer"].partition(".")[0].lower(), "os": {"build": "19041"}},
        "log": {"level": base().levels[system["Level"]]},
        "message": "Rendered by the provider.",
        "winlog": winlog,
    }


def _attribute(system: Document, child: str, name: str) -> Any:  # noqa: ANN401 - JSON
    return ((system.get(child) or {}).get("#attributes") or {}).get(name)


def _texts(element: object) -> Document:
    return {name: text for name, raw in flatten(element).items() if (text := to_text(raw)) is not None}


def defend(second: int, category: str, action: str, process: Document, **more: Any) -> Document:  # noqa: ANN401 - JSON
    """Return an event as Elastic Defend writes it, at a second of one minute."""
    kind = {"start": "start", "end": "end"}.get(action, "info")
    return {
        "@timestamp": f"2024-05-01T10:00:{second:02d}.1234567Z",
        "agent": {"type": "endpoint", "id": "7a0b"},
        "data_stream": {"dataset": f"endpoint.events.{category}", "type": "logs"},
        "event": {
            "action": action,
            "category": [category],
            "id": f"N{second:03d}",
            "kind": "event",
            "module": "endpoint",
            "type": [kind],
        },
        "host": {"id": "0c6f", "ip": ["10.0.0.7", "fe80::1"], "name": "WS-09", "os": {"type": "windows"}},
        "process": process,
        **more,
    }


SERVICE = "C:\\Windows\\System32\\svchost.exe"


def defend_documents() -> list[Document]:
    """Return a hijack of the Update Orchestrator Service as Defend sees it, and what the program did."""
    args = [SERVICE, "-k", "netsvcs", "-p", "-s", "UsoSvc"]
    service = {"entity_id": "S", "pid": 700, "executable": SERVICE, "name": "svchost.exe", "args": args,
               "command_line": " ".join(args)}  # fmt: skip
    evil = {"entity_id": "E", "pid": 900, "executable": "C:\\Users\\x\\evil.exe", "name": "evil.exe"}
    started = {**evil, "command_line": 'evil.exe "a b"', "args": ["evil.exe", "a b"], "args_count": 2}
    signed = {"exists": True, "status": "trusted", "subject_name": "Microsoft Windows", "trusted": True}
    return [
        defend(1, "process", "start", {**service, "code_signature": signed, "parent": {"entity_id": "R", "pid": 4}}),
        defend(
            2,
            "process",
            "start",
            {
                **started,
                "parent": service,
                "code_signature": {"exists": False},
                "Ext": {
                    "relative_file_creation_time": 12.5,
                    "code_signature": [{"exists": False}],
                    "token": {"integrity_level_name": "system"},
                },
            },
        ),
        defend(3, "process", "start", {"entity_id": "C", "pid": 950, "executable": "C:\\x\\child.exe",
                                       "name": "child.exe", "parent": {"entity_id": "E", "pid": 900}}),
        defend(4, "network", "connection_attempted", evil, destination={"ip": "198.51.100.7", "port": 443}),
        defend(5, "process", "end", evil),
    ]  # fmt: skip
