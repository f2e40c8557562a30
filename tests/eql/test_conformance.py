"""Elasticsearch's own EQL suites, which cannot be part of this repository: set EVTXSCAN_CONFORMANCE to their folder.

``eql/README.md`` there says what the files hold. Every case is one test here; nothing is expected to fail.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evtxscan.eql import FieldMapping, Sequence, evaluate, run
from evtxscan.eql.sequences import Hit, SequenceMatcher
from evtxscan.errors import EqlError

ROOT = os.environ.get("EVTXSCAN_CONFORMANCE")
pytestmark = pytest.mark.skipif(not ROOT, reason="EVTXSCAN_CONFORMANCE is not set")

ONLY_MAPPED = {"optional_field_mapping_only"}
"""Fields of the extra data set that its mapping has and no document."""
TYPES = {"version": "version", "date_tags": "date", "source_address": "ip", "destination_address": "ip"}
NULL_VALUES = {"optional_field_default_null": "NULL"}


def _lines(name: str) -> list[dict[str, Any]]:
    if not ROOT:
        return []
    with (Path(ROOT) / "eql" / name).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _cases(*names: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for name in names for case in _lines(name)]


def _mapping(documents: list[dict[str, Any]]) -> FieldMapping:
    fields = {key for document in documents for key in document} | ONLY_MAPPED
    return FieldMapping.of(
        {
            "types": {path: kind for path, kind in TYPES.items() if path in fields},
            "null_values": NULL_VALUES,
            "fields": sorted(fields),
        }
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


@pytest.mark.parametrize(
    "case",
    _cases("es_queries.jsonl", "es_additional.jsonl", "es_extra.jsonl", "es_missing.jsonl", "derived_semantics.jsonl"),
)
def test_query(case: dict[str, Any]) -> None:
    documents = _lines(f"dataset_{case['dataset']}.jsonl")
    found = run(
        case["query"],
        documents,
        category_field=case["event_category"],
        timestamp_field=case["timestamp"],
        tiebreaker_field=case["tiebreaker"],
        mapping=_mapping(documents),
        size=case.get("size"),
    )
    ids: list[int] = []
    keys: list[str | None] = []
    for item in found:
        if isinstance(item, Sequence):
            ids += [-1 if event is None else event[case["id_field"]] for event in item.events]
            keys += map(_text, item.join_keys)
        else:
            ids.append(item[case["id_field"]])
    assert ids == case["expected_event_ids"]
    if case["join_keys"] is not None:
        assert keys == case["join_keys"]


@pytest.mark.parametrize("case", _cases("es_series.jsonl"))
def test_series(case: dict[str, Any]) -> None:
    """Events tagged with their stage: the matcher alone, without queries."""
    matcher: SequenceMatcher[str] = SequenceMatcher(case["stages"])
    for order, event in enumerate(sorted(case["events"], key=lambda event: event["ts"])):
        matcher.feed(Hit(event["ts"], order, event["id"]), [(event["stage"], [event["key"]])])
    found = [{"key": run.key, "ids": [hit.event for hit in run.hits]} for run in matcher.complete]
    assert found == case["expected"]


@pytest.mark.parametrize("case", _cases("functions.jsonl"))
def test_function(case: dict[str, Any]) -> None:
    if "SKIP" in case["notes"]:
        pytest.skip(case["notes"])
    if case["case_sensitive"] is False:
        pytest.skip("written for an interface in which == ignores case")
    if case["kind"] == "must_reject":
        with pytest.raises(EqlError):
            evaluate(case["expression"])
        return
    value = evaluate(case["expression"])
    assert (type(value), value) == (type(case["expected"]), case["expected"])
