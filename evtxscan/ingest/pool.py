"""Runs batches in worker processes, in order, and survives a parser that takes its process with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection

from evtxscan.ingest.batch import Batch, Task, crashed_chunk, run_task

Outcome = list[Batch] | OSError

# Batches that are done or under way beyond those the workers are busy with: bounds the memory.
_AHEAD = 2

_known: frozenset[bytes] = frozenset()


def _start_worker(known: frozenset[bytes]) -> None:
    global _known  # noqa: PLW0603 - what a worker is told once instead of with every task
    _known = known
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the main process's to handle
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """Leave when the main process is gone, however it went; nobody else would tell."""
    connection.wait([sentinel])
    os._exit(1)


def _work(task: Task) -> Batch:
    return run_task(task, _known)


def run_tasks(tasks: Iterable[Task], jobs: int, known: frozenset[bytes]) -> Iterator[tuple[Task, Outcome]]:
    """Yield each task with its batches, or with the OSError that reading the file met, in the order of ``tasks``.

    ``jobs`` worker processes; 1 means none but this one. ``tasks`` is drawn from only as results are taken.
    """
    if jobs == 1:
        for task in tasks:
            try:
                yield task, [run_task(task, known)]
            except OSError as error:
                yield task, error
        return
    pool = _Pool(jobs, known)
    waiting: deque[Task] = deque()
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
    def __init__(self, jobs: int, known: frozenset[bytes]) -> None:
        self._jobs = jobs
        self._known = known
        self._executor = self._start(jobs)
        self._futures: deque[tuple[Task, Future[Batch]]] = deque()

    def _start(self, jobs: int) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(jobs, context, _start_worker, (self._known,))

    def submit(self, task: Task) -> None:
        try:
            future = self._executor.submit(_work, task)
        except BrokenProcessPool:
            future = Future()
            future.set_exception(BrokenProcessPool())
        self._futures.append((task, future))

    def take(self) -> Outcome:
        """Return the result of the oldest task."""
        task, future = self._futures.popleft()
        try:
            return [future.result()]
        except OSError as error:
            return error
        except BrokenProcessPool:
            return self._recover(task)

    def _recover(self, task: Task) -> Outcome:
        """Do a task chunk by chunk in a process of its own, and hand what else was under way to new workers."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        parts: list[Batch] = []
        for number in range(task.first, task.first + task.count):
            alone = Task(task.location, number, 1, task.only)
            with self._start(1) as executor:
                try:
                    parts.append(executor.submit(_work, alone).result())
                except BrokenProcessPool:
                    parts.append(crashed_chunk(alone))
                except OSError as error:
                    return error
        self._executor = self._start(self._jobs)
        self._futures = deque((other, self._executor.submit(_work, other)) for other, _ in self._futures)
        return parts

    def stop(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in list((self._executor._processes or {}).values()):
            process.terminate()
