"""Makes mutants and has them checked in worker processes, which may crash or hang: that is what is looked for."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

from tests.fuzz.mutations import mutate
from tests.fuzz.promises import Checker
from tests.integration import logs

EVIDENCE = Path(__file__).parents[2] / "testdata" / "evidence"
SECTOR = 512
_MEMORY = Path("/dev/shm")  # noqa: S108 - waiting for a disk took two thirds of the time, and is tested elsewhere
LIMIT = 10.0  # seconds for one file
_PATIENCE = 6  # times the limit that a mutant may take on a busy machine
_LARGEST = 300 << 10  # larger logs are slow, and show nothing that smaller ones do not
_THOROUGH = 100  # one mutant of so many goes through the other commands as well: they take much longer


@dataclass(frozen=True, slots=True)
class Failure:
    """A mutant, by its number, that broke a promise."""

    number: int
    log: str
    mutations: tuple[str, ...]
    problem: str


@dataclass(slots=True)
class Report:
    """What a run did and found. ``next``: the number to begin with when going on."""

    next: int = 0
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


def mutant_of(
    originals: Sequence[tuple[str, bytes]], seed: int | None, number: int
) -> tuple[str, bytes, bytes, list[str]]:
    """Return the log, its bytes, the mutant's bytes and the mutations of a mutant, which seed and number determine.

    Without a seed, mutants are the logs in order, each cut at every 512 bytes. Raises IndexError behind the last one.
    """
    if seed is None:
        return _cut(originals, number)
    random = Random(f"{seed}:{number}")  # noqa: S311 - repeatable, not secret
    # Half of them of what is shipped: the public logs are many and differ little.
    pool = originals if random.random() < 0.5 else originals[:6]
    name, data = random.choice(pool)
    mutant, names = mutate(data, random)
    return name, data, mutant, names


def _cut(originals: Sequence[tuple[str, bytes]], number: int) -> tuple[str, bytes, bytes, list[str]]:
    for name, data in originals:
        cuts = -(-len(data) // SECTOR)
        if number < cuts:
            return name, data, data[: number * SECTOR], [f"cut at {number * SECTOR:,}"]
        number -= cuts
    raise IndexError(number)


def all_cuts(originals: Sequence[tuple[str, bytes]]) -> int:
    """Return how many mutants there are without a seed."""
    return sum(-(-len(data) // SECTOR) for _, data in originals)


def run(
    *, seed: int | None = 0, first: int = 0, count: int | None = None, seconds: float | None = None, jobs: int = 1,
    keep: Path | None = None, limit: float = LIMIT, tell: Callable[[Report, Failure | None], None] | None = None,
) -> Report:  # fmt: skip
    """Check mutants from number ``first`` on, until ``count`` are done, ``seconds`` are over, or it is interrupted.

    ``keep``: folder for the bytes of those that fail. ``tell`` is called for each mutant that fails, and now and then.
    """
    known = originals()
    if seed is None:
        count = min(all_cuts(known) - first, 2**62 if count is None else count)
    report = Report(next=first)
    started = told = time.monotonic()
    last = first + count if count is not None else 2**62
    workers = [_Worker(seed, limit) for _ in range(jobs)]

    def number() -> int | None:
        over = seconds is not None and report.mutants and time.monotonic() - started > seconds
        if over or report.next >= last:
            return None
        report.next += 1
        return report.next - 1

    try:
        for worker in workers:
            worker.give(number())
        while any(worker.number is not None for worker in workers):
            for worker in _ready(workers):
                failure = _take(worker, known, report, keep)
                report.seconds = time.monotonic() - started
                if tell and (failure or time.monotonic() - told > 60):
                    tell(report, failure)
                    told = time.monotonic()
                worker.give(number())
    except KeyboardInterrupt:
        report.next = min((w.number for w in workers if w.number is not None), default=report.next)
    finally:
        for worker in workers:
            worker.stop()
    report.seconds = time.monotonic() - started
    return report


def _take(worker: _Worker, known: Sequence[tuple[str, bytes]], report: Report, keep: Path | None) -> Failure | None:
    number, problem, taken = worker.take()
    name, _, mutant, names = mutant_of(known, worker.seed, number)
    report.mutants += 1
    report.slowest = max(report.slowest, taken)
    report.mutations.update(names if worker.seed is not None else ["cut"])
    if not problem:
        return None
    failure = Failure(number, name, tuple(names), problem)
    report.failures.append(failure)
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{'cut' if worker.seed is None else worker.seed}-{number}.evtx").write_bytes(mutant)
    return failure


class _Worker:
    """A process that checks one mutant at a time; it is replaced when it dies or hangs."""

    def __init__(self, seed: int | None, limit: float) -> None:
        self.seed = seed
        self._limit = limit
        self.number: int | None = None
        self._since = self._used = 0.0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(other, self.seed), daemon=True)
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


def _work(connection: Connection, seed: int | None) -> None:
    known = originals()
    with tempfile.TemporaryDirectory(prefix="evtxscan-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        checker = Checker(Path(folder))
        connection.send(None)
        while True:
            try:
                number = connection.recv()
            except EOFError:
                return
            connection.send(check(checker, known, seed, number))


def check(checker: Checker, known: Sequence[tuple[str, bytes]], seed: int | None, number: int) -> str | None:
    """Return what is wrong with a mutant, None where nothing is."""
    _, original, mutant, _ = mutant_of(known, seed, number)
    try:
        return "; ".join(checker.breaches(original, mutant, thorough=number % _THOROUGH == 0)) or None
    except Exception:  # noqa: BLE001 - any exception is what is looked for
        return traceback.format_exc()
