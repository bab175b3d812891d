"""What is unusual: by habit, by money, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from outlay_collector.alerts.unusual.cause import Place, main_effect, place, sentence
from outlay_collector.alerts.unusual.detect import GATE_SHARE, LEAST_HISTORY_HOURS, Verdict, gate, unusual
from outlay_collector.alerts.unusual.findings import Finding, Scope, runaway
from outlay_collector.alerts.unusual.runaway import Spender, runs_away
from outlay_collector.ledger.bridge import Effect, bridge

UTC_ZONE = ZoneInfo("UTC")
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


def weeks(count: int = 5, seed: int = 7, noise: float = 0.05) -> Any:
    """Hours that end at ``MONDAY``: 10 an hour by night, 30 by day, a third of it on weekends, a little noise."""
    hours = np.arange(count * 168)
    by_day = np.where((hours % 24 >= 8) & (hours % 24 < 20), 30.0, 10.0)
    weekend = np.where((hours // 24) % 7 >= 5, 1 / 3, 1.0)
    return by_day * weekend * np.exp(np.random.default_rng(seed).normal(0, noise, hours.size))


def at(hours: Any, until: int) -> Verdict | None:
    """The verdict ``until`` hours before the end of ``hours``."""
    known = hours[: hours.size - until]
    month = float(known[-720:].sum())
    return unusual(known, MONDAY - timedelta(hours=until), UTC_ZONE, gate=gate(month, 5.0))


def test_a_quiet_month_has_nothing_to_tell() -> None:
    hours = weeks(9)
    assert [at(hours, until) for until in range(4 * 168) if at(hours, until)] == []


def test_nights_and_weekends_are_a_habit_and_a_busy_night_is_not() -> None:
    hours = weeks()
    hours[-20] *= 5  # 04:00 on Sunday, at what a weekday's hour usually costs
    found = at(hours, 19)
    assert found is None or found.impact < 60  # 15 of some 11,000 is no money
    hours[-20] = 120.0
    found = at(hours, 19)
    assert found is not None
    assert (found.kind, found.hours) == ("high", 1)
    assert found.expected < 6


def test_three_times_as_much_for_two_hours_is_told_within_them() -> None:
    hours = weeks()
    hours[-60:-58] *= 3  # 12:00 and 13:00 on a Friday
    found = at(hours, 59)
    assert found is not None
    assert found.kind == "high"
    assert found.impact == pytest.approx(60, rel=0.2)


def test_a_step_is_told_within_a_day_and_is_the_habit_weeks_later() -> None:
    hours = weeks(10)
    begins = hours.size - 5 * 168
    hours[begins:] *= 1.4
    waits = [until for until in range(24) if at(hours, 5 * 168 - until - 1)]
    assert waits
    assert at(hours, 0) is None


def test_an_outage_is_told_from_whole_hours() -> None:
    hours = weeks()
    hours[-64:] = 0  # Friday 08:00
    found = at(hours, 60)
    assert found is not None
    assert (found.kind, found.hours) == ("low", 3)
    known = hours[: hours.size - 60]
    assert unusual(known, MONDAY - timedelta(hours=60), UTC_ZONE, gate=gate(11_000, 5.0), partial=True) is None


def test_a_drift_that_no_day_shows_is_told_by_the_week() -> None:
    hours = weeks(9)
    drifting = hours * 1.025 ** np.maximum(np.arange(hours.size) / 24 - 35, 0)
    kinds = {found.kind for until in range(0, 28 * 24, 6) if (found := at(drifting, until))}
    assert "drift" in kinds


def test_without_a_week_of_history_nothing_is_usual_or_unusual() -> None:
    hours = weeks(2)[:LEAST_HISTORY_HOURS]
    hours[-1] = 10_000
    assert unusual(hours[1:], MONDAY, UTC_ZONE, gate=1.0) is None
    assert unusual(hours, MONDAY, UTC_ZONE, gate=1.0) is not None
    # Hours before the first call do not count as a week of spending nothing.
    assert unusual(np.concatenate([np.zeros(500), hours[1:]]), MONDAY, UTC_ZONE, gate=1.0) is None
    assert unusual([], MONDAY, UTC_ZONE, gate=1.0) is None
    assert unusual([0.0] * 500, MONDAY, UTC_ZONE, gate=1.0) is None


def test_money_that_does_not_matter_is_not_told_and_less_so_to_who_did_not_care() -> None:
    assert gate(10_000, 5) == 10_000 * GATE_SHARE
    assert gate(100, 5) == 5
    assert gate(100, 5, not_useful=2) == 20
    assert gate(100, 5, not_useful=99) == 40
    hours = weeks()
    hours[-60] *= 3
    known = hours[: hours.size - 59]
    assert unusual(known, MONDAY - timedelta(hours=59), UTC_ZONE, gate=45) is not None
    assert unusual(known, MONDAY - timedelta(hours=59), UTC_ZONE, gate=90) is None


def test_hours_are_those_of_the_clock_on_the_wall() -> None:
    """In Seoul the busy hours of ``weeks`` are others; the habit is learnt all the same."""
    hours = weeks()
    hours[-60:-58] *= 3
    known = hours[: hours.size - 59]
    assert unusual(known, MONDAY - timedelta(hours=59), ZoneInfo("Asia/Seoul"), gate=45) is not None


def a_row(cost: str | None, **dimensions: Any) -> dict[str, Any]:
    usual = {"feature": "chat", "model": "gpt-4o-mini", "provider": "openai", "team": "search"}
    return usual | {"cost": None if cost is None else Decimal(cost), "calls": 100, "errors": 0} | dimensions


DIMENSIONS = ("feature", "model", "team")


def test_the_place_is_the_value_that_brought_the_change_and_not_the_one_that_is_always_large() -> None:
    before = [a_row("100"), a_row("10", feature="search")]
    after = [a_row("101"), a_row("60", feature="search")]
    found = place(before, after, DIMENSIONS)
    assert found is not None
    assert (found.dimension, found.value) == ("feature", "search")
    assert found.share == pytest.approx(50 / 51)


def test_what_grew_everywhere_alike_has_no_place() -> None:
    before = [a_row("100"), a_row("100", feature="search"), a_row("100", feature="docs")]
    after = [a_row("140"), a_row("140", feature="search"), a_row("140", feature="docs")]
    assert place(before, after, DIMENSIONS) is None
    assert place(before, before, DIMENSIONS) is None


def test_a_new_model_is_the_place_even_if_a_feature_moved_to_it_from_nothing() -> None:
    before = [a_row("10"), a_row("90", feature="search")]
    after = [a_row("1"), a_row("100", model="opus"), a_row("90", feature="search")]
    found = place(before, after, DIMENSIONS)
    assert found is not None
    assert (found.dimension, found.value) in (("feature", "chat"), ("model", "opus"))


def test_why_is_what_the_bridge_says() -> None:
    tokens = {"input_tokens": 1000, "output_tokens": 100}
    before = [a_row("10", **tokens)]
    more_calls = bridge(before, [a_row("30", calls=300, **{name: 3 * n for name, n in tokens.items()})], DIMENSIONS)
    assert main_effect(more_calls) == Effect.VOLUME
    longer = bridge(before, [a_row("30", **{name: 3 * n for name, n in tokens.items()})], DIMENSIONS)
    assert main_effect(longer) == Effect.SIZE
    dearer = bridge(before, [a_row("30", **tokens)], DIMENSIONS)
    assert main_effect(dearer) == Effect.PRICE


def test_the_cause_in_words() -> None:
    where = Place(dimension="api_key", value="k3", change=Decimal(9), share=0.91)
    assert sentence(where, Effect.VOLUME, more=True) == "Mostly api key k3 (91 %): more calls."
    assert sentence(where, Effect.VOLUME, more=False) == "Mostly api key k3 (91 %): fewer calls."
    assert sentence(None, Effect.PRICE, more=True) == "It comes from everywhere: higher prices."
    assert sentence(None, None, more=True) == "It comes from everywhere."


def a_finding(**changed: Any) -> Finding:
    usual: dict[str, Any] = {
        "project_id": 1,
        "project": "acme",
        "currency": "USD",
        "scope": Scope(),
        "verdict": Verdict(kind="high", hours=3, actual=62.3, expected=20.2, score=8.21),
        "actual": Decimal("62.301"),
        "end": MONDAY,
        "place": Place(dimension="feature", value="chat", change=Decimal("40.1"), share=0.95),
        "effect": Effect.VOLUME,
        "effects": {Effect.VOLUME: Decimal("40.1"), Effect.SIZE: Decimal("2.001")},
    }
    return Finding(**usual | changed)


def test_an_event_says_how_much_where_and_why_with_exact_money() -> None:
    event = a_finding().event()
    assert event.title == "Spend: 42.10 USD more than usual in the last 3 hours"
    assert event.summary == (
        "62.30 USD in the last 3 hours, where 20.20 is usual (8.2 deviations). Mostly feature chat (95 %): more calls."
    )
    assert (event.data["actual"], event.data["expected"], event.data["impact"]) == ("62.301", "20.2", "42.101")
    assert event.data["cause"]["effects"] == {"volume": "40.1", "size": "2.001"}
    assert event.id == a_finding().event().id
    low = a_finding(verdict=Verdict(kind="low", hours=3, actual=0, expected=20.2, score=9), actual=Decimal(0)).event()
    assert "20.20 USD less than usual" in low.title
    drift = a_finding(verdict=Verdict(kind="drift", hours=168, actual=140, expected=100, score=4), actual=Decimal(140))
    assert drift.event().title == "Spend: 40% more than the weeks before"
    assert drift.event().severity == "info"


def test_scopes_of_any_length_make_keys_that_fit() -> None:
    long, other = (Scope(dimension="feature", value="x" * 500 + end) for end in "ab")
    assert long.key != other.key
    assert len(a_finding(scope=long).event().dedup_key) <= 200


@pytest.mark.parametrize(
    ("scope", "cost", "calls", "usual", "expected"),
    [
        ("trace", 30.0, 100, 0.0, True),
        ("trace", 30.0, 19, 0.0, False),  # a few dear calls are no loop
        ("trace", 9.9, 100, 0.0, False),  # half of what the project spends is 10
        ("session", 10.0, 20, 0.0, True),
        ("api_key", 30.0, 100, 5.0, True),
        ("api_key", 24.0, 100, 5.0, False),  # five times its own habit is 25
        ("api_key", 11.0, 100, 0.0, True),  # a new key, with half of what the project spends
    ],
)
def test_a_runaway_is_measured_by_the_projects_habit_or_its_own(
    scope: Any, cost: float, calls: int, usual: float, expected: bool
) -> None:
    spender = Spender(scope=scope, value="x", cost=cost, calls=calls, usual=usual)
    assert runs_away(spender, project_usual=20.0, floor=5.0) is expected
    assert not runs_away(spender, project_usual=0.0, floor=1_000.0)


def test_a_runaways_event_leads_to_its_trace() -> None:
    spender = Spender(scope="trace", value="ab" * 16, cost=12.5, calls=412)
    event = runaway(1, "acme", "USD", spender, Decimal("12.5"), MONDAY)
    assert event.title == "A trace runs away: 12.50 USD in 10 minutes"
    assert event.link == f"/traces?project=acme&trace={'ab' * 16}"
    assert event.severity == "critical"
