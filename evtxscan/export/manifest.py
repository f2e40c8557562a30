"""Writes manifests, and how two of them compare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from evtxscan.export.fields import readable_time
from evtxscan.export.text import visible
from evtxscan.export.wording import count

FORMATS = ("table", "json")
_PARTS = {
    "evidence": "hashes and names of all sources",
    "containers": "hashes and names of the archives and images around them",
    "rules": "hashes and ids of all rules that ran",
    "mapping": "tables that make ECS events of records",
    "program": "evtxscan's code and data",
    "findings": "what detect --format ndjson gives for these rules",
    "verdicts": "one line for each rule and host",
    "result": "findings and verdicts",
}


def render_manifest(manifest: dict[str, Any], form: str, stream: BinaryIO) -> None:
    """Write a manifest as ``table`` (text for people) or ``json``."""
    if form == "json":
        stream.write(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n")
        return
    for line in _lines(manifest):
        stream.write(line.encode() + b"\n")


def render_comparison(parts: list[tuple[str, bool, bool]], stream: BinaryIO) -> None:
    """Write which parts of two manifests are the same."""
    for part, is_same, is_essential in parts:
        state = "same" if is_same else "DIFFERS" if is_essential else "differs"
        stream.write(f"{state:<8} {part:<10} {_PARTS[part]}\n".encode())
    same = all(is_same for _, is_same, is_essential in parts if is_essential)
    told = "The same evidence gave the same result." if same else "This is not the same result of the same evidence."
    stream.write(f"{told}\n".encode())


def _lines(manifest: dict[str, Any]) -> Iterator[str]:
    versions, counts = manifest["versions"], manifest["counts"]
    yield f"Manifest of a result of evtxscan {versions['evtxscan']}, made {readable_time(manifest['made'])}"
    for key, value in sorted(manifest["label"].items()):
        yield f"  {key.replace('_', ' ')}: {visible(value)}"
    yield ""
    yield "Hashes (SHA-256)"
    for part, meaning in _PARTS.items():
        yield f"  {part:<10} {manifest['hashes'][part]}  {meaning}"
    yield f"  {count(counts['findings'], 'finding')}, {count(counts['verdicts'], 'verdict')}"
    yield ""
    yield "Sources"
    for source in manifest["sources"]:
        yield f"  {source['sha256']}  {visible(source['path'])}"
        yield f"    {source['size']:,} bytes, {source['found']:,} records found, {source['lost']:,} lost"
        if source["error"]:
            yield f"    {visible(source['error'])}"
    if manifest["containers"]:
        yield ""
        yield "Archives and images that they came out of"
        for container in manifest["containers"]:
            digest = container["sha256"] or f"{'not hashed':<64}"
            yield f"  {digest}  {visible(container['path'])}"
            yield f"    {container['size']:,} bytes, {container['kind']}"
            if container["error"]:
                yield f"    {visible(container['error'])}"
    yield ""
    yield "Rules"
    for rule in manifest["rules"]:
        yield f"  {rule['sha256']}  {visible(rule['id'])}  {visible(rule['name'])}"
    if not manifest["rules"]:
        yield "  none ran"
    yield ""
    yield "Versions"
    yield f"  {', '.join(f'{name} {version}' for name, version in sorted(versions.items()))}"
    yield ""
    yield "Commands"
    for run in manifest["runs"]:
        words = " ".join(visible(word) for word in run["arguments"])
        ended = "did not end" if run["exit_code"] is None else f"exit code {run['exit_code']}"
        version = run["versions"]["evtxscan"]
        yield f"  {run['started']}  evtxscan {words or run['command']}  ({ended}, version {version})"
