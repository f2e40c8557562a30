"""Threshold and new-terms rules: what is over a threshold, what is new, held against doing it the slow way."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.rules.new_terms import NewTerm, NewTerms, new_terms, read_new_terms
from evtxscan.rules.rows import Row, window
from evtxscan.rules.threshold import Cardinality, Threshold, ThresholdHit, over_threshold, read_threshold

VALUES = st.lists(st.sampled_from("abc"), max_size=2).map(tuple)
ROWS = st.lists(st.tuples(st.integers(0, 20), VALUES, VALUES), max_size=12).map(
    lambda rows: [
        Row(time, number, (first, second))
        for number, (time, first, second) in enumerate(sorted(rows, key=lambda given: given[0]))
    ]
)


def row(time: int, event: int, *values: str) -> Row:
    """Make a row whose fields have one value each, or none for an empty text."""
    return Row(time, event, tuple((value,) if value else () for value in values))


def test_events_over_a_threshold_are_one_hit_while_windows_overlap() -> None:
    rows = [row(time, time, "h") for time in (0, 1, 2, 3, 50, 100, 101, 102)]
    hits = over_threshold(rows, Threshold(("host.id",), 3), span=2)
    assert hits == [ThresholdHit(("h",), (0, 1, 2, 3), 0, 3, ()), ThresholdHit(("h",), (100, 101, 102), 100, 102, ())]


def test_a_window_has_both_its_ends() -> None:
    rows = [row(0, 1, "h"), row(10, 2, "h")]
    assert over_threshold(rows, Threshold(("f",), 2), span=10)
    assert not over_threshold(rows, Threshold(("f",), 2), span=9)
    assert over_threshold(rows, Threshold(("f",), 2))


def test_groups_by_all_fields_and_leaves_out_events_without_one() -> None:
    rows = [row(0, 1, "h", "u"), row(0, 2, "h", "v"), row(0, 3, "h", "u"), row(0, 4, "h", ""), row(0, 5, "h", "")]
    assert [hit.key for hit in over_threshold(rows, Threshold(("f", "g"), 2))] == [("h", "u")]
    assert over_threshold([Row(0, 1, ()), Row(0, 2, ())], Threshold((), 2))[0].events == (1, 2)


def test_cardinality_counts_different_values() -> None:
    asked = Threshold(("f",), 3, (Cardinality("g", 2),))
    assert asked.row_fields == ("f", "g")
    rows = [row(0, 1, "h", "u"), row(0, 2, "h", "u"), row(0, 3, "h", "u")]
    assert over_threshold(rows, asked) == []
    assert over_threshold([*rows, row(1, 4, "h", "v"), row(1, 5, "h", "")], asked)[0].different == (2,)


@given(ROWS, st.integers(1, 4), st.integers(0, 2), st.integers(0, 8))
def test_every_event_of_some_full_window_is_in_a_hit(rows: list[Row], value: int, different: int, span: int) -> None:
    cardinality = (Cardinality("g", different),) if different else ()
    asked = Threshold(("f",), value, cardinality)
    hits = over_threshold([Row(r.time, r.event, r.values[: len(asked.row_fields)]) for r in rows], asked, span)
    wanted: dict[str, set[int]] = {}
    for key, start in product("abc", range(-8, 21)):
        inside = [r for r in rows if key in r.values[0] and start <= r.time <= start + span]
        if len(inside) >= value and len({v for r in inside for v in r.values[1]}) >= different:
            wanted.setdefault(key, set()).update(r.event for r in inside)
    found: dict[str, set[int]] = {}
    for hit in hits:
        assert not found.setdefault(str(hit.key[0]), set()) & set(hit.events)
        found[str(hit.key[0])].update(hit.events)
    assert found == wanted


def test_a_value_is_new_once_and_again_after_the_window() -> None:
    rows = [row(time, time, "a") for time in (0, 5, 15, 26)]
    assert [(found.event, found.last) for found in new_terms(rows, history=10)] == [(0, None), (26, 15)]


def test_new_terms_knows_where_the_evidence_begins() -> None:
    rows = [row(3, 1, "a"), row(30, 2, "b")]
    assert [found.known for found in new_terms(rows, 10, begins=lambda _: 0)] == [3, 10]
    assert [found.known for found in new_terms(rows, history=10)] == [None, None]


def test_combinations_are_new_not_values() -> None:
    rows = [row(0, 1, "h", "a"), row(1, 2, "h", "b"), row(2, 3, "g", "a"), row(3, 4, "h", "a"), row(4, 5, "g", "")]
    assert [found.event for found in new_terms(rows, history=10)] == [1, 2, 3]
    both = Row(0, 1, (("a", "b"), ("x",)))
    assert list(new_terms([both], 1)) == [NewTerm(1, 0, ("a", "x"), None, None), NewTerm(1, 0, ("b", "x"), None, None)]


@given(ROWS, st.integers(0, 8))
def test_new_is_what_no_earlier_event_had(rows: list[Row], history: int) -> None:
    ordered = sorted(rows, key=lambda r: (r.time, r.event))
    wanted = [
        (r.event, key)
        for place, r in enumerate(ordered)
        for key in dict.fromkeys(product(*r.values))
        if not any(key in set(product(*e.values)) and r.time - e.time <= history for e in ordered[:place])
    ]
    assert [(found.event, found.key) for found in new_terms(rows, history)] == wanted


def test_reads_the_tables_of_a_rule() -> None:
    table = {"field": ["host.id"], "value": 10, "cardinality": [{"field": "user.id", "value": 3}]}
    assert read_threshold(table) == Threshold(("host.id",), 10, (Cardinality("user.id", 3),))
    assert read_threshold({"field": [], "value": 1}).fields == ()
    table = {"field": "new_terms_fields", "value": ["a", "b"], "history_window_start": [{"value": "now-12h"}]}
    assert read_new_terms(table) == NewTerms(("a", "b"), 12 * 3_600_000)
    assert window("now-9m") == 540_000


@pytest.mark.parametrize("table", [None, {}, {"value": 0}, {"value": True}, {"value": 1, "field": 3}])
def test_a_malformed_threshold_is_an_error(table: object) -> None:
    with pytest.raises(ValueError, match="threshold"):
        read_threshold(table)


@pytest.mark.parametrize(
    "table",
    [None, {"value": []}, {"value": ["a"]}, {"value": ["a"], "history_window_start": [{"value": "now-1M"}]}],
)
def test_malformed_new_terms_are_an_error(table: object) -> None:
    with pytest.raises(ValueError, match="new_terms"):
        read_new_terms(table)
