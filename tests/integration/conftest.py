"""Cases that many tests ask: made once."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import content, eager, logs
from tests.integration.bulk import make
from tests.integration.command import EVIDENCE, TESTDATA, Done, evtxscan
from tests.integration.started import Started, Whole

_FILES = 4
_CHUNKS = 48


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


@pytest.fixture(scope="session")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence of many chunks with few records each."""
    folder = tmp_path_factory.mktemp("sparse") / "evidence"
    for number in range(_FILES):
        events = logs.mixed(3 * _CHUNKS, first=number * 10_000)
        logs.write(folder / f"{number}.evtx", events, first_record_id=1 + number * 10_000, per_chunk=3)
    return folder


@pytest.fixture(scope="session")
def whole(sparse: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The ingest that others are compared with."""
    case = tmp_path_factory.mktemp("whole") / "case.db"
    begun = time.monotonic()
    started = Started("ingest", sparse, "--case", case, "--jobs", "2", program=[eager.__file__])
    before = started.until(case.exists) - begun
    assert started.end() == 0
    seconds = time.monotonic() - begun
    assert content.faults(case) == []
    found = content.content(case)
    assert len(found["events"]) == 3 * _CHUNKS * _FILES
    return Whole(found, before, seconds)
