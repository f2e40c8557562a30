"""How one recorded text becomes the value of a column, and how the text comes back out of it.

A conversion gets a text that is not empty and returns the column's value, or None where the text cannot be mapped:
then the text stays in the document as it was recorded. Nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from evtxscan.ecs.texts import lookup

Cell = str | int
"""The value of a stored column."""

MAX_LONG: Final = 2**63 - 1
_DECIMAL = re.compile(r"[0-9]{1,19}", re.ASCII)
_HEX = re.compile(r"0[xX]([0-9a-fA-F]{1,16})", re.ASCII)
_MAPPED = re.compile(r"::ffff:(?=[0-9]+\.)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Conversion:
    """``convert`` makes the value; ``restore`` gives a text back, which may differ from the one recorded.

    ``exact`` says that every text can be converted and is restored as it was.
    """

    convert: Callable[[str], Cell | None]
    restore: Callable[[Cell], str]
    number: bool = False
    exact: bool = False


def decimal(text: str) -> int | None:
    """Return the number, or None for anything but 1 to 19 digits that fit a signed 64-bit integer."""
    if not _DECIMAL.fullmatch(text):
        return None
    number = int(text)
    return number if number <= MAX_LONG else None


def hexadecimal(text: str) -> int | None:
    """Return the number of a ``0x`` text, else of a decimal one (Security's process ids)."""
    found = _HEX.fullmatch(text)
    if found is None:
        return decimal(text)
    number = int(found[1], 16)
    return number if number <= MAX_LONG else None


def to_hex(number: Cell) -> str:
    """Return a number as Windows renders HexInt: ``0x`` and lower-case digits without padding."""
    return f"0x{number:x}" if isinstance(number, int) else number


def address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address as Elasticsearch's ``ip`` type does: no port, no zone, no leading zeros."""
    if "%" in text:
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def ip(text: str) -> str | None:
    """Return the address unchanged."""
    return text if address(text) else None


def ip_unmapped(text: str) -> str | None:
    """Return the address, an IPv4 one without the ``::ffff:`` that maps it into IPv6."""
    return ip(_MAPPED.sub("", text, count=1) if text[:7].lower() == "::ffff:" else text)


def client_address(text: str) -> str | None:
    """Return the address of a terminal session's client; ``LOCAL`` is this host."""
    return "127.0.0.1" if text == "LOCAL" else ip_unmapped(text)


def direction(text: str) -> str | None:
    """Return network.direction for Sysmon's Initiated."""
    return {"true": "egress", "false": "ingress"}.get(text)


def ip_version(text: str) -> str | None:
    """Return network.type for Sysmon's SourceIsIpv6."""
    return {"true": "ipv6", "false": "ipv4"}.get(text)


def account_domain(text: str) -> str | None:
    r"""Return ``DOM`` of ``DOM\name`` if there is exactly one backslash, with something on either side."""
    parts = text.split("\\")
    return parts[0] if len(parts) == 2 and all(parts) else None


def account_name(text: str) -> str | None:
    r"""Return ``name`` of ``DOM\name`` if there is exactly one backslash, with something on either side."""
    parts = text.split("\\")
    return parts[1] if len(parts) == 2 and all(parts) else None


def before_at(text: str) -> str | None:
    """Return the name of ``name@realm``; a text without ``@`` as it is."""
    return text.partition("@")[0] or None


def dns_status(text: str) -> str | None:
    """Return the name of a DNS client status, or the number where it has none."""
    return lookup("dns_status", text) or text


def _same(text: str) -> Cell | None:
    return text


CONVERSIONS: Final[dict[str, Conversion]] = {
    "text": Conversion(_same, str, exact=True),
    "decimal": Conversion(decimal, str, number=True),
    "hex": Conversion(hexadecimal, to_hex, number=True),
    "ip": Conversion(ip, str),
    "ip_unmapped": Conversion(ip_unmapped, str),
    "client_address": Conversion(client_address, str),
    "direction": Conversion(direction, str),
    "ip_version": Conversion(ip_version, str),
    "account_domain": Conversion(account_domain, str),
    "account_name": Conversion(account_name, str),
    "before_at": Conversion(before_at, str),
    "dns_status": Conversion(dns_status, str),
}
"""The conversions that a mapping table can name."""
