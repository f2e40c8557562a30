"""Carving: what is left of event logs in files that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evtxscan.casework.cases import logged
from evtxscan.context.build import rebuild
from evtxscan.errors import EvidenceError
from evtxscan.evidence.source import Source, plain_source, readable_name, unreadable
from evtxscan.evtx.carve import carve, is_record, to_rebuild
from evtxscan.evtx.filetime import to_iso
from evtxscan.ingest.carving import CarvedCounts, carve_source
from evtxscan.ingest.stale import recover_stale
from evtxscan.ingest.summary import Progress
from evtxscan.store.case import create_or_open, explained
from evtxscan.store.finish import finish
from evtxscan.store.stale import StaleCounts, stale_counts


@dataclass(frozen=True, slots=True)
class CarveSummary:
    """What was carved from each file, and what the case now has of carved records."""

    sources: list[CarvedCounts]
    records: StaleCounts


def carve_evidence(
    case_path: Path, paths: list[Path], *, progress: Progress | None = None, arguments: list[str] | None = None
) -> CarveSummary:
    """Carve files into a case, which is made if there is none. Raises EvidenceError, CaseError."""
    sources = [_source(path) for path in paths]
    if progress:
        progress.start(len(sources), sum(source.size for source in sources))
    with create_or_open(case_path) as case, logged(case, "carve", arguments or []) as run:
        counts = []
        for source in sources:
            advance = None if progress is None else _advance(progress)
            counts.append(carve_source(case, run.number, source, advance))
            if progress:
                progress.file_done(source.path)
        recover_stale(case, run.number)
        finish(case)
        rebuild(case)
        with explained(case.path):
            return CarveSummary(counts, stale_counts(case.db, origin="carved"))


def list_carved(paths: list[Path]) -> Iterator[dict[str, Any]]:
    """Yield what can be carved from files, without a case: path, offset in the file, size, records.

    Raises EvidenceError.
    """
    for path in paths:
        source = _source(path)
        with source.open() as file:
            try:
                for found in carve(file):
                    yield {"path": source.path, "offset": found.offset, **_described(found.data)}
            except OSError as error:
                raise unreadable(source.place, error) from error


def _described(data: bytes) -> dict[str, Any]:
    _, spans, _ = to_rebuild(data, "carved")
    written = [span.written for span in spans]
    return {
        "what": "record" if is_record(data) else "chunk",
        "size": len(data),
        "records": len(spans),
        "first_record_id": min((span.record_id for span in spans), default=None),
        "last_record_id": max((span.record_id for span in spans), default=None),
        "first_written": to_iso(min(written)) if written else None,
        "last_written": to_iso(max(written)) if written else None,
    }


def _advance(progress: Progress) -> Callable[[int], None]:
    return lambda size: progress.advance(size, 0)


def _source(path: Path) -> Source:
    argument = readable_name(str(path))
    try:
        if path.is_dir():
            raise EvidenceError(f"{path}: a folder; name the image or file to carve from")
        return plain_source(path, argument, readable_name(path.name))
    except OSError as error:
        raise unreadable(path, error) from error
