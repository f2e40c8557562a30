"""An ingest that ends early: nothing lost, nothing doubled, nothing left running."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from evtxscan.ingest.run import Options, find_evidence, ingest
from evtxscan.store.case import create_or_open
from tests.integration import content, eager
from tests.integration.command import EVIDENCE, Done, evtxscan
from tests.integration.started import Started, Whole, different
from tests.kills import run as kills

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")

_KILLS = 8


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> kills.Whole:
    """A mixed tree, and what an ingest of it gives that nothing stops."""
    folder = tmp_path_factory.mktemp("mixed")
    return kills.uninterrupted(kills.evidence(folder / "evidence"), folder)


@posix
@pytest.mark.parametrize("number", range(_KILLS))
def test_kill_loses_and_doubles_nothing(mixed: kills.Whole, tmp_path: Path, number: int) -> None:
    """Catches a commit that parts a record from its accounts, a resume that skips or repeats, and orphaned workers.

    ``python -m tests.kills`` tries as many moments as one has time for.
    """
    assert kills.attempt(mixed, tmp_path, random.Random(f"0:{number}")).problems == []  # noqa: S311 - repeatable


@posix
@pytest.mark.parametrize("everybody", [False, True], ids=["main process", "terminal"])
def test_interrupt_is_clean_and_can_be_resumed(sparse: Path, whole: Whole, tmp_path: Path, everybody: bool) -> None:
    """Catches a traceback at Ctrl-C (a terminal interrupts workers, too), another exit code, workers that go on."""
    interrupted = 0
    for number, moment in enumerate((0.0, 0.02, 0.1, 0.0, 0.0, 0.0)):
        case = tmp_path / f"{number}.db"
        started = Started("ingest", sparse, "--case", case, "--jobs", "2", program=[eager.__file__])
        started.until(lambda process=started: len(process.others()) >= 2)  # type: ignore[misc]
        time.sleep(moment)
        code, err = started.stop(signal.SIGINT, everybody=everybody)
        assert "Traceback" not in err, err
        assert started.left_behind() == []
        if code == 130:
            assert "run the same command again" in err
            interrupted += 1
        else:  # on a busy machine it may be done before this process gets to interrupt it
            assert code == 0, err
        evtxscan("ingest", sparse, "--case", case)
        assert content.faults(case) == []
        assert different(case, whole) == []
        if interrupted == 3:
            break
    assert interrupted


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


@posix
def test_two_ingests_at_once(sparse: Path, whole: Whole, tmp_path: Path) -> None:
    """Catches records that both store, and an ingest that breaks on what another one wrote meanwhile."""
    case = tmp_path / "case.db"
    words = ("ingest", sparse, "--case", case, "--jobs", "1")
    both = [Started(*words, program=[eager.__file__]) for _ in range(2)]
    for started in both:
        _, err = started.process.communicate(timeout=120)
        assert b"Traceback" not in err
        assert started.process.returncode == 0 or b"another program is using the case" in err, err
    evtxscan("ingest", sparse, "--case", case)
    assert content.faults(case) == []
    assert different(case, whole) == []
