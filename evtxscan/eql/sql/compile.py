"""A condition over a case: which records could meet it, and SQL for those that do."""

from __future__ import annotations

from dataclasses import dataclass

from evtxscan.eql.sql.scan import MATCH, PARTS, TRUE, UNKNOWN, Scanned

FROM = "FROM event e"
LINEAGE = " LEFT JOIN lineage l ON l.event = e.id"


@dataclass(frozen=True, slots=True)
class Selection:
    """The records of these kinds by a condition's answer, each as SQL over event ``e`` (or one bool for all of them).

    ``match``: Elasticsearch's answer. ``true``: what the evidence establishes. ``unknown``: no match, but the evidence
    cannot say that it should be none. The last two are there where they were asked for.
    """

    kinds: tuple[int, ...]
    match: str | bool
    true: str | bool = False
    unknown: str | bool = False

    @property
    def source(self) -> str:
        """SQL for the records of the kinds, up to further conditions."""
        return f"{FROM} WHERE e.kind IN ({', '.join(map(str, self.kinds))})"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition for a case. ``kinds`` are those whose records could meet it: what decides is in their fields."""

    kinds: tuple[int, ...]
    selections: tuple[Selection, ...]
    scanned: Scanned


def compiled_from(table: str, place: int, scanned: Scanned, *, detailed: bool | None) -> Compiled:
    """Return condition number ``place`` of a scan that left its records in ``table``: see :class:`Scan`.

    ``detailed``: what the scan was told of it; None: nothing.
    """

    def rows(kind: int) -> str:
        return f"e.id IN (SELECT event FROM {table} WHERE part = {PARTS * place + kind})"

    selection = Selection(
        tuple(scanned.kinds),
        rows(MATCH) if scanned.matches else False,
        rows(TRUE) if detailed else False,
        False if detailed is None else rows(UNKNOWN),
    )
    return Compiled(tuple(scanned.kinds), (selection,) if scanned.kinds else (), scanned)
