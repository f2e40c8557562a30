"""What single values mean to Elasticsearch: text forms, comparison, arithmetic, case folding.

Everything here takes and gives one value; None is "no value" and comes out of nearly everything it goes into. Numbers
follow Java: whole numbers are 64 bits, division of two of them truncates, a remainder has the sign of the dividend.
"""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any

from evtxscan.eql.ast import Scalar

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 400
_LONG = range(-(2**63), 2**63)

Number = int | float


def fold_ascii(text: str) -> str:
    """Lower the letters A to Z and nothing else: the case-insensitivity of Lucene's term and wildcard queries."""
    if text.isascii():
        return text.lower()
    # bytes.lower() knows ASCII only and runs at the speed of C.
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")


def fold_unicode(text: str) -> str:
    """Fold case character by character, as Java compares strings ignoring case; the length does not change."""
    if text.isascii():
        return text.lower()
    return "".join(map(_fold_character, text))


def _fold_character(char: str) -> str:
    upper = char.upper()
    lower = (upper if len(upper) == 1 else char).lower()
    return lower if len(lower) == 1 else char


def is_number(value: object) -> bool:
    """Tell whether this is a number; to Python, booleans are numbers too."""
    return type(value) is int or type(value) is float


def as_text(value: Scalar) -> str:
    """Write a value as Elasticsearch does in string() and concat(): 1, 2.5, true."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _double_text(value)


def _double_text(value: float) -> str:
    """Write a double as Java's Double.toString: plain from 0.001 to ten million, else as 1.0E10."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    figures = "".join(map(str, digits)).rstrip("0") or "0"
    point = len(digits) + int(exponent)
    if 1e-3 <= abs(value) < 1e7 or value == 0:
        whole = figures[: max(point, 0)].ljust(max(point, 1), "0")
        rest = "0" * max(-point, 0) + figures[max(point, 0) :]
        return "-" * sign + f"{whole}.{rest or '0'}"
    return "-" * sign + f"{figures[0]}.{figures[1:] or '0'}E{point - 1}"


def as_number(value: Scalar) -> Number | None:
    """Read a value as a number: itself, or what a decimal text says; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
        return None
    return int(value) if value.lstrip("+-").isdigit() else float(value)


def equal(left: Scalar, right: Scalar) -> bool:
    """Tell whether two values are the same, numbers by value, a number and its text too."""
    if isinstance(left, bool) or isinstance(right, bool):
        return as_text(left) == as_text(right)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    first, second = as_number(left), as_number(right)
    return first is not None and second is not None and first == second


_ORDER: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


def ordered(operator: str, left: Scalar, right: Scalar) -> bool | None:
    """Compare with ``< <= > >=``: texts by code point, numbers by value; None where there is no order."""
    compare = _ORDER[operator]
    if isinstance(left, str) and isinstance(right, str):
        return compare(left, right)
    if type(left) is int and type(right) is int:
        return compare(left, right)
    first, second = as_number(left), as_number(right)
    if first is None or second is None or math.isnan(first) or math.isnan(second):
        return None
    return compare(first, second)


def calculate(operator: str, left: Scalar | None, right: Scalar | None) -> Number | None:
    """Calculate ``left operator right``; None if either is none or no number.

    Raises ZeroDivisionError for a whole number divided by zero and OverflowError beyond 64 bits.
    """
    first = None if left is None else as_number(left)
    second = None if right is None else as_number(right)
    if first is None or second is None:
        return None
    if isinstance(first, int) and isinstance(second, int):
        return _long(_WHOLE[operator](first, second))
    return _DOUBLE[operator](float(first), float(second))


def negate(value: Scalar | None) -> Number | None:
    """Calculate ``-value``; None if it is none or no number."""
    number = None if value is None else as_number(value)
    if number is None:
        return None
    return _long(-number) if isinstance(number, int) else -number


def _long(value: int) -> int:
    if value not in _LONG:
        raise OverflowError("the result does not fit 64 bits")
    return value


def _divide_whole(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _divide_double(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _remainder_double(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


_WHOLE: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide_whole,
    "%": lambda a, b: a - b * _divide_whole(a, b),
}
_DOUBLE: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide_double,
    "%": _remainder_double,
}
