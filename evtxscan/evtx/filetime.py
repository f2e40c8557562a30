"""Windows FILETIME: 100 ns ticks since 1601-01-01 UTC, kept as integers so that no digit is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TICKS_PER_SECOND = 10_000_000
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
# 9999-12-31T23:59:59.9999999Z, the last moment that datetime can name.
MAX_TICKS = 2650467743999999999
_UNIX_EPOCH = 116_444_736_000_000_000  # 1970-01-01T00:00:00Z
_TICKS_PER_MILLISECOND = 10_000


def to_iso(ticks: int, digits: int = 7) -> str:
    """Render ticks as ISO 8601 UTC with ``digits`` (0 to 7) decimals, cut and not rounded.

    Ticks outside the years 1601 to 9999 (only damage makes them) are rendered as ``filetime:N``.
    """
    if not 0 <= ticks <= MAX_TICKS:
        return f"filetime:{ticks}"
    seconds, rest = divmod(ticks, TICKS_PER_SECOND)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return f"{text}.{rest:07d}"[: 20 + digits] + "Z" if digits else text + "Z"


def from_iso(text: str) -> int:
    """Parse ISO 8601 (``T`` or a space, up to 9 decimals, ``Z``, an offset or none, which means UTC) to ticks.

    Raises ValueError when the text is no such time.
    """
    body, _, fraction = text.strip().partition(".")
    zone = ""
    if fraction:
        digits = len(fraction) - len(fraction.lstrip("0123456789"))
        fraction, zone = fraction[:digits], fraction[digits:]
    moment = datetime.fromisoformat(body + zone)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    delta = moment - _EPOCH
    ticks = (delta.days * 86400 + delta.seconds) * TICKS_PER_SECOND + delta.microseconds * 10
    return ticks + int((fraction + "0000000")[:7])


def to_milliseconds(ticks: int) -> int:
    """Return ticks as whole milliseconds since 1970, cut and not rounded: the times that Elasticsearch compares."""
    return (ticks - _UNIX_EPOCH) // _TICKS_PER_MILLISECOND
