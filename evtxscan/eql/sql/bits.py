"""Sets of rows as the bits of one number: Python joins, meets and counts a hundred thousand rows in microseconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def to_bits(places: Iterable[int], size: int) -> int:
    """Return the number with the bits at ``places``, all of them below ``size``, set."""
    found = bytearray((size >> 3) + 1)
    for place in places:
        found[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(found, "little")


def places_of(bits: int) -> Iterator[int]:
    """Yield the places of the bits that are set, in order."""
    digits = bin(bits)[:1:-1]
    place = digits.find("1")
    while place >= 0:
        yield place
        place = digits.find("1", place + 1)
