"""Sorts the rendered records of a batch by kind, and turns each kind into columns."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import orjson

from evtxscan.ecs.batch import Dictionary
from evtxscan.ecs.columns import catalogue
from evtxscan.ecs.extract import Extracted, SplitRecords, extract, extract_split
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import Mapping, mapping_for, mappings
from evtxscan.ecs.split import DATA_SEAM, RECORD_ID_SEAM, SEAM, Head
from evtxscan.evtx.walk import Span, created_times


@dataclass(frozen=True, slots=True)
class Group:
    """Records of one kind: parallel lists of chunk (index into the batch's chunks), offset and column values.

    Cells of keyword columns are indexes into the batch's ``strings``; -1 is no value, and ``gaps`` are the columns
    that have such cells. ``data`` is empty text where there is none, and None where no record has any. ``own``: of
    documents, the fields that are in ``data`` and in no column.
    """

    kind: Kind
    mapping: str
    mended: bool
    chunks: Sequence[int]
    offsets: Sequence[int]
    columns: dict[str, Sequence[int]]
    gaps: frozenset[str]
    data: list[str] | None
    own: frozenset[str] = frozenset()


_CONTROL = re.compile(r"[\x00-\x1f]")

# Chunk (index into the batch's chunks), offset in it, TimeCreated as the chunk's bytes have it, JSON text.
_Whole = tuple[int, int, int | None, str]
# The same, but with the text in parts: which of the Systems it has, SystemTime, record id, EventData, all behind the
# head.
_Parted = tuple[int, int, int | None, int, str, str, str, str]


@dataclass(slots=True)
class _Members:
    """Records of one kind whose texts were taken apart, and their different Systems."""

    kind: Kind
    head: str
    systems: list[dict[str, Any]] = field(default_factory=list)
    records: list[_Parted] = field(default_factory=list)


class _Heads(dict[str, "_Tails | None"]):
    """From the head of a text to those who share it; None where ``only`` wants none of them."""

    def __init__(self, only: frozenset[str] | None) -> None:
        super().__init__()
        self._only = only

    def __missing__(self, head: str) -> _Tails | None:
        tails = self[head] = None if self._is_unwanted(head) else _Tails(head)
        return tails

    def _is_unwanted(self, head: str) -> bool:
        """Whether --only leaves out all events of this provider and id, whatever their channel."""
        if self._only is None:
            return False
        kind = Head(head).kind(None)
        return kind is not None and not _may_have(kind.provider, kind.code, self._only)


class _Tails(dict[str, "tuple[_Members, int] | None"]):
    """From the tail of System to the records of its kind and the System's number there; None: read the whole."""

    def __init__(self, head: str) -> None:
        super().__init__()
        self.kinds: dict[Kind, _Members] = {}
        self._text = head
        self._head = Head(head)

    def __missing__(self, tail: str) -> tuple[_Members, int] | None:
        found = self._head.system(tail)
        if found is None:
            self[tail] = None
            return None
        kind, system = found
        members = self.kinds.get(kind)
        if members is None:  # a head can have more than one: the channel stands behind it
            members = self.kinds[kind] = _Members(kind, self._text)
        entry = self[tail] = (members, len(members.systems))
        members.systems.append(system)
        return entry


class Sorter:
    """Takes the records of a batch, chunk by chunk, and gives their groups.

    All JSON before TimeCreated is the same for one kind, so records are sorted by that text, and nothing else of them
    is looked at when ``only`` (ECS categories) does not want any event of that provider and id.
    """

    def __init__(self, only: frozenset[str] | None) -> None:
        self._only = only
        self._heads = {False: _Heads(only), True: _Heads(only)}
        self._whole: dict[bool, list[_Whole]] = {False: [], True: []}
        self._strings = Dictionary()
        self.filtered: list[int] = []
        """For each record that ``only`` left out, the index of its chunk."""
        self.unreadable: list[tuple[int, int, str]] = []
        """For each record whose text is no JSON, the index of its chunk, its offset and why."""

    def add(
        self, index: int, chunk: bytes, spans: Sequence[Span], texts: Iterable[str], *, mended: bool = False
    ) -> None:
        """Take the records of one chunk, with their JSON."""
        heads, whole = self._heads[mended], self._whole[mended]
        for span, ticks, text in zip(spans, created_times(chunk, spans), texts, strict=False):
            head, seam, rest = text.partition(SEAM)
            if seam:
                tails = heads[head]
                if tails is None:
                    self.filtered.append(index)
                    continue
                system, _, payload = rest.partition(DATA_SEAM)
                time, _, behind = system.partition(RECORD_ID_SEAM)
                record_id, comma, tail = behind.partition(",")
                if comma and payload and (found := tails[tail]) is not None:
                    members, number = found
                    members.records.append((index, span[0], ticks, number, time, record_id, payload[:-2], rest))
                    continue
            whole.append((index, span[0], ticks, text))

    def groups(self) -> tuple[list[Group], list[str]]:
        """Return the records as groups of one kind, and the texts that their cells number."""
        groups: list[Group] = []
        for mended, heads in self._heads.items():
            for tails in filter(None, heads.values()):
                groups += filter(None, [self._group(members, mended=mended) for members in tails.kinds.values()])
        for mended, records in self._whole.items():
            groups += self._whole_groups(records, mended=mended)
        return groups, list(self._strings)

    def _is_wanted(self, mapping: Mapping) -> bool:
        return self._only is None or not self._only.isdisjoint(categories_of(mapping))

    def _group(self, members: _Members, *, mended: bool) -> Group | None:
        """Return the group of records in parts; None where --only leaves them out, or they have to be read whole."""
        mapping = mapping_for(members.kind)
        chunks, offsets, ticks, numbers, times, record_ids, texts, rests = zip(*members.records, strict=True)
        if not self._is_wanted(mapping):
            self.filtered += chunks
            return None
        payloads = _parse(texts) if _are_plain(times, record_ids) else None
        if payloads is None:
            whole = [f"{members.head}{SEAM}{rest}" for rest in rests]
            self._whole[mended] += zip(chunks, offsets, ticks, whole, strict=True)
            return None
        records = SplitRecords(members.systems, numbers, times, ticks, [*map(int, record_ids)], payloads, texts)
        rows = extract_split(mapping, records, self._strings)
        return in_columns(members.kind, mapping, rows, mended=mended, chunks=chunks, offsets=offsets)

    def _whole_groups(self, records: list[_Whole], *, mended: bool) -> Iterator[Group]:
        """Yield the groups of records whose texts could not be taken apart."""
        events: list[dict[str, Any]] = []
        readable: list[_Whole] = []
        for record in records:
            try:
                events.append(_event(record[3]))
            except orjson.JSONDecodeError as error:
                detail = f"the parser's JSON of it is not valid: {error}"
                self.unreadable.append((record[0], record[1], detail))
            else:
                readable.append(record)
        records = readable
        kinds: dict[Kind, list[int]] = {}
        for place, event in enumerate(events):
            kinds.setdefault(Kind.from_system(event.get("System")), []).append(place)
        for kind, places in kinds.items():
            mapping = mapping_for(kind)
            chunks, offsets, ticks, texts = zip(*(records[place] for place in places), strict=True)
            if self._is_wanted(mapping):
                members = [events[place] for place in places]
                rows = extract(mapping, members, ticks, self._strings, texts=texts)
                yield in_columns(kind, mapping, rows, mended=mended, chunks=chunks, offsets=offsets)
            else:
                self.filtered += chunks


def _are_plain(times: Sequence[str], record_ids: Sequence[str]) -> bool:
    """Whether this JSON is what it says: times without escapes and further attributes, ids that are numbers."""
    text, ids = "".join(times), "".join(record_ids)
    return '"' not in text and "\\" not in text and ids.isascii() and ids.isdigit()


def _parse(texts: Sequence[str]) -> list[Any] | None:
    """Parse the EventData of many records at once; None where one of them is not just one value."""
    try:
        payloads: list[Any] = orjson.loads(f"[{','.join(texts)}]")
    except orjson.JSONDecodeError:
        return None
    return payloads if len(payloads) == len(texts) else None


def _event(text: str) -> dict[str, Any]:
    """Parse a record. Raises JSONDecodeError.

    The parser escapes values and no names of elements: a control character in its JSON is one of a damaged name.
    """
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:
        record = orjson.loads(_CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
    event = record.get("Event")
    return event if isinstance(event, dict) else {}


def in_columns(
    kind: Kind, mapping: Mapping, rows: Extracted, *, mended: bool, chunks: Sequence[int], offsets: Sequence[int]
) -> Group:
    """Return records of one kind, of which the columns have been made, as a group."""
    columns: dict[str, Sequence[int]] = {}
    gaps: set[str] = set()
    for name, cells in rows.columns.items():
        code = "i" if catalogue()[name].type == "keyword" else "q"
        try:
            columns[name] = array(code, cast(list[int], cells))
        except TypeError:
            columns[name] = array(code, [-1 if cell is None else cell for cell in cells])
            gaps.add(name)
    data = [text or "" for text in rows.data] if any(rows.data) else None
    return Group(kind, mapping.id, mended, array("H", chunks), array("H", offsets), columns, frozenset(gaps), data)


def categories_of(mapping: Mapping) -> frozenset[str]:
    """Return the ECS categories of the events of a table."""
    return frozenset(mapping.table.constants.get("event.category", ()))


@lru_cache(maxsize=4096)
def _may_have(provider: str | None, code: str | None, only: frozenset[str]) -> bool:
    """Whether an event of this provider and id is of one of the categories in any channel."""
    return any(
        not only.isdisjoint(categories_of(mapping))
        for (known, _, its_code), mapping in mappings().items()
        if known in (provider, None) and its_code in (code, "*")
    )
