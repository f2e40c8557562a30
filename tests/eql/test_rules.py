"""All EQL rules of a copy of elastic/detection-rules, which is not part of this repository: set EVTXSCAN_RULES."""

import os
import tomllib
from pathlib import Path

import pytest

from evtxscan.eql import bind, parse

ROOT = os.environ.get("EVTXSCAN_RULES")


def _queries() -> list[tuple[str, str]]:
    found = []
    for path in sorted(Path(ROOT or "").rglob("*.toml")) if ROOT else []:
        rule = tomllib.loads(path.read_text(encoding="utf-8")).get("rule", {})
        if rule.get("language") == "eql":
            found.append((path.name, rule["query"]))
    return found


@pytest.mark.skipif(not ROOT, reason="EVTXSCAN_RULES is not set")
def test_every_rule_parses_and_binds() -> None:
    """Catches a construct that real rules use and that is refused."""
    queries = _queries()
    assert len(queries) > 300
    for name, query in queries:
        assert bind(parse(query)).fields, name
