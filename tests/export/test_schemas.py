"""Holds the JSON Schemas against documents, good and broken, and against the lists they repeat."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Iterator
from typing import Any, get_args

import orjson
import pytest
from jsonschema import Draft202012Validator

from evtxscan import schema
from evtxscan.detect.verdict import Reason, VerdictName
from tests.export import samples
from tests.export.rendering import rendered
from tests.export.schemas import NAMES, faults, load

Document = dict[str, Any]
FINDINGS = (samples.sysmon_finding, samples.security_finding, samples.sequence_finding)
FINDINGS += (samples.threshold_finding, samples.new_terms_finding)
SUMMARY: Document = {
    "sources": [*samples.result().sources],
    "containers": [
        {
            "path": "triage.zip",
            "first": "triage.zip",
            "kind": "zip archive",
            "sha256": "5d1f" * 16,
            "size": 4_096,
            "error": None,
        }
    ],
    "skipped": [{"path": "notes.txt", "reason": "no event log"}],
    "errors": ["Security.evtx: no permission to read it"],
    "totals": {"found": 59_177, "stored": 59_161, "known": 14, "lost": 2, "filtered": 0},
}


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid(name: str) -> None:
    # Catches a keyword that validators ignore in silence because it is misspelt or misplaced.
    Draft202012Validator.check_schema(load(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_property_is_described(name: str) -> None:
    # Catches a field added without saying what it means.
    assert list(_undescribed(load(name), name)) == []


@pytest.mark.parametrize("make", FINDINGS)
def test_findings_are_valid(make: Callable[[], Document]) -> None:
    # Catches a schema that forbids what the interfaces ask for.
    assert faults("finding", make()) == []


def test_events_are_valid() -> None:
    # Catches the same for the output of query.
    event = samples.security_finding()
    kept = ("event", "provenance", "inferred", "witnesses", "parents", "session")
    event["evtxscan"] = {name: event["evtxscan"][name] for name in kept}
    assert faults("event", event) == []


def test_the_rendered_result_is_valid() -> None:
    # Catches a renderer and a schema that drift apart.
    assert faults("detect", orjson.loads(rendered(samples.result(), "json"))) == []


def test_an_ingest_summary_is_valid() -> None:
    # Catches a schema that forbids what INTERFACES asks for.
    assert faults("ingest", SUMMARY) == []


def test_a_hostile_finding_is_valid() -> None:
    # Catches patterns that only tame text fits: a log may hold anything.
    for text in samples.HOSTILE.values():
        for make in (samples.hostile_finding, samples.hostile_group, samples.hostile_new_terms):
            assert faults("finding", make(text)) == []


BROKEN: dict[str, Callable[[Document], object]] = {
    "no event id": lambda it: it["evtxscan"].pop("event"),
    "no provenance": lambda it: it["evtxscan"].pop("provenance"),
    "empty provenance": lambda it: it["evtxscan"].update(provenance=[]),
    "no rule": lambda it: it["evtxscan"].pop("rule"),
    "misspelt field of ours": lambda it: it["evtxscan"].update(witneses=[]),
    "unknown origin": lambda it: it["evtxscan"]["provenance"][0].update(origin="found"),
    "hash cut short": lambda it: it["evtxscan"]["provenance"][0]["source"].update(sha256="5d1f"),
    "negative chunk": lambda it: it["evtxscan"]["provenance"][0].update(chunk=-1),
    "local time": lambda it: it.update({"@timestamp": "2026-03-11T09:41:07.318+01:00"}),
    "no time": lambda it: it.pop("@timestamp"),
    "logon type as text": lambda it: it["evtxscan"]["sessions_open"][0].update(logon_type="10"),
    "unknown session status": lambda it: it["evtxscan"]["session"].update(status="maybe"),
    "unknown severity": lambda it: it["evtxscan"]["rule"].update(severity="urgent"),
    "values not in a list": lambda it: it["evtxscan"]["matched"][0].update(values={"event.type": "start"}),
    "how a parent was found": lambda it: it["evtxscan"]["parents"][0].update(how="guessed"),
    "sequence and event at once": lambda it: it["evtxscan"].update(events=[None], join_keys=[]),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_finding_is_not_valid(change: Callable[[Document], object]) -> None:
    # Catches a schema that accepts anything.
    finding = copy.deepcopy(samples.sysmon_finding())
    change(finding)
    assert faults("finding", finding)


def test_a_broken_result_is_not_valid() -> None:
    # Catches lists that are said to be closed and are not.
    result = orjson.loads(rendered(samples.result(), "json"))
    result["verdicts"][0]["verdict"] = "probable"
    result["verdicts"][1]["missing"][0]["reason"] = "unlucky"
    del result["versions"]["evtxscan"]
    assert len(faults("detect", result)) == 3


def test_a_broken_summary_is_not_valid() -> None:
    # Catches a count that may be left out.
    broken = copy.deepcopy(SUMMARY)
    del broken["sources"][0]["lost"]
    del broken["totals"]
    assert len(faults("ingest", broken)) == 2


def test_verdicts_and_reasons_are_the_same_everywhere() -> None:
    # Catches a code that the schema allows and the report cannot explain, or the other way round.
    verdict = load("detect")["properties"]["verdicts"]["items"]["properties"]
    reason = verdict["missing"]["items"]["properties"]["reason"]
    texts = tomllib.loads(schema.read_text("report/texts.toml"))
    assert set(verdict["verdict"]["enum"]) == set(get_args(VerdictName)) == set(texts["verdicts"])
    assert set(reason["enum"]) == set(get_args(Reason)) == set(texts["reasons"])
    assert all(code in reason["description"] for code in reason["enum"])


def test_origins_are_the_same_everywhere() -> None:
    # Catches an origin that the report cannot name: it would stop the report.
    origins = load("event")["$defs"]["place"]["properties"]["origin"]["enum"]
    assert set(origins) == set(tomllib.loads(schema.read_text("report/texts.toml"))["origins"])


def _undescribed(node: object, place: str) -> Iterator[str]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _undescribed(item, f"{place}[{index}]")
    if not isinstance(node, dict):
        return
    for kind in ("properties", "$defs"):
        for name, inner in node.get(kind, {}).items():
            if not (inner.get("description") or "$ref" in inner):
                yield f"{place}.{name}"
    for name, inner in node.items():
        yield from _undescribed(inner, f"{place}.{name}")
