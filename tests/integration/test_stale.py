"""Deleted records: found, labelled, searched, counted apart, and the same whatever came first."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.evtxmaker import damage
from tests.export.schemas import faults
from tests.integration import content, logs
from tests.integration.command import evtxscan
from tests.integration.test_again import documents, ingest

LIVE = 8
RULE = 'process where process.args : "/n"'
TOML = (
    '[rule]\nname = "n"\nrule_id = "r"\nrisk_score = 1\nseverity = "low"\ntype = "eql"\nlanguage = "eql"\n'
    f"version = 1\nquery = '''{RULE}'''\n"
)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A log of one chunk in which every record is live."""
    logs.write(tmp_path / "whole" / "log.evtx", (logs.process_start(number) for number in range(30)))
    return tmp_path / "whole" / "log.evtx"


@pytest.fixture
def stale(whole: Path, tmp_path: Path) -> Path:
    """The same log, of which only the first records are live."""
    path = tmp_path / "stale" / "log.evtx"
    path.parent.mkdir()
    shutil.copyfile(whole, path)
    damage.leave_in_slack(path, 0, 30 - LIVE)
    return path


def origins(document: dict[str, Any]) -> list[str]:
    return [place["origin"] for place in document["evtxscan"]["provenance"]]


def ids(found: list[dict[str, Any]]) -> list[int]:
    return sorted(int(document["winlog"]["record_id"]) for document in found)


def without_places(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document less what names its log, and what other records add."""
    return {key: value for key, value in document.items() if key != "evtxscan"}


def overwrite_templates(path: Path) -> None:
    """Let another log's one record stand where the live ones stood: the template of the stale ones' data is gone."""
    first_stale = damage.stale_places(path, 0)[0]
    logs.write(path.with_suffix(".other"), [logs.created(1)])
    other = path.with_suffix(".other").read_bytes()
    path.with_suffix(".other").unlink()
    data = bytearray(path.read_bytes())
    data[4096:first_stale] = other[4096:].rstrip(b"\0").ljust(first_stale - 4096, b"\xee")
    path.write_bytes(data)


def test_stale_records_are_events_of_their_own_and_in_no_count(whole: Path, stale: Path, tmp_path: Path) -> None:
    """Catches a deleted record that is missed, rendered otherwise than when it was live, or counted as live."""
    case, reference = tmp_path / "case.db", tmp_path / "reference.db"
    summary = ingest(case, stale)
    ingest(reference, whole)
    assert faults("ingest", summary) == []
    assert summary["totals"] == {"found": LIVE, "stored": LIVE, "known": 0, "lost": 0, "filtered": 0}
    assert (summary["slack"]["found"], summary["slack"]["events"]) == (22, 22)
    assert summary["sources"][0]["slack"] == summary["slack"]
    found = documents(case)
    assert [origins(document) for document in found] == [["live"]] * LIVE + [["slack"]] * 22
    assert [*map(without_places, found)] == [*map(without_places, documents(reference))]
    info = evtxscan("info", "--case", case, "--format", "json").json
    assert [host["events"] for host in info["hosts"]] == [LIVE]
    assert sum(entry["events"] for entry in info["events"]) == LIVE
    assert info["slack"]["events"] == 22
    assert content.faults(case) == []
    assert "22 stale records besides" in evtxscan("ingest", stale, "--case", case).out.decode()


def test_rules_search_them_and_the_finding_says_so(stale: Path, tmp_path: Path) -> None:
    """Catches a finding in a deleted record that looks like any other, and one that cannot be followed to its bytes."""
    case = tmp_path / "case.db"
    ingest(case, stale)
    rule = tmp_path / "rule.toml"
    rule.write_text(TOML)
    findings = evtxscan("detect", "--rules", rule, "--case", case, "--format", "ndjson").lines
    assert [origins(finding) for finding in findings] == [["live"]] * LIVE + [["slack"]] * 22
    last = findings[-1]
    assert faults("finding", last) == []
    assert str(last["winlog"]["record_id"]) in last["evtxscan"]["raw_xml"]
    shown = evtxscan("show", last["evtxscan"]["event"]["id"], "--case", case, "--format", "json").json
    assert without_places(shown) == without_places(last)
    place = shown["evtxscan"]["provenance"][0]
    data = stale.read_bytes()[4096 + 65536 * place["chunk"] + place["offset"] :]
    assert data[:4] == b"**\0\0"
    assert int.from_bytes(data[8:16], "little") == place["record_id"]
    csv = evtxscan("detect", "--rules", rule, "--case", case, "--format", "csv").out.decode()
    assert csv.count('"slack"') == 22
    html = evtxscan("detect", "--rules", rule, "--case", case, "--format", "html").out.decode()
    assert "slack" in html


def test_live_only_leaves_them_aside(whole: Path, stale: Path, tmp_path: Path) -> None:
    """Catches rules over live records that find deleted ones, live ones that go with them, and counts that mix both."""
    case = tmp_path / "case.db"
    ingest(case, stale)
    rule = tmp_path / "rule.toml"
    rule.write_text(TOML)
    words = ("detect", "--rules", rule, "--case", case, "--format", "json")
    everything, live = evtxscan(*words).json, evtxscan(*words, "--live-only").json
    assert everything["summary"]["origins"] == {"live": LIVE, "slack": 22, "carved": 0}
    assert live["summary"]["origins"] == {"live": LIVE, "slack": 0, "carved": 0}
    assert (everything["scope"]["live_only"], live["scope"]["live_only"]) == (False, True)
    assert live["findings"] == [one for one in everything["findings"] if origins(one) == ["live"]]
    assert live["verdicts"] == everything["verdicts"]
    assert faults("detect", live) == []
    asked = ("query", "process where true", "--case", case, "--format", "ndjson")
    assert len(evtxscan(*asked, "--live-only").lines) == LIVE
    assert len(evtxscan(*asked).lines) == LIVE + 22
    plain = ("detect", "--rules", rule, "--case", case)
    assert "findings by origin of their records: live 8, slack 22" in evtxscan(*plain).out.decode()
    assert "by origin" not in evtxscan(*plain, "--live-only").out.decode()
    html = evtxscan(*plain, "--live-only", "--format", "html").out.decode()
    assert "Stale records, deleted or left over, were not among them." in html
    ingest(case, whole)  # now each of them is live as well
    assert len(evtxscan(*asked, "--live-only").lines) == LIVE + 22


def test_left_alone_until_asked_for(stale: Path, tmp_path: Path) -> None:
    """Catches --no-slack that reads them all the same, and a later ingest that thinks the chunk is done."""
    case, reference = tmp_path / "case.db", tmp_path / "reference.db"
    words = ("ingest", stale, "--case", case, "--format", "json")
    assert evtxscan(*words, "--no-slack").json["slack"]["unread"] == 22
    assert len(documents(case)) == LIVE
    assert evtxscan(*words).json["slack"]["events"] == 22
    ingest(reference, stale)
    assert content.content(case)["stale records"] == content.content(reference)["stale records"]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("first", ["whole", "stale"])
def test_a_copy_of_a_live_record_is_that_record(
    first: str, together: bool, whole: Path, stale: Path, tmp_path: Path
) -> None:
    """Catches a record that is two events, where it is live in another log; also one that came later."""
    case, reference = tmp_path / "case.db", tmp_path / "reference.db"
    paths = [whole, stale] if first == "whole" else [stale, whole]
    for group in [paths] if together else [[path] for path in paths]:
        ingest(case, *group)
    ingest(reference, stale, whole)
    found = documents(case)
    assert ids(found) == [*range(1, 31)]
    assert [origins(document) for document in found] == [["live", "live"]] * LIVE + [["live", "slack"]] * 22
    assert content.content(case)["stale records"] == content.content(reference)["stale records"]
    assert documents(reference) == found
    assert content.faults(case) == []


@pytest.mark.parametrize("first", ["helper", "gone"])
def test_a_template_from_another_log_helps_whenever_it_comes(first: str, stale: Path, tmp_path: Path) -> None:
    """Catches a refused record that stays so, and an answer that depends on what was ingested first."""
    overwrite_templates(stale)
    helper = tmp_path / "helper" / "other.evtx"
    logs.write(helper, (logs.process_start(number) for number in range(100, 103)))
    case, reference, alone = (tmp_path / f"{name}.db" for name in ("case", "reference", "alone"))
    ingest(case, *([helper] if first == "helper" else [stale]))
    summary = ingest(case, *([stale] if first == "helper" else [helper]))
    assert summary["slack"]["events"] == 22
    both = ingest(reference, helper, stale)
    assert both["slack"]["events"] == 22
    assert content.content(case)["stale records"] == content.content(reference)["stale records"]
    assert documents(case) == documents(reference)
    assert ingest(alone, stale)["slack"]["unnamed"] == 22  # the template of System is every provider's


def test_what_lacks_a_template_is_listed_with_what_their_bytes_say(stale: Path, tmp_path: Path) -> None:
    """Catches a record that is in no list because it could not be rendered."""
    overwrite_templates(stale)
    case = tmp_path / "case.db"
    ingest(case, stale)
    listed = evtxscan("slack", "--case", case, "--format", "ndjson").lines
    assert [record["record_id"] for record in listed] == [*range(LIVE + 1, 31)]
    assert {(record["state"], record["reason"], record["origin"]) for record in listed} == {
        ("unnamed", "template_unknown", "slack")
    }
    assert {record["record"]["System"]["EventID"] for record in listed} == {1}
    assert all(record["record"]["EventData"]["Data"]["#text"] for record in listed)
    assert len(documents(case)) == 1
    assert all(any("tool" in text for text in record["strings"]) for record in listed)
    assert all(record["written"].startswith("2020-05-18T07:") and record["size"] > 100 for record in listed)
    assert evtxscan("slack", "--case", case).out.decode().count("template unknown") == 22


def test_the_categories_of_only_hold_for_them(stale: Path, tmp_path: Path) -> None:
    """Catches deleted records that --only lets through, or that a full ingest does not add later."""
    case = tmp_path / "case.db"
    assert ingest(case, stale, only="network")["slack"]["filtered"] == 22
    assert ingest(case, stale)["slack"]["events"] == 22
    assert len(documents(case)) == 30
    assert content.faults(case) == []


def test_the_views_name_the_origin(stale: Path, tmp_path: Path) -> None:
    """Catches SQL over a case that takes deleted records for live ones."""
    case = tmp_path / "case.db"
    ingest(case, stale)
    for view in ("events", "event_places"):
        counts = content.read(case, f"SELECT origin, count(*) FROM {view} GROUP BY 1 ORDER BY 1")
        assert counts == [("live", LIVE), ("slack", 22)]
    states = content.read(case, "SELECT state, template, count(*) FROM stale_records GROUP BY 1, 2")
    assert states == [("event", "in_place", 22)]
