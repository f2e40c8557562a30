"""The functions that make fields of stored values: each of these was wrong in some tool that examiners use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.ecs import convert, network, registry
from evtxscan.ecs.derive import extension, function, parse_hashes
from evtxscan.ecs.errors import MappingError
from evtxscan.ecs.text import flatten, to_text


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        ("base_name", "C:\\a\\b.exe", ("b.exe",)),
        ("base_name", "System", ()),  # Sysmon's System process has no name
        ("base_name", "C:\\a\\", ()),
        ("last_part", "-", ("-",)),  # Security's nameless process is called "-"
        ("directory", "C:\\a\\b.exe", ("C:\\a",)),
        ("directory", "b.exe", ()),
        ("hash:sha256", "MD5=01,SHA256=AB", ("ab",)),
        ("hash:imphash", "IMPHASH=00000000000000000000000000000000", ()),  # what Sysmon writes where there is none
        ("hashes", "MD5=01,IMPHASH=00,SHA1=0A", ("01", "0a")),
        ("lookup:logon_types", "10", ("RemoteInteractive",)),
        ("lookup:logon_types", "13", ()),
        ("flags:user_account_control", "0x210", ("USER_NORMAL_ACCOUNT", "USER_DONT_EXPIRE_PASSWORD")),
        ("flags:user_account_control", "junk", ()),
        ("codes:access_list", "%%1538\r\n\t\t%%4416 %%9999", ("READ_CONTROL", "ReadData (or ListDirectory)", "9999")),
        ("flag", "true", (True,)),
        ("flag", "maybe", ()),
        ("rdn:1:CN=", "CN=Administrator,CN=Users,DC=corp,DC=example", ("Administrator",)),
        ("rdn:4:DC=", "CN=Administrator,CN=Users,DC=corp,DC=example", ("example",)),
        ("rdn:4:DC=", "-", ()),
        ("rdn:1:CN=", "cn=Doe\\, Jane,OU=a,OU=b,dc=corp", ("Doe\\, Jane",)),
        ("rdn:4:DC=", "cn=Doe\\, Jane,OU=a,OU=b,dc=corp", ("corp",)),
        ("code:logon_failure_reasons", "%%2313", ("Unknown user name or bad password.",)),
        ("code:logon_failure_reasons", "%%9999", ("9999",)),
        ("words", "SeA\n\t\t\tSeB", ("SeA", "SeB")),
        ("lower", None, ()),
    ],
)
def test_function(spec: str, value: object, expected: tuple[object, ...]) -> None:
    assert function(spec)(value) == expected


@pytest.mark.parametrize("spec", ["nothing", "lookup:nothing", "lower:x", "hash"])
def test_unknown_function_is_an_error_of_the_table(spec: str) -> None:
    with pytest.raises(MappingError):
        function(spec)


def test_extension_cuts_at_the_last_dot_of_the_path() -> None:
    assert extension("C:\\v1.2\\README") == "2\\README"
    assert extension("C:\\README") is None


def test_share_path_doubles_backslashes_as_elastic_does() -> None:
    assert function("share_path")("\\\\*\\C$", "dir\\a.exe") == ("\\\\\\\\*\\\\C$\\dir\\\\a.exe",)
    assert function("share_path")("\\\\*\\C$", None) == ()


def test_unique_keeps_the_first_of_equal_values() -> None:
    assert function("unique")(("b", "a"), (), ("a", "c")) == ("b", "a", "c")


# Community ID's published reference vectors: github.com/corelight/community-id-spec, baseline/baseline_deflt.json.
@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (("128.232.110.120", 34855, "66.35.250.204", 80, "tcp"), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (("66.35.250.204", 80, "128.232.110.120", 34855, "tcp"), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (("192.168.1.52", 54585, "8.8.8.8", 53, "udp"), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    ],
)
def test_community_id(ends: tuple[str, int, str, int, str], expected: str) -> None:
    """Both directions of a flow have one id, or it joins nothing."""
    assert network.community_id(*ends) == expected


def test_community_id_of_no_flow() -> None:
    assert network.community_id("x", 1, "10.0.0.1", 2, "tcp") is None
    assert network.community_id("10.0.0.1", 1, "10.0.0.2", 70_000, "tcp") is None
    assert network.community_id("10.0.0.1", 1, "10.0.0.2", 2, "icmp") is None


def test_dns_results() -> None:
    results = "type:  5 a.example.net;type:  28 ;::ffff:192.0.2.7;2001:db8::1;192.0.2.;type:  64 svc"
    assert network.answers(results) == [
        {"type": "CNAME", "data": "a.example.net"},
        {"type": "AAAA"},
        {"type": "SVCB", "data": "svc"},
        {"type": "A", "data": "192.0.2.7"},
        {"type": "AAAA", "data": "2001:db8::1"},
    ]
    assert network.addresses(results) == ["192.0.2.7", "2001:db8::1"]
    assert network.hosts(results) == ["a.example.net", "svc"]


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("HKLM\\System\\CurrentControlSet", ("HKLM", "System\\CurrentControlSet", "CurrentControlSet")),
        ("HKEY_USERS\\S-1-5-18", ("HKU", "S-1-5-18", "S-1-5-18")),
        ("\\REGISTRY\\MACHINE\\X", (None, None, "X")),
        ("HKLM", ("HKLM", None, "HKLM")),
        ("HKLM\\", ("HKLM", None, "HKLM")),
        ("HKLM\\X\\", ("HKLM", "X", "X")),
        ("hklm\\x", (None, None, "x")),
    ],
)
def test_registry_path(path: str, parts: tuple[str | None, ...]) -> None:
    assert (registry.hive(path), registry.key(path), registry.value(path)) == parts


@given(st.integers(0, 2**63 - 1))
def test_numbers_come_back_from_hex(number: int) -> None:
    """4688 shows its creator's pid in hex; what the case stores is the number."""
    assert convert.hexadecimal(convert.to_hex(number)) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1_0", "0x", "0xg", "9223372036854775808", "٣", "1.0"])
def test_what_is_no_number_is_not_stored_as_one(text: str) -> None:
    """int() takes most of these; SQLite or Elasticsearch would then hold another value than the log."""
    assert convert.decimal(text) is None
    assert convert.hexadecimal(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10.0.0.1", "10.0.0.1"), ("::FFFF:10.0.0.1", "10.0.0.1"), ("::ffff:a00:1", "::ffff:a00:1"), ("-", None),
     ("fe80::1%4", None), ("010.0.0.1", None), ("10.0.0.1:80", None), ("LOCAL", None)],
)  # fmt: skip
def test_addresses_are_those_elasticsearch_takes(text: str, expected: str | None) -> None:
    assert convert.ip_unmapped(text) == expected


@pytest.mark.parametrize("text", ["alice", "a\\b\\c", "\\alice", "CORP\\", ""])
def test_accounts_have_exactly_two_parts(text: str) -> None:
    assert convert.account_domain(text) is None
    assert convert.account_name(text) is None


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (None, None), ("", None), ("\n\n", None), (True, "true"), (0, "0"), (2**64 - 1, "18446744073709551615"),
        ("a\r\nb\r\n", "a\nb"), ("a\rb", "a\rb"), (" ", " "), ("5770385F-C22A-43E0-BF4C-06F5698FFBD9",
        "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}"), ("5770385f-c22a-43e0-bf4c-06f5698ffbd9",
        "5770385f-c22a-43e0-bf4c-06f5698ffbd9"),
    ],
)  # fmt: skip
def test_event_data_text(raw: object, text: str | None) -> None:
    """Only a GUID as the parser writes it gets braces: PowerShell's lower-case ids were texts and stay so."""
    assert to_text(raw) == text


def test_nested_values_keep_all_their_names() -> None:
    payload = {
        "#attributes": {"Name": "TEMPLATE"},
        "Data": {"#text": ["a", "", "c"]},
        "Complex": {"#attributes": {"Name": "X", "xmlns": "y"}, "#text": "01", "Part": [1, {"Deep": None}]},
        "Complex.Part": "clash",
    }
    assert flatten(payload) == {
        "param1": "a",
        "param2": "",
        "param3": "c",
        "Complex.Name": "X",
        "Complex": "01",
        "Complex.Part": 1,
        "Complex.Part.Deep": None,
        "Complex.Part_1": "clash",
    }


def test_nesting_without_end_is_cut() -> None:
    """A record can nest elements until the recursion of a naive reader ends it."""
    payload: object = "x"
    for _ in range(200):
        payload = {"a": payload}
    assert flatten({"b": payload, "c": 1}) == {"c": 1}


def test_hash_parts_without_a_value_are_none() -> None:
    assert parse_hashes("MD5,=,SHA1=,SHA256=0A") == (("sha256", "0a"),)
