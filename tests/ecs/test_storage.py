"""What goes into a case comes out of it, and a query sees in the columns what the document shows.

Records are generated (names that the tables know, values that they do not expect) and, where EVTXSCAN_CORPUS names a
folder of logs, read from there. The oracle is the plain reading of the tables in reference.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from evtx import PyEvtxParser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evtxscan.ecs.base import base
from evtxscan.ecs.document import render_time
from evtxscan.ecs.mapping import Mapping, mappings
from evtxscan.ecs.resolve import Absent, Constant, Data, Resolution, cell_values, with_data
from evtxscan.ecs.resolve import Path as DataPath
from tests.ecs.conformance import cases
from tests.ecs.reference import reference_document
from tests.ecs.stored import Stored, event_json, store

CORPUS = os.environ.get("EVTXSCAN_CORPUS")
_BATCH = 500

TEXTS = st.one_of(
    st.sampled_from(
        [
            "", "-", "x", "0", "1", "00", "007", "0x0", "0x3e7", "0X3E7", "0x00000004", "18446744073709551615", "true",
            "false", "True", "CORP\\alice", "\\alice", "a\\b\\c", "bob@corp.example", "@corp", "10.1.2.3", "::1",
            "::ffff:192.0.2.1", "fe80::1%4", "010.0.0.1", "2021-04-07 09:12:33.123", "2021-02-30 09:12:33.123",
            "{00000000-0000-0000-0000-000000000000}", "0A1B2C3D-0000-0000-FFFF-00000000000A", "a\r\nb\r\n", "\n",
            "MD5=AB,SHA1=00,=,IMPHASH", "type:  5 a.example;::ffff:192.0.2.1;junk;type:  99", "DWORD (0x0000000a)",
            "HKLM\\A\\B", "HKLM", "C:\\a b\\x.exe", '"C:\\a b\\x.exe" -k  y ', "CN=Al\\, Ice,CN=Users,DC=a,DC=b", "٣",
            "\tHostName=a\n\tHostName=b\n\n\tSequenceNumber=3\n\tHostApplication=x -k\n y\n\tCommandLine=z\n\tHostId=1",
            "        Host Name = a\n        Connected User = D\\n\n        User = A\\b\n        Sequence Number = 07\n",
            "CommandInvocation(A): \"a\"\nParameterBinding(A): name=\"b\"; value=\"c\"\n\nParameterBinding(A): x\nodd",
            "tcp", "udp", "Valid", "%%1833 %%4416", "2", "\ud7ff\U0001f4be", "nul\x00byte", "None",
        ]
    ),
    st.text(max_size=12),
)  # fmt: skip
SCALARS = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(-3, 3), st.integers(0, 2**64 - 1), st.floats(allow_nan=False, width=16)
)
VALUES = st.one_of(
    SCALARS, SCALARS, SCALARS,
    st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.sampled_from(["#text", "#attributes", "a", "Data"]), inner, max_size=3)), max_leaves=5),
)  # fmt: skip
TABLES = sorted(mappings().values(), key=lambda mapping: (mapping.id, mapping.table.provider or ""))


@st.composite
def batches(draw: st.DrawFn) -> list[str]:
    """Make records of one mapping: most name the same values, in the shapes that the bulk parser and damage make."""
    mapping: Mapping = draw(st.sampled_from(TABLES))
    table = mapping.table
    names = [
        *{rule.raw for rule in table.rules},
        *table.pack,
        *table.read,
        *table.drop,
        *filter(None, [table.timestamp]),
    ]
    known = draw(st.lists(st.sampled_from(sorted({*names, "Extra", "Data", "Binary"})), unique=True, max_size=12))
    element = "EventData" if table.payload == "event_data" else "UserData"
    texts = []
    for _ in range(draw(st.integers(1, 4))):
        data: Any = {name: draw(VALUES) for name in known}
        if draw(st.integers(0, 9)) == 0:
            data = draw(VALUES)
        system = _system(draw, mapping)
        elements = {element: {"Wrapper": data} if element == "UserData" else data}
        if draw(st.integers(0, 5)) == 0:
            other = draw(st.sampled_from(["UserData", "EventData", "ProcessingErrorData", "Odd"]))
            elements.setdefault(other, draw(VALUES))
        texts.append(event_json(system, **elements))
    return texts


def _system(draw: st.DrawFn, mapping: Mapping) -> dict[str, Any]:
    def sometimes(usual: object) -> object:
        return draw(VALUES) if draw(st.integers(0, 9)) == 0 else usual

    code = "4242" if mapping.table.code == "*" else mapping.table.code
    return {
        "Provider": {"#attributes": {"Name": mapping.table.provider or "Contoso"}},
        "EventID": int(code),
        "Version": sometimes(2),
        "Level": sometimes(4),
        "Task": sometimes(1),
        "Opcode": sometimes(0),
        "Keywords": sometimes("0x8020000000000000"),
        "TimeCreated": sometimes({"#attributes": {"SystemTime": sometimes("2021-04-07T09:12:33.123456Z")}}),
        "EventRecordID": sometimes(7),
        "Correlation": sometimes({"#attributes": {"ActivityID": sometimes("0A1B2C3D-0000-0000-FFFF-00000000000A")}}),
        "Execution": sometimes({"#attributes": {"ProcessID": sometimes(4), "ThreadID": sometimes(0)}}),
        "Channel": mapping.table.channel or "Application",
        "Computer": sometimes("WKS-07.Corp.Example"),
        "Security": sometimes(None),
    }


def corpus() -> Iterator[list[str]]:
    """Yield the records of all logs below EVTXSCAN_CORPUS, some hundred at a time."""
    for path in sorted(Path(CORPUS or "").rglob("*.evtx")):
        texts: list[str] = []
        try:
            records = PyEvtxParser(str(path)).records_json()
        except (RuntimeError, OSError):
            continue
        while True:
            try:
                texts.append(next(records)["data"])
            except StopIteration:
                break
            except RuntimeError:
                continue
        for start in range(0, len(texts), _BATCH):
            yield texts[start : start + _BATCH]


def check_batch(texts: list[str]) -> None:
    """Check both promises for each record of a batch."""
    for text, stored in zip(texts, store(texts), strict=True):
        assert stored.document == reference_document(orjson.loads(text)["Event"])
        check_resolutions(stored)


def check_resolutions(stored: Stored) -> None:
    """Check that each field's resolution gives what the document has, and that the document misses none."""
    document = stored.document
    for name in base().objects:
        objects = document.pop(name, [])
        for part in {key for value in objects for key in value}:
            document[f"{name}.{part}"] = [value[part] for value in objects if part in value]
    fields = {*document, *stored.mapping.fields, *stored.mapping.constants(stored.kind)} - base().objects
    fields |= {"process.args", "winlog.event_data.Nothing", "nothing", "winlog.logon"}
    for field in fields:
        shown = document.get(field, ())
        found = values_of(stored.mapping.resolve(stored.kind, field), stored)
        if field in ("@timestamp", "winlog.time_created") and found and isinstance(found[0], int):
            found = (render_time(found[0], stored.row, field),)
        assert found == (tuple(shown) if isinstance(shown, (list, tuple)) else (shown,)), field


def values_of(resolution: Resolution, stored: Stored) -> tuple[Any, ...]:
    """Return the values of a field as a query compiler has to read its resolution."""
    if isinstance(resolution, Absent):
        return ()
    if isinstance(resolution, Constant):
        return resolution.values
    if isinstance(resolution, Data):
        return _at(stored.data, resolution.path)
    if resolution.override and (override := _at(stored.data, resolution.override)):
        return override
    return cell_values(resolution, with_data(stored.row, stored.data, stored.mapping.paths))


def _at(data: dict[str, Any] | None, path: DataPath) -> tuple[Any, ...]:
    found: Any = data
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return () if found is None else (found,)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches())
def test_made_records_come_back(texts: list[str]) -> None:
    """Catches a cell that another record's equal-looking value filled (1 and true), a lost override, a lost name."""
    check_batch(texts)


@pytest.mark.skipif(not CORPUS, reason="EVTXSCAN_CORPUS does not name a folder of event logs")
def test_real_records_come_back() -> None:
    """Catches shapes that nobody thought of: text-typed exports, nested UserData, damaged records."""
    count = 0
    for texts in corpus():
        check_batch(texts)
        count += len(texts)
    assert count > 30_000


@pytest.mark.skipif(not cases(), reason="EVTXSCAN_CONFORMANCE does not name the folder of golden documents")
def test_golden_records_come_back() -> None:
    """The records of all golden documents, whose fields the other two may not have."""
    check_batch([case.text for case in cases()])


def test_equal_numbers_keep_their_texts() -> None:
    """1, 1.0 and true are one key of a dict: a memo by value would give all three the text of the first."""
    system = _SYSMON_5
    texts = [event_json(system, EventData={"RuleName": value, "User": "a\\b"}) for value in (1, True, 1.0, "1")]
    assert [stored.document["rule.name"] for stored in store(texts)] == ["1", "true", "1.0", "1"]


def test_a_second_value_for_a_column_stays_as_recorded() -> None:
    """Sysmon 8 and 10 spell one name in two ways; a record with both must not lose either."""
    data = {"SourceProcessGuid": "a", "SourceProcessGUID": "b", "TargetProcessGuid": "c", "TargetProcessGUID": "d"}
    text = event_json({**_SYSMON_5, "EventID": 10}, EventData=data)
    check_batch([text])
    document = store([text])[0].document
    assert document["process.entity_id"] == "a"
    assert document["winlog.event_data.SourceProcessGUID"] == "b"
    assert document["winlog.event_data.TargetProcessGUID"] == "d"


_SYSMON_5 = {
    "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon"}},
    "EventID": 5,
    "Channel": "Microsoft-Windows-Sysmon/Operational",
}
