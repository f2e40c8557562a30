"""Sessions of a host in order of time, against what looking at every session says."""

from hypothesis import given
from hypothesis import strategies as st

from evtxscan.context.host_sessions import HostSessions

TIMES = st.integers(0, 12)
SESSIONS = st.lists(st.tuples(TIMES, st.none() | TIMES, st.booleans()), max_size=12)


@given(SESSIONS, st.lists(TIMES, max_size=8), st.integers(1, 4))
def test_open_at(given_sessions: list[tuple[int, int | None, bool]], asked: list[int], most: int) -> None:
    # Catches: a session open at its end, a state left over from a later question, an end before the beginning.
    rows = [
        (number, seen, ended, int(has))
        for number, (seen, ended, has) in enumerate(sorted(given_sessions, key=lambda s: s[0]))
    ]
    sessions = HostSessions(rows)
    for ticks in asked:
        expected = [s for s, seen, ended, _ in rows if seen <= ticks and (ended is None or ended > ticks)]
        assert sessions.open_at(ticks, most) == (expected[-most:], len(expected))


@given(SESSIONS, TIMES, TIMES, st.integers(1, 4))
def test_logons_between(given_sessions: list[tuple[int, int | None, bool]], first: int, last: int, most: int) -> None:
    # Catches: a logon at the very first or last moment left out, sessions without a logon counted.
    rows = [
        (number, seen, ended, int(has))
        for number, (seen, ended, has) in enumerate(sorted(given_sessions, key=lambda s: s[0]))
    ]
    expected = [s for s, seen, _, has in rows if has and first <= seen <= last]
    found, total = HostSessions(rows).logons_between(first, last, most)
    assert (found, total) == (expected[-most:], len(expected))
