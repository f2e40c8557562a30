"""Renders records in bulk with the Rust-backed ``evtx`` parser: many chunks behind one made-up file header.

The parser is never asked for a count. What it returns is compared with the walk, and a chunk where the two differ
goes to :mod:`evtxscan.evtx.mend`.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from evtx import PyEvtxParser

from evtxscan.evtx.walk import CHUNK_SIZE, FILE_HEADER_SIZE, FILE_MAGIC


@dataclass(frozen=True, slots=True)
class Rendered:
    """One record as JSON text in the Rust parser's shape, with the id and written time of its record header."""

    record_id: int
    json: str


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


def render_json(chunks: list[bytes]) -> Iterator[tuple[int, str] | RenderError]:
    """Yield ``(record id, JSON text)`` for each record of ``chunks`` in order, and an error where one does not parse.

    Each chunk has to be 64 KiB long. The parser goes on behind an error with the next record or chunk it can read.
    """
    for record in _records(chunks, "json"):
        yield record if isinstance(record, RenderError) else (record["event_record_id"], record["data"])


def render_xml(chunks: list[bytes]) -> Iterator[tuple[int, str] | RenderError]:
    """Like :func:`render_json`, with the record as XML text."""
    for record in _records(chunks, "xml"):
        yield record if isinstance(record, RenderError) else (record["event_record_id"], record["data"])


def _records(chunks: list[bytes], form: str) -> Iterator[dict[str, str] | RenderError]:
    if any(len(chunk) != CHUNK_SIZE for chunk in chunks):
        raise ValueError("a chunk has to be padded to 64 KiB before it is parsed")
    try:
        parser = PyEvtxParser(io.BytesIO(file_header(len(chunks)) + b"".join(chunks)))
        iterator = parser.records_json() if form == "json" else parser.records()
    except (RuntimeError, ValueError, OSError) as error:
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
            yield record
