"""The part of a case that a query or a rule looks at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of a case to look at: FILETIME ticks (both inclusive), host names, and recorded fields only or not."""

    start: int | None = None
    end: int | None = None
    hosts: tuple[str, ...] = ()
    observed_only: bool = False
