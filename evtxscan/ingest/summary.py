"""What an ingest reports: to its caller when it is done, and to a progress display on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from evtxscan.errors import EvidenceError
from evtxscan.evidence.discover import Skipped
from evtxscan.store.stale import StaleCounts


@dataclass(slots=True)
class Counts:
    """What became of the records of a source: found = stored + known + lost + filtered."""

    found: int = 0
    stored: int = 0
    known: int = 0
    lost: int = 0
    filtered: int = 0

    def add(self, other: Counts) -> None:
        """Add another source's or batch's counts."""
        self.found += other.found
        self.stored += other.stored
        self.known += other.known
        self.lost += other.lost
        self.filtered += other.filtered


@dataclass(frozen=True, slots=True)
class Loss:
    """A record that was found and could not be stored; ``chunk`` is its number in the source.

    Of a lost document, ``line`` is the number of its line in the file, from 1, and ``byte`` where that begins.
    """

    chunk: int
    offset: int | None
    record_id: int | None
    reason: str
    detail: str
    line: int | None = None
    byte: int | None = None


@dataclass(slots=True)
class SourceSummary:
    """What became of one source; ``error`` says why it could not be read to its end, or that it changed meanwhile."""

    path: str
    argument: str
    size: int
    sha256: str = ""
    counts: Counts = field(default_factory=Counts)
    losses: list[Loss] = field(default_factory=list)
    error: str | None = None
    stale: StaleCounts = field(default_factory=StaleCounts)


@dataclass(slots=True)
class ContainerSummary:
    """A file of an outermost archive or disk image; ``first`` is the path of the first file of its set.

    ``sha256`` is None where it was not hashed; ``error`` says why it could not be, or that another was expected.
    """

    path: str
    argument: str
    first: str
    kind: str
    size: int = 0
    modified: str = ""
    sha256: str | None = None
    expected_sha256: str | None = None
    error: str | None = None


@dataclass(slots=True)
class Summary:
    """What an ingest did, in the order of source paths."""

    sources: list[SourceSummary] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    errors: list[EvidenceError] = field(default_factory=list)
    stale: StaleCounts = field(default_factory=StaleCounts)
    """Of the whole case, each chunk's once."""
    containers: list[ContainerSummary] = field(default_factory=list)

    @property
    def totals(self) -> Counts:
        """The sum over all sources."""
        total = Counts()
        for source in self.sources:
            total.add(source.counts)
        return total

    @property
    def is_complete(self) -> bool:
        """Whether all evidence was read and nothing of it was lost."""
        failed = self.errors or any(source.error for source in self.sources) or any(c.error for c in self.containers)
        return not failed and self.totals.lost == 0


class Progress(Protocol):
    """Is told how far an ingest has come."""

    def looking(self, place: str) -> None:
        """While event logs are searched: a file, or a folder of an image, is looked at."""

    def start(self, files: int, size: int) -> None:
        """Called once, when they are found, with the number of files and their bytes."""

    def advance(self, size: int, records: int) -> None:
        """``size`` more bytes were read, ``records`` more records found."""

    def file_done(self, path: str) -> None:
        """A file was read to its end."""

    def hashing(self, done: int, total: int) -> None:
        """All files are read, and of the containers so many bytes of so many are hashed."""
