"""Tells whether a template is the one that a record's values were written for."""

from __future__ import annotations

from collections.abc import Sequence

from evtxscan.evtx.binxml.nodes import BinXmlError, Definition, Value
from evtxscan.evtx.binxml.types import (
    ARRAY,
    BINARY,
    BINXML,
    HEX32,
    HEX64,
    NULL,
    SIZE_T,
    UINT8,
    UINT16,
    array_items,
    fixed_size,
    scalar_text,
)

# Of 1.2 million values in public logs, all but these have the type that their template names, or are Null: pointers
# are written as hexadecimal numbers of their width, and providers without a manifest may write what they please.
_WRITTEN_AS = {SIZE_T: (HEX32, HEX64), UINT8: (UINT16,), ARRAY | BINARY: (BINARY,)}


def check_values(values: Sequence[Value]) -> None:
    """Raise BinXmlError (``value_malformed``) for a value whose bytes are none of its type; BinXML is not read."""
    for value in values:
        if value.type in (BINXML, NULL):
            continue
        if value.type & ARRAY:
            if value.type == ARRAY | BINARY:
                raise BinXmlError("value_malformed", "an array of binaries has no form that anyone knows")
            for kind, data in array_items(value.type, value.data):
                scalar_text(kind, data)
        else:
            scalar_text(value.type, value.data)


def why_not(definition: Definition, values: Sequence[Value]) -> str | None:
    """Return why ``values`` are not of this template; None where they are.

    Windows writes exactly as many values as the template has places for, each of the type it names; an optional one
    may be Null.
    """
    count = 1 + max((place.number for place in definition.substitutions), default=-1)
    if len(values) != count:
        return f"{len(values)} values for a template of {count}"
    for place in definition.substitutions:
        value = values[place.number]
        if value.type == place.type or value.type in _WRITTEN_AS.get(place.type, ()):
            continue
        # A Null may keep the room that the value would have had.
        if value.type == NULL and place.optional and len(value.data) in (0, fixed_size(place.type)):
            continue
        return f"value {place.number} has type 0x{value.type:02x}, the template 0x{place.type:02x}"
    return None
