"""Periods of budgets, against an oracle that reads the clock on the wall minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.budgets.periods import KINDS, Calendar, Slots, label, period_at, slots_of
from outlay_collector.ledger.buckets import Window

ZONES = (
    "UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana",
    "Asia/Beirut", "Pacific/Chatham", "Asia/Seoul",
)  # fmt: skip
QUARTER = timedelta(minutes=15)

calendars = st.builds(
    Calendar,
    kind=st.sampled_from([kind for kind in KINDS if kind != "rolling"]),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    anchor_day=st.integers(1, 28),
    fiscal_start=st.integers(1, 12),
)
instants = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001


@lru_cache(maxsize=100_000)
def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The oracle: the first quarter of an hour at which the calendar on the wall shows ``day``."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    while at.astimezone(zone).date() < day:
        at += QUARTER
    return at


def first_day(calendar: Calendar, day: date) -> date:
    """The oracle: day by day back to one that a period begins on."""
    while not _begins(calendar, day):
        day -= timedelta(days=1)
    return day


def _begins(calendar: Calendar, day: date) -> bool:
    months = {"month": range(1, 13), "quarter": [(calendar.fiscal_start - 1 + n) % 12 + 1 for n in (0, 3, 6, 9)],
              "year": [calendar.fiscal_start]}  # fmt: skip
    match calendar.kind:
        case "day":
            return True
        case "week":
            return day.isoweekday() == 1
        case kind:
            return day.day == calendar.anchor_day and day.month in months[kind]


@given(calendars, instants)
def test_a_period_is_what_the_calendar_on_the_wall_says(calendar: Calendar, instant: datetime) -> None:
    period = period_at(calendar, instant)
    first = first_day(calendar, instant.astimezone(calendar.zone).date())
    following = first + timedelta(days=1)
    while not _begins(calendar, following):
        following += timedelta(days=1)
    assert period == Window(first_instant(first, calendar.zone), first_instant(following, calendar.zone))
    assert period.start <= instant < period.end


@given(calendars, instants)
def test_periods_tile_time(calendar: Calendar, instant: datetime) -> None:
    period = period_at(calendar, instant)
    assert period_at(calendar, period.start) == period
    assert period_at(calendar, period.end).start == period.end
    assert period_at(calendar, period.start - timedelta(microseconds=1)).end == period.start


@given(calendars, instants)
def test_no_slot_holds_instants_of_two_periods(calendar: Calendar, instant: datetime) -> None:
    slots = slots_of(calendar.zone)
    period = period_at(calendar, instant)
    assert slots.start_of(period.start) == period.start
    assert period.start <= slots.start_of(instant) <= instant < slots.start_of(instant) + slots.width <= period.end


@pytest.mark.parametrize(
    ("zone", "slots"),
    [
        ("Asia/Seoul", Slots(timedelta(hours=1), timedelta(0))),
        ("Europe/Berlin", Slots(timedelta(hours=1), timedelta(0))),
        ("Asia/Kolkata", Slots(timedelta(hours=1), timedelta(minutes=30))),
        ("Australia/Lord_Howe", Slots(QUARTER, timedelta(0))),  # half an hour of summer time
    ],
)
def test_slots_are_hours_unless_clock_changes_move_them(zone: str, slots: Slots) -> None:
    assert slots_of(ZoneInfo(zone)) == slots


def test_a_day_of_a_clock_change_has_23_or_25_hours() -> None:
    calendar = Calendar(kind="day", zone=ZoneInfo("America/New_York"))
    lengths = {at.day: (lambda day: (day.end - day.start) / timedelta(hours=1))(period_at(calendar, at))
               for at in (datetime(2026, 3, 8, 12, tzinfo=UTC), datetime(2026, 11, 1, 12, tzinfo=UTC))}  # fmt: skip
    assert lengths == {8: 23, 1: 25}


@pytest.mark.parametrize(
    ("calendar", "said"),
    [
        (Calendar(kind="day", zone=ZoneInfo("UTC")), "2026-11-21"),
        (Calendar(kind="week", zone=ZoneInfo("UTC")), "2026-W47"),
        (Calendar(kind="month", zone=ZoneInfo("UTC")), "2026-11"),
        (Calendar(kind="month", zone=ZoneInfo("UTC"), anchor_day=15), "2026-11-15 – 2026-12-14"),
        (Calendar(kind="quarter", zone=ZoneInfo("UTC")), "2026-Q4"),
        (Calendar(kind="year", zone=ZoneInfo("UTC"), fiscal_start=4), "2026-04-01 – 2027-03-31"),
        (Calendar(kind="rolling", zone=ZoneInfo("UTC"), days=7), "last 7 days"),
    ],
)
def test_periods_have_names(calendar: Calendar, said: str) -> None:
    assert label(calendar, period_at(calendar, datetime(2026, 11, 21, 10, tzinfo=UTC))) == said


def test_a_rolling_period_ends_with_the_slot_that_runs() -> None:
    calendar = Calendar(kind="rolling", zone=ZoneInfo("UTC"), days=7)
    end = datetime(2026, 11, 21, 11, tzinfo=UTC)
    assert period_at(calendar, datetime(2026, 11, 21, 10, 30, tzinfo=UTC)) == Window(end - timedelta(days=7), end)
