"""The plainest reading of a mapping table: one record, no columns, no batch, no dictionary.

The oracle for storage: whatever the tables say, a document that went through the case has to equal this one.
"""

from __future__ import annotations

from typing import Any

from evtxscan.ecs.base import base
from evtxscan.ecs.convert import CONVERSIONS, decimal
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import mapping_for
from evtxscan.ecs.tables import EventTable
from evtxscan.ecs.terms import Name, Term
from evtxscan.ecs.text import flatten, to_text
from evtxscan.ecs.times import parse_time, utc_times
from evtxscan.evtx.filetime import to_iso

_SECTIONS = {
    "EventData": "event_data",
    "UserData": "user_data",
    "ProcessingErrorData": "processing_error_data",
    "DebugData": "debug_data",
    "BinaryEventData": "binary_event_data",
    "RenderingInfo": "rendering_info",
}


def reference_document(event: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a log holds
    """Return the flat ECS document of one record's Event object."""
    event = event if isinstance(event, dict) else {}
    system = event.get("System") if isinstance(event.get("System"), dict) else {}
    kind = Kind.from_system(system)
    mapping = mapping_for(kind)
    document = dict(mapping.constants(kind))
    record = _Record(mapping.table, document)
    record.read_system(system)
    for element, content in event.items():
        if element not in ("System", "#attributes"):
            record.read_element(element, content)
    record.derive(mapping.lists)
    parts = tuple(f"{name}." for name in base().objects)
    return {name: value for name, value in sorted(document.items()) if not name.startswith(parts)}


class _Record:
    def __init__(self, table: EventTable, document: dict[str, Any]) -> None:
        self.table = table
        self.document = document
        self.values: dict[str, str] = {}  # recorded values of the table's element
        self.cells: dict[str, str | int] = {}  # what columns would hold

    def read_system(self, system: dict[str, Any]) -> None:
        computer = system.get("Computer")
        host = to_text(computer.get("#text") if isinstance(computer, dict) else computer)
        time = _attribute(system, "TimeCreated", "SystemTime")
        ticks = parse_time(time)
        found = {
            "@timestamp": None if ticks is None else to_iso(ticks),
            "winlog.time_created": to_text(time) if ticks is None else None,
            "host.name": host,
            "host.id": host.lower() if host else None,
            "winlog.computer_name": host,
            "winlog.user.identifier": to_text(_attribute(system, "Security", "UserID")),
            "winlog.activity_id": to_text(_attribute(system, "Correlation", "ActivityID")),
            "winlog.related_activity_id": to_text(_attribute(system, "Correlation", "RelatedActivityID")),
            "winlog.record_id": self._record_id(system.get("EventRecordID")),
            "winlog.process.pid": _identifier(_attribute(system, "Execution", "ProcessID")),
            "winlog.process.thread.id": _identifier(_attribute(system, "Execution", "ThreadID")),
        }
        self.document.update({name: value for name, value in found.items() if value is not None})

    def _record_id(self, raw: Any) -> str | int | None:  # noqa: ANN401
        text = to_text(raw.get("#text") if isinstance(raw, dict) else raw)
        if text is None or self.table.record_id_text:
            return text
        number = decimal(text)
        return number if number is not None and str(number) == text else text

    def read_element(self, element: str, content: Any) -> None:  # noqa: ANN401
        section = _SECTIONS.get(element, "other")
        if element == "UserData" and isinstance(content, dict):
            named = _user_data(content)
        else:
            named = flatten({element: content} if section == "other" else content)
        texts = {name: text for name, raw in named.items() if (text := to_text(raw)) and text not in self.table.blank}
        if section == self.table.payload:
            self.values = texts
            self._read_payload()
        else:
            self.document.update({f"winlog.{section}.{name}": text for name, text in texts.items()})

    def _read_payload(self) -> None:
        shown = {name: text for name, text in self.values.items() if name not in self.table.drop | self.table.hide}
        for rule in self.table.rules:
            if rule.raw not in self.values:
                continue
            value = CONVERSIONS[rule.conversion].convert(self.values[rule.raw])
            taken = value is not None and rule.column not in self.cells
            if taken:
                self.cells[rule.column] = value
            if (taken and not rule.shown) or rule.otherwise == "drop":
                shown.pop(rule.raw, None)
            elif not taken and rule.raw in self.values:
                shown[rule.raw] = self.values[rule.raw]
        if self.table.timestamp in shown:
            [ticks] = utc_times([shown[self.table.timestamp]])
            if ticks is not None:
                del shown[self.table.timestamp]
                if "@timestamp" in self.document:
                    self.document["winlog.time_created"] = self.document["@timestamp"]
                    self.document["@timestamp"] = to_iso(ticks, 3)
                else:
                    self.document["@timestamp"] = to_iso(ticks)
        hidden = {f"winlog.event_data.{name}" for name in self.table.hide}
        self.document.update({name: value for name, value in self.cells.items() if name not in hidden})
        self.document.update({f"winlog.{self.table.payload}.{name}": text for name, text in shown.items()})

    def derive(self, lists: frozenset[str]) -> None:
        for name, term in self.table.derive.items():
            if values := self._evaluate(term):
                self.document[name] = list(values) if name in lists or len(values) > 1 else values[0]

    def _evaluate(self, term: Term) -> tuple[Any, ...]:
        if not isinstance(term, Name):
            return term.apply([self._evaluate(part) for part in term.inputs])
        name = term.text
        if name in self.table.derive and name not in self.cells:
            return self._evaluate(self.table.derive[name])
        cell = self.cells.get(name if "." in name else f"winlog.event_data.{name}")
        value = self.values.get(name) if cell is None and name in {*self.table.pack, *self.table.read} else cell
        if value is None and name.startswith("winlog."):
            value = self.document.get(name)
        return () if value is None else (value,)


def _user_data(content: dict[str, Any]) -> dict[str, Any]:
    wrapper = next((name for name in content if not name.startswith("#") and name != "Data"), None)
    if wrapper is None:
        return flatten(content)
    named = flatten(content[wrapper])
    named.update(flatten({name: value for name, value in content.items() if name != wrapper}))
    if any(to_text(value) for value in named.values()):
        named.setdefault("xml_name", wrapper)
    return named


def _attribute(system: dict[str, Any], element: str, attribute: str) -> Any:  # noqa: ANN401
    child = system.get(element)
    attributes = child.get("#attributes") if isinstance(child, dict) else None
    value = attributes.get(attribute) if isinstance(attributes, dict) else None
    return value.get("#text") if isinstance(value, dict) else value


def _identifier(raw: Any) -> str | int | None:  # noqa: ANN401
    text = to_text(raw)
    if text is None or text == "0":
        return None
    number = decimal(text)
    return number if number is not None and str(number) == text else text
