"""Chunks and records in bytes that are no log, at any place."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest

from evtxscan.evtx import carve as module
from evtxscan.evtx.binxml.to_json import to_json
from evtxscan.evtx.carve import Carved, carve, to_rebuild
from evtxscan.evtx.recover import Means, Rebuilder, Recovered
from evtxscan.evtx.walk import walk_chunk
from tests.evtx.rendering import rust
from tests.evtx.test_recover import first_chunk


def found_in(data: bytes) -> list[Carved]:
    read: list[bytes] = []
    found = list(carve(io.BytesIO(data), read.append))
    assert b"".join(read) == data
    return found


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - not for secrets


@pytest.mark.parametrize("block", [65536 + 7, 100_000, 16 << 20])
@pytest.mark.parametrize("offset", [0, 1, 65535, 99_990, 131_072, 200_001])
def test_a_chunk_is_found_wherever_it_lies(offset: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches one that lies across two blocks of reading, and one that is found twice."""
    monkeypatch.setattr(module, "_BLOCK", block)
    chunk = first_chunk()
    found = found_in(noise(offset, offset) + chunk + noise(70_000, 2))
    assert found == [Carved(offset, chunk)]


def test_single_records_are_found_and_rendered() -> None:
    """Catches records outside of chunks; the first has its template in it, the others have it from elsewhere."""
    chunk = first_chunk()
    spans = walk_chunk(chunk).spans
    texts = rust(chunk)
    assert texts
    pieces = [chunk[span.offset : span.offset + span.size] for span in spans]
    found = found_in(b"".join(noise(number % 13, number) + piece for number, piece in enumerate(pieces)))
    assert [one.data for one in found] == pieces
    first = rebuilt(pieces[0])
    assert isinstance(first, Recovered)
    assert to_json(first.root) == texts[0]
    assert first.means is Means.IN_PLACE


def rebuilt(data: bytes) -> object:
    whole, spans, _ = to_rebuild(data, "carved")
    return Rebuilder(whole, lambda _: []).rebuild(spans[0])


def test_a_chunk_ends_where_the_next_begins() -> None:
    """Catches pieces of memory: a page of one chunk, then another chunk."""
    chunk = first_chunk()
    found = found_in(chunk[:8192] + chunk)
    assert [(one.offset, len(one.data)) for one in found] == [(0, 8192), (8192, 65536)]
    _, spans, _ = to_rebuild(found[0].data, "carved")
    assert spans
    assert all(span.offset + span.size <= 8192 for span in spans)


def test_what_only_looks_like_it_is_left() -> None:
    """Catches noise that is carved: signatures alone, impossible sizes, sizes that do not agree."""
    record = first_chunk()[512:][: int.from_bytes(first_chunk()[516:520], "little")]
    fakes = [
        b"ElfChnk\0" + noise(600, 1),
        b"**\0\0" * 100,
        b"**\0\0\xff\xff\xff\xff" + noise(100, 2),
        record[:-1],
        record[:24] + b"\0" + record[25:],
        record[:-4] + b"\0\0\0\0",
    ]
    assert found_in(b"".join(fake + noise(50, 3) for fake in fakes)) == []


def test_memory_stays_small(tmp_path: Path) -> None:
    """Catches a search that keeps what it has read."""
    import tracemalloc

    path = tmp_path / "image"
    with path.open("wb") as file:
        file.seek(200 << 20)
        file.write(first_chunk())
    tracemalloc.start()
    with path.open("rb") as file:
        assert [one.offset for one in carve(file)] == [200 << 20]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
