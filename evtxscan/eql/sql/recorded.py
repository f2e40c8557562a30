"""Which event data a case has beside what the mapping tables name."""

from __future__ import annotations

from evtxscan.ecs.mapping import SECTIONS
from evtxscan.eql.sql.fields import event_data
from evtxscan.store.case import Case, explained


class RecordedData:
    """Answers from the events; what was asked once is remembered. Raises CaseError."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._known: dict[str, bool] = {}
        self._names: frozenset[str] | None = None

    def has(self, field: str) -> bool:
        """Tell whether some event has this event data (``winlog.event_data.NAME``) as JSON."""
        if field not in self._known:
            section, _, name = field.removeprefix("winlog.").partition(".")
            where = f"e.data IS NOT NULL AND {event_data((section, name)).sql} IS NOT NULL"
            with explained(self._case.path):
                found = self._case.db.execute(f"SELECT 1 FROM event e WHERE {where} LIMIT 1").fetchone()
            self._known[field] = found is not None
        return self._known[field]

    def names(self) -> frozenset[str]:
        """Return the names of all event data that is kept as JSON."""
        if self._names is None:
            found: set[str] = set()
            with explained(self._case.path):
                for section in SECTIONS:
                    rows = self._case.db.execute(
                        "SELECT DISTINCT j.key FROM event e, json_each(e.data, ?) j WHERE e.data IS NOT NULL",
                        (f"$.{section}",),
                    )
                    found.update(f"winlog.{section}.{key}" for (key,) in rows if isinstance(key, str))
            self._names = frozenset(found)
        return self._names
