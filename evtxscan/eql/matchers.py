"""Tests of a field against constants, as Lucene's queries do them: by the type of the field.

Each function returns a test of one value of the field. The constants are read as the type says; ValueError says why one
cannot be. A field of UNKNOWN type is compared by what value and constant look like.
"""

from collections.abc import Callable, Sequence
from operator import ge, gt, le, lt
from typing import Any

from evtxscan.eql.addresses import Network, parse_address, parse_network
from evtxscan.eql.ast import Scalar
from evtxscan.eql.dates import date_interval, iso_text, milliseconds
from evtxscan.eql.mapping import NUMERIC, Type
from evtxscan.eql.scalars import as_number, as_text, equal, fold_ascii, ordered
from evtxscan.eql.versions import version_key

Test = Callable[[Scalar | None], bool]
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


def exists(value: Scalar | None) -> bool:
    """Tell whether there is a value."""
    return value is not None


def equal_to(kind: Type, constants: Sequence[Scalar], insensitive: bool = False) -> Test:
    """Return the test for ``==`` and ``in`` against one or more constants."""
    if insensitive:
        folded = frozenset(fold_ascii(as_text(constant)) for constant in constants)
        return lambda value: value is not None and fold_ascii(as_text(value)) in folded
    if kind is Type.UNKNOWN:
        return _looks_equal(constants)
    if kind is Type.DATE:
        return _in_interval([_date(constant) for constant in constants])
    if kind is Type.IP:
        return _address_in(constants)
    if kind in NUMERIC:
        numbers = frozenset(_number(constant) for constant in constants)
        return lambda value: value is not None and as_number(value) in numbers
    if kind is Type.BOOLEAN:
        constants = [_boolean(constant) for constant in constants]
    texts = frozenset(map(as_text, constants))
    return lambda value: value is not None and as_text(value) in texts


def in_order(kind: Type, operator: str, constant: Scalar) -> Test:
    """Return the test for ``< <= > >=``."""
    if kind in NUMERIC:
        return _by_key(operator, _number(constant), as_number)
    if kind is Type.DATE:
        return _date_in_order(operator, _date(constant))
    if kind is Type.IP:
        bound = _address_order(as_text(constant))
        if bound is None:
            raise ValueError(f"[{constant}] is not an IP address")
        return _by_key(operator, bound, lambda value: _address_order(as_text(value)))
    if kind is Type.VERSION:
        return _by_key(operator, version_key(as_text(constant)), lambda value: version_key(as_text(value)))
    if kind is Type.BOOLEAN:
        raise ValueError("true and false have no order; compare with == or !=")
    if kind is Type.UNKNOWN:
        return lambda value: value is not None and ordered(operator, value, constant) is True
    return _by_key(operator, as_text(constant), as_text)


def in_networks(constants: Sequence[Scalar]) -> Test:
    """Return the test for cidrMatch."""
    return _address_in(constants)


def script_value(kind: Type) -> Callable[[Scalar], Scalar | None]:
    """Return what makes a document's value the one that functions and arithmetic see."""
    if kind is Type.UNKNOWN:
        return lambda value: value
    if kind in NUMERIC:
        return as_number
    if kind is Type.BOOLEAN:
        return lambda value: as_text(value) == "true"
    if kind is Type.DATE:
        return _date_text
    return as_text


def _looks_equal(constants: Sequence[Scalar]) -> Test:
    texts = frozenset(as_text(constant) for constant in constants if isinstance(constant, str | bool))
    numbers = [constant for constant in constants if not isinstance(constant, str | bool)]

    def test(value: Scalar | None) -> bool:
        if isinstance(value, str):
            return value in texts or any(equal(value, number) for number in numbers)
        return value is not None and any(equal(value, constant) for constant in constants)

    return test


def _in_interval(intervals: list[tuple[int, int]]) -> Test:
    def test(value: Scalar | None) -> bool:
        instant = None if value is None else milliseconds(value)
        return instant is not None and any(low <= instant <= high for low, high in intervals)

    return test


def _date_in_order(operator: str, interval: tuple[int, int]) -> Test:
    """Compare with an interval as a range query does: before its start, or up to its end."""
    bound = interval[0] if operator in ("<", ">=") else interval[1]

    return _by_key(operator, bound, milliseconds)


def _address_in(constants: Sequence[Scalar]) -> Test:
    addresses = set()
    networks: list[Network] = []
    for text in map(as_text, constants):
        address, network = parse_address(text), parse_network(text)
        if address is not None:
            addresses.add(address)
        elif network is not None:
            networks.append(network)
        else:
            raise ValueError(f"[{text}] is not an IP address or network")

    def test(value: Scalar | None) -> bool:
        address = None if value is None else parse_address(as_text(value))
        return address is not None and (address in addresses or any(address in network for network in networks))

    return test


def _address_order(text: str) -> int | None:
    """Return the place of an address in the order of 128-bit addresses; IPv4 ones stand where they are mapped."""
    address = parse_address(text)
    if address is None:
        return None
    return int(address) + (0xFFFF << 32 if address.version == 4 else 0)


def _by_key(operator: str, bound: object, key: Callable[[Scalar], object]) -> Test:
    compare = _COMPARE[operator]

    def test(value: Scalar | None) -> bool:
        found = None if value is None else key(value)
        return found is not None and compare(found, bound)

    return test


def _number(constant: Scalar) -> int | float:
    number = as_number(constant)
    if number is None:
        raise ValueError(f"[{as_text(constant)}] is not a number")
    return number


def _boolean(constant: Scalar) -> str:
    text = as_text(constant)
    if text not in ("true", "false"):
        raise ValueError(f"[{text}] is neither true nor false")
    return text


def _date(constant: Scalar) -> tuple[int, int]:
    interval = date_interval(constant)
    if interval is None:
        raise ValueError(f"[{as_text(constant)}] is not a date such as 2021-05-04T12:00:00Z or milliseconds since 1970")
    return interval


def _date_text(value: Scalar) -> str | None:
    instant = milliseconds(value)
    return None if instant is None else iso_text(instant)
