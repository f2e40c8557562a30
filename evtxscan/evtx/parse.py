"""Renders records in bulk with the Rust-backed ``evtx`` parser: many chunks behind one made-up file header.

The parser is never asked for a count. What it returns is compared with the walk, and a chunk where the two differ
goes to :mod:`evtxscan.evtx.mend`.

It is not shown the tables of names and templates in a chunk's header. They lead to linked lists, and where damage has
made a circle of one, the parser follows it for ever. All it does with them is read ahead: records name the offset of
each name and template, and are rendered the same and as fast without.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from evtx import PyEvtxParser

from evtxscan.evidence.evtx_layout import CHUNK_HEADER_SIZE, CHUNK_SIZE, FILE_HEADER_SIZE, FILE_MAGIC

# Where a chunk's header has the tables of names and templates (MS-EVEN6 2.2.2): to its end.
_TABLES = 128
_NO_TABLES = bytes(CHUNK_HEADER_SIZE - _TABLES)


@dataclass(frozen=True, slots=True)
class RenderError:
    """What the parser said where it could not go on."""

    message: str


def file_header(chunks: int) -> bytes:
    """Make the 4 KiB file header of a log with ``chunks`` chunks (MS-EVEN6 2.2.1)."""
    head = bytearray(FILE_HEADER_SIZE)
    struct.pack_into("<8sQQQIHHHH", head, 0, FILE_MAGIC, 0, max(chunks - 1, 0), 1, 128, 1, 3, 4096, chunks & 0xFFFF)
    struct.pack_into("<I", head, 124, zlib.crc32(head[:120]))
    return bytes(head)


def render_batch(chunks: list[bytes]) -> list[dict[str, Any]] | None:
    """Render all records of ``chunks`` at once, or return None as soon as one of them does not parse.

    Each record is a dict with ``event_record_id`` and ``data`` (JSON text), as the parser returns it.
    """
    try:
        return list(cast(Iterator[dict[str, Any]], _open(chunks).records_json()))
    except (RuntimeError, ValueError, OSError):
        return None


def render_json(chunks: list[bytes]) -> Iterator[tuple[int, str] | RenderError]:
    """Yield ``(record id, JSON text)`` for each record of ``chunks`` in order, and an error where one does not parse.

    Each chunk has to be 64 KiB long. The parser goes on behind an error with the next record or chunk it can read.
    """
    return _records(lambda: cast(Iterator[Any], _open(chunks).records_json()))


def render_xml(chunks: list[bytes]) -> Iterator[tuple[int, str] | RenderError]:
    """Like :func:`render_json`, with the record as XML text."""
    return _records(lambda: cast(Iterator[Any], _open(chunks).records()))


def _open(chunks: list[bytes]) -> PyEvtxParser:
    if any(len(chunk) != CHUNK_SIZE for chunk in chunks):
        raise ValueError("a chunk has to be padded to 64 KiB before it is parsed")
    log = bytearray(file_header(len(chunks)) + b"".join(chunks))
    for start in range(FILE_HEADER_SIZE, len(log), CHUNK_SIZE):
        log[start + _TABLES : start + CHUNK_HEADER_SIZE] = _NO_TABLES
    return PyEvtxParser(io.BytesIO(log))


def _records(start: Callable[[], Iterator[Any]]) -> Iterator[tuple[int, str] | RenderError]:
    try:
        iterator = start()
    except (RuntimeError, OSError) as error:
        yield RenderError(str(error))
        return
    while True:
        try:
            record = next(iterator)
        except StopIteration:
            return
        except (RuntimeError, ValueError, OSError) as error:
            yield RenderError(str(error))
        else:
            yield record["event_record_id"], record["data"]
