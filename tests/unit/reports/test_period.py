"""Which days a report is about, in the reader's own calendar."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.errors import BadRequest
from outlay_collector.reports.period import between, parse_period

SEOUL, NEW_YORK = ZoneInfo("Asia/Seoul"), ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 21, 16, 30, tzinfo=UTC)  # Sunday the 22nd, 01:30, in Seoul


@pytest.mark.parametrize(
    ("text", "first", "end", "before"),
    [
        ("last-week", "2026-11-09", "2026-11-16", "2026-11-02"),
        ("this-week", "2026-11-16", "2026-11-23", "2026-11-09"),
        ("last-month", "2026-10-01", "2026-11-01", "2026-09-01"),
        ("this-month", "2026-11-01", "2026-12-01", "2026-10-01"),
        ("2026-W01", "2025-12-29", "2026-01-05", "2025-12-22"),
        ("2026-02", "2026-02-01", "2026-03-01", "2026-01-01"),
        ("2026-11-20", "2026-11-20", "2026-11-21", "2026-11-19"),
    ],
)
def test_a_period_is_named_as_people_name_it(text: str, first: str, end: str, before: str):
    found = parse_period(text, SEOUL, NOW)
    assert (str(found.first), str(found.end), str(found.before)) == (first, end, before)


def test_days_are_those_of_the_zone():
    assert parse_period("2026-11-20", SEOUL, NOW).window.start == datetime(2026, 11, 19, 15, tzinfo=UTC)


def test_the_day_the_clocks_go_back_has_25_hours():
    window = parse_period("2026-11-01", NEW_YORK, NOW).window
    assert window.end - window.start == timedelta(hours=25)


def test_a_running_month_is_compared_with_as_much_of_the_one_before():
    found = parse_period("this-month", ZoneInfo("UTC"), NOW)
    assert found.is_running
    assert found.window.end == NOW
    assert found.previous.end == datetime(2026, 10, 21, 16, 30, tzinfo=UTC)
    assert len(found.days) == 21


def test_the_last_days_of_a_long_month_are_compared_with_a_whole_short_one():
    found = parse_period("2026-03", ZoneInfo("UTC"), datetime(2026, 3, 31, 12, tzinfo=UTC))
    assert found.previous.end == found.window.start


@pytest.mark.parametrize("text", ["november", "2026-13", "2026-W54", "2026-02-30", "", "2026-W1"])
def test_what_is_no_period_is_named_with_what_there_is(text: str):
    with pytest.raises(BadRequest, match="is no period; write last-week"):
        parse_period(text, SEOUL, NOW)


@pytest.mark.parametrize("text", ["2026-12", "2026-11-23", "2027-W01"])
def test_a_period_that_has_not_begun_says_when_it_does(text: str):
    with pytest.raises(BadRequest, match="has not begun: it starts on"):
        parse_period(text, SEOUL, NOW)


def test_a_period_that_ends_before_it_begins_is_refused():
    with pytest.raises(BadRequest, match="2026-11-02 is not before 2026-11-02"):
        between(date(2026, 11, 2), date(2026, 11, 2), SEOUL, NOW)


@given(
    st.dates(date(2020, 1, 1), date(2026, 11, 20)),
    st.integers(1, 90),
    st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York"]),
)
def test_the_period_before_ends_where_the_period_begins(first: date, days: int, zone: str):
    found = between(first, first + timedelta(days=days), ZoneInfo(zone), NOW)
    assert found.previous.start < found.previous.end <= found.window.start
    assert found.is_running or found.previous.end == found.window.start
