"""Writes a result or the events of a query in one of the formats, all as bytes to a binary stream, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import BinaryIO

from evtxscan.errors import UsageError
from evtxscan.export import csv, json
from evtxscan.export.fields import Document
from evtxscan.export.result import Result

RESULT_FORMATS = ("table", "json", "ndjson", "csv", "html")
EVENT_FORMATS = ("table", "json", "ndjson", "csv")

# ruff: noqa: PLC0415  rich and jinja2 are slow to import, and most runs need neither


def render(result: Result, form: str, stream: BinaryIO) -> None:
    """Write the result of a detection. NDJSON and CSV hold its findings alone, the suppressed ones last.

    Raises UsageError for a format that is not in RESULT_FORMATS.
    """
    if form == "table":
        from evtxscan.export import table

        table.write_result(result, stream)
    elif form == "json":
        json.write_result(result, stream)
    elif form == "ndjson":
        json.write_lines(chain(result.findings, result.suppressed), stream)
    elif form == "csv":
        csv.write_findings(result, stream)
    elif form == "html":
        from evtxscan.export import html

        html.write_result(result, stream)
    else:
        raise UsageError(f"no such format: {form}; there are {', '.join(RESULT_FORMATS)}")


def render_events(documents: Iterable[Document], form: str, stream: BinaryIO) -> None:
    """Write events as they come. Raises UsageError for a format that is not in EVENT_FORMATS."""
    if form == "table":
        from evtxscan.export import table

        table.write_events(documents, stream)
    elif form == "json":
        json.write_array(documents, stream)
    elif form == "ndjson":
        json.write_lines(documents, stream)
    elif form == "csv":
        csv.write_events(documents, stream)
    else:
        raise UsageError(f"no such format for events: {form}; there are {', '.join(EVENT_FORMATS)}")
