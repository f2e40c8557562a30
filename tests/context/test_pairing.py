"""Which records of process starts are of one process."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evtxscan.context.pairing import TOLERANCE, Start, fold, pair, same_program, without_copies
from tests.context.machine import SECOND

HOSTS = {1: "ws", 2: "ws", 3: "other"}
PROGRAMS = {1: "c:\\windows\\cmd.exe", 2: "c:\\windows\\calc.exe", 3: "\\device\\harddiskvolume2\\windows\\cmd.exe"}


def sysmon(event: int, ticks: int, host: int = 1, program: int = 1) -> Start:
    """Return a start as Sysmon has it."""
    return Start(4000, ticks, is_security=False, event=event, host=host, executable=program, record=event)


def security(event: int, ticks: int, host: int = 1, program: int = 1) -> Start:
    """Return a start as the Security log has it."""
    return Start(4000, ticks, is_security=True, event=event, host=host, executable=program, record=event)


def pairs(*starts: Start) -> set[tuple[int, int]]:
    """Return the pairs of starts of one process id."""
    return set(pair(sorted(starts, key=lambda start: start.ticks), HOSTS, PROGRAMS))


def test_closest_of_two_is_taken() -> None:
    # Catches: first come, first served, where the first one's other record is missing.
    assert pairs(sysmon(1, 0), sysmon(2, SECOND), security(3, SECOND + 1)) == {(2, 3)}


def test_a_delay_of_one_log_does_not_cross_pairs() -> None:
    # Catches: the closest pair taken first: with a steady delay that is the wrong one, and the rest fits nothing.
    starts = (sysmon(1, 0), sysmon(2, SECOND // 2), security(3, 2 * SECOND // 5), security(4, 9 * SECOND // 10))
    assert pairs(*starts) == {(1, 3), (2, 4)}


def test_tolerance_host_and_program_are_required() -> None:
    # Catches: any of the conditions left out.
    assert pairs(sysmon(1, 0), security(2, TOLERANCE)) == {(1, 2)}
    assert pairs(sysmon(1, 0), security(2, TOLERANCE + 1)) == set()
    assert pairs(sysmon(1, 0), security(2, 0, host=2)) == {(1, 2)}
    assert pairs(sysmon(1, 0), security(2, 0, host=3)) == set()
    assert pairs(sysmon(1, 0), security(2, 0, program=2)) == set()
    assert pairs(sysmon(1, 0), security(2, 0, program=3)) == {(1, 2)}


def test_copies_of_a_record_are_not_starts_of_their_own() -> None:
    # Catches: an exported log beside the live one doubling every process.
    copies: list[tuple[int, int]] = []
    starts = [security(1, 0)._replace(record=7), security(2, 0)._replace(record=7), security(3, 0)._replace(record=8)]
    assert [start.event for start in without_copies(starts, copies)] == [1, 3]
    assert copies == [(2, 1)]


def test_paths_are_folded_as_ascii() -> None:
    # Catches: Unicode case rules, by which other programs would be the same.
    assert fold("C:\\WINDOWS\\Ünïcödé\\Ⓐ.EXE") == "c:\\windows\\Ünïcödé\\Ⓐ.exe"
    assert not same_program("c:\\temp\\cmd.exe", "c:\\windows\\cmd.exe")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6 * SECOND)), max_size=150))
def test_pairs_are_one_to_one_in_order_and_close(entries: list[tuple[bool, int]]) -> None:
    # Catches: a record used twice, crossing pairs, pairs out of tolerance; with many starts the one-pass way as well.
    starts = [
        (security if is_security else sysmon)(number, ticks) for number, (is_security, ticks) in enumerate(entries, 1)
    ]
    ticks = {start.event: start.ticks for start in starts}
    found = sorted(pairs(*starts), key=lambda match: (ticks[match[0]], ticks[match[1]]))
    assert len({event for match in found for event in match}) == 2 * len(found)
    assert all(abs(ticks[one] - ticks[other]) <= TOLERANCE for one, other in found)
    assert [ticks[other] for _, other in found] == sorted(ticks[other] for _, other in found)
