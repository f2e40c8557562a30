"""Cases that many tests ask: made once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bulk import make
from tests.integration.command import EVIDENCE, TESTDATA, Done, evtxscan


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The case of the shipped evidence; only to be read."""
    case = tmp_path_factory.mktemp("scenario") / "case.db"
    evtxscan("ingest", EVIDENCE, "--case", case)
    return case


@pytest.fixture(scope="session")
def expected() -> dict[str, Any]:
    """What the shipped evidence must yield, written by hand."""
    content: dict[str, Any] = json.loads((TESTDATA / "expected.json").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def detection(scenario: Path) -> Done:
    """The built-in rule over the shipped evidence."""
    return evtxscan("detect", "--case", scenario, "--format", "json")


@pytest.fixture(scope="session")
def events(scenario: Path) -> list[dict[str, Any]]:
    """All events of the shipped evidence, with what was inferred."""
    return evtxscan("query", "any where true", "--case", scenario, "--format", "ndjson").lines


@pytest.fixture(scope="session")
def bulk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with more evidence than one process reads alone."""
    folder = make(tmp_path_factory.mktemp("bulk") / "evidence")
    yield folder
    shutil.rmtree(folder)
