"""What is the same for all records of one sort: everything in System but times, ids and who wrote it.

A case stores each kind once and each event with its kind's id; what follows from the kind alone (event.code,
event.category, winlog.keywords ...) is not stored per event.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson

from evtxscan.ecs.text import guid

_MAX_NUMBER = 0xFFFFFFFF  # the largest field here (Task, Version ...) has 16 bits on disk; text-typed ones may lie
_ATTRIBUTES, _TEXT = "#attributes", "#text"


@dataclass(frozen=True, slots=True)
class Kind:
    """The constant part of a record; None where the record has no such value or none that can be read.

    ``code`` is EventID as text without Qualifiers, ``keywords`` the hex text as recorded, GUIDs have braces and the
    case that was recorded. ``document`` is JSON, and None for records: of a document that was made of one, what its
    events have in common besides (see :mod:`evtxscan.ecs.documents`).
    """

    provider: str | None = None
    provider_guid: str | None = None
    channel: str | None = None
    code: str | None = None
    version: int | None = None
    level: int | None = None
    task: int | None = None
    opcode: int | None = None
    keywords: str | None = None
    document: str | None = None

    @property
    def is_document(self) -> bool:
        """Whether its events are documents that another program made, and not records."""
        return self.document is not None

    @property
    def definition(self) -> str:
        """All of it as JSON; only documents have ``document``."""
        values = asdict(self)
        if self.document is None:
            del values["document"]
        return orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def from_system(cls, system: object) -> Kind:
        """Read the kind from a record's System object in any shape that the parser or damage gives it."""
        system = system if isinstance(system, dict) else {}
        provider = system.get("Provider")
        provider = provider.get(_ATTRIBUTES) if isinstance(provider, dict) else None
        provider = provider if isinstance(provider, dict) else {}
        guid_text = _text(provider.get("Guid"))
        return cls(
            provider=_text(provider.get("Name")),
            provider_guid=guid(guid_text) if guid_text else None,
            channel=_text(system.get("Channel")),
            code=_text(system.get("EventID")),
            version=_number(system.get("Version")),
            level=_number(system.get("Level")),
            task=_number(system.get("Task")),
            opcode=_number(system.get("Opcode")),
            keywords=_text(system.get("Keywords")),
        )

    @property
    def keyword_bits(self) -> int:
        """The keywords as a 64-bit mask; 0 where there are none or they are not a number."""
        text = self.keywords or ""
        try:
            bits = int(text, 16) if text[:2] in ("0x", "0X") else int(text)
        except ValueError:
            return 0
        return bits & 0xFFFFFFFFFFFFFFFF


def _text(raw: object) -> str | None:
    """Return a System value as text; numbers and booleans that are equal have one text."""
    if isinstance(raw, dict):
        raw = raw.get(_TEXT)
    if isinstance(raw, (int, float)):
        return str(int(raw)) if raw == raw and abs(raw) < 2**64 else None  # noqa: PLR0124
    return raw or None if isinstance(raw, str) else None


def _number(raw: object) -> int | None:
    text = _text(raw)
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    number = int(text)
    return number if number <= _MAX_NUMBER else None
