"""Reads the JSON of one line, so that nothing that stands there is lost: orjson reads it, Python's own reader where
orjson would lose something or gives up.

orjson keeps the last of two values with one name, makes a float of a whole number beyond 64 bits, and refuses halves of
characters and bytes that are no UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from evtxscan.ecs.incoming import IncomingError

_MAX_UNSIGNED, _MIN_LONG = 2**64 - 1, -(2**63)
# A quote stands in a text where an odd number of backslashes is before it.
_ESCAPED_QUOTE = re.compile(rb'(\\+)"[: \t\r]')
_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udfff]")
_UNKNOWN = "\ufffd"


@dataclass(frozen=True, slots=True)
class Parsed:
    """The value of a line. ``is_mended``: characters that no text can hold were replaced by U+FFFD."""

    value: Any
    is_mended: bool = False


def parse(line: bytes) -> Parsed:
    """Return the JSON value of a line. Raises IncomingError for what is none."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if "ecursion" in str(error):
            raise IncomingError("too_deep", "its values are nested too deep to be read") from None
        return parse_slowly(line)
    return parse_slowly(line) if _may_lose(line, value) else Parsed(value)


def parse_slowly(line: bytes) -> Parsed:
    """Do the same with Python's own reader alone: the second opinion of ``verify``."""
    try:
        text, is_mended = line.decode(), False
    except UnicodeDecodeError:
        text, is_mended = line.decode(errors="replace"), True
    try:
        value = _READER.decode(text)
        if _ESCAPED_HALF.search(text) and (mended := _without_halves(value)) != value:
            return Parsed(mended, is_mended=True)
    except RecursionError:
        raise IncomingError("too_deep", "its values are nested too deep to be read") from None
    except ValueError as error:
        raise IncomingError("no_json", f"it is no JSON: {error}") from None
    return Parsed(value, is_mended)


def _may_lose(line: bytes, value: object) -> bool:
    """Whether orjson may have left something out: a second value of a name, or digits of a number.

    Behind each name stands a quote and a colon. Where there are no more of these than names in the value, each name
    was there once.
    """
    known = _names_in(value)
    names = line.count(b'":') + line.count(b'" ') + line.count(b'"\t') + line.count(b'"\r')
    return names != known and names - sum(len(found) & 1 for found in _ESCAPED_QUOTE.findall(line)) != known


def _names_in(value: object) -> int:
    """Return how many names the objects of a value have, -1 where a number has more than 64 bits.

    orjson's limit bounds the depth.
    """
    found = 0
    items: Iterable[object]
    if isinstance(value, dict):
        found = len(value)
        items = value.values()
    elif isinstance(value, list):
        items = value
    else:
        return 0
    for item in items:
        sort = item.__class__
        if sort is str:
            continue
        if sort is dict or sort is list:
            inner = _names_in(item)
            if inner < 0:
                return -1
            found += inner
        elif sort is float and not _MIN_LONG < item < -_MIN_LONG:
            return -1
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; a name that is there twice has both values."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    found.clear()
    for name, value in pairs:
        found[name] = _both(found[name], value) if name in found else value
    return found


def _both(one: Any, other: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(one, dict) and isinstance(other, dict):
        return _object([*one.items(), *other.items()])
    return [*(one if isinstance(one, list) else [one]), *(other if isinstance(other, list) else [other])]


def _whole(digits: str) -> int | str:
    """Return a whole number; one beyond 64 bits as the text that it is."""
    if len(digits) > len(str(_MIN_LONG)):
        return digits
    number = int(digits)
    return number if _MIN_LONG <= number <= _MAX_UNSIGNED else digits


def _fraction(digits: str) -> float | str:
    number = float(digits)
    return digits if number in (float("inf"), float("-inf")) else number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


_READER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_fraction, parse_constant=_no_number
)


def _without_halves(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a value in which halves of characters, which no text can hold, are replaced."""
    if isinstance(value, str):
        return _HALF.sub(_UNKNOWN, value) if _HALF.search(value) else value
    if isinstance(value, dict):
        return {_without_halves(name): _without_halves(item) for name, item in value.items()}
    return [_without_halves(item) for item in value] if isinstance(value, list) else value
