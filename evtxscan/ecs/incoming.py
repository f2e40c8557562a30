"""Documents that other programs made of events, as a case takes them: flat, checked, and sorted into kinds.

A *raw* document has Windows' own event in ``winlog.*`` and nothing else has been made of it: Winlogbeat before the
ingest pipeline. It is mapped as a record of the same content would be (:mod:`evtxscan.ecs.raw`). Any other document is
taken as it is (:mod:`evtxscan.ecs.taken`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from evtxscan.evtx.filetime import MAX_TICKS, TICKS_PER_SECOND, from_iso, to_iso

MAX_DEPTH: Final = 64
"""Objects nested deeper are refused; Elasticsearch takes 20."""
MAX_FIELDS: Final = 10_000
"""Elasticsearch takes 1,000 in a whole index unless told otherwise, and Elastic's own packages tell it at most this."""

_NONE = type(None)

OURS: Final = "evtxscan"
"""The part of a document that evtxscan itself adds on export."""

_EPOCH_TICKS = 116_444_736_000_000_000  # 1970-01-01
_MILLISECOND = 10_000
_IN_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](?:\.[0-9]+)?Z", re.ASCII)
_NO_DECIMALS, _SEVEN_DECIMALS = len("2020-05-18T13:20:05Z"), len("2020-05-18T13:20:05.5373678Z")
_DECIMALS = 9
_LONGEST_EPOCH = 14  # digits of milliseconds up to the year 5138


class IncomingError(ValueError):
    """A JSON object cannot be taken as a document of an event; ``reason`` is one of a closed list."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: ticks, and its text in UTC with the digits that were recorded (at most nine decimals)."""

    ticks: int
    text: str

    @property
    def is_plain(self) -> bool:
        """Whether the ticks alone give the text back: it has seven decimals."""
        return len(self.text) == _SEVEN_DECIMALS

    @property
    def as_recorded(self) -> str:
        """The text as the bulk parser writes TimeCreated: six decimals."""
        return f"{(self.text[:-1] + '.' if len(self.text) == _NO_DECIMALS else self.text[:-1]):0<26}"[:26] + "Z"


def flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document flat, with dotted names; lists stay lists, objects in lists stay objects, nulls go.

    A name that stands there twice, nested and with dots, has all its values. What evtxscan said of an event that it
    exported is left out. Raises IncomingError.
    """
    found: dict[str, Any] = {}
    if OURS in document:
        document = {name: value for name, value in document.items() if name != OURS}
    _flatten("", document, found, 0)
    if len(found) > MAX_FIELDS:
        raise IncomingError("too_many_fields", f"it has {len(found):,} fields; at most {MAX_FIELDS:,} are taken")
    return found


def _flatten(prefix: str, values: Mapping[str, Any], found: dict[str, Any], depth: int) -> None:
    for key, value in values.items():
        name = prefix + key
        sort = value.__class__
        if sort is dict:
            if depth == MAX_DEPTH:
                raise _too_deep()
            _flatten(f"{name}.", value, found, depth + 1)
            continue
        if value is None:
            continue
        told = _items(value, depth) if sort is list else value
        if told == []:
            continue
        found[name] = [*_as_list(found[name]), *_as_list(told)] if name in found else told


def _items(values: list[Any], depth: int) -> list[Any]:
    """Return a list without nulls; lists in it become part of it."""
    if {str, int, bool, float}.issuperset(map(type, values)):
        return values
    if depth >= MAX_DEPTH:
        raise _too_deep()
    items: list[Any] = []
    for value in values:
        if isinstance(value, list):
            items += _items(value, depth + 1)
        elif isinstance(value, dict):
            _check_depth(value, depth + 1)
            items.append(value)
        elif value is not None:
            items.append(value)
    return items


def _check_depth(value: object, depth: int) -> None:
    inner: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        if isinstance(item, dict | list):
            if depth >= MAX_DEPTH:
                raise _too_deep()
            _check_depth(item, depth + 1)


def _too_deep() -> IncomingError:
    return IncomingError("too_deep", f"its objects are nested more than {MAX_DEPTH} deep")


def _as_list(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return value if isinstance(value, list) else [value]


def moment(value: object) -> Moment | None:
    """Return the time that a date field names, as Elasticsearch reads one: ISO 8601, or milliseconds since 1970.

    None for anything else, and for times outside 1601 to 9999. More than nine decimals are cut.
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return None
    text = str(value) if isinstance(value, int) else value
    if not isinstance(text, str) or not text.isascii() or not text[:1].isdigit():
        return None
    if _IN_UTC.fullmatch(text) and (minute := _minute(text[:16])) is not None:
        fraction = text[20:-1]
        ticks = minute + int(text[17:19]) * TICKS_PER_SECOND + int(f"{fraction:0<7}"[:7])
        return Moment(ticks, text if len(fraction) <= _DECIMALS else f"{text[:29]}Z")
    if text.isdigit() and len(text) > len("9999"):
        return _of_epoch(text)
    try:
        ticks = from_iso(text)
    except (ValueError, OverflowError):
        return None
    if not 0 <= ticks <= MAX_TICKS:
        return None
    _, _, rest = text.partition(".")
    fraction = rest[: len(rest) - len(rest.lstrip("0123456789"))][:_DECIMALS]
    seconds = to_iso(ticks, 0)
    return Moment(ticks, f"{seconds[:-1]}.{fraction}Z" if fraction else seconds)


@lru_cache(maxsize=4096)
def _minute(text: str) -> int | None:
    """Return the ticks of a minute, None where there is none such or it lies before 1601."""
    try:
        ticks = from_iso(f"{text}:00")
    except ValueError:
        return None
    return ticks if ticks >= 0 else None


def _of_epoch(digits: str) -> Moment | None:
    if len(digits) > _LONGEST_EPOCH:
        return None
    ticks = _EPOCH_TICKS + int(digits) * _MILLISECOND
    return Moment(ticks, to_iso(ticks, 3))


def split_event_data(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any] | None]:
    """Take winlog.event_data out of a document where it is all in one place and nothing in it has parts.

    So it need not be made flat; None where that is not so.
    """
    winlog = document.get("winlog")
    data = winlog.get("event_data") if isinstance(winlog, dict) else None
    if not isinstance(data, dict) or any("." in key for key in (*document, *winlog)):  # type: ignore[misc]
        return document, None
    if not {str, int, bool, float, _NONE}.issuperset(map(type, data.values())):
        return document, None
    others = {name: value for name, value in winlog.items() if name != "event_data"}  # type: ignore[union-attr]
    return {**document, "winlog": others}, {name: value for name, value in data.items() if value is not None}


def is_raw(flat: Mapping[str, Any]) -> bool:
    """Tell whether a flat document is Windows' event as Winlogbeat ships it, before a pipeline made ECS of it."""
    if "event.category" in flat or "event.type" in flat:
        return False
    return "winlog.event_id" in flat and ("winlog.channel" in flat or "winlog.provider_name" in flat)
