"""An ingest that ends early: nothing lost, nothing doubled, nothing left running."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from evtxscan.ingest.run import Options, find_evidence, ingest
from evtxscan.store.case import create_or_open
from tests.integration import content, eager, logs
from tests.integration.command import EVIDENCE, ROOT, Done, environment, evtxscan

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")

_KILLS = 20
_FILES = 4
_CHUNKS = 48


@pytest.fixture(scope="session")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence of many chunks with few records each."""
    folder = tmp_path_factory.mktemp("sparse") / "evidence"
    for number in range(_FILES):
        events = logs.mixed(3 * _CHUNKS, first=number * 10_000)
        logs.write(folder / f"{number}.evtx", events, first_record_id=1 + number * 10_000, per_chunk=3)
    return folder


@dataclass(frozen=True, slots=True)
class Whole:
    """An ingest that nothing stopped: what its case holds, and the seconds until it made the case and until its end."""

    content: dict[str, list[content.Row]]
    before: float
    all: float


@pytest.fixture(scope="session")
def whole(sparse: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The ingest that others are compared with."""
    case = tmp_path_factory.mktemp("whole") / "case.db"
    begun = time.monotonic()
    started = Started("ingest", sparse, "--case", case, "--jobs", "2", program=[eager.__file__])
    before = started.until(case.exists) - begun
    assert started.end() == 0
    seconds = time.monotonic() - begun
    assert content.faults(case) == []
    found = content.content(case)
    assert len(found["events"]) == 3 * _CHUNKS * _FILES
    return Whole(found, before, seconds)


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
    made = content.read(copy, "SELECT 1 FROM sqlite_master WHERE name = 'event_count'")
    return copy if made else None


@posix
@pytest.mark.parametrize("chance", range(_KILLS))
def test_kill_loses_and_doubles_nothing(sparse: Path, whole: Whole, tmp_path: Path, chance: int) -> None:
    """Catches a commit that parts a record from its accounts, a resume that skips or repeats, and orphaned workers."""
    case = tmp_path / "case.db"
    # Each twentieth of the time has its random moment; before there is a case nothing can go wrong.
    moment = (chance + random.Random(chance).random()) / _KILLS * (whole.all - whole.before)  # noqa: S311
    started = Started("ingest", sparse, "--case", case, "--jobs", "2", program=[eager.__file__])
    started.until(case.exists)
    started.end(moment)
    started.stop(signal.SIGKILL)
    if sys.platform.startswith("linux"):
        assert started.left_behind() == []
    if copy := seen_by_others(case, tmp_path):
        assert content.faults(copy) == []
        assert set(content.events(copy)) <= set(whole.content["events"])
    evtxscan("ingest", sparse, "--case", case)
    assert content.faults(case) == []
    assert different(case, whole) == []


def different(case: Path, whole: Whole) -> list[str]:
    found = content.content(case)
    return [name for name, rows in whole.content.items() if found[name] != rows]


@posix
@pytest.mark.parametrize("everybody", [False, True], ids=["main process", "terminal"])
def test_interrupt_is_clean_and_can_be_resumed(sparse: Path, whole: Whole, tmp_path: Path, everybody: bool) -> None:
    """Catches a traceback at Ctrl-C (a terminal interrupts workers, too), another exit code, workers that go on."""
    case = tmp_path / "case.db"
    for moment in (0.0, 0.02, 0.1):
        started = Started("ingest", sparse, "--case", case, "--jobs", "2", program=[eager.__file__])
        started.until(lambda process=started: len(process.others()) >= 2)  # type: ignore[misc]
        time.sleep(moment)
        code, err = started.stop(signal.SIGINT, everybody=everybody)
        assert "Traceback" not in err, err
        assert code == 130, err
        assert "run the same command again" in err
        assert started.left_behind() == []
    evtxscan("ingest", sparse, "--case", case)
    assert content.faults(case) == []
    assert different(case, whole) == []


def test_a_kill_before_derived_tables_are_made_changes_no_answer(
    scenario: Path, detection: Done, tmp_path: Path
) -> None:
    """Catches parents, counts and verdicts that are missing because the ingest ended between events and these."""
    path = tmp_path / "case.db"
    with create_or_open(path) as case:
        ingest(case, case.start_run("ingest", []), find_evidence([EVIDENCE], Options()), Options())
    assert evtxscan("detect", "--case", path, "--format", "json").out == detection.out
    for name in ("hosts", "processes"):
        assert content.content(path)[name] == content.content(scenario)[name]
