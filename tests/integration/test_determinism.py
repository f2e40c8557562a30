"""Same evidence, rules and version: the same bytes out, whatever surrounds the run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evtxscan.ingest import run as ingest_run
from tests.integration import several
from tests.integration.command import ROOT, Done, environment, evtxscan

QUERY = 'process where process.args : "/n" or process.parent.args : "UsoSvc" or user.name : "?.k\u00e9ller"'
EXPORTS = {
    "findings.json": ["detect", "--format", "json"],
    "findings.ndjson": ["detect", "--format", "ndjson"],
    "findings.csv": ["detect", "--format", "csv"],
    "findings.html": ["detect", "--format", "html"],
    "findings.txt": ["detect"],
    "events.ndjson": ["query", "any where true", "--format", "ndjson"],
    "hits.csv": ["query", QUERY, "--format", "csv"],
    "hits.json": ["query", QUERY, "--format", "json", "--observed-only"],
    "info.json": ["info", "--format", "json"],
}
PLAIN = {"LC_ALL": "C.UTF-8", "TZ": "UTC0", "PYTHONHASHSEED": "0"}
# Python would make UTF-8 of the C locale; without that, file names and standard output are ASCII.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
CHANGES_WITH_TIME = ("runs",)


def exports(
    folder: Path, ingests: Sequence[Sequence[Path]], *, jobs: int, env: dict[str, str], queries: dict[str, list[str]]
) -> dict[str, bytes]:
    """Make a case by one ingest command per list of paths, and return all that is exported from it."""
    folder.mkdir()
    case = str(folder / "case.db")
    commands = [
        ["ingest", *map(str, paths), "--jobs", str(jobs), "--case", case, "--output", str(folder / "ingest.txt")]
        for paths in ingests
    ]
    commands += [[*words, "--case", case, "--output", str(folder / name)] for name, words in queries.items()]
    ended = subprocess.run(
        [sys.executable, several.__file__, json.dumps(commands)],
        env=environment({"PYTHONPATH": str(ROOT), **env}),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    found = {name: (folder / name).read_bytes() for name in queries}
    if "info.json" in found:
        found["info.json"] = without_time(found["info.json"])
    return found


def without_time(info: bytes) -> bytes:
    """Return a description without what says when and how the commands were run."""
    description: dict[str, Any] = json.loads(info)
    for key in CHANGES_WITH_TIME:
        assert description.pop(key)
    for source in description["sources"]:
        # Which of two copies of a record is the known one is a matter of order; where each stands is not.
        del source["stored"], source["known"], source["argument"]
    return json.dumps(description, sort_keys=True).encode()


@pytest.fixture(scope="session")
def reference(bulk: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The exports of one process in a plain environment."""
    size = sum(path.stat().st_size for path in bulk.rglob("*.evtx"))
    assert size > ingest_run._SMALL_BYTES, "workers would not be used"
    folder = tmp_path_factory.mktemp("reference") / "run"
    found = exports(folder, [[bulk]], jobs=1, env=PLAIN, queries=EXPORTS)
    assert json.loads(found["findings.json"])["findings"]
    assert found["events.ndjson"].count(b"\n") > 1000
    assert found["hits.csv"].count(b"\n") > 100
    return found


def differences(found: dict[str, bytes], reference: dict[str, bytes]) -> list[str]:
    return [name for name in reference if found[name] != reference[name]]


@pytest.mark.parametrize("jobs", [2, 3])
def test_worker_count_changes_no_byte(bulk: Path, reference: dict[str, bytes], tmp_path: Path, jobs: int) -> None:
    """Catches batches stored as they come in, and ids, values or orders that depend on who read what first."""
    found = exports(tmp_path / "run", [[bulk]], jobs=jobs, env=PLAIN, queries=EXPORTS)
    assert differences(found, reference) == []


def test_surroundings_change_no_byte(bulk: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    """Catches local time, the locale's encoding or collation, and the order of a set in an export."""
    env = {**ASCII, "TZ": "XXX-05:30", "PYTHONHASHSEED": "4711", "COLUMNS": "40", "LANG": "tr_TR.UTF-8"}
    found = exports(tmp_path / "run", [[bulk]], jobs=2, env=env, queries=EXPORTS)
    assert differences(found, reference) == []


@pytest.fixture(scope="session")
def by_parts(bulk: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The exports of one process that was given every entry of the folder by name, in order."""
    folder = tmp_path_factory.mktemp("parts") / "run"
    return exports(folder, [sorted(bulk.iterdir())], jobs=1, env=PLAIN, queries=EXPORTS)


def test_order_of_inputs_in_one_command_changes_no_byte(bulk: Path, by_parts: dict[str, bytes], tmp_path: Path) -> None:
    """Catches an order of arguments, or of a folder's entries, that reaches an export."""
    backward = sorted(bulk.iterdir(), reverse=True)
    found = exports(tmp_path / "run", [backward], jobs=1, env={**PLAIN, "PYTHONHASHSEED": "99"}, queries=EXPORTS)
    assert differences(found, by_parts) == []


def test_order_of_ingests_changes_no_byte(bulk: Path, by_parts: dict[str, bytes], tmp_path: Path) -> None:
    """Catches an event that is named after the copy that came first, and row ids that decide an order."""
    backward = [[path] for path in sorted(bulk.iterdir(), reverse=True)]
    found = exports(tmp_path / "run", backward, jobs=1, env={**PLAIN, "PYTHONHASHSEED": "5"}, queries=EXPORTS)
    assert differences(found, by_parts) == []


def test_order_of_two_copies_of_a_growing_log_changes_no_byte(bulk: Path, tmp_path: Path) -> None:
    """Catches records of the later copy that go missing, or change their ids, where that copy is read first."""
    early, late = bulk / "grown" / "early.evtx", bulk / "grown" / "late.evtx"
    forward = exports(tmp_path / "forward", [[early], [late]], jobs=1, env=PLAIN, queries=EXPORTS)
    backward = exports(tmp_path / "backward", [[late], [early]], jobs=1, env=PLAIN, queries=EXPORTS)
    assert differences(forward, backward) == []
    assert forward["events.ndjson"].count(b"\n") == 400


def test_an_earlier_detection_changes_no_byte(detection: Done, scenario: Path, tmp_path: Path) -> None:
    """Catches a detection that reads what an earlier one left in the case."""
    case = shutil.copyfile(scenario, tmp_path / "case.db")
    evtxscan("detect", "--case", case, "--observed-only", "--to", "2020-05-18T14:00:00Z")
    again = evtxscan("detect", "--case", case, "--format", "json")
    assert again.out == detection.out
