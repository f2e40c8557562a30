"""All KQL rules of a copy of elastic/detection-rules, which is not part of this repository: set EVTXSCAN_RULES."""

import os
import tomllib
from pathlib import Path

import pytest

from evtxscan.kql import read_kql

ROOT = os.environ.get("EVTXSCAN_RULES")


@pytest.mark.skipif(not ROOT, reason="EVTXSCAN_RULES is not set")
def test_every_rule_parses_and_binds() -> None:
    """Catches a construct that real rules use and that is refused."""
    count = 0
    for path in sorted(Path(ROOT or "").rglob("*.toml")):
        rule = tomllib.loads(path.read_text(encoding="utf-8")).get("rule", {})
        if rule.get("language") == "kuery":
            assert read_kql(rule["query"]).fields, path.name
            count += 1
    assert count > 58
