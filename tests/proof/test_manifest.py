"""The same evidence gives the same result hash, wherever and however it is analysed; anything else gives another."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import EVIDENCE, evtxscan

SECURITY = "WS-FIN-07/Windows/System32/winevt/Logs/Security.evtx"


def manifest_of(case: Path) -> dict[str, Any]:
    done = evtxscan("manifest", "--case", case, "--format", "json")
    assert isinstance(done.json, dict)
    return done.json


def analyse(
    evidence: Path | str, case: Path, *words: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> None:
    evtxscan("ingest", evidence, "--case", case, *words, cwd=cwd, env=env)
    evtxscan("detect", "--case", case, cwd=cwd, env=env)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("manifest") / "case.db"
    analyse(EVIDENCE, path)
    return path


def test_another_place_time_zone_and_number_of_workers(case: Path, tmp_path: Path) -> None:
    """Catches a hash that takes in an argument, a folder, a time of day or the order of work."""
    folder = tmp_path / "somewhere" / "else"
    shutil.copytree(EVIDENCE, folder / "copy")
    environment = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    other = tmp_path / "other.db"
    analyse("copy", other, "--jobs", "2", "--examiner", "someone else", cwd=folder, env=environment)
    evtxscan("query", "any where true", "--case", other)
    one, two = manifest_of(case), manifest_of(other)
    assert one["hashes"] == two["hashes"]
    assert one["runs"] != two["runs"]


def test_order_of_ingest(case: Path, tmp_path: Path) -> None:
    """Catches a hash that follows row ids."""
    other = tmp_path / "other.db"
    for part in ("WS-FIN-07", "SRV-OLD-02"):
        folder = tmp_path / part
        shutil.copytree(EVIDENCE / part, folder / part)
        evtxscan("ingest", folder, "--case", other)
    evtxscan("detect", "--case", other)
    assert manifest_of(other)["hashes"] == manifest_of(case)["hashes"]


def test_hashes_can_be_made_by_hand(case: Path) -> None:
    """Catches hashes that only evtxscan itself can make."""
    made = manifest_of(case)
    findings = evtxscan("detect", "--case", case, "--format", "ndjson").out
    assert made["hashes"]["findings"] == hashlib.sha256(findings).hexdigest()
    verdicts = evtxscan("detect", "--case", case, "--format", "json").json["verdicts"]
    lines = "".join(json.dumps(v, sort_keys=True, separators=(",", ":")) + "\n" for v in verdicts)
    assert made["hashes"]["verdicts"] == hashlib.sha256(lines.encode()).hexdigest()
    both = f"{made['hashes']['findings']}  findings\n{made['hashes']['verdicts']}  verdicts\n"
    assert made["hashes"]["result"] == hashlib.sha256(both.encode()).hexdigest()
    listing = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(EVIDENCE).as_posix()}\n"
        for path in sorted(EVIDENCE.rglob("*.evtx"), key=lambda p: p.relative_to(EVIDENCE).as_posix())
    )
    assert made["hashes"]["evidence"] == hashlib.sha256(listing.encode()).hexdigest()


def test_other_evidence_is_another_manifest(case: Path, tmp_path: Path) -> None:
    """Catches hashes that do not take in what they are said to."""
    shutil.copytree(EVIDENCE, tmp_path / "evidence")
    log = tmp_path / "evidence" / SECURITY
    data = bytearray(log.read_bytes())
    data[-1] ^= 1
    log.write_bytes(data)
    other = tmp_path / "other.db"
    analyse(tmp_path / "evidence", other)
    one, two = manifest_of(case)["hashes"], manifest_of(other)["hashes"]
    assert {name for name in one if one[name] != two[name]} == {"evidence", "findings", "result"}


def test_check(case: Path, tmp_path: Path) -> None:
    kept = tmp_path / "manifest.json"
    evtxscan("manifest", "--case", case, "--format", "json", "--output", kept)
    same = evtxscan("manifest", "--case", case, "--check", kept)
    assert b"The same evidence gave the same result." in same.out
    content = json.loads(kept.read_text())
    content["hashes"]["program"] = "0" * 64
    kept.write_text(json.dumps(content))
    assert b"differs  program" in evtxscan("manifest", "--case", case, "--check", kept).out
    content["hashes"]["result"] = "0" * 64
    kept.write_text(json.dumps(content))
    assert b"DIFFERS  result" in evtxscan("manifest", "--case", case, "--check", kept, code=1).out


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"manifest": 9}', "\x00"])
def test_a_file_that_is_no_manifest(case: Path, tmp_path: Path, content: str) -> None:
    kept = tmp_path / "manifest.json"
    kept.write_text(content)
    assert "manifest" in evtxscan("manifest", "--case", case, "--check", kept, code=1).message


def test_the_text_has_what_the_json_has(case: Path) -> None:
    made = manifest_of(case)
    text = evtxscan("manifest", "--case", case).out.decode()
    for digest in [*made["hashes"].values(), *(source["sha256"] for source in made["sources"])]:
        assert digest in text
    assert "6 findings, 2 verdicts" in text
    assert "evtxscan detect" in text
