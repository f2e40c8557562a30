"""Stale records are held against the evidence as live ones are, by two readers, and counted apart."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.evtx.test_carve import noise
from tests.evtxmaker import damage
from tests.integration import logs
from tests.integration.command import evtxscan
from tests.integration.test_again import ingest
from tests.integration.test_stale import TOML, overwrite_templates

LIVE, STALE = 8, 22


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of one chunk of 30 records, of which the first 8 are live."""
    path = tmp_path / "evidence" / "log.evtx"
    logs.write(path, (logs.process_start(number) for number in range(LIVE + STALE)))
    damage.leave_in_slack(path, 0, STALE)
    return path


@pytest.fixture
def case(log: Path, tmp_path: Path) -> Path:
    """The case of that log."""
    ingest(tmp_path / "case.db", log.parent)
    return tmp_path / "case.db"


@pytest.fixture
def lent(log: Path, tmp_path: Path) -> Path:
    """The case of that log without its templates, and of another log that has them."""
    overwrite_templates(log)
    logs.write(log.with_name("lender.evtx"), (logs.process_start(number) for number in range(100, 103)))
    ingest(tmp_path / "case.db", log.parent)
    return tmp_path / "case.db"


def verify(case: Path, *words: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = evtxscan("verify", "--case", case, *words, "--format", "json", code=code).json
    return found


def every(case: Path, *, code: int = 0) -> list[dict[str, Any]]:
    """Return the stale records of ``verify --all``."""
    lines = evtxscan("verify", "--all", "--jobs", "1", "--case", case, "--format", "ndjson", code=code).lines
    return [line for line in lines if line["origin"] != "live"]


def outcomes(**counts: int) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in ("agrees", "differs", "cannot_render", "gone")}


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x01
    path.write_bytes(data)


def test_they_agree_and_are_counted_apart(case: Path) -> None:
    """Catches stale records that are not looked at, that no second reader has read, or that swell the live counts."""
    assert verify(case, "--all")["totals"] == {
        "conclusion": "confirmed",
        "sources": {"unchanged": 1, "changed": 0, "missing": 0, "unreadable": 0},
        "containers": {"unchanged": 0, "changed": 0, "missing": 0, "unreadable": 0},
        "findings": outcomes(),
        "records": outcomes(agrees=LIVE),
        "stale_records": outcomes(agrees=STALE),
        "records_against_case": 0,
    }
    assert {(r["origin"], r["template"], len(r["templates"]), r["same_bytes"]) for r in every(case)} == {
        ("slack", "in_place", 0, True)
    }
    assert "stale     22 agrees" in evtxscan("verify", "--all", "--case", case).out.decode()


def test_a_template_of_another_log_is_read_by_both_and_named(lent: Path, log: Path) -> None:
    """Catches a second opinion that is none, and a result that does not say where the template came from."""
    lender = log.with_name("lender.evtx")
    records = every(lent)
    assert {(r["outcome"], r["template"]) for r in records} == {("agrees", "other_source")}
    assert len(records) == STALE
    for template in records[0]["templates"]:
        assert template["source"]["path"] == "lender.evtx"
        at = 4096 + 65536 * template["chunk"] + template["offset"]
        guid = lender.read_bytes()[at + 4 : at + 20]
        assert guid[:4][::-1].hex() == template["guid"][:8]


def test_a_changed_name_in_a_lent_template_is_noticed(lent: Path, log: Path) -> None:
    """Catches a template that is taken from the case although the evidence has another one by now."""
    lender = log.with_name("lender.evtx")
    flip(lender, lender.read_bytes().index("CommandLine".encode("utf-16-le")))
    records = every(lent, code=1)
    assert {(r["outcome"], r["same_bytes"]) for r in records} == {("cannot_render", True)}
    assert "template" in records[0]["detail"]


@pytest.mark.parametrize(
    ("place", "outcome"), [(0, "gone"), (8, "gone"), (24, "cannot_render")], ids=["signature", "record id", "token"]
)
def test_a_flipped_bit_of_a_header_is_noticed(case: Path, log: Path, place: int, outcome: str) -> None:
    """Catches a check of a stale record that looks at the case's copy of it."""
    flip(log, damage.stale_places(log, 0)[5] + place)
    records = [record for record in every(case, code=1) if record["outcome"] != "agrees"]
    assert [(record["outcome"], record["same_bytes"]) for record in records] == [(outcome, False)]
    assert records[0]["detail"]


def test_a_flipped_bit_anywhere_in_slack_is_noticed(case: Path, log: Path) -> None:
    """Catches bytes of a stale record that no check reads."""
    whole = log.read_bytes()
    places = damage.stale_places(log, 0)
    for number in range(6):
        at = places[0] + (places[-1] - places[0]) * number // 6 + 3 * number
        flip(log, at)
        (record,) = [record for record in every(case, code=1) if record["same_bytes"] is False]
        assert record["offset"] + 4096 == max(place for place in places if place <= at)
        log.write_bytes(whole)


def test_a_changed_value_is_named(case: Path, log: Path) -> None:
    flip(log, log.read_bytes().index("tool6.exe /n 20".encode("utf-16-le")))
    (record,) = [record for record in every(case, code=1) if record["outcome"] != "agrees"]
    assert record["outcome"] == "differs"
    assert record["differences"] == [
        {"field": "EventData.CommandLine", "first": "tool6.exe /n 20", "second": "uool6.exe /n 20"}
    ]


def test_a_finding_in_one(case: Path, log: Path, tmp_path: Path) -> None:
    """Catches findings in deleted records that verify cannot follow to their bytes."""
    (tmp_path / "rule.toml").write_text(TOML)
    evtxscan("detect", "--rules", tmp_path / "rule.toml", "--case", case)
    found = verify(case)
    assert found["totals"]["findings"] == outcomes(agrees=LIVE + STALE)
    assert found["totals"]["records"] == outcomes(agrees=LIVE)
    assert found["totals"]["stale_records"] == outcomes(agrees=STALE)
    flip(log, damage.stale_places(log, 0)[-1])
    found = verify(case, code=1)
    assert found["totals"]["stale_records"] == outcomes(agrees=STALE - 1, gone=1)
    assert found["totals"]["findings"] == outcomes(agrees=LIVE + STALE - 1, gone=1)
    assert "[slack]" in evtxscan("verify", "--case", case, code=1).out.decode()


def test_an_event_that_was_altered_in_the_case(case: Path) -> None:
    """Catches a stale event that no longer says what its record does."""
    with closing(sqlite3.connect(case)) as db, db:
        db.execute(
            'UPDATE event SET "process.pid" = 4242 WHERE id = (SELECT min(event) FROM stale_record)',
        )
    (record,) = [record for record in every(case, code=1) if record["outcome"] != "agrees"]
    assert record["outcome"] == "differs"
    assert {"field": "process.pid", "case": "4242", "record": str(1000 + LIVE)} in record["altered"]


def test_a_copy_of_a_live_record(case: Path, log: Path) -> None:
    """Catches places of a stale record that are not looked at because its event is live elsewhere."""
    logs.write(log.with_name("whole.evtx"), (logs.process_start(number) for number in range(LIVE + STALE)))
    ingest(case, log.parent)
    totals = verify(case, "--all")["totals"]
    assert totals["records"] == outcomes(agrees=2 * LIVE + STALE)
    assert totals["stale_records"] == outcomes(agrees=STALE)


def test_what_was_carved(log: Path, tmp_path: Path) -> None:
    """Catches carved records that are looked for by chunks of a log, and single ones outside of any chunk."""
    data = log.read_bytes()
    places = damage.stale_places(log, 0)
    image = tmp_path / "unallocated.bin"
    single = data[places[3] : places[4]]
    image.write_bytes(noise(1000, 1) + data[4096:69632] + noise(77, 2) + single)
    case = tmp_path / "carved.db"
    evtxscan("carve", image, "--case", case)
    records = every(case)
    assert {(r["outcome"], r["origin"], r["same_bytes"]) for r in records} == {("agrees", "carved", True)}
    assert len(records) == LIVE + STALE + 1
    alone = records[-1]
    assert (alone["chunk"], alone["offset"]) == (1000 + 65536 + 77, 0)
    assert alone["template"] == "same_source"
    flip(image, alone["chunk"] + len(single) // 2)
    changed = [record for record in every(case, code=1) if record["same_bytes"] is False]
    assert [record["chunk"] for record in changed] == [alone["chunk"]]
