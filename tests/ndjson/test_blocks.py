"""Blocks hold every line of a file once, whoever cuts them: a worker at its place, a stream, or one after a crash."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evtxscan.evidence import ndjson
from evtxscan.evidence.ndjson import Block, count_blocks, cut_blocks, read_stretch
from evtxscan.evidence.source import Source
from evtxscan.ingest import documents, plan

_BLOCK, _MOST, _AT_ONCE = 16, 24, 3


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few bytes, so that a few bytes have many."""
    for module in (ndjson, documents, plan):
        for name, value in (("BLOCK_SIZE", _BLOCK), ("MAX_LINE", _MOST), ("CHUNKS_PER_BATCH", _AT_ONCE)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(plan, "CHUNK_SIZE", _BLOCK)


def whole(data: bytes) -> list[Block]:
    """Cut a file at once."""
    count = count_blocks(len(data))
    return list(cut_blocks(read_stretch(io.BytesIO(data), 0, count), 0, count))


def apart(data: bytes) -> list[Block]:
    """Cut it block by block."""
    file = io.BytesIO(data)
    numbers = range(count_blocks(len(data)))
    return [block for number in numbers for block in cut_blocks(read_stretch(file, number, 1), number, 1)]


class _Opener:
    """A member of a container, as far as a stream needs one."""

    is_direct, is_sequential, place = False, True, "member"

    def __init__(self, data: bytes) -> None:
        self.data = data

    def stream(self) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self.data))  # type: ignore[arg-type]


def streamed(data: bytes) -> list[documents.DocumentTask]:
    """Return the tasks of a member of a container."""
    source = Source("m", "a", _Opener(data), len(data), "", form="ndjson")  # type: ignore[arg-type]
    with ThreadPoolExecutor(1) as reader:
        planned = list(plan.plan([source], None, reader))
    assert [entry.is_first for entry in planned] == [True, *[False] * (len(planned) - 1)]
    assert [entry.is_last for entry in planned] == [*[False] * (len(planned) - 1), True]
    assert planned[-1].problem is None
    return [entry.task for entry in planned]  # type: ignore[misc]


_LINES = st.lists(st.integers(0, 70).map(lambda size: b"x" * size), max_size=30)


@settings(max_examples=300)
@given(_LINES, st.booleans())
def test_every_line_is_in_one_block(lines: list[bytes], ends: bool) -> None:
    """Catches a line that is lost or read twice where two blocks meet, and one whose offset is wrong."""
    data = b"\n".join(lines) + (b"\n" if ends else b"")
    blocks = whole(data)
    assert blocks == apart(data)
    tasks = streamed(data) if data else []
    assert [block for task in tasks for block in task.blocks()] == blocks
    assert [
        block for task in tasks for n in range(task.first, task.first + task.count) for block in task.alone(n).blocks()
    ] == blocks
    end = 0
    for block in blocks:
        assert block.number * _BLOCK <= block.start < (block.number + 1) * _BLOCK
        assert data[block.start : block.start + len(block.data)] == block.data
        assert block.start == end if not any(b.is_cut for b in blocks) else block.start >= end
        end = block.start + len(block.data)
    if not any(block.is_cut for block in blocks):
        assert b"".join(block.data for block in blocks) == data
    assert sum(block.lines for block in blocks) == len(data.splitlines())


def test_a_line_that_is_too_long_is_cut_and_the_next_is_read() -> None:
    """Catches a reader whose memory grows with a line."""
    data = b"a\n" + b"b" * 60 + b"\nc\n"
    assert [(block.data, block.is_cut) for block in whole(data)] == [(b"a\n" + b"b" * 14, True), (b"c\n", False)]
