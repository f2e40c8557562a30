"""The numbered requirements, and the evidence that the checks run on."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from evtxscan import schema

_INSTALLED = Path(__file__).parent.parent / "_testdata"
_SOURCE_TREE = Path(__file__).parents[2] / "testdata"
TESTDATA = _INSTALLED if _INSTALLED.is_dir() else _SOURCE_TREE


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement: where the repository's tests hold it, and the name of the check that shows it here, if any."""

    id: str
    title: str
    text: str
    tests: tuple[str, ...]
    check: str | None = None


@cache
def requirements() -> tuple[Requirement, ...]:
    """Return all requirements in order of their numbers."""
    entries = tomllib.loads(schema.read_text("validation/requirements.toml"))["requirement"]
    return tuple(
        Requirement(entry["id"], entry["title"], entry["text"], tuple(entry["tests"]), entry.get("check"))
        for entry in entries
    )


def evidence() -> Path:
    """Return the folder of the shipped evidence. Raises FileNotFoundError where the installation lacks it."""
    folder = TESTDATA / "evidence"
    if not folder.is_dir():
        raise FileNotFoundError("evtxscan's installation lacks its test evidence; install it anew")
    return folder


@cache
def expected() -> dict[str, Any]:
    """Return what the shipped evidence must yield, as its authors wrote it; treat it as read-only."""
    content: dict[str, Any] = orjson.loads((TESTDATA / "expected.json").read_bytes())
    return content
