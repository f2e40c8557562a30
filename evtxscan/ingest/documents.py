"""What a worker process does with NDJSON: blocks of lines in, rows out, as :mod:`evtxscan.ingest.batch` does with logs.

Every line that is not blank is found, and is an event or a loss.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import zstandard

from evtxscan.ecs.batch import Cells, Dictionary
from evtxscan.ecs.columns import PACKED
from evtxscan.ecs.documents import SHARED, document_mapping
from evtxscan.ecs.extract import Extracted, extract
from evtxscan.ecs.incoming import IncomingError, flatten, is_raw, split_event_data
from evtxscan.ecs.jsonline import parse
from evtxscan.ecs.kind import Kind
from evtxscan.ecs.mapping import OWN, mapping_for
from evtxscan.ecs.raw import Raw, read_raw
from evtxscan.ecs.taken import Taken, Taker
from evtxscan.evidence.ndjson import (
    BLOCK_SIZE,
    MAX_LINE,
    UTF8_MARK,
    Block,
    cut_blocks,
    is_command,
    is_event,
    read_stretch,
    source_of,
)
from evtxscan.evidence.source import Opener
from evtxscan.evtx.slack import Slack
from evtxscan.ingest.batch import ZSTD_LEVEL, Batch, ChunkResult, LossRow, no_collecting
from evtxscan.ingest.sort import Group, categories_of, in_columns

_BLANK = b" \t\r\n"
_NO_SLACK = Slack(0, ())


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is an event: SHA-256 and size of its bytes without the line end, its number in the block, from 0."""

    sha256: bytes
    size: int
    number: int


@dataclass(slots=True)
class BlockResult(ChunkResult):
    """What was found in one block; ``start``: its offset in the file; ``lines``: how many it has."""

    start: int = 0
    lines: int = 0


@dataclass(frozen=True, slots=True)
class DocumentBatch(Batch):
    """All that one task gave. ``by_place``: the lines that are events, by index of the block and offset in it."""

    by_place: dict[tuple[int, int], Line] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DocumentTask:
    """A run of blocks of one file; otherwise as a :class:`~evtxscan.ingest.batch.Task`."""

    opener: Opener
    first: int
    count: int
    only: frozenset[str] | None = None
    data: bytes | None = None

    def blocks(self) -> list[Block]:
        """Return the blocks. Raises OSError."""
        if self.data is not None:
            return list(cut_blocks(self.data, self.first, self.count))
        with self.opener.open() as file:
            return list(cut_blocks(read_stretch(file, self.first, self.count), self.first, self.count))

    def alone(self, number: int) -> DocumentTask:
        """Return the task for one of the blocks."""
        if self.data is None:
            return replace(self, first=number, count=1)
        skipped = (number * BLOCK_SIZE - bool(number)) - (self.first * BLOCK_SIZE - bool(self.first))
        return replace(self, first=number, count=1, data=self.data[skipped : skipped + BLOCK_SIZE + MAX_LINE + 1])

    def run(self, known: frozenset[bytes]) -> Batch:
        """Read the lines and map their documents; blocks whose SHA-256 is ``known`` are only hashed. Raises OSError."""
        blocks = self.blocks()
        with no_collecting():
            return process_blocks(blocks, known, self.only)

    def crashed(self, detail: str) -> Batch:
        """Account for the one block of the task, which nobody got through: all its lines are lost. Raises OSError."""
        results: list[ChunkResult] = []
        for block in self.blocks():
            result = _result(block)
            result.bytes = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(block.data)
            for number, offset, _ in _lines(block):
                _lose(result, offset, number, "parser_crashed", detail)
            results.append(result)
        return DocumentBatch(results, [], [])


def process_blocks(
    blocks: Iterable[Block], known: frozenset[bytes] = frozenset(), only: frozenset[str] | None = None
) -> DocumentBatch:
    """Turn the lines of blocks into rows."""
    results: list[ChunkResult] = []
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    sorter = _Sorter(only)
    by_place: dict[tuple[int, int], Line] = {}
    for block in blocks:
        result = _result(block)
        results.append(result)
        if result.sha256 in known:
            continue
        result.bytes = compressor.compress(block.data)
        index = len(results) - 1
        for number, offset, text in _lines(block):
            try:
                if sorter.take(index, offset, text):
                    by_place[index, offset] = Line(hashlib.sha256(text).digest(), len(text), number)
                    result.records += 1
            except IncomingError as error:
                _lose(result, offset, number, error.reason, str(error))
        if block.is_cut:
            _lose_cut(result, block)
    groups, strings = sorter.groups()
    for index in sorter.filtered:
        results[index].filtered += 1
    return DocumentBatch(results, groups, strings, by_place)


def _result(block: Block) -> BlockResult:
    digest = hashlib.sha256(block.data).digest()
    return BlockResult(block.number, digest, len(block.data), slack=_NO_SLACK, start=block.start, lines=block.lines)


def _lines(block: Block) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, offset and bytes, without the line end, of the lines that are not blank; not of one too long."""
    offset = len(UTF8_MARK) if not block.start and block.data.startswith(UTF8_MARK) else 0
    lines = block.data[offset:].split(b"\n")
    for number, line in enumerate(lines[:-1] if block.is_cut else lines):
        text = line.removesuffix(b"\r")
        if text.strip(_BLANK):
            yield number, offset, text
        offset += len(line) + 1


def _lose(result: ChunkResult, offset: int, number: int, reason: str, detail: str) -> None:
    result.records += 1
    result.losses.append(LossRow(offset, None, reason, detail, number))


def _lose_cut(result: BlockResult, block: Block) -> None:
    offset = block.data.rfind(b"\n") + 1
    detail = f"it is longer than {MAX_LINE:,} bytes; the case has the first {len(block.data) - offset:,} of them"
    _lose(result, offset, block.data.count(b"\n"), "line_too_long", detail)


class _Sorter:
    """Takes documents one by one and gives them by kind."""

    def __init__(self, only: frozenset[str] | None) -> None:
        self._only = only
        self._strings = Dictionary()
        self._taker = Taker(self._strings)
        self._raw: dict[tuple[Kind, bool], list[tuple[int, int, Raw]]] = {}
        self._taken: dict[tuple[Kind, bool], list[tuple[int, int, Taken]]] = {}
        self._shared: dict[tuple[int | None, bytes], int] = {}
        self._shared_names: frozenset[str] = frozenset()
        self.filtered: list[int] = []
        """For each document that ``only`` leaves out, the index of its block."""

    def take(self, index: int, offset: int, line: bytes) -> bool:
        """Take the document of a line; return False where it is none of any event, but a command of the bulk format.

        Raises IncomingError.
        """
        parsed = parse(line)
        document = source_of(parsed.value)
        if document is None:
            raise IncomingError("not_a_document", "it is no JSON object")
        if not is_event(document):
            if is_command(parsed.value):
                return False
            raise IncomingError("not_a_document", _lacks(document))
        rest, event_data = split_event_data(document)
        flat = flatten(rest)
        if is_raw(flat):
            raw = read_raw(flat, event_data)
            self._raw.setdefault((raw.kind, parsed.is_mended), []).append((index, offset, raw))
        else:
            if event_data is not None:
                flat |= {f"winlog.event_data.{name}": value for name, value in event_data.items()}
            taken = self._taker.take(flat)
            self._taken.setdefault((taken.kind, parsed.is_mended), []).append((index, offset, taken))
        return True

    def groups(self) -> tuple[list[Group], list[str]]:
        """Return the documents as groups of one kind, and the texts that their cells number."""
        groups = [self._raw_group(*key, members) for key, members in self._raw.items()]
        groups += [self._taken_group(*key, members) for key, members in self._taken.items()]
        return [group for group in groups if group is not None], list(self._strings)

    def _is_wanted(self, kind: Kind, index: Iterable[int]) -> bool:
        wanted = self._only is None or not self._only.isdisjoint(categories_of(document_mapping(kind, frozenset())))
        if not wanted:
            self.filtered += index
        return wanted

    def _raw_group(self, kind: Kind, is_mended: bool, members: list[tuple[int, int, Raw]]) -> Group | None:
        blocks, offsets, documents = zip(*members, strict=True)
        if not self._is_wanted(kind, blocks):
            return None
        mapping = mapping_for(replace(kind, document=None))
        rows = extract(mapping, [raw.event for raw in documents], [raw.ticks for raw in documents], self._strings)
        own = [raw.own for raw in documents]
        rows.columns[PACKED] = self._packed(rows.columns.get(PACKED), own)
        rows = Extracted(rows.columns, [_with_own(text, one) for text, one in zip(rows.data, own, strict=True)])
        group = in_columns(kind, mapping, rows, mended=is_mended, chunks=blocks, offsets=offsets)
        return replace(group, own=self._names(own))

    def _taken_group(self, kind: Kind, is_mended: bool, members: list[tuple[int, int, Taken]]) -> Group | None:
        blocks, offsets, documents = zip(*members, strict=True)
        if not self._is_wanted(kind, blocks):
            return None
        names = sorted(set().union(*(taken.cells for taken in documents)))
        columns = {name: [taken.cells.get(name) for taken in documents] for name in names}
        columns[PACKED] = self._packed(None, [taken.own for taken in documents])
        data = [_with_own(None, taken.own) for taken in documents]
        mapping = document_mapping(kind, frozenset())
        rows = Extracted(columns, data)
        group = in_columns(kind, mapping, rows, mended=is_mended, chunks=blocks, offsets=offsets)
        return replace(group, own=self._names([taken.own for taken in documents]))

    def _packed(self, cells: Cells | None, own: list[dict[str, Any]]) -> Cells:
        """Move what is the same in all documents of a host from ``own`` to the packed column, ``cells`` before that."""
        found: Cells = []
        texts = [] if cells is None else list(self._strings)
        for place, fields in enumerate(own):
            before = None if cells is None else cells[place]
            shared = {name: fields[name] for name in fields if name.startswith(SHARED)}
            if not shared:
                found.append(before)
                continue
            text = orjson.dumps(shared, option=orjson.OPT_SORT_KEYS)
            key = (before, text)
            if key not in self._shared:
                self._shared_names |= shared.keys()
                ours = f'{{"{OWN}":{text.decode()}}}'
                joined = ours if before is None else f"{texts[before][:-1]},{ours[1:]}"
                self._shared[key] = self._strings.setdefault(joined, len(self._strings))
            for name in shared:
                del fields[name]
            found.append(self._shared[key])
        return found

    def _names(self, own: list[dict[str, Any]]) -> frozenset[str]:
        return frozenset(self._shared_names.union(*own))


def _with_own(data: str | None, own: dict[str, Any]) -> str | None:
    """Return the JSON of an event's ``data`` with a document's own fields in it."""
    if not own:
        return data
    text = orjson.dumps({OWN: own}).decode()
    return text if data is None else f"{data[:-1]},{text[1:]}"


def _lacks(document: dict[str, Any]) -> str:
    if "@timestamp" not in document:
        return "it has no @timestamp"
    return "it is about no event: it has neither winlog nor event.kind nor event.category"
