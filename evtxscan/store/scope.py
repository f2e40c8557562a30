"""The part of a case that a query or a rule looks at."""

from __future__ import annotations

from dataclasses import dataclass

STALE = "SELECT event FROM stale_record WHERE state = 'event' AND event IS NOT NULL"
"""SQL for the events that stale records were made."""

LIVE = f"e.id NOT IN ({STALE})"
"""SQL for events (``e``) of which a live record tells."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of a case to look at: FILETIME ticks (both inclusive), host names, and recorded fields only or not.

    ``defend_values``: rules for Elastic Defend see its values, too (never with recorded fields only). ``live_only``:
    none of the stale records, which were deleted or left over.
    """

    start: int | None = None
    end: int | None = None
    hosts: tuple[str, ...] = ()
    observed_only: bool = False
    defend_values: bool = True
    live_only: bool = False

    @property
    def translates(self) -> bool:
        """Whether rules for Elastic Defend are translated."""
        return self.defend_values and not self.observed_only
