"""One file in a container, and the names that containers give."""

from __future__ import annotations

import os
from dataclasses import dataclass

from evtxscan.evidence.source import Opener


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a container.

    ``name``: relative, with ``/``; empty where the container does not say. ``size``: bytes, None where it only shows
    when all is read. ``modified``: ISO 8601 or empty. ``problem``: why it cannot be read, None where it can be tried.
    """

    name: str
    opener: Opener
    size: int | None = None
    modified: str = ""
    problem: str | None = None


def logical_name(name: str | bytes) -> str:
    """Return an entry's name as part of a logical path: text with ``/``, never a way out of the container.

    Nothing is ever opened by such a name. Empty parts and ``.`` are left out, ``..`` becomes ``%2E%2E`` so that a path
    made of it stays where it is. Bytes that are no UTF-8, and lone surrogates, become ``\\xNN`` and ``\\uNNNN``.
    """
    text = name if isinstance(name, str) else name.decode("utf-8", "backslashreplace")
    text = text.encode("utf-8", "backslashreplace").decode()
    parts = ["%2E%2E" if part == ".." else part for part in text.split("/") if part not in ("", ".")]
    return "/".join(parts) or "(no name)"


class Names:
    """Gives each member of a container a name of its own: archives may hold two files of one name."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, name: str) -> str:
        """Return ``name``, or for the second of its name ``name (2)``."""
        chosen, number = name, 1
        while chosen in self._taken:
            number += 1
            chosen = f"{name} ({number})"
        self._taken.add(chosen)
        return chosen


def inner_name(container: str) -> str:
    """Return the name of the one file in a compressed file: that of the file without its last suffix."""
    base = container.rsplit("/", 1)[-1]
    stem, suffix = os.path.splitext(base)  # noqa: PTH122 - a name, not a path
    return stem if suffix and stem else base
