"""The logs that tests are made of are read alike by four parsers that know nothing of each other.

Without this, a test of the product could pass on evidence that no Windows machine could have written.
"""

from __future__ import annotations

import io
import struct
import tempfile
from binascii import crc32
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import evtx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.evtxmaker import (
    Event,
    EventTemplate,
    Value,
    ValueType,
    filetime,
    filetime_text,
    from_filetime,
    template,
    templates,
    write_log,
)
from tests.evtxmaker.binxml import name_hash
from tests.evtxmaker.chunk import CHUNK_SIZE, RecordTooLargeError
from tests.evtxmaker.compiled import ValueTooLargeError
from tests.evtxmaker.readings import READERS, Reading, expected, read_dissect, read_rust_json
from tests.evtxmaker.writer import FILE_HEADER_SIZE

START = filetime("2020-05-18T07:02:11.1234567Z")
COMPUTER = "WS-FIN-07.corp.example"
TEXTS = (
    "",
    "C:\\Windows\\System32\\svchost.exe -k netsvcs -p -s UsoSvc",
    "plain <b>&amp; \"quoted\" 'text' ]]> %%1936",
    "Ünïcödé Ελληνικά 日本語",
    "\U0001f4be beyond the BMP \U00020000",
    "tab\tand line\r\nend",
    "  spaces kept  ",
    "x" * 8_000,
)


def some_value(value_type: ValueType, seed: int) -> Value:
    """Return a value of a type, another for another seed, with the extremes among them."""
    match value_type:
        case ValueType.WSTRING:
            return TEXTS[seed % len(TEXTS)]
        case ValueType.GUID:
            return UUID(int=(seed * 0x1234_5678_9ABC_DEF0_1122_3344) & (2**128 - 1))
        case ValueType.SID:
            return ("S-1-5-18", "S-1-0-0", "S-1-16-12288", "S-1-5-21-1004336348-1177238915-682003330-512")[seed % 4]
        case ValueType.BINARY:
            return bytes(range(seed % 256))
        case ValueType.WSTRING_ARRAY:
            return (["10.00.", "18363", "", "Multiprocessor Free"], ["one"], None)[seed % 3]
        case ValueType.BOOLEAN:
            return seed % 2
        case ValueType.FILETIME:
            return START + seed
        case ValueType.UINT16:
            return (0, 443, 2**16 - 1)[seed % 3]
        case ValueType.UINT32 | ValueType.HEXINT32:
            return (0, 4, 2**32 - 1)[seed % 3]
        case ValueType.POINTER | ValueType.HEXINT64:
            return (0, 0x3E7, 2**64 - 1)[seed % 3]
    raise AssertionError(f"no value for {value_type}")


def some_event(shape: EventTemplate, seed: int) -> Event:
    return Event(
        shape,
        START + seed * 10_000_000,
        COMPUTER,
        tuple(some_value(field.type, seed + place) for place, field in enumerate(shape.value_fields)),
        pid=4 + seed,
        tid=88,
        security_sid="S-1-5-18" if seed % 2 else None,
        activity_id=UUID(int=seed << 64) if seed % 3 == 1 else None,
    )


def readings_of(events: Sequence[Event], first: int = 1) -> list[Reading]:
    return [expected(event, first + place) for place, event in enumerate(events)]


@pytest.fixture(scope="module")
def every_event() -> list[Event]:
    """Every event of the catalogue four times over, so that no two records in a row have one template."""
    return [some_event(shape, seed) for seed in range(4) for shape in templates().values()]


@pytest.fixture(scope="module")
def every_log(every_event: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "every.evtx"
    written = write_log(path, every_event, first_record_id=7_001)
    assert written.records == len(every_event)
    assert written.chunks > 2
    return path


@pytest.mark.parametrize("reader", READERS)
def test_every_event_is_read_as_it_was_described(reader: str, every_log: Path, every_event: list[Event]) -> None:
    assert list(READERS[reader](every_log)) == readings_of(every_event, 7_001)


def test_dissect_reads_the_same_records(every_log: Path, every_event: list[Event]) -> None:
    found = list(read_dissect(every_log))
    assert [record_id for record_id, _ in found] == list(range(7_001, 7_001 + len(every_event)))
    for (_, values), event in zip(found, every_event, strict=True):
        wanted = expected(event, 0)
        assert values["TimeCreated_SystemTime"] == wanted.system["TimeCreated.SystemTime"]
        assert values["Provider_Name"] == event.template.provider.name
        for name, text in wanted.data:
            if name in values and name not in ("Version", "Channel", "Data"):  # names that System has too, and arrays
                assert values[name] == {"true": "1", "false": "0"}.get(text, text)


def test_the_last_digit_of_a_time_is_kept(tmp_path: Path) -> None:
    written = START + 30_000_001
    event = Event(template("security", 4608), START, COMPUTER, written=written)
    path = tmp_path / "time.evtx"
    write_log(path, [event])
    assert START.to_bytes(8, "little") in path.read_bytes()
    (record,) = list[Any](evtx.PyEvtxParser(str(path)).records_json())
    assert record["timestamp"] == "2020-05-18T07:02:14.1234568Z UTC"


def test_times_are_counted_from_1601() -> None:
    assert filetime("1601-01-01T00:00:00Z") == 0
    assert filetime("1970-01-01 00:00:00.0000001") == 116_444_736_000_000_001
    assert filetime_text(START) == "2020-05-18T07:02:11.1234567Z"
    assert from_filetime(START) == datetime(2020, 5, 18, 7, 2, 11, 123456, tzinfo=UTC)
    with pytest.raises(ValueError, match="seven"):
        filetime("2020-05-18T07:02:11.12345678Z")


def test_names_are_hashed_as_windows_hashes_them() -> None:
    assert [name_hash(name) for name in ("Event", "System", "Data")] == [0x0CBA, 0x546F, 0x6F8A]


def test_names_are_stored_once_in_a_chunk_and_again_in_the_next(tmp_path: Path) -> None:
    path = tmp_path / "names.evtx"
    shapes = (template("sysmon", 1), template("security", 4624), template("kernel-general", 12), template("scm", 7036))
    events = [Event(shape, START, COMPUTER, shape.row()) for shape in shapes]
    write_log(path, events, records_per_chunk=4)
    assert path.read_bytes().count("SystemTime\0".encode("utf-16-le")) == 1
    write_log(path, events, records_per_chunk=2)
    assert path.read_bytes().count("SystemTime\0".encode("utf-16-le")) == 2


def test_a_definition_is_stored_once_in_a_chunk(tmp_path: Path) -> None:
    path = tmp_path / "definitions.evtx"
    shape = template("security", 4688)
    write_log(path, [some_event(shape, 0)] * 3)
    assert path.read_bytes().count("TokenElevationType".encode("utf-16-le")) == 1
    write_log(path, [some_event(shape, 0)] * 3, records_per_chunk=1)
    assert path.read_bytes().count("TokenElevationType".encode("utf-16-le")) == 3


def test_every_name_and_definition_is_found_from_the_tables(every_log: Path) -> None:
    """A reader that starts from the tables, as salvage does, must get to all of them through the chains."""
    data = every_log.read_bytes()
    names: set[str] = set()
    defined = reached = 0
    for start in range(FILE_HEADER_SIZE, len(data), CHUNK_SIZE):
        chunk = data[start : start + CHUNK_SIZE]
        defined += sum(
            chunk[at + 6 : at + 10] == struct.pack("<I", at + 10) for at in range(CHUNK_SIZE - 10) if chunk[at] == 0x0C
        )
        for offset in struct.unpack_from("<64I", chunk, 0x80):
            while offset:
                offset, _, length = struct.unpack_from("<IHH", chunk, at := offset)  # noqa: PLW2901
                names.add(chunk[at + 8 : at + 8 + 2 * length].decode("utf-16-le"))
        for offset in struct.unpack_from("<32I", chunk, 0x180):
            while offset:
                assert chunk[offset - 10] == 0x0C
                assert struct.unpack_from("<I", chunk, offset - 4) == (offset,)
                assert chunk[offset - 8 : offset - 4] == chunk[offset + 4 : offset + 8]
                reached += 1
                (offset,) = struct.unpack_from("<I", chunk, offset)  # noqa: PLW2901
    assert {"Event", "System", "TimeCreated", "EventSourceName", "LogFileCleared", "Binary", "SubjectLogonId"} <= names
    assert reached == defined > len(templates())


def test_records_are_read_with_gaps_between_their_ids(tmp_path: Path) -> None:
    path = tmp_path / "gaps.evtx"
    events = [replace(some_event(template("sysmon", 5), 1), record_id=number) for number in (10, 11, 500, None)]
    written = write_log(path, events, records_per_chunk=2)
    assert (written.first_record_id, written.last_record_id) == (10, 501)
    for read in READERS.values():
        assert [reading.record_id for reading in read(path)] == [10, 11, 500, 501]


def test_a_log_can_be_written_into_an_open_file() -> None:
    stream = io.BytesIO()
    write_log(stream, [some_event(template("sysmon", 5), 1)])
    stream.seek(0)
    (record,) = list[Any](evtx.PyEvtxParser(stream).records_json())
    assert record["event_record_id"] == 1


def test_a_log_without_events_has_a_header_only(tmp_path: Path) -> None:
    path = tmp_path / "empty.evtx"
    assert write_log(path, []).chunks == 0
    assert path.stat().st_size == FILE_HEADER_SIZE
    assert list(read_rust_json(path)) == []


def test_a_dirty_header_counts_fewer_chunks_than_there_are(tmp_path: Path) -> None:
    path = tmp_path / "dirty.evtx"
    write_log(
        path,
        [some_event(template("sysmon", 5), 1)] * 6,
        records_per_chunk=2,
        first_record_id=100,
        dirty=True,
        unannounced_chunks=2,
    )
    header = path.read_bytes()[:FILE_HEADER_SIZE]
    assert struct.unpack_from("<H", header, 42) == (1,)
    assert struct.unpack_from("<Q", header, 24) == (102,)
    assert struct.unpack_from("<II", header, 120) == (1, crc32(header[:120]))
    assert path.stat().st_size == FILE_HEADER_SIZE + 3 * CHUNK_SIZE


def test_a_record_that_fits_no_chunk_is_refused(tmp_path: Path) -> None:
    event = Event(template("sysmon", 4), START, COMPUTER, ("", "a" * 16_000, "b" * 16_000, "c" * 16_000))
    with pytest.raises((RecordTooLargeError, ValueTooLargeError)):
        write_log(tmp_path / "large.evtx", [event])
    with pytest.raises(ValueTooLargeError, match="event 4 "):
        write_log(tmp_path / "large.evtx", [replace(event, values=("", "a" * 40_000, "", ""))])


def test_the_largest_record_that_fits_is_read(tmp_path: Path) -> None:
    path = tmp_path / "full.evtx"
    for length in range(31_500, 32_768):
        event = Event(template("sysmon", 4), START, COMPUTER, ("", "", "", "z" * length))
        try:
            write_log(path, [event])
        except (RecordTooLargeError, ValueTooLargeError):
            break
        largest = event
    write_log(path, [largest])
    assert struct.unpack_from("<I", path.read_bytes(), FILE_HEADER_SIZE + 0x30) == (CHUNK_SIZE - 8,)
    for read in READERS.values():
        assert list(read(path)) == readings_of([largest])


def test_a_wrong_number_of_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_log(tmp_path / "few.evtx", [Event(template("sysmon", 4), START, COMPUTER, ("", ""))])


def test_a_row_puts_named_values_in_order_and_fills_the_rest() -> None:
    shape = template("security", 4689)
    assert shape.row(ProcessName="a.exe", ProcessId=4) == ("S-1-0-0", "", "", 0, 0, 4, "a.exe")
    with pytest.raises(KeyError, match="Nonsense"):
        shape.row(Nonsense="")


def test_an_older_template_is_one_without_the_newer_fields() -> None:
    older = template("sysmon", 13).without("User")
    assert [field.name for field in older.fields][-1] == "Details"
    with pytest.raises(KeyError, match="Nonsense"):
        older.without("Nonsense")


def test_the_newest_version_is_the_one_not_asked_for() -> None:
    assert template("security", 4688).version == 2
    assert [field.name for field in template("security", 4688, 0).fields][-1] == "ProcessId"
    with pytest.raises(KeyError):
        template("security", 1)


# What XML 1.0 can say: the Rust parser writes other control characters into its XML as they are, and lone surrogates
# are dropped by one parser and refused by two. NUL ends a string for all of them.
readable = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(readable, readable, readable, readable), min_size=1, max_size=4))
def test_any_text_is_read_as_it_was_written(rows: list[tuple[str, str, str, str]]) -> None:
    events = [Event(template("sysmon", 4), START, COMPUTER, row) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.evtx"
        write_log(path, events, records_per_chunk=2)
        for name, read in READERS.items():
            assert list(read(path)) == readings_of(events), name
