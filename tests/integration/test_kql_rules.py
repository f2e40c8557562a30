"""Rules in KQL from a log to a finding: what they find, what they say of it, and what the evidence leaves open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evtxscan.casework import Filters, detect, logged, settled
from evtxscan.export.render import RESULT_FORMATS
from evtxscan.export.result import Result
from evtxscan.kql import run
from tests.evtxmaker import Event, template
from tests.export.schemas import faults
from tests.integration import logs, test_verdicts
from tests.integration.command import evtxscan

STOPS = "event.category:process and process.name:net.exe and process.args:stop"
THRESHOLD = '[rule.threshold]\nfield = ["host.id"]\nvalue = 3\n'
COUNTED = THRESHOLD + '[[rule.threshold.cardinality]]\nfield = "process.command_line"\nvalue = 3\n'
NEW = (
    '[rule.new_terms]\nfield = "new_terms_fields"\nvalue = ["host.id", "process.name"]\n'
    '[[rule.new_terms.history_window_start]]\nfield = "history_window_start"\nvalue = "now-1m"\n'
)
FAR, NEAR = "far.example", "near.example"


def write_rule(path: Path, kind: str, query: str, tables: str = "", *, language: str = "kuery", top: str = "") -> Path:
    """Write a rule file; ``tables`` are further tables of [rule], ``top`` further keys. The name is the id."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'[rule]\nrule_id = "{path.stem}"\nname = "x"\ntype = "{kind}"\nlanguage = "{language}"\nseverity = "low"\n'
        f"risk_score = 1\n{top}query = '''\n{query}\n'''\n{tables}"
    )
    return path


def detected(case: Path, rules: Path, filters: Filters | None = None) -> Result:
    """Run rules and return the result, its findings read."""
    with settled(case) as opened, logged(opened, "detect", []) as entry:
        result = detect(opened, entry.number, (str(rules),), filters or Filters())
        return Result(list(result.findings), result.verdicts, (), result.versions, result.rules, result.refused)


def ours(finding: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = finding["evtxscan"]
    return found


def stop(number: int, seconds: float, host: str = NEAR, *, security: bool = False, service: str = "x") -> Event:
    """Return a start of net.exe that stops a service, as one of the logs tells it."""
    make, image = (logs.created, "NewProcessName") if security else (logs.process_start, "Image")
    values = {image: "C:\\Windows\\System32\\net.exe", "CommandLine": f"net stop {service}"}
    return make(number, host=host, seconds=seconds, **values)


@pytest.fixture(scope="module")
def stops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Starts of net.exe: on NEAR four by both logs within a minute and two much later, on FAR two and one."""
    folder = tmp_path_factory.mktemp("stops")
    near = [(1, 10, "a"), (2, 20, "b"), (3, 40, "b"), (4, 60, "a"), (5, 4000, "c"), (6, 4010, "c")]
    far = [(11, 15, "a"), (12, 25, "a"), (13, 8000, "a")]
    logs.write(folder / "logs" / "near.evtx", [stop(n, s, service=name) for n, s, name in near])
    logs.write(
        folder / "logs" / "near-security.evtx",
        [stop(n, s + 0.001, service=name, security=True) for n, s, name in near[:4]],
        first_record_id=9001,
    )
    logs.write(folder / "logs" / "far.evtx", [stop(n, s, FAR, service=name) for n, s, name in far])
    evtxscan("ingest", folder / "logs", "--case", folder / "case.db")
    return folder / "case.db"


def test_a_query_rule_finds_what_the_query_finds(stops: Path, tmp_path: Path) -> None:
    """Catches findings that are lost or added between the query and the result, and filters that are not looked at."""
    write_rule(tmp_path / "rules" / "plain.toml", "query", STOPS)
    write_rule(
        tmp_path / "rules" / "filtered.toml",
        "query",
        STOPS,
        "[[rule.filters]]\n[rule.filters.meta]\nnegate = true\n"
        '[rule.filters.query.wildcard."process.command_line"]\ncase_insensitive = true\nvalue = "NET * A"\n',
    )
    result = detected(stops, tmp_path / "rules", Filters(observed_only=True))
    documents = evtxscan("query", "any where true", "--case", stops, "--observed-only", "--format", "ndjson").lines
    wanted = {document["evtxscan"]["event"]["id"] for document in run(STOPS, documents)}
    found: dict[str, set[str]] = {"plain": set(), "filtered": set()}
    for finding in result.findings:
        found[ours(finding)["rule"]["id"]].add(ours(finding)["event"]["id"])
    assert found["plain"] == wanted
    assert len(wanted) == 13
    kept = {
        document["evtxscan"]["event"]["id"]
        for document in documents
        if not document["process"]["command_line"].endswith("a")
    }
    assert found["filtered"] == wanted & kept
    assert 0 < len(found["filtered"]) < len(wanted)
    tests = [entry["test"] for entry in ours(result.findings[0])["matched"]]
    assert tests[:3] == ["event.category:process", "process.name:net.exe", "process.args:stop"]


def test_one_start_that_two_logs_saw_is_one_finding_and_counts_once(stops: Path, tmp_path: Path) -> None:
    """Catches a threshold that is reached because each start stands in two logs."""
    write_rule(tmp_path / "rules" / "event.toml", "query", STOPS)
    write_rule(tmp_path / "rules" / "group.toml", "threshold", STOPS, THRESHOLD)
    for observed, events, count in ((True, 13, 8), (False, 9, 4)):
        result = detected(stops, tmp_path / "rules", Filters(observed_only=observed))
        found = [ours(finding) for finding in result.findings]
        assert sum(one["rule"]["id"] == "event" for one in found) == events
        assert [one["threshold"]["count"] for one in found if one["rule"]["id"] == "group"] == [count]


def test_a_group_tells_what_its_events_share(stops: Path, tmp_path: Path) -> None:
    """Catches a group with events of others, a wrong window, and a document without its parts."""
    path = write_rule(tmp_path / "rules" / "group.toml", "threshold", STOPS, THRESHOLD, top='from = "now-2m"\n')
    result = detected(stops, path)
    (finding,) = result.findings
    assert faults("finding", finding) == []
    group = ours(finding)["threshold"]
    assert group["terms"] == [{"field": "host.id", "value": NEAR}]
    assert (group["count"], group["hosts"], len(group["event_ids"])) == (4, [NEAR], 4)
    assert (group["start"], group["end"]) == ("2020-05-18T07:00:10.000Z", "2020-05-18T07:01:00.000Z")
    assert [event["evtxscan"]["event"]["id"] for event in ours(finding)["events"]] == group["event_ids"]
    assert ours(finding)["rule"]["threshold"]["window_ms"] == 120_000
    assert {verdict.host: verdict.verdict for verdict in result.verdicts} == {NEAR: "match", FAR: "no_match"}
    for window, counts in (("29s", []), ("30s", [3]), ("3h", [6, 3])):
        write_rule(path, "threshold", STOPS, THRESHOLD, top=f'from = "now-{window}"\n')
        assert [ours(one)["threshold"]["count"] for one in detected(stops, path).findings] == counts, window


def test_cardinality_is_counted_within_the_window(stops: Path, tmp_path: Path) -> None:
    """Catches values that are counted over all time."""
    path = write_rule(tmp_path / "rules" / "group.toml", "threshold", STOPS, COUNTED, top='from = "now-10m"\n')
    assert detected(stops, path).findings == []
    write_rule(path, "threshold", STOPS, COUNTED, top='from = "now-2h"\n')
    (finding,) = detected(stops, path).findings
    assert ours(finding)["threshold"]["cardinality"] == [{"field": "process.command_line", "value": 3}]


def test_a_flood_is_one_finding_of_bounded_size(tmp_path: Path) -> None:
    """Catches a document that grows with the evidence."""
    logs.write(tmp_path / "log.evtx", (stop(n, n / 100) for n in range(1500)))
    evtxscan("ingest", tmp_path / "log.evtx", "--case", tmp_path / "case.db")
    path = write_rule(tmp_path / "rules" / "group.toml", "threshold", STOPS, THRESHOLD)
    (finding,) = detected(tmp_path / "case.db", path).findings
    assert ours(finding)["threshold"]["count"] == 1500
    assert (len(ours(finding)["threshold"]["event_ids"]), len(ours(finding)["events"])) == (1000, 20)
    assert faults("finding", finding) == []


def test_a_value_is_new_once_within_the_history(stops: Path, tmp_path: Path) -> None:
    """Catches values that are new on every event, never again, or whatever the scope cuts off."""
    path = write_rule(tmp_path / "rules" / "new.toml", "new_terms", STOPS, NEW)

    def found(filters: Filters) -> list[tuple[str, str]]:
        return [(one["host"]["name"], one["@timestamp"][11:19]) for one in detected(stops, path, filters).findings]

    everything = [(NEAR, "07:00:10"), (FAR, "07:00:15"), (NEAR, "08:06:40"), (FAR, "09:13:20")]
    assert found(Filters()) == everything
    assert found(Filters(observed_only=True)) == everything
    # What was there before the scope begins is no news; what is new in it is found, whatever else is looked at.
    assert found(Filters(start="2020-05-18T07:00:20Z", end="2020-05-18T08:30:00Z")) == [(NEAR, "08:06:40")]
    assert found(Filters(hosts=(FAR,))) == [one for one in everything if one[0] == FAR]
    first, second, *_ = detected(stops, path).findings
    assert faults("finding", first) == []
    combination = ours(first)["new_terms"]["combinations"]
    assert combination == [
        {
            "terms": [{"field": "host.id", "value": NEAR}, {"field": "process.name", "value": "net.exe"}],
            "last_seen": None,
        }
    ]
    again = ours(detected(stops, path).findings[2])["new_terms"]
    assert again["combinations"][0]["last_seen"] == "2020-05-18T07:01:00.001Z"
    assert (again["history_ms"], again["known_ms"]) == (60_000, 60_000)
    assert ours(second)["new_terms"]["known_ms"] == 0


def test_a_gap_in_the_log_makes_what_is_new_uncertain(tmp_path: Path) -> None:
    """Catches a history that is said to be known where records are missing, between two logs or within a chunk."""
    quiet = [logs.process_start(n, host=NEAR, seconds=n) for n in range(200)]
    whole, gap, inside = tmp_path / "whole", tmp_path / "gap", tmp_path / "inside"
    logs.write(whole / "logs" / "log.evtx", [*quiet, stop(300, 300)], per_chunk=50)
    logs.write(gap / "logs" / "a.evtx", quiet[:100], per_chunk=50)
    logs.write(gap / "logs" / "b.evtx", [*quiet[110:], stop(300, 300)], per_chunk=50, first_record_id=111)
    path = write_rule(tmp_path / "rules" / "new.toml", "new_terms", STOPS, NEW.replace("1m", "4m"))
    kind = template("sysmon", 3)
    other = Event(
        kind, logs.START + 70 * logs.SECOND, NEAR, kind.row(UtcTime=logs.utc_time(70)), security_sid="S-1-5-18"
    )
    logs.write(inside / "logs" / "log.evtx", [*quiet[:70], other, *quiet[71:], stop(300, 300)], per_chunk=50)
    for folder, known, missing in ((whole, 240_000, 0), (gap, 190_000, 1), (inside, 200_000, 1)):
        evtxscan("ingest", folder / "logs", "--only", "process", "--case", folder / "case.db")
        result = detected(folder / "case.db", path)
        (finding,) = result.findings
        assert ours(finding)["new_terms"]["known_ms"] == known
        (verdict,) = result.verdicts
        assert verdict.verdict == "match"
        told = [one for one in verdict.missing if one.reason == "history_too_short"]
        assert [(one.field, one.events) for one in told] == [("*", 1)] * missing


def test_an_event_without_a_value_to_compare_leaves_the_rule_undetermined(tmp_path: Path) -> None:
    """Catches *no match* where the events that match could not be compared or grouped."""
    logs.write(tmp_path / "log.evtx", (logs.process_start(n, seconds=n, CurrentDirectory="") for n in range(3)))
    evtxscan("ingest", tmp_path / "log.evtx", "--case", tmp_path / "case.db")
    query = "event.category:process"
    by = "process.working_directory"
    write_rule(tmp_path / "r" / "new.toml", "new_terms", query, NEW.replace("process.name", by))
    write_rule(tmp_path / "r" / "three.toml", "threshold", query, THRESHOLD.replace('"host.id"', f'"host.id", "{by}"'))
    four = THRESHOLD.replace('"host.id"', f'"host.id", "{by}"').replace("3", "4")
    write_rule(tmp_path / "r" / "four.toml", "threshold", query, four)
    result = detected(tmp_path / "case.db", tmp_path / "r")
    assert result.findings == []
    told = {verdict.rule: verdict for verdict in result.verdicts}
    for rule in ("new", "three"):
        assert told[rule].verdict == "undetermined"
        assert [(m.field, m.events, m.reason) for m in told[rule].missing] == [(by, 3, "not_recorded")]
    assert told["four"].verdict == "no_match"  # three events cannot be four, whatever they lack


KQL_TESTS = [
    "{}:{yes}",
    "not {}:{no}",
    "{}:(x or {yes})",
    "{}:yes*",
    "{} > x",
    "not {}:(* and not *7)",
]
KQL_SHAPES = ["{A}", "not ({A})", "({A}) and ({B})", "({A}) or ({B})", "not (({A}) and ({B}))", "({A}) and not ({B})"]


def kql_conditions() -> Iterator[str]:
    """Yield conditions over the fields of tests.integration.test_verdicts, whose values pass or fail each test."""
    first, second, _ = test_verdicts.FIELDS
    for number, test in enumerate(KQL_TESTS):
        other = KQL_TESTS[(number + 1) % len(KQL_TESTS)]
        values = {"yes": f'"{test_verdicts.YES}"', "no": test_verdicts.NO}
        a, b = test.format(first, **values), other.format(second, **values)
        for shape in KQL_SHAPES:
            yield shape.format(A=a, B=b)


def test_verdicts_are_what_brute_force_says(tmp_path: Path) -> None:
    """Catches a test of KQL that takes a missing value for false: the same promise as of EQL, made of every test."""
    states = test_verdicts.STATES
    events = (
        logs.process_start(n, host=test_verdicts.host(state), seconds=None, **test_verdicts.recorded(state))
        for n, state in enumerate(states)
    )
    logs.write(tmp_path / "log.evtx", events)
    evtxscan("ingest", tmp_path / "log.evtx", "--case", tmp_path / "case.db")
    conditions = list(dict.fromkeys(kql_conditions()))
    for number, condition in enumerate(conditions):
        write_rule(tmp_path / "rules" / f"{number:02}.toml", "query", f"event.category:process and ({condition})")
    result = detected(tmp_path / "case.db", tmp_path / "rules")
    assert result.refused == ()
    found = {(verdict.rule, verdict.host): verdict for verdict in result.verdicts}
    wrong, seen = [], set()
    for number, condition in enumerate(conditions):
        for state in states:
            verdict = found[f"{number:02}", test_verdicts.host(state)]
            answers = {bool(run(condition, [test_verdicts.document(f)])) for f in test_verdicts.completions(state)}
            holds = bool(run(condition, [test_verdicts.document(state)]))
            expected = "match" if holds else "no_match" if answers == {False} else "undetermined"
            if expected == "no_match" and None in state and "*" in condition:
                continue  # an existence test: that nothing was recorded is not known to be nothing
            seen.add(expected)
            if verdict.verdict != expected:
                wrong.append((condition, verdict, expected))
    assert wrong == []
    assert seen == {"match", "no_match", "undetermined"}


@pytest.mark.parametrize("form", RESULT_FORMATS)
def test_every_format_tells_of_groups_and_of_new_values(form: str, stops: Path, tmp_path: Path) -> None:
    """Catches a renderer that knows events only."""
    write_rule(tmp_path / "rules" / "group.toml", "threshold", STOPS, THRESHOLD)
    write_rule(tmp_path / "rules" / "new.toml", "new_terms", STOPS, NEW)
    done = evtxscan("detect", "--case", stops, "--rules", tmp_path / "rules", "--format", form)
    if form == "json":
        assert faults("detect", done.json) == []
    elif form == "ndjson":
        assert [faults("finding", line) for line in done.lines] == [[]] * 5
    else:
        for text in (NEAR, "net.exe"):
            assert text in done.out.decode()


REFUSED = {
    "esql": ("esql", "esql", "ES|QL"),
    "machine_learning": ("machine_learning", "machine_learning", "anomaly detection job"),
    "threat_match": ("threat_match", "kuery", "threat indicators"),
    "saved_query": ("saved_query", "kuery", "saved in a Kibana"),
    "lucene": ("query", "lucene", "'lucene' are not supported"),
    "eqlish": ("query", "eql", "'eql' are not supported"),
    "unknown": ("riddle", "kuery", "'riddle'"),
}


def test_rules_that_cannot_run_say_why(stops: Path, tmp_path: Path) -> None:
    """Catches a rule that is passed over in silence, or one that stops the others."""
    for name, (kind, language, _) in REFUSED.items():
        write_rule(tmp_path / "rules" / f"{name}.toml", kind, "FROM logs-*", language=language)
    write_rule(tmp_path / "rules" / "broken.toml", "query", "process.name:)")
    filters = '[[rule.filters]]\n[rule.filters.query.script]\nsource = "1"\n'
    write_rule(tmp_path / "rules" / "odd-filter.toml", "query", "process.name:a", filters)
    write_rule(tmp_path / "rules" / "good.toml", "query", STOPS)
    told = evtxscan("detect", "--case", stops, "--rules", tmp_path / "rules", "--format", "json").json
    assert [rule["id"] for rule in told["rules"]] == ["good"]
    reasons = {Path(rule["path"]).stem: rule for rule in told["refused"]}
    assert reasons.keys() == {*REFUSED, "broken", "odd-filter"}
    for name, (_, _, words) in REFUSED.items():
        assert words in reasons[name]["message"]
    assert (reasons["broken"]["line"], reasons["broken"]["column"]) == (9, 14)
    assert "filter 1: query script is not supported" in reasons["odd-filter"]["message"]


def test_kuery_is_the_language_of_a_rule_that_names_none(stops: Path, tmp_path: Path) -> None:
    """Kibana's default."""
    path = write_rule(tmp_path / "rules" / "rule.toml", "query", STOPS)
    path.write_text(path.read_text().replace('language = "kuery"\n', ""))
    assert detected(stops, path).rules[0]["language"] == "kuery"


def test_filters_stand_in_the_finding_as_json(stops: Path, tmp_path: Path) -> None:
    """Catches TOML that JSON cannot hold: dates, endless numbers, numbers of any size."""
    odd = "[[rule.filters]]\n[rule.filters.meta]\nwhen = 2026-03-11T09:41:07Z\nbig = 99999999999999999999\nnone = nan\n"
    path = write_rule(tmp_path / "rules" / "rule.toml", "query", STOPS, odd + "[rule.filters.query.match_all]\n")
    done = evtxscan("detect", "--case", stops, "--rules", path, "--format", "json")
    (rule,) = done.json["rules"]
    assert json.dumps(rule["filters"][0]["meta"]) == json.dumps(
        {"big": "99999999999999999999", "none": "nan", "when": "2026-03-11 09:41:07+00:00"}
    )
