"""What rule kinds that look at many events at once see of each, and how long their windows are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from evtxscan.eql.ast import Scalar
from evtxscan.eql.predicates import Values

Key = tuple[Scalar, ...]
"""One value for each of a rule's fields."""

_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_BACK = re.compile(r"now-(\d{1,9})([smhdw])")


class MalformedError(ValueError):
    """A part of a rule is not what it has to be; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Row:
    """An event that a rule's query matches: @timestamp in milliseconds since 1970, its id, the values of some fields.

    ``values`` has one tuple for each field that the rule names, in its order; an empty one where the field is missing.
    """

    time: int
    event: int
    values: tuple[Values, ...]


def keys_of(values: Iterable[Values]) -> list[Key]:
    """Return every combination of one value of each field, each once; none where a field is missing.

    These are Elasticsearch's buckets: an event with several values of a field counts in each.
    """
    return list(dict.fromkeys(product(*values)))


def window(text: str) -> int:
    """Return the milliseconds that ``now-7d`` goes back; raise MalformedError for what is no such time."""
    match = _BACK.fullmatch(text)
    if match is None:
        raise MalformedError(f"{text!r} is not supported; write a time such as now-9m or now-7d")
    return int(match[1]) * _UNITS[match[2]]
