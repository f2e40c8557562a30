"""Finds the evidence of a case again, where it was or where it lies now, and hashes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from evtxscan.errors import EvidenceError
from evtxscan.evidence.discover import Look, discover
from evtxscan.evidence.source import Opener, Source, plain_source
from evtxscan.store.case import Case, explained

SourceOutcome = Literal["unchanged", "changed", "missing", "unreadable"]
SOURCE_OUTCOMES: tuple[SourceOutcome, ...] = ("unchanged", "changed", "missing", "unreadable")
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """What became of a source since it was read: ``sha256`` then and ``found_sha256`` now (None: not read now).

    ``file`` is where its bytes are read from now; None where there is none.
    """

    path: str
    sha256: str
    size: int
    outcome: SourceOutcome
    found_sha256: str | None = None
    detail: str | None = None
    file: Source | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    path: str
    argument: str
    sha256: str
    size: int


class Sources:
    """Finds what a case was made of, and hashes it as it is now, each file once.

    ``evidence``: files or folders where the evidence lies now; without any, where ingest found it. ``progress`` is told
    the bytes that were hashed, ``look`` what is looked at in search of them. Methods may raise CaseError.
    """

    def __init__(self, case: Case, evidence: Sequence[Path], progress: Progress, look: Look) -> None:
        """Raises EvidenceError where a path of ``evidence`` does not exist."""
        for path in evidence:
            if not path.exists():
                raise EvidenceError(f"{path}: no such file or folder")
        self._case = case
        self._finder = _Finder(evidence, progress, look)

    def check_all(self) -> list[SourceCheck]:
        """Check every source."""
        return [_check(known, self._finder) for known in self._known(_SOURCES)]

    def check_containers(self) -> list[SourceCheck]:
        """Check the archives and images that sources came out of, as far as ingest hashed them."""
        return [_check(known, self._finder, is_container=True) for known in self._known(_CONTAINERS)]

    def _known(self, sql: str) -> list[_Known]:
        with explained(self._case.path):
            return [_Known(*row) for row in self._case.db.execute(sql)]


_SOURCES = "SELECT path, min(argument), sha256, size FROM source GROUP BY path, sha256 ORDER BY path, sha256"
_CONTAINERS = """
SELECT path, min(argument), sha256, size FROM container WHERE sha256 IS NOT NULL
GROUP BY path, sha256 ORDER BY path, sha256
"""


def _check(known: _Known, finder: _Finder, *, is_container: bool = False) -> SourceCheck:
    if not known.sha256:
        detail = "it could not be read when it was to be ingested"
        return SourceCheck(known.path, known.sha256, known.size, "unreadable", detail=detail)
    changed: tuple[Source, str] | None = None
    problem: str | None = None
    for candidate, is_named_so in finder.files(known) if is_container else finder.candidates(known):
        found = finder.sha256(candidate)
        if isinstance(found, EvidenceError):
            problem = problem or str(found)
        elif found == known.sha256:
            return SourceCheck(known.path, known.sha256, known.size, "unchanged", found, file=candidate)
        elif is_named_so and changed is None:
            changed = (candidate, found)
    if changed:
        file, now = changed
        moved = None if file.size == known.size else f"it has {file.size:,} bytes now, {known.size:,} when it was read"
        return SourceCheck(known.path, known.sha256, known.size, "changed", now, moved, file)
    if problem:
        return SourceCheck(known.path, known.sha256, known.size, "unreadable", detail=problem)
    detail = "not where it was; say with --evidence where it lies now" if not finder.evidence else "not found there"
    return SourceCheck(known.path, known.sha256, known.size, "missing", detail=detail)


class _Finder:
    """Knows the files that may be sources of a case, and hashes each once."""

    def __init__(self, evidence: Sequence[Path], progress: Progress, look: Look) -> None:
        self.evidence = evidence
        self._progress = progress
        self._look = look
        self._hashes: dict[Opener, str | EvidenceError] = {}
        self._under: dict[Path, list[Source]] = {}

    def sha256(self, source: Source) -> str | EvidenceError:
        """Return the hash of a file, or why it cannot be read."""
        if source.opener not in self._hashes:
            try:
                self._hashes[source.opener] = source.sha256(self._progress)
            except EvidenceError as error:
                self._hashes[source.opener] = error
        return self._hashes[source.opener]

    def candidates(self, known: _Known) -> Iterator[tuple[Source, bool]]:
        """Yield files that may be a source, and whether their name says so; the likely ones first."""
        for place in self.evidence or [Path(known.argument)]:
            yield from self._direct(place, known)
        if self.evidence:
            name = known.path.rpartition("/")[2]
            same_name = [source for source in self._discovered if source.path.rpartition("/")[2] == name]
            yield from ((source, True) for source in sorted(same_name, key=lambda s: -_shared(s.path, known.path)))
            yield from ((source, False) for source in self._discovered if source.size == known.size)
        else:
            inside = self._inside(Path(known.argument))
            yield from ((source, True) for source in inside if source.path == known.path)

    def files(self, known: _Known) -> Iterator[tuple[Source, bool]]:
        """Yield files of their own that may be a container, and whether their name says so; the likely ones first."""
        for place in self.evidence or [Path(known.argument)]:
            yield from self._direct(place, known)
            for folder in [Path(known.argument).parent] if not self.evidence else []:  # a further part of a set
                yield from self._direct(folder, known)
        name = known.path.rpartition("/")[2]
        yield from ((source, True) for source in self._below if source.path.rpartition("/")[2] == name)
        yield from ((source, False) for source in self._below if source.size == known.size)

    def _direct(self, place: Path, known: _Known) -> Iterator[tuple[Source, bool]]:
        """Yield the file of its own that has the source's name."""
        name = known.path.rpartition("/")[2] if self.evidence else known.path
        try:
            if place.is_file():
                if place.name == name:
                    yield plain_source(place, str(place), known.path), True
            elif (place / known.path).is_file():
                yield plain_source(place / known.path, str(place), known.path), True
        except OSError:
            return  # what is there and cannot be read, finding it again says

    def _inside(self, place: Path) -> list[Source]:
        """Return what stands in the containers at a place."""
        if place not in self._under:
            self._under[place] = discover([place], self._look).sources if place.exists() else []
        return self._under[place]

    @cached_property
    def _below(self) -> list[Source]:
        """All files where the evidence lies now."""
        found: list[Source] = []
        for place in self.evidence:
            paths = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
            for path in paths:
                with suppress(OSError):  # what cannot be read is not what is looked for; that is missing then
                    found.append(plain_source(path, str(place), path.relative_to(place).as_posix()))
        return found

    @cached_property
    def _discovered(self) -> list[Source]:
        return discover(list(self.evidence), self._look).sources


def _shared(one: str, other: str) -> int:
    """Return how many parts, from the last on, two paths share."""
    count = 0
    for left, right in zip(reversed(one.split("/")), reversed(other.split("/")), strict=False):
        if left != right:
            break
        count += 1
    return count
