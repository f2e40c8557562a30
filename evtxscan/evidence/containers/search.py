"""Finds the event logs in an archive, and in the archives inside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from evtxscan.errors import EvidenceError
from evtxscan.evidence.containers import sequence, spool, zips
from evtxscan.evidence.containers.images import Image, search_image
from evtxscan.evidence.containers.limits import MAX_NESTING, Budget, LimitError
from evtxscan.evidence.containers.member import Member, Names, inner_name
from evtxscan.evidence.discover import Candidate, Found, Look, Skipped
from evtxscan.evidence.recognise import FORMS, IMAGES, Kind, Nature, examine
from evtxscan.evidence.source import HEAD_SIZE, Form, Opener, PlainFile, Source, parts, unreadable


def search_archive(candidate: Candidate, kind: Kind, size: int, found: Found, look: Look) -> None:
    """Add to ``found`` what an archive of ``size`` bytes holds; ``look`` is told of each of its files."""
    search = _Search(candidate.argument, Budget(str(candidate.path), size), look)
    try:
        search.descend(_Container(PlainFile(candidate.path), kind, candidate.name, 1))
    except LimitError as error:
        search.errors.append(error)
    finally:
        sequence.forget()
        zips.forget()
    found.sources.extend(search.sources)
    found.errors.extend(search.errors)
    if candidate.named and not search.sources and not search.errors:
        found.errors.append(EvidenceError(f"{candidate.path}: {search.skipped[0].reason}"))
    else:
        found.skipped.extend(search.skipped)


@dataclass(frozen=True, slots=True)
class _Container:
    """An archive: how to reach it, its logical name, and how many archives stand around its files."""

    opener: Opener
    kind: Kind
    name: str
    depth: int


@dataclass(slots=True)
class _Search:
    argument: str
    budget: Budget
    look: Look
    sources: list[Source] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    errors: list[EvidenceError] = field(default_factory=list)

    def descend(self, container: _Container) -> None:
        """Look at every file of an archive. What cannot be read becomes an error, and the rest is read.

        An archive without an event log is skipped as one file. Raises LimitError.
        """
        before = len(self.sources), len(self.errors), len(self.skipped)
        unread: dict[str, list[str]] = {}
        names = Names()
        try:
            for member in self._members(container):
                name = names.unique(member.name or inner_name(container.name))
                path = f"{container.name}/{name}"
                self.look(path)
                self.budget.charge_member(member.opener.place)
                if member.problem:
                    unread.setdefault(member.problem, []).append(name)
                else:
                    self._look(member, path, container)
        except OSError as error:
            self.errors.append(unreadable(container.opener.place, error))
        for problem, unread_names in unread.items():
            self.errors.append(_not_read(container.opener.place, problem, unread_names))
        if (len(self.sources), len(self.errors)) == before[:2]:
            reason = f"{container.kind} without event logs ({len(self.skipped) - before[2]:,} files)"
            self.skipped[before[2] :] = [Skipped(container.name, self.argument, reason)]

    def _members(self, container: _Container) -> Iterator[Member]:
        if container.kind is Kind.ZIP:
            return zips.members(container.opener)
        return sequence.members(container.opener, container.kind)

    def _look(self, member: Member, path: str, container: _Container) -> None:
        opener = member.opener
        if member.size is not None and opener.is_sequential:
            self.budget.charge(member.size, opener.place)  # to go on, all of it has to come out
        try:
            with opener.stream() as stream:
                nature = examine(stream)
        except OSError as error:
            self.errors.append(unreadable(opener.place, error))
            return
        if form := FORMS.get(nature.kind):
            self._take_log(member, path, nature.head[:HEAD_SIZE], form)
        elif nature.kind in IMAGES:
            self._take_image(member, path, nature)
        elif nature.kind is None or nature.kind is Kind.EXPORT:
            self.skipped.append(Skipped(path, self.argument, nature.reason))
        elif container.depth == MAX_NESTING:
            self.errors.append(
                EvidenceError(f"{opener.place}: archives are nested more than {MAX_NESTING} deep; extract this one")
            )
        else:
            self._take_archive(member, path, nature.kind, container.depth + 1)

    def _take_log(self, member: Member, path: str, head: bytes, form: Form) -> None:
        opener, size, digest = member.opener, member.size, None
        if opener.is_sequential:
            size, digest = self._measure(member)
        elif size is not None:
            self.budget.charge(size, opener.place)
        self.sources.append(Source(path, self.argument, opener, size or 0, member.modified, head, digest, form))

    def _measure(self, member: Member) -> tuple[int, str]:
        """Read a log whose bytes have to come out anyhow; return how many there are, and their SHA-256.

        Damage ends it: what is wrong is said where the log is read.
        """
        size, digest = 0, hashlib.sha256()
        try:
            with member.opener.stream() as stream:
                for block in parts(stream):
                    size += len(block)
                    digest.update(block)
                    if member.size is None:
                        self.budget.charge(len(block), member.opener.place)
        except OSError:
            pass
        return size, digest.hexdigest()

    def _take_archive(self, member: Member, path: str, kind: Kind, depth: int) -> None:
        if kind in (Kind.ZIP, Kind.SEVENZIP) and not self._copy(member):  # their directories are at their ends
            return
        self.descend(_Container(member.opener, kind, path, depth))

    def _take_image(self, member: Member, path: str, nature: Nature) -> None:
        if self._copy(member):
            found = Found(self.sources, self.skipped, self.errors)
            search_image(Image(member.opener, nature, path, self.argument, named=False), found, self.look)

    def _copy(self, member: Member) -> bool:
        """Make what a member holds readable at any offset; return whether that was possible."""
        opener = member.opener
        try:
            size = spool.prepare(opener, self.budget.left)
        except OSError as error:
            self.errors.append(unreadable(opener.place, error))
            return False
        if member.size is None or not opener.is_sequential:  # else it is counted already
            self.budget.charge(size, opener.place)
        return True


def _not_read(place: str, problem: str, names: list[str]) -> EvidenceError:
    """Say once of all files of an archive that share a problem that they were not read."""
    what = f"{names[0]} is" if len(names) == 1 else f"{len(names):,} files ({names[0]} ...) are"
    advice = "extract it with the password" if problem == "encrypted" else "extract it"
    return EvidenceError(f"{place}: {what} {problem} and not read; {advice} and name the folder")
