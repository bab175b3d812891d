"""A day of the demo: repeatable, growing by itself only, never in the future, shaped like a week of work."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from statistics import mean

import pytest
from outlay_collector.demo import stories
from outlay_collector.demo.company import FEATURES
from outlay_collector.demo.day import traces, volume, window
from outlay_collector.demo.shapes import Recording

from tests.unit.demo.conftest import NOW, Month

TUESDAY = date(2026, 11, 10)


def ids(day: list[list[Recording]]) -> set[tuple[int, int]]:
    return {(span.trace_id, span.span_id) for trace in day for span in trace}


def fingerprint(seed: int, day: date) -> str:
    told = [repr(span) for trace in traces(seed, day) for span in trace]
    return sha256("\n".join(told).encode()).hexdigest()


def test_a_day_told_twice_is_the_same_to_the_last_token() -> None:
    assert traces(1, TUESDAY) == traces(1, TUESDAY)


def test_another_process_tells_the_same_day() -> None:
    program = "from tests.unit.demo.test_day import fingerprint, TUESDAY; import sys; sys.stdout.write(fingerprint(1, TUESDAY))"
    told = subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": "7"}, capture_output=True, check=True)
    assert told.stdout.decode() == fingerprint(1, TUESDAY)


def test_another_seed_is_another_day() -> None:
    assert ids(traces(1, TUESDAY)).isdisjoint(ids(traces(2, TUESDAY)))


def test_the_days_before_do_not_matter() -> None:
    alone = traces(1, TUESDAY)
    traces(1, TUESDAY - timedelta(days=1))
    assert traces(1, TUESDAY) == alone


def test_no_two_spans_have_the_same_ids(spans: list[Recording]) -> None:
    keys = {(span.trace_id, span.span_id) for span in spans}
    assert len(keys) == len(spans)
    assert all(0 < trace < 2**128 and 0 < span < 2**64 for trace, span in keys)


def test_no_two_calls_have_the_same_response_id(calls: list[Recording]) -> None:
    responses = [call.response_id for call in calls if call.response_id]
    assert len(set(responses)) == len(responses)


def test_thirty_days_hold_at_least_fifty_thousand_calls(calls: list[Recording]) -> None:
    assert len(calls) >= 50_000


@pytest.mark.parametrize("now", [NOW + timedelta(days=days) for days in (9, 58, 240, 700)], ids=lambda now: f"{now:%F}")
def test_it_stays_a_month_of_a_quick_demo_however_late_it_is_run(now: datetime) -> None:
    """Counted by visits, which is quicker than telling them: the month of ``calls`` has 64,000 calls."""
    visits = sum(volume(1, day, feature) for day in window(now, 30) for feature in FEATURES)
    visits_today = sum(volume(1, day, feature) for day in window(NOW, 30) for feature in FEATURES)
    assert 0.9 < visits / visits_today < 1.8


def test_nothing_lies_in_the_future(spans: list[Recording]) -> None:
    assert max(span.end_ns for span in spans) <= NOW.timestamp() * 1e9


def test_a_day_that_is_not_over_has_the_calls_up_to_now_and_later_the_rest() -> None:
    noon = datetime(2026, 11, 10, 12, tzinfo=UTC)
    morning, whole = traces(1, TUESDAY, until=noon), traces(1, TUESDAY)
    assert 0 < len(morning) < len(whole)
    assert whole[: len(morning)] == morning
    assert max(span.end_ns for span in whole[len(morning)]) > noon.timestamp() * 1e9


def test_before_its_first_minute_a_day_is_empty() -> None:
    assert traces(1, TUESDAY, until=datetime(2026, 11, 10, tzinfo=UTC)) == []


def test_tomorrows_window_is_todays_without_the_oldest_day_and_with_the_new_one() -> None:
    today, tomorrow = window(NOW, 30), window(NOW + timedelta(days=1), 30)
    assert len(today) == 31
    assert today[-1] == NOW.date()
    assert tomorrow[:-1] == today[1:]


def test_a_weekend_is_quiet(month: Month) -> None:
    work = mean(len(spans) for day, spans in month.items() if day.weekday() < 5)
    rest = mean(len(spans) for day, spans in month.items() if day.weekday() >= 5 and day != NOW.date())
    assert rest < 0.55 * work


def test_business_grows() -> None:
    def visits(first: date) -> int:
        return sum(volume(1, first + timedelta(days=n), feature) for n in range(28) for feature in FEATURES)

    before, after = visits(stories.ANCHOR), visits(stories.ANCHOR + timedelta(days=28))
    assert 1.05 < after / before < 1.25


def test_jobs_run_at_night_and_people_work_by_day(calls: list[Recording]) -> None:
    def hours(feature: str) -> Counter[int]:
        return Counter(call.start_ns // 3_600_000_000_000 % 24 for call in calls if call.whom.feature == feature)

    assert set(hours("extract-clauses")) <= {1, 2, 3, 4, 5}
    tickets = hours("answer-ticket")
    assert tickets[14] > 4 * tickets[2]


def test_every_span_but_a_root_has_its_parent_in_its_trace_and_lies_within_its_time(spans: list[Recording]) -> None:
    by_id = {(span.trace_id, span.span_id): span for span in spans}
    for span in spans:
        assert span.start_ns <= span.end_ns
        if span.parent_span_id is None:
            continue
        parent = by_id[span.trace_id, span.parent_span_id]
        assert parent.start_ns <= span.start_ns
        assert span.end_ns <= parent.end_ns


def test_every_trace_has_one_root(spans: list[Recording]) -> None:
    roots = Counter(span.trace_id for span in spans if span.parent_span_id is None)
    assert set(roots.values()) == {1}
    assert set(roots) == {span.trace_id for span in spans}


def test_parts_of_usage_fit_into_their_totals(calls: list[Recording]) -> None:
    for call in calls:
        used = call.usage or {}
        prompt = sum(used.get(key, 0) for key in ("cache_read_tokens", "cache_write_tokens", "input_audio_tokens"))
        assert prompt <= used.get("input_tokens", 0)
        assert used.get("reasoning_tokens", 0) <= used.get("output_tokens", 0)
        assert used.get("cache_write_5m_tokens", 0) <= used.get("cache_write_tokens", 0)
        assert min(used.values(), default=1) > 0
