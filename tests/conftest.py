"""Says at the end of a test run what it could not hold evtxscan against."""

from __future__ import annotations

import os

import pytest

# Elastic's own test cases cannot be part of this repository: 368 for EQL, 453 documents for ECS (tests/test_docs.py
# holds the number against the folder, where there is one).
CONFORMANCE_CASES = 821
MATERIAL = {
    "EVTXSCAN_CONFORMANCE": f"{CONFORMANCE_CASES} conformance cases were not run",
    "EVTXSCAN_CORPUS": "the tests on public event logs were not run",
    "EVTXSCAN_IMAGES": "dfVFS's disk images were not opened",
    "EVTXSCAN_RULES": "Elastic's rules were not parsed",
    "EVTXSCAN_SIGMA": "SigmaHQ's rules and regression logs were not run",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the material that the environment does not."""
    for variable, lack in MATERIAL.items():
        if not os.environ.get(variable):
            terminalreporter.write_line(f"{lack}: {variable} is not set")
