"""TimeCreated and Sysmon's UtcTime in bulk: text to FILETIME ticks by look-up, which is also what checks the text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evtxscan.evtx.filetime import MAX_TICKS, TICKS_PER_SECOND, from_iso

_MINUTE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ])[0-9]{2}:[0-9]{2}:", re.ASCII)
_MICROSECOND = 10  # ticks
# ``14.``, ``324`` and ``234Z`` to ticks: nothing but the usual digits is a key.
_SECONDS = {f"{second:02d}.": second * TICKS_PER_SECOND for second in range(60)}
_MILLIS = {f"{milli:03d}": milli * 1000 * _MICROSECOND for milli in range(1000)}
_MICROS = {f"{micro:03d}Z": micro * _MICROSECOND for micro in range(1000)}


class _Minutes(dict[str, int]):
    """``2020-10-27T20:00:`` to the ticks of that minute; raises KeyError where it is none."""

    def __init__(self, separator: str) -> None:
        super().__init__()
        self._separator = separator

    def __missing__(self, text: str) -> int:
        found = _MINUTE.fullmatch(text)
        if found is None or found[1] != self._separator:
            raise KeyError(text)
        try:
            ticks = from_iso(text + "00")
        except ValueError:
            raise KeyError(text) from None
        if ticks < 0:
            raise KeyError(text)
        self[text] = ticks
        return ticks


def parse_time(text: object) -> int | None:
    """Return the ticks of one ISO time, cut to 100 ns, or None where it is none or lies outside 1601 to 9999."""
    if not isinstance(text, str):
        return None
    try:
        ticks = from_iso(text.removesuffix(" UTC"))
    except ValueError:
        return None
    return ticks if 0 <= ticks <= MAX_TICKS else None


def time_created(texts: Sequence[object], ticks: Sequence[int | None]) -> list[int | None]:
    """Return the ticks of TimeCreated for each record.

    ``texts`` are SystemTime as the bulk parser writes it (microseconds, the rest cut), ``ticks`` what was read from
    the record's own bytes. The two agree in all but the last digit, or the text wins.
    """
    minutes = _Minutes("T")
    found: list[int | None] = []
    for text, known in zip(texts, ticks, strict=True):
        try:
            parsed = minutes[text[:17]] + _SECONDS[text[17:20]] + _MILLIS[text[20:23]] + _MICROS[text[23:]]  # type: ignore[index]
        except (KeyError, TypeError):
            found.append(_unusual(text, known))
            continue
        found.append(known if known is not None and 0 <= known - parsed < _MICROSECOND else parsed)
    return found


def _unusual(text: object, known: int | None) -> int | None:
    """Return the ticks where the text is not of the usual form: records with text-typed values, or none at all."""
    parsed = parse_time(text)
    if parsed is None:
        return known if text is None and known is not None and 0 <= known <= MAX_TICKS else None
    agrees = known is not None and parsed // _MICROSECOND == known // _MICROSECOND
    return known if agrees else parsed


def utc_times(texts: Sequence[object]) -> list[int | None]:
    """Return the ticks of Sysmon's ``yyyy-MM-dd HH:mm:ss.SSS`` texts, None where one is not exactly that."""
    minutes = _Minutes(" ")
    found: list[int | None] = []
    for text in texts:
        try:
            found.append(minutes[text[:17]] + _SECONDS[text[17:20]] + _MILLIS[text[20:]])  # type: ignore[index]
        except (KeyError, TypeError):
            found.append(None)
    return found
