"""Prints one event with everything the case knows around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from evtxscan.export import json
from evtxscan.export.fields import Document, flatten, get, plain, readable_time, texts
from evtxscan.export.places import where
from evtxscan.export.sessions import session_view
from evtxscan.export.table import console
from evtxscan.export.text import visible
from evtxscan.export.wording import count

_SESSION_ROWS = (
    ("logon id", "logon_id"),
    ("logon type", "logon_type"),
    ("account", "account"),
    ("SID", "sid"),
    ("source address", "address"),
    ("workstation", "workstation"),
    ("authentication", "package"),
    ("logon process", "process"),
    ("elevated", "elevated"),
    ("started", "start"),
    ("ended", "end"),
    ("how it ended", "end_reason"),
    ("logon record", "event_id"),
    ("not recorded", "absent"),
)

_SCRIPT = "powershell.file.script_block_text"
_STATES = {
    "complete": "the whole script",
    "incomplete": "the script is not complete",
    "conflicting": "a part is there with different texts, so nothing is put together",
    "too_large": "too many or too long, so nothing is put together",
}


def render_event(document: Document, form: str, stream: BinaryIO) -> None:
    """Write an event as ``table`` or ``json``."""
    if form == "json":
        stream.write(json.dumps(document) + b"\n")
        return
    with console(stream) as out:
        ours = document["evtxscan"]
        _print(out, f"Event {ours['event']['id']}", _places(ours))
        inferred = {entry["field"]: entry for entry in ours.get("inferred", [])}
        _print(out, "Document", _fields(document, inferred))
        _print_script(out, document)
        if ours.get("witnesses"):
            _print(out, "The same process start in another log", [[event] for event in ours["witnesses"]])
        if "parents" in ours:
            out.print(Text("Process", style="bold"))
            out.print(_tree(document))
            out.print()
        if "session" in ours:
            view = session_view(ours["session"])
            rows = [[label, visible(getattr(view, name))] for label, name in _SESSION_ROWS if getattr(view, name)]
            _print(out, "Logon session", rows)
        name, title = ("raw_json", "Line") if "raw_json" in ours else ("raw_xml", "Record as XML")
        out.print(Text(title, style="bold"))
        for line in plain(ours.get(name)).splitlines():
            out.print(Text(visible(line)), soft_wrap=True)


def _print(out: Console, title: str, rows: list[list[str]]) -> None:
    out.print(Text(title, style="bold"))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    out.print(table)
    out.print()


def _print_script(out: Console, document: Document) -> None:
    """Print a script line by line, the whole of it where the event is one part of several."""
    block = document["evtxscan"].get("script_block")
    if block:
        _print(out, "Script block", list(_block_rows(block)))
    own = [{"text": text} for text in texts(get(document, _SCRIPT))]
    for run in (block or {}).get("texts") or own:
        title = f"Script, parts {run['first']} to {run['last']}" if "first" in run else "Script"
        out.print(Text(title, style="bold"))
        for line in run["text"].split("\n"):
            out.print(Text(visible(line)), soft_wrap=True)
        out.print()


def _block_rows(block: Document) -> Iterator[list[str]]:
    yield ["id", visible(block["id"])]
    yield ["this record", f"part {block['number']:,} of {block['total']:,}"]
    yield ["in the evidence", f"{count(block['present'], 'part')}: {_STATES[block['state']]}"]
    if block["missing"]:
        yield ["missing parts", ", ".join(f"{first:,}" if first == last else f"{first:,} to {last:,}"
                                          for first, last in block["missing"])]  # fmt: skip
    for part in block["parts"]:
        yield [f"part {part['number']:,}", part["event"]]


def _places(ours: Document) -> list[list[str]]:
    rows: list[list[str]] = []
    for place in ours["provenance"]:
        note = ", damage repaired to read it" if place.get("mended") else ""
        rows.append(["found in", visible(place["source"]["path"])])
        rows.append(["", f"{where(place)}, {place['origin']}{note}"])
        rows.append(["", f"SHA-256 {place['source']['sha256']}"])
    return rows


def _fields(document: Document, inferred: dict[str, Any]) -> list[list[str]]:
    flat = flatten({name: value for name, value in document.items() if name != "evtxscan"})
    return [
        [visible(name), _cell(name, value), "inferred, not recorded" if name in inferred else ""]
        for name, value in flat
    ]


def _cell(name: str, value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    if name == _SCRIPT:
        return f"{count(sum(map(len, texts(value))), 'character')}, see below"
    return visible(plain(value))


def _tree(document: Document) -> Tree:
    """Draw the chain of parents from the top down, the process itself, and what it started."""
    ours = document["evtxscan"]
    chain = list(reversed(ours["parents"]))
    root = Tree(Text(f"({visible(ours.get('parents_end') or 'nothing more is known')})", style="dim"))
    branch = root
    for parent in chain:
        branch = branch.add(_process(parent, note=f"{parent['how']}, {parent['method']}"))
    itself = {
        "pid": get(document, "process.pid"),
        "executable": get(document, "process.executable"),
        "command_line": get(document, "process.command_line"),
        "start": document.get("@timestamp"),
    }
    branch = branch.add(_process(itself, style="bold"))
    for child, target in _children(ours.get("children", []), branch):
        target.add(_process(child))
    return root


def _children(children: list[Document], branch: Tree) -> Iterator[tuple[Document, Tree]]:
    for child in children:
        yield child, branch
        if child.get("children"):
            yield from _children(child["children"], branch.children[-1])


def _process(process: Document, *, note: str = "", style: str = "") -> Text:
    words = [
        readable_time(process.get("start")),
        f"pid {plain(process.get('pid'))}",
        plain(process.get("command_line") or process.get("executable")) or "(unknown program)",
        f"[{note}]" if note else "",
        plain(process.get("event")),
    ]
    return Text(visible("  ".join(word for word in words if word), 400), style=style, overflow="fold")
