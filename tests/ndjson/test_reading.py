"""Nothing of a line's JSON is lost, and what cannot be read says why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.ecs.incoming import MAX_DEPTH, IncomingError, flatten, moment
from evtxscan.ecs.jsonline import parse, parse_slowly
from evtxscan.evidence.ndjson import has_documents, is_command, is_event, is_export, source_of, why_not
from evtxscan.evtx.filetime import to_iso
from evtxscan.export.json import dumps


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'{"a":1,"a":2}', {"a": [1, 2]}),
        (b'{"a" :{"b":1}, "a":{"c":2}}', {"a": {"b": 1, "c": 2}}),
        (b'{"x":"\\" :","a":{"b":"\\\\"},"a":{"b":"c"}}', {"x": '" :', "a": {"b": ["\\", "c"]}}),
        (b'{"a":[{"b":1,"b":2}]}', {"a": [{"b": [1, 2]}]}),
        (b'{"a":123456789012345678901}', {"a": "123456789012345678901"}),
        (b'{"a":[18446744073709551615,-9223372036854775808]}', {"a": [18446744073709551615, -(2**63)]}),
        (b'{"a":1e999}', {"a": "1e999"}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    ],
)
def test_value(line: bytes, value: object) -> None:
    """Catches a second value that the last one hides, and digits that a float does not hold."""
    assert parse(line).value == value
    assert parse_slowly(line).value == value
    assert not parse(line).is_mended


@pytest.mark.parametrize("line", [b'{"a":"\\ud800x"}', b'{"a":"\xffx"}'])
def test_what_no_text_can_hold_is_replaced_and_told(line: bytes) -> None:
    assert parse(line).value == {"a": "\ufffdx"}
    assert parse(line).is_mended


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nothing", "no_json"),
        (b'{"a":NaN}', "no_json"),
        (b'{"a":1', "no_json"),
        (b'{"a":"\t"}', "no_json"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, "too_deep"),
    ],
)
def test_what_cannot_be_read_says_why(line: bytes, reason: str) -> None:
    for reader in (parse, parse_slowly):
        with pytest.raises(IncomingError) as raised:
            reader(line)
        assert raised.value.reason == reason


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), _JSON, max_size=5))
def test_both_readers_agree(document: dict[str, object]) -> None:
    """Catches a shortcut of the fast reader that changes a value."""
    line = dumps(document)
    assert parse(line).value == parse_slowly(line).value == document


def test_flat() -> None:
    nested = {"a": {"b": 1, "n": None, "e": []}, "a.b": 2, "c.d": [[1], None, {"x": 1}], "evtxscan": {"event": 1}}
    assert flatten(nested) == {"a.b": [1, 2], "c.d": [1, {"x": 1}]}


def test_too_deep_and_too_many() -> None:
    deep: object = 1
    for _ in range(MAX_DEPTH + 2):
        deep = {"a": deep}
    for document in ({"x": deep}, {"x": [deep]}):
        with pytest.raises(IncomingError, match="deep"):
            flatten(document)
    with pytest.raises(IncomingError, match="fields"):
        flatten({str(number): 1 for number in range(10_001)})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2024-05-01T10:00:00.123Z", "2024-05-01T10:00:00.123Z"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00:00.123456789Z"),
        ("2024-05-01T10:00:00.1234567891Z", "2024-05-01T10:00:00.123456789Z"),
        ("2024-05-01T12:00:00.5+02:00", "2024-05-01T10:00:00.5Z"),
        ("2024-05-01", "2024-05-01T00:00:00Z"),
        (["2024-05-01T10:00:00Z"], "2024-05-01T10:00:00Z"),
        (1714557600123, "2024-05-01T10:00:00.123Z"),
        ("1714557600123", "2024-05-01T10:00:00.123Z"),
    ],
)
def test_time(value: object, text: str) -> None:
    """Catches digits that are lost or made up, and a time zone that is left out."""
    found = moment(value)
    assert found is not None
    assert found.text == text
    assert to_iso(found.ticks, 0)[:-1] == text[:19]


@pytest.mark.parametrize(
    "value", [None, True, "", "now", "1500-01-01T00:00:00Z", "2024-13-01T00:00:00Z", 1e300, [], "9" * 40]
)
def test_no_time(value: object) -> None:
    assert moment(value) is None


def test_envelopes() -> None:
    document = {"@timestamp": "2024-05-01T10:00:00Z", "event": {"kind": "event"}}
    assert source_of({"_index": "i", "_id": "1", "_source": document}) == document
    fields = {"@timestamp": ["2024-05-01T10:00:00Z"], "event.kind": ["event"], "process.args": ["a"], "tags": ["t"]}
    assert source_of({"_index": "i", "fields": fields}) == {
        "@timestamp": "2024-05-01T10:00:00Z", "event.kind": "event", "process.args": ["a"], "tags": ["t"],
    }  # fmt: skip
    assert source_of({**document, "fields": {"a": 1}}) == {**document, "fields": {"a": 1}}
    assert source_of([document]) is None
    assert is_command({"index": {"_index": "x"}})
    assert not is_command({"index": 1, "b": 2})


@pytest.mark.parametrize(
    "start",
    [
        b'{"log.level":"info","@timestamp":"2024-05-01T10:00:00Z","ecs.version":"1.6.0","message":"x"}\n',
        b'{"timestamp":"2024-05-01T10:00:00","event":{"kind":"event"}}\n',
        b'{"@timestamp":"2024-05-01T10:00:00Z","event":{"dataset":"elasticsearch.server"},"message":"x"}\n',
        b'{"Channel":"Security","EventID":4688,"@timestamp":"2024-05-01T10:00:00Z"}\n',
        b"{}\n",
        b'{"a":\n',
        b"plain text {\n",
    ],
)
def test_other_json_is_no_evidence(start: bytes) -> None:
    """Catches log files of Elastic's own programs, and other tools' JSON, that are taken for events."""
    assert not has_documents(start)


def test_documents_are_known_by_any_of_the_first_lines() -> None:
    line = b'{"@timestamp":"2024-05-01T10:00:00Z","winlog":{"event_id":1}}\n'
    assert has_documents(line)
    assert has_documents(b"\xef\xbb\xbf" + line)
    assert has_documents(b'cut":1}\r\n\r\n' + line)
    assert not has_documents(b"x\n" * 20 + line)
    assert not is_export(line)
    assert is_export(line.replace(b"}}", b'},"evtxscan":{"provenance":[]}}'))
    assert is_event({"@timestamp": 1, "winlog.event_id": 1})


@pytest.mark.parametrize(
    ("head", "word"),
    [
        (b'[\n {"@timestamp": "2024"', "jq -c '.[]'"),
        (b'{"took": 1, "hits": {"hits": [{"_source": {"@timestamp": 1}}]}}', ".hits.hits[]"),
        (b'{\n  "@timestamp": "2024"', "jq -c . "),
        ('{"@timestamp"'.encode("utf-16"), "UTF-16"),
    ],
)
def test_other_forms_say_what_to_do(head: bytes, word: str) -> None:
    assert word in (why_not(head) or "")
