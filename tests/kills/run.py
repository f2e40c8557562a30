"""An ingest that is killed at a random moment, completed, and compared with one that nothing stopped."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.integration import archives, bulk, content, eager
from tests.integration.command import evtxscan
from tests.integration.started import Started, seen_by_others

JOBS = "2"
_EAGER = (eager.__file__,)
_AS_IT_IS = ("-m", "evtxscan")


@dataclass(frozen=True, slots=True)
class Whole:
    """What an ingest of ``evidence`` that nothing stopped gives, and between which seconds it wrote its case."""

    evidence: Path
    content: dict[str, list[content.Row]]
    counts: list[tuple[object, ...]]
    findings: bytes
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """A kill: after how many seconds, in which way, how much the case held then, and what was wrong in the end."""

    moment: float
    way: str
    stored: int
    problems: list[str]


def evidence(folder: Path) -> Path:
    """Make logs, damaged logs, copies and grown copies, and archives of others."""
    bulk.make(folder)
    away = [folder / "d.evtx", folder / "tie-1.evtx"]
    packed = {f"C/Windows/{path.name}": path.read_bytes() for path in away}
    (folder / "triage.zip").write_bytes(archives.zipped(packed.items()))
    (folder / "grown.tar.gz").write_bytes(archives.compress(archives.tarred(archives.files(folder / "grown")), "gz"))
    for path in away:
        path.unlink()
    return folder


def uninterrupted(evidence: Path, folder: Path) -> Whole:
    """Ingest and detect to the end."""
    case = folder / "whole.db"
    begun = time.monotonic()
    started = Started("ingest", evidence, "--case", case, "--jobs", JOBS, program=_EAGER)
    begins = started.until(case.exists) - begun
    started.end()
    ends = time.monotonic() - begun
    found = content.content(case)
    problems = content.faults(case)
    if problems or not found["events"] or not found["losses"]:
        raise RuntimeError(f"the ingest that nothing stopped is not what it should be: {problems}")
    return Whole(evidence, found, _counts(case), _findings(case), begins, ends)


def attempt(whole: Whole, folder: Path, random: Random) -> Attempt:
    """Kill an ingest, in the folder of this attempt alone, and complete it."""
    case = folder / "case.db"
    words = ("ingest", whole.evidence, "--case", case, "--jobs", JOBS)
    # A commit after each batch makes more places to be killed at; every fourth works as a user's does.
    program: Sequence[str] = random.choice((_EAGER, _EAGER, _EAGER, _AS_IT_IS))
    everybody = random.random() < 0.5
    twice = random.random() < 0.25
    moment = random.uniform(0, whole.ends - whole.begins)
    problems: list[str] = []
    stored = 0
    for seconds in [moment, random.uniform(0, moment)][: 2 if twice else 1]:
        started = Started(*words, program=program)
        started.until(case.exists)
        started.end(seconds)
        started.stop(signal.SIGKILL, everybody=everybody)
        if sys.platform.startswith("linux") and (left := started.left_behind()):
            problems.append(f"processes that go on: {left}")
        if copy := seen_by_others(case, folder):
            problems += [f"killed: {fault}" for fault in content.faults(copy)]
            events = content.events(copy)
            stored = len(events)
            if not set(events) <= set(whole.content["events"]):
                problems.append("killed: events that the whole case has not")
    evtxscan(*words, code=3)
    problems += [f"completed: {fault}" for fault in content.faults(case)]
    found = content.content(case)
    problems += [f"completed: other {name}" for name, rows in whole.content.items() if found[name] != rows]
    if _counts(case) != whole.counts:
        problems.append("completed: other counts")
    if _findings(case) != whole.findings:
        problems.append("completed: other findings")
    way = " ".join((
        "all processes" if everybody else "the main process", "twice" if twice else "once",
        "with many commits" if program is _EAGER else "as it is",
    ))  # fmt: skip
    return Attempt(moment, way, stored, problems)


def _counts(case: Path) -> list[tuple[object, ...]]:
    """Return what ``info`` says of the sources; what a run before the kill stored is known to the one after it."""
    sources = evtxscan("info", "--case", case, "--format", "json").json["sources"]
    return sorted(
        (source["path"], source["sha256"], source["found"], source["stored"] + source["known"], source["lost"])
        for source in sources
    )


def _findings(case: Path) -> bytes:
    return evtxscan("detect", "--case", case, "--format", "json").out
