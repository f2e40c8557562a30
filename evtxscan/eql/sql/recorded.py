"""Which event data a case has beside what the mapping tables name."""

from __future__ import annotations

from functools import cached_property

from evtxscan.ecs.mapping import SECTIONS
from evtxscan.store.case import Case, explained

_NAMES = """
SELECT DISTINCT section.key, name.key FROM event e, json_each(e.data) section, json_each(section.value) name
WHERE e.data IS NOT NULL AND section.type = 'object' AND name.type <> 'null'
"""


class RecordedData:
    """Answers from the events, which are gone through once, when first asked. Raises CaseError."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def has(self, field: str) -> bool:
        """Tell whether some event has this event data (``winlog.event_data.NAME``) as JSON."""
        return field in self._names or self.knows(field)

    def knows(self, field: str) -> bool:
        """Tell whether documents of the case have this field in their JSON, or an object that may have it."""
        parts = field.split(".")
        return any(".".join(parts[:size]) in self._own for size in range(1, len(parts) + 1))

    def names(self) -> frozenset[str]:
        """Return the names of all event data that is kept as JSON."""
        return self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        with explained(self._case.path):
            rows = self._case.db.execute(_NAMES)
            return frozenset(f"winlog.{section}.{name}" for section, name in rows if section in SECTIONS)

    @cached_property
    def _own(self) -> frozenset[str]:
        with explained(self._case.path):
            rows = self._case.db.execute("SELECT DISTINCT field FROM document_field")
            return frozenset(name for (name,) in rows)
