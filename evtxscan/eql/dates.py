"""Dates as Elasticsearch compares them: whole milliseconds since 1970, UTC."""

import re
from datetime import UTC, datetime, timedelta

from evtxscan.eql.ast import Scalar

_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:[T ](?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?)?)?"
)
_DIGITS = re.compile(r"-?\d{1,18}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(value: Scalar) -> int | None:
    """Return the instant of a document's value: a number or its text is milliseconds, other text ISO 8601; else None.

    Digits beyond milliseconds are cut, as a ``date`` field does.
    """
    interval = date_interval(value)
    return None if interval is None else interval[0]


def date_interval(value: Scalar) -> tuple[int, int] | None:
    """Return the first and last millisecond that a date constant means, "2017-08" a whole month; None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        number = int(value) if abs(value) < 2**63 else None
        return None if number is None else (number, number)
    match = _DATE.fullmatch(value, 0, 64) if len(value) <= 64 else None
    if match:
        return _interval(match)
    return (int(value), int(value)) if _DIGITS.fullmatch(value) else None


def iso_text(instant: int) -> str:
    """Write milliseconds since 1970 as Elasticsearch prints a date; years beyond 9999 as the number."""
    try:
        moment = _EPOCH + instant * _MILLISECOND
    except OverflowError:
        return str(instant)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.").rjust(20, "0") + f"{instant % 1000:03d}Z"


def _interval(match: re.Match[str]) -> tuple[int, int] | None:
    part = {name: int(match[name]) for name in ("year", "month", "day", "hour", "minute", "second") if match[name]}
    try:
        start = datetime(**{"month": 1, "day": 1, **part}, tzinfo=UTC)
        end = _next(start, part)
    except (ValueError, OverflowError):
        return None
    low = (start - _EPOCH) // _MILLISECOND - _offset(match["zone"])
    if match["fraction"]:
        low += int(match["fraction"].ljust(3, "0")[:3])
        return low, low
    return low, low + (end - start) // _MILLISECOND - 1


def _next(start: datetime, part: dict[str, int]) -> datetime:
    """Return the start of the next second, minute ... month or year: whichever is the last part given."""
    for name in ("second", "minute", "hour", "day"):
        if name in part:
            return start + timedelta(**{f"{name}s": 1})
    if "month" in part:
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return start.replace(year=start.year + 1)


def _offset(zone: str | None) -> int:
    if zone is None or zone == "Z":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return (minutes if zone[0] == "+" else -minutes) * 60_000
