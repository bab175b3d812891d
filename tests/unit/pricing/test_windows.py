from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.pricing.windows import Window


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "inside"),
    [
        ("2026-11-16T00:59:59.999999", False),
        ("2026-11-16T01:00:00", True),
        ("2026-11-16T03:59:59.999999", True),
        ("2026-11-16T04:00:00", False),
    ],
)
def test_a_window_is_half_open(instant: str, inside: bool):
    assert Window(start=time(1), end=time(4)).contains(at(instant)) is inside


@pytest.mark.parametrize(
    ("instant", "inside"),
    [
        ("2026-11-16T16:29:00", False),
        ("2026-11-16T16:30:00", True),
        ("2026-11-16T23:59:00", True),
        ("2026-11-17T00:29:00", True),
        ("2026-11-17T00:30:00", False),
    ],
)
def test_a_window_may_run_past_midnight(instant: str, inside: bool):
    assert Window(start=time(16, 30), end=time(0, 30)).contains(at(instant)) is inside


def test_the_hours_after_midnight_belong_to_the_day_the_window_opened():
    friday_night = Window(start=time(22), end=time(2), days=frozenset({4}))
    assert friday_night.contains(at("2026-11-21T01:00:00"))  # Saturday, 01:00
    assert not friday_night.contains(at("2026-11-20T01:00:00"))  # Friday, 01:00: that window would be Thursday's


def test_days_and_hours_are_those_of_the_zone():
    beijing = Window(start=time(9), end=time(12), days=frozenset(range(5)), zone="Asia/Shanghai")
    assert beijing.contains(at("2026-11-16T01:00:00"))  # Monday, 09:00 in Beijing
    assert not beijing.contains(at("2026-11-14T02:00:00"))  # Saturday
    midnight = Window(start=time(0), end=time(1), days=frozenset({0}), zone="Asia/Seoul")
    assert midnight.contains(at("2026-11-15T15:30:00"))  # Sunday in UTC, Monday in Seoul


def test_a_window_does_not_open_on_excepted_dates():
    window = Window(start=time(9), end=time(12), zone="Asia/Shanghai", except_dates=frozenset({date(2026, 10, 1)}))
    assert not window.contains(at("2026-10-01T02:00:00"))
    assert window.contains(at("2026-10-08T02:00:00"))


@pytest.mark.parametrize(
    "window",
    [
        Window(start=time(1), end=time(4)),
        Window(start=time(16, 30), end=time(0, 30), days=frozenset({0, 4}), zone="Asia/Seoul"),
        Window(start=time(9), end=time(12), except_dates=frozenset({date(2026, 10, 1)})),
    ],
)
def test_a_window_survives_json(window: Window):
    assert Window.from_json(window.as_json()) == window


def test_days_may_be_written_as_a_range():
    assert Window.from_json({"start": "09:00", "end": "12:00", "days": "mon-fri"}).days == frozenset(range(5))


@given(
    edges=st.tuples(st.times(), st.times()),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    zone=st.sampled_from(["UTC", "Asia/Seoul", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"]),
    first=st.datetimes(
        at("2026-01-01").replace(tzinfo=None), at("2026-12-01").replace(tzinfo=None), timezones=st.just(UTC)
    ),
    asked=st.lists(st.integers(0, 6 * 86_400 * 1_000_000), max_size=40),
)
def test_between_two_turns_a_window_stays_as_it_is(
    edges: tuple[time, time], days: frozenset[int], zone: str, first: datetime, asked: list[int]
) -> None:
    window = Window(start=edges[0], end=edges[1], days=days, zone=zone)
    end = first + timedelta(days=6)
    bounds = [first, *window.turns(first, end)]
    for at in sorted(first + timedelta(microseconds=n) for n in asked if first + timedelta(microseconds=n) < end):
        assert window.contains(at) is window.contains(bounds[bisect_right(bounds, at) - 1])
