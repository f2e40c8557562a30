"""A command line with escape sequences, ``=cmd|...``, ``<script>`` and bidi controls is harmless everywhere."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import re
import unicodedata

import lxml.html
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.export.csv import MAX_CELL, read_cell, write_cell
from evtxscan.export.html import paragraphs
from evtxscan.export.render import render, render_events
from evtxscan.export.result import CaseLabel
from evtxscan.export.text import visible
from tests.export import samples
from tests.export.rendering import Terminal, rendered, rendered_events

HOSTILE = samples.hostile_result()
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
STEERING = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
FORMULA = re.compile('[ "]*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]')
ELEMENTS = """
    html head meta title style body header main nav section article h1 h2 h3 h4 p a ol ul li dl dt dd div span strong em
    code pre br mark table caption thead tbody tfoot tr th td details summary"""
ATTRIBUTES = """
    lang charset http-equiv content name class id href rel scope rowspan colspan tabindex open aria-label"""


def steering(text: str) -> set[str]:
    """Return the characters of text that steer or hide, apart from line feeds."""
    return {character for character in set(text) - {"\n"} if unicodedata.category(character) in STEERING}


@pytest.mark.parametrize("events", [False, True], ids=["detect", "query"])
def test_hostile_text_is_harmless_when_piped(events: bool) -> None:
    # Catches text that reaches a terminal later (less -R, cat of a saved file), and markup that rich interprets.
    written = rendered_events(HOSTILE.findings, "table") if events else rendered(HOSTILE, "table")
    text = written.decode("utf-8")
    assert steering(text) == set()
    assert r"\x1b]0;owned\x07" in text
    assert "[bold red]fake[/bold red] :boom:" in text


@pytest.mark.parametrize("events", [False, True], ids=["detect", "query"])
def test_hostile_text_is_harmless_on_a_terminal(events: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # Catches the same where colours are on: the only escape sequences are our own colours.
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    if events:
        render_events(HOSTILE.findings, "table", stream)
    else:
        render(HOSTILE, "table", stream)
    text = stream.getvalue().decode("utf-8")
    assert COLOURS.search(text)
    assert steering(COLOURS.sub("", text)) == set()
    assert "[bold red]fake[/bold red]" in text


@pytest.mark.parametrize("events", [False, True], ids=["detect", "query"])
def test_hostile_text_is_harmless_in_csv(events: bool) -> None:
    # Catches cells that a spreadsheet runs, in whatever way it splits the line, and lines that break.
    written = rendered_events(HOSTILE.findings, "csv") if events else rendered(HOSTILE, "csv")
    text = written.decode("utf-8-sig")
    assert steering(text.replace("\r\n", "\n")) == set()
    lines = text.split("\r\n")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == len(lines) - 1 == len(HOSTILE.findings) + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    for row in rows:
        for cell in row:
            assert not FORMULA.match(cell)
            assert len(cell) <= MAX_CELL
    for line in lines:  # as Excel reads it where lists are separated by semicolons
        assert not [piece for piece in line.split(";")[1:] if FORMULA.match(piece)]


def test_csv_gives_the_command_line_back() -> None:
    # Catches a neutralisation that cannot be undone: the CSV would hold other text than the evidence.
    rows = csv.DictReader(io.StringIO(rendered(HOSTILE, "csv").decode("utf-8-sig"), newline=""))
    for row, (name, text) in zip(rows, samples.HOSTILE.items(), strict=False):  # groups and new values come after
        if not name.startswith("64 KB"):
            assert read_cell(row["command_line"]) == text


@given(st.text(st.characters(codec=None) | st.sampled_from("\\x3b;=+-@'\" \x1b"), max_size=50))
def test_every_cell_can_be_undone(text: str) -> None:
    # Catches two texts that become the same cell.
    assert read_cell(write_cell(text)) == text


def test_a_cell_that_is_too_long_is_cut_and_says_so() -> None:
    # Catches text that Excel would let run over into cells of its own, where it can start a formula.
    cell = write_cell("\x1b" * 65_536)
    assert len(cell) <= MAX_CELL
    assert cell.endswith("…[cut: 65,536 characters in all]")
    assert re.fullmatch(r"(\\x1b)+ …\[.*", cell)


def test_hostile_text_is_harmless_in_html() -> None:
    # Catches a value printed without being escaped, in text, attribute, style sheet or link.
    page = rendered(HOSTILE, "html").decode("utf-8")
    assert steering(page) == set()
    tree = lxml.html.document_fromstring(page)
    for element in tree.iter():
        assert element.tag in ELEMENTS.split(), lxml.html.tostring(element)[:200]
        assert set(element.attrib) <= set(ATTRIBUTES.split()), dict(element.attrib)
        assert re.match(r"#|https?://|\Z", element.get("href", "")), element.get("href")
    shown = "".join(tree.itertext())
    for text in samples.HOSTILE.values():
        assert visible(text[:1_000]) in shown
    assert "49" not in [code.text for code in tree.iter("code")]  # {{ 7*7 }} is text, not a template


def test_the_page_allows_its_own_style_sheet_and_nothing_else() -> None:
    # Catches a policy that would let a script run, were one to slip in, and one that blocks our own style.
    tree = lxml.html.document_fromstring(rendered(HOSTILE, "html").decode("utf-8"))
    (style,) = tree.iter("style")
    (policy,) = [meta.get("content") for meta in tree.iter("meta") if meta.get("http-equiv")]
    digest = base64.b64encode(hashlib.sha256((style.text or "").encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in (style.text or "")
    assert "@import" not in (style.text or "")


def test_a_case_number_stays_inside_its_quotes_in_the_style_sheet() -> None:
    # Catches the one value that reaches CSS (the page header) breaking out of it.
    number = '"; } body { display: none } </style><script>alert(1)</script>\\'
    result = dataclasses.replace(HOSTILE, findings=(), label=CaseLabel(number=number))
    tree = lxml.html.document_fromstring(rendered(result, "html").decode("utf-8"))
    (style,) = tree.iter("style")
    assert not list(tree.iter("script"))
    assert "display: none" not in (style.text or "")
    assert r'content: "Case\20 \22 \3b \20 ' in (style.text or "")


def test_prose_of_a_rule_loses_only_its_line_ends() -> None:
    # Catches hidden blanks that vanish where prose is set anew.
    assert paragraphs("one\r\n  two\n \nthree\u00a0\u2028four\n") == ["one two", "three\u00a0\u2028four"]


def test_a_test_of_several_lines_keeps_them() -> None:
    # Catches the rule's own line ends shown as if they were hidden characters of the evidence.
    finding = samples.sysmon_finding()
    tree = lxml.html.document_fromstring(
        rendered(dataclasses.replace(HOSTILE, findings=(finding,)), "html").decode("utf-8")
    )
    shown = [code.text_content() for code in tree.iter("code") if code.get("class") == "lines"]
    assert 'not process.name : (\n"UsoClient.exe",\n"WerFault.exe"\n)' in shown


def test_hidden_characters_are_marked_in_html() -> None:
    # Catches escapes that a reader cannot tell from the text around them.
    tree = lxml.html.document_fromstring(rendered(HOSTILE, "html").decode("utf-8"))
    marks = {mark.text for mark in tree.iter("mark")}
    assert {r"\u202e", r"\x0d\x0a", r"\x00", r"\ud800"} <= marks


@pytest.mark.parametrize("name", samples.HOSTILE)
def test_json_keeps_hostile_text_as_it_is(name: str) -> None:
    # Catches an export for programs that is changed for people, and one that a lone surrogate stops.
    finding = samples.hostile_finding(samples.HOSTILE[name])
    line = rendered_events([finding], "ndjson")
    assert line.count(b"\n") == 1
    if name == "lone surrogate":
        assert rb"a\ud800b" in line
    else:
        assert orjson.loads(line) == finding
