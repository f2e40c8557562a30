"""Verdicts from made logs: what no completion of the missing values could change is known, the rest undetermined.

A host for each combination of values, and the answers worked out by brute force: the engine in memory judges the event
with every missing value filled in, in every way.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice, product
from typing import Any, TypeAlias

import pytest

from evtxscan.casework import Filters, detect, logged, settled
from evtxscan.eql import run
from evtxscan.export.result import Result
from tests.integration import logs
from tests.integration.command import evtxscan

State: TypeAlias = tuple[str | None, ...]
"""A value for each field, None where it is missing."""

FIELDS = {
    "process.command_line": "CommandLine",
    "process.working_directory": "CurrentDirectory",
    "winlog.event_data.IntegrityLevel": "IntegrityLevel",
}
# Each test is passed by the one value and failed by the other.
YES, NO = "yes 7", "others"
TESTS = [
    '{} == "yes 7"',
    '{} != "others"',
    '{} : "YES*"',
    '{} : ("no", "y?s 7")',
    '{} like "yes*"',
    '{} like~ ("x", "YES 7")',
    '{} in ("yes 7", "z")',
    '{} in~ ("YES 7", "z")',
    '{} not in ("others", "z")',
    '{} not in~ ("OTHERS")',
    '{} regex "y.s [0-9]"',
    '{} regex~ "YES.*"',
    '{} > "x"',
    '{} >= "yes 7"',
    '"x" < {}',
    'startsWith({}, "yes")',
    'startsWith~({}, "YES")',
    'endsWith({}, "7")',
    'stringContains({}, "s 7")',
    "indexOf({}, \"e\") == 1",
    'concat({}, "!") == "yes 7!"',
    'substring({}, 0, 3) == "yes"',
    'between({}, "y", " ") == "es"',
    "length({}) == 5",
    'number(substring({}, 4)) == 7',
]  # fmt: skip
SHAPES = [
    "{A}",
    "not {A}",
    "not not {A}",
    "{A} and {B}",
    "{A} or {B}",
    "not ({A} and {B})",
    "not ({A} or {B})",
    "{A} and not {B}",
    "not {A} or {B}",
    "{A} and {B} and {C}",
    "{A} or {B} or {C}",
    "{A} and ({B} or {C})",
    "{A} or ({B} and {C})",
    "not ({A} and ({B} or not {C}))",
    "not ({A} or not ({B} and {C}))",
    "(not {A} or {B}) and not {C}",
    "{A} and true or {B} and false",
]
OF_MISSING = ["{} == null", "{} != null", "not {} == null", "not {} != null"]


def conditions() -> Iterator[str]:
    """Yield each test by itself and negated, and each shape with several mixtures of tests."""
    first, second, third = FIELDS
    for test in TESTS:
        yield test.format(first)
        yield f"not {test.format(second)}"
    mixture = cycle(TESTS)
    for shape in SHAPES * 3:
        a, b, c = (f"({test})" for test in islice(mixture, 3))
        yield shape.format(A=a.format(first), B=b.format(second), C=c.format(third))
    for test in OF_MISSING:
        yield test.format(first)
        yield f"{test.format(first)} and {TESTS[0].format(second)}"
        yield f"{test.format(first)} or {TESTS[0].format(second)}"


CONDITIONS = list(dict.fromkeys(conditions()))
STATES: list[State] = list(product((YES, NO, None), repeat=len(FIELDS)))


def host(state: State) -> str:
    """Return a host name that says what its one event holds."""
    return "h-" + "".join("m" if value is None else value[0] for value in state)


def document(state: State) -> dict[str, str]:
    recorded = {field: value for field, value in zip(FIELDS, state, strict=True) if value is not None}
    return {"event.category": "process", **recorded}


def recorded(state: State) -> dict[str, Any]:
    """Return the event data: Sysmon writes nothing where it has no value."""
    return {name: value or "" for name, value in zip(FIELDS.values(), state, strict=True)}


def holds(condition: str, state: State) -> bool:
    """Return Elasticsearch's answer for one event."""
    return bool(run(f"process where {condition}", [document(state)]))


def completions(state: State) -> list[State]:
    """Return the states that the missing values leave possible."""
    return list(product(*((value,) if value is not None else (YES, NO) for value in state)))


def fields_of(condition: str) -> list[str]:
    return [field for field in FIELDS if field in condition]


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """All conditions as rules, run over one event on each of the hosts."""
    folder = tmp_path_factory.mktemp("verdicts")
    events = (
        logs.process_start(number, host=host(state), seconds=None, **recorded(state))
        for number, state in enumerate(STATES)
    )
    logs.write(folder / "log.evtx", events)
    case = folder / "case.db"
    evtxscan("ingest", folder / "log.evtx", "--case", case)
    rules = folder / "rules"
    rules.mkdir()
    for number, condition in enumerate(CONDITIONS):
        (rules / f"{number:03}.toml").write_text(
            f'[rule]\nrule_id = "{number:03}"\nname = "x"\ntype = "eql"\nlanguage = "eql"\nseverity = "low"\n'
            f"risk_score = 1\nquery = '''\nprocess where {condition}\n'''\n"
        )
    with settled(case) as opened, logged(opened, "detect", []) as entry:
        result = detect(opened, entry.number, (str(rules),), Filters())
        assert result.refused == ()
        return Result(list(result.findings), result.verdicts, (), {}, result.rules)


def test_every_verdict_is_what_brute_force_says(results: Result) -> None:
    """Catches an operator that takes a missing value for false, or for unknown where it cannot matter."""
    found = {(verdict.rule, verdict.host): verdict for verdict in results.verdicts}
    assert len(found) == len(CONDITIONS) * len(STATES)
    wrong = []
    seen = set()
    for number, condition in enumerate(CONDITIONS):
        for state in STATES:
            verdict = found[f"{number:03}", host(state)]
            answers = {holds(condition, filled) for filled in completions(state)}
            expected = "match" if holds(condition, state) else "no_match" if answers == {False} else "undetermined"
            if "null" in condition and expected == "no_match" and None in state:
                continue  # that a value was not recorded is no value: a test below asks for that
            seen.add(expected)
            if verdict.verdict != expected:
                wrong.append((condition, host(state), verdict.verdict, expected))
    assert wrong == []
    assert seen == {"match", "no_match", "undetermined"}


def test_what_is_missing_is_named_and_why(results: Result) -> None:
    """Catches fields that are blamed and were recorded, or could not have changed the answer."""
    for verdict in results.verdicts:
        condition = CONDITIONS[int(verdict.rule)]
        state = next(state for state in STATES if host(state) == verdict.host)
        absent = {field for field, value in zip(FIELDS, state, strict=True) if value is None}
        named = {missing.field for missing in verdict.missing}
        if verdict.verdict == "undetermined":
            assert named, (condition, verdict)
            assert named <= absent & set(fields_of(condition)), (condition, verdict)
            assert {(missing.events, missing.reason) for missing in verdict.missing} == {(1, "not_recorded")}
        else:
            assert named == set(), (condition, verdict)


def test_tests_for_null_are_matches_that_rest_on_what_is_missing(results: Result) -> None:
    """Catches *no match* for `f != null`, of an event that lacks f: whether there was a value is not known."""
    found = {(verdict.rule, verdict.host): verdict.verdict for verdict in results.verdicts}
    for test, missing, present in [
        ("{} == null", "match", "no_match"),
        ("{} != null", "undetermined", "match"),
        ("not {} == null", "undetermined", "match"),
        ("not {} != null", "match", "no_match"),
    ]:
        number = CONDITIONS.index(test.format("process.command_line"))
        for state in STATES:
            expected = missing if state[0] is None else present
            assert found[f"{number:03}", host(state)] == expected, (test, host(state))


def test_a_match_that_rests_on_missing_values_says_so(results: Result) -> None:
    """Catches a finding that is true only because a field was not recorded and looks like any other."""
    resting = 0
    for finding in results.findings:
        ours = finding["evtxscan"]
        condition = CONDITIONS[int(ours["rule"]["id"])]
        state = next(state for state in STATES if host(state) == finding["host"]["name"])
        absent = {field for field, value in zip(FIELDS, state, strict=True) if value is None}
        named = set(ours["relies_on_missing"])
        assert named <= absent & set(fields_of(condition)), condition
        if "null" not in condition:
            certain = {holds(condition, filled) for filled in completions(state)} == {True}
            assert (named == set()) == certain, (condition, host(state))
        resting += bool(named)
    assert resting > 50
