"""Takes the JSON text of a record apart at its seams, so that only what differs from record to record is parsed.

The bulk parser writes System first, and in System everything that makes up the kind of an event before TimeCreated,
then the record id, then what hardly varies, then EventData. A quote inside a JSON string is escaped, so the seams are
never found inside one. A text of any other form is left whole.
"""

from __future__ import annotations

from typing import Any

import orjson

from evtxscan.ecs.kind import Kind

SEAM = '"TimeCreated":{"#attributes":{"SystemTime":"'
"""Before it stands the head, the same for all records of a kind; behind it SystemTime."""

RECORD_ID_SEAM = '"}},"EventRecordID":'
DATA_SEAM = '},"EventData":'
"""Between SystemTime and the record id, and between System and EventData; a comma ends the record id."""

_SYSTEM = '"System":'
_TAIL = ("Correlation", "Execution", "Channel", "Computer", "Security")
_ELSEWHERE = tuple(f'"{name}":' for name in ("TimeCreated", "EventRecordID", *_TAIL))
_ENVELOPE = frozenset({"System", "#attributes"})


class Head:
    """What records with the same head share; tells the kind and the System of each by its tail."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._kinds: dict[str | None, Kind | None] = {}
        # Otherwise putting head and tail together could give something else than the sum of both.
        self._is_usual = text.count(_SYSTEM) == 1 and not any(name in text for name in _ELSEWHERE)

    def kind(self, channel: str | None) -> Kind | None:
        """Return the kind of the records in ``channel``; None where head and tail do not make one System."""
        if channel not in self._kinds:
            self._kinds[channel] = self._read_kind(channel)
        return self._kinds[channel]

    def system(self, tail: str) -> tuple[Kind, dict[str, Any]] | None:
        """Return the kind and the children of System in ``tail``; None where head and tail do not make one System."""
        try:
            system: dict[str, Any] = orjson.loads(f"{{{tail}}}")
        except orjson.JSONDecodeError:
            return None
        channel = system.get("Channel")
        if not system.keys() <= set(_TAIL) or not (channel is None or isinstance(channel, str)):
            return None
        kind = self.kind(channel)
        return None if kind is None else (kind, system)

    def _read_kind(self, channel: str | None) -> Kind | None:
        try:
            event = orjson.loads(f'{self._text}"Channel":{orjson.dumps(channel).decode()}}}}}}}').get("Event")
        except (orjson.JSONDecodeError, AttributeError):
            return None
        if not self._is_usual or not isinstance(event, dict) or not event.keys() <= _ENVELOPE:
            return None
        system = event.get("System")
        return Kind.from_system(system) if isinstance(system, dict) else None
