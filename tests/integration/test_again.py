"""The same evidence a second time, in another place, grown, or in part at first: every record is there once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.evtxmaker import Event, damage, template
from tests.integration import content, logs
from tests.integration.command import EVIDENCE, evtxscan


def ingest(case: Path, *paths: Path, only: str | None = None) -> dict[str, Any]:
    """Ingest and return the summary."""
    words = ["--only", only] if only else []
    summary: dict[str, Any] = evtxscan("ingest", *paths, "--case", case, "--format", "json", *words).json
    for source in [*summary["sources"], summary["totals"]]:
        parts = ("stored", "known", "lost", "filtered")
        assert source["found"] == sum(source[part] for part in parts), source
    return summary


def totals(summary: dict[str, Any]) -> tuple[int, int, int]:
    """Return found, stored, known."""
    total = summary["totals"]
    return total["found"], total["stored"], total["known"]


def documents(case: Path, query: str = "any where true") -> list[dict[str, Any]]:
    return evtxscan("query", query, "--case", case, "--format", "ndjson").lines


def places(document: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Return file, chunk and offset of every place of an event."""
    return [(place["source"]["path"], place["chunk"], place["offset"]) for place in document["evtxscan"]["provenance"]]


def test_the_same_file_again_adds_nothing(tmp_path: Path) -> None:
    """Catches a record that is stored by each ingest anew."""
    case = tmp_path / "case.db"
    assert totals(ingest(case, EVIDENCE)) == (460, 460, 0)
    before = content.content(case)
    findings = evtxscan("detect", "--case", case, "--format", "json").out
    assert totals(ingest(case, EVIDENCE)) == (460, 0, 460)
    assert content.content(case) == before
    assert content.faults(case) == []
    assert evtxscan("detect", "--case", case, "--format", "json").out == findings


def test_the_same_log_in_two_folders_is_known_and_has_two_places(tmp_path: Path) -> None:
    """Catches a copy whose records count twice, and one whose place is forgotten."""
    case = tmp_path / "case.db"
    logs.write(tmp_path / "evidence" / "a" / "one.evtx", logs.mixed(40))
    (tmp_path / "evidence" / "b").mkdir()
    shutil.copyfile(tmp_path / "evidence" / "a" / "one.evtx", tmp_path / "evidence" / "b" / "two.evtx")
    assert totals(ingest(case, tmp_path / "evidence")) == (80, 40, 40)
    found = documents(case)
    assert len(found) == 40
    for document in found:
        (one, chunk, offset), (two, same_chunk, same_offset) = places(document)
        assert (one, two) == ("a/one.evtx", "b/two.evtx")
        assert (chunk, offset) == (same_chunk, same_offset)
    assert content.faults(case) == []


def test_a_path_given_twice_is_read_once(tmp_path: Path) -> None:
    """Catches a file that is counted twice because a folder and a file of it were named."""
    case = tmp_path / "case.db"
    log = tmp_path / "evidence" / "one.evtx"
    logs.write(log, logs.mixed(40))
    summary = ingest(case, tmp_path / "evidence", log, tmp_path / "evidence" / ".." / "evidence")
    assert totals(summary) == (40, 40, 0)
    assert len(summary["sources"]) == 1


@pytest.mark.parametrize("order", ["early first", "late first", "together"])
def test_a_grown_copy_adds_the_new_records_only(tmp_path: Path, order: str) -> None:
    """Catches records of a chunk that was half full at the first collection and is stored twice, or not at all."""
    case = tmp_path / "case.db"
    early, late = tmp_path / "monday" / "log.evtx", tmp_path / "tuesday" / "log.evtx"
    logs.write(early, logs.mixed(70), first_record_id=500)
    logs.write(late, logs.mixed(200), first_record_id=500)
    steps = {"early first": [[early], [late]], "late first": [[late], [early]], "together": [[early, late]]}[order]
    summaries = [ingest(case, *paths) for paths in steps]
    assert sum(summary["totals"]["stored"] for summary in summaries) == 200
    assert sum(summary["totals"]["known"] for summary in summaries) == 70
    assert content.faults(case) == []

    found = {document["winlog"]["record_id"]: document for document in documents(case)}
    assert sorted(found, key=int) == [str(500 + number) for number in range(200)]
    for record_id, document in found.items():
        assert len(places(document)) == (2 if int(record_id) < 570 else 1)
        pid = document["process"]["pid"]
        assert pid == 1000 + int(record_id) - 500


def test_another_log_with_the_same_ids_and_times_is_not_taken_for_a_copy(tmp_path: Path) -> None:
    """Catches a comparison by record id and time alone: a second machine has both, and other content."""
    case = tmp_path / "case.db"
    logs.write(tmp_path / "a.evtx", (logs.process_start(number) for number in range(30)))
    logs.write(tmp_path / "b.evtx", (logs.process_start(number, CommandLine=f"x {number}") for number in range(30)))
    assert totals(ingest(case, tmp_path)) == (60, 60, 0)


@pytest.mark.parametrize("steps", [("process",), ("process,authentication", "registry,file"), ("network", "process")])
def test_a_triage_pass_is_completed_by_a_full_one(tmp_path: Path, steps: tuple[str, ...]) -> None:
    """Catches records that a triage pass leaves out for good, and those that it stored being stored again."""
    whole, parts = tmp_path / "whole.db", tmp_path / "parts.db"
    ingest(whole, EVIDENCE)
    stored = 0
    for only in steps:
        summary = ingest(parts, EVIDENCE, only=only)
        stored += summary["totals"]["stored"]
        assert summary["totals"]["filtered"] == 460 - stored
        wanted = set(only.split(","))
        new = {category for document in documents(parts) for category in document["event"].get("category", [])}
        assert wanted & new
    assert 0 < stored < 460
    assert all(set(d["event"]["category"]) & set(",".join(steps).split(",")) for d in documents(parts))
    assert totals(ingest(parts, EVIDENCE)) == (460, 460 - stored, stored)
    assert content.faults(parts) == []
    assert content.content(parts) == content.content(whole)
    for words in (["detect", "--format", "json"], ["query", "any where true", "--format", "ndjson"]):
        assert evtxscan(*words, "--case", parts).out == evtxscan(*words, "--case", whole).out


def test_a_triage_pass_after_a_full_one_takes_nothing_away(tmp_path: Path) -> None:
    """Catches a case that forgets what it holds because a later ingest asked for less."""
    case = tmp_path / "case.db"
    ingest(case, EVIDENCE)
    before = content.content(case)
    assert totals(ingest(case, EVIDENCE, only="process")) == (460, 0, 460)
    assert content.content(case) == before


def test_more_evidence_adds_to_the_case(tmp_path: Path) -> None:
    """Catches derived tables (parents, counts) that know only the first ingest."""
    at_once, bit_by_bit = tmp_path / "once.db", tmp_path / "bits.db"
    ingest(at_once, EVIDENCE)
    for folder in sorted(EVIDENCE.iterdir(), reverse=True):
        for log in sorted(folder.rglob("*.evtx")):
            ingest(bit_by_bit, log)
    for name in ("events", "hosts", "processes", "chunk bytes"):
        assert content.content(bit_by_bit)[name] == content.content(at_once)[name], name


@pytest.mark.parametrize(
    "steps",
    [
        [("early", "process"), ("late", None), ("early", None)],
        [("late", "process"), ("early", None), ("late", None)],
        [("early", "process"), ("late", "process"), ("late", None), ("early", None)],
        [("early", "registry"), ("late", "process"), ("early", None), ("late", None)],
        [("early", None), ("late", "process"), ("late", None)],
    ],
)
def test_triage_and_growth_together(tmp_path: Path, steps: list[tuple[str, str | None]]) -> None:
    """Catches a record of two copies that each triage pass left to the other one, or that both then store."""
    case, at_once = tmp_path / "case.db", tmp_path / "once.db"
    copies = {"early": tmp_path / "logs" / "early.evtx", "late": tmp_path / "logs" / "late.evtx"}
    for name, count in (("early", 60), ("late", 130)):
        logs.write(copies[name], (both(number) for number in range(count)), first_record_id=500)
    for name, only in steps:
        ingest(case, copies[name], only=only)
        assert content.faults(case) == []
    ingest(at_once, *copies.values())
    expected = sorted(document["winlog"]["record_id"] for document in documents(at_once))
    assert len(expected) == 130
    assert sorted(document["winlog"]["record_id"] for document in documents(case)) == expected
    for document in documents(case):
        assert len(places(document)) == (2 if int(document["winlog"]["record_id"]) < 560 else 1)


def both(number: int) -> Event:
    """Return a process start, and as every second event a change of the registry."""
    if number % 2:
        return logs.process_start(number)
    kind = template("sysmon", 13)
    values = kind.row(UtcTime=logs.utc_time(number), TargetObject=f"HKLM\\X\\{number}", Details=f"{number}")
    return Event(kind, logs.START + number * logs.SECOND, logs.HOST, values)


@pytest.mark.parametrize("damaged", ["early", "late", "both"])
def test_damage_does_not_double_the_rest_of_a_grown_copy(tmp_path: Path, damaged: str) -> None:
    """Catches a chunk that is stored whole beside its other copy because one of its records is broken."""
    case = tmp_path / "case.db"
    for name, count in (("early", 60), ("late", 130)):
        log = tmp_path / f"{name}.evtx"
        logs.write(log, logs.mixed(count), first_record_id=500)
        if damaged in (name, "both"):
            damage.break_record_body(log, 510)
    evtxscan("ingest", tmp_path / "early.evtx", tmp_path / "late.evtx", "--case", case, code=3)
    assert content.faults(case) == []
    found = [int(document["winlog"]["record_id"]) for document in documents(case)]
    assert sorted(found) == [number for number in range(500, 630) if number != 510 or damaged != "both"]
