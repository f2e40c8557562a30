"""Sets of rows as the bits of one number: Python joins, meets and counts a hundred thousand rows in microseconds."""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import compress
from typing import TypeVar

T = TypeVar("T")

_DIGITS = bytes.maketrans(b"\0\1", b"01")
_FLAGS = bytes.maketrans(b"01", b"\0\1")
# With more places than this, a byte for each row costs less than the bit of each place.
_MANY = 500


def to_bits(places: Sequence[int], size: int) -> int:
    """Return the number with the bits at ``places``, all of them below ``size``, set."""
    if len(places) > _MANY:
        flags = bytearray(size)
        for place in places:
            flags[place] = 1
        return _number(flags)
    found = bytearray((size >> 3) + 1)
    for place in places:
        found[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(found, "little")


def members(values: Sequence[T], wanted: Container[T]) -> int:
    """Return the number with a bit set at each place whose value is among ``wanted``."""
    return _number(bytes(map(wanted.__contains__, values)))


def chosen(values: Sequence[T], bits: int) -> list[T]:
    """Return the values at the places of the bits that are set, in order."""
    digits = bin(bits)[:1:-1]
    return list(compress(values, digits.encode().translate(_FLAGS)))


def _number(flags: bytes | bytearray) -> int:
    """Return the number whose bits are ``flags``, a byte of 0 or 1 each, the lowest first."""
    return int(flags[::-1].translate(_DIGITS), 2) if flags else 0
