"""Possible sequences against brute force: every way in which what is open may have been, through the matcher itself."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from evtxscan.eql.possible import PossibleMatcher
from evtxscan.eql.sequences import Hit, SequenceMatcher

Event = tuple[int, dict[int, bool], str, bool]
"""Time, stage -> whether it is open that the event serves it, key, whether it is an ``until``."""


def finds(events: list[Event], chosen: list[set[int]], stages: int, maxspan: int | None, key: str) -> bool:
    """Tell whether there is a sequence for a key if each event serves the stages chosen for it."""
    matcher: SequenceMatcher[int] = SequenceMatcher(stages, maxspan)
    for order, ((time, _, own, until), served) in enumerate(zip(events, chosen, strict=True)):
        matcher.feed(Hit(time, order, order), [(stage, [(own,)]) for stage in served], [(own,)] if until else [])
    return any(run.key == (key,) for run in matcher.complete)


def completions(events: list[Event]) -> list[list[set[int]]]:
    ways = []
    for _, stages, _, _ in events:
        sure = {stage for stage, is_open in stages.items() if not is_open}
        opened = [stage for stage, is_open in stages.items() if is_open]
        subsets = [
            {stage for stage, yes in zip(opened, bits, strict=True) if yes}
            for bits in product((0, 1), repeat=len(opened))
        ]
        ways.append([sure | subset for subset in subsets])
    return [list(way) for way in product(*ways)]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.dictionaries(st.integers(0, 2), st.booleans(), max_size=2),
            st.sampled_from("kl"),
            st.sampled_from([False, False, False, True]),
        ),
        max_size=6,
    ),
    st.integers(1, 3),
    st.one_of(st.none(), st.integers(0, 6)),
)
def test_what_is_possible_is_what_some_completion_gives(
    steps: list[tuple[int, dict[int, bool], str, bool]], stages: int, maxspan: int | None
) -> None:
    """Catches a partial that is kept in place of one that more could follow, and one that could not be completed."""
    time = 0
    events: list[Event] = []
    for step, served, key, until in steps:
        time += step
        events.append((time, {stage: is_open for stage, is_open in served.items() if stage < stages}, key, until))
    matcher: PossibleMatcher[int] = PossibleMatcher(stages, maxspan)
    possible = set()
    for order, (at, served, key, until) in enumerate(events):
        parts = [(stage, (key,), is_open) for stage, is_open in served.items()]
        for found, chain in matcher.feed(Hit(at, order, order), parts, [(key,)] if until else []):
            assert any(step.is_open for step in chain)
            possible.add(found[0])
    ways = completions(events)
    for key in "kl":
        sure = finds(
            events,
            [{s for s, is_open in served.items() if not is_open} for _, served, _, _ in events],
            stages,
            maxspan,
            key,
        )
        some = any(finds(events, way, stages, maxspan, key) for way in ways)
        assert some == (sure or key in possible)
