"""Finds the event logs under the paths an examiner names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from evtxscan.errors import EvidenceError
from evtxscan.evidence.recognise import why_not_a_log
from evtxscan.evidence.source import Source, describe, readable_name, unreadable


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file below a named folder that is no event log."""

    path: str
    argument: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """What lies under the named paths, in an order that does not depend on the file system."""

    sources: list[Source] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    errors: list[EvidenceError] = field(default_factory=list)


def discover(paths: list[Path]) -> Found:
    """Find event logs by content. Folders are searched recursively, links to folders are not followed.

    A file named outright that is no event log is an error, one below a folder is skipped; what cannot be read is an
    error in both cases. A file reached by two arguments is taken once, under the longer of its names.
    """
    found = Found()
    candidates: dict[str, _Candidate] = {}
    for path in paths:
        for candidate in _candidates(path, found):
            identity = os.path.realpath(candidate.path)
            candidates[identity] = max(candidate, candidates.get(identity, candidate), key=_Candidate.preference)
    for candidate in candidates.values():
        _take(candidate, found)
    found.sources.sort(key=lambda source: (source.path, source.argument))
    found.skipped.sort(key=lambda skipped: (skipped.path, skipped.argument))
    found.errors.sort(key=str)
    return found


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    argument: str
    name: str
    named: bool

    def preference(self) -> tuple[int, str, str]:
        return len(self.name), self.name, self.argument


def _candidates(path: Path, found: Found) -> Iterator[_Candidate]:
    argument = readable_name(str(path))
    if not path.is_dir():
        yield _Candidate(path, argument, readable_name(path.name), named=True)
        return

    def failed(error: OSError) -> None:
        found.errors.append(unreadable(Path(error.filename or path), error))

    for base, _, files in os.walk(path, onerror=failed):
        for file in files:
            below = Path(base, file)
            yield _Candidate(below, argument, readable_name(below.relative_to(path).as_posix()), named=False)


def _take(candidate: _Candidate, found: Found) -> None:
    try:
        candidate.path.stat()
        reason = why_not_a_log(candidate.path) if candidate.path.is_file() else "not a regular file"
        source = describe(candidate.path, candidate.argument, candidate.name)
    except OSError as error:
        found.errors.append(unreadable(candidate.path, error))
        return
    if reason is None:
        found.sources.append(source)
    elif candidate.named:
        found.errors.append(EvidenceError(f"{candidate.path}: {reason}"))
    else:
        found.skipped.append(Skipped(candidate.name, candidate.argument, reason))
