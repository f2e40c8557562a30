"""Made-up findings: the hijack on a workstation, seen by Sysmon and by the Security log, and text that attacks."""

from __future__ import annotations

import copy
from typing import Any

from evtxscan.context.coverage.window import Lack, Window
from evtxscan.detect.verdict import Missing, Verdict
from evtxscan.evtx.filetime import from_iso
from evtxscan.export.result import CaseLabel, RefusedRule, Result, Scope

Document = dict[str, Any]

HOSTILE = {
    "escape sequences": "cmd.exe /c \x1b]0;owned\x07\x1b[2J\x1b[31mred \x9b32mgreen\x08\x7f",
    "formula": "=cmd|' /C calc'!A0",
    "formula after a semicolon": "x.exe a;=cmd|' /C calc'!A0;\"+1",
    "formula behind a tab": "\t=1+1",
    "full-width formula": "\uff1dcmd|' /C calc'!A0",
    "quoted": "'=1+1",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg/onload=alert(1)>",
    "template": "{{ 7*7 }}{% raw %}${7*7}",
    "rich markup": "[bold red]fake[/bold red] :boom: [link=https://example.invalid]x[/link]",
    "bidirectional": "invoice\u202efdp.exe \u2066isolate\u2069 zero\u200bwidth \u00a0 \ufeff",
    "tags": "plain\U000e0041\U000e0042 \ue000",
    "line ends": "first\r\nsecond\nthird\rfourth\u2028fifth\x0bsixth\x85",
    "NUL": "a\0b",
    "lone surrogate": "a\ud800b",
    "literal notation": r"C:\x64\tool.exe \x1b \u202e \x5c C:\new\x3b",
    "64 KB": "A" * 65_536,
    "64 KB of controls": "\x1b" * 65_536,
}

_SYSMON_LOG = "Microsoft-Windows-Sysmon/Operational"
_BEGIN, _END = from_iso("2026-03-02T06:30:00.544Z"), from_iso("2026-03-12T21:46:46.204Z")
_LACK = Lack("Security", "unexplained", from_iso("2026-03-05T03:01:07Z"), from_iso("2026-03-05T03:01:44Z"), 1_204)
_SYSMON = {
    "path": "C/Windows/System32/winevt/Logs/Microsoft-Windows-Sysmon%4Operational.evtx",
    "sha256": "5d1f0c1f7f4f2b1a9e8d7c6b5a49382716051423f2e1d0c9b8a79685746352f1",
}
_SECURITY = {
    "path": "C/Windows/System32/winevt/Logs/Security.evtx",
    "sha256": "9a0b1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e9",
}
_SVCHOST = r"C:\Windows\System32\svchost.exe"
_UNKNOWN_PARENT = "process.parent.args"


def rule() -> Document:
    """A rule as ``evtxscan.rule`` carries it: the built-in one, shortened, so that its prose can change freely."""
    return {
        "id": "265db8f5-fc73-4d0d-b434-6483b56372e2",
        "name": "Persistence via Update Orchestrator Service Hijack",
        "version": "111",
        "severity": "high",
        "risk_score": 73,
        "sha256": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "threat": [
            _threat("TA0003", "Persistence", [_technique("T1543", "Create or Modify System Process", "T1543.003")]),
            _threat("TA0004", "Privilege Escalation", [_technique("T1068", "Exploitation for Privilege Escalation")]),
        ],
        "description": "A program that is no part of the update machinery was started\nby the Update Orchestrator.",
        "references": ["https://github.com/irsl/CVE-2020-1313"],
        "false_positives": ["An authorised test. Ask who ran it, and compare times\nwith the order for the test."],
        "note": "1. Parents: is each program of the chain common in this evidence?\n2. What did the program do?",
        "author": ["The evtxscan contributors"],
        "license": "Apache-2.0",
        "type": "eql",
        "language": "eql",
        "index": ["winlogbeat-*", "logs-windows.*"],
        "query": """
process where host.os.type == "windows" and event.type == "start" and
  process.parent.executable : "C:\\\\Windows\\\\System32\\\\svchost.exe" and
  process.parent.args : "UsoSvc" and
  not process.executable : ("?:\\\\Windows\\\\System32\\\\UsoClient.exe", "?:\\\\Windows\\\\System32\\\\WerFault.exe")
""",
        "filters": [],
    }


def sysmon_finding() -> Document:
    """cmd.exe started by the Update Orchestrator's service host, recorded by Sysmon 1."""
    event = {
        "@timestamp": "2026-03-11T09:41:07.318Z",
        "ecs": {"version": "8.17.0"},
        "event": {
            "action": "Process creation",
            "category": ["process"],
            "code": "1",
            "kind": "event",
            "module": "sysmon",
            "provider": "Microsoft-Windows-Sysmon",
            "type": ["start"],
        },
        "host": {"id": "ws-041.corp.example", "name": "WS-041.corp.example", "os": {"type": "windows"}},
        "process": {
            "args": ["cmd.exe", "/c", "net localgroup administrators mholt /add"],
            "args_count": 3,
            "command_line": 'cmd.exe /c "net localgroup administrators mholt /add"',
            "entity_id": "{b3a1c5d2-3c53-69b1-4e02-00000000a700}",
            "executable": r"C:\Windows\System32\cmd.exe",
            "hash": {"sha256": "b99d61d874728edc0918ca0eb10eab93d381e7367e377406e65963366c874450"},
            "name": "cmd.exe",
            "parent": {
                "args": [_SVCHOST, "-k", "netsvcs", "-p", "-s", "UsoSvc"],
                "args_count": 6,
                "command_line": _SVCHOST + " -k netsvcs -p -s UsoSvc",
                "entity_id": "{b3a1c5d2-0b16-69b1-3a00-00000000a700}",
                "executable": _SVCHOST,
                "name": "svchost.exe",
                "pid": 3088,
            },
            "pid": 7412,
            "working_directory": "C:\\Windows\\system32\\",
        },
        "user": {"domain": "NT AUTHORITY", "id": "S-1-5-18", "name": "SYSTEM"},
        "winlog": {
            "channel": "Microsoft-Windows-Sysmon/Operational",
            "computer_name": "WS-041.corp.example",
            "event_data": {"IntegrityLevel": "System", "LogonId": "0x3e7", "TerminalSessionId": "0"},
            "record_id": "48211",
        },
    }
    return {**event, "evtxscan": _ours(_SYSMON, 6, 41_320, 48_211, "e27b0b5f1c6a4d38") | _sysmon_context()}


def security_finding() -> Document:
    """A renamed tool started the same way, recorded by 4688 alone: the parent's command line is inferred."""
    inferred_args = [_SVCHOST, "-k", "netsvcs", "-p", "-s", "UsoSvc"]
    event = {
        "@timestamp": "2026-03-11T09:43:52.0047713Z",
        "event": {
            "action": "created-process",
            "category": ["process"],
            "code": "4688",
            "kind": "event",
            "module": "security",
            "outcome": "success",
            "provider": "Microsoft-Windows-Security-Auditing",
            "type": ["start"],
        },
        "host": {"id": "ws-041.corp.example", "name": "WS-041.corp.example", "os": {"type": "windows"}},
        "process": {
            "args": [r"C:\ProgramData\o.exe", "-s", "203.0.113.77", "443"],
            "args_count": 4,
            "command_line": r"C:\ProgramData\o.exe -s 203.0.113.77 443",
            "executable": r"C:\ProgramData\o.exe",
            "name": "o.exe",
            "parent": {
                "args": inferred_args,
                "args_count": 6,
                "command_line": _SVCHOST + " -k netsvcs -p -s UsoSvc",
                "executable": _SVCHOST,
                "name": "svchost.exe",
                "pid": 3088,
            },
            "pid": 7604,
        },
        "user": {"domain": "CORP", "id": "S-1-5-18", "name": "WS-041$"},
        "winlog": {
            "channel": "Security",
            "computer_name": "WS-041.corp.example",
            "event_data": {"CommandLine": r"C:\ProgramData\o.exe -s 203.0.113.77 443", "ProcessId": "0xc10"},
            "logon": {"id": "0x3e7"},
            "record_id": "912477",
        },
    }
    ours = _ours(_SECURITY, 118, 2_048, 912_477, "71c0a9d2be3f4415")
    parent_event = "9a0b1c2d3e4f5061-97-30720"
    ours["inferred"] = [
        {
            "field": f"process.parent.{name}",
            "value": event["process"]["parent"][name],
            "method": "parent_record",
            "from": parent_event,
        }
        for name in ("args", "args_count", "command_line")
    ]
    ours["parents"] = [
        {
            "event": parent_event,
            "pid": 3088,
            "executable": _SVCHOST,
            "command_line": _SVCHOST + " -k netsvcs -p -s UsoSvc",
            "entity_id": None,
            "start": "2026-03-11T06:26:30.7712004Z",
            "how": "inferred",
            "method": "same host and process id, latest start before, not ended, same boot",
        }
    ]
    ours["parents_end"] = "parent_record_missing"
    ours["session"] = {"logon_id": "0x3e7", "status": "none", "reason": "SYSTEM has no logon record (0x3e7)"}
    ours["relies_on_missing"] = ["process.code_signature.trusted"]
    ours["window"] = whole()
    return {**event, "evtxscan": ours}


def sequence_finding() -> Document:
    """A start that is not followed by another event within the log, which ends too early to say so."""
    finding = sysmon_finding()
    ours = finding["evtxscan"]
    event = {**finding, "evtxscan": {name: ours[name] for name in ("event", "provenance", "session", "raw_xml")}}
    names = ("finding", "rule", "relies_on_missing", "sessions_open", "logons_before", "window")
    kept = {name: ours[name] for name in names}
    return {
        "evtxscan": {
            **kept,
            "matched": [{"event": 0, **entry} for entry in ours["matched"]],
            "events": [event, None],
            "join_keys": ["{b3a1c5d2-3c53-69b1-4e02-00000000a700}"],
            "not_covered": [{"event": 1, "reason": "log_ends_inside"}],
        }
    }


def threshold_finding() -> Document:
    """Services stopped one after the other: a group of 31 events on one host, of which two are told and four named."""
    made = sysmon_finding()
    ours = made["evtxscan"]
    events = [
        {**made, "evtxscan": {name: ours[name] for name in ("event", "provenance", "session", "raw_xml")}}
        for _ in range(2)
    ]
    rule_ = {
        **_kuery_rule("7a1c5f0e-0001-4c5e-9a53-0d1f8a4f4e5b", "threshold"),
        "threshold": {
            "fields": ["host.id", "user.name"],
            "count": 10,
            "cardinality": [{"field": "process.args", "value": 3}],
            "window_ms": 540_000,
        },
    }
    group = {
        "terms": [{"field": "host.id", "value": "ws-041.corp.example"}, {"field": "user.name", "value": "SYSTEM"}],
        "count": 31,
        "cardinality": [{"field": "process.args", "value": 17}],
        "start": "2026-03-11T09:41:07.318Z",
        "end": "2026-03-11T09:44:59.0017713Z",
        "hosts": ["ws-041.corp.example"],
        "event_ids": [f"5d1f0c1f7f4f2b1a-6-{offset}" for offset in (41_320, 41_888, 42_456, 43_024)],
    }
    kept = {name: ours[name] for name in ("matched", "relies_on_missing", "sessions_open", "logons_before", "window")}
    return {
        "evtxscan": {**kept, "finding": {"id": "0c6a4d38e27b0b5f"}, "rule": rule_, "threshold": group, "events": events}
    }


def new_terms_finding() -> Document:
    """The hijack as a rule that asks for programs not seen before; the log does not reach back far enough."""
    finding = security_finding()
    finding["evtxscan"].update(
        finding={"id": "5f4415e27b0b71c0"},
        rule={
            **_kuery_rule("7a1c5f0e-0002-4c5e-9a53-0d1f8a4f4e5b", "new_terms"),
            "new_terms": {"fields": ["host.id", "process.executable"], "history_ms": 604_800_000},
        },
        new_terms={
            "history_ms": 604_800_000,
            "known_ms": 9_471_973,
            "combinations": [
                {
                    "terms": [
                        {"field": "host.id", "value": "ws-041.corp.example"},
                        {"field": "process.executable", "value": r"C:\ProgramData\o.exe"},
                    ],
                    "last_seen": "2026-02-28T17:20:11.004Z",
                }
            ],
        },
    )
    return finding


def _kuery_rule(identifier: str, kind: str) -> Document:
    given = {"id": identifier, "name": f"A rule of type {kind}", "type": kind, "language": "kuery"}
    query = "event.category:process and process.parent.args:UsoSvc"
    program = {"value": "?:\\\\Windows\\\\System32\\\\*", "case_insensitive": True}
    filters = [{"meta": {"negate": True}, "query": {"wildcard": {"process.executable": program}}}]
    return {**rule(), **given, "query": query, "filters": filters}


def kuery_result() -> Result:
    """What rules in KQL give: a group of events, and an event with a value that may be new."""
    findings = (threshold_finding(), new_terms_finding())
    rules = tuple(finding["evtxscan"]["rule"] for finding in findings)
    short = (Missing("*", 1, "history_too_short"),)
    verdicts = tuple(Verdict(rule["id"], "ws-041.corp.example", "match", 4_120, short) for rule in rules)
    return Result(
        findings=findings, verdicts=verdicts, sources=result().sources, versions=result().versions, rules=rules
    )


def _time(*lacks: Lack) -> Window:
    return Window(_BEGIN, _END, lacks)


def window() -> Document:
    """A window that lacks a thing of every kind of phrase."""
    return {
        "from": "2026-03-09T09:12:03.1234567Z",
        "to": "2026-03-11T09:12:03.1234567Z",
        "whole": False,
        "lacks": [
            lack("begins_later", _SYSMON_LOG, "2026-03-09T09:12:03.1234567Z", "2026-03-09T10:00:00.5000000Z"),
            lack("cleared", "Security", "2026-03-10T14:02:11.0000000Z", "2026-03-10T14:20:03.0000000Z", 312),
            lack("sysmon_stopped", _SYSMON_LOG, "2026-03-10T20:00:01.0000000Z", "2026-03-10T20:00:09.0000000Z"),
            lack("sysmon_stopped", _SYSMON_LOG, "2026-03-11T01:00:00.0000000Z", None),
        ],
    }


def whole() -> Document:
    """A window that lacks nothing."""
    return {**window(), "whole": True, "lacks": []}


def lack(reason: str, channel: str, start: str, end: str | None, records: int = 0) -> Document:
    """An entry of a window."""
    return {"channel": channel, "reason": reason, "from": start, "to": end, "records": records, "parts": 1}


def hostile_group(text: str) -> Document:
    """A group with ``text`` wherever an attacker, or a rule, can put it."""
    finding = threshold_finding()
    ours = finding["evtxscan"]
    ours["events"] = [
        {**event, "evtxscan": {name: made["evtxscan"][name] for name in ("event", "provenance", "raw_xml")}}
        for made in [hostile_finding(text)]
        for event in [made]
    ]
    ours["threshold"].update(terms=[{"field": text, "value": text}], hosts=[text, text + "2"])
    ours["threshold"]["cardinality"][0]["field"] = text
    ours["rule"].update(name=text, filters=[{text: text}], query=text)
    return finding


def hostile_new_terms(text: str) -> Document:
    """An event whose new value is ``text``."""
    finding = new_terms_finding()
    finding["evtxscan"]["new_terms"]["combinations"][0]["terms"] = [{"field": text, "value": text}]
    return finding


def hostile_finding(text: str) -> Document:
    """The hijack with ``text`` wherever an attacker, or a log made by one, can put it."""
    finding = copy.deepcopy(sysmon_finding())
    finding["process"].update(command_line=text, args=[text], executable=text)
    finding["process"]["parent"].update(command_line=text, args=[text], executable=text)
    finding["user"].update(name=text, domain=text)
    finding["host"]["name"] = text
    finding["event"]["action"] = text
    finding["winlog"]["event_data"] = {text: text}
    ours = finding["evtxscan"]
    ours["window"] = {**window(), "lacks": [lack("cleared", text, text, text, 1)]}
    ours["provenance"][0]["source"]["path"] = text
    ours["matched"] = [{"test": text, "values": {"process.executable": [text]}}]
    ours["raw_xml"] = f"<Event><Data>{text}</Data></Event>"
    ours["rule"].update(name=text, description=text, query=text, references=[text, f"javascript:{text}"], note=text)
    ours["parents"][0].update(executable=text, command_line=text)
    for session in (ours["session"], *ours["sessions_open"]):
        session.update(workstation=text, user={"name": text, "domain": text, "id": text}, authentication_package=text)
    ours["sessions_open"][0]["explicit_credentials"][0].update(user={"name": text}, process=text)
    return finding


def result() -> Result:
    """A whole result: two findings, every verdict, every reason, losses, a refused rule."""
    host = "WS-041.corp.example"
    built_in = rule()
    return Result(
        findings=(sysmon_finding(), security_finding()),
        verdicts=(
            Verdict(built_in["id"], host, "match", 4_120, window=_time(_LACK)),
            Verdict(
                built_in["id"],
                "WS-042.corp.example",
                "undetermined",
                2_977,
                (
                    Missing(_UNKNOWN_PARENT, 36, "parent_record_missing"),
                    Missing(_UNKNOWN_PARENT, 211, "command_line_not_audited"),
                    Missing(_UNKNOWN_PARENT, 4, "shared_service_host"),
                    Missing("process.pe.original_file_name", 2_977, "no_sysmon"),
                    Missing("process.code_signature.trusted", 2_977, "not_in_event_logs"),
                    Missing("process.executable", 1, "not_recorded"),
                ),
            ),
            Verdict(
                built_in["id"],
                "FS-01.corp.example",
                "incomplete",
                310,
                (Missing(_UNKNOWN_PARENT, 14, "evidence_lost"),),
            ),
            Verdict(built_in["id"], "DC-01.corp.example", "no_match", 51_904, window=_time()),
            Verdict(
                built_in["id"],
                "PRN-7",
                "incomplete",
                0,
                (Missing("event.category", 0, "no_events"),),
                _time(Lack(_SYSMON_LOG, "no_log", _BEGIN, _END), Lack("Security", "no_log", _BEGIN, _END)),
            ),
        ),
        sources=(
            {**_SYSMON, "size": 1_118_208, "found": 4_871, "stored": 4_871, "known": 0, "lost": 0, "losses": []}
            | {"exhibit": "E-3", "expected_sha256": _SYSMON["sha256"], "filtered": 0, "error": None},
            {**_SECURITY, "size": 20_975_616, "found": 54_306, "stored": 54_290, "known": 14, "lost": 2}
            | {
                "losses": [
                    {
                        "chunk": 44,
                        "offset": 12_288,
                        "record_id": 871_020,
                        "reason": "not_rendered",
                        "detail": "the parser cannot render the record's template",
                    },
                    {
                        "chunk": 44,
                        "offset": None,
                        "record_id": 871_021,
                        "reason": "not_found",
                        "detail": "the chunk's header counts it, no record has it",
                    },
                ],
                "exhibit": "E-3",
                "filtered": 0,
                "error": None,
            },
        ),
        versions={"evtxscan": "0.1.0", "evtx": "0.14.0", "mapping": "1", "python-evtx": "0.8.1"},
        rules=(built_in,),
        refused=(RefusedRule("rules/broken.toml", 'expected ")" before the end of the query', 4, 17),),
        scope=Scope(start="2026-03-01T00:00:00Z", hosts=()),
        label=CaseLabel("2026-0311/A", "J. Okafor", ("E-3: disk of WS-041, image of 12 March 2026",), None),
    )


def hostile_result() -> Result:
    """Every hostile text in one result, in findings and around them."""
    short = [text for text in HOSTILE.values() if len(text) < 1_000]
    findings = (
        *map(hostile_finding, HOSTILE.values()),
        *map(hostile_group, short),
        *map(hostile_new_terms, short),
    )
    texts = list(HOSTILE.values())
    return Result(
        findings=findings,
        verdicts=tuple(
            Verdict(text, text, "match", 1, (Missing(text, 1, "not_recorded"),), _time(Lack(text, "cleared", 0, 1)))
            for text in texts
        ),
        sources=tuple(
            {"path": text, "sha256": "0" * 64, "size": 1, "found": 1, "stored": 0, "known": 0, "lost": 1}
            | {"losses": [{"chunk": 0, "offset": 0, "record_id": 1, "reason": text, "detail": text}], "error": text}
            for text in texts
        ),
        versions={"evtxscan": "0.1.0"},
        rules=tuple(finding["evtxscan"]["rule"] for finding in findings),
        refused=tuple(RefusedRule(text, text) for text in texts),
        scope=Scope(hosts=tuple(texts)),
        label=CaseLabel(texts[6], texts[0], tuple(texts), texts[1]),
    )


def _ours(source: Document, chunk: int, offset: int, record_id: int, finding_id: str) -> Document:
    event_id = f"{source['sha256'][:16]}-{chunk}-{offset}"
    return {
        "event": {"id": event_id},
        "finding": {"id": finding_id},
        "provenance": [
            {
                "source": source,
                "chunk": chunk,
                "offset": offset,
                "record_id": record_id,
                "origin": "live",
                "mended": False,
            }
        ],
        "inferred": [],
        "witnesses": [],
        "parents": [],
        "parents_end": None,
        "session": None,
        "sessions_open": [_session()],
        "logons_before": [_session(), _service_session()],
        "rule": rule(),
        "matched": [
            {"test": 'event.type == "start"', "values": {"event.type": ["start"]}},
            {"test": rf'process.parent.executable : "{_SVCHOST}"', "values": {"process.parent.executable": [_SVCHOST]}},
            {"test": 'process.parent.args : "UsoSvc"', "values": {"process.parent.args": ["UsoSvc"]}},
            {
                "test": 'not process.name : (\n      "UsoClient.exe",\n      "WerFault.exe"\n    )',
                "values": {"process.name": ["cmd.exe"]},
            },
        ],
        "relies_on_missing": [],
        "window": window(),
        "raw_xml": '<?xml version="1.0" encoding="utf-8"?>\n<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/'
        f'event">\n  <System>\n    <EventRecordID>{record_id}</EventRecordID>\n  </System>\n</Event>',
    }


def _sysmon_context() -> Document:
    return {
        "witnesses": ["9a0b1c2d3e4f5061-117-60288"],
        "parents": [
            {
                "event": "5d1f0c1f7f4f2b1a-4-9216",
                "pid": 3088,
                "executable": _SVCHOST,
                "command_line": _SVCHOST + " -k netsvcs -p -s UsoSvc",
                "entity_id": "{b3a1c5d2-0b16-69b1-3a00-00000000a700}",
                "start": "2026-03-11T06:26:30.771Z",
                "how": "observed",
                "method": "entity_id",
            },
            {
                "event": None,
                "pid": 716,
                "executable": r"C:\Windows\System32\services.exe",
                "command_line": r"C:\Windows\system32\services.exe",
                "entity_id": "{b3a1c5d2-0b10-69b1-0b00-00000000a700}",
                "start": None,
                "how": "observed",
                "method": "entity_id",
            },
        ],
        "parents_end": "parent_record_missing",
        "session": {"logon_id": "0x3e7", "status": "none", "reason": "SYSTEM has no logon record (0x3e7)"},
    }


def _threat(identifier: str, name: str, techniques: list[Document]) -> Document:
    reference = f"https://attack.mitre.org/tactics/{identifier}/"
    tactic = {"id": identifier, "name": name, "reference": reference}
    return {"framework": "MITRE ATT&CK", "tactic": tactic, "technique": techniques}


def _technique(identifier: str, name: str, sub: str = "") -> Document:
    technique: Document = {
        "id": identifier,
        "name": name,
        "reference": f"https://attack.mitre.org/techniques/{identifier}/",
    }
    if sub:
        reference = f"https://attack.mitre.org/techniques/{sub.replace('.', '/')}/"
        technique["subtechnique"] = [{"id": sub, "name": "Windows Service", "reference": reference}]
    return technique


def _session() -> Document:
    return {
        "logon_id": "0x5a1f0c",
        "status": "found",
        "reason": None,
        "logon_type": 10,
        "logon_type_name": "RemoteInteractive",
        "user": {"id": "S-1-5-21-1004336348-1177238915-682003330-1109", "name": "mholt", "domain": "CORP"},
        "source": {"ip": "203.0.113.77", "port": 51_544},
        "workstation": "DESKTOP-9Q2",
        "authentication_package": "Negotiate",
        "logon_process": "User32",
        "elevated": False,
        "linked_logon_id": "0x0",
        "privileges": [],
        "explicit_credentials": [
            {
                "user": {"name": "svc-backup", "domain": "CORP"},
                "target_server": "FS-01.corp.example",
                "process": r"C:\Windows\System32\net.exe",
                "time": "2026-03-11T09:12:40.1180443Z",
                "event": "9a0b1c2d3e4f5061-116-11264",
            }
        ],
        "start": "2026-03-11T09:02:15.5501127Z",
        "end": None,
        "end_reason": "log_ends",
        "event": "9a0b1c2d3e4f5061-115-48128",
    }


def _service_session() -> Document:
    return {
        "logon_id": "0x2b7d41",
        "status": "found",
        "reason": None,
        "logon_type": 3,
        "logon_type_name": "Network",
        "user": {"id": "S-1-5-21-1004336348-1177238915-682003330-500", "name": "Administrator", "domain": "WS-041"},
        "source": {"ip": "198.51.100.12", "port": 0},
        "workstation": "KALI",
        "authentication_package": "NTLM",
        "logon_process": "NtLmSsp",
        "elevated": True,
        "linked_logon_id": None,
        "privileges": ["SeDebugPrivilege", "SeTcbPrivilege"],
        "explicit_credentials": [],
        "start": "2026-03-10T22:17:03.9926650Z",
        "end": "2026-03-10T22:17:09.1004418Z",
        "end_reason": "logged_out",
        "event": "9a0b1c2d3e4f5061-108-512",
    }
