"""Last week's report goes out on Monday, once."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from outlay_collector.reports.weekly import is_due, weekly_event
from outlay_collector.reports.words import Words

from tests.unit.reports.test_report import made, row

SEOUL = ZoneInfo("Asia/Seoul")


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-15T23:59", False),  # Monday 08:59 in Seoul
        ("2026-11-16T00:00", True),
        ("2026-11-17T11:59", True),
        ("2026-11-17T12:00", False),  # a day and a half later it is old news
        ("2026-11-21T12:00", False),
    ],
)
def test_it_is_due_on_monday_by_the_instances_clock(now: str, due: bool):
    assert is_due("09:00", SEOUL, datetime.fromisoformat(now).replace(tzinfo=UTC)) == due


def test_it_says_total_change_reason_and_what_is_missing_in_one_message():
    report = made([row("12", team="search"), row(None, unpriced=1, team="support")], [row("10", team="search")])
    event = weekly_event(report, "shop", 7, Words("en"))
    assert event.title == "shop: $12.00, Nov 9 – Nov 15, 2026"
    assert event.summary.startswith("+20.0 %; $10.00 in the period before. By team: search $12.00, support not priced.")
    assert "1 not priced, so the total is at least this." in event.summary
    assert event.id == weekly_event(report, "shop", 7, Words("en")).id
    assert event.data["now"]["cost"] == "12"
