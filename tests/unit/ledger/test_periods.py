from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.reads.periods import previous

BERLIN = ZoneInfo("Europe/Berlin")


def window(start: str, end: str) -> Window:
    return Window(*(datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC) for text in (start, end)))


@pytest.mark.parametrize(
    ("start", "end", "before"),
    [
        ("2026-03-01", "2026-04-01", "2026-02-01"),  # a month is compared with a month, however long
        ("2026-01-01", "2026-03-01", "2025-11-01"),
        ("2026-03-25", "2026-04-01", "2026-03-18"),  # seven days, of which one has 23 hours
        ("2026-03-30", "2026-03-31", "2026-03-29"),
    ],
)
def test_days_and_months_are_those_of_the_calendar(start: str, end: str, before: str) -> None:
    assert previous(window(start, end), BERLIN) == window(before, start)


def test_what_is_no_whole_day_is_compared_with_as_many_seconds() -> None:
    asked = window("2026-03-29T12:00", "2026-03-30T00:00")
    assert previous(asked, BERLIN) == Window(asked.start - (asked.end - asked.start), asked.start)


@given(st.integers(0, 50_000_000), st.integers(1, 30_000_000))
def test_it_ends_where_the_window_begins(minutes: int, length: int) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes % 4_000_000)
    asked = Window(start, start + timedelta(minutes=length % 500_000 + 1))
    before = previous(asked, BERLIN)
    assert before.start < before.end == asked.start
