"""Runs the checks and makes the table that is signed."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evtxscan.errors import EvtxscanError
from evtxscan.proof.manifest import program_hash
from evtxscan.selftest.checks import CHECKS, Bench, Outcome
from evtxscan.selftest.requirements import Requirement, requirements
from evtxscan.store.case import now, versions


@dataclass(frozen=True, slots=True)
class Tested:
    """A requirement and what its check gave; no outcome where only the repository's tests hold it."""

    requirement: Requirement
    outcome: Outcome | None


def run_checks(progress: Callable[[str, int, int], None] | None = None) -> list[Tested]:
    """Check every requirement in a folder of its own, which is removed. Raises EvtxscanError where that cannot be."""
    found: list[Tested] = []
    wanted = requirements()
    try:
        with tempfile.TemporaryDirectory(prefix="evtxscan-selftest-") as folder:
            bench = Bench(Path(folder))
            for number, requirement in enumerate(wanted, 1):
                check = CHECKS[requirement.check] if requirement.check else None
                found.append(Tested(requirement, None if check is None else _run(check, bench)))
                if progress:
                    progress("requirements", number, len(wanted))
    except OSError as error:
        raise EvtxscanError(f"the self-test needs a folder to work in and its evidence: {error}") from error
    return found


def _run(check: Callable[[Bench], Outcome], bench: Bench) -> Outcome:
    try:
        return check(bench)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is this requirement's result, and the table goes on
        return Outcome("the check runs to its end", f"{type(error).__name__}: {error}")


def report(tested: list[Tested], examiner: str | None) -> dict[str, Any]:
    """Return the report as JSON values."""
    results = [
        {
            "id": one.requirement.id,
            "title": one.requirement.title,
            "requirement": one.requirement.text,
            "result": "not tested here" if one.outcome is None else "pass" if one.outcome.passed else "FAIL",
            "expected": one.outcome and one.outcome.expected,
            "actual": one.outcome and one.outcome.actual,
            "tests": list(one.requirement.tests),
        }
        for one in tested
    ]
    return {
        "tool": "evtxscan",
        "made": now(),
        "examiner": examiner,
        "environment": {
            "system": platform.platform(),
            "machine": platform.machine(),
            "program_sha256": program_hash(),
            "versions": versions(),
        },
        "passed": all(one.outcome is None or one.outcome.passed for one in tested),
        "results": results,
    }
