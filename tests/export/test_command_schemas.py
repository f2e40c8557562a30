"""Holds the schemas of what other commands write against the commands, on evidence that has everything."""

from __future__ import annotations

import copy
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from evtxscan import schema
from evtxscan.context.boots import EndMethod
from evtxscan.context.coverage.model import BeginReason, GapReason, StopReason
from evtxscan.context.coverage.window import WindowReason
from evtxscan.context.scripts import ScriptState
from evtxscan.context.signs import ClockMethod
from evtxscan.proof.findings import Role
from evtxscan.proof.records import OUTCOMES, Against
from evtxscan.proof.sources import SOURCE_OUTCOMES
from evtxscan.proof.verify import Conclusion
from tests.evtxmaker import damage
from tests.export.schemas import faults, load
from tests.integration import archives, logs
from tests.integration.command import EVIDENCE, evtxscan
from tests.integration.test_stale import TOML

Document = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of logs with findings, stale and carved records, losses, an archive and files that are no logs."""
    top = tmp_path_factory.mktemp("schemas")
    evidence = top / "evidence"
    shutil.copytree(EVIDENCE, evidence)
    (evidence / "notes.txt").write_text("no log")
    slack = evidence / "slack.evtx"
    logs.write(slack, (logs.process_start(number) for number in range(30)))
    damage.leave_in_slack(slack, 0, 20)
    bad = top / "bad.evtx"
    logs.write(bad, (logs.process_start(number) for number in range(40, 60)))
    damage.break_record_body(bad, 5)
    (evidence / "more.zip").write_bytes(archives.zipped([("bad.evtx", bad.read_bytes())]))
    (top / "rule.toml").write_text(TOML)
    case = top / "case.db"
    evtxscan("ingest", evidence, "--case", case, "--examiner", "R. Vogt", "--exhibit", "7", code=None)
    gone = top / "gone.evtx"
    logs.write(gone, (logs.process_start(number) for number in range(70, 80)))
    (top / "unallocated.bin").write_bytes(b"noise" + gone.read_bytes()[4096:])
    evtxscan("carve", top / "unallocated.bin", "--case", case)
    evtxscan("detect", "--case", case)
    evtxscan("detect", "--rules", top / "rule.toml", "--case", case)
    return top


def written(folder: Path, *words: str | Path, code: int | None = None) -> Any:  # noqa: ANN401 - any JSON value
    return evtxscan(*words, "--case", folder / "case.db", "--format", "json", code=code).json


def test_info(folder: Path) -> None:
    # Catches a member that is written and not described, in every list that this case fills.
    found = written(folder, "info")
    assert faults("info", found) == []
    empty = [name for name in ("sources", "containers", "skipped", "losses", "hosts", "findings") if not found[name]]
    assert empty == []
    assert found["slack"]["found"]
    assert found["carved"]["found"]


def test_coverage(folder: Path) -> None:
    found = written(folder, "coverage")
    assert faults("coverage", found) == []
    assert any(log["gaps"] for host in found for log in host["logs"])
    for name in ("boots", "clock_changes", "recorded", "stops", "notices", "windows"):
        assert any(host[name] for host in found), name
    lines = evtxscan("coverage", "--case", folder / "case.db", "--format", "ndjson").lines
    assert [faults("coverage", line, "host") for line in lines] == [[]] * len(found)


def test_manifest(folder: Path) -> None:
    found = written(folder, "manifest")
    assert faults("manifest", found) == []
    assert found["containers"]
    assert len(found["rules"]) == 2


def test_selftest() -> None:
    assert faults("selftest", evtxscan("selftest", "--format", "json").json) == []


def test_verify(folder: Path, tmp_path: Path) -> None:
    # Catches the same where everything agrees, and where sources and records do not.
    assert faults("verify", written(folder, "verify")) == []
    assert faults("verify", written(folder, "verify", "--all")) == []
    changed = Path(shutil.copytree(folder / "evidence", tmp_path / "changed"))
    data = bytearray((changed / "slack.evtx").read_bytes())
    for at in damage.stale_places(changed / "slack.evtx", 0)[:3]:
        data[at + 200] ^= 0xFF
    (changed / "slack.evtx").write_bytes(data)
    (changed / "more.zip").unlink()
    against = ("--evidence", str(changed))
    found = written(folder, "verify", *against)
    assert faults("verify", found) == []
    assert found["totals"]["conclusion"] == "contradicted"
    every = written(folder, "verify", "--all", *against)
    assert faults("verify", every) == []
    assert {record["origin"] for record in every["records"]} >= {"slack"}
    words = ("verify", *against, "--case", folder / "case.db", "--format", "ndjson")
    findings = evtxscan(*words, code=None).lines
    assert [faults("verify", line, "finding") for line in findings] == [[]] * len(findings)
    records = evtxscan(*words, "--all", code=None).lines
    assert [faults("verify", line, "record") for line in records] == [[]] * len(records)
    assert {record["origin"] for record in records} == {"live", "slack", "carved"}


@pytest.mark.parametrize("command", ["info", "coverage", "manifest", "verify"])
def test_a_broken_document_is_not_valid(command: str, folder: Path) -> None:
    # Catches schemas that accept anything: a member less, and a member more, in each object.
    found = written(folder, command)
    assert not faults(command, found)
    for path in _objects(found, ()):
        for change in ("pop", "add"):
            broken = copy.deepcopy(found)
            place = broken
            for step in path:
                place = place[step]
            if change == "add":
                place["surprise"] = [1]
            elif not (required := [name for name in place if name not in _OPTIONAL]):
                continue
            else:
                place.pop(required[0])
            if not any(step in _MAPS for step in path):
                assert faults(command, broken), (path, change)


# Objects whose members have any names, and members that only some have.
_MAPS = {"label", "versions", "reasons"}
_OPTIONAL = {"template", "templates", "finding", "verdict"}


def _objects(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON value
    """Yield the places of the objects in a document; of a list, the first entry stands for all."""
    if isinstance(value, dict):
        yield path
        for name, inner in value.items():
            yield from _objects(inner, (*path, name))
    elif isinstance(value, list) and value:
        yield from _objects(value[0], (*path, 0))


def test_closed_lists_are_those_of_the_code() -> None:
    # Catches a code that the program may write and the schema does not know, or the other way round.
    verify, coverage = load("verify")["$defs"], load("coverage")["$defs"]
    record = verify["record"]["properties"]
    assert tuple(record["outcome"]["enum"]) == OUTCOMES
    assert tuple(record["against"]["enum"]) == get_args(Against)
    assert tuple(verify["finding_record"]["properties"]["role"]["enum"]) == get_args(Role)
    assert tuple(verify["source"]["properties"]["outcome"]["enum"]) == SOURCE_OUTCOMES
    assert tuple(verify["totals"]["properties"]["conclusion"]["enum"]) == get_args(Conclusion)
    assert tuple(coverage["gap"]["properties"]["reason"]["enum"]) == get_args(GapReason)
    assert tuple(coverage["log"]["properties"]["begins"]["enum"]) == get_args(BeginReason)
    host = coverage["host"]["properties"]
    assert tuple(host["stops"]["items"]["properties"]["reason"]["enum"]) == get_args(StopReason)
    assert tuple(host["clock_changes"]["items"]["properties"]["method"]["enum"]) == get_args(ClockMethod)
    assert tuple(host["boots"]["items"]["properties"]["end_method"]["enum"]) == (*get_args(EndMethod), None)
    scripts = load("info")["properties"]["scripts"]["items"]["properties"]["state"]["enum"]
    assert set(scripts) == set(get_args(ScriptState))


def test_the_reasons_of_a_window() -> None:
    # Catches the same for what a window lacks, whose codes come from three lists, and one that no phrase is for.
    named = set(load("finding")["$defs"]["lack"]["properties"]["reason"]["enum"])
    assert set(tomllib.loads(schema.read_text("report/texts.toml"))["lacks"]) == named
    parts = get_args(WindowReason)
    codes = {code for part in parts for code in (get_args(part) or (part,))}
    assert named == codes
