"""What an event log is made from: event templates, and events that fill them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from typing import TypeAlias
from uuid import UUID

Value: TypeAlias = str | int | bytes | UUID | Sequence[str] | None
"""A substitution value.

None is written as the Null type, whatever the field's type. Windows does so in optional substitutions, as those of
`Payload.CLASSIC`; in the others libevtx refuses the record, where the Rust parser and python-evtx read an empty value.
"""


class ValueType(IntEnum):
    """BinXml value types (MS-EVEN6 2.2.14), those that the catalogued events use."""

    NULL = 0x00
    WSTRING = 0x01
    UINT8 = 0x04
    UINT16 = 0x06
    INT32 = 0x07
    UINT32 = 0x08
    INT64 = 0x09
    UINT64 = 0x0A
    BOOLEAN = 0x0D
    BINARY = 0x0E
    GUID = 0x0F
    POINTER = 0x10
    FILETIME = 0x11
    SID = 0x13
    HEXINT32 = 0x14
    HEXINT64 = 0x15
    BINXML = 0x21
    WSTRING_ARRAY = 0x81


EMPTY_VALUES: Mapping[ValueType, Value] = {
    ValueType.WSTRING: "",
    ValueType.BINARY: b"",
    ValueType.GUID: UUID(int=0),
    ValueType.SID: "S-1-0-0",
    ValueType.WSTRING_ARRAY: None,
}
"""What stands in a field that has nothing to say; in those of any other type it is 0."""


class Payload(Enum):
    """The three shapes that an event's own data takes."""

    EVENT_DATA = "EventData"
    """Named Data elements, one substitution each; with `binary`, a Binary element behind them."""
    USER_DATA = "UserData"
    """Elements of the provider's own schema, as in 1102 and 104."""
    CLASSIC = "Classic"
    """One unnamed Data element holding an array of strings, and Binary: event sources older than manifests."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An event source as the System element names it."""

    name: str
    guid: UUID | None = None
    event_source_name: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One named value of an event."""

    name: str
    type: ValueType = ValueType.WSTRING


@dataclass(frozen=True, slots=True, eq=False)
class EventTemplate:
    """Everything that all events of one id and version share.

    Compared and hashed by identity, so that the writer finds its compiled form without hashing the fields each time.
    """

    provider: Provider
    channel: str
    event_id: int
    version: int = 0
    level: int = 0
    task: int = 0
    opcode: int = 0
    keywords: int = 0
    qualifiers: int | None = None
    payload: Payload = Payload.EVENT_DATA
    fields: tuple[Field, ...] = ()
    binary: bool = False
    element: str | None = None
    namespace: str | None = None

    def row(self, **values: Value) -> tuple[Value, ...]:
        """Return `values` in the order of the fields; one not given is empty, zero or the null SID, as Windows has it.

        Raises KeyError for a name that the template does not have.
        """
        row = tuple(values.pop(field.name, EMPTY_VALUES.get(field.type, 0)) for field in self.value_fields)
        if values:
            raise KeyError(f"event {self.event_id} has no field {', '.join(sorted(values))}")
        return row

    @property
    def value_fields(self) -> tuple[Field, ...]:
        """The fields that an event gives values for, in order."""
        if self.payload is Payload.CLASSIC:
            return (Field("Data", ValueType.WSTRING_ARRAY), Field("Binary", ValueType.BINARY))
        return (*self.fields, Field("Binary", ValueType.BINARY)) if self.binary else self.fields

    def without(self, *names: str) -> EventTemplate:
        """Return the template less some fields: how an older version of the provider wrote the same event."""
        missing = set(names) - {field.name for field in self.fields}
        if missing:
            raise KeyError(f"event {self.event_id} has no field {', '.join(sorted(missing))}")
        return replace(self, fields=tuple(field for field in self.fields if field.name not in names))


@dataclass(frozen=True, slots=True)
class Event:
    """One record to write.

    `time` is TimeCreated and `written` the time in the record's header, both FILETIME (100 ns since 1601, UTC);
    without `written` the two are equal. `values` go by the order of the template's `value_fields`. Without `record_id`
    an event gets the next one.
    """

    template: EventTemplate
    time: int
    computer: str
    values: Sequence[Value] = ()
    record_id: int | None = None
    pid: int = 0
    tid: int = 0
    security_sid: str | None = None
    activity_id: UUID | None = None
    written: int | None = None
