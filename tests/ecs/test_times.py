"""Times keep their 100 ns, and a made-up time is none.

Wrong here is worse than missing: an event in the wrong minute changes who did it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evtxscan.ecs.times import parse_time, time_created, utc_times

EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1601, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def ticks_of(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 10


@given(MOMENTS, st.integers(0, 9))
def test_the_last_digit_comes_from_the_records_bytes(moment: datetime, digit: int) -> None:
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    known = ticks_of(moment) + digit
    assert time_created([text], [known]) == [known]
    assert time_created([text], [None]) == [ticks_of(moment)]


@given(MOMENTS)
def test_the_text_wins_where_the_two_disagree(moment: datetime) -> None:
    """The bytes may have held another FILETIME than TimeCreated; the parser rendered the right one."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    assert time_created([text], [ticks_of(moment) + 10]) == [ticks_of(moment)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-04-07T09:12:33.123456789Z", 132_622_603_531_234_567),  # text-typed records have 9 digits: cut
        ("2021-04-07 09:12:33.1234567 UTC", 132_622_603_531_234_567),
        ("2021-04-07T09:12:33Z", 132_622_603_530_000_000),
        ("2021-04-07T11:12:33.1+02:00", 132_622_603_531_000_000),
        ("2021-04-31T09:12:33.123456Z", None),
        ("2021-04-07T09:12:60.123456Z", None),
        ("2021-04-07T09:12:٣٣.123456Z", None),
        ("1600-12-31T23:59:59.999999Z", None),
        ("+30828-09-14T02:48:05.477580Z", None),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_odd_times(text: object, expected: int | None) -> None:
    assert parse_time(text) == expected
    assert time_created([text], [None]) == [expected]


def test_no_time_in_the_json_leaves_that_of_the_bytes() -> None:
    assert time_created([None], [132_622_603_531_234_567]) == [132_622_603_531_234_567]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-04-07 09:12:33.123", 132_622_603_531_230_000),
        ("2021-04-07T09:12:33.123", None),
        ("2021-04-07 09:12:33.1234", None),
        ("2021-04-07 09:12:60.123", None),
        ("2021-04-07 09:12:3٣.123", None),
        ("2021-02-29 09:12:33.123", None),
        (None, None),
        ({}, None),
    ],
)
def test_utc_time_is_exactly_sysmons_format(text: object, expected: int | None) -> None:
    assert utc_times([text]) == [expected]
