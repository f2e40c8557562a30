"""Stale records: found, rebuilt from templates that fit, and refused where anything does not."""

from __future__ import annotations

import os
import struct
from binascii import crc32
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from evtxscan.evidence.evtx_layout import CHUNK_SIZE, FILE_HEADER_SIZE
from evtxscan.evtx.binxml.fit import why_not
from evtxscan.evtx.binxml.nodes import BinXmlError, Definition, Instance
from evtxscan.evtx.binxml.to_json import to_json
from evtxscan.evtx.binxml.tokens import read_definition, read_fragment
from evtxscan.evtx.recover import Means, Rebuilder, Recovered, Refused
from evtxscan.evtx.slack import end_of_live_data, live_definitions, stale_definitions, stale_records
from evtxscan.evtx.walk import Span, is_unused, walk_chunk
from tests.evtx.made import RawValue, chunk_of, record_of
from tests.evtx.rendering import rust
from tests.evtxmaker.binxml import Element, Substitution, Text
from tests.evtxmaker.chunk import seal_chunk_header

CORPUS = os.environ.get("EVTXSCAN_CORPUS")
EVIDENCE = Path(__file__).parents[2] / "testdata" / "evidence"
NAMED = Element(
    "Event", (), (Element("EventData", (), (Element("Data", (("Name", Text("A")),), (Substitution(0, 8, False),)),)),)
)  # type: ignore[arg-type]
VALUES: list[RawValue] = [(8, struct.pack("<I", 7))]


def shortened(chunk: bytes, live: int) -> bytes:
    """Return a chunk of which only the first ``live`` records are live, as when it was filled anew and copied."""
    spans = walk_chunk(chunk).spans
    changed = bytearray(chunk)
    last = spans[live - 1]
    end = last.offset + last.size
    struct.pack_into("<Q", changed, 16, live)
    struct.pack_into("<Q", changed, 32, last.record_id)
    struct.pack_into("<II", changed, 44, last.offset, end)
    struct.pack_into("<I", changed, 52, crc32(changed[512:end]))
    seal_chunk_header(changed)
    return bytes(changed)


def first_chunk() -> bytes:
    log = next(
        path for path in sorted(EVIDENCE.rglob("*.evtx")) if path.stat().st_size >= FILE_HEADER_SIZE + CHUNK_SIZE
    )
    return log.read_bytes()[FILE_HEADER_SIZE : FILE_HEADER_SIZE + CHUNK_SIZE]


def rebuild(chunk: bytes, definitions: list[Definition] | None = None) -> list[Recovered | Refused]:
    rebuilder = Rebuilder(chunk, known_from(definitions or []))
    return [rebuilder.rebuild(span) for span in stale_records(chunk, walk_chunk(chunk))]


def known_from(definitions: list[Definition]):  # noqa: ANN201 - Known
    return lambda wanted: [(one, Means.OTHER_SOURCE) for one in definitions if one.template_id == wanted]


def test_records_behind_the_live_data_are_rebuilt_in_place() -> None:
    """Catches a stale record that is missed, and one that is rendered otherwise than when it was live."""
    chunk = first_chunk()
    texts = rust(chunk)
    assert texts and len(texts) > 20
    found = rebuild(shortened(chunk, 5))
    assert [to_json(one.root) for one in found if isinstance(one, Recovered)] == texts[5:]
    assert walk_chunk(shortened(chunk, 5)).spans == walk_chunk(chunk).spans[:5]


def test_a_template_that_is_gone_comes_from_elsewhere_or_the_record_is_refused() -> None:
    """Catches a record that is rendered with bytes that only look like its template, and one given up too early."""
    chunk = first_chunk()
    texts = rust(chunk)
    assert texts
    spans = walk_chunk(chunk).spans
    half = len(spans) // 2
    known = [read_definition(chunk, at) for _, at in live_definitions(chunk, end_of_live_data(walk_chunk(chunk)))]
    overwritten = bytearray(shortened(chunk, 1))
    end = spans[half].offset
    overwritten[512:end] = bytes(b"\xff" * (end - 512))
    alone = rebuild(bytes(overwritten))
    assert alone and not any(
        isinstance(one, Recovered) and one.unnamed is None for one in alone if needs_more(one, end, chunk)
    )
    helped = rebuild(bytes(overwritten), known)
    assert [to_json(one.root) for one in helped if isinstance(one, Recovered)] == texts[half:]
    assert {one.means for one in helped if isinstance(one, Recovered)} >= {Means.OTHER_SOURCE}


def needs_more(one: Recovered | Refused, end: int, chunk: bytes) -> bool:
    """Whether a record's templates stood in what was overwritten."""
    fragment = read_fragment(chunk, one.span.offset + 24, one.span.offset + one.span.size - 4)
    return isinstance(fragment, Instance) and fragment.definition < end


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([(8, b"\7\0\0\0"), (8, b"\7\0\0\0")], "template_differs"),
        ([], "template_differs"),
        ([(7, b"\7\0\0\0")], "template_differs"),
        ([(0, b"")], "template_differs"),
        ([(8, b"\7\0\0")], "value_malformed"),
        ([(1, b"abc")], "value_malformed"),
    ],
)
def test_values_that_are_not_the_templates_are_refused(values: list[RawValue], reason: str) -> None:
    """Catches a rendering that shifts values or shows them as what they are not."""
    assert refusal(chunk_of(NAMED, values)) == reason
    assert refusal(chunk_of(NAMED, VALUES)) is None


def refusal(chunk: bytes) -> str | None:
    found = Rebuilder(chunk, lambda _: []).rebuild(walk_chunk(chunk).spans[0])
    return found.reason if isinstance(found, Refused) else None


def test_every_byte_of_structure_counts() -> None:
    """Catches damage to a template or its values that is rendered all the same, as something else."""
    chunk = chunk_of(NAMED, VALUES)
    span = walk_chunk(chunk).spans[0]
    whole = Rebuilder(chunk, lambda _: []).rebuild(span)
    assert isinstance(whole, Recovered)
    text = to_json(whole.root)
    different = []
    for at in range(span.offset + 24, span.offset + span.size - 4):
        changed = bytearray(chunk)
        changed[at] ^= 0xFF
        found = Rebuilder(bytes(changed), lambda _: []).rebuild(span)
        if isinstance(found, Recovered) and to_json(found.root) != text:
            different.append(at)
    # What has no check: the two bytes of fixed text, and the value's own four.
    assert len(different) == 2 + 4


def test_two_templates_of_one_id_are_ambiguous() -> None:
    """Catches a choice between templates by chance."""
    chunk = chunk_of(NAMED, VALUES)
    span = walk_chunk(chunk).spans[0]
    definition = read_definition(chunk, live_offset(chunk, span))
    other = Definition(definition.guid[:4] + bytes(12), definition.root, definition.substitutions, definition.size)
    gone = bytearray(chunk)
    struct.pack_into("<16s", gone, live_offset(chunk, span) + 4, b"\xff" * 16)
    found = Rebuilder(bytes(gone), known_from([definition, other])).rebuild(span)
    assert isinstance(found, Refused)
    assert found.reason == "template_ambiguous"
    assert isinstance(Rebuilder(bytes(gone), known_from([definition])).rebuild(span), Recovered)


def live_offset(chunk: bytes, span: Span) -> int:
    fragment = read_fragment(chunk, span.offset + 24, span.offset + span.size - 4)
    assert isinstance(fragment, Instance)
    return fragment.definition


def test_a_record_hidden_in_the_one_before_it() -> None:
    """Catches the trick of intruders' tools: the size of a record grows over the next one."""
    first = record_of(NAMED, VALUES, 512, record_id=1)
    second = record_of(NAMED, VALUES, 512 + len(first), record_id=2)
    size = len(first) + len(second)
    merged = bytearray(first + second)
    struct.pack_into("<I", merged, 4, size)
    struct.pack_into("<I", merged, size - 4, size)
    chunk = bytearray(chunk_of(NAMED, VALUES))
    chunk[512 : 512 + size] = merged
    struct.pack_into("<II", chunk, 44, 512, 512 + size)
    walk = walk_chunk(bytes(chunk))
    assert [span.record_id for span in walk.spans] == [1]
    assert [span.record_id for span in stale_records(bytes(chunk), walk)] == [2]
    assert [type(found) for found in rebuild(bytes(chunk))] == [Recovered]


@dataclass
class Library:
    """The templates of all logs of a folder; by template id, GUID, file."""

    files: dict[int, dict[bytes, dict[str, Definition]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )

    def learn(self, name: str, chunk: bytes, *, stale: bool) -> None:
        end = end_of_live_data(walk_chunk(chunk))
        for guid, at in live_definitions(chunk, end) + (stale_definitions(chunk, end) if stale else []):
            self.files[int.from_bytes(guid[:4], "little")][guid].setdefault(name, read_definition(chunk, at))

    def known(self, name: str, wanted: int) -> list[tuple[Definition, Means]]:
        return [
            (by[name], Means.SAME_SOURCE) if name in by else (by[min(by)], Means.OTHER_SOURCE)
            for by in self.files.get(wanted, {}).values()
        ]


def corpus_chunks() -> Iterator[tuple[str, bytes]]:
    for path in sorted(Path(CORPUS or ".").rglob("*.evtx")):
        data = path.read_bytes()
        for start in range(FILE_HEADER_SIZE, len(data), CHUNK_SIZE):
            if not is_unused(chunk := data[start : start + CHUNK_SIZE]):
                yield str(path), chunk


@pytest.mark.skipif(not CORPUS, reason="EVTXSCAN_CORPUS is not set")
def test_stale_records_of_public_logs() -> None:
    """Oracles: the counts that were given with these logs, and the same records where they live."""
    live: dict[bytes, str] = {}
    for stale in (False, True):
        library = Library()
        for name, chunk in corpus_chunks():
            library.learn(name, chunk, stale=stale)
            if stale and (texts := rust(chunk)) and len(texts) == len(spans := walk_chunk(chunk).spans):
                live.update((chunk[s.offset : s.offset + s.size], text) for s, text in zip(spans, texts, strict=True))
        if not stale:
            check_outer_templates(library)
    counts: Counter[str] = Counter()
    for name, chunk in corpus_chunks():
        rebuilder = Rebuilder(chunk, lambda wanted, name=name: library.known(name, wanted))  # type: ignore[misc]
        for span in stale_records(chunk, walk_chunk(chunk)):
            found = rebuilder.rebuild(span)
            if isinstance(found, Refused):
                counts[found.reason] += 1
                continue
            counts["whole" if found.unnamed is None else "without the names of their data"] += 1
            twin = live.get(chunk[span.offset : span.offset + span.size])
            if twin is not None:
                assert to_json(found.root) == twin
                counts["the same as live"] += 1
    assert counts == {
        "whole": 5_408,
        "without the names of their data": 5_672,
        "the same as live": 1_376,
        "template_unknown": 2_042,
        "sizes_disagree": 29,
        "name_overwritten": 14,
        "too_many_values": 13,
        "unknown_token": 4,
        "out_of_bounds": 2,
    }


def check_outer_templates(library: Library) -> None:
    """The oracle's figures: whole records behind live data, and those that a live template of their id fits."""
    found = in_file = anywhere = 0
    for name, chunk in corpus_chunks():
        end = end_of_live_data(walk_chunk(chunk))
        for span in stale_records(chunk, walk_chunk(chunk)):
            found += span.offset >= end
            try:
                fragment = read_fragment(chunk, span.offset + 24, span.offset + span.size - 4)
            except BinXmlError:
                continue
            if isinstance(fragment, Instance) and span.offset >= end:
                fitting = [m for d, m in library.known(name, fragment.template_id) if not why_not(d, fragment.values)]
                in_file += Means.SAME_SOURCE in fitting
                anywhere += bool(fitting)
    assert (found, in_file, anywhere) == (13_183, 9_004, 11_009)


def test_a_record_that_would_become_huge_is_refused_quickly() -> None:
    """Catches a made-up template that shows arrays in arrays: 60,000 times 60,000 elements of one record."""
    import time

    array = Substitution(0, 0x84, optional=False)  # type: ignore[arg-type]
    crossed = Element("Event", (), (Element("X", (("A", array), ("B", array)), (array,)),))
    shown = Element("Event", (), tuple(Element("X", (), (Substitution(0, 1, optional=False),)) for _ in range(400)))  # type: ignore[arg-type]
    for root, value in ((crossed, (0x84, bytes(30_000))), (shown, (1, "x".encode("utf-16-le") * 15_000))):
        chunk = chunk_of(root, [value])
        started = time.process_time()
        found = Rebuilder(chunk, lambda _: []).rebuild(walk_chunk(chunk).spans[0])
        assert isinstance(found, Refused)
        assert found.reason == "too_large"
        assert time.process_time() - started < 5


def test_deep_elements_do_not_reach_the_end_of_the_stack() -> None:
    """Catches a made-up template whose elements nest until Python gives up."""
    root = Element("E", (), ())
    for _ in range(200):
        root = Element("E", (), (root,))
    assert refusal(chunk_of(root, [])) == "template_unknown"
    for _ in range(2):
        root = Element("E", (), ())
        for _ in range(30):
            root = Element("E", (), (root,))
    assert refusal(chunk_of(root, [])) is None
