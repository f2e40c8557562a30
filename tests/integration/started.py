"""Commands that are under way, to be killed and interrupted; and what is left of their case."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from evtxscan.store.case import migrations
from tests.integration import content
from tests.integration.command import ROOT, environment


@dataclass(frozen=True, slots=True)
class Whole:
    """An ingest that nothing stopped: what its case holds, and the seconds until it made the case and until its end."""

    content: dict[str, list[content.Row]]
    before: float
    all: float


class Started:
    """A command that is under way, with all processes that belong to it (a session of their own)."""

    def __init__(self, *args: str | Path, program: Sequence[str] = ("-m", "evtxscan")) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *program, *args],
            env=environment({"PYTHONPATH": str(ROOT)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def until(self, condition: Callable[[], bool]) -> float:
        """Wait for a condition or the command's end; return the time by the monotonic clock."""
        while not condition() and self.process.poll() is None:
            time.sleep(0.002)
        return time.monotonic()

    def end(self, seconds: float = 120) -> int | None:
        """Let it run to its end, or for so long; return its exit code if it has ended."""
        try:
            self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        return self.process.returncode

    def stop(self, sign: int, *, everybody: bool = False) -> tuple[int, str]:
        """Send a signal to the main process or to all; return the exit code and what was said on standard error."""
        if everybody:
            with suppress(ProcessLookupError):  # it has ended
                os.killpg(self.process.pid, sign)
        else:
            self.process.send_signal(sign)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err.decode(errors="backslashreplace")

    def others(self) -> list[int]:
        """Return the processes of its session that still run, the main one apart."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self.process.pid:
                try:
                    state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                except OSError:
                    continue
                if int(session) == self.process.pid and state not in "ZX":
                    found.append(int(entry.name))
        return found

    def left_behind(self) -> list[int]:
        """Return the processes of its session that do not end within a minute of the main one."""
        for _ in range(600):
            if not self.others():
                return []
            time.sleep(0.1)
        return self.others()


def seen_by_others(case: Path, folder: Path) -> Path | None:
    """Return a copy of a case as a kill left it, with its journal; None where there was no time to make tables."""
    if not case.exists() or not case.stat().st_size:
        return None
    copy = folder / "copy.db"
    for name in ("", "-journal", "-wal"):
        if (part := case.with_name(case.name + name)).exists():
            shutil.copyfile(part, copy.with_name(copy.name + name))
    ((made,),) = content.read(copy, "PRAGMA user_version")  # counts the migrations that have been applied
    return copy if made == len(migrations()) else None


def different(case: Path, whole: Whole) -> list[str]:
    found = content.content(case)
    return [name for name, rows in whole.content.items() if found[name] != rows]
