"""NDJSON of event documents as evidence: found, counted, mapped, matched, shown and verified as records are."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evtxscan import eql
from evtxscan.evidence.ndjson import BLOCK_SIZE
from tests.integration import content
from tests.integration.command import EVIDENCE, Done, evtxscan
from tests.integration.test_again import ingest, totals
from tests.ndjson.made import defend, defend_documents, lines, raw_documents

Document = dict[str, Any]
# Where a document lies, and what Winlogbeat adds to one or leaves out of it: it has Windows' names of tasks.
_ELSEWHERE = ("agent.", "evtxscan.", "host.os.build", "message", "winlog.task", "event.action")


def documents(case: Path, query: str = "any where true", *words: str) -> list[Document]:
    return evtxscan("query", query, "--case", case, "--format", "ndjson", *words).lines


def without_ours(document: Document) -> Document:
    return {name: value for name, value in document.items() if name != "evtxscan"}


def flat(document: Document, prefix: str = "") -> Document:
    found: Document = {}
    for name, value in document.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped evidence as Winlogbeat would have shipped it: all logs and hosts in one file."""
    path = tmp_path_factory.mktemp("raw") / "winlogbeat.ndjson"
    path.write_bytes(lines(raw_documents(EVIDENCE)))
    return path


@pytest.fixture(scope="session")
def raw_case(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of it; only to be read."""
    case = tmp_path_factory.mktemp("raw-case") / "case.db"
    assert totals(ingest(case, raw)) == (460, 460, 0)
    assert content.faults(case) == []
    return case


@pytest.fixture(scope="session")
def defended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Defend's documents."""
    path = tmp_path_factory.mktemp("defend") / "endpoint.ndjson"
    path.write_bytes(lines(defend_documents()))
    return path


def test_raw_documents_have_the_fields_of_their_records(raw_case: Path, events: list[Document]) -> None:
    """Catches a field that a document has and its record not, or in another form."""

    def known(found: list[Document]) -> dict[tuple[str, str, str], Document]:
        rows = [flat(document) for document in found]
        return {
            (row["host.name"], row["winlog.channel"], str(row["winlog.record_id"])): {
                name: str(value)[:23] if name in ("@timestamp", "winlog.time_created") else value
                for name, value in row.items()
                if not name.startswith(_ELSEWHERE)
            }
            for row in rows
        }

    recorded, ours = known(events), known(documents(raw_case))
    assert len(recorded) == 460
    assert ours.keys() == recorded.keys()
    for key, expected in recorded.items():
        got = ours[key]
        for name in ("@timestamp", "winlog.time_created"):
            if name in expected:
                assert expected.pop(name).startswith(got.pop(name)[:-1])
        assert got == expected


def test_raw_documents_keep_what_the_mapping_says_nothing_of(raw_case: Path) -> None:
    found = documents(raw_case, 'any where agent.type == "winlogbeat" and host.os.build : "190*" and message : "Rend*"')
    assert len(found) == 460
    assert found[0]["agent"] == {"id": "6f1c", "type": "winlogbeat", "version": "9.1.2"}


def test_findings_of_raw_documents_are_those_of_the_records(raw_case: Path, detection: Done) -> None:
    """Lineage, sessions and boots included. Catches documents that context does not understand."""

    def told(findings: list[Document]) -> list[Document]:
        rows = []
        for finding in findings:
            ours = finding["evtxscan"]
            row = flat(without_ours(finding))
            row["session"] = {name: ours["session"][name] for name in ("logon_id", "status", "end_reason")}
            row["parents"] = [(p["executable"], p["pid"], p["how"], p["method"]) for p in ours["parents"]]
            row["witnesses"] = len(ours.get("witnesses", []))
            row["inferred"] = [(e["field"], e["value"], e["method"]) for e in ours.get("inferred", [])]
            row["matched"] = ours["matched"]
            row["logons"] = [(s["logon_id"], s["logon_type"]) for s in ours["logons_before"]]
            times = ("@timestamp", "winlog.time_created")
            rows.append({n: str(v)[:22] if n in times else v for n, v in row.items() if not n.startswith(_ELSEWHERE)})
        return rows

    result = evtxscan("detect", "--case", raw_case, "--format", "json").json
    expected = detection.json
    assert told(result["findings"]) == told(expected["findings"])
    assert len(result["findings"]) == 6
    assert [v["verdict"] for v in result["verdicts"]] == [v["verdict"] for v in expected["verdicts"]]


def test_own_exports_come_back_as_they_are(scenario: Path, tmp_path: Path) -> None:
    """Documents that are mapped already. Catches any field that is lost, added or changed."""
    exported = tmp_path / "export.ndjson"
    words = ("query", "any where true", "--case", scenario, "--format", "ndjson", "--observed-only", "--output")
    evtxscan(*words, exported)
    evtxscan(*words, exported)  # what evtxscan wrote it may write again
    assert totals(ingest(tmp_path / "case.db", exported)) == (460, 460, 0)
    back = documents(tmp_path / "case.db", "any where true", "--observed-only")
    key = json.dumps
    expected = [json.loads(line) for line in exported.read_bytes().splitlines()]
    assert sorted(key(without_ours(one), sort_keys=True) for one in back) == sorted(
        key(without_ours(one), sort_keys=True) for one in expected
    )


def test_own_exports_in_a_folder_are_no_evidence(scenario: Path, tmp_path: Path) -> None:
    """Catches findings that are ingested because they lie beside the logs."""
    folder = tmp_path / "evidence"
    shutil.copytree(EVIDENCE, folder)
    evtxscan("detect", "--case", scenario, "--format", "ndjson", "--output", folder / "findings.ndjson")
    summary = ingest(tmp_path / "case.db", folder)
    assert totals(summary) == (460, 460, 0)
    assert "export of evtxscan" in {s["path"]: s["reason"] for s in summary["skipped"]}["findings.ndjson"]


def test_evidence_is_not_overwritten(raw_case: Path, raw: Path) -> None:
    done = evtxscan("query", "any where true", "--case", raw_case, "--output", raw, code=2)
    assert "will not be overwritten" in done.message


def test_a_hijack_in_documents_of_defend(defended: Path, tmp_path: Path) -> None:
    case = tmp_path / "case.db"
    assert totals(ingest(case, defended)) == (5, 5, 0)
    (finding,) = evtxscan("detect", "--case", case, "--format", "ndjson").lines
    ours = finding["evtxscan"]
    assert finding["process"]["name"] == "evil.exe"
    assert "inferred" not in ours
    assert [(p["method"], p["pid"]) for p in ours["parents"]] == [("sysmon_guid", 700), ("child_record", 4)]
    (child,) = documents(case, 'process where process.parent.args == "a b"')
    assert {entry["method"] for entry in child["evtxscan"]["inferred"]} == {"sysmon_guid"}
    assert documents(case, 'process where process.parent.args == "a b"', "--observed-only") == []


_QUERIES = [
    "process where process.Ext.relative_file_creation_time <= 500",
    "process where process.Ext.code_signature.exists == false and process.code_signature.exists == false",
    'process where process.Ext.token.integrity_level_name : "SYS*"',
    "process where process.code_signature.trusted == true",
    "process where not process.code_signature.trusted == true",
    'any where cidrMatch(host.ip, "10.0.0.0/8", "fe80::/10") and host.id == "0c6f"',
    'any where event.action in ("start", "end") and data_stream.dataset : "endpoint.*"',
    'process where process.args : "a b" and process.args_count >= 2',
    'process where process.parent.args : "UsoSvc" and process.parent.name == "svchost.exe"',
    "network where destination.port == 443 and process.pid > 100",
    "any where process.parent.pid == null",
    "any where length(process.command_line) > 20",
    'any where host.id == "0c6f" and event.id != "N002"',
    'sequence by process.entity_id with maxspan=1m [process where event.action == "start"]'
    ' [network where true] until [process where event.type == "end"]',
    'sequence by host.id [process where process.name : "svchost.exe"] by process.entity_id'
    " [process where true] by process.parent.entity_id",
]


@pytest.mark.parametrize("query", _QUERIES)
def test_queries_find_what_elasticsearch_would(query: str, defended: Path, tmp_path: Path) -> None:
    """The oracle is the engine in memory over the documents themselves, which Elastic's own tests check."""
    given = [json.loads(line) for line in defended.read_bytes().splitlines()]
    # A field that is a number in some documents and missing in others, a text for a number, a list for one value.
    given.append(defend(6, "process", "start", {"pid": "950", "name": ["a.exe", "b.exe"], "entity_id": "E"}))
    given.append(defend(7, "process", "start", {"name": "x.exe", "executable": "C:\\other\\y.exe", "args_count": 9}))
    path = tmp_path / "documents.ndjson"
    path.write_bytes(lines(given))
    ingest(tmp_path / "case.db", path)
    expected = [
        [event["event"]["id"] for event in (found.events if isinstance(found, eql.Sequence) else [found])]
        for found in eql.run(query, given)
    ]
    got = [
        [event["event"]["id"] for event in found["evtxscan"].get("events", [found])]
        for found in documents(tmp_path / "case.db", query, "--observed-only")
    ]
    assert got == expected


def test_the_way_back(defended: Path, tmp_path: Path) -> None:
    """Catches a line whose number, offset, size or hash is not that of its bytes."""
    padded = tmp_path / "padded.ndjson"
    padded.write_bytes(b"\xef\xbb\xbf" + (defended.read_bytes() + b"\n  \n").replace(b"\n", b"\r\n") * 40)
    case = tmp_path / "case.db"
    assert totals(ingest(case, padded)) == (200, 5, 195)
    data = padded.read_bytes()
    found = documents(case)
    assert len(found) == 5
    for event in found:
        places = event["evtxscan"]["provenance"]
        assert len(places) == 40
        for place in places:
            line = place["line"]
            text = data[line["offset"] : line["offset"] + line["size"]]
            assert json.loads(text)["event"]["id"] == event["event"]["id"]
            assert hashlib.sha256(text).hexdigest() == line["sha256"]
            assert data[: line["offset"]].count(b"\n") + 1 == line["number"]
    assert content.faults(case) == []
    first = min(found[0]["evtxscan"]["provenance"], key=lambda place: place["line"]["number"])
    shown = evtxscan("show", found[0]["evtxscan"]["event"]["id"], "--case", case, "--format", "json").json
    assert json.loads(shown["evtxscan"]["raw_json"]) == without_ours(shown)
    table = evtxscan("show", found[0]["evtxscan"]["event"]["id"], "--case", case).out.decode()
    assert f"line {first['line']['number']:,} (byte {first['line']['offset']:,})" in table


def test_again_grown_and_in_containers(raw: Path, tmp_path: Path) -> None:
    """Every line once, whatever holds it. Catches blocks of a stream that differ from those of a file."""
    case, data = tmp_path / "case.db", raw.read_bytes()
    cut = data.index(b"\n", len(data) // 2) + 1
    early = tmp_path / "early.ndjson"
    early.write_bytes(data[: cut + 40])  # inside a line
    first = evtxscan("ingest", early, "--case", case, "--format", "json", code=3).json["totals"]
    assert (first["found"], first["lost"]) == (first["stored"] + 1, 1)
    known = first["stored"]
    assert totals(ingest(case, raw)) == (460, 460 - known, known)
    assert totals(ingest(case, raw)) == (460, 0, 460)
    shifted = tmp_path / "shifted.ndjson"
    shifted.write_bytes(b"\n" * 1000 + data)
    assert totals(ingest(case, shifted)) == (460, 0, 460)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.add(raw, "logs/winlogbeat.ndjson")
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive_zip:
        archive_zip.write(raw, "w.ndjson")
        archive_zip.writestr("inner.tar.gz", stream.getvalue())
        archive_zip.writestr("w.ndjson.gz", gzip.compress(data))
        archive_zip.writestr("config.json", b'{"a": 1}')
    inside = ingest(case, tmp_path / "all.zip")
    assert totals(inside) == (1380, 0, 1380)
    assert {source["sha256"] for source in inside["sources"]} == {hashlib.sha256(data).hexdigest()}
    assert [skipped["path"] for skipped in inside["skipped"]] == ["all.zip/config.json"]
    assert content.faults(case) == []
    assert len(documents(case)) == 460
    assert evtxscan("verify", "--all", "--case", case, "--format", "json").json["totals"]["records"]["agrees"] > 460


def test_results_do_not_depend_on_order_or_workers(raw: Path, defended: Path, tmp_path: Path) -> None:
    """With lines that two files share."""
    big, half = tmp_path / "a.ndjson", tmp_path / "b.ndjson"
    data = raw.read_bytes()
    big.write_bytes(data.replace(b"6f1c", b"6f1d") * 9 + data + defended.read_bytes())
    half.write_bytes(b"".join(data.splitlines(keepends=True)[::2]))
    outputs = []
    for number, (paths, jobs) in enumerate([((big, half), "1"), ((half, big), "3")]):
        case = tmp_path / f"{number}.db"
        for path in paths:
            evtxscan("ingest", path, "--case", case, "--jobs", jobs, "--quiet")
        outputs.append(evtxscan("query", "any where true", "--case", case, "--format", "ndjson").out)
        outputs.append(evtxscan("detect", "--case", case, "--format", "json").out)
        assert content.faults(case) == []
    assert outputs[:2] == outputs[2:]


def test_only_some_categories_and_the_rest_later(raw: Path, raw_case: Path, tmp_path: Path) -> None:
    case = tmp_path / "case.db"
    partial = ingest(case, raw, only="process")
    assert partial["totals"]["filtered"] > 0
    assert {tuple(event["event"]["category"]) for event in documents(case)} <= {("process",), ("process", "library")}
    ingest(case, raw)
    assert content.faults(case) == []
    assert documents(case) == documents(raw_case)


def test_lost_lines_are_named(tmp_path: Path) -> None:
    good = lines([defend(1, "process", "start", {"name": "a.exe"})])
    bad = [
        b"no json", b'{"@timestamp":"x","event":{"kind":"event"}}',
        b'{"@timestamp":null,"event":{"kind":"event"}}', b'{"event":{"kind":"event"}}', b"[1]", b"\0" * 9,
        b'{"@timestamp":"2024-05-01T10:00:00Z","event":{"kind":"event"},"a":' + b"[" * 400 + b"]" * 400 + b"}",
        b'{"@timestamp":"2024-05-01T10:00:00Z","event":{"kind":"event"},"a":"' + b"x" * (9 << 20) + b'"}',
        b'{"@timestamp":"2024-05-01T10:00:00Z","event":{"ki',
    ]  # fmt: skip
    path = tmp_path / "hostile.ndjson"
    path.write_bytes(good + b"\n".join(bad))
    done = evtxscan("ingest", path, "--case", tmp_path / "case.db", "--format", "json", code=3)
    (source,) = done.json["sources"]
    assert (source["found"], source["stored"], source["lost"]) == (10, 1, 9)
    data = path.read_bytes()
    for number, loss in enumerate(source["losses"], 2):
        assert loss["line"] == number
        assert data[: loss["byte"]].count(b"\n") == number - 1
        assert data[loss["byte"] - 1 : loss["byte"]] == b"\n"
    reasons = "no_json no_time no_time not_a_document not_a_document no_json too_deep line_too_long no_json"
    assert [loss["reason"] for loss in source["losses"]] == reasons.split()
    assert content.faults(tmp_path / "case.db") == []
    assert b"line 2 (byte " in evtxscan("ingest", path, "--case", tmp_path / "other.db", code=3).out


def test_verify_sees_a_changed_line_and_a_changed_case(raw: Path, tmp_path: Path) -> None:
    evidence, case = tmp_path / "w.ndjson", tmp_path / "case.db"
    shutil.copyfile(raw, evidence)
    ingest(case, evidence)
    evtxscan("detect", "--case", case, "--quiet")
    assert evtxscan("verify", "--case", case, "--format", "json").json["totals"]["conclusion"] == "confirmed"
    data = evidence.read_bytes()
    at = data.index(b"whoami")
    evidence.write_bytes(data[:at] + b"WHOAMI" + data[at + 6 :])
    changed = evtxscan("verify", "--all", "--case", case, "--format", "json", code=1).json
    (different,) = [record for record in changed["records"] if record["outcome"] != "agrees"]
    (difference,) = different["differences"]
    assert difference["second"] == difference["first"].replace("whoami", "WHOAMI")
    evidence.write_bytes(data)
    with closing(sqlite3.connect(case)) as db:
        db.execute("UPDATE value SET text = replace(text, 'whoami', 'hostname') WHERE text LIKE '%whoami%'")
        db.commit()
    altered = evtxscan("verify", "--case", case, "--format", "json", code=1).json
    assert altered["totals"]["findings"]["differs"] >= 1
    evidence.unlink()
    gone = evtxscan("verify", "--all", "--case", case, "--format", "json", code=1).json
    assert gone["totals"]["records_against_case"] == 460


def test_a_record_and_its_document_are_two_events_and_one_fact(
    tmp_path: Path, raw: Path, scenario: Path, detection: Done
) -> None:
    """Catches boots, sessions, processes and findings that are there twice because the evidence tells of them twice."""
    contexts = []
    for number, paths in enumerate([(EVIDENCE, raw), (raw, EVIDENCE)]):
        case = tmp_path / f"{number}.db"
        for path in paths:
            ingest(case, path)
        assert content.faults(case) == []
        assert len(documents(case)) == 920
        found = evtxscan("detect", "--case", case, "--format", "json").json["findings"]
        expected = detection.json["findings"]
        assert [f["evtxscan"]["finding"]["id"] for f in found] == [f["evtxscan"]["finding"]["id"] for f in expected]
        for one, other in zip(found, expected, strict=True):
            for part in ("session", "parents", "logons_before", "sessions_open", "inferred", "witnesses"):
                assert one["evtxscan"].get(part) == other["evtxscan"].get(part)
        assert evtxscan("coverage", "--case", case).out == evtxscan("coverage", "--case", scenario).out
        contexts.append(content.content(case)["processes"])
    assert contexts[0] == contexts[1]
    assert len(contexts[0]) == len({row[:4] for row in contexts[0]})


def test_a_file_of_json_that_is_no_line_each(tmp_path: Path) -> None:
    path = tmp_path / "array.json"
    path.write_text(json.dumps(defend_documents(), indent=1), encoding="utf-8")
    done = evtxscan("ingest", path, "--case", tmp_path / "case.db", code=1)
    assert "jq -c '.[]'" in done.message
    assert not (tmp_path / "case.db").exists()


def test_a_block_is_as_large_as_a_chunk() -> None:
    """Offsets of both share a column, and an array of 16-bit numbers on their way there."""
    assert BLOCK_SIZE == 1 << 16
