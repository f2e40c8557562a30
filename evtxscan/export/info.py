"""Prints the description of a case for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from rich.table import Table
from rich.text import Text

from evtxscan.export import json
from evtxscan.export.fields import plain, readable_time
from evtxscan.export.table import console
from evtxscan.export.text import visible

_LABELS = {"case_number": "case number", "examiner": "examiner", "notes": "notes"}
_EVENTS_SHOWN = 30


def render_info(description: dict[str, Any], form: str, stream: BinaryIO, *, verbose: bool = False) -> None:
    """Write the description as ``table`` or ``json``; ``verbose`` shows lists in full."""
    if form == "json":
        stream.write(json.dumps(description) + b"\n")
        return
    with console(stream) as out:
        for title, rows in _sections(description, verbose=verbose):
            out.print(Text(title, style="bold"))
            table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
            for row in rows:
                table.add_row(*(Text(cell, overflow="fold") for cell in row))
            out.print(table)
            out.print()


def _sections(description: dict[str, Any], *, verbose: bool) -> Iterator[tuple[str, list[list[str]]]]:
    label = [[_LABELS.get(key, key), visible(value)] for key, value in sorted(description["label"].items())]
    if label:
        yield "Case", label
    yield "Sources", [line for source in description["sources"] for line in _source(source)]
    if description["containers"]:
        yield "Archives and images", [line for entry in description["containers"] for line in _container(entry)]
    losses = [
        [f"{loss['records']:,}", loss["reason"].replace("_", " "), visible(loss["source"]), f"chunks {loss['chunks']}"]
        for loss in description["losses"]
    ]
    yield "Records lost", losses or [["none"]]
    if description["slack"]["found"]:
        yield "Stale records (slack), in no other count", _stale(description["slack"])
    if description["carved"]["found"]:
        yield "Carved records, in no other count", _stale(description["carved"])
    if description["skipped"]:
        shown = description["skipped"] if verbose else description["skipped"][:5]
        rows = [[visible(entry["path"]), visible(entry["reason"])] for entry in shown]
        yield "Files skipped", rows + _more(len(description["skipped"]) - len(shown))
    yield (
        "Hosts",
        [
            [visible(host["host"] or "(none named)"), f"{host['events']:,} events", _range(host)]
            for host in description["hosts"]
        ],
    )
    counts = sorted(description["events"], key=lambda entry: -entry["events"])
    shown = description["events"] if verbose else counts[:_EVENTS_SHOWN]
    rows = [
        [
            f"{entry['events']:,}",
            visible(entry["channel"] or "-"),
            visible(entry["provider"] or "-"),
            visible(plain(entry["code"])),
        ]
        for entry in shown
    ]
    yield "Events by channel, provider and event id", rows + _more(len(counts) - len(shown))
    if description["scripts"]:
        yield "PowerShell scripts of several records", [_scripts(entry) for entry in description["scripts"]]
    if description["findings"]:
        yield "Rules that ran", [_rule(entry) for entry in description["findings"]]
    runs = description["runs"] if verbose else description["runs"][-10:]
    yield "Commands", [_run(run) for run in runs]


def _source(source: dict[str, Any]) -> Iterator[list[str]]:
    counts = f"{source['found']:,} found, {source['lost']:,} lost"
    state = "" if source["state"] == "complete" else f" [{source['state']}]"
    yield [visible(source["path"]) + state, f"{source['size']:,} bytes", counts]
    yield [
        f"  SHA-256 {source['sha256']}",
        f"modified {readable_time(source['modified'])}",
        visible(plain(source["exhibit"])),
    ]
    if source["error"]:
        yield [f"  {visible(source['error'])}"]


def _container(container: dict[str, Any]) -> Iterator[list[str]]:
    yield [visible(container["path"]), f"{container['size']:,} bytes", container["kind"]]
    yield [f"  SHA-256 {container['sha256'] or 'not made (ingest --hash-images)'}", *_modified(container)]
    if container["error"]:
        yield [f"  {visible(container['error'])}"]


def _modified(entry: dict[str, Any]) -> list[str]:
    return [f"modified {readable_time(entry['modified'])}"] if entry["modified"] else []


def _stale(counts: dict[str, Any]) -> list[list[str]]:
    rows = [
        [f"{counts['events']:,}", "events of their own"],
        [f"{counts['copies']:,}", "copies of live records, or of each other"],
        [f"{counts['unnamed']:,}", "rendered without the names of their data, whose template is gone"],
        *([f"{count:,}", f"refused: {reason.replace('_', ' ')}"] for reason, count in counts["reasons"].items()),
        [f"{counts['filtered']:,}", "left out by ingest --only"],
        [f"{counts['unread']:,}", "left alone by ingest --no-slack"],
    ]
    return [row for row in rows if row[0] != "0"]


def _range(host: dict[str, Any]) -> str:
    return f"{readable_time(host['first'])} to {readable_time(host['last'])}" if host["first"] else ""


def _scripts(entry: dict[str, Any]) -> list[str]:
    missing = f"{entry['missing']:,} parts missing" if entry["missing"] else ""
    return [f"{entry['blocks']:,}", entry["state"].replace("_", " "), missing]


def _rule(entry: dict[str, Any]) -> list[str]:
    undetermined = entry["undetermined_hosts"]
    return [
        visible(entry["name"]),
        entry["severity"],
        f"{entry['findings']:,} findings",
        f"undetermined on {undetermined:,} hosts" if undetermined else "",
    ]


def _run(run: dict[str, Any]) -> list[str]:
    code = "did not end" if run["exit_code"] is None else f"exit code {run['exit_code']}"
    words = " ".join(visible(word) for word in run["arguments"])
    return [run["started"], f"evtxscan {words}", code, f"version {run['versions'].get('evtxscan', '?')}"]


def _more(count: int) -> list[list[str]]:
    return [[f"and {count:,} more (-v lists them)"]] if count > 0 else []
