"""Public event logs, 300 of them: set EVTXSCAN_CORPUS. Two other parsers say what they hold."""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import evtx
import pyevtx
import pytest

from tests.export.schemas import faults
from tests.integration import content
from tests.integration.command import evtxscan

ROOT = os.environ.get("EVTXSCAN_CORPUS")
pytestmark = pytest.mark.skipif(not ROOT, reason="EVTXSCAN_CORPUS is not set")
CORPUS = Path(ROOT or ".")
Kinds: TypeAlias = Counter[tuple[str | None, str | None]]
"""Channel and event id."""

# Where libevtx reads fewer records, and why. In every other file the counts are equal per channel and event id.
EXPLAINED = {
    "2-vss_0-Microsoft-Windows-RemoteDesktopServices-RdpCoreTS%4Operational.evtx": "ends inside a chunk, damaged",
    "2-vss_0-Microsoft-Windows-TerminalServices-RemoteConnectionManager%4Operational.evtx": "ends inside a chunk",
    "E_ShadowCopy6_windows_system32_winevt_logs_Microsoft-Windows-CAPI2%4Operational.evtx": "libevtx refuses UserData",
    "E_Windows_system32_winevt_logs_Microsoft-Windows-CAPI2%4Operational.evtx": "libevtx refuses UserData",
    "MSExchange_Management_wec.evtx": "libevtx finds no EventID that is text",
    "issue_201.evtx": "libevtx finds no EventID that is text",
    "Microsoft-Windows-HelloForBusiness%4Operational.evtx": "a record half zeroed; libevtx stops before it",
    "Microsoft-Windows-LanguagePackSetup%4Operational.evtx": "a record half zeroed; libevtx stops before it",
    "sample-with-zero-data-size-event.evtx": "libevtx gives up a chunk at a record of size 0",
    "sample_with_a_bad_chunk_magic.evtx": "libevtx passes over a chunk whose signature is wrong",
}
_KINDS = """
SELECT source.path, channel, code, count(*) FROM source JOIN source_chunk ON source_chunk.source = source.id
JOIN (SELECT chunk, kind FROM event WHERE id NOT IN (SELECT event FROM stale_record WHERE state = 'event')
    UNION ALL SELECT p.chunk, e.kind FROM event_copy p JOIN event e ON e.id = p.event)
    AS stored ON stored.chunk = source_chunk.chunk
JOIN kind ON kind.id = stored.kind GROUP BY 1, 2, 3
"""
_PLACES = """
SELECT source.path, number, stored."offset" FROM source JOIN source_chunk ON source_chunk.source = source.id
JOIN (SELECT chunk, "offset" FROM event UNION ALL SELECT chunk, "offset" FROM event_copy)
    AS stored ON stored.chunk = source_chunk.chunk
"""


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The case of all files, and the summary of the ingest."""
    path = tmp_path_factory.mktemp("corpus") / "case.db"
    return path, evtxscan("ingest", CORPUS, "--case", path, "--format", "json", code=3).json


def test_every_file_and_record_is_accounted_for(case: tuple[Path, dict[str, Any]]) -> None:
    """Catches a file that is passed over, and sums that do not agree."""
    path, summary = case
    assert faults("ingest", summary) == []
    named = {source["path"] for source in summary["sources"]} | {skipped["path"] for skipped in summary["skipped"]}
    assert named == {file.relative_to(CORPUS).as_posix() for file in CORPUS.rglob("*") if file.is_file()}
    assert summary["errors"] == []
    for source in summary["sources"]:
        assert source["error"] is None
        assert source["found"] == source["stored"] + source["known"] + source["lost"]
        assert source["lost"] == len(source["losses"])
    assert content.faults(path) == []


def test_counts_are_libevtxs_per_channel_and_event_id(case: tuple[Path, dict[str, Any]]) -> None:
    """Catches a record that is lost in silence, counted twice or filed under another id."""
    path, summary = case
    ours: dict[str, Kinds] = {source["path"]: Counter() for source in summary["sources"]}
    for name, channel, code, count in content.read(path, _KINDS):
        ours[name][channel, code] = count
    seen = set()
    for name, counts in ours.items():
        theirs = libevtx(CORPUS / name)
        base = name.rpartition("/")[2]
        if base in EXPLAINED and counts != theirs:
            assert not theirs - counts, name
            seen.add(base)
        else:
            assert counts == theirs, name
    assert seen == {base for base in EXPLAINED if any(name.endswith(f"/{base}") for name in ours)}


def libevtx(path: Path) -> Kinds:
    """Count the records of a log as libevtx reads them, without those it recovers from slack."""
    found: Kinds = Counter()
    file = pyevtx.file()
    file.open(str(path))
    for number in range(file.get_number_of_records()):
        try:
            record = file.get_record(number)
            found[record.channel_name, str(record.event_identifier)] += 1
        except OSError:
            continue
    file.close()
    return found


def test_the_rust_parser_reads_no_record_that_we_have_not(case: tuple[Path, dict[str, Any]]) -> None:
    """Catches a record that the bulk parser gave and that was dropped on its way into the case."""
    path, summary = case
    stored: dict[str, Counter[int]] = {source["path"]: Counter() for source in summary["sources"]}
    data: dict[str, bytes] = {}
    for name, chunk, offset in content.read(path, _PLACES):
        if name not in data:
            data[name] = (CORPUS / name).read_bytes()
        (record_id,) = struct.unpack_from("<Q", data[name], 4096 + chunk * 65536 + offset + 8)
        stored[name][record_id] += 1
    for name, ids in stored.items():
        assert not Counter(rust(CORPUS / name)) - ids, name


def rust(path: Path) -> Iterator[int]:
    """Yield the record ids of a log as the Rust parser reads it by itself, going on after each error."""
    try:
        records = iter(evtx.PyEvtxParser(str(path)).records_json())
    except (OSError, RuntimeError):  # a file header that it refuses
        return
    while True:
        try:
            record: Any = next(records)
        except StopIteration:
            return
        except (OSError, RuntimeError):
            continue
        yield record["event_record_id"]


def test_every_event_can_be_exported(case: tuple[Path, dict[str, Any]]) -> None:
    """Catches a real event that breaks a document, a schema or a table."""
    path, summary = case
    lines = evtxscan("query", "any where true", "--case", path, "--format", "ndjson").lines
    assert len(lines) == summary["totals"]["stored"] + summary["slack"]["events"]
    whole = [event for event in lines if "@timestamp" in event]
    assert len(lines) - len(whole) <= 2  # records whose System part is zeros
    for event in [*lines[::20], *(event for event in lines if "@timestamp" not in event)]:
        assert faults("event", event) == []
    result = evtxscan("detect", "--case", path, "--format", "json").json
    assert faults("detect", result) == []
    for form in ("table", "csv"):
        evtxscan("query", "process where true", "--case", path, "--format", form)
