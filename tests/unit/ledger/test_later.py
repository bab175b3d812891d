from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from outlay_collector.ledger.buckets import DAY, HOUR, Window
from outlay_collector.ledger.reads.later import key_of, keyed_sources, with_models, without_old_latencies
from outlay_collector.ledger.reads.question import Interval, Question, Sources, parse_filters

UTC_ZONE = ZoneInfo("UTC")
NOW = datetime(2026, 5, 20, 10, 30, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0, minute=0)


def question(start: datetime, end: datetime, **more: object) -> Question:
    return Question(project_ids=(1,), window=Window(start, end), group_by=("user",), **more)  # type: ignore[arg-type]


def plan(asked: Question, days: frozenset[date] = frozenset(), hours: frozenset[datetime] = frozenset()) -> Sources:
    return keyed_sources(asked, UTC_ZONE, key="user", stale_days=days, stale_hours=hours, now=NOW)


@pytest.mark.parametrize(
    ("group_by", "filters", "key"),
    [
        (("user",), [], "user"),
        (("user", "project"), ["user:a"], "user"),
        ((), ["tag:tier:gold"], "tag:tier"),
        (("user", "customer"), [], None),
        (("user", "model"), [], None),
        (("project",), [], None),
        (("step",), [], None),
    ],
)
def test_one_key_at_a_time_has_sums(group_by: tuple[str, ...], filters: list[str], key: str | None) -> None:
    window = Window(MIDNIGHT, NOW)
    asked = Question(project_ids=(1,), window=window, group_by=group_by, filters=parse_filters(filters))
    assert key_of(asked) == key


def test_past_days_come_from_days_todays_hours_from_hours_and_the_present_hour_from_rows() -> None:
    found = plan(question(MIDNIGHT - 3 * DAY, NOW))
    assert found.key_days == ((date(2026, 5, 17), date(2026, 5, 20)),)
    assert found.key_hours == (Window(MIDNIGHT, MIDNIGHT + 10 * HOUR),)
    assert found.rows == (Window(MIDNIGHT + 10 * HOUR, NOW),)


def test_a_stale_day_of_long_ago_comes_from_rows_and_yesterday_from_its_hours() -> None:
    stale = frozenset({date(2026, 5, 17), date(2026, 5, 19)})
    found = plan(question(MIDNIGHT - 4 * DAY, MIDNIGHT), stale, frozenset({MIDNIGHT - 5 * HOUR}))
    assert found.key_days == ((date(2026, 5, 16), date(2026, 5, 17)), (date(2026, 5, 18), date(2026, 5, 19)))
    assert found.key_hours == (Window(MIDNIGHT - DAY, MIDNIGHT - 5 * HOUR), Window(MIDNIGHT - 4 * HOUR, MIDNIGHT))
    assert found.rows == (
        Window(MIDNIGHT - 3 * DAY, MIDNIGHT - 2 * DAY),
        Window(MIDNIGHT - 5 * HOUR, MIDNIGHT - 4 * HOUR),
    )


def test_by_hour_and_by_days_of_another_zone_rows_answer() -> None:
    window = (MIDNIGHT - 3 * DAY, MIDNIGHT)
    for asked in (
        question(*window, interval=Interval.HOUR),
        question(*window, interval=Interval.DAY, zone=ZoneInfo("Asia/Seoul")),
    ):
        assert plan(asked) == Sources(rows=(Window(*window),))


def test_hours_of_all_projects_are_used_when_they_are_over_and_not_stale() -> None:
    hours = Window(MIDNIGHT, MIDNIGHT + 12 * HOUR)
    found = with_models(Sources(hours=(hours,)), stale_hours={MIDNIGHT + 2 * HOUR}, now=NOW)
    assert found.models == (
        Window(MIDNIGHT, MIDNIGHT + 2 * HOUR),
        Window(MIDNIGHT + 3 * HOUR, MIDNIGHT + 10 * HOUR),
    )
    assert found.hours == (
        Window(MIDNIGHT + 2 * HOUR, MIDNIGHT + 3 * HOUR),
        Window(MIDNIGHT + 10 * HOUR, MIDNIGHT + 12 * HOUR),
    )


def test_histograms_of_long_ago_are_made_of_rows() -> None:
    window = Window(MIDNIGHT - timedelta(days=40), MIDNIGHT)
    found = without_old_latencies(Sources(hours=(window,)), now=NOW)
    edge = NOW.replace(minute=0) - timedelta(days=35) + HOUR
    assert found == Sources(hours=(Window(edge, MIDNIGHT),), rows=(Window(window.start, edge),))
