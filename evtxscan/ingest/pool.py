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
from contextlib import contextmanager
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

    @staticmethod
    def _submit(executor: ProcessPoolExecutor, task: Task) -> Future[Batch]:
        with _interrupts_held():
            return executor.submit(_work, task)

    def submit(self, task: Task) -> None:
        try:
            future = self._submit(self._executor, task)
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
            alone = task.alone(number)
            with self._start(1) as executor:
                try:
                    parts.append(self._submit(executor, alone).result())
                except BrokenProcessPool:
                    parts.append(crashed_chunk(alone))
                except OSError as error:
                    return error
        self._executor = self._start(self._jobs)
        self._futures = deque((other, self._submit(self._executor, other)) for other, _ in self._futures)
        return parts

    def stop(self) -> None:
        processes = list((self._executor._processes or {}).values())  # shutdown forgets them
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
