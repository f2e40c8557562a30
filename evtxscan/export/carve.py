"""Writes what was carved: for people as a table, for programs as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, BinaryIO

from evtxscan.export import json
from evtxscan.export.ingest import stale_parts
from evtxscan.export.text import visible
from evtxscan.ingest.carving import CarvedCounts
from evtxscan.store.stale import StaleCounts


def render_carved(sources: list[CarvedCounts], records: StaleCounts, form: str, stream: BinaryIO) -> None:
    """Write what a case was given, as ``table`` or ``json``."""
    if form == "json":
        document = {"sources": [asdict(source) for source in sources], "records": records.document()}
        stream.write(json.dumps(document) + b"\n")
        return
    lines = [
        f"{'chunks':>9} {'records':>9} {'known':>9}  file",
        *(f"{of.chunks:>9,} {of.records:>9,} {of.known:>9,}  {visible(of.path)}" for of in sources),
    ]
    parts = stale_parts(records)
    lines.append(f"carved records in the case: {records.found:,}" + (f": {parts}" if parts else ""))
    stream.write("".join(f"{line}\n" for line in lines).encode())


def render_list(found: Iterable[dict[str, Any]], form: str, stream: BinaryIO) -> None:
    """List carved chunks and records, as ``table`` or ``json`` (one object a line)."""
    if form == "table":
        stream.write(f"{'offset':>16} {'bytes':>7} {'what':<7} {'records':>8}  written\n".encode())
    for entry in found:
        if form == "json":
            stream.write(json.dumps(entry) + b"\n")
            continue
        ids = f"record {entry['first_record_id']}"
        if entry["records"] > 1:
            ids += f" to {entry['last_record_id']}"
        times = f"{entry['first_written']} to {entry['last_written']}" if entry["records"] else ""
        line = f"{entry['offset']:>16,} {entry['size']:>7,} {entry['what']:<7} {entry['records']:>8,}  {times}  {ids}"
        stream.write(f"{line}  {visible(entry['path'])}\n".encode())
