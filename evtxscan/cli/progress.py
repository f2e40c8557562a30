"""Shows how far an ingest has come, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from evtxscan.export.text import visible
from evtxscan.ingest.summary import Progress

if TYPE_CHECKING:
    from rich.progress import TaskID


# Characters of a name that are shown while it is looked at.
_PLACE = 200


@contextmanager
def ingest_progress(*, quiet: bool) -> Iterator[Progress | None]:
    """Give a progress display on standard error, or None where that is no terminal or the user wants quiet."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with _Display() as display:
        yield display


class _Display:
    """What is looked at, as long as logs are searched; then files, bytes, records and the time left. By rich."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._search = Progress(
            SpinnerColumn(),
            TextColumn("searching, {task.completed:,.0f} looked at:", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._searching = self._search.add_task("", total=None)
        self._progress = Progress(
            TextColumn("{task.fields[files]}"),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[records]} records"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._files = self._done = self._records = 0
        self._task = self._progress.add_task("ingest", total=None, files="", records="0")

    def __enter__(self) -> _Display:
        self._search.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._search.stop()
        self._progress.stop()

    def looking(self, place: str) -> None:
        self._search.update(self._searching, advance=1, description=visible(place, _PLACE))

    def start(self, files: int, size: int) -> None:
        self._search.stop()
        self._progress.start()
        self._files = files
        self._progress.update(self._task, total=size, files=f"file 1 of {files}")

    def advance(self, size: int, records: int) -> None:
        self._records += records
        self._progress.update(self._task, advance=size, records=f"{self._records:,}")

    def file_done(self, path: str) -> None:
        self._done += 1
        self._progress.update(self._task, files=f"file {min(self._done + 1, self._files)} of {self._files}")

    def hashing(self, done: int, total: int) -> None:
        self._progress.update(self._task, files="hashing the containers", completed=done, total=total)


@contextmanager
def task_progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """Give a function that shows what is done (a word), how much, and of how much; None as for ``ingest_progress``."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as display:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = display.add_task(what, total=total)
            display.update(tasks[what], completed=done, total=total)

        yield show
