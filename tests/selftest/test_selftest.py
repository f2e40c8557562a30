"""The validation pack: every requirement is tested somewhere, and the self-test fails where something is wrong."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from evtxscan.selftest import checks, requirements, run
from evtxscan.selftest.requirements import TESTDATA
from tests.integration.command import ROOT, evtxscan

PACK = ROOT / "docs" / "validation"


def test_all_pass(tmp_path: Path) -> None:
    table = evtxscan("selftest", "--examiner", "R. Vogt")
    assert b"14 passed, 0 failed, 4 not tested on this machine" in table.out
    assert b"Tested by   R. Vogt" in table.out
    evtxscan("selftest", "--format", "json", "--output", tmp_path / "selftest.json", cwd=tmp_path)
    report = json.loads((tmp_path / "selftest.json").read_text())
    assert report["passed"] is True
    assert [result["id"] for result in report["results"]] == [one.id for one in requirements.requirements()]
    assert [path.name for path in tmp_path.iterdir()] == ["selftest.json"]  # nothing is left behind


def test_every_requirement_is_tested() -> None:
    """Catches a requirement whose test was renamed, a check that nothing runs, and a number that is used twice."""
    wanted = requirements.requirements()
    assert len({one.id for one in wanted}) == len(wanted)
    assert {one.check for one in wanted if one.check} == set(checks.CHECKS)
    for one in wanted:
        assert re.fullmatch(r"EVX-(CR|OF)-\d\d", one.id)
        assert one.tests
        assert all((ROOT / test).is_file() for test in one.tests), one


def test_every_test_that_the_pack_names_is_there() -> None:
    for page in PACK.glob("*.md"):
        for name in re.findall(r"`(tests/[^`]+\.py)`", page.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), (page.name, name)


def test_links_lead_somewhere() -> None:
    for page in PACK.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def failed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[str]:
    """Return the ids of the requirements that fail with other evidence."""
    monkeypatch.setattr(checks, "evidence", lambda: folder)
    return [result["id"] for result in run.report(run.run_checks(), None)["results"] if result["result"] == "FAIL"]


def test_other_evidence_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Catches a self-test that passes whatever it is given: one letter of a finding's command line is another."""
    folder = Path(shutil.copytree(TESTDATA / "evidence", tmp_path / "evidence"))
    log = folder / "WS-FIN-07/Windows/System32/winevt/Logs/Security.evtx"
    data = log.read_bytes()
    assert data.count("UsoSvc".encode("utf-16-le"))
    log.write_bytes(data.replace("UsoSvc".encode("utf-16-le"), "UsoSvd".encode("utf-16-le")))
    found = failed(monkeypatch, folder)
    assert "EVX-CR-02" in found  # the hash
    assert "EVX-CR-06" in found  # the findings


def test_a_check_that_crashes_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Catches a table that ends at the first surprise."""
    (tmp_path / "evidence").mkdir()
    assert len(failed(monkeypatch, tmp_path / "evidence")) >= 13
