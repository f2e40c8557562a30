"""Evidence is only ever read."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.command import EVIDENCE, ROOT, evtxscan, without_privileges

# Python imports this module first in every process, workers too; the hook writes down each way of touching a file.
_SPY = """
import os, sys
def spy(event, args, log=os.environ["SPY_LOG"], under=os.environ["SPY_UNDER"]):
    if event.partition(".")[0] not in ("open", "os", "shutil", "sqlite3", "pathlib") or not args:
        return
    path = os.fsdecode(args[0]) if isinstance(args[0], (str, bytes, os.PathLike)) else ""
    if os.path.realpath(path).startswith(under):
        fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{os.getpid()} {event} {args[1:]!r}\\n".encode())
        os.close(fd)
sys.addaudithook(spy)
"""
_READING = ("open", "os.listdir", "os.scandir", "os.walk", "os.fwalk")
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def state(folder: Path) -> list[tuple[str, bytes, int, int, int]]:
    """Return name, bytes, modification time, mode and links of everything below a folder."""
    found = []
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        found.append((path.name, content, status.st_mtime_ns, status.st_mode, status.st_nlink))
    return found


@contextmanager
def sealed(folder: Path) -> Iterator[None]:
    """Make files 0444 and folders 0555 for a time."""
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_read_only_evidence_works_and_stays_as_it_was(tmp_path: Path) -> None:
    """Catches a lock file, a journal or a cache beside the evidence, and an open that asks for more than reading."""
    evidence = Path(shutil.copytree(EVIDENCE, tmp_path / "evidence"))
    with sealed(evidence):
        before = state(evidence)
        refused = subprocess.run(
            ["touch", evidence / "new"], preexec_fn=without_privileges, capture_output=True, check=False
        )
        assert refused.returncode, "the folder is not read-only"
        done = evtxscan(
            "ingest", evidence, "--case", tmp_path / "case.db", "--format", "json", prepare=without_privileges
        )
        assert done.json["totals"]["stored"] == done.json["totals"]["found"] == 460
        assert state(evidence) == before


def test_every_process_opens_evidence_for_reading_only(bulk: Path, tmp_path: Path) -> None:
    """Catches a write access that root's rights would let pass unseen, in the main process and in workers."""
    spies = tmp_path / "spies"
    spies.mkdir()
    (spies / "sitecustomize.py").write_text(_SPY)
    log = tmp_path / "log"
    before = state(bulk)
    env = {
        "PYTHONPATH": os.pathsep.join([str(spies), str(ROOT)]),
        "SPY_LOG": str(log),
        "SPY_UNDER": os.path.realpath(bulk),
    }
    evtxscan("ingest", bulk, "--case", tmp_path / "case.db", "--jobs", "2", code=3, env=env)
    assert state(bulk) == before
    seen = [line.split(" ", 2) for line in log.read_text().splitlines()]
    assert len({process for process, _, _ in seen}) == 3, "main process and two workers"
    for _, event, rest in seen:
        assert event in _READING, (event, rest)
        if event == "open":
            mode, flags = eval(rest)  # noqa: S307 - written by the hook above
            assert mode in ("r", "rb", None), rest
            assert not flags & _WRITE_FLAGS, rest
