"""Evidence to a case."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from evtxscan.casework.cases import logged
from evtxscan.context.build import rebuild
from evtxscan.ecs.mapping import mappings
from evtxscan.errors import UsageError
from evtxscan.ingest.run import Options, find_evidence, ingest
from evtxscan.ingest.stale import recover_stale
from evtxscan.ingest.summary import Progress, Summary
from evtxscan.store.case import Case, create_or_open, explained
from evtxscan.store.finish import finish
from evtxscan.store.stale import source_counts, stale_counts

_HEX_SHA256 = re.compile(r"[0-9a-fA-F]{64}\Z")


@dataclass(frozen=True, slots=True)
class Label:
    """What a laboratory writes on the folder; None leaves what the case says."""

    case_number: str | None = None
    examiner: str | None = None
    notes: str | None = None

    def entries(self) -> dict[str, str]:
        """Return what is to be written."""
        given = {"case_number": self.case_number, "examiner": self.examiner, "notes": self.notes}
        return {key: value for key, value in given.items() if value is not None}


def ingest_evidence(
    case_path: Path,
    paths: list[Path],
    options: Options,
    *,
    label: Label | None = None,
    progress: Progress | None = None,
    arguments: list[str] | None = None,
) -> Summary:
    """Read evidence into a case, which is made if there is none, and work out what follows from it.

    Raises EvidenceError when nothing can be read, UsageError, CaseError.
    """
    if options.expected_sha256 and not _HEX_SHA256.match(options.expected_sha256):
        raise UsageError("--expect-sha256 takes the 64 hex digits of a SHA-256")
    found = find_evidence(paths, options, progress)
    with create_or_open(case_path) as case, logged(case, "ingest", arguments or []) as run:
        case.set_info(label.entries() if label else {})
        summary = ingest(case, run.number, found, options, progress)
        if options.slack:
            recover_stale(case, run.number, options.only)
        finish(case)
        _count_stale(case, summary)
        rebuild(case)
        run.exit_code = 0 if summary.is_complete else 3
    return summary


def _count_stale(case: Case, summary: Summary) -> None:
    with explained(case.path):
        summary.stale = stale_counts(case.db)
        for source in summary.sources:
            source.stale = source_counts(case.db, source.path, source.argument, source.sha256)


def categories() -> frozenset[str]:
    """Return the ECS categories that mapped events have."""
    return frozenset(
        category for mapping in mappings().values() for category in mapping.table.constants.get("event.category", ())
    )
