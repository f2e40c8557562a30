"""Hashes the archives and images that event logs came out of, as files, while the logs are read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from evtxscan.errors import EvidenceError
from evtxscan.evidence.discover import Container
from evtxscan.evidence.source import Source, unreadable
from evtxscan.ingest.summary import ContainerSummary, Progress

# How often a display is told how far the hashing is.
_SECONDS = 0.2


class _Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The ingest ended before the hashing did."""


@dataclass(slots=True)
class _Hashing:
    summary: ContainerSummary
    part: Source
    future: Future[str] | None = None


class ContainerHashes:
    """The hashes of containers, made by a thread of their own: one reads the file once, from start to end.

    Disk images are hashed where ``images`` says so: reading all of one takes far longer than reading its logs.
    """

    def __init__(self, containers: Sequence[Container], *, images: bool) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="containers")
        self._stopping = threading.Event()
        self._done = 0
        self._hashings: list[_Hashing] = []
        self._unreadable: list[ContainerSummary] = []
        for container in containers:
            self._add(container, is_hashed=images or not container.is_image)

    def stop(self) -> None:
        """End the hashing, if it has not ended."""
        self._stopping.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def results(self, progress: Progress | None = None) -> list[ContainerSummary]:
        """Wait for all hashes; ``progress`` is told how far they are."""
        pending = [hashing.future for hashing in self._hashings if hashing.future is not None]
        total = sum(hashing.part.size for hashing in self._hashings if hashing.future is not None)
        while wait(pending, _SECONDS if progress else None).not_done:
            if progress:
                progress.hashing(self._done, total)
        for hashing in self._hashings:
            if hashing.future is not None:
                try:
                    hashing.summary.sha256 = hashing.future.result()
                except EvidenceError as error:
                    hashing.summary.error = str(error)
        return [*(hashing.summary for hashing in self._hashings), *self._unreadable]

    def _add(self, container: Container, *, is_hashed: bool) -> None:
        try:
            parts = container.parts()
        except OSError as error:
            summary = ContainerSummary(container.path, container.argument, container.path, str(container.kind))
            summary.error = str(unreadable(container.path, error))
            self._unreadable.append(summary)
            return
        for part in parts:
            summary = ContainerSummary(
                part.path, part.argument, container.path, str(container.kind), part.size, part.modified
            )
            future = self._thread.submit(part.sha256, self._advance) if is_hashed else None
            self._hashings.append(_Hashing(summary, part, future))

    def _advance(self, size: int) -> None:
        if self._stopping.is_set():
            raise _Stopped
        self._done += size
