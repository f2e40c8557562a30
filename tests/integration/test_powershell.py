"""What only the data of an event has, asked from end to end: from a log through a case to an answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evtxscan.casework import Filters, ingest_evidence, query, settled
from evtxscan.ingest.run import Options
from evtxscan.store.case import Case
from tests.evtxmaker import Event, template, write_log

START = 132_342_900_000_000_001  # 2020-05-18T15:40:00.0000001Z
BLOCK = "0f5521cb-656e-4296-b74d-9ffb4eec23b0"
SCRIPT = "function Get-Loot {\r\n    $null = Invoke-Mimikatz -DumpCreds\r\n}\r\n" * 900
DETAILS = (
    "\tNewEngineState=Available\r\n\tPreviousEngineState=None\r\n\r\n\tSequenceNumber=13\r\n\r\n\tHostName=ConsoleHost\r\n"
    '\tHostApplication=powershell.exe -NoProfile -c "iex $x"\r\n\tEngineVersion=2.0\r\n\tCommandLine='
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of one engine start and one script block in two parts."""
    folder = tmp_path_factory.mktemp("powershell")
    logs = folder / "logs"
    logs.mkdir()
    engine, block = template("powershell", 400), template("powershell-operational", 4104)
    start = Event(engine, START, "WS-01", [["Available", "None", DETAILS], b""])
    half = len(SCRIPT) // 2 + 7  # not at the end of a line: line ends at the end of a value are cut
    parts = [
        Event(block, START + number, "WS-01", [number, 2, text, BLOCK, "C:\\Temp\\loot.ps1"], security_sid="S-1-5-18")
        for number, text in enumerate([SCRIPT[:half], SCRIPT[half:]], start=1)
    ]
    write_log(logs / "Windows PowerShell.evtx", [start])
    write_log(logs / "Microsoft-Windows-PowerShell%4Operational.evtx", parts)
    assert ingest_evidence(folder / "case.db", [logs], Options(jobs=1)).is_complete
    return folder / "case.db"


@pytest.fixture
def case(path: Path) -> Iterator[Case]:
    """The same, opened for one question."""
    with settled(path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('powershell.file.script_block_text like~ "*invoke-mimikatz*"', ["4104", "4104"]),
        ('powershell.file.script_block_text : "function get-loot*" and powershell.total == 2', ["4104"]),
        (f'powershell.file.script_block_id == "{BLOCK}" and powershell.sequence == 2', ["4104"]),
        ('file.name : "loot.ps1" and user.id == "S-1-5-18"', ["4104", "4104"]),
        ('process.args : "-noprofile"', ["400"]),
        ('process.args : "iex*" and event.sequence > 12 and powershell.engine.version : "2.*"', ["400"]),
        ('not process.command_line : "*"', ["4104", "4104"]),
        ('winlog.event_data.ScriptBlockText : "*" or winlog.event_data.param3 : "*"', []),
    ],
)
def test_question(case: Case, condition: str, expected: list[str]) -> None:
    found = query(case, f"process where {condition}", Filters())
    assert [document["event"]["code"] for document in found] == expected


def test_script_is_no_value_of_a_column(case: Case) -> None:
    """Every pattern of every rule is matched against the texts of table value."""
    assert case.db.execute("SELECT count(*) FROM value WHERE text LIKE '%Mimikatz%'").fetchone() == (0,)
    [(script,)] = case.db.execute(
        "SELECT group_concat(part, '') FROM (SELECT json_extract(data, '$.\"event_data\".\"ScriptBlockText\"') AS part"
        ' FROM events WHERE "powershell.file.script_block_id" = ? ORDER BY "powershell.sequence")',
        [BLOCK],
    )
    assert script == SCRIPT.replace("\r\n", "\n").rstrip("\n")
