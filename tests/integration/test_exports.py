"""What leaves a case: as the schemas describe it, and back to the bytes of the evidence."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import lxml.etree
import pytest

from tests.export.schemas import faults
from tests.integration.command import EVIDENCE, Done, evtxscan

HEADER, CHUNK = 4096, 65536


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--observed-only"],
        ["--from", "2020-05-19T00:00:00Z", "--host", "WS-FIN-07"],
        ["--to", "2020-01-01"],
        ["--host", "nobody"],
    ],
)
def test_findings_are_as_their_schema_says(scenario: Path, words: list[str]) -> None:
    """Catches a field that a program would trip over, in results that are full, filtered or empty."""
    result = evtxscan("detect", "--case", scenario, "--format", "json", *words).json
    assert faults("detect", result) == []
    lines = evtxscan("detect", "--case", scenario, "--format", "ndjson", *words).lines
    assert lines == result["findings"]
    for line in lines:
        assert faults("finding", line) == []
    if "--to" in words or "nobody" in words:
        assert lines == []


def test_events_are_as_their_schema_says(scenario: Path, events: list[dict[str, Any]]) -> None:
    """Catches an event of any kind whose document is not as described."""
    assert len(events) == 460
    for event in events:
        assert faults("event", event) == []
    assert evtxscan("query", "any where true", "--case", scenario, "--format", "json").json == events
    for event in evtxscan("query", "any where true", "--case", scenario, "--observed-only", "--format", "ndjson").lines:
        assert faults("event", event) == []


def test_the_summary_of_an_ingest_is_as_its_schema_says(tmp_path: Path) -> None:
    """Catches a summary that programs cannot rely on: of a first, a repeated and a partial ingest."""
    case = tmp_path / "case.db"
    for words in (["--only", "process"], [], []):
        summary = evtxscan("ingest", EVIDENCE, "--case", case, "--format", "json", *words).json
        assert faults("ingest", summary) == []


def test_show_gives_what_query_and_detect_give(scenario: Path, events: list[dict[str, Any]], detection: Done) -> None:
    """Catches an event id that names another event, and a command that tells of it otherwise."""
    findings = detection.json["findings"]
    for told in [*events[::60], *findings[:3]]:
        shown = evtxscan("show", told["evtxscan"]["event"]["id"], "--case", scenario, "--format", "json").json
        for part in told:
            if part != "evtxscan":
                assert shown[part] == told[part], part
        for part in ("event", "provenance", "inferred", "witnesses"):
            assert shown["evtxscan"].get(part) == told["evtxscan"].get(part), part
    for finding in findings[:3]:
        ours = evtxscan("show", finding["evtxscan"]["event"]["id"], "--case", scenario, "--format", "json").json[
            "evtxscan"
        ]
        for part in ("parents", "session", "raw_xml"):
            assert ours[part] == finding["evtxscan"][part], part


def record_at(place: dict[str, Any]) -> tuple[int, bytes]:
    """Return the id and the bytes of the record at a place of provenance, read from the evidence itself."""
    data = (EVIDENCE / place["source"]["path"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == place["source"]["sha256"]
    start = HEADER + place["chunk"] * CHUNK + place["offset"]
    magic, size, record_id = struct.unpack_from("<4sIQ", data, start)
    assert magic == b"**\0\0"
    return record_id, data[start : start + size]


def test_every_event_goes_back_to_its_bytes(events: list[dict[str, Any]]) -> None:
    """Catches an offset, a chunk or a hash that does not lead to the record that the event was made of."""
    for event in events:
        (place,) = event["evtxscan"]["provenance"]
        record_id, raw = record_at(place)
        assert record_id == place["record_id"] == int(event["winlog"]["record_id"])
        line = event.get("process", {}).get("command_line")
        if line and event["event"]["code"] in ("1", "4688"):
            assert line.encode("utf-16-le") in raw


def test_the_raw_xml_of_a_finding_is_its_record(detection: Done) -> None:
    """Catches the XML of another record."""
    space = "{http://schemas.microsoft.com/win/2004/08/events/event}"
    findings = detection.json["findings"]
    assert findings
    for finding in findings:
        root = lxml.etree.fromstring(finding["evtxscan"]["raw_xml"].encode())
        (place,) = finding["evtxscan"]["provenance"]
        assert root.findtext(f"{space}System/{space}EventRecordID") == str(place["record_id"])
        data = {entry.get("Name"): entry.text for entry in root.iter(f"{space}Data")}
        assert data["CommandLine"] == finding["process"]["command_line"]


def test_ids_are_unique_and_made_of_content(events: list[dict[str, Any]], tmp_path: Path) -> None:
    """Catches ids that depend on the case they are in, or that two events share."""
    ids = [event["evtxscan"]["event"]["id"] for event in events]
    assert len(set(ids)) == len(ids)
    case = tmp_path / "case.db"
    log = next(EVIDENCE.glob("WS-FIN-07/**/Security.evtx"))
    evtxscan("ingest", log, "--case", case)
    alone = evtxscan("query", "any where true", "--case", case, "--format", "ndjson").lines
    assert {event["evtxscan"]["event"]["id"] for event in alone} < set(ids)


def test_what_the_laboratory_writes_is_kept(tmp_path: Path) -> None:
    """Catches a label that the next ingest wipes out, and a command that the log of the case does not have."""
    case = tmp_path / "case.db"
    log = next(EVIDENCE.glob("SRV-OLD-02/**/System.evtx"))
    evtxscan("ingest", log, "--case", case, "--case-number", "7/2020", "--examiner", "R. Vogt", "--exhibit", "E-1")
    evtxscan("ingest", EVIDENCE, "--case", case, "--notes", "second visit")
    evtxscan("query", "any where true", "--case", case, "--format", "ndjson")
    evtxscan("detect", "--case", case)
    told = evtxscan("info", "--case", case, "--format", "json").json
    assert told["label"] == {"case_number": "7/2020", "examiner": "R. Vogt", "notes": "second visit"}
    assert [run["command"] for run in told["runs"]] == ["ingest", "ingest", "query", "detect", "info"]
    for run in told["runs"][:-1]:
        assert run["exit_code"] == 0
        assert run["ended"] >= run["started"]
        assert run["versions"]["evtxscan"]
        assert run["arguments"][0] == run["command"]
    assert {source["exhibit"] for source in told["sources"]} == {"E-1", None}
