"""What the documentation says is what the program does."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlite_utils

import evtxscan
from evtxscan.cli import COMMANDS
from evtxscan.docs.__main__ import outdated
from evtxscan.docs.commands import command, help_of
from evtxscan.eql.functions import FUNCTIONS
from tests.conftest import CONFORMANCE_CASES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
VERBS = {"Check", "Describe", "Find", "Read", "Run", "Show", "Write"}
"""What the help of a command may begin with; a new command adds its own."""


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Command as README has it -> what it prints, for the commands of its session."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    case = tmp_path_factory.mktemp("readme") / "case.db"
    printed: dict[str, str] = {}
    for line in block.splitlines():
        if line.startswith("$ "):
            words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line[2:])]
            done = subprocess.run(
                [sys.executable, "-m", *words, "--case", str(case)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            )
            printed[line] = done.stdout
    return printed


def test_generated_pages_are_current() -> None:
    assert not [path.name for path in outdated()], "run: python -m evtxscan.docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_explained(name: str) -> None:
    """Help begins with a verb, has an example of the command itself, and shows no stray markup."""
    text = help_of(f"evtxscan {name}", command(name))
    assert COMMANDS[name].split()[0] in VERBS
    body = text.split("\n\n")[1].strip()
    assert body.split()[0] in VERBS
    assert re.search(rf"^ +Example:\n +evtxscan {name} ", text, re.MULTILINE)
    assert "\\b" not in text


def test_readme_shows_a_real_session(sessions: dict[str, str]) -> None:
    """Every line of the session is printed, in this order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    rest: list[str] = []
    for line in block.splitlines():
        if line in sessions:
            rest = sessions[line].splitlines()
        elif line != "...":
            assert line in rest, line
            rest = rest[rest.index(line) + 1 :]
    assert len(sessions) == 3


def literals(*packages: str) -> Iterator[str]:
    """Yield the codes of all ``...Reason``, ``...Method``, ``VerdictName``, ``ScriptState`` types of these packages."""
    for package in packages:
        for path in sorted((Path(evtxscan.__file__).parent / package).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                name = node.targets[0] if isinstance(node, ast.Assign) else None
                if isinstance(name, ast.Name) and re.search(
                    r"(Reason|Method|VerdictName|ChainEnd|ScriptState)\Z", name.id
                ):
                    constants = [found.value for found in ast.walk(node) if isinstance(found, ast.Constant)]
                    yield from (code for code in constants if isinstance(code, str))


LOSSES = {"record_unreadable", "record_missing", "chunk_truncated", "parser_crashed"}
CLOCK = {"previous_record", "at_boot"}  # described beside their column


def test_every_code_is_documented() -> None:
    """Catches a reason, method or verdict that a reader meets and cannot look up, and one that is no more."""
    text = (DOCS / "verdicts.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))
    codes = set(literals("detect", "context")) - CLOCK
    assert codes | LOSSES == documented
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "evtxscan" / "ingest").glob("*.py"))
    assert all(f'"{reason}"' in written for reason in LOSSES)


def test_every_function_of_eql_is_documented() -> None:
    text = (DOCS / "rules.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("| functions |")]
    assert {name.lower() for name in re.findall(r"`(\w+)`", line)} == set(FUNCTIONS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        place, _, anchor = target.partition("#")
        if place.startswith("https://"):
            continue
        found = page if not place else page.parent / place
        assert found.exists(), target
        assert not anchor or f"# {anchor}\n" in found.read_text(encoding="utf-8"), target


def test_every_page_is_named_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [page.name for page in DOCS.glob("*.md") if f"(docs/{page.name})" not in text]


def test_example_queries_run(sessions: dict[str, str], tmp_path: Path) -> None:
    """The SQL of case-schema.md gives rows on the shipped evidence."""
    case = tmp_path / "case.db"
    for arguments in (["ingest", "testdata/evidence"], ["detect"]):
        command_line = [sys.executable, "-m", "evtxscan", *arguments, "--case", str(case)]
        subprocess.run(command_line, cwd=ROOT, capture_output=True, check=True)
    text = (DOCS / "case-schema.md").read_text(encoding="utf-8").split("## Views")[0]
    blocks = re.findall(r"(?:^ {4,}(?:SELECT|WITH)\b.*\n(?:^ {4,}.*\n)*)", text, re.MULTILINE)
    assert len(blocks) == 7
    database = sqlite_utils.Database(case)
    for sql in blocks:
        assert list(database.query(sql)), sql
    database.close()


def test_example_code_runs(tmp_path: Path) -> None:
    """The Python of library.md, as one script beside a folder of evidence."""
    text = (DOCS / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", text, re.MULTILINE)
    assert len(blocks) == 2
    shutil.copytree(ROOT / "testdata" / "evidence", tmp_path / "evidence")
    code = textwrap.dedent("\n".join(blocks))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "460 0 True"
    assert "ws-fin-07.corp.example match" in lines
    assert lines[-1].startswith("ed296c5bb07eebc1-3-512 ")


@pytest.mark.skipif(not os.environ.get("EVTXSCAN_CONFORMANCE"), reason="EVTXSCAN_CONFORMANCE is not set")
def test_number_of_conformance_cases() -> None:
    """What the test run says was not run, where there is no material, is what there is."""
    folder = Path(os.environ["EVTXSCAN_CONFORMANCE"])
    files = [path for path in folder.glob("*/*.jsonl") if not path.name.startswith("dataset_")]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) == CONFORMANCE_CASES
