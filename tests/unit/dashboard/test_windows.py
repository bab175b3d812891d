"""What a window is, what came before it, and how it is cut."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_dashboard.windows import PRESETS, Window, period_end, periods, previous, window_named, window_of_days

BERLIN = ZoneInfo("Europe/Berlin")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
# Hypothesis takes naive bounds and adds the zone.
SOME_YEARS = {
    "min_value": datetime(2020, 1, 1),  # noqa: DTZ001
    "max_value": datetime(2030, 1, 1),  # noqa: DTZ001
    "timezones": st.just(UTC),
}
NOW = datetime(2026, 11, 21, 14, 5, 30, tzinfo=UTC)


def test_thirty_days_are_today_and_the_29_days_before_it():
    window = window_named("30d", NOW, BERLIN)
    assert window.start.isoformat() == "2026-10-23T00:00:00+02:00"
    assert window.end.isoformat() == "2026-11-21T16:00:00+01:00"
    assert len(periods(window)) == 30


def test_24_hours_end_with_this_minute():
    window = window_named("24h", NOW, BERLIN)
    assert window.end - window.start == timedelta(hours=24)
    assert window.end.astimezone(UTC) == datetime(2026, 11, 21, 14, 6, tzinfo=UTC)
    assert window.interval == "hour"


def test_this_month_is_compared_with_the_same_part_of_last_month():
    before = previous(window_named("month", NOW, BERLIN))
    assert before.start.isoformat() == "2026-10-01T00:00:00+02:00"
    assert before.end.replace(tzinfo=None).isoformat() == "2026-10-21T16:00:00"


def test_the_31st_is_compared_with_all_of_a_shorter_month():
    window = window_named("month", datetime(2026, 3, 31, 20, tzinfo=UTC), BERLIN)
    before = previous(window)
    assert before.end == window.start


def test_last_month_is_a_calendar_month_and_so_is_the_one_before():
    window = window_named("last_month", NOW, BERLIN)
    assert (window.start.date().isoformat(), window.end.date().isoformat()) == ("2026-10-01", "2026-11-01")
    assert previous(window).start.date().isoformat() == "2026-09-01"


def test_a_day_with_a_clock_change_is_one_day_of_25_hours():
    window = window_named("2026-10-24..2026-10-26", NOW, BERLIN)
    days = periods(window)
    assert [day.date().isoformat() for day in days] == [
        "2026-10-24",
        "2026-10-25",
        "2026-10-26",
    ] or window.interval == "hour"
    assert (window.end.astimezone(UTC) - window.start.astimezone(UTC)) == timedelta(hours=73)


def test_hours_are_real_hours_across_a_clock_change():
    window = window_named("2026-10-25..2026-10-25", NOW, BERLIN)
    assert window.interval == "hour"
    assert len(periods(window)) == 25


def test_custom_days_include_the_last_day_and_survive_the_url():
    window = window_named("2026-11-01..2026-11-07", NOW, BERLIN)
    assert window.end.isoformat() == "2026-11-08T00:00:00+01:00"
    assert window.as_parameter() == "2026-11-01..2026-11-07"


def test_an_hour_survives_the_url():
    window = window_named("2026-11-01T14..2026-11-01T15", NOW, BERLIN)
    assert window.end - window.start == timedelta(hours=1)
    assert window_named(window.as_parameter(), NOW, BERLIN) == window


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-07..2026-11-01", "2026-13-01..2026-13-02", "..", "a..b"])
def test_what_names_no_window_is_none(text):
    assert window_named(text, NOW, BERLIN) is None


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("zone", [ZoneInfo("UTC"), BERLIN, KATHMANDU])
@given(moment=st.datetimes(**SOME_YEARS))
def test_periods_tile_every_window_without_gap_or_overlap(name, zone, moment):
    window = window_named(name, moment, zone)
    # As instants: within one zone Python compares what the clock shows, and in autumn it shows an hour twice.
    starts = [start.astimezone(UTC) for start in periods(window)]
    ends = [period_end(start, window.interval).astimezone(UTC) for start in periods(window)]
    assert starts[0] <= window.start.astimezone(UTC) < ends[0]
    assert starts[-1] < window.end.astimezone(UTC) <= ends[-1]
    assert starts[1:] == ends[:-1]


@pytest.mark.parametrize("name", PRESETS)
@given(moment=st.datetimes(**SOME_YEARS))
def test_the_previous_window_never_reaches_into_the_window(name, moment):
    window = window_named(name, moment, BERLIN)
    before = previous(window)
    assert before.start < before.end <= window.start


def test_a_window_of_days_is_compared_with_as_many_days_before():
    window = window_of_days(date(2026, 11, 8), date(2026, 11, 14), BERLIN)
    assert previous(window) == Window(
        name="custom", start=window.start - timedelta(days=7), end=window.start, zone=BERLIN
    )
