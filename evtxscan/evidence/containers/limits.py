"""How much may come out of a container: what is made to exhaust a reader is refused, by name, and the rest is read.

The bounds are far from what honest evidence has: event logs shrink 10- to 40-fold, and a collection has some ten
thousand files.
"""

from __future__ import annotations

from evtxscan.errors import EvidenceError

# Containers in containers.
MAX_NESTING = 6
# Files in one outermost container, those in the containers inside it counted too.
MAX_MEMBERS = 1_000_000
# All that comes out of one outermost container, in bytes: this many times its size ...
MAX_RATIO = 250
# ... or this, whichever is more: a log that is almost empty shrinks more than any ratio.
MAX_RATIO_FREE = 256 << 20
# A file inside a container that has to be copied to be read (a zip in a tar, say).
MAX_COPY = 64 << 30
# What a decompressor may allocate for itself, in bytes.
MAX_DICTIONARY = 1 << 30
# The directory of a 7z archive; headers of a tar's member.
MAX_DIRECTORY = 256 << 20
MAX_TAR_HEADER = 1 << 20


class LimitError(EvidenceError):
    """A container holds more than a container may."""


class Budget:
    """Counts what comes out of one outermost container of ``size`` bytes. Raises LimitError when that is too much.

    ``left``: the bytes that may still come.
    """

    def __init__(self, place: str, size: int) -> None:
        self._place = place
        self.left = max(MAX_RATIO_FREE, MAX_RATIO * size)
        self._members = MAX_MEMBERS

    def charge(self, size: int, place: str) -> None:
        """Take ``size`` bytes for what stands at ``place``."""
        self.left -= size
        if self.left < 0:
            raise LimitError(
                f"{place}: more than {MAX_RATIO} times the size of {self._place} would come out of it (a zip bomb?);"
                " it is not read further. If it is what it says, extract it and name the folder"
            )

    def charge_member(self, place: str) -> None:
        """Take one file."""
        self._members -= 1
        if self._members < 0:
            raise LimitError(
                f"{place}: more than {MAX_MEMBERS:,} files in {self._place}; it is not read further."
                " Extract it and name the folder"
            )
