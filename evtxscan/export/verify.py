"""Writes what a verification gave: for people as a table of what needs attention, for programs as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from evtxscan.export import json
from evtxscan.export.text import visible
from evtxscan.export.wording import count
from evtxscan.proof.findings import FindingCheck
from evtxscan.proof.places import PlaceCheck
from evtxscan.proof.records import OUTCOMES, Outcome
from evtxscan.proof.sources import SourceCheck
from evtxscan.proof.verify import Verification

FORMATS = ("table", "json", "ndjson")
_VALUE = 120
_RECORDS_SHOWN = 50
_OUTCOMES = {
    "agrees": "agrees",
    "differs": "DIFFERS",
    "cannot_render": "cannot render",
    "gone": "GONE",
}
_CONCLUSIONS = {
    "confirmed": "Confirmed: every source is unchanged, and both parsers agree on every record.",
    "contradicted": "Contradicted: something is not as it was, or the two parsers differ; see above.",
    "incomplete": "Incomplete: nothing contradicts the case, but not everything could be checked; see above.",
}
_ROLES = {"event": "event", "inferred_from": "inferred from", "witness": "witness"}


def render_verification(verification: Verification, form: str, stream: BinaryIO) -> None:
    """Run the checks and write them as ``table``, ``json`` or ``ndjson`` (one finding, or one record, a line)."""
    if form == "table":
        for line in _lines(verification):
            stream.write(line.encode() + b"\n")
    elif form == "json":
        _write_json(verification, stream)
    else:
        json.write_lines(_documents(verification, every=True), stream)


def source_document(source: SourceCheck) -> dict[str, Any]:
    """Return the check of a source as it stands in JSON."""
    return {
        "path": source.path,
        "sha256": source.sha256,
        "size": source.size,
        "outcome": source.outcome,
        "found_sha256": source.found_sha256,
        "detail": source.detail,
    }


def _documents(verification: Verification, *, every: bool) -> Iterator[dict[str, Any]]:
    if verification.every_record:
        yield from (record.document() for record in verification.records(every=every))
    else:
        yield from (finding.document() for finding in verification.findings())


def _write_json(verification: Verification, stream: BinaryIO) -> None:
    name = "records" if verification.every_record else "findings"
    stream.write(b'{\n"sources": ')
    json.write_array((source_document(source) for source in verification.sources), stream)
    stream.write(b',"containers": ')
    json.write_array((source_document(container) for container in verification.containers), stream)
    stream.write(f',"{name}": '.encode())
    json.write_array(_documents(verification, every=False), stream)
    stream.write(b',"totals": ' + json.dumps(verification.totals()))
    stream.write(b',\n"versions": ' + json.dumps(verification.versions) + b"\n}\n")


def _lines(verification: Verification) -> Iterator[str]:
    for source in (*verification.sources, *verification.containers):
        yield f"{source.outcome.upper() if source.outcome == 'changed' else source.outcome:<12} {visible(source.path)}"
        yield f"{'':<13}SHA-256 {source.sha256 or 'not known'}"
        if source.outcome == "changed":
            yield f"{'':<13}now     {source.found_sha256}"
        if source.detail:
            yield f"{'':<13}{visible(source.detail)}"
    yield ""
    yield from _record_lines(verification) if verification.every_record else _finding_lines(verification)
    yield from _summary(verification)


def _finding_lines(verification: Verification) -> Iterator[str]:
    for finding in verification.findings():
        yield from _finding(finding)
    if not verification.finding_counts:
        yield "The case has no findings. evtxscan detect makes them; --all checks every record without."
    yield ""


def _finding(finding: FindingCheck) -> Iterator[str]:
    yield f"{_OUTCOMES[finding.outcome]:<14} finding {finding.id}  {visible(finding.time)}  {visible(finding.host)}"
    for difference in finding.altered:
        yield f"{'':<15}the finding was altered: {_difference(difference.field, difference.first, difference.second)}"
    for check in finding.records:
        yield from _record(check.place, _ROLES[check.role])


def _record_lines(verification: Verification) -> Iterator[str]:
    shown = 0
    for shown, record in enumerate(verification.records(every=False), 1):
        if shown <= _RECORDS_SHOWN:
            yield from _record(record, "")
    if shown > _RECORDS_SHOWN:
        yield f"  and {shown - _RECORDS_SHOWN:,} more records that do not agree (--format json lists them)"
    if shown:
        yield ""


def _record(place: PlaceCheck, role: str) -> Iterator[str]:
    checked = place.checked
    record = "" if place.record_id is None else f", record {place.record_id}"
    where = f"{visible(place.path)}, chunk {place.chunk}, offset {place.offset}{record}"
    kept = "" if checked.against == "evidence" else "  [the case's own copy: the evidence is not at hand]"
    stale = "" if place.origin == "live" else f"  [{place.origin}]"
    yield f"  {_OUTCOMES[checked.outcome]:<13} {f'{role}: ' if role else ''}{where}{stale}{kept}"
    if checked.same_bytes is False:
        yield f"{'':<16}its bytes are not those that were read"
    for difference in checked.differences:
        yield f"{'':<16}{_difference(difference.field, difference.first, difference.second)}"
    for difference in checked.altered:
        text = _difference(difference.field, difference.first, difference.second)
        yield f"{'':<16}the case's event is not what its record gives: {text}"
    if checked.detail:
        yield f"{'':<16}{visible(checked.detail, 2 * _VALUE)}"
    for template in checked.templates:
        at = f"{visible(template.path)}, chunk {template.chunk}, offset {template.offset}"
        yield f"{'':<16}with the template {template.guid} of {at}"


def _difference(field: str, first: str | None, second: str | None) -> str:
    one, other = ("nothing" if value is None else f"'{visible(value, _VALUE)}'" for value in (first, second))
    return f"{visible(field)}: {one} was read, {other} is there"


def _summary(verification: Verification) -> Iterator[str]:
    totals = verification.totals()
    sources = ", ".join(f"{number:,} {name}" for name, number in totals["sources"].items() if number)
    yield f"sources   {sources or 'none'}"
    if verification.containers:
        containers = ", ".join(f"{number:,} {name}" for name, number in totals["containers"].items() if number)
        yield f"containers {containers}"
    if not verification.every_record:
        yield f"findings  {_counted(verification.finding_counts)}"
    yield f"records   {_counted(verification.record_counts)}"
    if verification.stale_counts:
        yield f"stale     {_counted(verification.stale_counts)}"
    if verification.against_case:
        yield f"          {count(verification.against_case, 'record')} checked against the case's own copy of the chunk"
    yield _CONCLUSIONS[verification.conclusion]


def _counted(counts: Mapping[Outcome, int]) -> str:
    return ", ".join(f"{counts[o]:,} {_OUTCOMES[o].lower()}" for o in OUTCOMES if counts[o]) or "none"
