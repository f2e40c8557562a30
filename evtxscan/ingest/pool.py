"""Runs batches in worker processes, in order, and survives a parser that takes its process with it, or never ends.

Each worker has a pipe of its own: one that dies costs the task that it was busy with, and its end is seen at once. What
the standard library offers shares queues between workers, and a process that dies while it writes to one blocks all.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from queue import SimpleQueue

from evtxscan.ingest.batch import Batch, Task
from evtxscan.ingest.documents import DocumentTask

AnyTask = Task | DocumentTask
Outcome = list[Batch] | OSError

# Batches that are done or under way beyond those the workers are busy with: bounds the memory.
_AHEAD = 2
# Seconds of processor time, so that a slow disk or a busy machine costs no record. A batch takes a tenth of a second;
# one that takes too long is done again chunk by chunk. A chunk of small records, none of which the bulk parser reads,
# takes the second parser six seconds; one that takes too long is given up.
_BATCH_LIMIT = 5.0
_CHUNK_LIMIT = 20.0
# Python's default. A fork has that of the command line, with which it would keep what batches leave in cycles.
_COLLECT = (700, 10, 10)
_CAN_LIMIT = hasattr(signal, "setitimer")


@dataclass(frozen=True, slots=True)
class _Failed:
    """What a worker says of a task that raised something, or its end says of it."""

    detail: str
    died: bool = False


Answer = Batch | OSError | _Failed


def run_tasks(tasks: Iterable[AnyTask], jobs: int, known: frozenset[bytes]) -> Iterator[tuple[AnyTask, Outcome]]:
    """Yield each task with its batches, or with the OSError that reading the file met, in the order of ``tasks``.

    ``jobs`` worker processes; 0 means none but this one, which a fault of a parser then ends or holds up. ``tasks`` is
    drawn from only as results are taken.
    """
    if jobs == 0:
        for task in tasks:
            try:
                yield task, [task.run(known)]
            except OSError as error:
                yield task, error
        return
    pool = _Pool(jobs, known)
    waiting: deque[AnyTask] = deque()
    source = iter(tasks)
    try:
        while True:
            while len(waiting) < jobs + _AHEAD and (drawn := next(source, None)) is not None:
                waiting.append(drawn)
                pool.submit(drawn)
            if not waiting:
                return
            yield waiting.popleft(), pool.take()
    finally:
        pool.stop()


class _Pool:
    """Hands tasks to its workers in turn: results are wanted in order, so no worker could be ahead for long."""

    def __init__(self, jobs: int, known: frozenset[bytes]) -> None:
        self._known = known
        self._workers = [_Worker(known, _BATCH_LIMIT) for _ in range(jobs)]
        self._turn = 0
        self._given: deque[tuple[int, AnyTask]] = deque()

    def submit(self, task: AnyTask) -> None:
        number = self._turn % len(self._workers)
        self._turn += 1
        self._workers[number].give(task)
        self._given.append((number, task))

    def take(self) -> Outcome:
        """Return the result of the oldest task."""
        number, task = self._given.popleft()
        answer = self._workers[number].take()
        if not isinstance(answer, _Failed):
            return [answer] if isinstance(answer, Batch) else answer
        if answer.died:
            self._workers[number].stop()
            self._workers[number] = _Worker(self._known, _BATCH_LIMIT)
            for owner, other in self._given:
                if owner == number:
                    self._workers[number].give(other)
        return self._chunk_by_chunk(task)

    def _chunk_by_chunk(self, task: AnyTask) -> Outcome:
        """Do a task that failed again, and give up the chunks that fail once more."""
        parts: list[Batch] = []
        worker = _Worker(self._known, _CHUNK_LIMIT)
        try:
            for number in range(task.first, task.first + task.count):
                alone = task.alone(number)
                worker.give(alone)
                answer = worker.take()
                if isinstance(answer, OSError):
                    return answer
                if isinstance(answer, _Failed) and answer.died:
                    worker.stop()
                    worker = _Worker(self._known, _CHUNK_LIMIT)
                parts.append(alone.crashed(answer.detail) if isinstance(answer, _Failed) else answer)
        except OSError as error:
            return error
        finally:
            worker.stop()
        return parts

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()


class _Worker:
    """A process that does one task after the other. Its answers are received at once, so that it never waits."""

    def __init__(self, known: frozenset[bytes], limit: float) -> None:
        context = _context()
        self._connection, other = context.Pipe()
        # A fork has this end of its pipe as well, and would never see that the main process is gone.
        ours = self._connection if context.get_start_method() == "fork" else None
        self._process = context.Process(target=_serve, args=(other, ours, known, limit), daemon=True)  # type: ignore[attr-defined]
        with _interrupts_held():
            self._process.start()
        other.close()
        self._limit = limit
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._receiver: threading.Thread | None = None

    def give(self, task: AnyTask) -> None:
        """Give it a task more. Where it has died, the answer says so."""
        if self._receiver is None:  # not before: a process with threads is not forked
            self._receiver = threading.Thread(target=self._receive, name="receive", daemon=True)
            self._receiver.start()
        try:
            self._connection.send(task)
        except OSError:
            return

    def take(self) -> Answer:
        """Return the answer to the oldest task."""
        return self._answers.get()

    def stop(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.join()
        if self._receiver:
            self._receiver.join()
        self._connection.close()

    def _receive(self) -> None:
        while True:
            try:
                self._answers.put(self._connection.recv())
            except (EOFError, OSError):
                self._process.join()
                return self._answers.put(_Failed(self._end(), died=True))

    def _end(self) -> str:
        code = self._process.exitcode
        if _CAN_LIMIT and code == -signal.SIGPROF:
            return f"the parser did not end within {self._limit:.0f} s of processor time on this chunk"
        return f"the parser's process died on this chunk (exit code {code})"


def _context() -> BaseContext:
    """Return how to start a process: a fork is ready at once, and safe where only this thread would be lost."""
    can_fork = sys.platform.startswith("linux") and threading.active_count() == 1
    return multiprocessing.get_context("fork" if can_fork else "spawn")


def _serve(connection: Connection, ours: Connection | None, known: frozenset[bytes], limit: float) -> None:
    """Be a worker: until the main process is gone, however it went; nobody else would tell.

    ``ours``: the main process's end of the pipe, where this is a fork. Later forks have it, too, and end before this.
    """
    if ours is not None:
        ours.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the main process's to handle
    gc.set_threshold(*_COLLECT)
    if _CAN_LIMIT:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process, whatever it is busy with
    tasks: SimpleQueue[AnyTask] = SimpleQueue()
    threading.Thread(target=_receive_tasks, args=(connection, tasks), daemon=True).start()
    while True:
        connection.send(_answer(tasks.get(), known, limit))


def _receive_tasks(connection: Connection, tasks: SimpleQueue[AnyTask]) -> None:
    """Take tasks as they come, so that the main process need not wait with the next one."""
    while True:
        try:
            tasks.put(connection.recv())
        except (EOFError, OSError):
            os._exit(1)


def _answer(task: AnyTask, known: frozenset[bytes], limit: float) -> Answer:
    if _CAN_LIMIT:
        signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        return task.run(known)
    except OSError as error:
        return error
    except BaseException as error:  # noqa: BLE001 - whatever damage brings about, a panic of native code too, is a loss
        return _Failed(f"{type(error).__name__}: {error}")
    finally:
        if _CAN_LIMIT:
            signal.setitimer(signal.ITIMER_PROF, 0)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold back an interrupt while processes start, and let it through afterwards.

    A terminal interrupts all of its processes. One that has not got to _start_worker, or whose start is cut off by
    the main process's interrupt, would print a traceback.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # a new process inherits the mask, and keeps it
        signal.signal(signal.SIGINT, before)
        if held:
            signal.raise_signal(signal.SIGINT)
