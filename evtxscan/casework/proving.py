"""Holding a case against its evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evtxscan.proof.manifest import compare, make_manifest, read_manifest
from evtxscan.proof.verify import Options, Told, Verification
from evtxscan.store.case import Case


def verify(case: Case, options: Options | None = None, progress: Told | None = None) -> Verification:
    """Hash the evidence again, and give the check of the records that findings rest on, or of all records.

    Raises EvidenceError where a path that is said to hold the evidence does not exist, CaseError.
    """
    return Verification(case, options or Options(), progress)


def manifest(case: Case) -> dict[str, Any]:
    """Return what ties the result in a case to its evidence. Raises CaseError."""
    return make_manifest(case)


def check_manifest(case: Case, path: Path) -> list[tuple[str, bool, bool]]:
    """Compare the manifest of a case with one in a file: for each part its name, whether it is the same, and whether it
    has to be. Raises EvtxscanError where the file is no manifest, CaseError.
    """
    return compare(make_manifest(case), read_manifest(path))
