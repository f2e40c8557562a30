"""Suppression files: what they set aside, that nothing is lost, and what is wrong with them."""

from __future__ import annotations

import csv
import io
import sqlite3
from pathlib import Path

import pytest

from tests.export.schemas import faults
from tests.integration.command import evtxscan

RULE = "265db8f5-fc73-4d0d-b434-6483b56372e2"
HEAD = f'[[suppress]]\nrule = "{RULE}"\nauthor = "R. Vogt"\nreason = "known\x1c"\ndate = 2026-03-04\n'.replace(
    "\x1c", ""
)


def write(path: Path, *entries: str) -> Path:
    """Write a suppression file with what each entry has beside who, why and when."""
    path.write_text("".join(f"{HEAD}{entry}\n" for entry in entries), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("entries", "counts"),
    [
        ([""], [6]),
        (['host = "WS-FIN-07"'], [6]),
        (['host = "ws-fin-07.corp.example"'], [6]),
        (['host = "fin-07"'], [0]),
        (["when = 'process.name : \"CMD.exe\"'"], [2]),
        (["when = 'process.name : \"cmd.exe\"'", ""], [2, 4]),
        (["when = 'process.parent.args : \"usosvc\" and process.pid == 7604'"], [1]),
        (["expires = 2020-05-18"], [1]),
        (["expires = 2020-05-17"], [0]),
        (["expires = 2020-05-19"], [6]),
    ],
)
def test_what_an_entry_covers(tmp_path: Path, scenario: Path, entries: list[str], counts: list[int]) -> None:
    """Catches a host by part of its name, a condition on recorded fields alone, an end that is off by a day."""
    file = write(tmp_path / "known.toml", *entries)
    result = evtxscan("detect", "--case", scenario, "--suppress", file, "--format", "json").json
    assert faults("detect", result) == []
    assert [entry["findings"] for entry in result["suppressions"]] == counts
    assert len(result["findings"]) == 6 - sum(counts)
    assert len(result["suppressed"]) == result["summary"]["suppressed"] == sum(counts)
    assert {verdict["verdict"] for verdict in result["verdicts"]} == {"match", "undetermined"}
    for finding in result["suppressed"]:
        assert finding["evtxscan"]["suppressed"]["author"] == "R. Vogt"
        assert finding["evtxscan"]["suppressed"]["reason"] == "known"


def test_nothing_is_hidden_in_any_format(tmp_path: Path, scenario: Path) -> None:
    file = write(tmp_path / "known.toml", "when = 'process.name : \"cmd.exe\"'", 'host = "nobody"')
    words = ("detect", "--case", scenario, "--suppress", file)
    plain = {
        line["evtxscan"]["finding"]["id"] for line in evtxscan("detect", "--case", scenario, "--format", "ndjson").lines
    }
    lines = evtxscan(*words, "--format", "ndjson").lines
    assert {line["evtxscan"]["finding"]["id"] for line in lines} == plain
    assert ["suppressed" in line["evtxscan"] for line in lines] == [False] * 4 + [True] * 2
    assert all(faults("finding", line) == [] for line in lines)
    rows = list(csv.DictReader(io.StringIO(evtxscan(*words, "--format", "csv").out.decode("utf-8-sig"))))
    assert [(row["suppressed"], row["suppressed_by"]) for row in rows] == [("", "")] * 4 + [("known", "R. Vogt")] * 2
    ids = [line["evtxscan"]["finding"]["id"] for line in lines[4:]]
    table = evtxscan(*words).out.decode()
    report = evtxscan(*words, "--format", "html").out.decode()
    for text in (table, report):
        assert all(found in text for found in ids)
        assert "R. Vogt, 2026-03-04" in text
    assert "4 findings by 1 rule; 2 suppressed; verdicts: match: 1" in table
    assert "0 findings (" in table
    with sqlite3.connect(scenario) as db:
        assert db.execute("SELECT count(*) FROM findings WHERE suppressed = 'known'").fetchone() == (2,)
    evtxscan(*words, "--fail-on-match", code=1)
    evtxscan("detect", "--case", scenario, "--suppress", write(tmp_path / "all.toml", ""), "--fail-on-match", code=0)
    evtxscan("detect", "--case", scenario)


BROKEN = [
    ("suppress = 3", "entries have to be tables [[suppress]]"),
    ("", "there is no entry"),
    ("[[supress]]\nrule = 'x'", "'supress' is unknown"),
    (f"{HEAD}hosts = 'x'", "line 6: 'hosts' is unknown"),
    (HEAD.replace("author", "#"), "line 1: author is missing"),
    (HEAD.replace("2026-03-04", '"2026-03-04"'), "line 5: date has to be a date"),
    (HEAD.replace("2026-03-04", "2026-03-04T10:00:00Z"), "line 5: date has to be a date"),
    (f"{HEAD}\n{HEAD}when = 'process.name :: 1'", "line 12: when: column 15 of the condition"),
    (f"{HEAD}when = 'foo(process.name)'", "line 6: when: column 1 of the condition: unknown function foo"),
    (HEAD.replace('"known"', '" "'), "line 4: reason has to be a text"),
    (f"{HEAD}x = = 1", "line 6: no valid TOML"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_file_that_is_not_valid_stops_the_command(tmp_path: Path, scenario: Path, text: str, message: str) -> None:
    file = tmp_path / "known.toml"
    file.write_text(text, encoding="utf-8")
    done = evtxscan("detect", "--case", scenario, "--suppress", file, code=1)
    assert message in done.message
    assert str(file) in done.message
    assert not done.out


def test_all_mistakes_are_told_at_once(tmp_path: Path, scenario: Path) -> None:
    file = write(tmp_path / "known.toml", "x = 1", "", "y = 2")
    done = evtxscan("detect", "--case", scenario, "--suppress", file, "--suppress", tmp_path / "none.toml", code=1)
    for part in ("line 6: 'x' is unknown", "line 18: 'y' is unknown", "none.toml: cannot be read"):
        assert part in done.message


def test_a_misspelt_field_is_warned_of(tmp_path: Path, scenario: Path) -> None:
    file = write(tmp_path / "known.toml", "when = 'proces.name : \"cmd.exe\"'")
    result = evtxscan("detect", "--case", scenario, "--suppress", file, "--format", "json").json
    assert [(warning["field"], warning["nearest"]) for warning in result["warnings"]] == [
        ("proces.name", "process.name")
    ]
    evtxscan("detect", "--case", scenario)
