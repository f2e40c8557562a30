"""Checks the records that the findings of a case rest on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from evtxscan.ecs.document import nest
from evtxscan.errors import EvidenceError, UsageError
from evtxscan.evtx.compare import Difference
from evtxscan.evtx.parse import RenderError
from evtxscan.proof.places import Chunks, PlaceCheck
from evtxscan.proof.records import OUTCOMES, Checked, Outcome, compare_renderings
from evtxscan.store.case import Case, explained
from evtxscan.store.events import Event, Events, Place

Role = Literal["event", "inferred_from", "witness"]
# The worst comes first.
_WORST: tuple[Outcome, ...] = ("gone", "differs", "cannot_render", "agrees")


@dataclass(frozen=True, slots=True)
class RoleCheck:
    """A record of a finding, and what it is to it.

    That is the event itself (or one of its sequence), where an inferred value comes from, or another record of the same
    process start.
    """

    role: Role
    place: PlaceCheck


@dataclass(frozen=True, slots=True)
class FindingCheck:
    """A finding with the check of every record it rests on, at every place where the evidence has it.

    ``altered``: what the finding says that its records do not (ECS names).
    """

    id: str
    rule: str
    host: str
    time: str
    records: tuple[RoleCheck, ...]
    altered: tuple[Difference, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of its records."""
        found = {check.place.checked.outcome for check in self.records}
        if self.altered:
            found.add("differs")
        return next((outcome for outcome in _WORST if outcome in found), OUTCOMES[0])

    def document(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        return {
            "finding": self.id,
            "rule": self.rule,
            "host": self.host,
            "time": self.time,
            "outcome": self.outcome,
            "altered": [
                {"field": found.field, "finding": found.first, "record": found.second} for found in self.altered
            ],
            "records": [{"role": check.role, **check.place.document()} for check in self.records],
        }


class FindingChecks:
    """Checks the findings of one case, in order of time. Methods may raise CaseError."""

    def __init__(self, case: Case, chunks: Chunks) -> None:
        self._case = case
        self._events = Events(case)
        self._chunks = chunks

    def __len__(self) -> int:
        with explained(self._case.path):
            return int(self._case.db.execute("SELECT count(*) FROM finding").fetchone()[0])

    def __iter__(self) -> Iterator[FindingCheck]:
        with explained(self._case.path):
            rows = self._case.db.execute("SELECT id FROM finding ORDER BY time, rule, id").fetchall()
        for (found,) in rows:
            with explained(self._case.path):
                row = self._case.db.execute(
                    "SELECT id, rule, host, time, document FROM finding WHERE id = ?", (found,)
                ).fetchone()
                records, altered = self._check(json.loads(row[4]))
            name, rule, host, time, _ = row
            yield FindingCheck(name, rule, host, time, records, altered)

    def _check(self, document: dict[str, Any]) -> tuple[tuple[RoleCheck, ...], tuple[Difference, ...]]:
        records: dict[tuple[str, str, int, int], RoleCheck] = {}
        altered: list[Difference] = []
        for role, event_id, told in _records(document):
            row = self._row(event_id)
            if row is None:
                altered.append(Difference("evtxscan.event.id", event_id, None))
                continue
            (event,) = self._events.read([row])
            for place in self._events.places([row])[row]:
                check = RoleCheck(role, self._place(event_id, event, place))
                records.setdefault((place.sha256, place.path, place.chunk, place.offset), check)
            if told is not None:
                altered += self._altered(told, event)
        return tuple(records.values()), tuple(altered)

    def _row(self, event_id: str) -> int | None:
        try:
            return self._events.find(event_id)
        except UsageError:
            return None

    def _place(self, event_id: str, event: Event, place: Place) -> PlaceCheck:
        found = self._chunks.at(place.path, place.sha256, place.chunk, place.origin)
        if found is None:  # pragma: no cover - places are read from the same table
            checked = Checked("gone", "case", None, detail="the case does not have the chunk any more")
        else:
            spot, kept = found
            checked = kept.check(place.offset, event.document(), self._chunks.now(spot))
        return PlaceCheck(
            event_id, place.path, place.sha256, place.chunk, place.offset, place.record_id, checked, place.origin
        )

    def _altered(self, told: dict[str, Any], event: Event) -> Iterator[Difference]:
        """Yield what a finding says of its event that the event does not; what was inferred is not the event's."""
        inferred = {entry["field"] for entry in told.get("evtxscan", {}).get("inferred") or []}
        yield from _differing(told, nest(event.document()), "", inferred)
        if (xml := told.get("evtxscan", {}).get("raw_xml")) is not None:
            try:
                own = self._events.xml(event.row)
            except EvidenceError:
                return
            found = [] if own == xml else compare_renderings(own, xml)
            if isinstance(found, RenderError):
                yield Difference("evtxscan.raw_xml", "cannot be read", found.message)
            else:
                yield from (Difference(f"evtxscan.raw_xml: {f.field}", f.second, f.first) for f in found)


def _records(document: dict[str, Any]) -> Iterator[tuple[Role, str, dict[str, Any] | None]]:
    """Yield the records of a finding: role, event id, and what the finding says of the event where it does."""
    members = document["evtxscan"].get("events")
    for event in [document] if members is None else members:
        if event is None:
            continue
        ours = event["evtxscan"]
        yield "event", ours["event"]["id"], event
        yield from (("inferred_from", entry["from"], None) for entry in ours.get("inferred") or [] if entry["from"])
        yield from (("witness", witness, None) for witness in ours.get("witnesses") or [])


def _differing(told: Any, own: Any, prefix: str, without: set[str]) -> Iterator[Difference]:  # noqa: ANN401 - JSON
    for name in sorted({*told, *own} - {"evtxscan"} if not prefix else {*told, *own}):
        field = f"{prefix}{name}"
        one, other = told.get(name), own.get(name)
        if isinstance(one, dict) and isinstance(other, dict | None):
            yield from _differing(one, other or {}, f"{field}.", without)
        elif isinstance(other, dict) and one is None:
            yield from _differing({}, other, f"{field}.", without)
        elif one != other and field not in without:
            yield Difference(field, _text(one), _text(other))


def _text(value: Any) -> str | None:  # noqa: ANN401 - JSON
    return value if value is None or isinstance(value, str) else json.dumps(value, sort_keys=True)
