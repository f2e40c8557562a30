"""Mutated lines: whatever stands there, every line is an event or a loss, and every event makes a document."""

from __future__ import annotations

import random

import orjson
import pytest

from evtxscan.ecs.document import nest
from evtxscan.ecs.documents import document_mapping
from evtxscan.evidence.ndjson import cut_blocks
from evtxscan.ingest.documents import process_blocks
from evtxscan.proof.records import flat_documents
from tests.integration.command import EVIDENCE
from tests.ndjson.made import defend_documents, raw_documents

_ROUNDS, _LINES = 60, 30
_VALUES = (
    b"null", b"{}", b"[]", b'""', b"0", b"-1", b"true", b"1e5", b'"\\u0000"', b'"\\ud800"', b'[1,"a",null,{"x":1}]',
    b'{"a":{"b":1}}', b'"-"', b"99999999999999999999", b'"0x1"', b'["x"]', b'"\xff"',
)  # fmt: skip
_FIELDS = ("@timestamp", "process.name", "process.parent.args", "host.id", "event.category", "a.b.c", "winlog.event_id")


def mutated(line: bytes, chance: random.Random) -> bytes:
    """Return a line with up to four values replaced, bytes changed, left out or repeated."""
    text = bytearray(line)
    for _ in range(chance.randint(0, 4)):
        at, what = chance.randrange(len(text)), chance.random()
        if what < 0.2:
            text[at] = chance.randrange(256)
        elif what < 0.3:
            del text[at : at + chance.randint(1, 20)]
        elif what < 0.4:
            text[at:at] = text[: chance.randint(1, 200)]
        elif (begin := text.find(b'":', at)) >= 0:
            ends = [found for mark in (b',"', b"}") if (found := text.find(mark, begin)) > 0]
            text[begin + 2 : min(ends, default=len(text))] = chance.choice(_VALUES)
        if not text:
            break
    return bytes(text).replace(b"\n", b" ")


@pytest.mark.parametrize("seed", range(4))
def test_every_line_is_an_event_or_a_loss(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - to be the same again
    given = [orjson.dumps(document) for document in [*raw_documents(EVIDENCE), *defend_documents() * 40]]
    events = 0
    for _ in range(_ROUNDS):
        lines = [mutated(chance.choice(given), chance) for _ in range(_LINES)]
        batch = process_blocks(cut_blocks(b"\n".join(lines), 0, 8))
        documents = list(flat_documents(batch.groups, batch.strings))
        losses = [loss for result in batch.chunks for loss in result.losses]
        found = sum(result.records for result in batch.chunks)
        assert found == len(documents) + len(losses) == sum(bool(line.strip(b" \t\r")) for line in lines)
        for _, document in documents:
            orjson.dumps(nest(document))
        for group in batch.groups:
            for field in _FIELDS:
                document_mapping(group.kind, group.own).resolve(group.kind, field)
        events += len(documents)
    assert events > _ROUNDS * _LINES // 8
