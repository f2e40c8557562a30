"""Elastic's golden documents come out of a line as they come out of a record.

The oracle is Elastic's golden data, which is not ours to ship: the tests run where EVTXSCAN_CONFORMANCE names it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from evtxscan.ecs.document import nest
from evtxscan.evidence.ndjson import Block
from evtxscan.ingest.documents import process_blocks
from evtxscan.proof.records import flat_documents
from tests.ecs.conformance import ADDED, ROOT, WINLOGBEAT, Case, cases, compare_with
from tests.ecs.differences import reason
from tests.ndjson.made import raw_document

pytestmark = pytest.mark.skipif(not ROOT, reason="EVTXSCAN_CONFORMANCE does not name the folder of golden documents")

_CASES = [case for case in cases() if case.profile == WINLOGBEAT]


def stored(document: dict[str, Any]) -> dict[str, Any]:
    """Return what a case has of the document of one line."""
    batch = process_blocks([Block(0, 0, json.dumps(document).encode())])
    ((_, found),) = flat_documents(batch.groups, batch.strings)
    assert not batch.chunks[0].losses
    return found


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.id)
def test_a_raw_document_is_mapped_as_its_record(case: Case) -> None:
    """Catches a part of winlog that goes astray between the document and the record it is turned back into."""
    raw = raw_document(json.loads(case.text)["Event"], digits=7)
    ours = stored(raw)
    ours = {name: value for name, value in ours.items() if not name.startswith(("agent.", "host.os.build"))}
    assert not [difference for difference in compare_with(case, ours) if reason(difference) is None]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.id)
def test_a_mapped_document_is_taken_as_it_is(case: Case) -> None:
    """Catches any field that is lost, added or changed."""
    expected = {"@timestamp": "2024-05-01T10:00:00.000Z", **case.expected}  # one of them has none
    ours = stored(nest(expected))
    added = set(ADDED) - expected.keys()
    assert {name: value for name, value in ours.items() if name not in added} == expected
