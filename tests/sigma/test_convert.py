"""Rules made for one difference between Sigma and Elastic each, run over the documents that Elastic makes."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("sigma.backends.elasticsearch", reason="the extra is not installed: pip install 'evtxscan[sigma]'")

from evtxscan import eql
from evtxscan.sigma.read import NotConverted, SigmaText, read_sigma

SYSMON = {"event.provider": "Microsoft-Windows-Sysmon"}
START = {**SYSMON, "event.code": "1"}
SET = {**SYSMON, "event.code": "13"}
CONNECTION = {**SYSMON, "event.code": "3"}
LOGON = {"event.provider": "Microsoft-Windows-Security-Auditing", "winlog.channel": "Security", "event.code": "4648"}


def convert(detection: str, source: str = "category: process_creation", head: str = "") -> SigmaText | NotConverted:
    """Convert one rule."""
    text = f"""
title: A rule
id: 7c1b7d2e-0000-4000-8000-000000000001
{head}
logsource:
    product: windows
    {source}
detection:
{detection}
level: high
"""
    (found,) = read_sigma(text.encode())
    return found


def hits(detection: str, *documents: dict[str, Any], source: str = "category: process_creation") -> list[int]:
    """Return the numbers of the documents that a rule matches."""
    rule = convert(detection, source)
    assert isinstance(rule, SigmaText), rule
    numbered = [{"n": number, "@timestamp": number, **document} for number, document in enumerate(documents)]
    return [found["n"] for found in eql.run(rule.query, numbered)]


def selection(*tests: str) -> str:
    """Return the detection of one selection."""
    return "\n".join(["    selection:", *(f"        {test}" for test in tests), "    condition: selection"])


def test_a_category_is_its_events_alone() -> None:
    """Catches a log source that the pipeline leaves open: any event with a command line would match."""
    test = selection("CommandLine|contains: whoami")
    line = {"process.command_line": "WHOAMI /all"}
    audit = {"event.provider": "Microsoft-Windows-Security-Auditing"}
    documents = [
        START | line,
        CONNECTION | line,
        audit | {"event.code": "4688"} | line,
        audit | {"event.code": "1"} | line,
    ]
    assert hits(test, *documents) == [0, 2]


def test_deletions_are_not_creations() -> None:
    """Sysmon 12 has both; the log source of a deletion is no condition of the rule's."""
    test = selection("TargetObject|endswith: \\Run")
    change = {**SYSMON, "event.code": "12", "registry.path": "HKLM\\Run"}
    kinds = [change | {"winlog.event_data.EventType": kind} for kind in ("CreateKey", "DeleteKey", "DeleteValue")]
    assert hits(test, *kinds, source="category: registry_delete") == [1, 2]
    assert hits(test, *kinds, source="category: registry_add") == [0]


def test_escaped_wildcards_are_characters() -> None:
    """EQL has no escape for them."""
    lines = [{**START, "process.command_line": line} for line in (r"\\*\IPC$", r"\\host\IPC$", "cmd /?", "cmd /c")]
    assert hits(selection(r"CommandLine: '\\\\\*\\IPC$'"), *lines) == [0]
    assert hits(selection(r"CommandLine|endswith: ' /\?'"), *lines) == [2]


def test_case() -> None:
    lines = [{**START, "process.command_line": line} for line in ("PowerShell -Enc", "powershell -enc")]
    assert hits(selection("CommandLine|contains: POWERSHELL"), *lines) == [0, 1]
    assert hits(selection("CommandLine|contains|cased: PowerShell"), *lines) == [0]
    assert hits(selection("CommandLine|re: 'P.+ -E'"), *lines) == [0]
    assert hits(selection("CommandLine|re|i: 'P.+ -E'"), *lines) == [0, 1]


def test_user_is_domain_and_name() -> None:
    users = [
        {"user.domain": domain, "user.name": name} for domain, name in (("NT AUTHORITY", "SYSTEM"), ("CORP", "eve"))
    ]
    documents = [START | user for user in users]
    assert hits(selection("User|contains: AUTHORI"), *documents) == [0]
    assert hits(selection(r"User: CORP\eve"), *documents) == [1]


def test_fields_are_compared_with_each_other() -> None:
    """EQL refuses ``a == b``."""
    paths = [("C:\\a.exe", "c:\\A.exe"), ("C:\\a.exe", "C:\\a.exe.b"), ("C:\\a.exe", None)]
    documents = [{**START, "process.executable": one, "process.parent.executable": two} for one, two in paths]
    assert hits(selection("Image|fieldref: ParentImage"), *documents) == [0]
    user = {"user.domain": "A", "user.name": "b"}
    parents = [START | user | {"winlog.event_data.ParentUser": parent} for parent in ("A\\b", "A\\c")]
    assert hits(selection("User|fieldref: ParentUser"), *parents) == [0]


def test_hashes_are_compared_one_by_one() -> None:
    hashes = {"process.hash.md5": "aa", "process.pe.imphash": "bb"}
    documents = [START | hashes, START | {"process.hash.md5": "bb"}, START]
    assert hits(selection("Hashes|contains: IMPHASH=BB"), *documents) == [0]
    assert hits(selection("Hashes|contains:", "    - MD5=AA", "    - MD5=BB"), *documents) == [0, 1]
    assert hits(selection("Hashes|contains|all:", "    - MD5=AA", "    - IMPHASH=BB"), *documents) == [0]


def test_registry_numbers() -> None:
    """Details has them in hex with their type, registry.data in decimal."""
    data = [
        (["1"], "SZ_DWORD"),
        (["1"], "REG_SZ"),
        (["4294967303"], "SZ_QWORD"),
        (["DWORD (0x00000001)"], "REG_SZ"),
        (["263"], "SZ_QWORD"),
    ]
    documents = [{**SET, "registry.data.strings": text, "registry.data.type": kind} for text, kind in data]
    source = "category: registry_set"
    assert hits(selection("Details: DWORD (0x00000001)"), *documents, source=source) == [0, 3]
    assert hits(selection("Details|contains: '0x00000001'"), *documents, source=source) == [0, 3]
    assert hits(selection("Details|startswith: QWORD"), *documents, source=source) == [2, 4]
    assert hits(selection("Details: QWORD (0x00000001-0x00000007)"), *documents, source=source) == [4]


def test_empty_is_missing() -> None:
    """Elastic drops empty values, and Sysmon's ``-``: a filter on them would filter nothing."""
    documents = [START, {**START, "process.parent.executable": "C:\\x.exe"}]
    for value in ("''", "'-'", "null", "\n            - ''\n            - '-'"):
        assert hits(selection(f"ParentImage: {value}"), *documents) == [0], value
    logon = [LOGON, {**LOGON, "winlog.event_data.IpAddress": "-"}]
    assert hits(selection("EventID: 4648", "IpAddress: '-'"), *logon, source="service: security") == [1]


def test_numbers_addresses_and_directions() -> None:
    """Catches ``:`` on a number or address, which EQL refuses, and Elastic's words for true and false."""
    one = {**CONNECTION, "destination.port": 443, "destination.ip": "10.1.2.3", "network.direction": "egress"}
    two = {**CONNECTION, "destination.port": 4444, "destination.ip": "8.8.8.8", "network.direction": "ingress"}
    source = "category: network_connection"
    assert hits(selection("DestinationPort: 443"), one, two, source=source) == [0]
    assert hits(selection("DestinationPort: ['443', '4444']"), one, two, source=source) == [0, 1]
    assert hits(selection("DestinationPort|startswith: '44'"), one, two, source=source) == [0, 1]
    assert hits(selection("DestinationPort|gt: 443"), one, two, source=source) == [1]
    assert hits(selection("DestinationIp|cidr: 10.0.0.0/8"), one, two, source=source) == [0]
    assert hits(selection("DestinationIp|startswith: '10.'"), one, two, source=source) == [0]
    assert hits(selection("Initiated: 'true'"), one, two, source=source) == [0]
    assert hits(selection("Initiated: false"), one, two, source=source) == [1]


def test_moved_and_kept_fields_of_the_security_log() -> None:
    """One event id has an address as source.ip, another as recorded."""
    test = selection("IpAddress: 10.0.0.1")
    documents = [{**LOGON, "source.ip": "10.0.0.1"}, {**LOGON, "winlog.event_data.IpAddress": "10.0.0.1"}, LOGON]
    assert hits(test, *documents, source="service: security") == [0, 1]


def test_unnamed_data_and_classic_powershell() -> None:
    application = {"winlog.channel": "Application", "winlog.event_data.param2": "statement:EXEC x"}
    assert hits(selection("Data|contains: 'statement:exec'"), application, source="service: application") == [0]
    start = {"event.provider": "PowerShell", "event.code": "400", "process.command_line": "powershell -w hidden"}
    source = "category: ps_classic_start"
    assert hits(selection("Data|contains: 'HostApplication=powershell'"), start, source=source) == [0]
    assert hits(selection("Data|contains: 'HostName=powershell'"), start, source=source) == []


def test_values_without_a_field() -> None:
    test = "    keywords:\n        - mimikatz\n    condition: keywords"
    assert hits(test, {**START, "process.command_line": "x mimikatz.exe"}, START) == [0]


@pytest.mark.parametrize(
    ("detection", "source", "named"),
    [
        (selection("A: 1"), "category: nonsense", "nonsense"),
        (selection("A: 1"), "service: nonsense", "nonsense"),
        ("    keywords:\n        - x\n    condition: keywords", "category: file_event", "without naming a field"),
        (selection("CommandLine|re: '(a)\\1'"), "category: process_creation", "back reference"),
        (selection("CommandLine|expand: '%names%'"), "category: process_creation", "%names%"),
        (selection("CommandLine|nonsense: a"), "category: process_creation", "nonsense"),
        ("    selection:\n        A: 1\n    condition: other", "category: process_creation", "other"),
        ("    - broken", "category: process_creation", ""),
    ],
)
def test_a_rule_that_does_not_run_says_why(detection: str, source: str, named: str) -> None:
    found = convert(detection, source)
    assert isinstance(found, NotConverted)
    assert named in found.reason
    assert found.reason


@pytest.mark.parametrize(
    "raw",
    [
        b"title: x\ndetection: [",
        b"title: x\ndetection: \xff",
        b"title: x\ndetection: &a [*a]",
        b"title: x\ndetection: 1\n---\ntitle: y\ncorrelation: {type: event_count}",
        b"title: x\ndetection:\n"
        + b"".join(b" a%d: &b%d [%s]\n" % (n, n, b"*b%d, " % (n - 1) * 9 if n else b"1") for n in range(30)),
        b"title: x\ndetection: " + b"[" * 5000,
        b"title: x\ndetection: " + b" " * (1 << 21),
    ],
)
def test_hostile_files_are_reasons(raw: bytes) -> None:
    """Catches a traceback, and a file that stands for billions of values."""
    found = list(read_sigma(raw))
    assert found
    assert all(isinstance(entry, NotConverted) and entry.reason and "\n" not in entry.reason for entry in found)
