"""Opening a case for a command: derived tables up to date, the command in its log, the user's filters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evtxscan.context.build import ensure
from evtxscan.errors import UsageError
from evtxscan.evtx.filetime import from_iso
from evtxscan.store.case import Case, open_case
from evtxscan.store.scope import Scope


@dataclass(frozen=True, slots=True)
class Filters:
    """The part of a case to look at, as a user names it: ISO 8601 times and host names; and what counts (``Scope``)."""

    start: str | None = None
    end: str | None = None
    hosts: tuple[str, ...] = ()
    observed_only: bool = False
    defend_values: bool = True
    live_only: bool = False

    def scope(self) -> Scope:
        """Return it in the case's terms. Raises UsageError for a time that is none."""
        start = None if self.start is None else _ticks(self.start, "--from")
        end = None if self.end is None else _ticks(self.end, "--to")
        if start is not None and end is not None and start > end:
            raise UsageError(f"--from {self.start} is later than --to {self.end}")
        return Scope(start, end, self.hosts, self.observed_only, self.defend_values, self.live_only)


def _ticks(text: str, option: str) -> int:
    try:
        return from_iso(text)
    except ValueError:
        raise UsageError(f"{option} {text}: no ISO 8601 time; write it as 2020-05-18T13:20:05Z") from None


@contextmanager
def logged(case: Case, command: str, arguments: list[str]) -> Iterator[_Run]:
    """Enter a command into the case's log; it stays open (no end) where the command did not get to one."""
    run = _Run(case.start_run(command, arguments))
    yield run
    case.end_run(run.number, run.exit_code)


@dataclass(slots=True)
class _Run:
    number: int
    exit_code: int = 0


@contextmanager
def settled(case_path: Path) -> Iterator[Case]:
    """Open a case whose derived tables are up to date: an ingest that was killed may have left them behind."""
    with open_case(case_path) as case:
        ensure(case)
        yield case
