"""SigmaHQ's Windows rules and regression logs, which are not part of this repository: set EVTXSCAN_SIGMA.

Each log was recorded while the behaviour ran that its rule looks for. The second opinion is tests/sigma/reference.py:
Sigma read over the records as recorded, without ECS.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sigma.backends.elasticsearch", reason="the extra is not installed: pip install 'evtxscan[sigma]'")

import yaml
from sigma.pipelines.common import windows_logsource_mapping
from sigma.rule import SigmaRule

from evtxscan.eql.sql.run import read_query
from evtxscan.rules.load import RuleSet, load_rules
from evtxscan.sigma.recognise import is_sigma
from evtxscan.sigma.tables import categories, services
from tests.integration.command import evtxscan
from tests.sigma.reference import Raw, holds, records

ROOT = os.environ.get("EVTXSCAN_SIGMA")
pytestmark = pytest.mark.skipif(not ROOT, reason="EVTXSCAN_SIGMA is not set")
LOGS = Path(ROOT or "") / "regression_data"
# They name a list (%known_cdcs%) that whoever runs them has to write.
NOT_CONVERTED = {"win_security_adcs_certighost_cdc_chase_request", "win_security_adcs_certighost_cert_issued_via_chase"}

Hits = set[tuple[str, str, str]]
"""Path of the log below LOGS, EventRecordID, id of the rule."""


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    """All rules, loaded as detect loads them."""
    return load_rules((str(ROOT),))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Hits:
    """What detect finds in the logs' live records, by recorded fields alone; the reference reads no slack."""
    case = tmp_path_factory.mktemp("sigma") / "case.db"
    evtxscan("ingest", LOGS, "--case", case)
    done = evtxscan("detect", "--case", case, "--rules", ROOT or "", "--format", "ndjson", "--observed-only")
    findings: list[dict[str, Any]] = [json.loads(line) for line in done.out.splitlines()]
    return {
        (place["source"]["path"], str(place["record_id"]), finding["evtxscan"]["rule"]["id"])
        for finding in findings
        for place in finding["evtxscan"]["provenance"]
        if place["origin"] == "live"
    }


def test_every_rule_converts_and_runs(rules: RuleSet) -> None:
    """Catches a construct of Sigma's that is refused, and EQL that our engine refuses."""
    assert {Path(error.path).stem for error in rules.errors} == NOT_CONVERTED
    assert len(rules.rules) > 2800
    for rule in rules.rules:
        assert read_query(rule.query), rule.path


def test_every_log_is_matched_by_its_rule(found: Hits) -> None:
    missed = []
    for info in sorted(LOGS.rglob("info.yml")):
        content = yaml.safe_load(info.read_text(encoding="utf-8"))
        log = next(info.parent.glob("*.evtx"), None)
        if log is not None:
            path = log.relative_to(LOGS).as_posix()
            wanted = {entry["id"] for entry in content["rule_metadata"]}
            missed += [path] if wanted - {rule for place, _, rule in found if place == path} else []
    assert not missed


def test_all_rules_find_what_sigma_means(found: Hits) -> None:
    """Catches a field or log source that the conversion maps to something else: all rules over all logs."""
    known = rules_by_source()
    wanted = {
        (log.relative_to(LOGS).as_posix(), raw["RecordID"], rule)
        for log in sorted(LOGS.rglob("*.evtx"))
        for raw in records(log)
        for rule, conditions, where in sources(known, raw)
        if all(raw.get(path.rpartition(".")[2]) in values for path, values in where.items())
        and any(holds(condition, raw) for condition in conditions)
    }
    assert len(wanted) >= 100
    assert found == wanted


def rules_by_source() -> dict[tuple[str, ...], list[Any]]:
    """Return id, conditions and further demands of each rule by provider and event id, or by channel."""
    known: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    for path in sorted(Path(ROOT or "").rglob("*.yml")):
        raw = path.read_bytes()
        if not is_sigma(raw) or path.stem in NOT_CONVERTED:
            continue
        rule = SigmaRule.from_dict(yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))  # noqa: S506
        conditions = [condition.parsed for condition in rule.detection.parsed_condition]
        category = categories().get(rule.logsource.category or "")
        for provider, codes in category.events if category else ():
            for code in codes:
                known[provider, code].append((str(rule.id), conditions, category.where if category else {}))
        service = rule.logsource.service
        ours = services().get(service or "")
        channels = ours.channels if ours else windows_logsource_mapping.get(service, ())
        for channel in [channels] if isinstance(channels, str) else channels:
            known[(channel.lower(),)].append((str(rule.id), conditions, {}))
    return known


def sources(known: dict[tuple[str, ...], list[Any]], raw: Raw) -> Iterator[Any]:
    """Yield the rules for a record's log source."""
    yield from known.get((raw["Provider_Name"], raw["EventID"]), ())
    yield from known.get((raw["Channel"].lower(),), ())
