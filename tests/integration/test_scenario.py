"""The shipped evidence gives exactly what EXPECTED.md and expected.json say, and those were written by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from evtxscan.casework import Filters, detect, logged, settled
from tests.integration.command import Done, evtxscan

Document: TypeAlias = dict[str, Any]
Witness: TypeAlias = tuple[str, int]


def short(host: str) -> str:
    """Return the name that expected.json has for a host."""
    return host.partition(".")[0].upper()


def by_id(events: list[Document]) -> dict[str, Document]:
    return {event["evtxscan"]["event"]["id"]: event for event in events}


def witness(event: Document) -> Witness:
    """Return log file and record id of an event."""
    (place,) = event["evtxscan"]["provenance"]
    return place["source"]["path"].rpartition("/")[2], place["record_id"]


def witnesses(event: Document, known: dict[str, Document]) -> list[Witness]:
    others = event["evtxscan"].get("witnesses", [])
    return sorted([witness(event), *(witness(known[other]) for other in others)])


def found(event: Document, known: dict[str, Document]) -> Document:
    """Return a finding in the form of expected.json."""
    inferred = [entry for entry in event["evtxscan"].get("inferred", []) if entry["field"] == "process.parent.args"]
    match = {
        "host": short(event["host"]["name"]),
        "executable": event["process"]["executable"],
        "time": event["@timestamp"],
        "pid": event["process"]["pid"],
        "witnesses": witnesses(event, known),
        "inferred": bool(inferred),
        "parent_pid": event["process"]["parent"]["pid"],
    }
    if inferred:
        match["inferred_from"] = witnesses(known[inferred[0]["from"]], known)
    return match


def pairs(places: list[list[Any]]) -> list[Witness]:
    return sorted((name, number) for name, number in places)


def missing_of(entries: list[Document]) -> dict[str, Counter[tuple[str, str]]]:
    """Return per host how many events lack which field, and why, as expected.json says it."""
    hosts: dict[str, Counter[tuple[str, str]]] = {}
    for entry in entries:
        for field in entry["fields"]:
            hosts.setdefault(entry["host"], Counter())[field, entry["reason"]] += entry["events"]
    return hosts


def reported(verdicts: list[Document]) -> dict[str, Counter[tuple[str, str]]]:
    """Return the same as the verdicts say it."""
    return {
        short(verdict["host"]): Counter({(m["field"], m["reason"]): m["events"] for m in verdict["missing"]})
        for verdict in verdicts
    }


def test_findings_are_the_expected_ones_and_no_near_miss(
    detection: Done, events: list[Document], expected: Document
) -> None:
    """Catches a hijack that is missed or told twice, a near miss taken for one, a parent from a wrong record."""
    known = by_id(events)
    wanted = [
        {**match, "witnesses": pairs(match["witnesses"])}
        | ({"inferred_from": pairs(match["inferred_from"])} if match["inferred"] else {})
        for match in expected["matches"]
    ]
    matches = [found(event, known) for event in detection.json["findings"]]
    assert matches == wanted
    near = {witness for miss in expected["near_misses"] for witness in pairs(miss["witnesses"])}
    assert near
    assert not near & {witness for match in matches for witness in match["witnesses"]}


def test_what_could_not_be_decided_is_said_per_host_field_and_reason(detection: Done, expected: Document) -> None:
    """Catches an undecided start that is passed over as no match, and a reason that is not the right one."""
    assert reported(detection.json["verdicts"]) == missing_of(expected["undetermined"])


def test_verdicts_are_the_expected_ones(detection: Done, expected: Document) -> None:
    """Catches a verdict of a host that its findings and undecided events do not bear out."""
    found = {short(verdict["host"]): verdict["verdict"] for verdict in detection.json["verdicts"]}
    assert found == {entry["host"]: entry["verdict"] for entry in expected["verdicts"]}


def test_every_undetermined_record_is_one(scenario: Path, events: list[Document], expected: Document) -> None:
    """Catches counts that are right by chance: asked for the moment of one record alone, that record is undecided."""
    at = {(short(event["host"]["name"]), *witness(event)): event["@timestamp"] for event in events}
    with settled(scenario) as case, logged(case, "detect", []) as run:
        for entry in expected["undetermined"]:
            for start in entry["records"]:
                # A start with two witnesses is told by Sysmon's record.
                if len(entry["records"]) == 2 * entry["events"] and start[0] == "Security.evtx":
                    continue
                time = at[entry["host"], start[0], start[1]]
                result = detect(case, run.number, (), Filters(time, time, (entry["host"],)))
                (verdict,) = result.verdicts
                assert verdict.verdict == "undetermined", start
                assert {(m.field, m.events, m.reason) for m in verdict.missing} == {
                    (field, 1, entry["reason"]) for field in entry["fields"]
                }, start


@pytest.fixture(scope="session")
def observed(scenario: Path) -> Done:
    """The built-in rule over the shipped evidence as recorded."""
    return evtxscan("detect", "--case", scenario, "--observed-only", "--format", "json")


def test_observed_only_finds_what_was_recorded(observed: Done, expected: Document) -> None:
    """Catches an inferred field that decides where only recorded ones may."""
    findings = observed.json["findings"]
    matches = [(short(event["host"]["name"]), *witness(event)) for event in findings]
    assert matches == [tuple(match) for match in expected["observed_only"]["matches"]]
    assert reported(observed.json["verdicts"]) == missing_of(expected["observed_only"]["undetermined"])


def test_every_record_is_there_once(scenario: Path, events: list[Document], expected: Document) -> None:
    """Catches a record that ingest leaves out, stores twice or files under another event id."""
    counted: dict[str, Counter[str]] = {}
    for event in events:
        (place,) = event["evtxscan"]["provenance"]
        host, *_, name = place["source"]["path"].split("/")
        counted.setdefault(f"{host}/{name}", Counter())[event["event"]["code"]] += 1
    assert counted == {path: Counter(codes) for path, codes in expected["counts"].items()}

    info = evtxscan("info", "--case", scenario, "--format", "json").json
    told: Counter[str] = Counter()
    for entry in info["events"]:
        told[entry["code"]] += entry["events"]
    totals: Counter[str] = Counter()
    for codes in expected["counts"].values():
        totals.update(codes)
    assert told == totals
    per_source = {source["path"]: source["stored"] for source in info["sources"]}
    assert {f"{path.split('/')[0]}/{path.rpartition('/')[2]}": count for path, count in per_source.items()} == {
        path: sum(codes.values()) for path, codes in expected["counts"].items()
    }
