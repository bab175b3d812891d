"""When a delivery is tried again, and what each answer means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from outlay_collector.alerts.webhooks.schedule import DELAYS, Outcome, meaning, next_attempt, rest, retry_after

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FAILED = Outcome(status=500)


def test_ten_attempts_in_about_75_hours() -> None:
    assert len(DELAYS) == 10
    assert sum(DELAYS, timedelta(0)) == timedelta(hours=75, minutes=35, seconds=5)


@pytest.mark.parametrize("attempts", range(1, 10))
def test_each_delay_is_within_a_fifth_of_the_schedule(attempts: int) -> None:
    soonest = next_attempt(attempts, FAILED, NOW, chance=0.0)
    latest = next_attempt(attempts, FAILED, NOW, chance=0.999999)
    assert soonest == NOW + DELAYS[attempts] * 0.8
    assert latest is not None
    assert latest <= NOW + DELAYS[attempts] * 1.2


def test_after_the_tenth_there_is_no_other() -> None:
    assert next_attempt(10, FAILED, NOW, chance=0.5) is None


@pytest.mark.parametrize(
    ("status", "verdict", "rests"),
    [
        (200, "delivered", False), (201, "delivered", False), (202, "delivered", False), (204, "delivered", False),
        (301, "again", False), (302, "again", False), (304, "again", False), (307, "again", False),
        (400, "again", False), (401, "again", False), (403, "again", False), (404, "again", False),
        (408, "again", False), (410, "gone", False), (413, "again", False), (422, "again", False),
        (429, "again", True), (500, "again", False), (502, "again", True), (503, "again", True), (504, "again", True),
        (None, "again", True),
    ],
)  # fmt: skip
def test_what_each_answer_leads_to(status: int | None, verdict: str, rests: bool) -> None:
    outcome = Outcome(status=status)
    assert outcome.verdict == verdict
    assert (rest(1, outcome, NOW) is not None) == rests
    if status is not None:
        assert (meaning(status) is None) == (verdict == "delivered")


def test_a_receiver_may_ask_for_more_time_up_to_a_day() -> None:
    asked = Outcome(status=429, retry_after=timedelta(minutes=20))
    assert next_attempt(1, asked, NOW, chance=0.5) == NOW + timedelta(minutes=20)
    assert next_attempt(6, asked, NOW, chance=0.5) == NOW + timedelta(hours=10)  # the schedule is later anyhow
    forever = Outcome(status=503, retry_after=timedelta(days=365))
    assert next_attempt(1, forever, NOW, chance=0.5) == NOW + timedelta(hours=24)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("120", timedelta(seconds=120)),
        (" 120 ", timedelta(seconds=120)),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("99999999999999", timedelta(hours=24)),
        ("Sat, 21 Nov 2026 12:10:00 GMT", timedelta(minutes=10)),
        ("Sat, 21 Nov 2026 11:00:00 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_in_either_form(header: str | None, expected: timedelta | None) -> None:
    assert retry_after(header, NOW) == expected


def test_who_does_not_answer_rests_longer_and_longer_but_not_beyond_its_next_attempt() -> None:
    silent = Outcome(error="no answer")
    lengths = [rest(failures, silent, NOW) for failures in (1, 2, 3, 10, 1000)]
    seconds = [(until - NOW).total_seconds() for until in lengths if until is not None]
    assert seconds == [2, 4, 8, 60, 60]
    # One delivery alone comes when the schedule says: its rest is over by then.
    for failures, delay in enumerate(DELAYS[1:], start=1):
        until = rest(failures, silent, NOW)
        assert until is not None
        assert until <= NOW + delay * 0.8
