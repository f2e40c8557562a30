"""Containers that are read in their order: each thread keeps its place, so that all members cost one pass."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, BinaryIO

from evtxscan.evidence.containers.member import Member
from evtxscan.evidence.containers.reading import BUFFER, DAMAGE, DamagedError, Lent, Replayed, damaged
from evtxscan.evidence.containers.spool import seekable
from evtxscan.evidence.recognise import Kind
from evtxscan.evidence.source import Opener

# Each module has ``walk(container, kind)``: members in order, each with a stream that is good until the next.
_HOMES = {
    Kind.TAR: "tars",
    Kind.SEVENZIP: "sevenzip",
    Kind.GZIP: "compressed",
    Kind.BZIP2: "compressed",
    Kind.XZ: "compressed",
    Kind.ZSTD: "compressed",
}
# What one thread keeps open: more than containers can be nested, and each costs a handle and a decompressor.
_KEPT = 8


@dataclass(frozen=True, slots=True)
class SequentialMember:
    """A file in a container that is read in order: number ``index`` of it, from 0."""

    container: Opener
    kind: Kind
    index: int
    place: str
    is_direct = False
    is_sequential = True

    def stream(self) -> io.BufferedReader:
        """Read on to it from where this thread stands in the container, or from the container's start."""
        kept = _cursors()
        cursor = kept.get((self.container, self.kind))
        if cursor is None or not cursor.can_reach(self.index):
            cursor = _start(self.container, self.kind)
        while cursor.index < self.index:
            if cursor.advance() is None:
                raise DamagedError("it is gone: the container has changed")
        return io.BufferedReader(Lent(cursor.current), BUFFER)  # type: ignore[arg-type]

    def open(self) -> io.BufferedReader:
        """Make a copy that can be read at any offset."""
        return seekable(self)


class _Cursor:
    """A walk over a container, and the member where it stands."""

    def __init__(self, walk: Iterator[tuple[Member, BinaryIO]]) -> None:
        self._walk = walk
        self.index = -1
        self.current: Replayed | None = None

    def can_reach(self, index: int) -> bool:
        """Tell whether a member can be read from its start without going back."""
        return self.index < index or (self.index == index and self.current is not None and self.current.rewind())

    def advance(self) -> Member | None:
        """Go to the next member, past the rest of this one. Raises DamagedError."""
        try:
            found = next(self._walk, None)
        except DAMAGE as error:
            raise damaged(error) from error
        if found is None:
            self.current = None
            return None
        self.index += 1
        self.current = Replayed(found[1])
        return found[0]


class _Kept(threading.local):
    def __init__(self) -> None:
        self.cursors: OrderedDict[tuple[Opener, Kind], _Cursor] = OrderedDict()


_kept = _Kept()


def _cursors() -> OrderedDict[tuple[Opener, Kind], _Cursor]:
    return _kept.cursors


def _start(container: Opener, kind: Kind) -> _Cursor:
    walk: Any = import_module(f"{__package__}.{_HOMES[kind]}").walk
    cursors = _cursors()
    cursor = _Cursor(walk(container, kind))
    cursors[container, kind] = cursor
    cursors.move_to_end((container, kind))
    while len(cursors) > _KEPT:
        cursors.popitem(last=False)
    return cursor


def members(container: Opener, kind: Kind) -> Iterator[Member]:
    """Yield the members of a container in order; the stream of each is at its start when it comes.

    Raises DamagedError where the container cannot be read further, OSError.
    """
    cursor = _start(container, kind)
    while (member := cursor.advance()) is not None:
        yield member


def forget() -> None:
    """Close what this thread has open."""
    _cursors().clear()
