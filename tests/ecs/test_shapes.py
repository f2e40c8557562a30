"""Shapes of documents and of batches: nesting, repeated names, what belongs to no column."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from evtxscan.ecs.batch import Dictionary
from evtxscan.ecs.columns import PACKED
from evtxscan.ecs.document import document, nest
from evtxscan.ecs.extract import extract
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import mapping_for
from tests.ecs.stored import event_json, store

SECURITY = {"Provider": {"#attributes": {"Name": "Microsoft-Windows-Security-Auditing"}}, "Channel": "Security"}


def test_nested_document() -> None:
    assert nest({"event.code": "1", "event.type": ["start"], "message": "x", "winlog.event_data.A": "1"}) == {
        "event": {"code": "1", "type": ["start"]},
        "message": "x",
        "winlog": {"event_data": {"A": "1"}},
    }


@pytest.mark.parametrize(
    "flat",
    [{"a.b": 1, "a.b.c": 2, "a": 3}, {"a": 3, "a.b.c": 2}, {"..": 1, "": 2, ".": 3}],
)
def test_nesting_loses_no_value_to_a_clash_of_names(flat: dict[str, Any]) -> None:
    """A provider may call one value ``a`` and another ``a.b``: an object cannot be a text as well."""

    def leaves(value: object) -> list[object]:
        return [leaf for part in value.values() for leaf in leaves(part)] if isinstance(value, dict) else [value]

    assert sorted(map(str, leaves(nest(flat)))) == sorted(map(str, leaves(flat)))


def test_first_of_repeated_names_counts() -> None:
    """4648 has LogonGuid twice; a JSON reader keeps the last, Windows and winlogbeat show the first."""
    data = {"SubjectUserName": 'quote " and "LogonGuid":"{x}"', "LogonGuid": "second"}
    text = event_json({**SECURITY, "EventID": 4648}, EventData=data)
    twice = text.replace('"LogonGuid":"second"', '"LogonGuid":"first \\" one","LogonGuid":"second"')
    assert store([twice])[0].document["winlog.event_data.LogonGuid"] == 'first " one'
    assert store([text])[0].document["winlog.event_data.LogonGuid"] == "second"


def test_an_empty_batch_is_empty() -> None:
    found = extract(mapping_for(Kind()), [], [], Dictionary())
    assert (found.columns, found.data) == ({}, [])


def test_columns_without_a_value_are_left_out() -> None:
    """The writer names only the columns that it gets: binding None is most of the cost of a row."""
    kind = Kind("Microsoft-Windows-Security-Auditing", None, "Security", "4672")
    strings = Dictionary()
    events = [{"System": {"EventRecordID": 1}, "EventData": {"SubjectUserName": "a", "SubjectUserSid": ""}}]
    found = extract(mapping_for(kind), events, [None], strings)
    assert set(found.columns) == {"winlog.record_id", "user.name"}
    assert found.columns["user.name"] == [strings["a"]]
    assert found.data == [None]


def test_repeating_values_share_one_text() -> None:
    """The packed column has to give two records with equal values one id, or it packs nothing."""
    data = {"PrivilegeList": "SeDebugPrivilege", "SubjectUserName": "a"}
    texts = [event_json({**SECURITY, "EventID": 4672, "EventRecordID": n}, EventData=data) for n in range(3)]
    assert {stored.row[PACKED] for stored in store(texts)} == {'{"PrivilegeList":"SeDebugPrivilege"}'}


def test_data_wins_over_columns() -> None:
    kind = Kind("Microsoft-Windows-Security-Auditing", None, "Security", "4688")
    row = {"process.parent.pid": 672, "winlog.record_id": 7}
    plain = document(kind, mapping_for(kind), row, None)
    assert plain["winlog.event_data.ProcessId"] == "0x2a0"
    data = {"event_data": {"ProcessId": "0x2A0"}, "record_id": "007"}
    kept = document(kind, mapping_for(kind), row, data)
    assert kept["winlog.event_data.ProcessId"] == "0x2A0"
    assert kept["winlog.record_id"] == "007"
    assert kept["process.parent.pid"] == 672


def test_other_elements_are_kept() -> None:
    """Error records have ProcessingErrorData instead of EventData: the only trace of what was to be logged."""
    error = {"ErrorCode": 15003, "DataItemName": "Data", "EventPayload": "00FF"}
    text = event_json({**SECURITY, "EventID": 4688}, ProcessingErrorData=error, Odd={"A": {"B": "1"}}, Odder="2")
    assert {
        "winlog.processing_error_data.ErrorCode": "15003",
        "winlog.processing_error_data.DataItemName": "Data",
        "winlog.processing_error_data.EventPayload": "00FF",
        "winlog.other.Odd.A.B": "1",
        "winlog.other.Odder": "2",
    }.items() <= store([text])[0].document.items()


def test_numbers_beyond_64_bits_stay_texts() -> None:
    """SQLite cannot hold them, and one of them would end the insert of a whole batch."""
    huge = 18446744073709551615
    system = {**SECURITY, "EventID": 4688, "EventRecordID": huge,
              "Execution": {"#attributes": {"ProcessID": huge, "ThreadID": 8}}}  # fmt: skip
    stored = store([event_json(system, EventData={"NewProcessId": hex(huge), "ProcessId": "0x7fffffffffffffff"})])[0]
    assert stored.row["process.parent.pid"] == 2**63 - 1
    assert {"process.pid", "winlog.record_id", "winlog.process.pid"}.isdisjoint(stored.row)
    assert stored.document["winlog.record_id"] == str(huge)
    assert stored.document["winlog.process.pid"] == str(huge)
    assert stored.document["winlog.event_data.NewProcessId"] == hex(huge)


def test_a_null_event_is_an_event() -> None:
    """A damaged record may parse to ``"Event": null``; it is still a record that was found."""
    stored = store([orjson.dumps({"Event": None}).decode()])[0]
    assert stored.mapping.id == "base"
    assert stored.document["event.kind"] == "event"
