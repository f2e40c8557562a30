"""Holds what the renderers promise: the same bytes each time, written as they come, every inference marked."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import lxml.html
import orjson
import pytest

from evtxscan.detect.verdict import Verdict
from evtxscan.errors import UsageError
from evtxscan.export.render import EVENT_FORMATS, RESULT_FORMATS, render, render_events
from evtxscan.export.result import RefusedRule, Result, explained
from tests.export import samples
from tests.export.rendering import rendered, rendered_events

GOLDEN = Path(__file__).parent / "golden"
SUFFIX = {"table": "txt"}
EMPTY = Result(findings=(), verdicts=(), sources=(), versions={"evtxscan": "0.1.0"})
DIGESTS = """
import hashlib
from tests.export import samples
from tests.export.rendering import rendered
from evtxscan.export.render import RESULT_FORMATS
for form in RESULT_FORMATS:
    print(form, hashlib.sha256(rendered(samples.result(), form)).hexdigest())
"""


@pytest.mark.parametrize("form", RESULT_FORMATS)
def test_a_result_is_written_as_before(form: str) -> None:
    # Catches any change of an export that nobody meant. EVTXSCAN_RENEW_GOLDEN=1 renews the files; read the difference.
    _compare(f"result.{SUFFIX.get(form, form)}", rendered(samples.result(), form))


@pytest.mark.parametrize("form", RESULT_FORMATS)
def test_groups_and_new_values_are_written_as_before(form: str) -> None:
    # Catches the same for what rules in KQL give.
    _compare(f"kuery.{SUFFIX.get(form, form)}", rendered(samples.kuery_result(), form))


@pytest.mark.parametrize("form", EVENT_FORMATS)
def test_events_are_written_as_before(form: str) -> None:
    # Catches the same for query.
    _compare(f"events.{SUFFIX.get(form, form)}", rendered_events(samples.result().findings, form))


@pytest.mark.parametrize("form", ["table", "csv"])
def test_hostile_results_are_written_as_before(form: str) -> None:
    # Catches a change of how hostile text is shown.
    short = [name for name in samples.HOSTILE if not name.startswith("64 KB")]
    findings = tuple(samples.hostile_finding(samples.HOSTILE[name]) for name in short)
    _compare(f"hostile.{SUFFIX.get(form, form)}", rendered(dataclasses.replace(EMPTY, findings=findings), form))


def test_exports_do_not_depend_on_the_machine() -> None:
    # Catches set order, local time, locale and terminal width in an export.
    plain = _digests(PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C", COLUMNS="80")
    other = _digests(PYTHONHASHSEED="77", TZ="Asia/Kolkata", LC_ALL="tr_TR.UTF-8", COLUMNS="203", FORCE_COLOR="1")
    assert plain == other
    assert len(plain.splitlines()) == len(RESULT_FORMATS)


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "html"])
def test_the_order_of_keys_does_not_matter(form: str) -> None:
    # Catches an export that changes with the order in which a document was put together.
    finding = samples.sysmon_finding()
    turned = dict(reversed(finding.items())) | {"process": dict(reversed(finding["process"].items()))}
    results = [dataclasses.replace(EMPTY, findings=(document,)) for document in (finding, turned)]
    assert rendered(results[0], form) == rendered(results[1], form)


@pytest.mark.parametrize("form", RESULT_FORMATS)
def test_an_empty_result_is_written(form: str) -> None:
    # Catches renderers that need a finding: most cases have none.
    assert rendered(EMPTY, form)[-1:] in (b"\n", b"") or form == "html"
    if form == "json":
        assert orjson.loads(rendered(EMPTY, form))["findings"] == []


@pytest.mark.parametrize("form", RESULT_FORMATS)
def test_a_sequence_with_a_missing_event_is_written(form: str) -> None:
    # Catches renderers that take the finding for an event.
    text = rendered(dataclasses.replace(EMPTY, findings=(samples.sequence_finding(),)), form).decode("utf-8")
    assert "cmd.exe" in text
    if form == "html":
        assert "Event 2 of the sequence: no such event" in text


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "table", "html"])
def test_findings_are_written_as_they_come(form: str) -> None:
    # Catches a renderer that collects all findings first: its memory would grow with the evidence.
    stream = io.BytesIO()
    findings = _Watched(stream, 40)
    render(dataclasses.replace(EMPTY, findings=findings), form, stream)
    assert findings.written[10] > 0
    assert findings.written[10] < findings.written[39]


def test_an_inferred_value_is_marked_in_every_export() -> None:
    # Catches an inference that reads like a record.
    result = dataclasses.replace(samples.result(), findings=(samples.security_finding(),))
    inferred = orjson.loads(rendered(result, "ndjson"))["evtxscan"]["inferred"]
    assert [entry["field"] for entry in inferred][-1] == "process.parent.command_line"
    (row,) = csv.DictReader(io.StringIO(rendered(result, "csv").decode("utf-8-sig"), newline=""))
    assert row["inferred"] == "yes"
    assert "process.parent.command_line" in row["inferred_fields"]
    assert "-s UsoSvc (inferred)" in rendered(result, "table").decode("utf-8")
    tree = lxml.html.document_fromstring(rendered(result, "html").decode("utf-8"))
    (article,) = [element for element in tree.iter("article") if element.get("id") == "finding-1"]
    marked = [row for row in article.iter("tr") if row.get("class") == "worked-out"]
    assert len(marked) == 3
    assert all("inferred, not recorded" in row.text_content() for row in marked)
    (test,) = [row for row in article.iter("tr") if "UsoSvc" in row.text_content() and row.get("class") is None][:1]
    assert "inferred, not recorded" in test.text_content()
    assert "with the command line (inferred, not recorded)" in " ".join(article.text_content().split())


def test_the_report_explains_each_verdict_and_reason_that_occurs() -> None:
    # Catches a code that a reader has to guess at.
    tree = lxml.html.document_fromstring(rendered(samples.result(), "html").decode("utf-8"))
    (section,) = [element for element in tree.iter("section") if element.get("id") == "verdicts"]
    assert len(list(section.iter("dt"))) == 4 + 8
    assert all(len(meaning.text_content()) > 40 for meaning in section.iter("dd"))


def test_every_table_of_the_report_has_scoped_headings_and_ids_are_unique() -> None:
    # Catches a report that a screen reader cannot read.
    result = samples.hostile_result()
    tree = lxml.html.document_fromstring(rendered(result, "html").decode("utf-8"))
    assert all(heading.get("scope") in ("col", "row") for heading in tree.iter("th"))
    findings = [element.get("id") for element in tree.iter("article") if element.get("class") is None]
    assert len(findings) == len(set(findings)) == len(result.findings)


def test_lost_evidence_and_refused_rules_stand_in_the_summary() -> None:
    # Catches a report whose first page sounds complete when the evidence is not.
    tree = lxml.html.document_fromstring(rendered(samples.result(), "html").decode("utf-8"))
    (section,) = [element for element in tree.iter("section") if element.get("id") == "summary"]
    assert "2 of the records found could not be read" in section.text_content()
    assert "1 of the rules could not be run" in section.text_content()


def test_a_hash_that_differs_from_acquisition_stands_in_the_summary() -> None:
    # Catches evidence that changed on its way and a report that does not say so.
    source = {**samples.result().sources[0], "expected_sha256": "0" * 64}
    page = rendered(dataclasses.replace(EMPTY, sources=(source,)), "html").decode("utf-8")
    assert "the SHA-256 differs from the one noted at acquisition" in page


@pytest.mark.parametrize("form", ["table", "html"])
def test_a_session_without_its_logon_says_why_and_keeps_what_is_known(form: str) -> None:
    # Catches a blank where the account is known from other records, and one without its reason.
    finding = samples.security_finding()
    open_session = {"logon_id": "0x77", "status": "none", "reason": "log_begins_later", "user": {"name": "akeller"}}
    finding["evtxscan"]["sessions_open"] = [open_session]
    text = rendered(dataclasses.replace(EMPTY, findings=(finding,)), form).decode("utf-8")
    assert "akeller" in text
    assert "log begins later" in text


def test_the_terminal_says_how_many_sessions_it_leaves_out() -> None:
    # Catches a list cut in silence.
    finding = samples.sysmon_finding()
    finding["evtxscan"]["sessions_open"] = [{"logon_id": f"0x{number}", "status": "none"} for number in range(9)]
    text = rendered(dataclasses.replace(EMPTY, findings=(finding,)), "table").decode("utf-8")
    assert "and 6 more sessions" in " ".join(text.split())


def test_the_terminal_names_verdicts_in_words() -> None:
    # Catches codes where people read.
    result = dataclasses.replace(EMPTY, verdicts=(Verdict("r", "h", "no_match", 3),))
    assert "no match" in rendered(result, "table").decode("utf-8")


@pytest.mark.parametrize(
    "write", [lambda: render(EMPTY, "xml", io.BytesIO()), lambda: render_events([], "html", io.BytesIO())]
)
def test_an_unknown_format_is_refused(write: Callable[[], None]) -> None:
    # Catches an export that is silently something else.
    with pytest.raises(UsageError, match="there are table"):
        write()


def test_heavy_libraries_are_imported_only_when_used() -> None:
    # Catches an import that slows down every command.
    script = "import sys, evtxscan.export.render; print(sorted({'rich', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class _Watched(Sequence[dict[str, Any]]):
    """Findings that note how much was written when each of them was asked for."""

    def __init__(self, stream: BinaryIO, count: int) -> None:
        self._stream = stream
        self._count = count
        self.written: list[int] = []

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int | slice) -> Any:  # noqa: ANN401 - the sequence's own overloads
        assert isinstance(index, int)
        self.written[index] = self._stream.tell()
        return samples.sysmon_finding()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.written = []
        for _ in range(self._count):
            self.written.append(self._stream.tell())
            yield samples.sysmon_finding()


def _digests(**environment: str) -> str:
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        env={**os.environ, **environment},
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _compare(name: str, written: bytes) -> None:
    golden = GOLDEN / name
    if os.environ.get("EVTXSCAN_RENEW_GOLDEN") == "1":
        golden.write_bytes(written)
    assert written == golden.read_bytes()


def test_rules_of_one_type_are_refused_in_one_line_and_broken_files_each_in_its_own() -> None:
    # Catches thirty lines that say the same, and a file whose name is lost among others that cannot be read either.
    types = [RefusedRule(f"{name}.toml", "no rule of this type runs", by_type=True) for name in "ab"]
    broken = [RefusedRule(f"{name}.toml", "permission denied") for name in "cd"]
    assert explained([*types, *broken]) == [
        "2 rules (evtxscan rules list names them): no rule of this type runs",
        "c.toml: permission denied",
        "d.toml: permission denied",
    ]
    assert explained(types[:1]) == ["a.toml: no rule of this type runs"]
