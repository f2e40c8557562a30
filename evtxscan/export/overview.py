"""Sums a result up for the opening pages of the report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from evtxscan.detect.verdict import Verdict, VerdictName
from evtxscan.export.fields import Document, plain
from evtxscan.export.result import Result
from evtxscan.export.tally import tally
from evtxscan.export.wording import (
    Explained,
    explain_reason,
    explain_verdict,
    field_meaning,
    gravest_lacks,
    told_origins,
    verdict_title,
    window_line,
)

_VERDICT_ORDER: tuple[VerdictName, ...] = ("match", "undetermined", "incomplete", "no_match")

_DIFFERS = "The hash noted at acquisition differs:"


@dataclass(frozen=True, slots=True)
class MissingRow:
    """A field that was missing for a decision, what it means, in how many events, and why."""

    field: str
    meaning: str
    events: int
    reason: Explained


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """A verdict with the name of its rule; ``window`` says where the logs are whole, "" where they are not.

    ``lacks`` are the gravest of what they lack; with neither, nothing is known of them.
    """

    rule: str
    rule_id: str
    host: str
    code: str
    title: str
    events: int
    missing: list[MissingRow]
    window: str
    lacks: list[str]


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source with its counts; ``hash_check`` compares its SHA-256 with the one noted at acquisition."""

    path: str
    exhibit: str
    sha256: str
    size: str
    hash_check: str
    found: int
    stored: int
    known: int
    filtered: int
    lost: int
    error: str
    losses: list[Document]


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """A file of an archive or image that sources came out of; ``sha256`` is empty where it was not hashed."""

    path: str
    kind: str
    sha256: str
    size: str
    hash_check: str
    error: str


@dataclass(frozen=True, slots=True)
class Overview:
    """What the opening pages say. ``meanings`` (of verdicts) and ``reasons`` are those that occur, each once."""

    hosts: list[str]
    verdicts: list[VerdictRow]
    tally: list[tuple[str, int]]
    meanings: list[Explained]
    reasons: list[Explained]
    sources: list[SourceRow]
    containers: list[ContainerRow]
    found: int
    stored: int
    known: int
    filtered: int
    lost: int
    warnings: list[str]
    by_severity: str
    by_tactic: str
    by_origin: str


def overview(result: Result) -> Overview:
    """Sum up a result."""
    found = tally(result)
    names = {rule["id"]: rule["name"] for rule in result.rules}
    counts = Counter(verdict.verdict for verdict in result.verdicts)
    codes = sorted({missing.reason for verdict in result.verdicts for missing in verdict.missing})
    sources = [_source_row(source) for source in result.sources]
    return Overview(
        hosts=sorted({verdict.host for verdict in result.verdicts}),
        verdicts=[_verdict_row(verdict, names) for verdict in result.verdicts],
        tally=[(verdict_title(code), counts[code]) for code in _VERDICT_ORDER if counts[code]],
        meanings=[explain_verdict(code) for code in _VERDICT_ORDER if counts[code]],
        reasons=[explain_reason(code) for code in codes],
        sources=sources,
        containers=[_container_row(container) for container in result.containers],
        found=sum(source.found for source in sources),
        stored=sum(source.stored for source in sources),
        known=sum(source.known for source in sources),
        filtered=sum(source.filtered for source in sources),
        lost=sum(source.lost for source in sources),
        warnings=_warnings(result, sources),
        by_severity=", ".join(f"{name} {number:,}" for name, number in found.severities),
        by_tactic=", ".join(f"{name} {number:,}" for _, name, number in found.tactics),
        by_origin=told_origins(found),
    )


def _verdict_row(verdict: Verdict, names: dict[str, str]) -> VerdictRow:
    window = verdict.document()["window"]
    return VerdictRow(
        rule=names.get(verdict.rule, verdict.rule),
        rule_id=verdict.rule,
        host=verdict.host,
        code=verdict.verdict,
        title=verdict_title(verdict.verdict),
        events=verdict.events,
        missing=[
            MissingRow(missing.field, field_meaning(missing.field), missing.events, explain_reason(missing.reason))
            for missing in verdict.missing
        ],
        window=window_line(window) if window and window["whole"] else "",
        lacks=gravest_lacks(window) if window else [],
    )


def _source_row(source: Document) -> SourceRow:
    return SourceRow(
        path=source["path"],
        exhibit=plain(source.get("exhibit")),
        sha256=source["sha256"],
        size=f"{source['size']:,}",
        hash_check=_hash_check(source["sha256"], source.get("expected_sha256")),
        found=source["found"],
        stored=source["stored"],
        known=source["known"],
        filtered=source.get("filtered", 0),
        lost=source["lost"],
        error=plain(source.get("error")),
        losses=source["losses"],
    )


def _container_row(container: Document) -> ContainerRow:
    digest = container["sha256"] or ""
    return ContainerRow(
        path=container["path"],
        kind=container["kind"],
        sha256=digest,
        size=f"{container['size']:,}",
        hash_check=_hash_check(digest, container["expected_sha256"]) if digest else "",
        error=plain(container["error"]),
    )


def _hash_check(actual: str, expected: str | None) -> str:
    if expected is None:
        return ""
    if actual == expected.lower():
        return "The hash noted at acquisition is the same."
    return f"{_DIFFERS} {expected}"


def _warnings(result: Result, sources: list[SourceRow]) -> list[str]:
    warnings = []
    if lost := sum(source.lost for source in sources):
        warnings.append(f"{lost:,} of the records found could not be read; section 4 lists them.")
    warnings += [f"{source.path} could not be read completely: {source.error}" for source in sources if source.error]
    warnings += [
        f"{source.path}: the SHA-256 differs from the one noted at acquisition."
        for source in sources
        if source.hash_check.startswith(_DIFFERS)
    ]
    warnings += [f"{container['path']}: {container['error']}" for container in result.containers if container["error"]]
    windows = [verdict.window for verdict in result.verdicts if verdict.window is not None]
    if parted := sum(not window.is_whole for window in windows):
        of = f"{parted:,} of {len(windows):,}" if parted < len(windows) else "the"
        warnings.append(f"The logs that {of} verdicts rest on are not whole; section 2 says what they lack.")
    if result.refused:
        warnings.append(f"{len(result.refused):,} of the rules could not be run; section 5 names them.")
    if filtered := sum(source.filtered for source in sources):
        warnings.append(f"{filtered:,} records were counted but not examined, as the examiner chose at ingest.")
    return warnings
