"""Values to the bytes of BinXml substitution values (MS-EVEN6 2.2.14 to 2.2.16), and FILETIME arithmetic."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from .model import ValueType

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_TICKS_PER_SECOND = 10_000_000


def filetime(text: str) -> int:
    """Return the FILETIME of an ISO 8601 time in UTC, as `2020-05-18T07:02:11.1234567Z`.

    Raises ValueError for any other form, and for more than seven fraction digits.
    """
    whole, _, fraction = text.removesuffix("Z").replace(" ", "T").partition(".")
    if len(fraction) > 7 or not (fraction + "0").isdigit():
        raise ValueError(f"{text!r} is no time with up to seven fraction digits")
    seconds = (datetime.fromisoformat(whole).replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
    return seconds * _TICKS_PER_SECOND + int(fraction.ljust(7, "0"))


def from_filetime(ticks: int) -> datetime:
    """Return the UTC datetime of a FILETIME, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=ticks // 10)


def filetime_text(ticks: int) -> str:
    """Return a FILETIME as ISO 8601 UTC with all seven fraction digits."""
    return f"{from_filetime(ticks):%Y-%m-%dT%H:%M:%S}.{ticks % _TICKS_PER_SECOND:07d}Z"


def encode_wstring(text: str) -> bytes:
    """Return UTF-16 without terminator; lone surrogates pass, as they do in logs."""
    return text.encode("utf-16-le", "surrogatepass")


@lru_cache(maxsize=4096)
def encode_sid(text: str) -> bytes:
    """Return a SID's packet form (MS-DTYP 2.4.2.2) for its text `S-1-5-...`."""
    letter, revision, authority, *rest = text.split("-")
    if letter != "S":
        raise ValueError(f"{text!r} is no SID")
    return struct.pack(f"<BB6s{len(rest)}I", int(revision), len(rest), int(authority).to_bytes(6), *map(int, rest))


@lru_cache(maxsize=4096)
def encode_guid(value: UUID | str) -> bytes:
    """Return a GUID's sixteen bytes, its first three parts little-endian."""
    return (value if isinstance(value, UUID) else UUID(value)).bytes_le


def _encode_strings(values: Sequence[str]) -> bytes:
    return b"".join(encode_wstring(value) + b"\0\0" for value in values)


def _encode_boolean(value: object) -> bytes:
    return b"\1\0\0\0" if value else b"\0\0\0\0"


_U32 = struct.Struct("<I").pack
_U64 = struct.Struct("<Q").pack

ENCODERS: dict[ValueType, Callable[[Any], bytes]] = {
    ValueType.WSTRING: encode_wstring,
    ValueType.UINT8: struct.Struct("<B").pack,
    ValueType.UINT16: struct.Struct("<H").pack,
    ValueType.INT32: struct.Struct("<i").pack,
    ValueType.UINT32: _U32,
    ValueType.INT64: struct.Struct("<q").pack,
    ValueType.UINT64: _U64,
    ValueType.BOOLEAN: _encode_boolean,
    ValueType.BINARY: bytes,
    ValueType.GUID: encode_guid,
    ValueType.POINTER: _U64,
    ValueType.FILETIME: _U64,
    ValueType.SID: encode_sid,
    ValueType.HEXINT32: _U32,
    ValueType.HEXINT64: _U64,
    ValueType.WSTRING_ARRAY: _encode_strings,
}

STORED_AS = {ValueType.POINTER: ValueType.HEXINT64}
"""Where the type of the value differs from the one that the template names: 64-bit Windows stores pointers so."""
