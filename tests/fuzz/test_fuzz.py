"""A moment of fuzzing in every test run, and whether the harness would notice what it is there to notice."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import run as fuzz
from tests.fuzz.mutations import CHUNK, FILE_HEADER, MUTATIONS, mutate
from tests.fuzz.promises import Checker
from tests.integration import logs

COUNT = 30
# The continuous integration takes another one each day (.ci/run).
SEED = 2


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fuzz") / "made.evtx"
    logs.write(path, logs.mixed(40), per_chunk=9)
    return path.read_bytes()


def test_mutants_break_no_promise() -> None:
    """Catches a crash, a hang, sums that do not agree, and a record of an untouched chunk that is lost."""
    report = fuzz.run(seed=SEED, count=COUNT, jobs=1)
    assert report.failures == []
    assert report.mutants == COUNT


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_changes_something(name: str, log: bytes) -> None:
    """Catches a mutation that never does anything."""
    changed = 0
    for seed in range(20):
        mutant = bytearray(log)
        MUTATIONS[name](mutant, Random(seed))  # noqa: S311
        changed += bytes(mutant) != log
    assert changed >= 5


def test_every_cut_is_tried() -> None:
    """Catches a log whose cuts are left out, and a run that cannot be gone on with."""
    originals = [("a", bytes(1025)), ("b", bytes(512))]
    cuts = [len(fuzz.mutant_of(originals, None, number)[2]) for number in range(fuzz.all_cuts(originals))]
    assert cuts == [0, 512, 1024, 0]
    report = fuzz.run(seed=None, first=2, count=3, jobs=1)
    assert (report.failures, report.mutants, report.next) == ([], 3, 5)


def test_a_mutant_is_made_of_its_number(log: bytes) -> None:
    assert mutate(log, Random("0:7")) == mutate(log, Random("0:7"))  # noqa: S311
    assert mutate(log, Random("0:7")) != mutate(log, Random("0:8"))  # noqa: S311


def test_a_lost_record_is_noticed(log: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a harness that would let any loss pass: of one chunk, records are claimed that are not there."""
    checker = Checker(tmp_path)
    assert list(checker.breaches(log, log, thorough=True)) == []
    known = dict(checker.readable(log))
    first = next(iter(known))
    known[first] = frozenset({*known[first], 60_000})
    monkeypatch.setattr(Checker, "readable", lambda _, __: known)
    assert "[60000] are not stored" in " ".join(checker.breaches(log, log, thorough=False))


def test_a_log_taken_for_none_is_noticed(log: bytes, tmp_path: Path) -> None:
    checker = Checker(tmp_path)
    beyond = bytes(FILE_HEADER + 20 * CHUNK) + log[FILE_HEADER : FILE_HEADER + CHUNK]  # nobody looks so far
    assert "taken for none" in " ".join(checker.breaches(log, beyond, thorough=False))


def _hang(connection: object, seed: int) -> None:
    connection.send(None)  # type: ignore[attr-defined]
    time.sleep(60)


def _die(connection: object, seed: int) -> None:
    connection.send(None)  # type: ignore[attr-defined]
    connection.recv()  # type: ignore[attr-defined]
    os._exit(9)


@pytest.mark.parametrize(("work", "problem"), [(_hang, "not done after"), (_die, "exit code 9")])
def test_a_crash_and_a_hang_are_noticed(
    work: object, problem: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Catches a harness that dies or waits with its worker."""
    monkeypatch.setattr(fuzz, "_work", work)
    monkeypatch.setattr(fuzz, "_processor_time", lambda _: None)
    report = fuzz.run(count=2, jobs=1, limit=0.3, keep=tmp_path)
    assert [problem in failure.problem for failure in report.failures] == [True, True]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("place", [8, 16], ids=["record id", "written time"])
def test_an_id_that_no_database_holds(log: bytes, tmp_path: Path, place: int) -> None:
    """Found by fuzzing: the first record of a chunk with an id or a time of 2**64 - 1."""
    mutant = bytearray(log)
    mutant[FILE_HEADER + 512 + place : FILE_HEADER + 512 + place + 8] = b"\xff" * 8
    assert list(Checker(tmp_path).breaches(log, bytes(mutant), thorough=False)) == []


def test_a_control_character_in_the_name_of_an_element(log: bytes, tmp_path: Path) -> None:
    """Found by fuzzing: one damaged record ends the ingest of everything, and the case is called damaged."""
    start = FILE_HEADER + 2 * CHUNK
    chunk = log[start : start + CHUNK].replace("Task".encode("utf-16-le"), "T\x1fsk".encode("utf-16-le"))
    mutant = log[:start] + chunk + log[start + CHUNK :]
    assert mutant != log
    assert list(Checker(tmp_path).breaches(log, mutant, thorough=False)) == []
