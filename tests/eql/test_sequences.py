"""Sequences: the one-pass matcher against the stages as Elasticsearch keeps them, and what queries add to it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.eql import Sequence, run
from evtxscan.eql.binder import JoinKey
from evtxscan.eql.engine import join_values
from evtxscan.eql.mapping import Type
from evtxscan.eql.sequences import Hit, SequenceMatcher


def reference(
    events: list[tuple[int, set[int], str, bool]], stages: int, maxspan: int | None, *, use_until: bool
) -> list[list[int]]:
    """Match with a list of partial sequences per key and stage, as described: latest before, older ones dropped."""
    partials: dict[tuple[str, int], list[list[int]]] = {}
    complete = []
    for order, (time, served, key, _) in enumerate(events):
        for stage in sorted(served, reverse=True):
            chain = [order]
            if stage > 0:
                before = partials.get((key, stage - 1), [])
                usable = [index for index, partial in enumerate(before) if partial[-1] < order]
                if not usable:
                    continue
                taken = before[usable[-1]]
                partials[key, stage - 1] = before[usable[-1] + 1 :]
                if maxspan is not None and time - events[taken[0]][0] > maxspan:
                    continue
                if use_until and any(events[i][3] and events[i][2] == key for i in range(taken[-1], order)):
                    continue
                chain = [*taken, order]
            if stage == stages - 1:
                complete.append(chain)
            else:
                partials.setdefault((key, stage), []).append(chain)
    return complete


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sets(st.integers(0, 2)), st.sampled_from("kl"), st.booleans()), max_size=14
    ),
    st.integers(1, 3),
    st.one_of(st.none(), st.integers(0, 6)),
    st.booleans(),
)
def test_one_slot_is_enough(
    steps: list[tuple[int, set[int], str, bool]], stages: int, maxspan: int | None, use_until: bool
) -> None:
    """Catches a slot that keeps too little or too much, an event that follows itself, maxspan and until off by one."""
    time = 0
    events = []
    for step, served, key, until in steps:
        time += step
        events.append((time, {stage for stage in served if stage < stages}, key, until))
    matcher: SequenceMatcher[int] = SequenceMatcher(stages, maxspan)
    for order, (at, served, key, until) in enumerate(events):
        matcher.feed(
            Hit(at, order, order), [(stage, [(key,)]) for stage in served], [(key,)] if until and use_until else []
        )
    found = [[hit.event for hit in run.hits] for run in matcher.complete]
    assert sorted(found) == sorted(reference(events, stages, maxspan, use_until=use_until))


def events(text: str) -> list[dict[str, Any]]:
    """Read events such as ``1a@k 5b@k,l``: time, kind, keys."""
    found = []
    for place, item in enumerate(text.split()):
        head, _, keys = item.partition("@")
        found.append(
            {
                "n": place,
                "@timestamp": int(head[:-1]),
                "event.category": head[-1],
                "k": keys.split(",") if keys else None,
            }
        )
    return found


def numbers(query: str, text: str, **options: str | int) -> list[list[int | None]]:
    """Return the places of the events of each sequence, None for a missing one."""
    found = run(query, events(text), **options)
    assert all(isinstance(item, Sequence) for item in found)
    return [[None if event is None else event["n"] for event in item.events] for item in found]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("[a where true] [b where true]", "1a 2a 3b 4b", [[1, 2]]),
        ("[a where true] [a where true]", "1a 2a 3a", [[0, 1], [1, 2]]),
        ("[a where true] with runs=3", "1a 2a 3a 4a", [[0, 1, 2], [1, 2, 3]]),
        ("by k [a where true] [b where true]", "1a@x 2a@y 3b@y 4b@x 5b@", [[1, 2], [0, 3]]),
        ("by ?k [a where true] [b where true]", "1a@x 2a 3b 4b@x", [[1, 2], [0, 3]]),
        ("by k [a where true] [b where true]", "1a@x,y,x 2b@y,x", [[0, 1], [0, 1]]),
        ("with maxspan=2ms [a where true] [b where true]", "1a 3b 4a 7b", [[0, 1]]),
        ("[a where true] [b where true] until [c where true]", "1a 2c 3b 4a 5b 6c", [[3, 4]]),
        ("by k [a where true] [b where true] until [c where true]", "1a@x 2c@y 3b@x", [[0, 2]]),
        ("[a where true] [b where true] until [a where true]", "1a 2b", []),
        ("[a where true] [b where true]", "1b 1a 1b", [[1, 2]]),
        ("[a where true] [b where true] | head 1", "1a 2b 3a 4b", [[0, 1]]),
        ("[a where true] [b where true] | tail 1", "1a 2b 3a 4b", [[2, 3]]),
        ("with maxspan=9ms [a where true] ![c where true] [b where true]", "1a 2b 3a 4c 5b", [[0, None, 1]]),
        ("with maxspan=9ms [a where true] ![c where true] [b where true]", "1a 1c 5b 5c", [[0, None, 2]]),
        ("by k with maxspan=9ms [a where true] ![c where true] [b where true]", "1a@x 2c@y 3b@x", [[0, None, 2]]),
        ("with maxspan=3ms ![c where true] [a where true] [b where true]", "1c 3a 4b 6a 7b", [[None, 3, 4]]),
        ("with maxspan=3ms [a where true] [b where true] ![c where true]", "1a 2b 4c 5a 6b", [[3, 4, None]]),
        (
            "with maxspan=3ms ![c where true] [a where true] ![c where true]",
            "1c 2a 3c 4a 9a",
            [[None, 3, None], [None, 4, None]],
        ),
        (
            "with maxspan=3ms ![c where true] [a where true] ![c where true]",
            "1c 3a 5c",
            [[None, 1, None]],
        ),
        ("with maxspan=3ms ![c where true] [a where true] ![c where true]", "1a 2c", [[None, 0, None]]),
        (
            "with maxspan=9ms [a where true] with runs=2 ![c where true] [b where true]",
            "1a 2c 3a 4b",
            [[0, 2, None, 3]],
        ),
        ("with maxspan=3ms [a where true] ![c where true] with runs=2", "1a", [[0, None, None]]),
        ("with maxspan=3ms [a where true] ![c where true] with runs=2 [b where true]", "1a 2b", [[0, None, None, 1]]),
    ],
)
def test_queries(query: str, text: str, expected: list[list[int | None]]) -> None:
    """Catches order, keys, spans, until, runs, pipes and missing events that differ from the description."""
    assert numbers(f"sequence {query}", text) == expected


def test_join_keys() -> None:
    """Catches keys that are equal only as text or only to Python, and keys of one term given for another."""
    documents = [
        {"@timestamp": 1, "event.category": "a", "k": 1, "m": "x"},
        {"@timestamp": 2, "event.category": "b", "k": True, "m": "x"},
        {"@timestamp": 3, "event.category": "b", "k": "1", "m": "x"},
        {"@timestamp": 4, "event.category": "b", "k": 1.0, "m": "X"},
        {"@timestamp": 5, "event.category": "b", "k": 1.0, "m": "x"},
    ]
    [found] = run("sequence by k [a where true] by m [b where true] by m", documents)
    assert isinstance(found, Sequence)
    assert found.events == (documents[0], documents[4])
    assert found.join_keys == (1, "x")


def test_order_of_events() -> None:
    """Catches an order by text, a tiebreaker ignored, null before values, and nanoseconds that Elasticsearch cuts."""
    documents = [
        {"n": 0, "@timestamp": "2020-01-01T00:00:00.0019Z", "t": None},
        {"n": 1, "@timestamp": "2020-01-01T00:00:00.0011Z", "t": 10},
        {"n": 2, "@timestamp": "2020-01-01T00:00:00.001Z", "t": 9},
        {"n": 3, "@timestamp": "2020-01-01T01:00:00.000+01:00", "t": 0},
        {"n": 4, "t": 0},
    ]

    def order(**options: str | int) -> list[int]:
        return [document["n"] for document in run("any where true", documents, **options)]  # type: ignore[call-overload]

    assert order() == [3, 0, 1, 2, 4]
    assert order(tiebreaker_field="t") == [3, 2, 1, 0, 4]
    assert order(size=2) == [2, 4]
    assert order(size=0) == []
    pairs = run("sequence [any where n == 3] [any where n == 4]", documents)
    assert pairs == []


def test_pipes_apply_in_order() -> None:
    """Catches tail before head, and a size that cuts before the pipes."""
    documents = [{"n": n, "@timestamp": n} for n in range(6)]
    found = run("any where true | head 4 | tail 2", documents)
    assert [document["n"] for document in found] == [2, 3]  # type: ignore[call-overload]
    assert run("any where true | tail 0", documents) == []


def test_join_values() -> None:
    """Catches a value taken twice, nulls of a mandatory key, and values of a type compared as they are written."""
    values: dict[str, tuple[Any, ...]] = {
        "tags": ("a", "b", "a"),
        "at": ("2020-01-01", 1577836800000),
        "ip": ("::ffff:10.0.0.1", "10.0.0.1"),
        "pid": ("4", 4),
    }

    def join(path: str, kind: Type, *, optional: bool = False, mapped: bool = True) -> list[Any]:
        key = JoinKey(path, optional, mapped, kind)
        return [value for _, value in join_values(key, lambda field: values.get(field, ()))]

    assert join("tags", Type.UNKNOWN) == ["a", "b"]
    assert join("at", Type.DATE) == ["2020-01-01T00:00:00.000Z"]
    assert join("ip", Type.IP) == ["10.0.0.1"]
    assert join("pid", Type.LONG) == [4]
    assert join("pid", Type.UNKNOWN) == ["4", 4]
    assert join("none", Type.UNKNOWN) == []
    assert join("none", Type.UNKNOWN, optional=True) == [None]
    assert join("tags", Type.NULL, optional=True, mapped=False) == [None]
