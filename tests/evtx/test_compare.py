"""Two renderings agree where they say the same, and only there."""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path

import pytest

from evtxscan.evtx.compare import Difference, differences, read_fields, same_value
from evtxscan.evtx.parse import RenderError
from evtxscan.evtx.second import SecondParser
from evtxscan.evtx.walk import walk_chunk
from tests.integration import logs

SAME = [
    ("0x3e7", "0x00000000000003e7"),
    ("0x4", "4"),
    ("00000000-0000-0000-0000-00000000ABCD", "{00000000-0000-0000-0000-00000000abcd}"),
    ("2017-07-12T17:18:17.772384Z", "2017-07-12T17:18:17.7723849Z"),
    ("true", "True"),
    ("16", "True"),
    ("0100FF", "AQD/"),
    ("a\x1bb", "ab"),
]
DIFFERENT = [
    ("0x3e7", "0x3e8"),
    ("0x4", "5"),
    ("00000000-0000-0000-0000-00000000ABCD", "{00000000-0000-0000-0000-00000000abce}"),
    ("2017-07-12T17:18:17.772384Z", "2017-07-12T17:18:17.7723839Z"),
    ("2017-07-12T17:18:17.772384Z", ""),
    ("true", "False"),
    ("0", "True"),
    ("0100FF", "AQD+"),
    ("abc", "ABC"),
    ("a b", "ab"),
    ("", "0"),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_the_same_value_in_two_notations(first: str, second: str) -> None:
    """Catches a difference that is reported where there is none."""
    assert same_value(first, second)


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_another_value(first: str, second: str) -> None:
    """Catches a rule so wide that it hides a changed byte."""
    assert not same_value(first, second)


def event(data: str) -> str:
    return f"<Event><System><Provider Name='P'/><EventID>1</EventID></System><EventData>{data}</EventData></Event>"


def fields(data: str) -> list[tuple[str, str]]:
    found = read_fields(event(data))
    assert not isinstance(found, RenderError)
    return found


def test_fields_are_named() -> None:
    assert fields("<Data Name='A'>x</Data><Data>y</Data>") == [
        ("System.Provider.@Name", "P"),
        ("System.EventID", "1"),
        ("EventData.A", "x"),
        ("EventData.Data", "y"),
    ]


def test_a_difference_is_named() -> None:
    assert differences(fields("<Data Name='A'>x</Data>"), fields("<Data Name='A'>z</Data>")) == [
        Difference("EventData.A", "x", "z")
    ]


def test_a_field_that_is_not_there() -> None:
    """Catches a comparison that stops at the shorter list."""
    one, other = fields("<Data Name='A'>x</Data><Data Name='B'>y</Data>"), fields("<Data Name='A'>x</Data>")
    assert differences(one, other) == [Difference("EventData.B", "y", None)]
    assert differences(other, one) == [Difference("EventData.B", None, "y")]


def test_another_order() -> None:
    one = fields("<Data Name='A'>x</Data><Data Name='B'>y</Data>")
    other = fields("<Data Name='B'>y</Data><Data Name='A'>x</Data>")
    assert [found.field for found in differences(one, other)] == ["(order)"]


def test_an_array_of_strings() -> None:
    """Catches arrays that agree whatever is in them: python-evtx writes them as text."""
    one = fields("<Data>a</Data><Data>b</Data>")
    assert (
        differences(one, fields("<Data>&lt;string&gt;a&lt;/string&gt;\n&lt;string&gt;b&lt;/string&gt;\n</Data>")) == []
    )
    assert differences(one, fields("<Data>&lt;string&gt;a&lt;/string&gt;\n&lt;string&gt;c&lt;/string&gt;\n</Data>"))


@pytest.mark.parametrize("table", [(0x80, 64), (0x180, 32)])
def test_a_table_that_runs_in_a_circle_ends(tmp_path: Path, table: tuple[int, int]) -> None:
    """Catches python-evtx's endless loop over a list of names or templates whose last entry leads to its first."""
    logs.write(tmp_path / "log.evtx", logs.mixed(5))
    chunk = bytearray((tmp_path / "log.evtx").read_bytes()[4096:])
    start, count = table
    for number in range(count):
        (offset,) = struct.unpack_from("<I", chunk, start + 4 * number)
        if offset:
            struct.pack_into("<I", chunk, offset, offset)
    struct.pack_into("<I", chunk, 124, zlib.crc32(chunk[128:512], zlib.crc32(chunk[:120])))
    span = walk_chunk(bytes(chunk)).spans[0]
    assert SecondParser(bytes(chunk)).xml(span.offset)


@pytest.mark.parametrize("place", [100, 300, 600])
def test_zeros_in_an_element(tmp_path: Path, place: int) -> None:
    """Catches python-evtx going through the rest of a chunk byte by byte, and half a record taken for a whole one."""
    logs.write(tmp_path / "log.evtx", logs.mixed(60))
    chunk = (tmp_path / "log.evtx").read_bytes()[4096 : 4096 + 65536]
    first = walk_chunk(chunk).spans[0].offset
    parser = SecondParser(chunk[: first + place].ljust(65536, b"\0"))
    begun = time.process_time()
    assert isinstance(parser.xml(first), RenderError)
    assert time.process_time() - begun < 0.2
