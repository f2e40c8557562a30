"""Writes findings and events as CSV that is safe to open in a spreadsheet.

Columns are those of schema/export/csv-columns.toml. The file is RFC 4180 (commas, CRLF, every cell in quotes) in UTF-8
with a byte order mark, without which Excel takes it for a local code page; Python reads it as ``utf-8-sig``.

A cell is changed in these ways only, and ``read_cell`` undoes them:

1. Hidden characters, line ends among them, are written out as evtxscan.export.text says: one finding, one line.
2. A cell that a spreadsheet would take for a formula (``=``, ``+``, ``-``, ``@`` or their full-width forms, after any
   blanks and quotes), or that begins with ``'``, gets a ``'`` in front.
3. A ``;`` before such a character is written ``\\x3b``: where lists are separated by semicolons, Excel starts a new
   cell there.
4. A cell of more than 32,767 characters, the most Excel takes, is cut and says so; the text beyond would run over into
   cells of its own. This alone cannot be undone: the JSON export holds the whole text.
"""

from __future__ import annotations

import csv as standard
import io
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import BinaryIO, Literal

from evtxscan import schema
from evtxscan.export.fields import Document, Value, get, texts
from evtxscan.export.result import Result, events_of, first_event, is_sequence
from evtxscan.export.text import restore, visible
from evtxscan.export.wording import lacks_in_words

MAX_CELL = 32_767  # Microsoft, "Excel specifications and limits": characters a cell can contain
SEPARATOR = " | "

_FORMULA = r"[\s\"']*[=+\-@\uff1d\uff0b\uff0d\uff20]"
_STARTS_FORMULA = re.compile(rf"'|{_FORMULA}")
_SPLITS_FORMULA = re.compile(rf";(?={_FORMULA})")
_BROKEN_ESCAPE = re.compile(r"\\[xuU]?[0-9a-f]{0,8}\Z")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, the field it shows, how, and what it means."""

    name: str
    field: str
    description: str
    form: Literal["text", "yes_no", "window"] = "text"


@cache
def columns(kind: Literal["finding", "event"]) -> tuple[Column, ...]:
    """Return the columns for findings or for events, in order."""
    tables = tomllib.loads(schema.read_text("export/csv-columns.toml"))
    return tuple(
        Column(entry["name"], entry["field"], entry["description"], entry.get("as", "text")) for entry in tables[kind]
    )


def write_findings(result: Result, stream: BinaryIO) -> None:
    """Write one line a finding, as they come, the suppressed ones last; a sequence shows its first event."""
    _write(columns("finding"), map(first_event, chain(result.findings, result.suppressed)), stream)


def write_events(documents: Iterable[Document], stream: BinaryIO) -> None:
    """Write one line an event, as they come; the events of a sequence bear its number, from 1."""
    _write(columns("event"), _numbered(documents), stream)


def write_cell(text: str) -> str:
    """Return ``text`` as it may stand in a cell."""
    cell = _SPLITS_FORMULA.sub(r"\\x3b", visible(text))
    if _STARTS_FORMULA.match(cell):
        cell = f"'{cell}"
    if len(cell) <= MAX_CELL:
        return cell
    notice = f" …[cut: {len(text):,} characters in all]"
    return _BROKEN_ESCAPE.sub("", cell[: MAX_CELL - len(notice)]) + notice


def read_cell(cell: str) -> str:
    """Return the text that ``write_cell`` made this cell of, unless it was cut."""
    return restore(cell.removeprefix("'"))


def _numbered(documents: Iterable[Document]) -> Iterator[Document]:
    sequences = 0
    for document in documents:
        if not is_sequence(document):
            yield document
            continue
        sequences += 1
        said = {"sequence": sequences, "join_keys": document["evtxscan"]["join_keys"]}
        for place, event in enumerate((event or {} for event in events_of(document)), 1):
            yield {**event, "evtxscan": {**event.get("evtxscan", {}), **said, "place": place}}


def _write(shown: tuple[Column, ...], documents: Iterable[Document], stream: BinaryIO) -> None:
    line = io.StringIO(newline="")
    writer = standard.writer(line, quoting=standard.QUOTE_ALL, lineterminator="\r\n")

    def put(cells: Iterable[str]) -> None:
        writer.writerow(cells)
        stream.write(line.getvalue().encode())
        line.seek(0)
        line.truncate()

    stream.write("\ufeff".encode())
    put(column.name for column in shown)
    for document in documents:
        put(_cell(column, get(document, column.field)) for column in shown)


def _cell(column: Column, value: Value) -> str:
    if column.form == "yes_no":
        return "yes" if value else "no"
    if column.form == "window":
        return write_cell(SEPARATOR.join(lacks_in_words(value)) if value else "")
    return write_cell(SEPARATOR.join(texts(value)))
