"""Script blocks of several records on their way out: what is said of a part, and one hit for one script."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Literal

from evtxscan.store.scripts import MAX_PARTS, SCRIPT_TEXT, Part, Scripts

Method = Literal["script_block_parts"]
"""How the whole text of a script is known."""

_METHOD: Method = "script_block_parts"
# States of blocks whose records are one script.
_PUT_TOGETHER = frozenset(["complete", "incomplete", "too_large"])

EventId = Callable[[int], str]


class ScriptBlocks:
    """Tells of the script blocks of one case. Events are row ids."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._scripts = Scripts(db)

    def parts(self, rows: Sequence[int]) -> dict[int, Part]:
        """Return what each of these events is a part of."""
        return self._scripts.parts(rows)

    def related(self, parts: dict[int, Part]) -> set[int]:
        """Return the other events that are named where these are told of."""
        named = {part.event for part in parts.values()}
        blocks = {part.block for row, part in parts.items() if row == part.event}
        return named | {event for block in blocks for _, event in self._scripts.events(block)[:MAX_PARTS]}

    def document(self, row: int, part: Part, event_id: EventId) -> dict[str, Any]:
        """Return ``evtxscan.script_block`` of an event; the one that stands for its block names all of them."""
        document: dict[str, Any] = {
            "id": part.script_block_id,
            "number": part.number,
            "total": part.total,
            "present": part.parts,
            "state": part.state,
            "event": event_id(part.event),
        }
        if row == part.event:
            document["missing"] = [list(numbers) for numbers in part.missing]
            document["parts"] = [
                {"number": number, "event": event_id(event)}
                for number, event in self._scripts.events(part.block)[:MAX_PARTS]
            ]
        return document

    def inferred(self, row: int, part: Part, event_id: EventId) -> dict[str, Any] | None:
        """Return the entry of ``evtxscan.inferred`` for the whole text, which only one record of a block has."""
        runs = self._scripts.runs(part.block) if row == part.event else []
        if not runs:
            return None
        texts = [run.text for run in runs]
        return {
            "field": SCRIPT_TEXT,
            "value": texts[0] if len(texts) == 1 else texts,
            "method": _METHOD,
            "from": event_id(row),
            "events": [event_id(event) for _, event in self._scripts.events(part.block)],
            **({} if all(run.is_exact for run in runs) else {"exact": False}),
        }

    def whole(self, part: Part, event_id: EventId) -> dict[str, Any]:
        """Return ``evtxscan.script_block`` of any part with all that is known of the block, and its texts."""
        first = self.parts([part.event])[part.event]
        return {
            **self.document(part.event, first, event_id),
            "number": part.number,
            "texts": [
                {"first": run.first, "last": run.last, "text": run.text} for run in self._scripts.runs(part.block)
            ],
        }

    def standing_for(self, rows: Sequence[int]) -> dict[int, int]:
        """Return for parts of scripts among these events which of them is to stand for its script.

        The one that stands for the block, if it is among them, else the first.
        """
        parts = {row: part for row, part in self.parts(rows).items() if part.state in _PUT_TOGETHER}
        chosen: dict[int, int] = {}
        for row in rows:
            if row in parts and (row == parts[row].event or parts[row].block not in chosen):
                chosen[parts[row].block] = row
        return {row: chosen[part.block] for row, part in parts.items()}


def partial_fields(ours: dict[str, Any]) -> frozenset[str]:
    """Return the fields of which an event, told of with what is ours, is known to have only a part."""
    block = ours.get("script_block")
    stands_for_it = block is not None and block["event"] == ours["event"]["id"]
    return frozenset([SCRIPT_TEXT] if block and stands_for_it and block["state"] != "complete" else [])
