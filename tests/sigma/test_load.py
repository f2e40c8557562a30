"""Sigma rules in the trees that ``--rules`` names, beside Elastic's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evtxscan import schema
from evtxscan.errors import RuleError
from evtxscan.rules.load import RuleSet, load_rules
from evtxscan.sigma.recognise import is_available
from tests.integration.command import ROOT, evtxscan

needs_extra = pytest.mark.skipif(not is_available(), reason="the extra is not installed: pip install 'evtxscan[sigma]'")

RULE = """\
title: Account discovery
id: 7c1b7d2e-0000-4000-8000-000000000001
status: test
description: Looks for the user's name.
references:
    - https://example.org/whoami
author: A. Author (Example Ltd.), B. Author
date: 2024-01-02
modified: 2025-03-04
tags:
    - attack.discovery
    - attack.t1033
    - attack.t1087.001
    - cve.2024-0001
logsource:
    product: windows
    category: process_creation
detection:
    selection:
        Image|endswith: \\whoami.exe
    condition: selection
falsepositives:
    - Administrators
level: critical
"""


def tree(folder: Path) -> Path:
    """Make a tree of both kinds of rules, of other YAML, and of what cannot be read."""
    (folder / "elastic").mkdir()
    builtin = schema.path("rules/persistence_update_orchestrator_hijack.toml").read_bytes()
    (folder / "elastic" / "one.toml").write_bytes(builtin)
    (folder / "sigma.yml").write_text(RULE, encoding="utf-8")
    (folder / "broken.yaml").write_text("title: x\ndetection: [\n", encoding="utf-8")
    (folder / "unknown.yml").write_text(RULE.replace("process_creation", "nonsense"), encoding="utf-8")
    (folder / "workflow.yml").write_text("name: not a rule\non: push\n", encoding="utf-8")
    return folder


@needs_extra
def test_a_tree_of_both(tmp_path: Path) -> None:
    """Catches a broken file that stops others, and YAML taken for a rule that is none."""
    found = load_rules((str(tree(tmp_path)),))
    assert {rule.name for rule in found.rules} == {
        "Persistence via Update Orchestrator Service Hijack",
        "Account discovery",
    }
    assert {Path(error.path).name for error in found.errors} == {"broken.yaml", "unknown.yml"}


@needs_extra
def test_what_a_rule_says_of_itself(tmp_path: Path) -> None:
    file = tmp_path / "one.yml"
    file.write_text(RULE, encoding="utf-8")
    (rule,) = load_rules((str(file),)).rules
    assert (rule.severity, rule.risk_score, rule.version, rule.query_line) == ("critical", 99, "2025-03-04", 18)
    assert rule.author == ("A. Author (Example Ltd.), B. Author",)
    assert rule.false_positives == ("Administrators",)
    assert "Detection Rule License" in rule.license
    assert rule.sigma is not None
    assert (rule.sigma.status, rule.sigma.level, rule.sigma.logsource) == (
        "test",
        "critical",
        "product windows, category process_creation",
    )
    (threat,) = rule.threat
    assert (threat["tactic"]["id"], threat["tactic"]["name"]) == ("TA0007", "Discovery")
    assert [entry["id"] for entry in threat["technique"]] == ["T1033", "T1087"]
    assert [entry["id"] for entry in threat["technique"][1]["subtechnique"]] == ["T1087.001"]


@needs_extra
def test_a_named_file_has_to_be_a_rule(tmp_path: Path) -> None:
    found = load_rules((str(tree(tmp_path) / "workflow.yml"),))
    assert not found.rules
    assert "no Sigma rule" in str(found.errors[0])


@needs_extra
def test_no_warning_of_names_that_the_rule_does_not_have(tmp_path: Path) -> None:
    """Catches hundreds of warnings, with places in EQL that no file has."""
    file = tmp_path / "one.yml"
    file.write_text(
        RULE.replace("product: windows\n", "").replace("process_creation", "proxy").replace("Image", "cs-method"),
        encoding="utf-8",
    )
    done = evtxscan("rules", "check", "--rules", file)
    assert b"1 rule" in done.out
    assert "warning" not in done.message
    assert b"unknown" not in done.out


def test_a_folder_without_rules(tmp_path: Path) -> None:
    (tmp_path / "workflow.yml").write_text("name: not a rule\n", encoding="utf-8")
    with pytest.raises(RuleError, match="no rule files"):
        load_rules((str(tmp_path),))


def test_without_the_extra(tmp_path: Path) -> None:
    """Elastic's rules run, and one line says what the others need."""
    code = (
        "import sys\nsys.modules['sigma'] = sys.modules['yaml'] = None\n"
        "from evtxscan.rules.load import load_rules\n"
        "for path in sys.argv[1:]:\n    found = load_rules((path,))\n"
        "    print(len(found.rules), *found.errors, sep='|')\n"
    )
    folder = tree(tmp_path)
    command = [sys.executable, "-c", code, str(folder), str(folder / "sigma.yml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    whole, single = done.stdout.splitlines()
    assert whole.startswith("1|")
    assert whole.count("|") == 1
    assert "3 Sigma rules" in whole
    assert single.startswith("0|")
    assert all("pip install 'evtxscan[sigma]'" in line for line in (whole, single))


def test_recognition_needs_no_yaml(tmp_path: Path) -> None:
    """Catches a parser loaded for every tree of rules."""
    (tmp_path / "workflow.yml").write_text("name: not a rule\n", encoding="utf-8")
    (tmp_path / "one.toml").write_bytes(schema.path("rules/persistence_update_orchestrator_hijack.toml").read_bytes())
    code = "import sys\nfrom evtxscan.rules.load import load_rules\nload_rules((sys.argv[1],))\nprint(*sys.modules)"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"yaml", "sigma"} & set(done.stdout.split())
    assert isinstance(load_rules((str(tmp_path),)), RuleSet)
