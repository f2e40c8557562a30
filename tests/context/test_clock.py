"""Eras: the order of events on a host whose clock was set back."""

from __future__ import annotations

from evtxscan.context.clock import Clock, ClockChange, read_clocks
from evtxscan.context.clock import find_cuts as enter_cuts
from tests.context.machine import HOUR, MINUTE, SECOND

SEC, SYS, SYSMON = "Security", "System", "Sysmon"
NOON = 12 * HOUR


def clock(*changes: ClockChange) -> Clock:
    """Return the clock of the one host of some changes."""
    return read_clocks(changes).get("ws", Clock())


def back(record: int, old: int, new: int, log: str = SEC, *, is_at_boot: bool = False) -> ClockChange:
    """Return a change of the clock."""
    return ClockChange("ws", log, record, old, new, is_at_boot)


def test_clock_that_only_went_forward_has_one_era() -> None:
    # Catches: forward jumps (sleep, time zones) counted as set-backs.
    assert clock(back(100, NOON, NOON + HOUR)).era(SEC, 500, NOON + 2 * HOUR) == 0


def test_outside_of_the_stretch_time_decides_and_inside_the_record() -> None:
    # Catches: record ids compared everywhere (they begin again after a log file was deleted), or nowhere.
    found = clock(back(100, NOON, NOON - 2 * HOUR))
    assert found.era(SEC, 900, NOON - 3 * HOUR) == 0
    assert found.era(SEC, 1, NOON + HOUR) == 1
    assert found.era(SEC, 1, NOON - HOUR) == 0
    assert found.era(SEC, 900, NOON - HOUR) == 1
    assert found.era(SYSMON, 900, NOON - HOUR) == 0


def test_both_logs_records_of_one_change_are_one_change() -> None:
    # Catches: one change counted twice, which would tear the two logs apart.
    found = clock(back(100, NOON, NOON - 2 * HOUR), back(7, NOON + SECOND, NOON - 2 * HOUR + SECOND, SYS))
    assert found.era(SEC, 900, NOON + HOUR) == found.era(SYS, 8, NOON + HOUR) == 1
    assert (found.era(SYS, 6, NOON - HOUR), found.era(SYS, 8, NOON - HOUR)) == (0, 1)


def test_copies_of_a_record_are_one_change() -> None:
    # Catches: the same log collected twice counted as two changes.
    assert clock(back(100, NOON, NOON - HOUR), back(100, NOON, NOON - HOUR)).era(SEC, 900, NOON + HOUR) == 1


def test_logs_begin_a_boot_hours_after_their_last_record_of_the_one_before() -> None:
    # Catches: a clock that was behind at boot counted once per log.
    changes = (
        back(100, NOON, NOON - 5 * HOUR, is_at_boot=True),
        back(7, NOON - HOUR, NOON - 5 * HOUR + MINUTE, SYS, is_at_boot=True),
    )
    assert clock(*changes).era(SEC, 900, NOON + HOUR) == 1


def test_overlapping_set_backs_are_counted_in_the_order_of_their_records() -> None:
    # Catches: set-backs ordered by time, which is what cannot be trusted there.
    found = clock(back(100, NOON, NOON - 10 * HOUR), back(200, NOON + HOUR, NOON - 9 * HOUR))
    assert [found.era(SEC, record, NOON - 3 * HOUR) for record in (50, 250, 350)] == [0, 2, 2]
    assert [found.era(SEC, record, NOON - 3 * HOUR) for record in (1, 150, 950)] == [0, 1, 2]


def test_records_near_the_change_go_with_the_clock_that_fits() -> None:
    # Catches: the record of the change believed to the letter. A log that starts holds 4616 ahead of records that
    # were made before it, and its own 1101 ahead of the boot with the time after.
    found = clock(back(408, NOON, NOON - 10 * HOUR))
    assert found.era(SEC, 404, NOON - 10 * HOUR + 4 * SECOND) == 1
    assert found.era(SEC, 405, NOON - 8 * SECOND) == 0
    assert found.era(SEC, 423, NOON + 9 * SECOND) == 0
    assert found.era(SEC, 424, NOON - 10 * HOUR + 14 * SECOND) == 1


def test_log_without_records_of_changes_is_cut_where_its_times_fall() -> None:
    # Catches: Sysmon's records of the stretch all counted to one side.
    found = clock(back(100, NOON, NOON - 2 * HOUR))
    records = [(1, NOON - HOUR), (2, NOON - SECOND), (3, NOON - 2 * HOUR + SECOND), (4, NOON - HOUR)]
    enter_cuts(found.stretches[0], SYSMON, records)
    assert [found.era(SYSMON, record, ticks) for record, ticks in records] == [0, 0, 1, 1]


def test_log_whose_times_do_not_fall_has_no_cut() -> None:
    # Catches: a cut at the disorder of milliseconds that every log has.
    found = clock(back(100, NOON, NOON - 2 * HOUR))
    enter_cuts(found.stretches[0], SYSMON, [(1, NOON - HOUR), (2, NOON - HOUR - SECOND // 100), (3, NOON)])
    assert SYSMON not in found.stretches[0].cuts


def test_set_backs_far_apart_add_up() -> None:
    # Catches: eras counted within each stretch alone.
    found = clock(back(100, NOON, NOON - 2 * HOUR), back(200, NOON + 9 * HOUR, NOON + 7 * HOUR))
    assert [found.era(SEC, record, NOON + 8 * HOUR) for record in (150, 350)] == [1, 2]
    assert found.era(SEC, 150, NOON + 5 * HOUR) == 1
