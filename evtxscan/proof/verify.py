"""The check of a case as a whole: its sources, then the records of its findings or all its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evtxscan.proof.everything import check_all
from evtxscan.proof.findings import FindingCheck, FindingChecks
from evtxscan.proof.places import Chunks, PlaceCheck
from evtxscan.proof.records import OUTCOMES, Outcome
from evtxscan.proof.sources import SOURCE_OUTCOMES, Sources
from evtxscan.store.case import Case, versions

Conclusion = Literal["confirmed", "contradicted", "incomplete"]
Told = Callable[[str, int, int], None]
"""Progress: what is done (``files looked at``, ``bytes`` hashed, ``findings``, ``records``), how many, of how many."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to check.

    ``evidence``: where it lies now (empty: where ingest found it); ``every_record``: all that the case has, not its
    findings alone; ``jobs``: worker processes for that (None: one for each processor).
    """

    evidence: tuple[Path, ...] = ()
    every_record: bool = False
    jobs: int | None = None


class Verification:
    """The check of one case. Results come from ``findings`` or ``records``, which may be iterated once; the totals and
    the conclusion are those of what was iterated. Methods may raise CaseError."""

    def __init__(self, case: Case, options: Options, progress: Told | None = None) -> None:
        """Hash the sources. Raises EvidenceError where a path of ``evidence`` does not exist."""
        self._case = case
        self._options = options
        self._progress = progress or (lambda *_: None)
        checks = Sources(case, options.evidence, self._hashed(), self._looked())
        self.sources = checks.check_all()
        self.containers = checks.check_containers()
        """The archives and images that sources came out of, as far as ingest hashed them."""
        self.versions = versions()
        self.finding_counts: Counter[Outcome] = Counter()
        self.record_counts: Counter[Outcome] = Counter()
        """Of live records."""
        self.stale_counts: Counter[Outcome] = Counter()
        """Of stale records: they are never counted with live ones."""
        self.against_case = 0
        """Records checked against the chunk in the case, for want of the evidence."""

    @property
    def every_record(self) -> bool:
        """Whether all records are checked, and not the findings."""
        return self._options.every_record

    def findings(self) -> Iterator[FindingCheck]:
        """Yield the check of each finding."""
        checks = FindingChecks(self._case, Chunks(self._case, self.sources))
        total = len(checks)
        for number, found in enumerate(checks, 1):
            self.finding_counts[found.outcome] += 1
            for record in found.records:
                checked = record.place.checked
                self._count(checked.outcome, checked.against, is_live=record.place.origin == "live")
            self._progress("findings", number, total)
            yield found

    def records(self, *, every: bool) -> Iterator[PlaceCheck]:
        """Yield the check of each record, or of those alone that do not agree."""
        total = self._case.db.execute(_PLACES).fetchone()[0]
        self._progress("records", 0, total)
        for found in check_all(self._case, self.sources, jobs=self._options.jobs, every=every):
            for (outcome, against, is_live), count in sorted(found.counts.items()):
                self._count(outcome, against, count, is_live=is_live)
            self._progress("records", self.record_counts.total() + self.stale_counts.total(), total)
            yield from found.records

    @property
    def conclusion(self) -> Conclusion:
        """Whether the case is what the evidence says; incomplete where something could not be checked."""
        sources = (*self.sources, *self.containers)
        counts = self.record_counts + self.stale_counts + self.finding_counts
        if counts["differs"] or counts["gone"] or any(source.outcome == "changed" for source in sources):
            return "contradicted"
        if counts["cannot_render"] or self.against_case or any(s.outcome != "unchanged" for s in sources):
            return "incomplete"
        return "confirmed"

    def totals(self) -> dict[str, Any]:
        """Return the counts as they stand in JSON."""
        sources, containers = (Counter(one.outcome for one in of) for of in (self.sources, self.containers))
        return {
            "conclusion": self.conclusion,
            "sources": {name: sources[name] for name in SOURCE_OUTCOMES},
            "containers": {name: containers[name] for name in SOURCE_OUTCOMES},
            "findings": {name: self.finding_counts[name] for name in OUTCOMES},
            "records": {name: self.record_counts[name] for name in OUTCOMES},
            "stale_records": {name: self.stale_counts[name] for name in OUTCOMES},
            "records_against_case": self.against_case,
        }

    def _hashed(self) -> Callable[[int], None]:
        """Return what is told the bytes that were hashed."""
        total = self._case.db.execute(_BYTES).fetchone()[0] or 0
        done = 0

        def hashed(size: int) -> None:
            nonlocal done
            done += size
            self._progress("bytes", done, total)

        return hashed

    def _looked(self) -> Callable[[str], None]:
        """Return what is told of the files that are looked at in search of the evidence; how many is not known."""
        count = 0

        def looked(_: str) -> None:
            nonlocal count
            count += 1
            self._progress("files looked at", count, count)

        return looked

    def _count(self, outcome: Outcome, against: str, count: int = 1, *, is_live: bool) -> None:
        (self.record_counts if is_live else self.stale_counts)[outcome] += count
        if against == "case":
            self.against_case += count


_BYTES = """
SELECT sum(size) FROM (
    SELECT DISTINCT path, sha256, size FROM source
    UNION ALL SELECT DISTINCT path, sha256, size FROM container WHERE sha256 IS NOT NULL
)
"""
_PLACES = """
SELECT coalesce(sum(events + (
    SELECT count(*) FROM stale_record r WHERE r.chunk = chunk.id AND r.state IN ('event', 'copy')
)), 0) FROM chunk
JOIN (SELECT DISTINCT path, sha256, number, chunk FROM source_chunk JOIN source ON source.id = source) p
ON p.chunk = chunk.id
"""
