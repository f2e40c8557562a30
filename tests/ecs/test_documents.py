"""Documents worked out by hand for events of which Elastic has no golden data, and for shapes that break mappers.

Each expectation was written from the mapping facts and from records of that shape, not printed by the code. A test
here fails when a value goes to the wrong field, keeps or loses its raw name, or changes its type.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.ecs.stored import event_json, store

SECURITY, SYSMON = "Microsoft-Windows-Security-Auditing", "Microsoft-Windows-Sysmon"
SYSMON_CHANNEL = "Microsoft-Windows-Sysmon/Operational"
ALICE = "S-1-5-21-1004336348-1177238915-682003330-1106"
# What the base layer gives every event; test_base_layer holds it.
BASE = {
    "@timestamp", "data_stream.dataset", "ecs.version", "event.code", "event.kind", "event.module", "event.outcome",
    "event.provider", "host.id", "host.name", "host.os.family", "host.os.type", "log.level", "winlog.channel",
    "winlog.computer_name", "winlog.event_id", "winlog.keywords", "winlog.opcode", "winlog.process.pid",
    "winlog.process.thread.id", "winlog.provider_guid", "winlog.provider_name", "winlog.record_id", "winlog.task",
    "winlog.time_created", "winlog.user.identifier", "winlog.version",
}  # fmt: skip


def system(provider: str, code: object, channel: str, **more: object) -> dict[str, Any]:
    found = {
        "Provider": {"#attributes": {"Name": provider, "Guid": "54849625-5478-4994-A5BA-3E3B0328C30D"}},
        "EventID": code,
        "Version": 0,
        "Level": 0,
        "Task": 13312,
        "Opcode": 0,
        "Keywords": "0x8020000000000000",
        "TimeCreated": {"#attributes": {"SystemTime": "2021-04-07T09:12:33.123456Z"}},
        "EventRecordID": 271_828,
        "Correlation": None,
        "Execution": {"#attributes": {"ProcessID": 4, "ThreadID": 88}},
        "Channel": channel,
        "Computer": "WKS-07.Corp.Example",
        "Security": None,
    }
    return {**found, **more}


def beyond_base(text: str) -> dict[str, Any]:
    document = store([text])[0].document
    return {name: value for name, value in document.items() if name not in BASE}


def security(code: int, data: dict[str, object], **more: object) -> dict[str, Any]:
    return beyond_base(event_json(system(SECURITY, code, "Security", **more), EventData=data))


def sysmon(code: int, data: dict[str, object], **more: object) -> dict[str, Any]:
    head = {"Keywords": "0x8000000000000000", "Level": 4, "Security": {"#attributes": {"UserID": "S-1-5-18"}}, **more}
    return beyond_base(event_json(system(SYSMON, code, SYSMON_CHANNEL, **head), EventData=data))


def in_event_data(**values: object) -> dict[str, Any]:
    return {f"winlog.event_data.{name}": value for name, value in values.items()}


SUBJECT = {
    "SubjectUserSid": ALICE,
    "SubjectUserName": "alice",
    "SubjectDomainName": "CORP",
    "SubjectLogonId": "0x3a5f1",
}
BY_SUBJECT = {
    "user.id": ALICE,
    "user.name": "alice",
    "user.domain": "CORP",
    "winlog.logon.id": "0x3a5f1",
    **in_event_data(**SUBJECT),
}
CREATED = {"event.category": ["process"], "event.type": ["start"], "event.action": "created-process"}


def test_base_layer() -> None:
    """Every field that all events share, with its type: a number where Elastic has a text breaks rules silently."""
    text = event_json(
        system(
            "Microsoft-Windows-Kernel-Process", 7, "Microsoft-Windows-Kernel-Process/Analytic", Version=2, Level=3,
            Opcode=2, Task=4, Correlation={"#attributes": {"ActivityID": "0A1B2C3D-0000-0000-FFFF-00000000000A",
            "RelatedActivityID": "0A1B2C3D-0000-0000-FFFF-00000000000B"}},
            Security={"#attributes": {"UserID": "S-1-5-20"}}, Keywords="0x8010000000000000",
        ),
        EventData={"Empty": "", "Text": "one\r\ntwo\r\n", "Number": 7, "Yes": True},
    )  # fmt: skip
    ticks = 132_622_603_531_234_567  # 2021-04-07T09:12:33.1234567Z
    assert store([text], [ticks])[0].document == {
        "@timestamp": "2021-04-07T09:12:33.1234567Z",
        "ecs.version": "8.17.0",
        "event.code": "7",
        "event.kind": "event",
        "event.outcome": "failure",
        "event.provider": "Microsoft-Windows-Kernel-Process",
        "host.id": "wks-07.corp.example",
        "host.name": "WKS-07.Corp.Example",
        "host.os.family": "windows",
        "host.os.type": "windows",
        "log.level": "warning",
        "winlog.activity_id": "{0A1B2C3D-0000-0000-FFFF-00000000000A}",
        "winlog.channel": "Microsoft-Windows-Kernel-Process/Analytic",
        "winlog.computer_name": "WKS-07.Corp.Example",
        "winlog.event_data.Number": "7",
        "winlog.event_data.Text": "one\ntwo",
        "winlog.event_data.Yes": "true",
        "winlog.event_id": "7",
        "winlog.keywords": ["Audit Failure"],
        "winlog.opcode": "Stop",
        "winlog.process.pid": 4,
        "winlog.process.thread.id": 88,
        "winlog.provider_guid": "{54849625-5478-4994-A5BA-3E3B0328C30D}",
        "winlog.provider_name": "Microsoft-Windows-Kernel-Process",
        "winlog.record_id": 271_828,
        "winlog.related_activity_id": "{0A1B2C3D-0000-0000-FFFF-00000000000B}",
        "winlog.user.identifier": "S-1-5-20",
        "winlog.version": 2,
    }


def test_4688_version_0_has_no_command_line() -> None:
    found = security(4688, {**SUBJECT, "NewProcessId": "0x11cc", "NewProcessName": "C:\\Windows\\System32\\cmd.exe",
                            "TokenElevationType": "%%1936", "ProcessId": "0x2A0"})  # fmt: skip
    assert found == {
        **CREATED,
        **BY_SUBJECT,
        "process.pid": 4556,
        "process.executable": "C:\\Windows\\System32\\cmd.exe",
        "process.name": "cmd.exe",
        "process.parent.pid": 672,
        "related.user": ["alice"],
        # 0x2A0 is not how Windows writes the number: the recorded text has to survive beside the pid.
        **in_event_data(TokenElevationType="%%1936", ProcessId="0x2A0"),
    }


def test_4688_version_1_splits_without_removing_quotes() -> None:
    line = '"C:\\Program Files\\7-Zip\\7z.exe" a  out.7z '
    found = security(
        4688,
        {
            **SUBJECT,
            "NewProcessId": "0x5dc",
            "NewProcessName": "C:\\Program Files\\7-Zip\\7z.exe",
            "TokenElevationType": "%%1938",
            "ProcessId": "0x4",
            "CommandLine": line,
        },
        Version=1,
    )
    assert found == {
        **CREATED,
        **BY_SUBJECT,
        "process.pid": 1500,
        "process.executable": "C:\\Program Files\\7-Zip\\7z.exe",
        "process.name": "7z.exe",
        "process.command_line": line,
        "process.args": ['"C:\\Program Files\\7-Zip\\7z.exe"', "a", "", "out.7z", ""],
        "process.args_count": 5,
        "process.parent.pid": 4,
        "related.user": ["alice"],
        **in_event_data(TokenElevationType="%%1938", ProcessId="0x4", CommandLine=line),
    }


def test_4688_version_2_names_parent_and_target() -> None:
    target = {"TargetUserSid": "S-1-5-18", "TargetUserName": "WKS-07$", "TargetDomainName": "CORP"}
    found = security(4688, {**SUBJECT, "NewProcessId": "0x1f40", "NewProcessName": "C:\\Windows\\System32\\whoami.exe",
                            "TokenElevationType": "%%1937", "ProcessId": "0x11cc", "CommandLine": "", **target,
                            "TargetLogonId": "0x3e7", "ParentProcessName": "C:\\Windows\\System32\\svchost.exe",
                            "MandatoryLabel": "S-1-16-16384"}, Version=2)  # fmt: skip
    assert found == {
        **CREATED,
        **BY_SUBJECT,
        "process.pid": 8000,
        "process.executable": "C:\\Windows\\System32\\whoami.exe",
        "process.name": "whoami.exe",
        "process.parent.pid": 4556,
        "process.parent.executable": "C:\\Windows\\System32\\svchost.exe",
        "process.parent.name": "svchost.exe",
        "related.user": ["alice", "WKS-07$"],
        "user.effective.id": "S-1-5-18",
        "user.effective.name": "WKS-07$",
        "user.effective.domain": "CORP",
        **in_event_data(TokenElevationType="%%1937", ProcessId="0x11cc", MandatoryLabel="S-1-16-16384",
                        TargetLogonId="0x3e7", **target),
    }  # fmt: skip


def test_4688_without_target_has_only_its_sid() -> None:
    """``-`` is not a name: user.effective.name "-" would match rules that ask for another user than the subject."""
    found = security(4688, {**SUBJECT, "NewProcessId": "0x10", "ProcessId": "0x4", "TargetUserSid": "S-1-0-0",
                            "TargetUserName": "-", "TargetDomainName": "-", "TargetLogonId": "0x0"})  # fmt: skip
    assert found["user.effective.id"] == "S-1-0-0"
    assert not {"user.effective.name", "user.effective.domain"} & found.keys()
    assert found["winlog.event_data.TargetUserName"] == "-"
    assert found["related.user"] == ["alice"]


def test_4648_moves_process_and_address_and_keeps_both_users() -> None:
    data = {
        **SUBJECT,
        "LogonGuid": "00000000-0000-0000-0000-000000000000",
        "TargetUserName": "svc_backup",
        "TargetDomainName": "CORP",
        "TargetLogonGuid": "7A1B2C3D-1111-2222-3333-0123456789AB",
        "TargetServerName": "SRV-02",
        "TargetInfo": "SRV-02",
        "ProcessId": "0x1b4",
        "ProcessName": "C:\\Windows\\System32\\runas.exe",
        "IpAddress": "::ffff:10.1.2.3",
        "IpPort": "-",
    }
    assert security(4648, data) == {
        "event.category": ["authentication"],
        "event.type": ["start"],
        "event.action": "logged-in-explicit",
        **BY_SUBJECT,
        "user.effective.name": "svc_backup",
        "user.effective.domain": "CORP",
        "related.user": ["alice", "svc_backup"],
        "process.pid": 436,
        "process.executable": "C:\\Windows\\System32\\runas.exe",
        "process.name": "runas.exe",
        "source.ip": "10.1.2.3",
        "related.ip": ["10.1.2.3"],
        **in_event_data(LogonGuid="{00000000-0000-0000-0000-000000000000}", TargetUserName="svc_backup",
                        TargetDomainName="CORP", TargetLogonGuid="{7A1B2C3D-1111-2222-3333-0123456789AB}",
                        TargetServerName="SRV-02", TargetInfo="SRV-02", IpPort="-"),
    }  # fmt: skip


def test_4625_names_the_failure() -> None:
    data = {"SubjectUserSid": "S-1-0-0", "SubjectUserName": "-", "SubjectDomainName": "-", "SubjectLogonId": "0x0",
            "TargetUserSid": "S-1-0-0", "TargetUserName": "bob@corp.example", "TargetDomainName": "",
            "Status": "0xc000006d", "FailureReason": "%%2313", "SubStatus": "0xc000006a", "LogonType": 3,
            "LogonProcessName": "NtLmSsp ", "AuthenticationPackageName": "NTLM", "WorkstationName": "KALI",
            "TransmittedServices": "-", "LmPackageName": "-", "KeyLength": 0, "ProcessId": "0x0", "ProcessName": "-",
            "IpAddress": "192.0.2.44", "IpPort": 49152}  # fmt: skip
    assert security(4625, data, Keywords="0x8010000000000000") == {
        "event.category": ["authentication"],
        "event.type": ["start"],
        "event.action": "logon-failed",
        "user.id": "S-1-0-0",
        "user.name": "bob",
        "related.user": ["bob"],
        "process.pid": 0,
        "process.executable": "-",
        "process.name": "-",
        "source.ip": "192.0.2.44",
        "source.port": 49152,
        "source.domain": "KALI",
        "related.ip": ["192.0.2.44"],
        "winlog.logon.id": "0x0",
        "winlog.logon.type": "Network",
        "winlog.logon.failure.reason": "Unknown user name or bad password.",
        "winlog.logon.failure.status": "This is either due to a bad username or authentication information",
        "winlog.logon.failure.sub_status": "User logon with misspelled or bad password",
        **in_event_data(SubjectUserSid="S-1-0-0", SubjectUserName="-", SubjectDomainName="-", SubjectLogonId="0x0",
                        TargetUserSid="S-1-0-0", TargetUserName="bob@corp.example", Status="0xc000006d",
                        FailureReason="%%2313", SubStatus="0xc000006a", LogonType="3", LogonProcessName="NtLmSsp ",
                        AuthenticationPackageName="NTLM", TransmittedServices="-", LmPackageName="-", KeyLength="0"),
    }  # fmt: skip


def test_4647_ends_the_session_of_its_target() -> None:
    target = {"TargetUserSid": ALICE, "TargetUserName": "alice", "TargetDomainName": "CORP", "TargetLogonId": "0x9b2f0"}
    assert security(4647, target) == {
        "event.category": ["authentication"],
        "event.type": ["end"],
        "event.action": "logged-out",
        "user.id": ALICE,
        "user.name": "alice",
        "user.domain": "CORP",
        "related.user": ["alice"],
        "winlog.logon.id": "0x9b2f0",
        **in_event_data(**target),
    }


def test_1102_reads_user_data() -> None:
    """The security log's own clearing is in UserData, where a reader of EventData finds nobody who did it."""
    cleared = {"#attributes": {"xmlns": "http://manifests.microsoft.com/win/2004/08/windows/eventlog"}, **SUBJECT}
    text = event_json(
        system("Microsoft-Windows-Eventlog", 1102, "Security", Task=104), UserData={"LogFileCleared": cleared}
    )
    assert beyond_base(text) == {
        "event.category": ["iam"],
        "event.type": ["admin", "change"],
        "event.action": "audit-log-cleared",
        "user.id": ALICE,
        "user.name": "alice",
        "user.domain": "CORP",
        "related.user": ["alice"],
        "winlog.logon.id": "0x3a5f1",
        "winlog.user_data.xml_name": "LogFileCleared",
        **{f"winlog.user_data.{name}": value for name, value in SUBJECT.items()},
    }


def test_same_id_of_another_provider_is_another_event() -> None:
    """1102 is also an id of others; a mapping keyed by the number alone would report a cleared log."""
    text = event_json(system("Contoso-Backup", 1102, "Security"), EventData={"SubjectUserName": "alice"})
    assert beyond_base(text) == in_event_data(SubjectUserName="alice")


PROCESS = {
    "RuleName": "-",
    "UtcTime": "2021-04-07 09:12:33.100",
    "ProcessGuid": "A1B2C3D4-5678-606D-0000-001000000000",
    "ProcessId": 4556,
    "Image": "C:\\Windows\\System32\\svchost.exe",
}
BY_PROCESS = {
    "process.entity_id": "{A1B2C3D4-5678-606D-0000-001000000000}",
    "process.pid": 4556,
    "process.executable": "C:\\Windows\\System32\\svchost.exe",
    "process.name": "svchost.exe",
    "user.id": "S-1-5-18",
}
REGISTRY = {"event.category": ["configuration", "registry"], "event.type": ["change"]}


def test_sysmon_11_keeps_the_creation_time() -> None:
    found = sysmon(11, {**PROCESS, "TargetFilename": "C:\\Users\\alice\\Downloads\\v1.2\\README",
                        "CreationUtcTime": "2021-04-07 09:12:33.100", "User": "CORP\\alice"})  # fmt: skip
    assert found == {
        "event.category": ["file"],
        "event.type": ["creation"],
        "event.action": "FileCreate",
        **BY_PROCESS,
        "file.path": "C:\\Users\\alice\\Downloads\\v1.2\\README",
        "file.name": "README",
        "file.directory": "C:\\Users\\alice\\Downloads\\v1.2",
        "file.extension": "2\\README",  # Elastic cuts at the last dot of the whole path
        "user.name": "alice",
        "user.domain": "CORP",
        "related.user": ["alice"],
        **in_event_data(CreationUtcTime="2021-04-07 09:12:33.100"),
    }


def test_sysmon_time_is_utc_time_and_time_created_stays() -> None:
    text = event_json(
        system(SYSMON, 5, SYSMON_CHANNEL, Security={"#attributes": {"UserID": "S-1-5-18"}}), EventData=PROCESS
    )
    document = store([text], [132_622_603_531_234_567])[0].document
    assert document["@timestamp"] == "2021-04-07T09:12:33.100Z"
    assert document["winlog.time_created"] == "2021-04-07T09:12:33.1234567Z"
    assert document["winlog.record_id"] == "271828"


def test_sysmon_time_that_is_none_leaves_time_created() -> None:
    """A made-up UtcTime must neither stop the record nor vanish."""
    text = event_json(system(SYSMON, 5, SYSMON_CHANNEL), EventData={**PROCESS, "UtcTime": "2021-04-31 09:12:33.100"})
    document = store([text])[0].document
    assert document["@timestamp"] == "2021-04-07T09:12:33.1234560Z"
    assert "winlog.time_created" not in document
    assert document["winlog.event_data.UtcTime"] == "2021-04-31 09:12:33.100"


def test_sysmon_12_key_is_the_whole_path_below_the_hive() -> None:
    found = sysmon(12, {**PROCESS, "EventType": "CreateKey", "TargetObject": "HKLM\\SOFTWARE\\Contoso\\Run"})
    assert found == {
        **REGISTRY,
        "event.action": "RegistryEvent (Object create and delete)",
        **BY_PROCESS,
        "registry.path": "HKLM\\SOFTWARE\\Contoso\\Run",
        "registry.hive": "HKLM",
        "registry.key": "SOFTWARE\\Contoso\\Run",
        "registry.value": "Run",
        **in_event_data(EventType="CreateKey"),
    }


@pytest.mark.parametrize(
    ("details", "text", "kind"),
    [
        ("DWORD (0x0000002a)", "42", "SZ_DWORD"),
        ("QWORD (0x00000000-0x00000400)", "1024", "SZ_QWORD"),
        ("QWORD (0x00000001-0x00000002)", "258", "SZ_QWORD"),  # Elastic's arithmetic: (1 << 8) + 2
        ("Binary Data", "Binary Data", "REG_BINARY"),
        ("C:\\x.exe (0x1)", "C:\\x.exe (0x1)", "REG_SZ"),
    ],
)
def test_sysmon_13_details(details: str, text: str, kind: str) -> None:
    found = sysmon(13, {**PROCESS, "EventType": "SetValue", "TargetObject": "HKCU\\A\\(Default)", "Details": details})
    assert found == {
        **REGISTRY,
        "event.action": "RegistryEvent (Value Set)",
        **BY_PROCESS,
        "registry.path": "HKCU\\A\\(Default)",
        "registry.hive": "HKCU",
        "registry.key": "A\\(Default)",
        "registry.value": "(Default)",
        "registry.data.strings": [text],
        "registry.data.type": kind,
        **in_event_data(EventType="SetValue"),
    }


def test_sysmon_14_keeps_the_new_name() -> None:
    found = sysmon(14, {**PROCESS, "EventType": "RenameKey", "TargetObject": "\\REGISTRY\\A\\{B}\\Old",
                        "NewName": "\\REGISTRY\\A\\{B}\\New"})  # fmt: skip
    assert found == {
        **REGISTRY,
        "event.action": "RegistryEvent (Key and Value Rename)",
        **BY_PROCESS,
        "registry.path": "\\REGISTRY\\A\\{B}\\Old",  # no known root: neither hive nor key
        "registry.value": "Old",
        **in_event_data(EventType="RenameKey", NewName="\\REGISTRY\\A\\{B}\\New"),
    }


def test_sysmon_15_hash_is_the_files() -> None:
    found = sysmon(15, {**PROCESS, "TargetFilename": "C:\\T\\a.exe:Zone.Identifier", "CreationUtcTime": "x",
                        "Hash": "MD5=0123456789ABCDEF0123456789ABCDEF,IMPHASH=00000000000000000000000000000000",
                        "Contents": "[ZoneTransfer]\r\nZoneId=3\r\n"})  # fmt: skip
    assert found == {
        "event.category": ["file"],
        "event.type": ["access"],
        "event.action": "FileCreateStreamHash",
        **BY_PROCESS,
        "file.path": "C:\\T\\a.exe:Zone.Identifier",
        "file.name": "a.exe:Zone.Identifier",
        "file.directory": "C:\\T",
        "file.extension": "Identifier",
        "file.hash.md5": "0123456789abcdef0123456789abcdef",
        "related.hash": ["0123456789abcdef0123456789abcdef"],
        **in_event_data(CreationUtcTime="x", Contents="[ZoneTransfer]\nZoneId=3"),
    }


@pytest.mark.parametrize(
    ("code", "kind", "action"),
    [(17, "creation", "PipeEvent (Pipe Created)"), (18, "access", "PipeEvent (Pipe Connected)")],
)
def test_sysmon_pipe_is_a_file_name_without_a_path(code: int, kind: str, action: str) -> None:
    assert sysmon(code, {**PROCESS, "EventType": "CreatePipe", "PipeName": "\\PSEXESVC"}) == {
        "event.category": ["file"],
        "event.type": [kind],
        "event.action": action,
        **BY_PROCESS,
        "file.name": "\\PSEXESVC",
        **in_event_data(EventType="CreatePipe"),
    }


def test_sysmon_10_spells_its_guids_differently() -> None:
    """Sysmon 8 writes TargetProcessGuid, 10 TargetProcessGUID: one field for both."""
    source = {"SourceProcessGUID": PROCESS["ProcessGuid"], "SourceProcessId": 4556, "SourceThreadId": 71,
              "SourceImage": PROCESS["Image"]}  # fmt: skip
    target = {
        "TargetProcessGUID": "A1B2C3D4-5678-606D-0000-00200000000B",
        "TargetProcessId": 640,
        "TargetImage": "C:\\Windows\\System32\\lsass.exe",
        "GrantedAccess": "0x1410",
        "CallTrace": "ntdll.dll+1",
    }
    found = sysmon(10, {"UtcTime": PROCESS["UtcTime"], **source, **target})
    assert found == {
        "event.category": ["process"],
        "event.type": ["access"],
        "event.action": "ProcessAccess",
        **BY_PROCESS,
        "process.thread.id": 71,
        **in_event_data(**{**target, "TargetProcessGUID": "{A1B2C3D4-5678-606D-0000-00200000000B}",
                           "TargetProcessId": "640"}),
    }  # fmt: skip
    eight = {name.replace("GUID", "Guid"): value for name, value in {**source, **target}.items()}
    assert sysmon(8, eight)["winlog.event_data.TargetProcessGUID"] == "{A1B2C3D4-5678-606D-0000-00200000000B}"


def test_sysmon_7_is_a_library_load() -> None:
    found = sysmon(7, {**PROCESS, "ImageLoaded": "C:\\T\\version.dll", "FileVersion": "-", "Description": "-",
                       "Product": "-", "Company": "Contoso", "OriginalFileName": "version.dll",
                       "Hashes": "SHA256=AB,IMPHASH=CD", "Signed": True, "Signature": "Contoso Ltd",
                       "SignatureStatus": "Valid"})  # fmt: skip
    expected = {
        "event.category": ["process", "library"],
        "event.type": ["change", "start"],
        "event.action": ["Image loaded", "load"],
        **BY_PROCESS,
        "file.directory": "C:\\T",
        "file.extension": "dll",
        "file.pe.company": "Contoso",
        "related.hash": ["ab", "cd"],
        **in_event_data(Company="Contoso", Signed="true", Signature="Contoso Ltd", SignatureStatus="Valid"),
    }
    for prefix in ("file", "dll"):
        expected |= {
            f"{prefix}.path": "C:\\T\\version.dll",
            f"{prefix}.name": "version.dll",
            f"{prefix}.hash.sha256": "ab",
            f"{prefix}.pe.imphash": "cd",
            f"{prefix}.pe.original_file_name": "version.dll",
            f"{prefix}.code_signature.subject_name": "Contoso Ltd",
            f"{prefix}.code_signature.status": "Valid",
            f"{prefix}.code_signature.valid": True,
            f"{prefix}.code_signature.trusted": True,
        }
    assert found == expected


def test_sysmon_1_splits_the_parents_command_line_without_quotes() -> None:
    """The first built-in rule asks for ``UsoSvc`` among the parent's arguments."""
    start = {"OriginalFileName": "-", "CommandLine": "\"C:\\T\\a b.exe\" /x", "CurrentDirectory": "C:\\T",
             "User": "NT AUTHORITY\\SYSTEM", "IntegrityLevel": "System",
             "ParentProcessGuid": "A1B2C3D4-5678-606D-0000-00200000000B", "ParentProcessId": 988,
             "ParentImage": "C:\\Windows\\System32\\svchost.exe",
             "ParentCommandLine": "\"C:\\Windows\\system32\\svchost.exe\" -k netsvcs -p -s \"UsoSvc\"",
             "ParentUser": "NT AUTHORITY\\SYSTEM"}  # fmt: skip
    found = sysmon(1, {**PROCESS, "Image": "C:\\T\\a b.exe", **start})
    assert found == {
        "event.category": ["process"],
        "event.type": ["start"],
        "event.action": "Process creation",
        **BY_PROCESS,
        "process.executable": "C:\\T\\a b.exe",
        "process.name": "a b.exe",
        "process.command_line": start["CommandLine"],
        "process.args": ["C:\\T\\a b.exe", "/x"],
        "process.args_count": 2,
        "process.working_directory": "C:\\T",
        "process.parent.entity_id": "{A1B2C3D4-5678-606D-0000-00200000000B}",
        "process.parent.pid": 988,
        "process.parent.executable": "C:\\Windows\\System32\\svchost.exe",
        "process.parent.name": "svchost.exe",
        "process.parent.command_line": start["ParentCommandLine"],
        "process.parent.args": ["C:\\Windows\\system32\\svchost.exe", "-k", "netsvcs", "-p", "-s", "UsoSvc"],
        "process.parent.args_count": 6,
        "user.domain": "NT AUTHORITY",
        "user.name": "SYSTEM",
        "related.user": ["SYSTEM"],
        **in_event_data(IntegrityLevel="System", ParentUser="NT AUTHORITY\\SYSTEM"),
    }


def test_sysmon_user_that_is_no_account_stays_as_recorded() -> None:
    """Elastic drops such a user; a forensic document must not."""
    found = sysmon(5, {**PROCESS, "User": "alice"})
    assert found["winlog.event_data.User"] == "alice"
    assert not {"user.name", "user.domain", "related.user"} & found.keys()


def system_log(provider: str, code: object, task: int = 0, **elements: object) -> dict[str, Any]:
    """Return a System event's document; legacy providers have no Version, Opcode, Correlation and Execution."""
    head = {"Task": task, "Keywords": "0x80000000000000", "Level": 4, "Opcode": None, "Execution": None}
    return beyond_base(event_json(system(provider, code, "System", **head), **elements))


def test_7045_has_no_ecs_fields_of_its_own() -> None:
    data = {"ServiceName": "PSEXESVC", "ImagePath": "%SystemRoot%\\PSEXESVC.exe", "ServiceType": "user mode service",
            "StartType": "demand start", "AccountName": "LocalSystem"}  # fmt: skip
    code = {"#attributes": {"Qualifiers": 16384}, "#text": 7045}
    assert system_log("Service Control Manager", code, EventData=data) == {
        "event.action": "None",
        **in_event_data(**data),
    }


def test_7045_keeps_a_numeric_record_id() -> None:
    document = store([event_json(system("Service Control Manager", 7045, "System"), EventData={"ServiceName": "x"})])[0]
    assert document.document["winlog.record_id"] == 271_828
    assert document.document["data_stream.dataset"] == "system.system"
    assert "event.module" not in document.document


def test_7036_has_parameters_and_binary() -> None:
    data = {"param1": "Update Orchestrator Service", "param2": "running", "Binary": "5500730"}
    assert system_log("Service Control Manager", 7036, EventData=data) == {
        "event.action": "None",
        **in_event_data(**data),
    }


def test_104_is_a_log_clear() -> None:
    cleared = {"SubjectUserName": "alice", "SubjectDomainName": "CORP", "Channel": "System", "BackupPath": ""}
    found = system_log("Microsoft-Windows-Eventlog", 104, task=104, UserData={"LogFileCleared": cleared})
    assert found == {
        "event.action": "Log clear",
        "winlog.user_data.SubjectUserName": "alice",
        "winlog.user_data.SubjectDomainName": "CORP",
        "winlog.user_data.Channel": "System",
        "winlog.user_data.xml_name": "LogFileCleared",
    }


@pytest.mark.parametrize(
    ("code", "data", "expected"),
    [
        (6005, {"Data": {"#text": ""}, "Binary": "E507040003"}, {"Binary": "E507040003"}),
        (6006, {"Data": {"#text": ""}, "Binary": None}, {}),
        (6008, {"Data": {"#text": ["09:11:58", "\u200e07.\u200e04.\u200e2021", "", "", "1204"]}, "Binary": None},
         {"param1": "09:11:58", "param2": "\u200e07.\u200e04.\u200e2021", "param5": "1204"}),
        (6009, {"Data": {"#text": ["10.00.", "19042", "", "Multiprocessor Free", "0"]}, "Binary": None},
         {"param1": "10.00.", "param2": "19042", "param4": "Multiprocessor Free", "param5": "0"}),
        (6013, {"Data": {"#text": ["", "", "", "", "3721", "60", "0 UTC"]}, "Binary": "31"},
         {"param5": "3721", "param6": "60", "param7": "0 UTC", "Binary": "31"}),
    ],
)  # fmt: skip
def test_event_log_service_has_unnamed_data(code: int, data: dict[str, Any], expected: dict[str, Any]) -> None:
    """paramN counts positions: an empty value has no field, but the next one keeps its number."""
    assert system_log("EventLog", code, EventData=data) == {"event.action": "None", **in_event_data(**expected)}


def test_kernel_start_and_stop() -> None:
    data = {"MajorVersion": 10, "MinorVersion": 0, "BuildVersion": 19042, "QfeVersion": 867, "ServiceVersion": 0,
            "BootMode": 0, "StartTime": "2021-04-07T09:11:59.500000Z"}  # fmt: skip
    found = system_log("Microsoft-Windows-Kernel-General", 12, task=1, EventData=data)
    assert found == in_event_data(**{name: str(value) for name, value in data.items()})
    stop = {"StopTime": "2021-04-07T20:00:00.000000Z"}
    assert system_log("Microsoft-Windows-Kernel-General", 13, task=2, EventData=stop) == in_event_data(**stop)


def test_audit_policy_change_in_words() -> None:
    """The GUID says which; Elastic counts access to the directory among account management."""
    guid = "0CCE923B-69AE-11D9-BED3-505054503030"
    changes = {"CategoryId": "%%8279", "SubcategoryGuid": guid, "AuditPolicyChanges": "%%8448, %%8457, %%9999"}
    for code in (4719, 4912):
        found = security(code, changes)
        assert found["winlog.event_data.Category"] == "Account Management"
        assert found["winlog.event_data.SubCategory"] == "Directory Service Access"
        named = ["Success removed", "Failure include added", "9999"]
        assert found["winlog.event_data.AuditPolicyChangesDescription"] == named
        assert found["winlog.event_data.CategoryId"] == "%%8279"
    assert security(4688, {}, Task=13312)["event.action"] == "created-process"


def test_security_descriptors_in_words() -> None:
    """Lists, rights as letters and as a mask, accounts with and without a name; the descriptors stay."""
    old = "O:BAG:SYD:PAI(A;OICI;FA;;;BA)(D;;0x30001;;;S-1-1-0)(A;;ZZ;;;S-1-5-21-1-2-3-500)S:AI(AU;SA;SDWD;;;WD)"
    found = security(4907, {"OldSd": old, "NewSd": "D:(A;;GA)"})
    assert {name: value for name, value in found.items() if "Sd" in name} == in_event_data(
        OldSd=old,
        NewSd="D:(A;;GA)",
        OldSdOwner="O:BA",
        OldSdDacl0="Built-in administrators :Access Allowed ([File All Access])",
        OldSdDacl1="Everyone :Access Denied ([Read Control, Delete])",
        OldSdDacl2="Administrator :Access Allowed ([ZZ])",
        OldSdSacl0="Everyone :System Audit ([Delete, Modify Permissions])",
    )


def test_well_known_sids_have_names() -> None:
    found = security(4908, {"SidList": "\r\n\t\t%{S-1-5-32-551}\r\n\t\t%{S-1-5-21-1-2-3-512} %{S-1-5-21-1-2-3-1104}"})
    assert found["winlog.event_data.SidListDesc"] == ["Backup Operators", "Domain Admins", "S-1-5-21-1-2-3-1104"]
    found = security(5156, {"LayerName": "%%14611", "RemoteUserID": "S-1-0-0", "RemoteMachineID": "S-1-5-21-9"})
    assert found["winlog.event_data.LayerNameDescription"] == "Connect"
    assert found["winlog.event_data.RemoteUserDescription"] == "Nobody"
    assert "winlog.event_data.RemoteMachineDescription" not in found
