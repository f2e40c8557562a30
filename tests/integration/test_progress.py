"""What a terminal shows while a command works, and that nothing of it reaches a pipe."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from evtxscan.export.text import visible
from tests.integration import archives
from tests.integration.command import ROOT, environment, evtxscan
from tests.integration.test_archives import LOGS

HOSTILE = "zz\x1b]0;owned\x07[bold]x[/bold].txt"
pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")


def on_terminal(*words: str | Path) -> tuple[bytes, str]:
    """Run a command whose standard error is a terminal; return standard output, and what the terminal was sent."""
    ours, its = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "evtxscan", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=its,
        cwd=ROOT,
        env=environment({"TERM": "xterm", "COLUMNS": "200"}),
    )
    os.close(its)
    shown = b""
    with suppress(OSError):  # the end of a terminal is an error
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    out, _ = done.communicate(timeout=60)
    assert done.returncode == 0, shown
    return out, shown.decode()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A zip whose last file has a name that would change the terminal's colour and title."""
    path = tmp_path / "triage.zip"
    path.write_bytes(archives.zipped([*LOGS.items(), (HOSTILE, b"text")]))
    return path


def test_a_search_is_shown(archive: Path, tmp_path: Path) -> None:
    """Catches minutes of silence while a large archive is searched, and a name that works on the terminal."""
    _, shown = on_terminal("ingest", archive, "--case", tmp_path / "case.db")
    assert f"searching, {len(LOGS) + 2} looked at:" in shown
    assert visible(f"triage.zip/{HOSTILE}") in shown
    assert "\x1b]0;" not in shown


@pytest.mark.parametrize("command", ["ingest", "verify"])
def test_nothing_of_it_is_in_a_pipe(archive: Path, tmp_path: Path, command: str) -> None:
    """Catches a display in the log of a script."""
    case = tmp_path / "case.db"
    done = evtxscan("ingest", archive, "--case", case)
    if command == "verify":
        done = evtxscan("verify", "--case", case)
    assert done.message == ""
    assert b"\x1b" not in done.out
    assert on_terminal("ingest", archive, "--case", case, "--quiet")[1] == ""
