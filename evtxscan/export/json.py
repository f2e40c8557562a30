"""Writes results as JSON and NDJSON, byte for byte the same for the same result.

Keys are sorted; one document stands on one line in both, so that two results compare with ``diff``.
"""

from __future__ import annotations

import json as standard
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import orjson

from evtxscan.export.fields import Document
from evtxscan.export.result import Result
from evtxscan.export.tally import Counts, counted, tally


def dumps(document: object) -> bytes:
    """Return a document as one line of JSON with sorted keys, without the line end."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # Lone surrogates and integers above 64 bits are valid in JSON (the former as \ud800), but not for orjson.
        return standard.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def write_lines(documents: Iterable[Document], stream: BinaryIO) -> None:
    """Write NDJSON: one document a line, as they come."""
    for document in documents:
        stream.write(dumps(document) + b"\n")


def write_array(documents: Iterable[Document], stream: BinaryIO) -> None:
    """Write one JSON array with a document a line, as they come."""
    write_entries(documents, stream)
    stream.write(b"\n")


def write_result(result: Result, stream: BinaryIO) -> None:
    """Write the whole result as one JSON object (schema/export/detect.schema.json)."""
    counts = Counts()
    stream.write(b'{\n"findings": ')
    write_entries(counted(result.findings, counts), stream)
    for name, documents in _lists(result):
        stream.write(f',\n"{name}": '.encode())
        write_entries(documents, stream)
    stream.write(b',\n"summary": ' + dumps(tally(result, counts).document()))
    stream.write(b',\n"scope": ' + dumps(result.scope.document()))
    stream.write(b',\n"versions": ' + dumps(result.versions) + b"\n}\n")


def _lists(result: Result) -> Iterator[tuple[str, Iterable[Document]]]:
    yield "suppressed", result.suppressed
    yield "suppressions", result.suppressions
    yield "verdicts", (verdict.document() for verdict in result.verdicts)
    yield "rules", result.rules
    yield "refused", (refused.document() for refused in result.refused)
    yield "warnings", (warning.document() for warning in result.warnings)
    yield "sources", result.sources


def write_entries(documents: Iterable[Document], stream: BinaryIO) -> None:
    """Write a JSON array with a document a line, as they come, without a line end after it."""
    separator = b"[\n"
    for document in documents:
        stream.write(separator + dumps(document))
        separator = b",\n"
    stream.write(b"[]" if separator == b"[\n" else b"\n]")
