"""A template made ready for writing: its definitions, and the packers of its substitution values.

A template instance's values (MS-EVEN6 2.2.12, TemplateInstanceData) are a count, a descriptor of size and type for
each, then the values' bytes one after the other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from operator import or_
from typing import Any

from .binxml import Definition, classic_data, event_data, user_data
from .model import Event, EventTemplate, Payload, ValueType
from .system import data_index, is_shared, outer_template
from .values import ENCODERS, STORED_AS, encode_guid, encode_sid, encode_wstring

_MAX_VALUE_SIZE = 0xFFFF


class ValueTooLargeError(ValueError):
    """A value does not fit the 16 bits that a descriptor has for its size."""


class CompiledTemplate:
    """An event template for one computer."""

    def __init__(self, template: EventTemplate, computer: str) -> None:
        self._template = template
        self.outer = Definition(outer_template(template, computer))
        self.inner = _inner_definition(template)
        self._system_packers: dict[tuple[str | None, bool], _SystemPacker] = {}
        types = [field.type for field in template.value_fields]
        if template.binary:
            types.insert(-1, ValueType.UINT32)
        elif template.payload is Payload.CLASSIC:
            types.insert(1, ValueType.UINT32)
        self._has_length = template.binary or template.payload is Payload.CLASSIC
        self._encoders: list[Callable[[Any], bytes]] = [ENCODERS[value_type] for value_type in types]
        self._type_bits = [STORED_AS.get(value_type, value_type) << 16 for value_type in types]
        self._descriptors = struct.Struct(f"<{1 + len(types)}I")

    def data_values(self, event: Event) -> bytes:
        """Return the values of the event's own data: count, descriptors, bytes.

        Raises ValueTooLargeError, and ValueError when the event has not as many values as its template fields.
        """
        values = event.values
        if self._has_length:
            values = _with_length(values)
        encoded = [
            b"" if value is None else encode(value) for encode, value in zip(self._encoders, values, strict=True)
        ]
        sizes = [*map(len, encoded)]
        if max(sizes, default=0) > _MAX_VALUE_SIZE:
            raise ValueTooLargeError(
                f"a value of event {self._template.event_id} is longer than {_MAX_VALUE_SIZE} bytes"
            )
        descriptors: Iterable[int] = map(or_, sizes, self._type_bits)
        if None in values:
            descriptors = (0 if value is None else bits for value, bits in zip(values, descriptors, strict=True))
        return self._descriptors.pack(len(encoded), *descriptors) + b"".join(encoded)

    def system_values(self, event: Event, record_id: int, data_size: int) -> bytes:
        """Return the values of the outer template, up to where the event's own data of `data_size` bytes follow."""
        key = (event.security_sid, event.activity_id is not None)
        packer = self._system_packers.get(key)
        if packer is None:
            packer = self._system_packers[key] = _SystemPacker(self._template, event)
        return packer.pack(event, record_id, data_size)


class _SystemPacker:
    """Packs the System values of one template and user, of which only a few change from record to record."""

    def __init__(self, template: EventTemplate, example: Event) -> None:
        count = data_index(template) + 1
        fixed: list[tuple[ValueType, bytes]] = [(ValueType.NULL, b"")] * (count - 1)
        fixed[0] = (ValueType.UINT8, template.level.to_bytes(1))
        fixed[1] = (ValueType.UINT8, template.opcode.to_bytes(1))
        fixed[2] = (ValueType.UINT16, template.task.to_bytes(2, "little"))
        fixed[3] = (ValueType.UINT16, template.event_id.to_bytes(2, "little"))
        if template.qualifiers is not None:
            fixed[4] = (ValueType.UINT16, template.qualifiers.to_bytes(2, "little"))
        fixed[5] = (ValueType.HEXINT64, template.keywords.to_bytes(8, "little"))
        fixed[6] = (ValueType.FILETIME, bytes(8))
        if example.activity_id is not None:
            fixed[7] = (ValueType.GUID, bytes(16))
        fixed[8] = fixed[9] = (ValueType.UINT32, bytes(4))
        fixed[10] = (ValueType.UINT64, bytes(8))
        fixed[11] = (ValueType.UINT8, template.version.to_bytes(1))
        if example.security_sid is not None:
            fixed[12] = (ValueType.SID, encode_sid(example.security_sid))
        if is_shared(template):
            if template.provider.guid is None:
                raise ValueError(f"provider {template.provider.name} has a manifest, so it must have a GUID")
            fixed[14] = (ValueType.WSTRING, encode_wstring(template.provider.name))
            fixed[15] = (ValueType.GUID, encode_guid(template.provider.guid))
            fixed[16] = (ValueType.WSTRING, encode_wstring(template.channel))
        self._head = struct.pack("<I", count) + b"".join(struct.pack("<HH", len(d), t) for t, d in fixed)
        self._before_time = b"".join(data for _, data in fixed[:6])
        self._tail = b"".join(data for _, data in fixed[11:])
        self._pack = struct.Struct(
            f"<{len(self._head)}sHH{len(self._before_time)}sQ{len(fixed[7][1])}sIIQ{len(self._tail)}s"
        ).pack

    def pack(self, event: Event, record_id: int, data_size: int) -> bytes:
        if data_size > _MAX_VALUE_SIZE:
            raise ValueTooLargeError(f"the data of record {record_id} are longer than {_MAX_VALUE_SIZE} bytes")
        return self._pack(
            self._head,
            data_size,
            ValueType.BINXML,
            self._before_time,
            event.time,
            b"" if event.activity_id is None else event.activity_id.bytes_le,
            event.pid,
            event.tid,
            record_id,
            self._tail,
        )


def _inner_definition(template: EventTemplate) -> Definition:
    match template.payload:
        case Payload.EVENT_DATA:
            return Definition(event_data(template.fields, binary=template.binary))
        case Payload.CLASSIC:
            return Definition(classic_data())
        case Payload.USER_DATA:
            if template.element is None or template.namespace is None:
                raise ValueError(f"event {template.event_id} has UserData, so it must have an element and a namespace")
            return Definition(user_data(template.element, template.namespace, template.fields))


def _with_length(values: Any) -> list[Any]:  # noqa: ANN401 - values are of every type
    """Put the Binary's length in front of it, which Windows writes as a value that no element shows."""
    *strings, binary = values
    return [*strings, len(binary or b""), binary]
