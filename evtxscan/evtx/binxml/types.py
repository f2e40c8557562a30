"""The value types of BinXML (MS-EVEN6 2.2.14): which sizes they can have, and their text."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from evtxscan.evtx.binxml.nodes import BinXmlError
from evtxscan.evtx.filetime import MAX_TICKS

NULL, STRING, ANSI = 0x00, 0x01, 0x02
INT8, UINT8, INT16, UINT16, INT32, UINT32, INT64, UINT64 = range(0x03, 0x0B)
REAL32, REAL64, BOOL, BINARY, GUID, SIZE_T, FILETIME, SYSTEMTIME, SID = range(0x0B, 0x14)
HEX32, HEX64, BINXML = 0x14, 0x15, 0x21
ARRAY = 0x80

_INTEGERS = {
    INT8: "<b", UINT8: "<B", INT16: "<h", UINT16: "<H", INT32: "<i", UINT32: "<I", INT64: "<q", UINT64: "<Q",
}  # fmt: skip
_SIZES = {
    **{kind: struct.calcsize(layout) for kind, layout in _INTEGERS.items()},
    REAL32: 4, REAL64: 8, BOOL: 4, GUID: 16, FILETIME: 8, SYSTEMTIME: 16, HEX32: 4, HEX64: 8,
}  # fmt: skip
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
# Records repeat names, SIDs and GUIDs; longer values are rarely the same.
_LONGEST_REMEMBERED = 128
_MOST_SUBAUTHORITIES = 15  # MS-DTYP 2.4.2.2


def is_type(kind: int) -> bool:
    """Whether there is a value type of this number."""
    return kind in (NULL, BINXML) or STRING <= kind & ~ARRAY <= HEX64


def is_number(kind: int) -> bool:
    """Whether JSON has a value of this type without quotes."""
    return INT8 <= kind <= UINT64 or kind == BOOL


def fixed_size(kind: int) -> int | None:
    """Return how many bytes every value of a type has; None where that varies."""
    return _SIZES.get(kind)


def scalar_text(kind: int, data: bytes) -> str:
    """Return a value's text as the Rust parser writes it, times cut to microseconds.

    Raises BinXmlError for bytes that are no value of the type.
    """
    return _remembered_text(kind, data) if len(data) <= _LONGEST_REMEMBERED else _text(kind, data)


@lru_cache(maxsize=8192)
def _remembered_text(kind: int, data: bytes) -> str:
    return _text(kind, data)


def _text(kind: int, data: bytes) -> str:
    writer = _WRITERS.get(kind)
    size = _SIZES.get(kind)
    if writer is None or (size is not None and size != len(data)):
        raise BinXmlError("value_malformed", f"{len(data)} bytes as a value of type 0x{kind:02x}")
    return writer(data)


def array_items(kind: int, data: bytes) -> list[tuple[int, bytes]]:
    """Take an array apart; each item is the type and bytes of a value of its own. Raises BinXmlError."""
    base = kind & ~ARRAY
    if base == STRING:
        return [(STRING, item) for item in _strings(data)]
    if base == SID:
        return [(SID, item) for item in _sids(data)]
    size = _SIZES.get(base)
    if size is None or len(data) % size:
        raise BinXmlError("value_malformed", f"{len(data)} bytes as an array of type 0x{kind:02x}")
    items = [data[at : at + size] for at in range(0, len(data), size)]
    if base == BOOL and any(_bool(item) not in ("true", "false") for item in items):
        base = INT32
    return [(base, item) for item in items]


def _strings(data: bytes) -> list[bytes]:
    if len(data) % 2 or (data and data[-2:] != b"\0\0"):
        raise BinXmlError("value_malformed", f"{len(data)} bytes as an array of strings")
    items, start = [], 0
    for at in range(0, len(data), 2):
        if data[at : at + 2] == b"\0\0":
            items.append(data[start:at])
            start = at + 2
    return items


def _sids(data: bytes) -> list[bytes]:
    items, at = [], 0
    while at < len(data):
        size = 8 + 4 * (data[at + 1] if at + 1 < len(data) else 0)
        items.append(data[at : at + size])
        at += size
    return items


def _string(data: bytes) -> str:
    if len(data) % 2:
        raise BinXmlError("value_malformed", f"{len(data)} bytes as UTF-16")
    text = data.decode("utf-16-le", "ignore")  # a lone surrogate is left out, as the Rust parser does
    return text.partition("\0")[0]


def _ansi(data: bytes) -> str:
    # Windows-1252, as the Rust parser reads it; the five bytes without a character are control characters there.
    text = "".join(bytes((byte,)).decode("cp1252", "ignore") or chr(byte) for byte in data)
    return text.replace("\0", "")


def _bool(data: bytes) -> str:
    (number,) = struct.unpack("<i", data)  # some providers write other numbers than 0 and 1
    return {0: "false", 1: "true"}.get(number) or str(number)


def _guid(data: bytes) -> str:
    first, second, third = struct.unpack_from("<IHH", data)
    return f"{first:08X}-{second:04X}-{third:04X}-{data[8:10].hex().upper()}-{data[10:].hex().upper()}"


def _size_t(data: bytes) -> str:
    if len(data) not in (4, 8):
        raise BinXmlError("value_malformed", f"{len(data)} bytes as a pointer")
    return _hex(data)


def _hex(data: bytes) -> str:
    return f"0x{int.from_bytes(data, 'little'):x}"


def _filetime(data: bytes) -> str:
    ticks = int.from_bytes(data, "little")
    if ticks > MAX_TICKS:
        raise BinXmlError("value_malformed", f"FILETIME {ticks} is no time")
    return _time(_EPOCH + timedelta(microseconds=ticks // 10))


def _system_time(data: bytes) -> str:
    if not any(data):
        return _time(_EPOCH)
    year, month, _, day, hour, minute, second, millisecond = struct.unpack("<8H", data)
    try:
        moment = datetime(year, month, day, hour, minute, second, 1000 * millisecond, tzinfo=UTC)
    except ValueError as error:
        raise BinXmlError("value_malformed", f"SYSTEMTIME: {error}") from error
    return _time(moment)


def _time(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _sid(data: bytes) -> str:
    count = data[1] if len(data) >= 8 else 0
    if len(data) != 8 + 4 * count or data[0] != 1 or count > _MOST_SUBAUTHORITIES:
        raise BinXmlError("value_malformed", f"{len(data)} bytes as a SID")
    authorities = struct.unpack_from(f"<{count}I", data, 8)
    return "-".join(["S", str(data[0]), str(int.from_bytes(data[2:8], "big")), *map(str, authorities)])


def _real(layout: str, lowest: int, highest: int) -> Callable[[bytes], str]:
    """Return the writer of floats: without an exponent from 10**lowest up to below 10**highest."""

    def text(data: bytes) -> str:
        (number,) = struct.unpack(layout, data)
        if not math.isfinite(number):
            return "NaN" if math.isnan(number) else "inf" if number > 0 else "-inf"
        # The fewest digits that give the same bytes.
        forms = (f"{number:.{digits}e}" for digits in range(17))
        mantissa, _, power = next(form for form in forms if _packs(layout, form, data)).partition("e")
        exponent = int(power)
        if number and not lowest <= exponent < highest:
            return f"{mantissa}e{exponent:+d}" if exponent > 0 else f"{mantissa}e{exponent}"
        decimals = max(1, len(mantissa.lstrip("-").replace(".", "")) - 1 - exponent)
        return f"{float(mantissa + 'e' + power):.{decimals}f}"

    return text


def _packs(layout: str, form: str, data: bytes) -> bool:
    try:
        return struct.pack(layout, float(form)) == data
    except OverflowError:  # rounded up beyond the largest float
        return False


def _integer(layout: str) -> Callable[[bytes], str]:
    return lambda data: str(struct.unpack(layout, data)[0])


_WRITERS: dict[int, Callable[[bytes], str]] = {
    NULL: lambda _: "",
    STRING: _string,
    ANSI: _ansi,
    **{kind: _integer(layout) for kind, layout in _INTEGERS.items()},
    REAL32: _real("<f", -6, 13),
    REAL64: _real("<d", -5, 16),
    BOOL: _bool,
    BINARY: lambda data: data.hex().upper(),
    GUID: _guid,
    SIZE_T: _size_t,
    FILETIME: _filetime,
    SYSTEMTIME: _system_time,
    SID: _sid,
    HEX32: _hex,
    HEX64: _hex,
}
