from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.ledger.buckets import HOUR, MINUTE, Window, day_window, hour_of, recompute, windows

ZONES = ("UTC", "Asia/Seoul", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe")
instants = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from(ZONES).map(ZoneInfo)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_an_hour_begins_where_the_wall_clock_says_so() -> None:
    assert hour_of(at("2026-03-01T10:20:00"), ZoneInfo("UTC")) == at("2026-03-01T10:00:00")
    # In India it is 15:50, an hour that began at 15:00, which is 09:30 UTC.
    assert hour_of(at("2026-03-01T10:20:00"), ZoneInfo("Asia/Kolkata")) == at("2026-03-01T09:30:00")


@given(instants, zones)
def test_an_instant_lies_in_its_hour(instant: datetime, zone: ZoneInfo) -> None:
    start = hour_of(instant, zone)
    assert start <= instant < start + HOUR
    assert start.astimezone(zone).minute == 0 or zone.key == "Australia/Lord_Howe"


def test_days_have_23_24_or_25_hours() -> None:
    new_york = ZoneInfo("America/New_York")
    lengths = {day: day_window(day, new_york) for day in (date(2026, 3, 8), date(2026, 6, 1), date(2026, 11, 1))}
    assert [(window.end - window.start) / HOUR for window in lengths.values()] == [23, 24, 25]


def test_buckets_that_meet_become_one_window() -> None:
    starts = [at("2026-01-01T00:00:00"), at("2026-01-01T00:01:00"), at("2026-01-01T00:05:00")]
    assert windows(starts, MINUTE) == [
        Window(starts[0], at("2026-01-01T00:02:00")),
        Window(starts[2], at("2026-01-01T00:06:00")),
    ]


def test_buckets_a_little_apart_are_worth_one_statement() -> None:
    starts = [at("2026-01-01T00:00:00"), at("2026-01-01T00:02:00")]
    assert windows(starts, MINUTE, gap=MINUTE) == [Window(starts[0], at("2026-01-01T00:03:00"))]


minutes = instants.map(lambda instant: instant.replace(second=0, microsecond=0))


@given(st.lists(minutes, min_size=1, max_size=30), zones)
def test_every_touched_minute_is_summed_again_in_its_hour_and_day(touched: list[datetime], zone: ZoneInfo) -> None:
    now = max(touched)
    todo = recompute(touched, now=now, zone=zone)
    hours = (*todo.hours_from_minutes, *todo.hours_from_rows)
    for minute in touched:
        assert any(window.start <= minute < window.end for window in hours)
        day = hour_of(minute, zone).astimezone(zone).date()
        assert day in todo.days
        if minute >= now - HOUR:
            assert any(window.start <= minute < window.end for window in todo.minutes)


def test_hours_long_past_are_summed_from_rows() -> None:
    now = at("2026-01-02T12:00:00")
    todo = recompute([now - timedelta(hours=1), now - timedelta(hours=20)], now=now, zone=ZoneInfo("UTC"))
    assert [w.start for w in todo.hours_from_minutes] == [at("2026-01-02T11:00:00")]
    assert [w.start for w in todo.hours_from_rows] == [at("2026-01-01T16:00:00")]
