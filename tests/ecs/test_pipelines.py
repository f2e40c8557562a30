"""What Elastic's pipelines do with values that their own test data hardly has, worked out by hand from their rules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ecs.test_documents import ALICE, SUBJECT, security, sysmon

BOB = "S-1-5-21-1004336348-1177238915-682003330-1201"
GROUP = {"TargetUserName": "Ops", "TargetDomainName": "CORP", "TargetSid": "S-1-5-21-1-2-3-1300"}


def users(found: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that name users, those of the event data left aside."""
    return {name: value for name, value in found.items() if name.startswith(("user.", "related.user"))}


def test_failed_logon_relates_to_the_target_alone() -> None:
    found = security(4625, {**SUBJECT, "TargetUserSid": "S-1-0-0", "TargetUserName": "bob@corp.example"})
    assert users(found) == {"user.id": "S-1-0-0", "user.name": "bob", "related.user": ["bob"]}


def test_successful_logon_relates_to_both() -> None:
    found = security(4624, {**SUBJECT, "TargetUserSid": BOB, "TargetUserName": "bob"})
    assert users(found) == {"user.id": BOB, "user.name": "bob", "related.user": ["bob", "alice"]}


def test_other_credentials_are_named_without_their_realm() -> None:
    found = security(4648, {**SUBJECT, "TargetUserName": "bob@corp.example", "TargetDomainName": "-"})
    assert users(found) == {
        "user.id": ALICE,
        "user.name": "alice",
        "user.domain": "CORP",
        "user.effective.name": "bob",
        "related.user": ["alice", "bob"],
    }


def test_process_of_another_account() -> None:
    found = security(4688, {**SUBJECT, "TargetUserSid": BOB, "TargetUserName": "bob@corp.example"})
    assert found["user.effective.name"] == "bob"
    assert found["related.user"] == ["alice", "bob", "bob@corp.example"]


@pytest.mark.parametrize("code", [4720, 4722, 4723, 4724, 4725, 4726, 4738, 4740, 4767, 4797, 4798])
def test_account_that_is_managed(code: int) -> None:
    """``-`` names nobody."""
    found = security(code, {**SUBJECT, "TargetUserName": "bob@x", "TargetDomainName": "-", "TargetSid": BOB})
    target = {name: value for name, value in users(found).items() if "target" in name}
    assert target == {"user.target.id": BOB, "user.target.name": "bob"}
    assert found["related.user"] == ["alice", "bob", "bob@x"]


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("CN=Doe\\, Jane,OU=Staff,OU=Paris,DC=corp", {"name": "Doe\\, Jane", "domain": "corp"}),
        ("cn=jane,cn=Users,dc=corp,dc=local", {"name": "jane", "domain": "local"}),
        ("CN=jane,CN=Users", {"name": "jane"}),
        ("-", {"name": "-"}),
        ("", {}),
    ],
)
def test_member_of_a_group(member: str, expected: dict[str, str]) -> None:
    """A comma may be part of a name; without a member there is no target."""
    found = security(4728, {**SUBJECT, **GROUP, "MemberName": member})
    groups = {f"user.target.group.{part}" for part in ("id", "name", "domain")} if member else set()
    target = {name: value for name, value in found.items() if name.startswith("user.target.")}
    assert target.keys() == {f"user.target.{part}" for part in expected} | groups
    assert {part: target[f"user.target.{part}"] for part in expected} == expected
    assert (found["group.id"], found["group.name"]) == ("S-1-5-21-1-2-3-1300", "Ops")


@pytest.mark.parametrize("code", [4611, 4616, 4714, 4715, 4902, 4906, 4950, 4954, 5024, 5025, 5033, 5034, 5037])
def test_subjects_that_are_no_user(code: int) -> None:
    """Elastic does not take the subject of these events over: a rule on user.* would find what it cannot find there."""
    found = security(code, dict(SUBJECT))
    assert not users(found)
    assert found["winlog.logon.id"] == SUBJECT["SubjectLogonId"]
    assert found["winlog.event_data.SubjectUserName"] == "alice"


def test_reason_without_a_name() -> None:
    assert security(4625, {"FailureReason": "%%2313"})["winlog.logon.failure.reason"] == (
        "Unknown user name or bad password."
    )
    assert security(4625, {"FailureReason": "%%9999"})["winlog.logon.failure.reason"] == "9999"


def test_access_to_other_things_than_files() -> None:
    found = security(4663, {"AccessList": "%%4432\n\t\t\t\t%%4484\n\t\t\t\t%%1541"})
    expected = ["Query key value", "Read from process memory", "SYNCHRONIZE"]
    assert found["winlog.event_data.AccessListDescription"] == expected
    assert found["winlog.event_data.AccessList"] == "%%4432\n\t\t\t\t%%4484\n\t\t\t\t%%1541"


def test_events_without_a_table() -> None:
    """What Elastic makes of a value whatever the event is."""
    found = security(4821, {"ServiceName": "krbtgt/CORP", "TicketOptions": "0x40000000", "LogonType": "10"})
    assert found["service.name"] == "krbtgt/CORP"
    assert found["winlog.event_data.TicketOptionsDescription"] == ["Forwardable"]
    assert found["winlog.logon.type"] == "RemoteInteractive"
    found = security(5150, {"Direction": "%%14592", "LayerName": "%%14597"})
    assert found["winlog.event_data.DirectionDescription"] == "Inbound"
    assert found["winlog.event_data.LayerNameDescription"] == "Transport"


def test_text_behind_a_type_is_data_where_it_is_one_word() -> None:
    found = sysmon(22, {"QueryName": "example.com", "QueryResults": "type:  16 v=spf1 -all;type:  5 a.example.net;"})
    assert found["dns.answers"] == [{"type": "TXT"}, {"type": "CNAME", "data": "a.example.net"}]
    assert found["related.hosts"] == ["a.example.net", "example.com"]


def test_names_of_the_dns_client() -> None:
    assert sysmon(22, {"QueryStatus": "10060"})["sysmon.dns.status"] == "WSAETIMEDOUT"
    assert sysmon(22, {"QueryStatus": "9852"})["sysmon.dns.status"] == "DNS_ERROR_NO_DNS_SERVERS"
    assert sysmon(22, {"QueryStatus": "4711"})["sysmon.dns.status"] == "4711"


def test_file_without_a_folder_has_no_extension() -> None:
    found = sysmon(11, {"TargetFilename": "pipe.txt"})
    assert {name for name in found if name.startswith("file.")} == {"file.path"}


def test_error_of_sysmon() -> None:
    found = sysmon(255, {"ID": "DriverCommunication", "Description": "Failed to retrieve events"})
    assert found["error.code"] == "DriverCommunication"
    assert found["process.pe.description"] == "Failed to retrieve events"
    assert found["winlog.event_data.Description"] == "Failed to retrieve events"
