"""A parser that dies or never ends costs a chunk; a worker that somebody kills costs nothing."""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import pytest

from tests.evtxmaker import damage
from tests.integration import content, eager, logs, perilous
from tests.integration.command import evtxscan
from tests.integration.started import Started, Whole, different

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither these signals nor a limit of processor time")
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")

_CHUNKS = 40  # more than one batch
_PER_CHUNK = 5
_BAD = 7


def circle(log: Path, number: int) -> None:
    """Lead the names of a chunk in a circle, with right checksums."""
    data = bytearray(log.read_bytes())
    start = damage.chunk_offset(number)
    heads = [head for head in struct.unpack_from("<64I", data, start + 128) if head]
    for head, other in zip(heads, heads[1:] + heads[:1], strict=True):
        struct.pack_into("<I", data, start + head, other)
    (free,) = struct.unpack_from("<I", data, start + 48)
    struct.pack_into("<I", data, start + 52, zlib.crc32(data[start + 512 : start + free]))
    head = data[start : start + 512]
    struct.pack_into("<I", data, start + 124, zlib.crc32(head[128:], zlib.crc32(head[:120])))
    log.write_bytes(data)


def write(path: Path, text: str = "") -> Path:
    """Write a log of many chunks; ``text`` is in one of them."""
    bad = _BAD * _PER_CHUNK + 2
    events = list(logs.mixed(_CHUNKS * _PER_CHUNK))
    if text:
        events[bad] = logs.process_start(bad, CommandLine=text)
    logs.write(path, events, per_chunk=_PER_CHUNK)
    return path


def test_names_in_a_circle_cost_nothing(tmp_path: Path) -> None:
    """Catches the bulk parser's endless loop over names that lead to each other. Found by fuzzing."""
    log = write(tmp_path / "log.evtx")
    circle(log, _BAD)
    done = evtxscan("ingest", log, "--case", tmp_path / "case.db", "--format", "json")
    assert done.json["totals"]["stored"] == _CHUNKS * _PER_CHUNK


@posix
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("hangs", "did not end within 2 s of processor time"),
        (perilous.CRASHES_ON, f"died on this chunk (exit code {-signal.SIGSEGV})"),
        (perilous.PANICS_ON, "BufferError: panicked"),
    ],
)
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_fault_of_the_parser_costs_one_chunk(tmp_path: Path, kind: str, says: str, jobs: int) -> None:
    """Catches a run that ends with the parser, or waits for it for ever, and a neighbour that is lost with it."""
    log = write(tmp_path / "log.evtx", "" if kind == "hangs" else kind)
    if kind == "hangs":
        circle(log, _BAD)
    case = tmp_path / "case.db"
    words: list[str | Path] = ["ingest", log, "--case", case, "--jobs", str(jobs), "--format", "json"]
    (source,) = evtxscan(*words, code=3, program=[perilous.__file__]).json["sources"]
    assert source["stored"] == (_CHUNKS - 1) * _PER_CHUNK
    assert Counter((loss["chunk"], loss["reason"]) for loss in source["losses"]) == {
        (_BAD, "parser_crashed"): _PER_CHUNK
    }
    assert {says in loss["detail"] for loss in source["losses"]} == {True}
    assert content.faults(case) == []


@on_linux
@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3])
def test_a_worker_that_is_killed_costs_nothing(sparse: Path, whole: Whole, tmp_path: Path, moment: float) -> None:
    """Catches records that are lost, or stored twice, with the worker that had them."""
    case = tmp_path / "case.db"
    started = Started("ingest", sparse, "--case", case, "--jobs", "2", program=[eager.__file__])
    started.until(case.exists)
    started.until(lambda: len(started.others()) >= 2)
    time.sleep(moment)
    for victim in started.others()[:1]:
        os.kill(victim, signal.SIGKILL)
    assert started.end() == 0
    assert content.faults(case) == []
    assert different(case, whole) == []
