"""The hot path: the records of one kind, a batch at a time, to the columns of the case.

Work is done per *distinct* value of a column, not per record: each column has a dict from the JSON value to its cell,
and the loops over the records run in C. Nothing that a log holds raises; what no column can hold goes to ``data``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from evtxscan.ecs.batch import Batch, Cells, Dictionary, cells_of
from evtxscan.ecs.convert import CONVERSIONS, MAX_LONG, Conversion, decimal
from evtxscan.ecs.mapping import Mapping
from evtxscan.ecs.payload import read_event_data, read_other_elements, read_payloads
from evtxscan.ecs.text import dump, to_text
from evtxscan.ecs.times import time_created

_ATTRIBUTES = "#attributes"
_CHILD_NAMES = ("TimeCreated", "EventRecordID", "Computer", "Security", "Correlation", "Execution")
_CHILDREN = itemgetter(*_CHILD_NAMES)
_NONE: frozenset[str] = frozenset()
_ZERO = frozenset({"0"})
# A number of 0 says that the writer had no process or thread to name.
_ID = Conversion(decimal, str, number=True)


@dataclass(frozen=True, slots=True)
class Extracted:
    """A batch in columns. A keyword cell is an id of the batch's dictionary, a long or date cell the number itself.

    Columns in which no record has a value are left out. ``data`` is the JSON text of what no column holds.
    """

    columns: dict[str, Cells]
    data: list[str | None]


def extract(
    mapping: Mapping,
    events: Sequence[Any],
    ticks: Sequence[int | None],
    strings: Dictionary,
    *,
    texts: Sequence[str] | None = None,
) -> Extracted:
    """Turn records of one kind into columns; ``mapping`` is :func:`~evtxscan.ecs.mapping.mapping_for` of it.

    ``events`` are the ``Event`` objects of the bulk parser's JSON, ``ticks`` TimeCreated as read from each record's
    bytes (None where it was not found), ``strings`` the batch's dictionary, which grows. ``texts``, each record's JSON
    text, is read only for the few kinds known to repeat a name: there the first value counts, and a dict has the last.
    """
    if not events:
        return Extracted({}, [])
    events = [event if isinstance(event, dict) else {} for event in events]
    batch = Batch(mapping.table, len(events), strings)
    created, record_ids, *children = _children(events)
    _read_time(batch, _attributes(created, "SystemTime"), ticks)
    _read_record_id(batch, _plain(record_ids))
    _read_system(batch, *children)
    read_payloads(batch, events, texts)
    read_other_elements(batch, events)
    return _extracted(batch)


@dataclass(frozen=True, slots=True)
class SplitRecords:
    """Records of one kind, taken apart by :mod:`evtxscan.ecs.split`.

    ``systems`` are the different System objects, ``places`` says for each record which one is its own; ``payloads``
    are the parsed EventData, ``texts`` their JSON.
    """

    systems: Sequence[dict[str, Any]]
    places: Sequence[int]
    times: Sequence[str]
    ticks: Sequence[int | None]
    record_ids: Sequence[int]
    payloads: Sequence[Any]
    texts: Sequence[str]


def extract_split(mapping: Mapping, records: SplitRecords, strings: Dictionary) -> Extracted:
    """Do what :func:`extract` does for records that were not parsed as a whole; with the same result."""
    batch = Batch(mapping.table, len(records.places), strings)
    _read_time(batch, records.times, records.ticks)
    _read_record_id(batch, records.record_ids)
    systems = Batch(mapping.table, len(records.systems), strings)
    _read_system(systems, *([system.get(name) for system in records.systems] for name in _CHILD_NAMES[2:]))
    for column, cells in systems.columns.items():
        batch.put(column, list(map(cells.__getitem__, records.places)))
    if any(systems.rest):
        for place, number in enumerate(records.places):
            batch.rest[place] = (batch.rest[place] or {}) | (systems.rest[number] or {}) or None
    read_event_data(batch, records.payloads, records.texts)
    return _extracted(batch)


def _extracted(batch: Batch) -> Extracted:
    columns = {name: cells for name, cells in batch.columns.items() if cells.count(None) < len(cells)}
    return Extracted(columns, [None if rest is None else dump(rest) for rest in batch.rest])


def _read_system(
    batch: Batch, computer: Sequence[Any], security: Sequence[Any], correlation: Sequence[Any], execution: Sequence[Any]
) -> None:
    _read_keyword(batch, "host.name", _plain(computer))
    _read_keyword(batch, "winlog.user.identifier", _attributes(security, "UserID"))
    _read_keyword(batch, "winlog.activity_id", _attributes(correlation, "ActivityID"))
    _read_id(batch, "process.pid", _attributes(execution, "ProcessID"))
    _read_id(batch, "process.thread.id", _attributes(execution, "ThreadID"))
    for place, value in enumerate(_attributes(correlation, "RelatedActivityID") or ()):
        if text := to_text(value):
            batch.keep(place, "related_activity_id", text)


def _children(events: list[dict[str, Any]]) -> list[Sequence[Any]]:
    """Return the children of System that differ between the records of a kind, a sequence for each of _CHILDREN."""
    try:
        systems = [event["System"] for event in events]
        return list(zip(*map(_CHILDREN, systems), strict=True))
    except (KeyError, TypeError):
        systems = [system if isinstance(system := event.get("System"), dict) else {} for event in events]
        return [[system.get(name) for system in systems] for name in _CHILD_NAMES]


def _plain(values: Sequence[Any]) -> Sequence[Any]:
    """Return the values, those of elements that have attributes as well without these."""
    if dict not in set(map(type, values)):
        return values
    return [value.get("#text") if isinstance(value, dict) else value for value in values]


def _attributes(children: Sequence[Any], name: str) -> Sequence[Any] | None:
    """Return one attribute of one child of System for all records, None where no record has the child."""
    if not any(children):
        return None
    try:
        return _plain([child[_ATTRIBUTES][name] for child in children])
    except (KeyError, TypeError):
        return _plain([_attribute(child, name) for child in children])


def _attribute(child: object, name: str) -> object:
    found = child.get(_ATTRIBUTES) if isinstance(child, dict) else None
    return found.get(name) if isinstance(found, dict) else None


def _read_time(batch: Batch, texts: Sequence[Any] | None, ticks: Sequence[int | None]) -> None:
    texts = [None] * len(ticks) if texts is None else texts
    cells = time_created(texts, ticks)
    batch.put("@timestamp", cells)
    if None in cells:
        for place, (cell, value) in enumerate(zip(cells, texts, strict=True)):
            if cell is None and (text := to_text(value)):
                batch.keep(place, "time_created", text)


def _read_record_id(batch: Batch, values: Sequence[Any]) -> None:
    if set(map(type, values)) == {int} and min(values) >= 0 and max(values) <= MAX_LONG:
        batch.put("winlog.record_id", list(values))
        return
    texts = [to_text(value) for value in values]
    cells = [None if text is None else decimal(text) for text in texts]
    batch.put("winlog.record_id", cells)
    for place, (cell, text) in enumerate(zip(cells, texts, strict=True)):
        if text and (cell is None or str(cell) != text):
            batch.keep(place, "record_id", text)


def _read_keyword(batch: Batch, column: str, values: Sequence[Any] | None) -> None:
    if values is None:
        return
    text = CONVERSIONS["text"]
    try:
        found = cells_of(batch.strings, text, _NONE, values)
    except TypeError:  # a list: only a made-up record has one here
        found = cells_of(batch.strings, text, _NONE, [to_text(value) for value in values])
    batch.put(column, found.cells)


def _read_id(batch: Batch, name: str, values: Sequence[Any] | None) -> None:
    if values is None:
        return
    try:
        found = cells_of(batch.strings, _ID, _ZERO, values, shown=True)
    except TypeError:
        found = cells_of(batch.strings, _ID, _ZERO, [to_text(value) for value in values], shown=True)
    batch.put(f"winlog.{name}", found.cells)
    if found.kept:
        for place, value in enumerate(found.values):
            if text := found.kept.get(value):
                batch.keep(place, name, text)
