"""Takes records through the columns and back, as a case does, for the tests of the ecs layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from evtxscan.ecs.batch import Dictionary
from evtxscan.ecs.columns import catalogue
from evtxscan.ecs.document import document
from evtxscan.ecs.extract import Extracted, extract
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import Mapping, mapping_for


@dataclass(frozen=True, slots=True)
class Stored:
    """One event as it lies in a case, the dictionary ids of its row replaced by their texts."""

    kind: Kind
    mapping: Mapping
    row: dict[str, Any]
    data: dict[str, Any] | None

    @property
    def document(self) -> dict[str, Any]:
        """The event's flat ECS document."""
        return document(self.kind, self.mapping, self.row, self.data)


def store(texts: Sequence[str], ticks: Sequence[int | None] | None = None) -> list[Stored]:
    """Store records, given as the bulk parser's JSON texts, in one batch per kind; return them in their order."""
    events = [orjson.loads(text)["Event"] for text in texts]
    kinds: dict[Kind, list[int]] = {}
    for number, event in enumerate(events):
        kinds.setdefault(Kind.from_system((event or {}).get("System")), []).append(number)
    strings = Dictionary()
    stored: dict[int, Stored] = {}
    for kind, numbers in kinds.items():
        times = [None if ticks is None else ticks[number] for number in numbers]
        batch = extract(
            mapping_for(kind),
            [events[number] for number in numbers],
            times,
            strings,
            texts=[texts[number] for number in numbers],
        )
        stored.update(zip(numbers, _rows(kind, batch, list(strings)), strict=True))
    return [stored[number] for number in range(len(texts))]


def _rows(kind: Kind, batch: Extracted, texts: list[str]) -> Iterator[Stored]:
    for place, data in enumerate(batch.data):
        cells = {name: column[place] for name, column in batch.columns.items()}
        row: dict[str, Any] = {
            name: texts[cell] if catalogue()[name].type == "keyword" else cell
            for name, cell in cells.items()
            if cell is not None
        }
        yield Stored(kind, mapping_for(kind), row, None if data is None else orjson.loads(data))


def event_json(system: dict[str, Any], **elements: object) -> str:
    """Return a record's JSON text with the bulk parser's envelope around System and the other elements."""
    envelope = {"#attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"}}
    return orjson.dumps({"Event": {**envelope, "System": system, **elements}}).decode()
