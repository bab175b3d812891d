"""A budget's course: what was spent up to each day, and from here on what is likely."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from outlay_dashboard.answers import Budget, read_budgets
from outlay_dashboard.burning import breaks_on, days_of, likely, spent_by_day

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_budget(amount: str = "28", **more: Any) -> Budget:
    """A dollar a day, and half a dollar of today so far."""
    days = [{"day": f"2026-11-{day:02}", "cost": "1"} for day in range(1, 21)] + [{"day": "2026-11-21", "cost": "0.5"}]
    forecast = {
        "p10": "28",
        "p50": "30",
        "p90": "33",
        "low_confidence": False,
        "course": ["0.5", *["1"] * 9],
        "backtest": [],
    }
    said = {
        "name": "all", "project": "shop", "per": None, "filter": {}, "state": "ready", "period": "month",
        "period_label": "2026-11", "period_start": "2026-11-01T00:00:00+00:00", "period_end": "2026-12-01T00:00:00+00:00",
        "time_zone": "UTC", "currency": "USD", "amount": amount, "actual": "20.5", "share": 73.2, "unpriced_calls": 0,
        "thresholds": [], "told": [], "instances": [], "days": days, "forecast": forecast, **more,
    }  # fmt: skip
    return read_budgets({"rows": [said]})[0]


def test_sums_go_up_to_today() -> None:
    budget = a_budget()
    assert len(days_of(budget)) == 30
    spent = spent_by_day(budget, NOW)
    assert (len(spent), spent[0], spent[-1]) == (21, Decimal(1), Decimal("20.5"))


def test_the_band_opens_from_now_to_the_end() -> None:
    budget = a_budget()
    middle, low, high = likely(budget, spent_by_day(budget, NOW))
    assert len(middle) == 10  # today and the nine days after it
    assert (middle[0], middle[1], middle[-1]) == (20.5, pytest.approx(22), pytest.approx(30))
    assert (low[0], high[0]) == (20.5, 20.5)
    assert (low[-1], high[-1]) == (pytest.approx(28), pytest.approx(33))


def test_the_day_on_which_it_breaks() -> None:
    assert breaks_on(a_budget("28"), NOW) == date(2026, 11, 28)
    assert breaks_on(a_budget("31"), NOW) is None
    assert breaks_on(a_budget("3"), NOW) == date(2026, 11, 3)
    assert breaks_on(a_budget("28", forecast=None), NOW) is None


def test_without_a_forecast_there_is_no_band() -> None:
    budget = a_budget(forecast=None)
    assert likely(budget, spent_by_day(budget, NOW)) == ([], [], [])
    assert budget.risk == pytest.approx(20.5 / 28)
