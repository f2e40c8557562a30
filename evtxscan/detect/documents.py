"""Events as they leave the case: the ECS document, and beside it under ``evtxscan`` what is ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evtxscan.detect.scripts import ScriptBlocks
from evtxscan.ecs.document import nest
from evtxscan.ecs.inferred import INFERRED
from evtxscan.errors import EvidenceError
from evtxscan.store.case import Case, explained
from evtxscan.store.events import Event, Events, Place
from evtxscan.store.scripts import Part

if TYPE_CHECKING:
    from evtxscan.eql.sql.sequences import Found

_LINEAGE_SQL = (
    'SELECT l.event, l.parent_event, l.method, (SELECT text FROM value WHERE id = l."process.parent.executable"),'
    ' (SELECT text FROM value WHERE id = l."process.parent.command_line"), p.sysmon_event, p.security_event'
    " FROM lineage l JOIN process p ON p.id = l.process WHERE l.event IN ({marks})"
)


@dataclass(frozen=True, slots=True)
class Told:
    """An event on its way out: its row, its flat document with inferred values in place, and the ``evtxscan`` part."""

    event: Event
    flat: dict[str, Any]
    ours: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """Return the nested document."""
        return {**nest(self.flat), "evtxscan": self.ours}


@dataclass(frozen=True, slots=True)
class _Lineage:
    parent_event: int | None
    method: str | None
    texts: dict[str, str | None]
    witnesses: tuple[int, ...]


class Documents:
    """Makes documents for events of one case. ``observed_only``: nothing inferred stands at its ECS place."""

    def __init__(self, case: Case, events: Events, *, observed_only: bool) -> None:
        self._case = case
        self._events = events
        self._observed_only = observed_only
        self._scripts = ScriptBlocks(case.db)

    def of(self, rows: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Yield the documents of these events, in this order, one at a time: each may be large."""
        return (told.document() for told in self.each(rows))

    def told(self, rows: Sequence[int]) -> list[Told]:
        """Return events with everything that is said of each of them, in this order."""
        return list(self.each(rows))

    def each(self, rows: Sequence[int]) -> Iterator[Told]:
        """Yield what ``told`` returns, one at a time."""
        lineage = self._lineage(rows)
        with explained(self._case.path):
            parts = self._scripts.parts(rows)
            related = self._scripts.related(parts)
        related |= {
            row for entry in lineage.values() for row in (*entry.witnesses, entry.parent_event) if row is not None
        }
        places = self._events.places([*rows, *sorted(related - set(rows))])
        for event in self._events.read(rows):
            told = self._tell(event, places, lineage.get(event.row))
            yield self._with_script(told, parts[event.row], places) if event.row in parts else told

    def of_sequences(self, found: Iterable[Found]) -> Iterator[dict[str, Any]]:
        """Yield the documents of sequences: their events and join keys, and no event at top level."""
        for sequence in found:
            known = dict(zip(sequence.records, self.of(sequence.records), strict=True))
            events = [None if row is None else known[row] for row in sequence.events]
            yield {"evtxscan": {"events": events, "join_keys": list(sequence.join_keys)}}

    def event_ids(self, rows: Sequence[int]) -> list[str]:
        """Return the ids of events, in this order."""
        places = self._events.places(rows)
        return [places[row][0].event_id for row in rows]

    def raw(self, event: Event) -> dict[str, str]:
        """Return what an event was read from: ``raw_xml``, the record as XML, or ``raw_json``, a document's line.

        Where no parser renders the record as XML, a comment says why.
        """
        if event.kind.is_document:
            return {"raw_json": self._events.text(event.row)}
        try:
            return {"raw_xml": self._events.xml(event.row)}
        except EvidenceError as error:
            return {"raw_xml": f"<!-- {str(error).replace('--', '- -')} -->"}

    def _lineage(self, rows: Sequence[int]) -> dict[int, _Lineage]:
        found: dict[int, _Lineage] = {}
        with explained(self._case.path):
            sql = _LINEAGE_SQL.format(marks=",".join("?" * len(rows)))
            for row, parent, method, executable, line, sysmon, security in self._case.db.execute(sql, list(rows)):
                texts = {"process.parent.executable": executable, "process.parent.command_line": line}
                witnesses = tuple(other for other in (sysmon, security) if other is not None and other != row)
                found[row] = _Lineage(parent, method, texts, witnesses)
        return found

    def _tell(self, event: Event, places: dict[int, tuple[Place, ...]], lineage: _Lineage | None) -> Told:
        flat = event.document()
        ours: dict[str, Any] = {
            "event": {"id": places[event.row][0].event_id},
            "provenance": [place.document() for place in places[event.row]],
        }
        if lineage is not None:
            origin = None if lineage.parent_event is None else places[lineage.parent_event][0].event_id
            inferred = [
                {"field": field, "value": value, "method": lineage.method, "from": origin}
                for field, value in _inferred_values(lineage)
                if not (event.kind.is_document and field in flat)  # a document may have one without the other
            ]
            if inferred:
                ours["inferred"] = inferred
                if not self._observed_only:
                    flat = dict(sorted({**flat, **{entry["field"]: entry["value"] for entry in inferred}}.items()))
            if lineage.witnesses:
                ours["witnesses"] = sorted(places[row][0].event_id for row in lineage.witnesses)
        return Told(event, flat, ours)

    def _with_script(self, told: Told, part: Part, places: dict[int, tuple[Place, ...]]) -> Told:
        """Add what the other records of the same script block tell."""
        row = told.event.row
        with explained(self._case.path):
            block = self._scripts.document(row, part, lambda event: places[event][0].event_id)
            entry = self._scripts.inferred(row, part, lambda event: places[event][0].event_id)
        ours = {**told.ours, "script_block": block}
        if entry is None:
            return replace(told, ours=ours)
        flat = told.flat if self._observed_only else {**told.flat, entry["field"]: entry["value"]}
        return replace(told, flat=dict(sorted(flat.items())), ours={**ours, "inferred": [entry]})


def _inferred_values(lineage: _Lineage) -> list[tuple[str, Any]]:
    """Return field and value of what lineage adds to a document: the fields themselves, and what follows from them."""
    values: list[tuple[str, Any]] = []
    for field, (source, function) in sorted(INFERRED.items()):
        text = lineage.texts[source]
        if text is None:
            continue
        found = list(function(text))
        if found:
            values.append((field, found if field.endswith(".args") else found[0]))
    return values
