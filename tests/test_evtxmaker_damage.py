"""Each kind of damage is where it was asked for, and the parsers lose by it what they are known to lose."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import evtx
import pytest

from tests.evtxmaker import Event, filetime, template, write_log
from tests.evtxmaker.damage import (
    break_record_body,
    break_record_magic,
    break_record_size,
    chunk_offset,
    cut,
    cut_mid_chunk,
    find_record,
    flip_bytes,
    leave_in_slack,
    overwrite_chunk_magic,
    record_places,
    zero_file_header,
)
from tests.evtxmaker.readings import read_python_evtx, read_rust_json

pytestmark = pytest.mark.filterwarnings("ignore:Skipping EVTX data")
PER_CHUNK, CHUNKS = 10, 3
FIRST = 501


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three chunks of ten records, ids 501 to 530."""
    path = tmp_path / "log.evtx"
    shape = template("sysmon", 5)
    start = filetime("2020-05-18T07:02:11Z")
    events = (Event(shape, start + number, "H", shape.row(ProcessId=number)) for number in range(PER_CHUNK * CHUNKS))
    write_log(path, events, records_per_chunk=PER_CHUNK, first_record_id=FIRST)
    return path


def ids_read(path: Path) -> list[int]:
    """Read with the Rust parser, errors skipped."""
    records: list[Any] = list(evtx.PyEvtxParser(str(path), skip_errors=True).records_json())
    return [record["event_record_id"] for record in records]


def chunk_ids(*chunks: int) -> list[int]:
    return [FIRST + chunk * PER_CHUNK + place for chunk in chunks for place in range(PER_CHUNK)]


def test_places_are_those_of_the_records(log: Path) -> None:
    places = list(record_places(log))
    assert [place.record_id for place in places] == chunk_ids(0, 1, 2)
    assert [place.chunk for place in places] == [0] * 10 + [1] * 10 + [2] * 10
    data = log.read_bytes()
    for place in places:
        assert data[place.offset : place.offset + 4] == b"**\0\0"
        assert struct.unpack_from("<I", data, place.offset + place.size - 4) == (place.size,)
    with pytest.raises(LookupError, match="999"):
        find_record(log, 999)


def test_cut_mid_chunk_leaves_the_records_that_it_says(log: Path) -> None:
    kept = cut_mid_chunk(log, 1)
    assert kept == chunk_ids(1)[:5]
    assert ids_read(log) == chunk_ids(0)
    data = log.read_bytes()
    assert len(data) < chunk_offset(2)
    last = data.rfind(b"**\0\0")
    assert struct.unpack_from("<Q", data, last + 8) == (kept[-1] + 1,)  # its header is there, its values are not


def test_cut_keeps_what_is_in_front(log: Path) -> None:
    before = log.read_bytes()
    cut(log, 5_000)
    assert log.read_bytes() == before[:5_000]


def test_zeroed_file_header_hides_all_records(log: Path) -> None:
    before = log.read_bytes()
    zero_file_header(log)
    assert log.read_bytes() == bytes(4096) + before[4096:]
    with pytest.raises(RuntimeError):
        evtx.PyEvtxParser(str(log))


def test_overwritten_chunk_magic_hides_that_chunk(log: Path) -> None:
    overwrite_chunk_magic(log, 1)
    assert ids_read(log) == chunk_ids(0, 2)


@pytest.mark.parametrize("damage", [break_record_size, break_record_magic, break_record_body])
def test_a_broken_record_is_lost(damage: Any, log: Path) -> None:  # noqa: ANN401 - three signatures
    place = damage(log, 515)
    assert (place.record_id, place.chunk) == (515, 1)
    read = ids_read(log)
    assert 515 not in read
    assert set(chunk_ids(0, 2)) <= set(read)
    assert set(read) <= set(chunk_ids(0, 1, 2))


def test_flipped_bytes_are_the_ones_it_says(log: Path) -> None:
    before = log.read_bytes()
    offsets = flip_bytes(log, 26, seed=7)
    after = log.read_bytes()
    assert [place for place in range(len(before)) if before[place] != after[place]] == offsets
    assert len(offsets) == 26
    log.write_bytes(before)
    assert flip_bytes(log, 26, seed=7) == offsets


def test_records_left_in_slack_are_no_longer_live_but_still_there(log: Path) -> None:
    assert leave_in_slack(log, 1, 4) == [517, 518, 519, 520]
    live = [*chunk_ids(0), *range(511, 517), *chunk_ids(2)]
    assert [reading.record_id for reading in read_python_evtx(log)] == live  # which verifies the checksums too
    assert [reading.record_id for reading in read_rust_json(log)] == live
    data = log.read_bytes()[chunk_offset(1) : chunk_offset(2)]
    (free,) = struct.unpack_from("<I", data, 0x30)
    assert struct.unpack_from("<IIQ", data, free)[::2] == (0x2A2A, 517)
    assert struct.unpack_from("<QQQQ", data, 8) == (11, 16, 511, 516)
    with pytest.raises(ValueError, match="one must stay live"):
        leave_in_slack(log, 1, 6)


def test_slack_without_resealing_breaks_the_checksums(log: Path) -> None:
    leave_in_slack(log, 1, 4, reseal=False)
    with pytest.raises(AssertionError, match="does not accept a chunk"):
        list(read_python_evtx(log))
