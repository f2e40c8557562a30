"""Sequences and pipes over a case: what the engine in memory gives over its documents, once per process start."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from evtxscan.casework import Filters, query, settled
from evtxscan.ecs.base import base
from evtxscan.eql import Sequence, parse, run
from evtxscan.eql.ast import SequenceQuery
from evtxscan.eql.mapping import FieldMapping, field_type
from evtxscan.store.case import Case
from tests.integration.command import evtxscan

Document: TypeAlias = dict[str, Any]

RULES, CORPUS = os.environ.get("EVTXSCAN_RULES"), os.environ.get("EVTXSCAN_CORPUS")
MAPPING = FieldMapping({field: field_type(name) for field, name in base().types.items()})
# Logs on which a sequence rule of Elastic's matches.
ATTACKS = (
    "temp_scheduled_task_4698_4699",
    "sysmon_1_persist_bitsjob_SetNotifyCmdLine",
    "exec_persist_rundll32_mshta_scheduledtask_sysmon_1_3_11",
    "sysmon_mshta_sharpshooter_stageless_meterpreter",
    "remote_file_copy_system_proc_file_write_sysmon_11",
    "privesc_sysmon_cve_20201030_spooler",
    "tutto_malseclogon",
    "remote_sam_registry_access_via_backup_operator_priv",
)
QUERIES = [
    line
    for line in Path(__file__).with_name("sequences.eql").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


INFERRED = [text for text in QUERIES if "process.parent.args" in text or "process.parent.name" in text]


def identity(event: Document | None) -> str | None:
    return None if event is None else event["evtxscan"]["event"]["id"]


def told(found: Document) -> object:
    """Return a result of a query as what tells it from others."""
    ours = found["evtxscan"]
    return identity(found) if "events" not in ours else (list(map(identity, ours["events"])), ours["join_keys"])


class Both:
    """A case as the two engines see it."""

    def __init__(self, case: Case, *, observed_only: bool) -> None:
        self.is_observed_only = observed_only
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
    # What is inferred changes fields of a few events and nothing else of sequences.
    queries = QUERIES if both.is_observed_only else QUERIES[::3] + INFERRED
    for text in queries:
        sql, memory = both.by_sql(text), both.by_memory(text)
        found += bool(sql)
        if sql != memory:
            wrong[text] = (
                len(sql),
                len(memory),
                [pair for pair in zip(sql, memory, strict=False) if pair[0] != pair[1]][:2],
            )
    assert wrong == {}
    assert found > len(queries) * 3 / 4


@pytest.mark.skipif(not (RULES and CORPUS), reason="EVTXSCAN_RULES or EVTXSCAN_CORPUS is not set")
def test_elastics_sequences_over_real_logs(tmp_path: Path) -> None:
    """Catches what no hand-written table has: Elastic's sequence rules over attacks that some of them find."""
    rules = {
        path.name: rule["query"]
        for path in sorted(Path(RULES or "").rglob("*.toml"))
        if (rule := tomllib.loads(path.read_text(encoding="utf-8")).get("rule", {})).get("language") == "eql"
        and isinstance(parse(rule["query"]), SequenceQuery)
    }
    assert len(rules) > 70
    files = [path for path in Path(CORPUS or "").rglob("*.evtx") if any(name in path.name for name in ATTACKS)]
    case = tmp_path / "case.db"
    evtxscan("ingest", *sorted(files), "--case", case, code=None)
    with settled(case) as opened:
        both = Both(opened, observed_only=True)
        results = {name: (both.by_sql(text), both.by_memory(text)) for name, text in rules.items()}
    assert {name for name, (sql, memory) in results.items() if sql != memory} == set()
    assert sum(bool(sql) for sql, _ in results.values()) >= len(ATTACKS)
