"""NDJSON of event documents: how a file of it is known, what its lines are, and how it is cut into blocks.

A block is the unit of work, as a chunk is of an event log: the whole lines that begin in one stretch of 64 KiB of the
file. So any process can read any block, and needs nothing of what stands before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import orjson

BLOCK_SIZE: Final = 65536
MAX_LINE: Final = 8 << 20
"""A line that goes on for more bytes behind its block is not read. Event documents have kilobytes."""

UTF8_MARK: Final = b"\xef\xbb\xbf"
# What is looked at to know a file: some lines, all within the megabyte that containers can replay.
_LINES_TRIED = 16
_BYTES_TRIED = 1 << 20
# Elasticsearch's bulk format has such a line before each document (and after none but a deletion).
_COMMANDS = frozenset({"create", "index", "update", "delete"})
# What only documents of events have: log files of Elastic's own programs are ECS, too, and have none of it.
_SIGNS = ("event.category", "event.kind")
_OBJECTS = ("winlog", "endgame")
# Kibana and the search API give every field as a list where they give "fields" in place of "_source".
_LISTS = frozenset({"event.category", "event.type", "process.args", "process.parent.args", "tags"})


@dataclass(frozen=True, slots=True)
class Block:
    """The lines that begin in block ``number`` of a file: their bytes, and the offset of the first in the file.

    ``is_cut``: the last line is too long, and ``data`` has only its beginning.
    """

    number: int
    start: int
    data: bytes
    is_cut: bool = False

    @property
    def lines(self) -> int:
        """How many lines it has, blank ones included."""
        return self.data.count(b"\n") + (not self.data.endswith(b"\n"))


def count_blocks(size: int) -> int:
    """Return how many blocks a file of ``size`` bytes has."""
    return -(-size // BLOCK_SIZE)


def read_stretch(file: BinaryIO, first: int, count: int) -> bytes:
    """Read what :func:`cut_blocks` needs of a file for ``count`` blocks from ``first`` on. Raises OSError."""
    start = first * BLOCK_SIZE - bool(first)
    end = (first + count) * BLOCK_SIZE
    file.seek(start)
    parts = [file.read(end - start)]
    if len(parts[0]) < end - start or parts[0].endswith(b"\n"):
        return parts[0]
    left = MAX_LINE
    while left and (part := file.read(min(BLOCK_SIZE, left))):
        parts.append(part)
        left -= len(part)
        if b"\n" in part:
            break
    return b"".join(parts)


def cut_blocks(data: bytes, first: int, count: int) -> Iterator[Block]:
    """Cut what :func:`read_stretch` read into blocks; those in which no line begins are left out."""
    base = first * BLOCK_SIZE - bool(first)
    for number in range(first, first + count):
        begin, end = number * BLOCK_SIZE - base, (number + 1) * BLOCK_SIZE - base
        if begin >= len(data):
            return
        start = begin
        if number:  # a line begins behind a line end
            found = data.find(b"\n", begin - 1, end - 1)
            if found < 0 or found + 1 == len(data):
                continue
            start = found + 1
        stop = data.find(b"\n", end - 1, end + MAX_LINE) + 1
        if stop or len(data) < end + MAX_LINE:
            yield Block(number, base + start, data[start : stop or len(data)])
        else:
            yield Block(number, base + start, data[start:end], is_cut=True)


def source_of(value: object) -> dict[str, Any] | None:
    """Return the document of a line: the object itself, or what a search hit has in it; None for what is no object."""
    if not isinstance(value, dict):
        return None
    inner = value.get("_source")
    if isinstance(inner, dict) and ("_index" in value or "_id" in value):
        return inner
    fields = value.get("fields")
    if isinstance(fields, dict) and ("_index" in value or "_id" in value) and "@timestamp" in fields:
        return dict(_without_lists(fields))
    return value


def _without_lists(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, values in fields.items():
        is_one = isinstance(values, list) and len(values) == 1
        yield name, values[0] if is_one and name not in _LISTS else values


def is_command(value: object) -> bool:
    """Tell whether a line is one of the bulk format that says what to do with the next."""
    return isinstance(value, dict) and len(value) == 1 and not _COMMANDS.isdisjoint(value)


def is_event(document: Mapping[str, Any]) -> bool:
    """Tell whether an object is a document of an event: it has a time, and says that it is about one."""
    return _has(document, "@timestamp") and (
        any(_has(document, name) for name in _SIGNS)
        or any(isinstance(document.get(name), dict) for name in _OBJECTS)
        or any(key.startswith(("winlog.", "endgame.")) for key in document)
    )


def _has(document: Mapping[str, Any], name: str) -> bool:
    head, _, rest = name.partition(".")
    inner = document.get(head)
    return name in document or bool(rest and isinstance(inner, dict) and rest in inner)


def may_have_documents(head: bytes) -> bool:
    """Tell from its first bytes whether a file is to be looked at: text, with an object somewhere."""
    if head.removeprefix(UTF8_MARK).lstrip().startswith(b"{"):
        return True
    return b"\0" not in head and b"{" in head


def read_ahead(head: bytes, rest: BinaryIO) -> bytes:
    """Read on behind ``head`` until there are some lines, or too much for that. Raises OSError."""
    data = head
    while data.lstrip().count(b"\n") < _LINES_TRIED and len(data) < _BYTES_TRIED:
        part = rest.read(min(BLOCK_SIZE, _BYTES_TRIED - len(data)))
        if not part:
            break
        data += part
    return data[len(head) :]


def _first_lines(start: bytes) -> list[bytes]:
    return start.removeprefix(UTF8_MARK).lstrip().split(b"\n", _LINES_TRIED)[:_LINES_TRIED]


def has_documents(start: bytes) -> bool:
    """Tell whether a file that begins like this is NDJSON of event documents.

    One of its first lines has to be a document: the first of all may be cut.
    """
    return any(_is_document(line) for line in _first_lines(start))


def is_export(start: bytes) -> bool:
    """Tell whether what :func:`has_documents` is true of was written by evtxscan itself."""
    for line in _first_lines(start):
        document = _document(line)
        if document is not None and is_event(document):
            ours = document.get("evtxscan")
            return isinstance(ours, dict) and "provenance" in ours
    return False


def _is_document(line: bytes) -> bool:
    document = _document(line)
    return document is not None and is_event(document)


def _document(line: bytes) -> dict[str, Any] | None:
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        return source_of(orjson.loads(line))
    except orjson.JSONDecodeError:
        return None


def why_not(head: bytes) -> str | None:
    """Say of a file that may hold documents in another form what to do with it; None of any other."""
    if head.startswith((b"\xff\xfe{", b"\xfe\xff\0{")):
        return "JSON in UTF-16; convert it to UTF-8 (iconv -f utf-16 -t utf-8) and name the result"
    text = head.removeprefix(UTF8_MARK).lstrip()
    if b'"@timestamp"' not in text:
        return None
    if text.startswith(b"["):
        return "a JSON array, not one document a line; convert it (jq -c '.[]' FILE > FILE.ndjson) and name the result"
    if text.startswith(b"{") and b'"hits"' in text:
        return (
            "the answer to a search, not one document a line; convert it (jq -c '.hits.hits[]' FILE > FILE.ndjson)"
            " and name the result"
        )
    if text.startswith(b"{"):
        return "JSON that is not one document a line; convert it (jq -c . FILE > FILE.ndjson) and name the result"
    return None
