"""Writes the report: one HTML file that needs no network and no script, on screen and on A4.

Every value the template prints goes through ``marked`` (Jinja's ``finalize``), whether the template asks for it or not:
markup is escaped and hidden characters are written out and marked. The page's own policy allows nothing but the style
sheet in it, by hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import BinaryIO

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from evtxscan import schema
from evtxscan.export import wording
from evtxscan.export.fields import Document, plain, readable_time
from evtxscan.export.overview import overview
from evtxscan.export.result import Result
from evtxscan.export.text import segments, visible
from evtxscan.export.views import FindingView, finding_view

# Characters of a value that are shown; the record's XML below a finding holds the whole text.
MAX_VALUE = 2_000
MAX_BRIEF = 160
_LINK = re.compile(r"https?://[\w.~:/?#@!$&()*+,;=%-]+", re.ASCII)


def write_result(result: Result, stream: BinaryIO) -> None:
    """Write the report, a piece at a time."""
    environment = _environment()
    style = _style(result)
    pieces = environment.get_template("report.html.j2").generate(
        style=Markup(style),  # noqa: S704  our own file, the only data in it is escaped for CSS
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        result=result,
        overview=overview(result),
        findings=lambda: _finding_views(result.findings),
        suppressed=lambda: _finding_views(result.suppressed),
        glossary=wording.glossary(),
    )
    for piece in pieces:
        stream.write(piece.encode())


def marked(value: object) -> Markup:
    """Return a value as HTML: escaped, cut at MAX_VALUE characters, hidden characters written out and marked."""
    if isinstance(value, Markup):
        return value
    text = plain(value)
    return _mark(text[:MAX_VALUE]) + _left_out(len(text) - MAX_VALUE)


def brief(text: str) -> Markup:
    """Return text for a heading or an overview, as ``marked``, cut at MAX_BRIEF characters."""
    return _mark(text[:MAX_BRIEF]) + ("…" if len(text) > MAX_BRIEF else "")


def lines(text: str, limit: int | None = None) -> Markup:
    """Return text of several lines as HTML: line ends kept, everything else as ``marked``, whole if without limit."""
    text = text.strip("\r\n")
    shown = Markup("\n").join(_mark(line) for line in re.split("\r?\n", text[:limit]))
    return shown + _left_out(len(text) - limit) if limit is not None else shown


def paragraphs(text: str) -> list[str]:
    """Return prose with hard line ends as its paragraphs."""
    # Only ordinary blanks and line ends lay out; others are content, and are marked.
    return [re.sub("[ \t\r\n]+", " ", part.strip(" \t\r\n")) for part in re.split("\n[ \t\r]*\n", text)]


def link(address: str) -> Markup:
    """Return a web address as a link, anything else as text."""
    if not _LINK.fullmatch(address):
        return marked(address)
    return Markup('<a href="{0}" rel="noreferrer noopener">{0}</a>').format(address)


def anchor(text: str) -> str:
    """Return text as it may stand in an id of the page."""
    return re.sub("[^0-9A-Za-z]+", "-", text)


def _mark(text: str) -> Markup:
    parts = groupby(segments(text), key=itemgetter(1))
    frames = {True: Markup("<mark>{}</mark>"), False: Markup("{}")}
    return Markup("").join(frames[is_hidden].format("".join(part for part, _ in run)) for is_hidden, run in parts)


def _left_out(characters: int) -> Markup:
    return Markup(" <em>… {:,} more characters</em>").format(characters) if characters > 0 else Markup("")


def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=marked,
        loader=FunctionLoader(lambda name: schema.read_text(f"report/{name}")),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        anchor=anchor,
        brief=brief,
        duration=wording.duration,
        lines=lines,
        link=link,
        paragraphs=paragraphs,
        readable_time=readable_time,
        tojson_text=plain,
    )
    environment.globals.update(count=wording.count, max_value=MAX_VALUE)
    return environment


def _finding_views(findings: Iterable[Document]) -> Iterator[FindingView]:
    for number, finding in enumerate(findings, start=1):
        yield finding_view(number, finding)


def _style(result: Result) -> str:
    case = f"Case {visible(result.label.number)}" if result.label.number else ""
    tool = f"evtxscan {result.versions.get('evtxscan', '')}"
    style = schema.read_text("report/report.css")
    return style.replace('"@case"', _css_string(case)).replace('"@tool"', _css_string(tool))


def _css_string(text: str) -> str:
    return '"' + "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):x} " for c in text) + '"'
