"""Break-even: the worked check, the curve and the day on which growth gets there."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from outlay_collector.gpu.breakeven import ApiPrice, Fleet, Mix, break_even, crosses_on, curve, monthly_growth

SIXTY_CENTS = ApiPrice(prompt=Decimal("0.60"), output=Decimal("0.60"))
FOUR_H100 = Fleet(per_hour=4 * Decimal("3.99"), gpus=Decimal(4), tokens_per_second=Decimal(12_000))
MIX = Mix(prompt=9_000_000_000, output=1_000_000_000)


def test_the_worked_check() -> None:
    found = break_even(MIX, SIXTY_CENTS, FOUR_H100)
    assert found.fleet_per_month == Decimal("11650.80")
    assert found.tokens is not None
    assert found.tokens_per_second is not None
    assert found.utilization is not None
    assert (round(found.tokens / 10**6), round(found.tokens_per_second)) == (19_418, 7_389)
    assert round(found.utilization, 3) == Decimal("0.616")


def test_the_mix_decides_what_the_api_costs_and_cached_tokens_are_cheap() -> None:
    price = ApiPrice(prompt=Decimal(2), output=Decimal(10), cached=Decimal("0.5"))
    assert price.blended(Mix(prompt=800, cached=400, output=200)) == Decimal(3)


def test_a_gpu_hour_may_cost_what_the_api_would_for_the_same_work() -> None:
    found = break_even(MIX, SIXTY_CENTS, FOUR_H100)
    assert found.api_per_month == 6000
    assert found.gpu_hour == Decimal(6000) / 730 / 4


def test_the_curve_meets_the_api_at_the_break_even() -> None:
    points = curve(MIX, SIXTY_CENTS, FOUR_H100, steps=1000)
    cheaper = next(point for point in points if point.own <= point.api)
    assert cheaper.utilization == Decimal("0.616")
    assert curve(MIX, SIXTY_CENTS, Fleet(per_hour=Decimal(1))) == []


def test_growth_and_the_day_on_which_it_gets_there() -> None:
    doubling = [round(1000 * 2 ** (day / (365 / 12))) for day in range(60)]
    growth = monthly_growth(doubling)
    assert growth == pytest.approx(1.0, rel=0.01)
    today = date(2026, 11, 1)
    found = break_even(MIX, SIXTY_CENTS, FOUR_H100)
    # 10,000 M of 19,418 M tokens a month, doubling every month: 0.957 months.
    assert crosses_on(today, found, MIX, 1.0) == date(2026, 12, 1)
    assert crosses_on(today, found, MIX, None) is None
    assert crosses_on(today, found, MIX, -0.5) is None
    assert crosses_on(today, found, Mix(prompt=0, output=20 * 10**9), None) == today


def test_hardware_that_cannot_carry_the_break_even_never_pays() -> None:
    slow = Fleet(per_hour=FOUR_H100.per_hour, tokens_per_second=Decimal(5_000))
    found = break_even(MIX, SIXTY_CENTS, slow)
    assert found.utilization is not None
    assert found.utilization > 1
    assert crosses_on(date(2026, 11, 1), found, MIX, 1.0) is None


def test_a_week_of_days_says_nothing_yet_of_growth() -> None:
    assert monthly_growth([1, 2, 3]) is None
