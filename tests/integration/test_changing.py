"""Evidence that changes while it is looked at, and things that are no files: said so, no hang, nothing else lost."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from tests.integration import content, logs
from tests.integration.command import evtxscan

MEDDLING = str(Path(__file__).with_name("meddling.py"))
COUNT = 110
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """Two logs of several batches; the first by name is the one that is changed."""
    folder = tmp_path / "evidence"
    logs.write(folder / "a.evtx", logs.mixed(COUNT), per_chunk=1)
    logs.write(folder / "b.evtx", logs.mixed(COUNT, 5000), first_record_id=5000, per_chunk=1)
    return folder


@posix
@pytest.mark.parametrize(
    ("when", "what", "says"),
    [
        ("found", "vanish", "no such file or folder"),
        ("found", "pipe", "no longer a regular file"),
        ("found", "folder", "no longer a regular file"),
        ("found", "cut", "changed between being found (7,213,056 bytes) and being read (7,013,056 bytes)"),
        ("found", "grow", "changed between being found (7,213,056 bytes) and being read (7,283,056 bytes)"),
        ("found", "other", "changed between being found"),
        ("read", "change", "changed while it was read"),
        ("read", "grow", "changed while it was read"),
        ("read", "cut", "changed while it was read"),
        ("read", "vanish", "no such file or folder"),
        ("read", "pipe", "no longer a regular file"),
    ],
)
def test_evidence_that_changes(evidence: Path, tmp_path: Path, when: str, what: str, says: str) -> None:
    """Catches a part of a log that nobody misses, a pipe that is waited for, and a neighbour that is lost."""
    changed, case = evidence / "a.evtx", tmp_path / "case.db"
    done = evtxscan(
        "ingest", evidence, "--case", case, "--format", "json",
        code=3, env={"MEDDLE": f"{when} {what} {changed}"}, program=[MEDDLING],
    )  # fmt: skip
    sources = {source["path"]: source for source in done.json["sources"]}
    assert says in sources["a.evtx"]["error"]
    assert sources["b.evtx"]["stored"] == COUNT
    assert sources["b.evtx"]["error"] is None
    assert content.faults(case) == []
    assert content.read(case, "SELECT path FROM source WHERE state <> 'complete'") == [("a.evtx",)]
    # What it has become is read by the next run, as far as it can be.
    again = evtxscan("ingest", evidence, "--case", case, "--format", "json", code=None)
    assert content.faults(case) == []
    assert again.code == (3 if what == "cut" else 0), again.message


@on_linux
def test_what_is_no_file_is_neither_read_nor_waited_for(tmp_path: Path) -> None:
    """Catches a pipe, socket or device in a folder that holds an ingest up, and links that lead nowhere unnoticed."""
    folder = tmp_path / "evidence"
    logs.write(folder / "log.evtx", logs.mixed(3))
    os.mkfifo(folder / "pipe.evtx")
    (folder / "device.evtx").symlink_to("/dev/zero")
    (folder / "here").symlink_to(folder)
    os.chdir(folder)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.evtx")
        done = evtxscan("ingest", folder, "--case", tmp_path / "case.db", "--format", "json")
    assert done.json["totals"]["stored"] == 3
    assert {entry["path"]: entry["reason"] for entry in done.json["skipped"]} == dict.fromkeys(
        ("pipe.evtx", "device.evtx", "socket.evtx"), "not a regular file"
    )
    (folder / "itself").symlink_to("itself")
    (folder / "nowhere").symlink_to("gone.evtx")
    done = evtxscan("ingest", folder, "--case", tmp_path / "case.db", code=3)
    assert f"{folder}/itself: a symbolic link that leads to itself" in done.message
    assert f"{folder}/nowhere: a symbolic link to gone.evtx, which is not there" in done.message
    for name in ("pipe.evtx", "socket.evtx", "device.evtx"):
        assert "not a regular file" in evtxscan("ingest", folder / name, "--case", tmp_path / "no.db", code=1).message


@posix
def test_a_case_is_a_file(tmp_path: Path) -> None:
    """Catches a pipe named as the case that is waited for."""
    logs.write(tmp_path / "log.evtx", logs.mixed(3))
    os.mkfifo(tmp_path / "pipe")
    for case in (tmp_path / "pipe", Path("/dev/null")):
        for words in (["ingest", tmp_path / "log.evtx"], ["info"]):
            assert "no regular file" in evtxscan(*words, "--case", case, code=1).message


@on_linux
def test_a_large_file_with_nothing_in_it(tmp_path: Path) -> None:
    """Catches memory that grows with a file that is nothing but its size: a sparse copy, or a log made large."""
    import resource

    log = tmp_path / "log.evtx"
    logs.write(log, logs.mixed(3))
    os.truncate(log, 1 << 30)

    def little_memory() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (400 << 20, 400 << 20))

    done = evtxscan("ingest", log, "--case", tmp_path / "case.db", "--format", "json", prepare=little_memory)
    assert done.json["totals"]["stored"] == 3


@on_linux
def test_a_case_that_vanishes(tmp_path: Path) -> None:
    """Catches a traceback, or an ingest that goes on for nobody, where the case's folder is deleted or renamed."""
    from tests.integration import eager
    from tests.integration.started import Started

    for number in range(6):
        logs.write(tmp_path / "evidence" / f"{number}.evtx", logs.mixed(60, 60 * number), per_chunk=1)
    for way in ("delete", "rename"):
        case = tmp_path / way / "case.db"
        case.parent.mkdir()
        started = Started("ingest", tmp_path / "evidence", "--case", case, "--jobs", "2", program=[eager.__file__])
        started.until(lambda case=case: case.exists() and case.stat().st_size > 300_000)  # type: ignore[misc]
        if way == "delete":
            shutil.rmtree(case.parent)
        else:
            case.parent.rename(tmp_path / "elsewhere")
        out, err = started.process.communicate(timeout=60)
        assert started.process.returncode == 1, (out, err)
        assert b"Traceback" not in err
        assert str(case).encode() in err
