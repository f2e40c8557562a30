"""Fields that nobody knows: which those are, and where a user hears of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evtxscan.ecs.errors import MappingError
from evtxscan.ecs.names import field_names, is_event_data, is_known, nearest, read_field_names
from evtxscan.rules.load import load_rules
from evtxscan.rules.state import states_of
from evtxscan.rules.unknown_fields import unknown_fields
from tests.integration.command import evtxscan
from tests.integration.conftest import scenario as scenario_case

RULES = os.environ.get("EVTXSCAN_RULES")
scenario = scenario_case


def test_known_names() -> None:
    for field in (
        "@timestamp", "process.name", "process.name.caseless", "process.parent.group_leader.pid", "file.hash.sha256",
        "tls.client.x509.issuer.common_name", "labels.anything", "process.Ext.token.elevation", "event.action",
        "dns.question.registered_domain", "winlog.event_data.CommandLine", "powershell.file.script_block_text",
        "threat.enrichments.matched.type", "message",
    ):  # fmt: skip
        assert is_known(field), field
    for field in ("proces.name", "process", "process.names", "event.category.x", "winlog.event_data.Nope", "name.text"):
        assert not is_known(field), field
    assert is_event_data("winlog.event_data.Nope")
    assert len(field_names().names) > 2_000


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("proces.name", "process.name"),
        ("process.commandline", "process.command_line"),
        ("Process.Name", "process.name"),
        ("event.catagory", "event.category"),
        ("zzz.qqq", None),
    ],
)
def test_nearest(field: str, found: str | None) -> None:
    assert nearest(field) == found


def test_places() -> None:
    text = 'process where process.name : "x" and\n  (`proces.name` : "y" or xproces.name == 1)'
    (unknown,) = unknown_fields(["process.name", "proces.name", "proces.name"], text, first_line=8)
    assert (unknown.field, unknown.nearest, unknown.line, unknown.column) == ("proces.name", "process.name", 9, 5)


@pytest.mark.skipif(not RULES, reason="EVTXSCAN_RULES is not set")
def test_elastics_rules_have_no_unknown_field() -> None:
    """Catches a name of ECS, or of a product, that the list lacks."""
    states = states_of(load_rules((RULES or "",)))
    assert {unknown.field for state in states for unknown in state.unknown} == set()


def test_the_list_is_checked() -> None:
    content = {"format": "evtxscan-field-names/1", "version": "", "sets": {}, "open": [], "sub_fields": []}
    with pytest.raises(MappingError, match=r"there is no set \{hash\}"):
        read_field_names({**content, "fields": {"file": "{hash}"}})
    with pytest.raises(MappingError, match="with the keys"):
        read_field_names({"format": "evtxscan-field-names/1"})


def test_query_warns(scenario: Path) -> None:
    done = evtxscan("query", 'process where proces.name : "x" or true', "--case", scenario, "--format", "ndjson")
    assert done.message == (
        "evtxscan: warning: line 1, column 15: unknown field proces.name; did you mean process.name?\n"
    )
    assert done.lines
    quiet = evtxscan("query", 'any where proces.name : "x"', "--case", scenario, "--quiet", "--format", "ndjson")
    assert quiet.message == ""
    said = evtxscan("query", "any where winlog.event_data.parm1 != null", "--case", scenario).message
    assert "no event of this case has winlog.event_data.parm1; did you mean winlog.event_data.param1?" in said
    for known in ("winlog.event_data.param1", "process.name", "winlog.event_data.ServiceName"):
        assert evtxscan("query", f"any where {known} != null", "--case", scenario).message == ""


RULE = """[rule]
rule_id = "r"
name = "n"
type = "eql"
severity = "low"
risk_score = 1
query = '''
process where
  proces.name : "cmd.exe"
'''
"""


def test_detect_and_check_warn(tmp_path: Path, scenario: Path) -> None:
    """The warning comes with its place, in the JSON and for people, and changes no exit code."""
    path = tmp_path / "rule.toml"
    path.write_text(RULE, encoding="utf-8")
    done = evtxscan("detect", "--case", scenario, "--rules", path, "--format", "json")
    (warning,) = done.json["warnings"]
    assert (warning["field"], warning["nearest"], warning["line"], warning["column"]) == (
        "proces.name",
        "process.name",
        9,
        3,
    )
    line = f"{path}, line 9, column 3: unknown field proces.name; did you mean process.name?"
    assert f"evtxscan: warning: {line}\n" in done.message
    told = f"warning: {line}"
    assert told in " ".join(evtxscan("detect", "--case", scenario, "--rules", path).out.decode().split())
    assert (
        "most likely misspelt"
        in evtxscan("detect", "--case", scenario, "--rules", path, "--format", "html").out.decode()
    )
    checked = evtxscan("rules", "check", "--rules", path)
    assert "line 9, column 3: warning: unknown field proces.name" in " ".join(checked.out.decode().split())
    (rule,) = evtxscan("rules", "check", "--rules", path, "--format", "json").json["rules"]
    assert rule["unknown_fields"] == [{"field": "proces.name", "nearest": "process.name", "line": 9, "column": 3}]
