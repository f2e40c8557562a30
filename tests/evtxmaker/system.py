"""The outer template of a record: the Event element with its System part, in the three forms that Windows writes.

Substitution indexes as in live logs of Windows 7 to 11: 0 Level, 1 Opcode, 2 Task, 3 EventID, 4 Qualifiers, 5 Keywords,
6 TimeCreated, 7 ActivityID, 8 ProcessID, 9 ThreadID, 10 EventRecordID, 11 Version, 12 UserID. From 13 on there are two
ways: a shared template takes RelatedActivityID, provider name, provider GUID, channel and the event's data (13 to 17);
a template of one provider has the provider and the channel as fixed text, RelatedActivityID as 18 and the data as 19.
"""

from __future__ import annotations

from .binxml import Element, Substitution, Text
from .model import EventTemplate, Payload, ValueType

_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
SHARED_DATA_INDEX = 17
OWN_DATA_INDEX = 19


def data_index(template: EventTemplate) -> int:
    """Return the index of the substitution that holds the event's own data; it is the last."""
    return SHARED_DATA_INDEX if is_shared(template) else OWN_DATA_INDEX


def is_shared(template: EventTemplate) -> bool:
    """Return whether one outer template serves all events of the computer (providers with manifest, EventData)."""
    return template.qualifiers is None and template.payload is Payload.EVENT_DATA


def outer_template(template: EventTemplate, computer: str) -> Element:
    """Return the Event element for a template; the computer's name is part of it, not a substitution value."""
    index = data_index(template)
    data = Substitution(index, ValueType.BINXML)
    attributes = (("xmlns", Text(_NAMESPACE)),)
    system = _system(template, computer)
    if template.payload is Payload.USER_DATA:
        return Element("Event", attributes, (system, Element("UserData", (), (data,), dependency=index)))
    return Element("Event", attributes, (system, data), dependency=index)


def _system(template: EventTemplate, computer: str) -> Element:
    event_id = Element(
        "EventID",
        (("Qualifiers", Substitution(4, ValueType.UINT16)),),
        (Substitution(3, ValueType.UINT16),),
        dependency=3,
    )
    level = _value("Level", 0, ValueType.UINT8)
    task = _value("Task", 2, ValueType.UINT16)
    keywords = _value("Keywords", 5, ValueType.HEXINT64)
    created = Element("TimeCreated", (("SystemTime", Substitution(6, ValueType.FILETIME)),))
    record_id = _value("EventRecordID", 10, ValueType.UINT64)
    computer_name = Element("Computer", (), (Text(computer),))
    security = Element("Security", (("UserID", Substitution(12, ValueType.SID)),))
    head = (_provider(template), event_id)
    tail = (_channel(template), computer_name, security)
    if template.payload is Payload.CLASSIC:
        return Element("System", (), (*head, level, task, keywords, created, record_id, *tail))
    version = _value("Version", 11, ValueType.UINT8)
    opcode = _value("Opcode", 1, ValueType.UINT8)
    related = 13 if is_shared(template) else 18
    correlation = Element(
        "Correlation",
        (
            ("ActivityID", Substitution(7, ValueType.GUID)),
            ("RelatedActivityID", Substitution(related, ValueType.GUID)),
        ),
    )
    execution = Element(
        "Execution",
        (("ProcessID", Substitution(8, ValueType.UINT32)), ("ThreadID", Substitution(9, ValueType.UINT32))),
    )
    middle = (version, level, task, opcode, keywords, created, record_id, correlation, execution)
    return Element("System", (), (*head, *middle, *tail))


def _value(name: str, index: int, value_type: ValueType) -> Element:
    return Element(name, (), (Substitution(index, value_type),), dependency=index)


def _provider(template: EventTemplate) -> Element:
    if is_shared(template):
        name, guid = Substitution(14, ValueType.WSTRING), Substitution(15, ValueType.GUID)
        return Element("Provider", (("Name", name), ("Guid", guid)))
    provider = template.provider
    attributes = [("Name", Text(provider.name))]
    if provider.guid:
        attributes.append(("Guid", Text(f"{{{provider.guid}}}")))
    if provider.event_source_name:
        attributes.append(("EventSourceName", Text(provider.event_source_name)))
    return Element("Provider", tuple(attributes))


def _channel(template: EventTemplate) -> Element:
    if is_shared(template):
        return Element("Channel", (), (Substitution(16, ValueType.WSTRING),), dependency=16)
    return Element("Channel", (), (Text(template.channel),))
