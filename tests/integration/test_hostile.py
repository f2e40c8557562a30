"""Logs that an attacker wrote into, from the bytes to every output."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any
from uuid import UUID

import lxml.html
import pytest

from evtxscan.casework import Filters, query, settled
from evtxscan.eql.documents import flatten
from tests.evtxmaker import Event, EventTemplate, Field, Provider
from tests.export.samples import HOSTILE
from tests.export.schemas import faults
from tests.integration import logs
from tests.integration.command import environment, evtxscan

HIJACKED = f"{logs.SVCHOST} -k netsvcs -p -s UsoSvc"
# A record holds 64 KB at most, in UTF-16: half of it in characters.
TEXTS = {name: text[:30_000] for name, text in HOSTILE.items()} | {
    "nothing but controls": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "markup of XML": "&lt;a&gt; &amp; <![CDATA[x]]> --> <?pi?>",
    "no characters": "\uffff\ufffe\ufdd0",
    "surrogates in the wrong order": "x\udc00\ud800y",
    "astral": "\U0001f600 \U0001d518",
    "SQL": "'; DROP TABLE event; --",
    "format": "%s %n {0} {x.__class__} ${HOME} $(id) `id`",
    "blanks": "  x  ",
}
ODD_NAMES = [
    "a.b",
    'a"b',
    "a'b",
    "a\\b",
    "$c",
    "$",
    "x y",
    "@e",
    "a[0]",
    "*",
    "<i>",
    "\u202ef",
    "\x1bg",
    "%h",
    "\u00e9\u00e8",
    "event_data",
    "process",
    "process.name",
    "process.name.x",
    "') OR 1=1 --",
    "=1+1",
    "__class__",
]
HOST = "EVIL\x1b[2J<b>\u202e=1+1.corp"


def recorded(text: str) -> str:
    """Return what is left of a text when two parsers have read it: the price of their common notation.

    A value ends at NUL, as Windows' own do; halves of surrogate pairs are no characters; line ends become LF.
    """
    whole = text.partition("\0")[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return whole.replace("\r\n", "\n")


def odd_event() -> Event:
    provider = Provider("Made-Up-<script>", UUID(int=5))
    kind = EventTemplate(provider, "=Made/Up\x1b[31m", 77, fields=tuple(map(Field, ODD_NAMES)))
    return Event(kind, logs.START, logs.HOST, [f"value {number}" for number in range(len(ODD_NAMES))])


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of hostile logs, and what a hostile colleague wrote on it."""
    folder = tmp_path_factory.mktemp("hostile")
    starts = [
        logs.process_start(
            number, CommandLine=text, ParentImage=logs.SVCHOST, ParentCommandLine=HIJACKED, User=text[:200]
        )
        for number, text in enumerate(TEXTS.values())
    ]
    other = logs.process_start(len(starts), host=HOST, ParentImage=logs.SVCHOST, ParentCommandLine=HIJACKED)
    logs.write(folder / "evidence" / "log.evtx", [*starts, other, odd_event()])
    case = folder / "case.db"
    label = (
        "--examiner",
        "\x1b[31mR. <script>",
        "--case-number",
        "=1+1",
        "--notes",
        "a\nb\u202e",
        "--exhibit",
        "\x9b<i>",
    )
    evtxscan("ingest", folder / "evidence", "--case", case, *label)
    return case


@pytest.fixture(scope="session")
def found(case: Path) -> list[dict[str, Any]]:
    return evtxscan("query", "any where true", "--case", case, "--format", "ndjson").lines


def test_every_text_reaches_json_as_it_was_recorded(case: Path, found: list[dict[str, Any]]) -> None:
    """Catches a value that is escaped for one place and stays so, or is cut, on its way through the case."""
    lines = {int(event["winlog"]["record_id"]): event for event in found}
    for number, (name, text) in enumerate(TEXTS.items(), 1):
        event = lines[number]
        assert event["process"]["command_line"] == recorded(text), name
        assert faults("event", event) == []
    other = lines[len(TEXTS) + 1]
    assert other["host"]["name"] == HOST
    assert other["host"]["id"] == HOST.lower()


def test_odd_field_names_keep_their_values_and_can_be_asked_for(case: Path, found: list[dict[str, Any]]) -> None:
    """Catches a field name that ends a path, an SQL text or a document early."""
    (odd,) = [event for event in found if event["event"]["code"] == "77"]
    told = {name: values for name, values in flatten(odd).items() if name.startswith("winlog.event_data.")}
    assert told == {f"winlog.event_data.{name}": (f"value {number}",) for number, name in enumerate(ODD_NAMES)}
    for number, name in enumerate(ODD_NAMES):
        (answer,) = ask(case, f'any where winlog.event_data.`{name}` == "value {number}"')
        assert answer["event"]["code"] == "77", name
        for other in ("value x", f"VALUE {number}"):
            assert ask(case, f'any where winlog.event_data.`{name}` == "{other}"') == [], name
    for name in ('"', "') OR 1=1 --x", "\\", '" OR ""="'):
        assert ask(case, f"any where host.`{name}` != null") == []
        assert ask(case, f"any where winlog.event_data.`{name}` != null") == []


def ask(case: Path, text: str) -> list[dict[str, Any]]:
    """Run a query in this process."""
    with settled(case) as opened:
        return list(query(opened, text, Filters()))


def literal(text: str) -> str:
    """Return a text as a string of EQL."""
    escaped = "".join(f"\\u{{{ord(c):02x}}}" if c in '"\\' or not c.isprintable() else c for c in text)
    return f'"{escaped}"'


def test_every_text_can_be_asked_for(case: Path) -> None:
    """Catches a text that a query cannot name or that a pattern's special characters change."""
    texts = [recorded(text) for text in TEXTS.values()]
    for name, text in zip(TEXTS, texts, strict=True):
        if len(text) > 5_000:
            condition = f"length(process.command_line) == {len(text)}"
            condition += f" and startsWith(process.command_line, {literal(text[:50])})"
        else:
            condition = f"process.command_line == {literal(text)}"
        answers = ask(case, f"process where {condition}")
        same = [number for number, other in enumerate(texts, 1) if other == text]
        assert [int(answer["winlog"]["record_id"]) for answer in answers] == same, name


STEERING = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def steering(text: str) -> set[str]:
    """Return the characters of a text that steer or hide, apart from line feeds."""
    return {character for character in set(text) - {"\n"} if unicodedata.category(character) in STEERING}


def event_id(found: list[dict[str, Any]], number: int) -> str:
    return str(next(e["evtxscan"]["event"]["id"] for e in found if int(e["winlog"]["record_id"]) == number))


def test_tables_are_harmless_when_piped(case: Path, found: list[dict[str, Any]]) -> None:
    """Catches text that steers the terminal it is shown on later."""
    odd = len(TEXTS) + 2
    evidence = case.parent / "evidence"
    asked: list[list[str | Path]] = [
        ["detect"],
        ["query", "any where true"],
        ["info", "-v"],
        ["ingest", evidence, "-v"],
    ]
    asked += [["show", event_id(found, number)] for number in (1, 7, odd - 1, odd)]
    for words in asked:
        text = evtxscan(*words, "--case", case).out.decode()
        assert steering(text) == set(), words
    assert r"\x1b]0;owned\x07" in evtxscan("query", "any where true", "--case", case).out.decode()


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_tables_are_harmless_on_a_terminal(case: Path) -> None:
    """Catches the same where colours are on: the only escape sequences are our own colours."""
    import pty

    for words in (["detect"], ["query", "any where true"], ["info", "-v"]):
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "evtxscan", *words, "--case", case],
            env=environment({"TERM": "xterm-256color"}),
            stdout=theirs,
            stderr=theirs,
            stdin=subprocess.DEVNULL,
        ) as running:
            os.close(theirs)
            seen = b""
            while piece := read(ours):
                seen += piece
            assert running.wait(60) == 0
        os.close(ours)
        text = re.sub(r"\x1b\[[0-9;]*m", "", seen.decode().replace("\r\n", "\n"))
        assert steering(text) == set(), words


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux says so when the other side is closed
        return b""


def test_csv_is_harmless(case: Path) -> None:
    """Catches a cell that a spreadsheet would run, and a line that a value breaks."""
    for words in (["detect"], ["query", "any where true"]):
        text = evtxscan(*words, "--case", case, "--format", "csv").out.decode("utf-8-sig")
        assert steering(text.replace("\r\n", "\n")) == set()
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len(rows) == len(TEXTS) + (2 if words == ["detect"] else 3)
        assert len({len(row) for row in rows}) == 1
        assert not [cell for row in rows for cell in row if re.match('[ "]*[=+\\-@\t\r\uff1d]', cell)]


def test_html_is_harmless(case: Path) -> None:
    """Catches markup of the evidence that becomes markup of the report."""
    page = evtxscan("detect", "--case", case, "--format", "html").out.decode()
    root = lxml.html.document_fromstring(page)
    tags = {element.tag for element in root.iter() if isinstance(element.tag, str)}
    assert not tags & {"script", "img", "svg", "iframe", "object", "embed", "link", "base", "form", "b", "i"}
    for element in root.iter():
        for name, value in element.items():
            assert not str(name).startswith("on")
            assert not str(value).strip().lower().startswith("javascript:")
    assert "<script>alert(1)</script>" in "".join(map(str, root.itertext()))
    assert steering(page) == set()


def test_detection_finds_every_hostile_start(case: Path) -> None:
    """Catches a hijack that hides behind what it wrote into its own command line."""
    done = evtxscan("detect", "--case", case, "--format", "json")
    assert faults("detect", done.json) == []
    found = {int(finding["winlog"]["record_id"]) for finding in done.json["findings"]}
    assert found == set(range(1, len(TEXTS) + 2))
    lines = evtxscan("detect", "--case", case, "--format", "ndjson").lines
    assert lines == done.json["findings"]
    for line in lines:
        assert faults("finding", line) == []


def test_rules_may_be_hostile_too(case: Path, tmp_path: Path) -> None:
    """Catches the text of a rule file, which comes from the net, on its way to a terminal or a report."""
    evil = "\\u001b[31m<script>alert(1)</script>=1+1\\u202e"
    rule = tmp_path / "x\x1b[31m.toml"
    rule.write_text(
        f'[rule]\nrule_id = "{evil}"\nname = "{evil}"\ntype = "eql"\nlanguage = "eql"\nseverity = "low"\n'
        f'risk_score = 1\nauthor = ["{evil}"]\nlicense = "{evil}"\nreferences = ["javascript:alert(1)", "{evil}"]\n'
        f'description = "{evil}"\nfalse_positives = ["{evil}"]\nnote = "{evil}"\nversion = "{evil}"\n'
        "query = 'any where event.code == \"77\"'\n"
        f'[[rule.threat]]\nframework = "{evil}"\n[rule.threat.tactic]\nid = "{evil}"\nname = "{evil}"\n'
        f'reference = "javascript:alert(1)"\n'
    )
    (tmp_path / "broken\x1b[31m.toml").write_text('[rule]\nname = "\x1b[31m"\n')
    for form in ("table", "csv", "html", "json", "ndjson"):
        done = evtxscan("detect", "--case", case, "--rules", tmp_path, "--format", form)
        text = done.out.decode("utf-8-sig").replace("\r\n", "\n")
        assert "\x1b" not in text + done.message
        if form == "html":
            root = lxml.html.document_fromstring(text)
            assert not list(root.iter("script"))
            assert not [e for e in root.iter() if "javascript" in str(e.get("href"))]
        if form == "json":
            assert done.json["findings"][0]["evtxscan"]["rule"]["name"] == json.loads(f'"{evil}"')
    assert "\x1b" not in evtxscan("info", "--case", case).out.decode()


def test_errors_show_hostile_text_safely(case: Path, tmp_path: Path) -> None:
    """Catches the part of a message that quotes what was given."""
    given: list[list[str | Path]] = [
        ["query", "any where \x1b[31m", "--case", case],
        ["query", "any where process.name == \"\x1b[31m", "--case", case],
        ["query", "any where true", "--from", "\x1b[31m", "--case", case],
        ["show", "\x1b[31m", "--case", case],
        ["info", "--case", tmp_path / "\x1b[31m.db"],
        ["ingest", tmp_path / "\x1b[31m", "--case", tmp_path / "x.db"],
        ["detect", "--rules", tmp_path / "\x1b[31m", "--case", case],
    ]  # fmt: skip
    for words in given:
        done = evtxscan(*words, code=None)
        assert done.code in (1, 2)
        assert "\x1b" not in done.message
