"""Reads logs with other people's parsers into one form, so that their answers can be compared.

What they differ in by design, and is put right here: GUIDs with or without braces and in either case, hex with or
without padding, booleans in either case, times cut to microseconds by one parser and rounded through floating point by
others (compared at milliseconds), line ends (folded by XML), Binary as hex or base64, arrays of strings as elements or
as text, and whether an empty unnamed element is shown at all.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import evtx
import pyevtx
from dissect.eventlog.evtx import Evtx as DissectEvtx
from Evtx.Evtx import Evtx as PythonEvtx
from lxml import etree

from .model import Event, Payload, Value, ValueType
from .values import filetime_text

_NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"
_GUID = re.compile(r"\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?", re.ASCII | re.IGNORECASE)
_HEX = re.compile(r"0x[0-9a-f]+", re.ASCII | re.IGNORECASE)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d\.\d{3})\d*(?:Z|\+00:00)?", re.ASCII)
_SHOWN = re.compile(r"<string>(.*?)</string>\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reading:
    """One record: its id, the System fields that are not empty, and the names and values of its own data."""

    record_id: int
    system: Mapping[str, str]
    data: tuple[tuple[str, str], ...]


def read_rust_json(path: Path) -> Iterator[Reading]:
    """Read with the Rust parser's JSON, checksums verified."""
    records: Iterable[Any] = evtx.PyEvtxParser(str(path), validate_checksums=True).records_json()
    for record in records:
        event = json.loads(record["data"])["Event"]
        yield Reading(record["event_record_id"], _json_system(event["System"]), tuple(_json_data(event)))


def read_rust_xml(path: Path) -> Iterator[Reading]:
    """Read with the Rust parser's XML, checksums verified."""
    records: Iterable[Any] = evtx.PyEvtxParser(str(path), validate_checksums=True).records()
    for record in records:
        text = record["data"].encode("utf-8", "surrogatepass")
        yield _xml_reading(record["event_record_id"], text)


def read_libevtx(path: Path) -> Iterator[Reading]:
    """Read with libevtx, which must find the log whole."""
    with path.open("rb") as stream:
        file = pyevtx.file()
        file.open_file_object(stream)
        if file.is_corrupted():
            raise AssertionError(f"libevtx calls {path.name} corrupt")
        for record in file.records:
            yield _xml_reading(record.identifier, record.get_xml_string().encode())
        file.close()


def read_python_evtx(path: Path) -> Iterator[Reading]:
    """Read with python-evtx, all its checks on."""
    with PythonEvtx(str(path)) as log:
        if not log.get_file_header().verify():
            raise AssertionError(f"python-evtx does not accept the file header of {path.name}")
        for chunk in log.chunks():
            if not chunk.verify():
                raise AssertionError(f"python-evtx does not accept a chunk of {path.name}")
            for record in chunk.records():
                if not record.verify():
                    raise AssertionError(f"python-evtx does not accept record {record.record_num()}")
                yield _xml_reading(record.record_num(), record.xml().encode(), base64=True)


def read_dissect(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Read with dissect.eventlog: the record's id and values by dissect's own flat names, GUIDs left out.

    (It shows the first three parts of a GUID value byte for byte as stored, so 5770385f- becomes 5F387057-.)
    """
    with path.open("rb") as stream:
        for record in DissectEvtx(stream):
            values = {name: _dissect_text(value) for name, value in record.items()}
            shown = {name: value for name, value in values.items() if value and not _GUID.fullmatch(value)}
            yield int(values["EventRecordID"]), shown


READERS: Mapping[str, Callable[[Path], Iterator[Reading]]] = {
    "rust-json": read_rust_json,
    "rust-xml": read_rust_xml,
    "libevtx": read_libevtx,
    "python-evtx": read_python_evtx,
}


def expected(event: Event, record_id: int) -> Reading:
    """Return the reading that an event must have."""
    template = event.template
    system: dict[str, str] = {
        "Provider.Name": template.provider.name,
        "EventID": str(template.event_id),
        "Level": str(template.level),
        "Task": str(template.task),
        "Keywords": f"{template.keywords:#x}",
        "TimeCreated.SystemTime": normal(filetime_text(event.time)),
        "EventRecordID": str(record_id),
        "Channel": template.channel,
        "Computer": event.computer,
    }
    if template.provider.guid:
        system["Provider.Guid"] = str(template.provider.guid)
    if template.provider.event_source_name:
        system["Provider.EventSourceName"] = template.provider.event_source_name
    if template.qualifiers is not None:
        system["EventID.Qualifiers"] = str(template.qualifiers)
    if template.payload is not Payload.CLASSIC:
        system |= {"Version": str(template.version), "Opcode": str(template.opcode)}
        system |= {"Execution.ProcessID": str(event.pid), "Execution.ThreadID": str(event.tid)}
        if event.activity_id:
            system["Correlation.ActivityID"] = str(event.activity_id)
    if event.security_sid:
        system["Security.UserID"] = event.security_sid
    return Reading(record_id, system, tuple(_expected_data(event)))


def normal(value: object) -> str:
    """Return a value's text in the one form."""
    if value is None:
        return ""
    text = str(value).replace("\r\n", "\n").replace("\r", "\n")
    if match := _GUID.fullmatch(text):
        return match[1].lower()
    if _HEX.fullmatch(text):
        return f"{int(text, 16):#x}"
    if match := _TIME.fullmatch(text):
        return f"{match[1]} {match[2]}"
    return text.lower() if text in ("True", "False") else text


def _expected_data(event: Event) -> Iterator[tuple[str, str]]:
    for field, value in zip(event.template.value_fields, event.values, strict=True):
        if field.type is ValueType.WSTRING_ARRAY:
            strings = value if isinstance(value, (list, tuple)) else ()
            yield from ((field.name, normal(string)) for string in strings)
        elif field.type is ValueType.BINARY and not value:
            continue
        else:
            yield field.name, normal(_value_text(field.type, value))


def _value_text(value_type: ValueType, value: Value) -> object:
    match value_type, value:
        case (ValueType.BINARY, bytes(data)):
            return data.hex().upper()
        case (ValueType.BOOLEAN, _):
            return bool(value)
        case (ValueType.FILETIME, int(ticks)):
            return filetime_text(ticks)
        case (ValueType.POINTER | ValueType.HEXINT32 | ValueType.HEXINT64, int(number)):
            return f"{number:#x}"
    return value


def _json_system(system: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in system.items():
        if isinstance(value, dict):
            found |= {f"{name}.{key}": normal(text) for key, text in value.get("#attributes", {}).items()}
            value = value.get("#text")  # noqa: PLW2901
        if value is not None:
            found[name] = normal(value)
    return found


def _json_data(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    payload = event.get("EventData") or {}
    if "UserData" in event:
        (payload,) = event["UserData"].values()
    for name, value in payload.items():
        if name == "#attributes" or (name == "Binary" and not value):
            continue
        if isinstance(value, dict):
            text = value["#text"]
            yield from ((name, normal(one)) for one in (text if isinstance(text, list) else [text]) if text)
        else:
            yield name, normal(value)


def _xml_reading(record_id: int, text: bytes, *, base64: bool = False) -> Reading:
    root = etree.fromstring(text, etree.XMLParser(huge_tree=True))
    system: dict[str, str] = {}
    for element in root.iterfind(f"{_NAMESPACE}System/*"):
        name = etree.QName(element).localname
        system |= {f"{name}.{key}": normal(value) for key, value in _attributes(element).items() if value}
        if element.text and element.text.strip():
            system[name] = normal(element.text)
    payload = root.find(f"{_NAMESPACE}EventData")
    if payload is None:
        payload = next(root.iterfind(f"{_NAMESPACE}UserData/*"))
    return Reading(record_id, system, tuple(_xml_data(payload, base64)))


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def _xml_data(payload: etree._Element, base64: bool) -> Iterator[tuple[str, str]]:
    unnamed: list[str] = []
    for element in payload:
        name = etree.QName(element).localname
        text = element.text or ""
        if name == "Data" and "Name" not in element.attrib:
            unnamed.extend(_SHOWN.findall(text) if base64 else [text if text.strip() else ""])
            continue
        if unnamed != [""]:
            yield from (("Data", normal(one)) for one in unnamed)
        unnamed = []
        if name == "Binary":
            if text:
                yield name, b64decode(text).hex().upper() if base64 else normal(text)
        else:
            yield element.get("Name", name), normal(text)
    if unnamed != [""]:
        yield from (("Data", normal(one)) for one in unnamed)


def _dissect_text(value: Any) -> str:  # noqa: ANN401 - dissect's own mixture of types
    content = value.get() if hasattr(value, "get") else value
    return content.decode().upper() if isinstance(content, bytes) else normal(content)
