"""A case is held against its evidence: what is as it was agrees, and whatever is not is noticed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from evtxscan.casework import settled, verify
from evtxscan.proof.verify import Options, Verification
from tests.integration.command import EVIDENCE, evtxscan

SYSMON = "WS-FIN-07/Windows/System32/winevt/Logs/Microsoft-Windows-Sysmon%4Operational.evtx"
SECURITY = "WS-FIN-07/Windows/System32/winevt/Logs/Security.evtx"
FINDINGS, RECORDS, EVENTS = 6, 11, 460


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped evidence and its case, findings included."""
    folder = tmp_path_factory.mktemp("verify")
    shutil.copytree(EVIDENCE, folder / "evidence")
    evtxscan("ingest", folder / "evidence", "--case", folder / "case.db")
    evtxscan("detect", "--case", folder / "case.db")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to be changed; the case still names the evidence of the original."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def run(folder: Path, *, every: bool = False) -> tuple[Verification, list[dict[str, Any]]]:
    """Verify against the evidence in ``folder``; return the findings' documents, or the records' that do not agree."""
    with settled(folder / "case.db") as case:
        verification = verify(case, Options((folder / "evidence",), every_record=every, jobs=1))
        found = verification.records(every=False) if every else verification.findings()
        return verification, [entry.document() for entry in found]


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0xFF
    path.write_bytes(data)


def change(case: Path, sql: str) -> None:
    with closing(sqlite3.connect(case)) as db, db:
        assert db.execute(sql).rowcount == 1


def test_unchanged_evidence_agrees(made: Path) -> None:
    done = evtxscan("verify", "--case", made / "case.db", "--format", "json")
    assert done.json["totals"] == {
        "conclusion": "confirmed",
        "sources": {"unchanged": 5, "changed": 0, "missing": 0, "unreadable": 0},
        "containers": {"unchanged": 0, "changed": 0, "missing": 0, "unreadable": 0},
        "findings": {"agrees": FINDINGS, "differs": 0, "cannot_render": 0, "gone": 0},
        "records": {"agrees": RECORDS, "differs": 0, "cannot_render": 0, "gone": 0},
        "stale_records": {"agrees": 0, "differs": 0, "cannot_render": 0, "gone": 0},
        "records_against_case": 0,
    }
    roles = [record["role"] for finding in done.json["findings"] for record in finding["records"]]
    assert roles.count("event") == FINDINGS
    assert roles.count("inferred_from") == 2
    assert roles.count("witness") == 3


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_every_record_agrees(made: Path, jobs: str) -> None:
    """Catches records that only one parser reads, or that are not looked at."""
    done = evtxscan("verify", "--case", made / "case.db", "--all", "--jobs", jobs, "--format", "ndjson")
    assert len(done.lines) == EVENTS
    assert {(line["outcome"], line["against"], line["same_bytes"]) for line in done.lines} == {
        ("agrees", "evidence", True)
    }
    assert len({(line["source"]["path"], line["chunk"], line["offset"]) for line in done.lines}) == EVENTS


@pytest.mark.parametrize("seed", range(40))
def test_one_flipped_byte_is_noticed(folder: Path, seed: int) -> None:
    """Catches a check that trusts the case, a hash that is not compared, and a record that is read from the case."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    log = folder / "evidence" / random.choice([SYSMON, SECURITY])
    offset = random.randrange(log.stat().st_size)
    flip(log, offset)
    verification, findings = run(folder)
    assert verification.conclusion == "contradicted"
    (changed,) = [source for source in verification.sources if source.outcome == "changed"]
    assert (folder / "evidence" / changed.path) == log
    for finding in findings:
        for record in finding["records"]:
            start = 4096 + record["chunk"] * 65536 + record["offset"]
            touched = (folder / "evidence" / record["source"]["path"]) == log and start <= offset < start + 24
            assert record["against"] == "evidence"
            assert record["same_bytes"] or record["source"]["path"] == changed.path
            if touched:
                assert record["same_bytes"] is False


def first_record(findings: list[dict[str, Any]]) -> tuple[str, int]:
    record = findings[0]["records"][0]
    return record["source"]["path"], 4096 + record["chunk"] * 65536 + record["offset"]


@pytest.mark.parametrize(
    ("place", "outcome"),
    [(0, "gone"), (8, "gone"), (24, "cannot_render")],
    ids=["signature", "record id", "first token"],
)
def test_a_flipped_byte_of_a_finding_has_its_outcome(folder: Path, place: int, outcome: str) -> None:
    path, start = first_record(run(folder)[1])
    flip(folder / "evidence" / path, start + place)
    _, findings = run(folder)
    record = findings[0]["records"][0]
    assert (record["outcome"], record["same_bytes"]) == (outcome, False)
    assert findings[0]["outcome"] == outcome
    assert record["detail"]


def test_a_changed_value_is_named(folder: Path) -> None:
    """Catches *differs* that does not say where: one letter of the command line is another one."""
    path, start = first_record(run(folder)[1])
    log = folder / "evidence" / path
    at = log.read_bytes().index("C:\\Windows\\System32\\cmd.exe".encode("utf-16-le"), start)
    flip(log, at + 6)
    record = run(folder)[1][0]["records"][0]
    assert record["outcome"] == "differs"
    assert [found["field"] for found in record["differences"]] == ["EventData.Image"]
    assert record["differences"][0]["first"] == "C:\\Windows\\System32\\cmd.exe"
    text = evtxscan("verify", "--case", folder / "case.db", "--evidence", folder / "evidence", code=1).out.decode()
    assert "EventData.Image: 'C:\\Windows\\System32\\cmd.exe' was read" in text


def test_a_cut_file(folder: Path) -> None:
    log = folder / "evidence" / SYSMON
    log.write_bytes(log.read_bytes()[: 4096 + 2 * 65536])
    _, findings = run(folder)
    outcomes = [finding["outcome"] for finding in findings]
    assert "gone" in outcomes
    assert "agrees" in outcomes


ALTERED: list[tuple[str, str]] = [
    (
        "UPDATE finding SET document = json_set(document, '$.process.command_line', 'nothing to see')"
        " WHERE id = (SELECT min(id) FROM finding)",
        "process.command_line",
    ),
    (
        "UPDATE finding SET document = json_set(document, '$.evtxscan.raw_xml',"
        " replace(json_extract(document, '$.evtxscan.raw_xml'), 'WS-FIN-07', 'WS-FIN-08'))"
        " WHERE id = (SELECT min(id) FROM finding)",
        "evtxscan.raw_xml: System.Computer",
    ),
]


@pytest.mark.parametrize(("sql", "field"), ALTERED)
def test_a_finding_that_was_altered_in_the_case(folder: Path, sql: str, field: str) -> None:
    """Catches a check of the evidence alone: what is read out in court is the finding."""
    change(folder / "case.db", sql)
    verification, findings = run(folder)
    assert verification.conclusion == "contradicted"
    assert field in [found["field"] for finding in findings for found in finding["altered"]]


@pytest.mark.parametrize("every", [False, True])
def test_an_event_that_was_altered_in_the_case(folder: Path, every: bool) -> None:
    """Catches an event that no longer says what its record does."""
    change(
        folder / "case.db",
        'UPDATE event SET "process.pid" = 4242 WHERE id = (SELECT event FROM finding ORDER BY time LIMIT 1)',
    )
    verification, found = run(folder, every=every)
    assert verification.conclusion == "contradicted"
    altered = found[0]["altered"] if every else found[0]["records"][0]["altered"]
    assert {"field": "process.pid", "case": "4242", "record": "9012"} in altered


def test_a_chunk_that_was_altered_in_the_case(folder: Path) -> None:
    change(
        folder / "case.db",
        "UPDATE chunk SET sha256 = zeroblob(32) WHERE id ="
        " (SELECT chunk FROM event WHERE id = (SELECT event FROM finding ORDER BY time LIMIT 1))",
    )
    verification, findings = run(folder)
    assert verification.conclusion == "contradicted"
    assert "hash" in findings[0]["records"][0]["detail"]


def away(folder: Path) -> None:
    shutil.rmtree(folder / "evidence")


def test_without_the_evidence_the_case_is_checked_and_says_so(folder: Path) -> None:
    """Catches *confirmed* where nobody has looked at the evidence."""
    change_argument(folder)
    away(folder)
    done = evtxscan("verify", "--case", folder / "case.db", "--format", "json", code=3)
    assert done.json["totals"]["conclusion"] == "incomplete"
    assert done.json["totals"]["records"]["agrees"] == RECORDS
    assert done.json["totals"]["records_against_case"] == RECORDS
    assert {source["outcome"] for source in done.json["sources"]} == {"missing"}
    text = evtxscan("verify", "--case", folder / "case.db", code=3).out.decode()
    assert "the case's own copy" in text
    assert "--evidence" in text


def change_argument(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "case.db")) as db, db:
        db.execute("UPDATE source SET argument = ?", (str(folder / "evidence"),))


def in_one_folder(folder: Path) -> Path:
    """Put the logs under other names into one folder, beside a log that is none of them."""
    new = folder / "flat"
    new.mkdir()
    for number, path in enumerate(sorted((folder / "evidence").rglob("*.evtx"))):
        shutil.copyfile(path, new / f"{number}.evtx")
    (new / "notes.txt").write_text("no log")
    return new


def elsewhere(folder: Path) -> Path:
    return Path(shutil.copytree(folder / "evidence", folder / "deep" / "er" / "copy")).parents[1]


@pytest.mark.parametrize("move", [in_one_folder, elsewhere])
def test_evidence_that_was_moved(folder: Path, move: Callable[[Path], Path]) -> None:
    """Catches evidence that is only found under its old name."""
    change_argument(folder)
    new = move(folder)
    away(folder)
    done = evtxscan("verify", "--case", folder / "case.db", "--evidence", new, "--format", "json")
    assert done.json["totals"]["sources"]["unchanged"] == 5
    assert done.json["totals"]["records_against_case"] == 0


def test_a_folder_that_is_not_there(folder: Path) -> None:
    done = evtxscan("verify", "--case", folder / "case.db", "--evidence", folder / "nowhere", code=1)
    assert "no such file or folder" in done.message


def test_a_case_without_findings(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "case.db")) as db, db:
        db.execute("DELETE FROM finding")
    text = evtxscan("verify", "--case", folder / "case.db").out.decode()
    assert "no findings" in text
    assert "--all" in text
