"""Event data to columns: the values of many records at once, a column at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson

from evtxscan.ecs.batch import Batch, Cells, TextOf, as_keys, cells_of
from evtxscan.ecs.columns import PACKED
from evtxscan.ecs.convert import CONVERSIONS
from evtxscan.ecs.tables import StoreRule
from evtxscan.ecs.text import dump, flatten, to_text
from evtxscan.ecs.times import utc_times

_ELEMENTS = {
    "EventData": "event_data",
    "UserData": "user_data",
    "ProcessingErrorData": "processing_error_data",
    "DebugData": "debug_data",
    "BinaryEventData": "binary_event_data",
    "RenderingInfo": "rendering_info",
}
_PAYLOADS = {"event_data": "EventData", "user_data": "UserData"}
_ENVELOPE = frozenset({"System", "#attributes"})
_SPECIAL = frozenset({"Data", "#text", "#attributes"})


def read_payloads(batch: Batch, events: Sequence[dict[str, Any]], texts: Sequence[str] | None) -> None:
    """Read the element that the table is about (EventData or UserData) of all records."""
    if batch.table.payload == "user_data":
        payloads = [_user_data(event.get("UserData")) for event in events]
        _read_by_shape(batch, payloads, range(batch.size), flat=True)
    else:
        read_event_data(batch, [event.get("EventData") for event in events], texts)


def read_event_data(batch: Batch, payloads: Sequence[Any], texts: Sequence[str] | None) -> None:
    """Read EventData of all records; ``texts`` is JSON that has it."""
    first = batch.table.first
    if texts is not None and first:
        payloads = [_with_first(payload, first, text) for payload, text in zip(payloads, texts, strict=True)]
    if not _read_as_they_are(batch, payloads):
        _read_by_shape(batch, payloads, range(batch.size), flat=False)


def read_other_elements(batch: Batch, events: Sequence[dict[str, Any]]) -> None:
    """Put what else an event has beside System and the table's element into ``data``."""
    payload = _PAYLOADS[batch.table.payload]
    usual = {"System", "#attributes", payload}
    for place, event in enumerate(events):
        if event.keys() == usual:
            continue
        for element in event.keys() - _ENVELOPE - {payload}:
            section = _ELEMENTS.get(element, "other")
            if element == "UserData":
                named = _user_data(event[element])
            else:
                named = flatten({element: event[element]} if section == "other" else event[element])
            _keep_all(batch, place, section, named)


def _keep_all(batch: Batch, place: int, section: str, named: dict[str, Any]) -> None:
    for name, raw in named.items():
        text = to_text(raw)
        if text is not None and text not in batch.table.blank:
            batch.keep(place, name, text, section)


def _read_as_they_are(batch: Batch, payloads: Sequence[Any]) -> bool:
    """Read records that all name the same scalar values; False where these ones do not, and nothing is read then."""
    try:
        keys = tuple(payloads[0].keys())
        if len(keys) < 2 or not _SPECIAL.isdisjoint(keys) or sum(map(len, payloads)) != len(keys) * len(payloads):
            return False
        columns = zip(*map(itemgetter(*keys), payloads), strict=True)
        group = _Group(batch, dict(zip(keys, columns, strict=True)))
    except (KeyError, TypeError, AttributeError):  # other names, nested values or no object at all
        return False
    group.commit(None)
    return True


def _read_by_shape(batch: Batch, payloads: Sequence[Any], places: Sequence[int], *, flat: bool) -> None:
    """Read the payloads of the records at ``places``, those with the same names together."""
    shapes: dict[tuple[str, ...], list[int]] = {}
    odd: list[int] = []
    for number, payload in enumerate(payloads):
        if flat or (isinstance(payload, dict) and _SPECIAL.isdisjoint(payload)):
            shapes.setdefault(tuple(payload), []).append(number)
        else:
            odd.append(number)
    for keys, numbers in shapes.items():
        members = [payloads[number] for number in numbers]
        try:
            group = _Group(batch, {key: [member[key] for member in members] for key in keys})
        except TypeError:  # nested values
            odd += numbers
        else:
            group.commit([places[number] for number in numbers])
    if odd:
        _read_by_shape(batch, [flatten(payloads[number]) for number in odd], [places[n] for n in odd], flat=True)


def _user_data(user_data: object) -> dict[str, Any]:
    """Return the values inside UserData's one element, and its name where at least one of them is not empty."""
    if not isinstance(user_data, dict):
        return flatten(user_data)
    name = next((name for name in user_data if name not in _SPECIAL), None)
    if name is None:
        return flatten(user_data)
    named = flatten(user_data[name])
    named.update(flatten({other: value for other, value in user_data.items() if other != name}))
    if any(to_text(value) is not None for value in named.values()):
        named.setdefault("xml_name", name)
    return named


@lru_cache(maxsize=64)
def _first_value(name: str) -> re.Pattern[str]:
    return re.compile(rf'"{re.escape(name)}":("(?:[^"\\]|\\.)*"|[^,}}\]]+)')


def _with_first(payload: object, names: frozenset[str], text: str) -> object:
    """Return EventData with the first of the values that its JSON text has under ``names`` (a dict has the last)."""
    if not isinstance(payload, dict):
        return payload
    for name in names & payload.keys():
        found = _first_value(name).search(text)
        if found is None:
            continue
        try:
            value = orjson.loads(found[1])
        except orjson.JSONDecodeError:
            continue
        if value != payload[name]:
            payload = {**payload, name: value}
    return payload


@dataclass(frozen=True, slots=True)
class _Leftover:
    """Texts that a column could not take: they go to ``data`` or into the packed column."""

    name: str
    texts: list[str | None]


class _Group:
    """Records whose event data have the same names. Reading may raise TypeError; :meth:`commit` does not."""

    def __init__(self, batch: Batch, values: dict[str, Sequence[Any]]) -> None:
        self.batch = batch
        self.cells: dict[str, Cells] = {}
        self.leftovers: list[_Leftover] = []
        self.spilled: list[_Leftover] = []
        self.times: list[int | None] | None = None
        table = batch.table
        known = {table.timestamp, *table.drop, *table.pack}
        for rule in table.rules:
            if rule.raw in values:
                known.add(rule.raw)
                self._store(rule, values[rule.raw])
        if table.timestamp in values:
            self._read_times(table.timestamp, values[table.timestamp])
        self._pack(values)
        for name in values.keys() - known:
            self.leftovers.append(_Leftover(name, self._texts(values[name])))
        self.leftovers.sort(key=lambda leftover: leftover.name)
        for name in values.keys() & {table.timestamp, *table.drop}:
            as_keys(values[name])  # all other values were keys of a dict already, and none of them nested

    def commit(self, places: Sequence[int] | None) -> None:
        """Write what was read to the batch; ``places`` are the records' places in it, None for all of them."""
        batch = self.batch
        every = range(batch.size) if places is None else places
        for column, cells in self.cells.items():
            batch.put(column, cells, places)
        if self.times is not None:
            self._commit_times(every)
        names = [leftover.name for leftover in self.leftovers]
        for place, texts in zip(
            every, zip(*[leftover.texts for leftover in self.leftovers], strict=True), strict=False
        ):
            if named := {name: text for name, text in zip(names, texts, strict=True) if text is not None}:
                batch.keep_all(place, named)

    def _texts(self, values: Sequence[Any]) -> list[str | None]:
        return list(map(TextOf(self.batch.table.blank).__getitem__, as_keys(values)))

    def _store(self, rule: StoreRule, values: Sequence[Any]) -> None:
        batch = self.batch
        found = cells_of(batch.strings, CONVERSIONS[rule.conversion], batch.table.blank, values, shown=rule.shown)
        cells, values = found.cells, found.values
        earlier = self.cells.get(rule.column)
        if earlier is None:
            self.cells[rule.column] = cells
        else:
            self._second(rule, earlier, cells, values)
        if found.kept and rule.otherwise != "drop":
            leftover = _Leftover(rule.raw, list(map(found.kept.get, values)))
            (self.spilled if rule.otherwise == "pack" else self.leftovers).append(leftover)

    def _second(self, rule: StoreRule, earlier: Cells, cells: Cells, values: Sequence[Any]) -> None:
        """Fill the gaps of a column that another value has filled; a value that finds it filled stays as it is."""
        self.cells[rule.column] = [two if one is None else one for one, two in zip(earlier, cells, strict=True)]
        if rule.otherwise != "drop":
            triples = zip(earlier, cells, values, strict=True)
            unused = [None if one is None or two is None else to_text(value) for one, two, value in triples]
            self.leftovers.append(_Leftover(rule.raw, unused))

    def _read_times(self, name: str, values: Sequence[Any]) -> None:
        self.times = utc_times(values)
        if None in self.times:
            pairs = zip(self.times, self._texts(values), strict=True)
            self.leftovers.append(_Leftover(name, [text if time is None else None for time, text in pairs]))

    def _commit_times(self, places: Sequence[int]) -> None:
        """Make the event's own time @timestamp and keep TimeCreated beside it."""
        columns = self.batch.columns
        created = columns["@timestamp"]
        beside = columns.setdefault("winlog.time_created", [None] * len(created))
        for place, time in zip(places, self.times or (), strict=True):
            if time is not None:
                beside[place] = created[place]
                created[place] = time

    def _pack(self, values: dict[str, Sequence[Any]]) -> None:
        names = [name for name in self.batch.table.pack if name in values]
        parts = [as_keys(values[name]) for name in names]
        names += [leftover.name for leftover in self.spilled]
        parts += [leftover.texts for leftover in self.spilled]
        if names:
            packer = _Packer(tuple(names), self.batch)
            self.cells[PACKED] = list(map(packer.__getitem__, zip(*parts, strict=True)))


class _Packer(dict[tuple[Any, ...], int | None]):
    """From the values of the packed names to the cell of their JSON, computed once per distinct combination."""

    __slots__ = ("_blank", "_names", "_strings")

    def __init__(self, names: tuple[str, ...], batch: Batch) -> None:
        super().__init__()
        self._names = names
        self._blank = batch.table.blank
        self._strings = batch.strings

    def __missing__(self, values: tuple[Any, ...]) -> int | None:
        named = dict(self._texts(values))
        cell = self._strings.setdefault(dump(named), len(self._strings)) if named else None
        self[values] = cell
        return cell

    def _texts(self, values: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
        for name, value in zip(self._names, values, strict=True):
            text = to_text(value)
            if text is not None and text not in self._blank:
                yield name, text
