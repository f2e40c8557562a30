"""Lists stale records: for people as a table, for programs as one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

from evtxscan.export import json
from evtxscan.export.text import visible

_STRINGS_SHOWN = 200


def render_stale(records: Iterable[dict[str, Any]], form: str, stream: BinaryIO, *, verbose: bool = False) -> None:
    """Write stale records as ``table`` or ``ndjson``; ``verbose`` shows all of a record's strings."""
    for record in records:
        if form == "ndjson":
            stream.write(json.dumps(record) + b"\n")
            continue
        for line in _lines(record, None if verbose else _STRINGS_SHOWN):
            stream.write(line.encode() + b"\n")


def _lines(record: dict[str, Any], limit: int | None) -> list[str]:
    place = f"chunk {record['chunk']}, offset {record['offset']}, {record['size']} bytes"
    what = record["state"] + (f" ({record['template'].replace('_', ' ')})" if record["template"] else "")
    lines = [
        f"{record['written'] or '-':<28} record {record['record_id']}  {what}",
        f"    {visible(record['source']['path'])}, {place}, {record['origin']}",
    ]
    if record["reason"]:
        lines.append(f"    {record['reason'].replace('_', ' ')}: {visible(record['detail'])}")
    if record["record"]:
        lines.append(f"    {visible(_system(record['record']))}")
    if record["strings"]:
        text = " | ".join(record["strings"])
        lines.append(f"    {visible(text if limit is None else text[:limit])}")
    return lines


def _system(event: dict[str, Any]) -> str:
    """Return the first things to know of a record whose System could be read."""
    system = event.get("System") or {}
    provider = (system.get("Provider") or {}).get("#attributes", {}).get("Name")
    created = (system.get("TimeCreated") or {}).get("#attributes", {}).get("SystemTime")
    code = system.get("EventID")
    code = code.get("#text") if isinstance(code, dict) else code
    words = [f"{provider} {code}", system.get("Channel"), system.get("Computer"), created]
    return ", ".join(str(word) for word in words if word)
