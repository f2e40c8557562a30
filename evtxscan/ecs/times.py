"""TimeCreated and Sysmon's UtcTime in bulk: text to FILETIME ticks, a minute at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evtxscan.evtx.filetime import MAX_TICKS, TICKS_PER_SECOND, from_iso

_MINUTE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:", re.ASCII)
_MICROSECOND = 10  # ticks


class _Minutes(dict[str, int]):
    """``2020-10-27T20:00:`` to the ticks of that minute; -1 where it is none."""

    def __missing__(self, text: str) -> int:
        ticks = -1
        if _MINUTE.fullmatch(text):
            try:
                ticks = from_iso(text + "00")
            except ValueError:
                ticks = -1
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
    minutes = _Minutes()
    found: list[int | None] = []
    for text, known in zip(texts, ticks, strict=True):
        if isinstance(text, str) and len(text) == 27 and text[19] == "." and text[26] == "Z":
            rest = text[17:19] + text[20:26]
            if rest.isdigit() and rest.isascii() and rest < "60" and (minute := minutes[text[:17]]) >= 0:
                parsed = minute + int(rest) * _MICROSECOND
                found.append(known if known is not None and 0 <= known - parsed < _MICROSECOND else parsed)
                continue
        slow = parse_time(text)
        if slow is None:
            found.append(known if text is None and known is not None and 0 <= known <= MAX_TICKS else None)
        else:
            agrees = known is not None and slow // _MICROSECOND == known // _MICROSECOND
            found.append(known if agrees else slow)
    return found


def utc_times(texts: Sequence[object]) -> list[int | None]:
    """Return the ticks of Sysmon's ``yyyy-MM-dd HH:mm:ss.SSS`` texts, None where one is not exactly that."""
    minutes = _Minutes()
    found: list[int | None] = []
    for text in texts:
        ticks = None
        if isinstance(text, str) and len(text) == 23 and text[10] == " " and text[19] == ".":
            rest = text[17:19] + text[20:]
            if rest.isdigit() and rest.isascii() and rest < "60" and (minute := minutes[text[:17]]) >= 0:
                ticks = minute + int(rest) * (TICKS_PER_SECOND // 1000)
        found.append(ticks)
    return found
