"""The checks: each does with the shipped evidence what its requirement asks for, and says what came of it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evtxscan import casework
from evtxscan.casework.cases import Filters
from evtxscan.errors import EvidenceError
from evtxscan.evidence.evtx_layout import CHUNK_SIZE, FILE_HEADER_SIZE, RECORD_HEADER_SIZE
from evtxscan.export.result import Result
from evtxscan.ingest.run import Options
from evtxscan.ingest.summary import Summary
from evtxscan.proof.verify import Options as VerifyOptions
from evtxscan.selftest.requirements import evidence, expected

# Records of each log as its authors made them, and the hash of each file: an installation may be damaged, too.
_LOGS = {
    "SRV-OLD-02/Windows/System32/winevt/Logs/Security.evtx": (31, "21e9621f52bbceb1"),
    "SRV-OLD-02/Windows/System32/winevt/Logs/System.evtx": (7, "f2044b3a0399fd3d"),
    "WS-FIN-07/Windows/System32/winevt/Logs/Microsoft-Windows-Sysmon%4Operational.evtx": (179, "ed296c5bb07eebc1"),
    "WS-FIN-07/Windows/System32/winevt/Logs/Security.evtx": (219, "1069b5e365b852b6"),
    "WS-FIN-07/Windows/System32/winevt/Logs/System.evtx": (24, "183639b27abfeac2"),
}
_EVENTS = sum(records for records, _ in _LOGS.values())
_DAMAGED = "WS-FIN-07/Windows/System32/winevt/Logs/Security.evtx"
_STOPS = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check had to find, and what it found."""

    expected: str
    actual: str

    @property
    def passed(self) -> bool:
        """Whether the two are the same."""
        return self.expected == self.actual


class Bench:
    """A working folder with a copy of the shipped evidence, and what several checks need of it, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.evidence = folder / "evidence"
        shutil.copytree(evidence(), self.evidence)
        self.before = self.hashes()
        self.case = folder / "case.db"

    def hashes(self) -> dict[str, str]:
        """Return the hash of each log, by its path."""
        return {
            path.relative_to(self.evidence).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.evidence.rglob("*.evtx"))
        }

    @cached_property
    def summary(self) -> Summary:
        """The ingest of all evidence."""
        return casework.ingest_evidence(self.case, [self.evidence], Options(jobs=1))

    @cached_property
    def result(self) -> Result:
        """The built-in rule over the case."""
        return self.detect(Filters())

    def detect(self, filters: Filters) -> Result:
        """Run the built-in rule over the case."""
        _ = self.summary
        return _detect(self.case, filters)


def _detect(path: Path, filters: Filters) -> Result:
    """Run the built-in rule over a case; the findings are copied, for the case is closed."""
    with casework.settled(path) as case, casework.logged(case, "detect", []) as run:
        result = casework.detect(case, run.number, (), filters)
        return Result(list(result.findings), result.verdicts, result.sources, result.versions)


def _evidence_unchanged(bench: Bench) -> Outcome:
    _ = bench.result
    now = bench.hashes()
    changed = [path for path, digest in bench.before.items() if now.get(path) != digest]
    return Outcome(f"{len(_LOGS)} sources, 0 changed", f"{len(now)} sources, {len(changed)} changed")


def _sources(bench: Bench) -> Outcome:
    told = ", ".join(source.sha256[:16] for source in bench.summary.sources)
    return Outcome(", ".join(digest for _, digest in _LOGS.values()), told)


def _counts(bench: Bench) -> Outcome:
    def row(found: int, stored: int, known: int, lost: int) -> str:
        return f"{found} = {stored} + {known} + {lost}"

    counts = [source.counts for source in bench.summary.sources]
    return Outcome(
        "; ".join(row(records, records, 0, 0) for records, _ in _LOGS.values()),
        "; ".join(row(count.found, count.stored, count.known, count.lost) for count in counts),
    )


def _again(bench: Bench) -> Outcome:
    case = bench.folder / "again.db"
    casework.ingest_evidence(case, [bench.evidence], Options(jobs=1))
    second = casework.ingest_evidence(case, [bench.evidence], Options(jobs=1)).totals
    return Outcome(f"stored 0, known {_EVENTS}", f"stored {second.stored}, known {second.known}")


def _second_parser(bench: Bench) -> Outcome:
    _ = bench.summary
    with casework.settled(bench.case) as case:
        verification = casework.verify(case, VerifyOptions((bench.evidence,), every_record=True, jobs=1))
        others = sum(1 for _ in verification.records(every=False))
    return Outcome(
        f"{_EVENTS} records agree, 0 do not", f"{verification.record_counts['agrees']} records agree, {others} do not"
    )


def _findings(bench: Bench) -> Outcome:
    told = [(finding["@timestamp"], finding["process"]["pid"]) for finding in bench.result.findings]
    return Outcome(_listed((match["time"], match["pid"]) for match in expected()["matches"]), _listed(told))


def _observed_only(bench: Bench) -> Outcome:
    inferred = [finding["process"]["pid"] for finding in bench.result.findings if finding["evtxscan"].get("inferred")]
    case = Path(shutil.copyfile(bench.case, bench.folder / "observed.db"))
    observed = [finding["process"]["pid"] for finding in _detect(case, Filters(observed_only=True)).findings]
    matches = expected()["matches"]
    return Outcome(
        f"inferred: {[m['pid'] for m in matches if m['inferred']]};"
        f" observed only: {[m['pid'] for m in matches if not m['inferred']]}",
        f"inferred: {inferred}; observed only: {observed}",
    )


def _verdicts(bench: Bench) -> Outcome:
    told = [
        f"{verdict.host.split('.')[0]} {verdict.verdict} ({', '.join(sorted({m.reason for m in verdict.missing}))})"
        for verdict in bench.result.verdicts
    ]
    return Outcome(
        "srv-old-02 undetermined (command_line_not_audited, parent_record_missing);"
        " ws-fin-07 match (parent_record_missing, shared_service_host)",
        "; ".join(told),
    )


def _same_result(bench: Bench) -> Outcome:
    _ = bench.result
    with casework.settled(bench.case) as case:
        first = casework.manifest(case)["hashes"]["result"]
    other = bench.folder / "other.db"
    for part in sorted((path for path in bench.evidence.iterdir()), reverse=True):
        moved = bench.folder / "elsewhere" / part.name
        shutil.copytree(part, moved / part.name)
        casework.ingest_evidence(other, [moved], Options(jobs=1))
    _detect(other, Filters())
    with casework.settled(other) as case:
        second = casework.manifest(case)["hashes"]["result"]
    return Outcome(f"result {first[:16]}", f"result {second[:16]}")


def _damage(bench: Bench) -> Outcome:
    """Break the body of the first record of a finding in the last chunk but one, and cut the last chunk off."""
    log = bench.folder / "damaged.evtx"
    data = bytearray((bench.evidence / _DAMAGED).read_bytes())
    chunks = (len(data) - FILE_HEADER_SIZE) // CHUNK_SIZE
    last = sum(1 for _ in _records(bytes(data), chunks - 1))
    broken = list(_records(bytes(data), 1))[20]
    data[broken + RECORD_HEADER_SIZE : broken + RECORD_HEADER_SIZE + 4] = b"\x73" * 4
    log.write_bytes(data[: FILE_HEADER_SIZE + (chunks - 1) * CHUNK_SIZE])
    (source,) = casework.ingest_evidence(bench.folder / "damaged.db", [log], Options(jobs=1)).sources
    records = _LOGS[_DAMAGED][0] - last
    places = ", ".join(f"{loss.chunk}/{loss.offset} {loss.reason}" for loss in source.losses)
    return Outcome(
        f"{records} found, {records - 1} stored, lost: 1/{broken - FILE_HEADER_SIZE - CHUNK_SIZE} record_unreadable;"
        " cut: yes",
        f"{source.counts.found} found, {source.counts.stored} stored, lost: {places};"
        f" cut: {'yes' if source.error else 'no'}",
    )


def _records(data: bytes, chunk: int) -> list[int]:
    """Return the offsets of the records of a sound chunk in its file."""
    start = FILE_HEADER_SIZE + chunk * CHUNK_SIZE
    free = int.from_bytes(data[start + 48 : start + 52], "little")
    found, at = [], start + 512
    while at < start + free:
        found.append(at)
        at += int.from_bytes(data[at + 4 : at + 8], "little")
    return found


def _changed_byte(bench: Bench) -> Outcome:
    _ = bench.result
    copy = bench.folder / "changed"
    shutil.copytree(bench.evidence, copy)
    place = bench.result.findings[0]["evtxscan"]["provenance"][0]
    log = copy / place["source"]["path"]
    data = bytearray(log.read_bytes())
    data[FILE_HEADER_SIZE + place["chunk"] * CHUNK_SIZE + place["offset"] + 8] ^= 1
    log.write_bytes(data)
    with casework.settled(bench.case) as case:
        verification = casework.verify(case, VerifyOptions((copy,)))
        outcomes = [finding.outcome for finding in verification.findings()]
    changed = sum(source.outcome == "changed" for source in verification.sources)
    return Outcome(
        "contradicted, 1 source changed, first finding gone",
        f"{verification.conclusion}, {changed} source changed, first finding {outcomes[0]}",
    )


def _no_log(bench: Bench) -> Outcome:
    file = bench.folder / "notes.txt"
    file.write_text("no event log", encoding="ascii")
    case = bench.folder / "none.db"
    try:
        casework.ingest_evidence(case, [file], Options(jobs=1))
        told = "ingested"
    except EvidenceError as error:
        told = "refused" if "notes.txt" in str(error) else str(error)
    return Outcome("refused, no case", f"{told}, {'a case' if case.exists() else 'no case'}")


def _times(bench: Bench) -> Outcome:
    wanted = [match["time"] for match in expected()["matches"]]
    return Outcome(", ".join(wanted), ", ".join(finding["@timestamp"] for finding in bench.result.findings))


def _coverage(bench: Bench) -> Outcome:
    _ = bench.summary
    with casework.settled(bench.case) as case:
        hosts = casework.coverage(case)
    told: dict[str, Any] = {
        "logs": sum(len(host["logs"]) for host in hosts),
        "gaps": sum(len(log["gaps"]) for host in hosts for log in host["logs"]),
        "stops": sum(len(host["stops"]) for host in hosts),
    }
    return Outcome(
        f"{len(_LOGS)} logs, 0 gaps, {_STOPS} times not logged",
        f"{told['logs']} logs, {told['gaps']} gaps, {told['stops']} times not logged",
    )


def _listed(rows: Any) -> str:  # noqa: ANN401 - pairs of time and process id
    return "; ".join(f"{time} {pid}" for time, pid in rows)


CHECKS: dict[str, Callable[[Bench], Outcome]] = {
    "evidence_unchanged": _evidence_unchanged,
    "sources": _sources,
    "counts": _counts,
    "again": _again,
    "second_parser": _second_parser,
    "findings": _findings,
    "observed_only": _observed_only,
    "verdicts": _verdicts,
    "same_result": _same_result,
    "damage": _damage,
    "changed_byte": _changed_byte,
    "no_log": _no_log,
    "times": _times,
    "coverage": _coverage,
}
