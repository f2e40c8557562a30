"""``evtxscan rules``: what it says of good and broken files, and of a case."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from tests.export.schemas import faults
from tests.integration.command import evtxscan

BUILTIN = "265db8f5-fc73-4d0d-b434-6483b56372e2"
HEAD = '[rule]\nrule_id = "{id}"\nname = "{id} rule"\ntype = "{type}"\nseverity = "{severity}"\nrisk_score = 21\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One rule of each state, and every way in which a file can be none."""
    path = tmp_path_factory.mktemp("rules")

    def write(name: str, query: str, kind: str = "eql", severity: str = "low") -> None:
        head = HEAD.format(id=name, type=kind, severity=severity)
        (path / f"{name}.toml").write_text(f"{head}query = '''\n{query}\n'''\n", encoding="utf-8")

    write("starts", 'process where event.type == "start" and process.command_line : "*x*"')
    write("images", 'library where dll.name : "x.dll"')
    write("signed", "process where process.code_signature.trusted == true")
    write("esql", "from logs-* | limit 1", "esql")
    write("query", "process where foo(process.name)")
    write("severe", "any where true", severity="huge")
    (path / "broken.toml").write_text('[rule]\nname = = "\x7f"\n', encoding="utf-8")
    (path / "hostile.toml").write_text('[rule]\nrule_id = "\\u001b[31m"\n', encoding="utf-8")
    (path / "bytes.toml").write_bytes(b"[rule]\nname = '\xff'\n")
    (path / "empty.toml").write_text("", encoding="utf-8")
    return path


def listed(*words: str | Path) -> dict[str, Any]:
    """Return the JSON of ``rules list`` by id or file name; its shape is as its schema says."""
    result = evtxscan("rules", "list", "--format", "json", *words).json
    assert faults("rules", result) == []
    return {entry["id"] or Path(entry["path"]).name: entry for entry in result["rules"]}


def test_one_broken_file_never_stops_the_others(folder: Path) -> None:
    rules = listed("--rules", folder)
    assert {name: entry["state"] for name, entry in rules.items()} == {
        "starts": "runs",
        "images": "runs",
        "signed": "runs_without_fields",
        **dict.fromkeys(
            ("esql", "query", "severe.toml", "broken.toml", "hostile.toml", "bytes.toml", "empty.toml"),
            "not_supported",
        ),
    }
    places = {name: (entry["reason"] or {}).get("line") for name, entry in rules.items()}
    assert {name: line for name, line in places.items() if line} == {
        "query": 8,
        "severe.toml": 5,
        "broken.toml": 2,
        "hostile.toml": 1,
    }
    assert rules["signed"]["fields_never_in_event_logs"] == ["process.code_signature.trusted"]
    assert rules["esql"]["reason"]["code"] == "rule_type"


def test_check_leaves_with_1_for_broken_files_alone(folder: Path, tmp_path: Path) -> None:
    done = evtxscan("rules", "check", "--rules", folder, code=1)
    text = done.out.decode()
    assert "query.toml, line 8, column 15: unknown function foo\n  process where foo(process.name)\n" in text
    assert "broken.toml, line 2, column 8: no valid TOML: Invalid value" in text
    assert "\x1b" not in text
    assert "\x7f" not in text
    for name in ("starts", "esql", "signed"):
        (tmp_path / f"{name}.toml").write_bytes((folder / f"{name}.toml").read_bytes())
    evtxscan("rules", "check", "--rules", tmp_path, code=0)


def test_formats_say_the_same(folder: Path) -> None:
    rules = listed("--rules", folder)
    lines = evtxscan("rules", "list", "--rules", folder, "--format", "ndjson").lines
    assert lines == list(rules.values())
    text = evtxscan("rules", "list", "--rules", folder, "--format", "csv").out.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["id"], row["state"]) for row in rows] == [(line["id"] or "", line["state"]) for line in lines]
    table = evtxscan("rules", "list", "--rules", folder).out.decode()
    assert "10 rules; 2 run; 1 run without fields that are never in event logs; 7 not supported (6 of them broken)" in (
        " ".join(table.split())
    )


def test_a_case_says_what_it_can_decide(folder: Path, scenario: Path) -> None:
    rules = listed("--rules", folder, "--case", scenario)
    starts = {entry["host"].partition(".")[0]: entry for entry in rules["starts"]["evidence"]}
    assert {host: entry["decides"] for host, entry in starts.items()} == {"srv-old-02": "in_part", "ws-fin-07": "yes"}
    ((audited,),) = (stage["present"] for stage in starts["srv-old-02"]["stages"])
    assert audited["event"] == "security/4688"
    assert {"field": "process.command_line", "reason": "command_line_not_audited"} in audited["lacks"]
    images = rules["images"]["evidence"]
    assert [(entry["decides"], entry["needs"]) for entry in images] == [("no", [["sysmon/7"]])] * 2
    assert "evidence" in rules["esql"]
    assert rules["esql"]["evidence"] == []
    checked = evtxscan("rules", "check", "--rules", folder, "--case", scenario, code=1).out.decode()
    assert "Events that would have to be there" in checked
    assert "Security 4688: process.command_line: command lines were not audited" in " ".join(checked.split())


def test_the_part_of_the_case_counts(folder: Path, scenario: Path) -> None:
    """Catches counts over the whole case where the user named a host or a time."""
    rules = listed("--rules", folder, "--case", scenario, "--host", "WS-FIN-07", "--to", "2001-01-01")
    (entry,) = rules["starts"]["evidence"]
    assert (entry["host"], entry["decides"]) == ("ws-fin-07.corp.example", "no")


@pytest.mark.parametrize("wanted", [BUILTIN, "persistence_update_orchestrator_hijack", "PERSISTENCE via update "])
def test_show(wanted: str) -> None:
    if wanted.endswith(" "):
        wanted += "orchestrator service hijack"
    text = evtxscan("rules", "show", wanted).out.decode()
    for part in ("UsoSvc", "Investigation guide", "False positives", "SHA-256", "T1543.003", "Sysmon 1", BUILTIN):
        assert part in text, part
    document = evtxscan("rules", "show", wanted, "--format", "json").json
    assert document["query"].startswith("process where")
    assert (document["state"], document["can_match"], document["severity"]) == ("runs", True, "high")


def test_show_of_what_there_is_not(folder: Path) -> None:
    assert "no rule has this id" in evtxscan("rules", "show", "nothing", code=2).message
    text = evtxscan("rules", "show", "query.toml", "--rules", folder).out.decode()
    assert "unknown function foo" in text
    assert "line 2" in evtxscan("rules", "show", "broken.toml", "--rules", folder).out.decode()


def test_a_case_that_is_none(folder: Path, tmp_path: Path) -> None:
    done = evtxscan("rules", "list", "--case", tmp_path / "none.db", code=1)
    assert "none.db" in done.message
    assert not (tmp_path / "none.db").exists()
