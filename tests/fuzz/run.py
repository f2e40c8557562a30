"""Makes mutants and has them checked in worker processes, which may crash or hang: that is what is looked for."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

from tests.fuzz.mutations import mutate
from tests.fuzz.promises import Checker
from tests.integration import logs

EVIDENCE = Path(__file__).parents[2] / "testdata" / "evidence"
LIMIT = 10.0  # seconds for one file
_PATIENCE = 6  # times the limit that a mutant may take on a busy machine
_LARGEST = 300 << 10  # larger logs are slow, and show nothing that smaller ones do not
_THOROUGH = 25  # one mutant of so many goes through the other commands as well


@dataclass(frozen=True, slots=True)
class Failure:
    """A mutant, by its number, that broke a promise."""

    number: int
    log: str
    mutations: tuple[str, ...]
    problem: str


@dataclass(slots=True)
class Report:
    """What a run did and found."""

    mutants: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    mutations: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)


def originals() -> list[tuple[str, bytes]]:
    """Return the logs that mutants are made of: made ones, the shipped ones, and public ones where there are any."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.evtx"
        logs.write(path, logs.mixed(40), per_chunk=9)
        found = [("made.evtx", path.read_bytes())]
    paths = sorted(EVIDENCE.rglob("*.evtx"))
    if corpus := os.environ.get("EVTXSCAN_CORPUS"):
        paths += sorted(path for path in Path(corpus).rglob("*.evtx") if path.stat().st_size <= _LARGEST)
    return found + [(path.name, data) for path in paths if (data := path.read_bytes()).startswith(b"ElfFile")]


def mutant_of(originals: Sequence[tuple[str, bytes]], seed: int, number: int) -> tuple[str, bytes, bytes, list[str]]:
    """Return the log, its bytes, the mutant's bytes and the mutations of a mutant, which seed and number determine."""
    random = Random(f"{seed}:{number}")  # noqa: S311 - repeatable, not secret
    # Half of them of what is shipped: the public logs are many and differ little.
    pool = originals if random.random() < 0.5 else originals[:6]
    name, data = random.choice(pool)
    mutant, names = mutate(data, random)
    return name, data, mutant, names


def run(
    *, seed: int = 0, first: int = 0, count: int | None = None, seconds: float | None = None, jobs: int = 1,
    keep: Path | None = None, limit: float = LIMIT,
) -> Report:  # fmt: skip
    """Check mutants from number ``first`` on, until ``count`` are done or ``seconds`` are over.

    ``keep``: folder for the bytes of those that fail.
    """
    known = originals()
    report = Report()
    started = time.monotonic()
    numbers = iter(range(first, first + count)) if count is not None else iter(range(first, 2**62))
    workers = [_Worker(seed, limit) for _ in range(jobs)]
    try:
        for worker in workers:
            worker.give(next(numbers, None))
        while any(worker.number is not None for worker in workers):
            for worker in _ready(workers):
                number, problem, taken = worker.take()
                name, _, mutant, names = mutant_of(known, seed, number)
                report.mutants += 1
                report.slowest = max(report.slowest, taken)
                report.mutations.update(names)
                if problem:
                    report.failures.append(Failure(number, name, tuple(names), problem))
                    if keep:
                        keep.mkdir(parents=True, exist_ok=True)
                        (keep / f"{seed}-{number}.evtx").write_bytes(mutant)
                over = seconds is not None and time.monotonic() - started > seconds
                worker.give(None if over else next(numbers, None))
    finally:
        for worker in workers:
            worker.stop()
    report.seconds = time.monotonic() - started
    return report


class _Worker:
    """A process that checks one mutant at a time; it is replaced when it dies or hangs."""

    def __init__(self, seed: int, limit: float) -> None:
        self._seed = seed
        self._limit = limit
        self.number: int | None = None
        self._since = self._used = 0.0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(other, self._seed), daemon=True)
        self.process.start()
        other.close()
        self.connection.recv()  # it has imported everything: from now on the time counts

    def give(self, number: int | None) -> None:
        self.number = number
        if number is not None:
            self._since = time.monotonic()
            self._used = _processor_time(self.process.pid) or 0.0
            self.connection.send(number)

    @property
    def is_late(self) -> bool:
        """Whether the mutant takes too long: by the processor's time, where that can be told, for others may use it."""
        taken = time.monotonic() - self._since
        if self.number is None or taken <= self._limit:
            return False
        used = _processor_time(self.process.pid)
        return used is None or used - self._used > self._limit or taken > _PATIENCE * self._limit

    def take(self) -> tuple[int, str | None, float]:
        """Return the number of the mutant, what was wrong with it, and the seconds it took."""
        number, taken = self.number or 0, time.monotonic() - self._since
        if self.connection.poll():
            try:
                return number, self.connection.recv(), taken
            except EOFError:
                self.process.join()
                problem = f"the process died: exit code {self.process.exitcode}"
        else:
            problem = f"not done after {self._limit:.0f} seconds"
        self.stop()
        self._start()
        return number, problem, taken

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _processor_time(process: int | None) -> float | None:
    """Return the seconds of processor time that a process has used (Linux; None elsewhere)."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ready(workers: list[_Worker]) -> Iterator[_Worker]:
    busy = {worker.connection: worker for worker in workers if worker.number is not None}
    answered = {id(connection) for connection in wait(list(busy), timeout=0.2)}
    yield from (w for connection, w in busy.items() if id(connection) in answered or w.is_late)


def _work(connection: Connection, seed: int) -> None:
    known = originals()
    with tempfile.TemporaryDirectory(prefix="evtxscan-fuzz-") as folder:
        checker = Checker(Path(folder))
        connection.send(None)
        while True:
            try:
                number = connection.recv()
            except EOFError:
                return
            connection.send(check(checker, known, seed, number))


def check(checker: Checker, known: Sequence[tuple[str, bytes]], seed: int, number: int) -> str | None:
    """Return what is wrong with a mutant, None where nothing is."""
    _, original, mutant, _ = mutant_of(known, seed, number)
    try:
        return "; ".join(checker.breaches(original, mutant, thorough=number % _THOROUGH == 0)) or None
    except Exception:  # noqa: BLE001 - any exception is what is looked for
        return traceback.format_exc()
