"""The constant part of a record, in every shape that real logs have it.

A kind that is read wrongly sends a record to the wrong mapping: its fields are then silently missing.
"""

from __future__ import annotations

from typing import Any

import pytest

from evtxscan.ecs.kind import Kind

USUAL: dict[str, Any] = {
    "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon", "Guid": "5770385F-C22A-43E0-BF4C-06F5698FFBD9"}},
    "EventID": 1,
    "Version": 5,
    "Level": 4,
    "Task": 1,
    "Opcode": 0,
    "Keywords": "0x8000000000000000",
    "Channel": "Microsoft-Windows-Sysmon/Operational",
}
KIND = Kind(
    provider="Microsoft-Windows-Sysmon",
    provider_guid="{5770385F-C22A-43E0-BF4C-06F5698FFBD9}",
    channel="Microsoft-Windows-Sysmon/Operational",
    code="1",
    version=5,
    level=4,
    task=1,
    opcode=0,
    keywords="0x8000000000000000",
)


@pytest.mark.parametrize(
    "system",
    [
        USUAL,
        {**USUAL, "EventID": {"#attributes": {"Qualifiers": 16384}, "#text": 1}},
        {**USUAL, "EventID": {"#attributes": {"Qualifiers": ""}, "#text": "1"}},
        {name: str(value) if isinstance(value, int) else value for name, value in USUAL.items()},  # text-typed export
        {**USUAL, "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon",
                                               "Guid": "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}"}}},
    ],
)  # fmt: skip
def test_all_shapes_give_one_kind(system: dict[str, Any]) -> None:
    assert Kind.from_system(system) == KIND


@pytest.mark.parametrize(
    "system",
    [None, {}, [], "x", {"Provider": None, "EventID": None, "Channel": None}, {"Provider": {"#attributes": None}}],
)
def test_nothing_known_is_a_kind_too(system: object) -> None:
    """Damaged records have a null System; they must be stored all the same."""
    assert Kind.from_system(system) == Kind()


def test_numbers_out_of_range_are_not_numbers() -> None:
    """SQLite holds 64 bits, and a Level of 2**70 has no name: neither may stop the batch."""
    assert Kind.from_system({**USUAL, "Version": 2**70, "Level": -1, "Task": "x"}).level is None


def test_keyword_bits() -> None:
    assert Kind(keywords="0x8020000000000000").keyword_bits == 0x8020000000000000
    assert Kind(keywords="garbage").keyword_bits == 0
    assert Kind().keyword_bits == 0


@pytest.mark.parametrize("code", [1, True, 1.0, "1", {"#text": 1}, {"#text": True}])
def test_equal_numbers_are_one_code(code: object) -> None:
    """1, 1.0 and true are one key of a dict: where kinds are looked up, they must not be different kinds."""
    assert Kind.from_system({**USUAL, "EventID": code}) == KIND
