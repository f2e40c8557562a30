"""Scripts that PowerShell recorded in several parts: from logs to the text that rules see."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from evtxscan import eql
from evtxscan.casework import Filters, detect, ingest_evidence, query, settled, show
from evtxscan.eql.sql import scan
from evtxscan.ingest.run import Options
from evtxscan.store.scripts import MAX_PARTS
from tests.evtxmaker import Event, template, write_log
from tests.export.schemas import faults
from tests.integration.command import evtxscan

START = 132_342_900_000_000_001  # 2020-05-18T15:40:00.0000001Z
BLOCK = "0f5521cb-656e-4296-b74d-9ffb4eec23b0"
OTHER = "1a2b3c4d-656e-4296-b74d-9ffb4eec23b0"
LOG = "Microsoft-Windows-PowerShell%4Operational.evtx"
# Cut in a word, in a line end, behind one, and between the halves of a character.
PARTS = [
    "function Get-Loot {\r\n  Invoke-Mimi",
    "katz -DumpCreds\r",
    "\n  # one\r\n",
    "  Out-File \ud83d",
    "\ude00.txt\r\n}\r\n",
]
WHOLE = "function Get-Loot {\n  Invoke-Mimikatz -DumpCreds\n  # one\n  Out-File \U0001f600.txt\n}"


@dataclass(frozen=True, slots=True)
class Part:
    """One record: which part of which block, its text, and what else tells blocks apart."""

    number: int
    text: str
    total: int = len(PARTS)
    block: str = BLOCK
    host: str = "WS-01"
    pid: int = 4711
    activity: UUID | None = None
    after: int = field(default=0)  # 100 ns

    def event(self) -> Event:
        """Return the record."""
        values = [self.number, self.total, self.text, self.block, "C:\\Temp\\loot.ps1"]
        time = START + self.number + self.after
        return Event(
            template("powershell-operational", 4104), time, self.host, values, pid=self.pid, activity_id=self.activity
        )


ALL = [Part(number, text) for number, text in enumerate(PARTS, 1)]


def make(folder: Path, *logs: Sequence[Part]) -> Path:
    """Make a case of logs, each ingested on its own, and return it."""
    for number, parts in enumerate(logs):
        log = folder / str(number) / LOG
        log.parent.mkdir()
        write_log(log, [part.event() for part in parts])
        assert ingest_evidence(folder / "case.db", [log.parent], Options(jobs=1)).is_complete
    return folder / "case.db"


def ask(path: Path, condition: str, *, observed_only: bool = False) -> list[dict[str, Any]]:
    with settled(path) as case:
        return list(query(case, f"process where {condition}", Filters(observed_only=observed_only)))


def numbers(documents: list[dict[str, Any]]) -> list[int]:
    return [document["powershell"]["sequence"] for document in documents]


def text_of(document: dict[str, Any]) -> str | list[str]:
    return cast("str | list[str]", document["powershell"]["file"]["script_block_text"])


def state(path: Path) -> list[tuple[str, int, Any]]:
    """Return state, parts there and ranges missing of each block."""
    with settled(path) as case:
        rows = case.db.execute("SELECT state, parts, missing FROM script_block ORDER BY id").fetchall()
    return [(name, parts, json.loads(missing)) for name, parts, missing in rows]


def findings(path: Path, folder: Path, condition: str, *, observed_only: bool = False) -> tuple[list[Any], Any]:
    """Return the findings and the one verdict of a rule with this condition."""
    rule = folder / "rule.toml"
    rule.write_text(
        '[rule]\nrule_id = "r"\nname = "R"\ntype = "eql"\nlanguage = "eql"\nseverity = "low"\nrisk_score = 1\n'
        f"query = '''\nprocess where {condition}\n'''\n",
        encoding="utf-8",
    )
    with settled(path) as case:
        result = detect(case, case.start_run("detect", []), (str(rule),), Filters(observed_only=observed_only))
        return list(result.findings), result.verdicts[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of one script in five parts, and of one in a single record."""
    single = Part(1, "Invoke-Mimi", 1, OTHER, after=99)
    return make(tmp_path_factory.mktemp("whole"), [*ALL, single])


@pytest.fixture
def gaps(tmp_path: Path) -> Path:
    """A case that has parts 1, 2 and 5 of the script."""
    return make(tmp_path, [ALL[0], ALL[1], ALL[4]])


def test_first_part_has_the_whole_text(whole: Path) -> None:
    """Catches line ends and characters lost where the script was cut, and parts put together in another order."""
    first, *others, single = ask(whole, "true")
    assert text_of(first) == WHOLE
    [inferred] = first["evtxscan"]["inferred"]
    block = first["evtxscan"]["script_block"]
    events = [document["evtxscan"]["event"]["id"] for document in (first, *others)]
    assert inferred == {
        "field": "powershell.file.script_block_text",
        "value": WHOLE,
        "method": "script_block_parts",
        "from": events[0],
        "events": events,
    }
    assert block["parts"] == [{"number": number, "event": event} for number, event in enumerate(events, 1)]
    assert (block["state"], block["missing"], block["event"]) == ("complete", [], events[0])
    assert [document["evtxscan"]["script_block"]["event"] for document in others] == [events[0]] * 4
    assert not [document for document in (*others, single) if "inferred" in document["evtxscan"]]
    assert "script_block" not in single["evtxscan"]
    assert not [fault for document in (first, *others, single) for fault in faults("event", document)]


def test_text_across_two_parts(whole: Path) -> None:
    condition = 'powershell.file.script_block_text : "*Invoke-Mimikatz*"'
    assert numbers(ask(whole, condition)) == [1]
    assert not ask(whole, condition, observed_only=True)


def test_observed_only_is_what_was_recorded(whole: Path) -> None:
    documents = ask(whole, 'powershell.total > 1 and powershell.file.script_block_text : "*"', observed_only=True)
    assert [text_of(document) for document in documents] == [
        "function Get-Loot {\n  Invoke-Mimi", "katz -DumpCreds\r", "\n  # one", "  Out-File ", ".txt\n}",
    ]  # fmt: skip


def test_one_script_is_one_finding(whole: Path, tmp_path: Path) -> None:
    condition = 'powershell.total > 1 and powershell.file.script_block_text : ("*e*", "*x*", "*katz*") and true'
    found, verdict = findings(whole, tmp_path, condition)
    assert numbers(found) == [1]
    assert found[0]["evtxscan"]["script_block"]["present"] == 5
    assert verdict.verdict == "match"
    assert not faults("finding", found[0])
    assert numbers(findings(whole, tmp_path, condition, observed_only=True)[0]) == [1, 2, 3, 4, 5]


def test_what_only_one_part_passes_is_found_there(whole: Path, tmp_path: Path) -> None:
    """The whole script is excluded, a part by itself is not: what Elasticsearch finds is still found."""
    text = "powershell.file.script_block_text"
    found, _ = findings(whole, tmp_path, f'{text} : "*katz*" and not {text} : "*get-loot*"')
    assert numbers(found) == [2]


@pytest.mark.parametrize("seed", range(3))
def test_order_copies_and_files_do_not_matter(whole: Path, tmp_path: Path, seed: int) -> None:
    """Parts in any order, in two logs that overlap, one of them read again: one block, each part once."""
    shuffled = random.Random(seed)  # noqa: S311 - an order, no secret
    parts = [*ALL, *ALL[1:3]]
    shuffled.shuffle(parts)
    cut = shuffled.randrange(1, len(parts))
    path = make(tmp_path, parts[:cut], parts[cut:], parts[cut:])
    assert state(path) == [("complete", 5, [])]
    assert WHOLE in map(text_of, ask(path, "powershell.sequence == 1"))
    assert len(findings(path, tmp_path, 'powershell.file.script_block_text : "*e*"')[0]) == 1


def test_missing_parts_are_named(gaps: Path) -> None:
    assert state(gaps) == [("incomplete", 3, [[3, 4]])]
    first = ask(gaps, "powershell.sequence == 1")[0]
    assert text_of(first) == ["function Get-Loot {\n  Invoke-Mimikatz -DumpCreds\r", ".txt\n}"]
    assert first["evtxscan"]["script_block"]["missing"] == [[3, 4]]
    assert not faults("event", first)


def test_info_counts_scripts(whole: Path, gaps: Path) -> None:
    assert "PowerShell scripts of several records\n1  complete\n" in evtxscan("info", "--case", whole).out.decode()
    assert "1  incomplete  2 parts missing\n" in evtxscan("info", "--case", gaps).out.decode()


def test_later_evidence_fills_the_gap(gaps: Path, tmp_path: Path) -> None:
    log = tmp_path / "rest" / LOG
    log.parent.mkdir()
    write_log(log, [ALL[3].event(), ALL[2].event()])
    assert ingest_evidence(gaps, [log.parent], Options(jobs=1)).is_complete
    assert state(gaps) == [("complete", 5, [])]
    assert text_of(ask(gaps, "powershell.sequence == 1")[0]) == WHOLE


def test_tests_of_a_script_with_gaps(gaps: Path, tmp_path: Path) -> None:
    """A gap may hold what the rule looks for, and what it excludes; what stands in two parts is in the script."""
    text = "powershell.file.script_block_text"
    found, verdict = findings(gaps, tmp_path, f'{text} : "*mimikatz*" and {text} : "*.txt*"')
    assert (numbers(found), verdict.verdict) == ([1], "match")
    assert found[0]["evtxscan"]["relies_on_missing"] == []
    found, verdict = findings(gaps, tmp_path, f'{text} : "*out-file*"')
    missing = [(entry.field, entry.events, entry.reason) for entry in verdict.missing]
    assert (found, verdict.verdict, missing) == ([], "undetermined", [(text, 1, "script_block_incomplete")])
    found, _ = findings(gaps, tmp_path, f'{text} : "*mimikatz*" and not {text} : "*harmless*"')
    assert found[0]["evtxscan"]["relies_on_missing"] == [text]
    assert not faults("finding", found[0])


def test_finding_quotes_the_place_where_a_test_holds(tmp_path: Path) -> None:
    """A script may have megabytes and a rule dozens of tests of it; the event has the whole text."""
    script = "a" * 9_000 + "Invoke-Mimikatz" + "b" * 5_000
    path = make(tmp_path, [Part(1, script, 1)])
    text = "powershell.file.script_block_text"
    found, _ = findings(path, tmp_path, f'{text} : "*mimikatz*" and not {text} : "*harmless*"')
    assert text_of(found[0]) == script
    shown = [values for test in found[0]["evtxscan"]["matched"] for values in test["values"].get(text, [])]
    begin = script.index("Mimikatz") - 300
    assert shown == [
        f"[+{begin:,} characters]… {script[begin : begin + 1_500]} …[+{len(script) - begin - 1_500:,} characters]",
        f"{script[:1_500]} …[+{len(script) - 1_500:,} characters]",
    ]


def test_whole_script_decides(whole: Path, tmp_path: Path) -> None:
    found, verdict = findings(whole, tmp_path, 'powershell.file.script_block_text : "*not there*"')
    assert (found, verdict.verdict) == ([], "no_match")


def test_part_alone(tmp_path: Path) -> None:
    path = make(tmp_path, [ALL[1]])
    assert state(path) == [("incomplete", 1, [[1, 1], [3, 5]])]
    [document] = ask(path, "true")
    assert text_of(document) == "katz -DumpCreds\r"
    assert "inferred" not in document["evtxscan"]
    _, verdict = findings(path, tmp_path, 'powershell.file.script_block_text : "*mimi*"')
    assert verdict.verdict == "undetermined"


def test_different_texts_for_one_part(tmp_path: Path) -> None:
    """Any user may write records under PowerShell's name: a forged part must not change what a script says."""
    path = make(tmp_path, [*ALL, Part(2, "katz # harmless", after=77)])
    assert state(path) == [("conflicting", 5, [])]
    assert not [document for document in ask(path, "true") if "inferred" in document["evtxscan"]]
    assert not ask(path, 'powershell.file.script_block_text : "*mimikatz*"')
    _, verdict = findings(path, tmp_path, 'powershell.file.script_block_text : "*mimikatz*"')
    assert verdict.missing[0].reason == "script_block_incomplete"


@pytest.mark.parametrize(
    ("one", "other"),
    [({"activity": UUID(int=1)}, {"activity": UUID(int=2)}), ({"pid": 1}, {"pid": 2}), ({}, {"host": "WS-02"}),
     ({}, {"block": OTHER}), ({}, {"total": 6})],
    ids=str,
)  # fmt: skip
def test_blocks_are_told_apart(tmp_path: Path, one: dict[str, Any], other: dict[str, Any]) -> None:
    parts = [Part(number, text, **one) for number, text in enumerate(PARTS, 1)]
    others = [Part(number, f"{number} other\r\n", **other, after=99) for number in range(1, len(PARTS) + 1)]
    path = make(tmp_path, [part for pair in zip(parts, others, strict=True) for part in pair])
    firsts = [document for document in ask(path, "powershell.sequence == 1") if "inferred" in document["evtxscan"]]
    assert [text_of(document) for document in firsts] == [WHOLE, "".join(f"{n} other\n" for n in range(1, 6)).rstrip()]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([Part(1, "a", 10**9), Part(10**9, "b", 10**9)], [("incomplete", 2, [[2, 10**9 - 1]])]),
        ([Part(number, "a", 2**31) for number in range(1, 2 * 1500, 2)], None),
        ([Part(number, "a", 3000) for number in range(1, MAX_PARTS + 2)], [("too_large", MAX_PARTS + 1, [])]),
        ([Part(0, "a"), Part(9, "b"), Part(1, "c", 0), Part(2, "c", 1)], []),
        ([Part(1, "", 2), Part(2, "", 2)], [("complete", 2, [])]),
    ],
    ids=["total of a thousand million", "thousands of gaps", "thousands of parts", "numbers that are none", "empty"],
)
def test_made_up_numbers(tmp_path: Path, parts: list[Part], expected: list[Any] | None) -> None:
    path = make(tmp_path, parts)
    found = state(path)
    assert expected is None or found == expected
    assert all(len(missing) <= 1000 for _, _, missing in found)
    assert len(ask(path, "true")) == len(parts)


def test_both_engines_agree(whole: Path, gaps: Path) -> None:
    """What SQL answers is what the engine in memory answers over the documents."""
    text = "powershell.file.script_block_text"
    conditions = [
        f'{text} : "*mimikatz*"', f'not {text} : "*mimi*"', f'{text} like~ "function*}}"', f"length({text}) > 60",
        f'{text} regex ".*katz.*"', f"{text} == null", f'stringContains({text}, "txt") and powershell.sequence < 2',
        f'endsWith({text}, "}}") and startsWith({text}, "function")', f"length(concat({text}, powershell.total)) > 60",
    ]  # fmt: skip
    for path in (whole, gaps):
        documents = ask(path, "true")
        for condition in conditions:
            expected = eql.run(f"process where {condition}", documents)
            assert numbers(ask(path, condition)) == numbers(expected), condition


def test_show_prints_the_whole_script(whole: Path) -> None:
    """From any of its parts; hidden characters written out, one line a line."""
    third = ask(whole, "powershell.sequence == 3")[0]["evtxscan"]["event"]["id"]
    with settled(whole) as case:
        assert show(case, third)["evtxscan"]["script_block"]["texts"] == [{"first": 1, "last": 5, "text": WHOLE}]
        assert not faults("event", show(case, third))
    out = evtxscan("show", third, "--case", whole).out.decode()
    assert "\n".join(["Script, parts 1 to 5", *WHOLE.split("\n"), ""]) in out
    assert "part 3 of 5" in out


def test_view(whole: Path) -> None:
    with settled(whole) as case:
        rows = case.db.execute('SELECT "host.name", state, text FROM script_blocks').fetchall()
    assert rows == [("WS-01", "complete", WHOLE)]


TEXT = "powershell.file.script_block_text"


@pytest.fixture
def phrases(tmp_path: Path) -> Path:
    """Rules in KQL over words in a run of parts, at the edge of a gap, across two parts, and in no part."""
    asked = {
        "inside": f'{TEXT}:"-DumpCreds"',
        "edge": f'{TEXT}:"txt"',
        "across": f'{TEXT}:"Invoke-Mimikatz"',
        "nowhere": f'{TEXT}:"Out-File"',
        "numbered": f'powershell.sequence:5 and {TEXT}:"Out-File"',
    }
    for name, condition in asked.items():
        (tmp_path / "rules").mkdir(exist_ok=True)
        (tmp_path / "rules" / f"{name}.toml").write_text(
            f'[rule]\nrule_id = "{name}"\nname = "x"\ntype = "query"\nlanguage = "kuery"\nseverity = "low"\n'
            f"risk_score = 1\nquery = '''\nevent.category:process and {condition}\n'''\n"
        )
    return tmp_path / "rules"


@pytest.mark.parametrize("at_once", [None, 1], ids=["one block", "a row a block"])
def test_rules_in_kql_see_the_whole_script(
    gaps: Path, phrases: Path, at_once: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words across parts are found, those of which a gap may hold more are not sure, and no field counts as absent."""
    if at_once is not None:
        monkeypatch.setattr(scan, "_CHARACTERS", at_once)
    with settled(gaps) as case:
        result = detect(case, case.start_run("detect", []), (str(phrases),), Filters())
        missing = {ours["rule"]["id"]: ours["relies_on_missing"] for ours in (f["evtxscan"] for f in result.findings)}
        verdicts = {verdict.rule: verdict for verdict in result.verdicts}
    assert missing == {"inside": [], "edge": [TEXT], "across": []}
    lacks = [(entry.field, entry.events, entry.reason) for entry in verdicts["nowhere"].missing]
    assert (verdicts["nowhere"].verdict, lacks) == ("undetermined", [(TEXT, 1, "script_block_incomplete")])
    assert verdicts["numbered"].verdict == "no_match"


def test_scripts_are_not_all_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a scan that holds tens of thousands of records whose scripts have megabytes."""
    big = [Part(number, f"{number}{'x' * 29_000}", 2, str(UUID(int=number // 3)), after=number) for number in (1, 2)]
    single = [Part(1, f"{number}{'x' * 29_000}", 1, str(UUID(int=number)), after=number) for number in range(200)]
    path = make(tmp_path, [*big, *single])
    monkeypatch.setattr(scan, "_CHARACTERS", 500_000)
    query = f'{TEXT} : "*nowhere*"'
    ask(path, query)
    tracemalloc.start()
    try:
        ask(path, query)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
