"""Sequences and pipes over a case: what the engine in memory gives over its documents, once per process start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from evtxscan.casework import Filters, query, settled
from evtxscan.ecs.base import base
from evtxscan.eql import Sequence, run
from evtxscan.eql.mapping import FieldMapping, field_type
from evtxscan.store.case import Case
from tests.integration.command import evtxscan

Document: TypeAlias = dict[str, Any]

RULES, CORPUS = os.environ.get("EVTXSCAN_RULES"), os.environ.get("EVTXSCAN_CORPUS")
MAPPING = FieldMapping({field: field_type(name) for field, name in base().types.items()})
QUERIES = [
    line
    for line in Path(__file__).with_name("sequences.eql").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def identity(event: Document | None) -> str | None:
    return None if event is None else event["evtxscan"]["event"]["id"]


def told(found: Document) -> object:
    """Return a result of a query as what tells it from others."""
    ours = found["evtxscan"]
    return identity(found) if "events" not in ours else (list(map(identity, ours["events"])), ours["join_keys"])


class Both:
    """A case as the two engines see it."""

    def __init__(self, case: Case, *, observed_only: bool) -> None:
        self._case, self._filters = case, Filters(observed_only=observed_only)
        self.documents = list(query(case, "any where true", self._filters))

    def by_sql(self, text: str) -> list[object]:
        return [told(found) for found in query(self._case, text, self._filters)]

    def by_memory(self, text: str) -> list[object]:
        return [
            (list(map(identity, found.events)), list(found.join_keys)) if isinstance(found, Sequence) else told(found)
            for found in run(text, self.documents, mapping=MAPPING)
        ]


@pytest.fixture(scope="module", params=[True, False], ids=["observed", "inferred"])
def both(bulk: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Both]:
    """Logs with copies, damage, many hosts and many records of one moment."""
    case = tmp_path_factory.mktemp("sequences") / "case.db"
    evtxscan("ingest", bulk, "--case", case, code=3)
    with settled(case) as opened:
        yield Both(opened, observed_only=request.param)


def test_the_engines_agree(both: Both) -> None:
    """Catches keys read wrongly from columns, another order, a candidate left out, pipes applied to something else."""
    wrong: dict[str, object] = {}
    found = 0
    for text in QUERIES:
        sql, memory = both.by_sql(text), both.by_memory(text)
        found += bool(sql)
        if sql != memory:
            wrong[text] = (
                len(sql),
                len(memory),
                [pair for pair in zip(sql, memory, strict=False) if pair[0] != pair[1]][:2],
            )
    assert wrong == {}
    assert found > len(QUERIES) * 3 / 4
