"""Records that are taken apart have to end up as those that are parsed whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from unittest.mock import patch

import orjson
from hypothesis import HealthCheck, given, settings

from evtxscan.ecs.columns import catalogue
from evtxscan.evtx.walk import Span
from evtxscan.ingest.sort import Sorter
from tests.ecs.stored import event_json
from tests.ecs.test_storage import batches

SECURITY = {
    "Provider": {"#attributes": {"Name": "Microsoft-Windows-Security-Auditing"}},
    "EventID": 4624,
    "TimeCreated": {"#attributes": {"SystemTime": "2021-04-07T09:12:33.123456Z"}},
    "EventRecordID": 7,
    "Execution": {"#attributes": {"ProcessID": 4, "ThreadID": 8}},
    "Channel": "Security",
    "Computer": "pc",
    "Security": None,
}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches())
def test_taking_records_apart_changes_nothing(texts: list[str]) -> None:
    """Also beside records that cannot be taken apart, and with a good one before and after each."""
    usual = event_json(SECURITY, EventData={"TargetUserName": "a"})
    texts = [usual, *texts, usual]
    with patch("evtxscan.ingest.sort.SEAM", "no such text"):
        whole = Counter(rows(texts))
    assert Counter(rows(texts)) == whole


def test_a_seam_inside_a_value_is_none() -> None:
    """Values are written by attackers; in JSON their quotes are escaped, and the split must not be fooled."""
    seam = '"TimeCreated":{"#attributes":{"SystemTime":"x"}},"EventRecordID":1,"Channel":"c"},"EventData":{"a":"b"}}}'
    text = event_json({**SECURITY, "Computer": seam}, EventData={"TargetUserName": seam})
    assert len(list(rows([text, text]))) == 2
    (row,) = rows([text])
    assert {value for name, value in row if name in ("host.name", "user.name")} == {seam}


def test_the_channel_behind_the_seam_makes_two_kinds() -> None:
    """Two channels of one provider: everything before TimeCreated is the same."""
    sorter = filled(
        [event_json({**SECURITY, "Channel": channel}, EventData={"A": "1"}) for channel in ("Security", "X")]
    )
    groups, _ = sorter.groups()
    assert {group.kind.channel for group in groups} == {"Security", "X"}


def test_only_counts_what_it_leaves_out() -> None:
    """A record of another category is counted, whether its text can be taken apart or not."""
    odd = event_json({**SECURITY, "EventID": 5156, "TimeCreated": None}, EventData={"A": "1"})
    texts = [event_json(SECURITY), event_json({**SECURITY, "EventID": 5156}, EventData={"A": "1"}), odd]
    sorter = filled(texts, frozenset({"authentication"}))
    groups, _ = sorter.groups()
    assert [group.kind.code for group in groups] == ["4624"]
    assert sorter.filtered == [0, 0]


def filled(texts: list[str], only: frozenset[str] | None = None) -> Sorter:
    """Return a sorter that was given records as those of one chunk."""
    sorter = Sorter(only)
    sorter.add(0, b"", [Span(number, 0, 0, 0) for number in range(len(texts))], texts)
    return sorter


def rows(texts: list[str]) -> Iterator[frozenset[tuple[str, object]]]:
    """Yield the stored rows, with texts for their numbers."""
    groups, strings = filled(texts).groups()
    for group in groups:
        for place, offset in enumerate(group.offsets):
            row: dict[str, object] = {"offset": offset, "kind": group.kind, "mapping": group.mapping}
            for name, cells in group.columns.items():
                if cells[place] != -1:
                    is_text = catalogue()[name].type == "keyword"
                    row[name] = strings[cells[place]] if is_text else cells[place]
            if group.data is not None and group.data[place]:
                row["data"] = orjson.dumps(orjson.loads(group.data[place]), option=orjson.OPT_SORT_KEYS)
            yield frozenset(row.items())
