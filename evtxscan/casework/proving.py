"""Holding a case against its evidence."""

from __future__ import annotations

from evtxscan.proof.verify import Options, Told, Verification
from evtxscan.store.case import Case


def verify(case: Case, options: Options | None = None, progress: Told | None = None) -> Verification:
    """Hash the evidence again, and give the check of the records that findings rest on, or of all records.

    Raises EvidenceError where a path that is said to hold the evidence does not exist, CaseError.
    """
    return Verification(case, options or Options(), progress)
