"""Finds the event logs, and files of event documents, under the paths an examiner names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from evtxscan.errors import EvidenceError
from evtxscan.evidence.recognise import FORMS, IMAGES, Kind, Nature, examine_file
from evtxscan.evidence.source import (
    HEAD_SIZE,
    PlainFile,
    Source,
    modified_time,
    plain_source,
    readable_name,
    unreadable,
)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file below a named folder, or in an archive, that is no event log and has no event documents."""

    path: str
    argument: str
    reason: str


@dataclass(frozen=True, slots=True)
class Container:
    """An outermost archive or disk image that event logs were found in.

    ``files`` are those it consists of: itself, and the further parts of a set.
    """

    path: str
    argument: str
    kind: Kind
    files: tuple[Path, ...]

    @property
    def is_image(self) -> bool:
        """Whether it is a disk image: of these, most bytes are not read."""
        return self.kind in IMAGES

    def parts(self) -> list[Source]:
        """Return its files as they are, the first under its own path. Raises OSError."""
        folder = self.path.rpartition("/")[0]
        names = [self.path, *(f"{folder}/{file.name}".lstrip("/") for file in self.files[1:])]
        return [plain_source(file, self.argument, name) for file, name in zip(self.files, names, strict=True)]


@dataclass(frozen=True, slots=True)
class Found:
    """What lies under the named paths, in an order that does not depend on the file system.

    Members of one archive stand together and in its own order, in which they are cheapest to read.
    """

    sources: list[Source] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    errors: list[EvidenceError] = field(default_factory=list)
    containers: list[Container] = field(default_factory=list)


Look = Callable[[str], None]
"""Is told of each file, and each folder of an image, that is looked at: a search can take its time."""


def _silent(_: str) -> None:
    """Tell nobody."""


def discover(paths: list[Path], look: Look = _silent) -> Found:
    """Find event logs by content, in folders, archives and disk images.

    Folders are searched recursively, links to folders are not followed. A file named outright that has no event log is
    an error, one below a folder is skipped; what cannot be read is an error in both cases. A file reached by two
    arguments is taken once, under the longer of its names.
    """
    found = Found()
    candidates: dict[str, Candidate] = {}
    for path in paths:
        for candidate in _candidates(path, found):
            identity = os.path.realpath(candidate.path)
            candidates[identity] = max(candidate, candidates.get(identity, candidate), key=Candidate.preference)
    for candidate in sorted(candidates.values(), key=lambda candidate: (candidate.name, candidate.argument)):
        look(candidate.name)
        _take(candidate, found, look)
    found.skipped.sort(key=lambda skipped: (skipped.path, skipped.argument))
    found.errors.sort(key=str)
    return found


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to look at: its logical name, and whether the examiner named it outright."""

    path: Path
    argument: str
    name: str
    named: bool

    def preference(self) -> tuple[int, str, str]:
        """Order the names of one file: the longest says most."""
        return len(self.name), self.name, self.argument


def _candidates(path: Path, found: Found) -> Iterator[Candidate]:
    argument = readable_name(str(path))
    if not path.is_dir():
        yield Candidate(path, argument, readable_name(path.name), named=True)
        return

    def failed(error: OSError) -> None:
        found.errors.append(unreadable(Path(error.filename or path), error))

    for base, _, files in os.walk(path, onerror=failed):
        for file in files:
            below = Path(base, file)
            yield Candidate(below, argument, readable_name(below.relative_to(path).as_posix()), named=False)


def _take(candidate: Candidate, found: Found, look: Look) -> None:
    path = candidate.path
    try:
        size, modified = path.stat().st_size, modified_time(path)
        nature = examine_file(path) if path.is_file() else Nature(None, "not a regular file", b"")
    except OSError as error:
        found.errors.append(unreadable(path, error))
        return
    if nature.kind is Kind.EXPORT and candidate.named:
        nature = replace(nature, kind=Kind.DOCUMENTS)
    if form := FORMS.get(nature.kind):
        head = nature.head[:HEAD_SIZE]
        found.sources.append(
            Source(candidate.name, candidate.argument, PlainFile(path), size, modified, head, form=form)
        )
    elif nature.kind is not None and nature.kind is not Kind.EXPORT:
        before = len(found.sources)
        files = _open(candidate, nature, size, found, look)
        if len(found.sources) > before:
            found.containers.append(Container(candidate.name, candidate.argument, nature.kind, files))
    elif candidate.named:
        found.errors.append(EvidenceError(f"{path}: {nature.reason}"))
    else:
        reason = _part_of_split_image(path) or nature.reason
        found.skipped.append(Skipped(candidate.name, candidate.argument, reason))


def _open(candidate: Candidate, nature: Nature, size: int, found: Found, look: Look) -> tuple[Path, ...]:
    """Search a container, and return the files it consists of."""
    path, kind = candidate.path, nature.kind
    if kind is not None and kind not in IMAGES:
        from evtxscan.evidence.containers.search import search_archive  # noqa: PLC0415 - many cases have none

        search_archive(candidate, kind, size, found, look)
        return (path,)
    from evtxscan.evidence.containers.images import Image, files_of, search_image  # noqa: PLC0415 - few cases have one

    image = Image(PlainFile(path), nature, candidate.name, candidate.argument, candidate.named)
    return files_of(image) if search_image(image, found, look) else (path,)


def _part_of_split_image(path: Path) -> str | None:
    """Say where a file belongs that goes on with what another one (``.001``) begins."""
    number = path.suffix[1:]
    first = path.with_suffix(f".{1:0{len(number)}}") if len(number) >= 3 and number.isdecimal() else path
    return f"part of an image, read with {first.name}" if first != path and first.exists() else None
