"""How a period is likely to end: what weekdays and growth say, how sure that is, and how it did in the past."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.budgets.forecast import YOUNG_DAYS, Asked, ahead, forecast

WEEK = (10.0, 11.0, 12.0, 11.0, 10.0, 3.0, 2.0)  # from Monday


def asked(past: list[float], *, passed: int = 10, length: int = 30, **more: Any) -> Asked:
    """In the morning after the last day of ``past``, of which ``passed`` are in the period."""
    said = {"spent": sum(past[-passed:]) if passed else 0.0, "today_left": 1.0, "last_weekday": (len(past) - 1) % 7}
    return Asked(past=tuple(past), passed=passed, left=length - passed, days=length - passed, **(said | more))


def test_weekdays_repeat() -> None:
    past = [WEEK[n % 7] for n in range(70)]
    assert ahead(np.asarray(past), 6, 14) == pytest.approx([*WEEK, *WEEK], rel=0.06)
    found = forecast(asked(past))
    assert found.p50 == pytest.approx(sum(WEEK[n % 7] for n in range(60, 90)), rel=0.06)
    assert found.p90 / found.p10 < 1.1  # it never was much different
    assert not found.low_confidence


def test_growth_goes_on_and_fades() -> None:
    past = [1.01**n for n in range(90)]
    came = sum(1.01**n for n in range(80, 110))
    found = forecast(asked(past))
    run_rate = sum(past[80:]) * 3
    assert run_rate < found.p50 < came * 1.02
    assert abs(found.p50 - came) < abs(run_rate - came) / 2
    far = ahead(np.asarray(past), 5, 400)
    assert far[399] / far[398] < far[1] / far[0]


def test_the_young_have_a_run_rate_and_say_so() -> None:
    found = forecast(asked([2.0] * (YOUNG_DAYS - 1)))
    assert (found.p50, found.low_confidence, found.method) == (60.0, True, "run-rate")
    assert found.p10 < 60 < found.p90
    assert forecast(asked([0.0] * 50)).low_confidence  # nothing was ever spent
    assert not forecast(asked([0.0] * 50 + [2.0] * YOUNG_DAYS)).low_confidence


def test_of_today_only_the_rest_is_still_to_come() -> None:
    past = [10.0] * 60
    whole = forecast(asked(past)).p50
    half = forecast(asked(past, today_left=0.5, spent=105.0)).p50
    assert half == pytest.approx(whole)


def test_the_band_closes_as_the_period_ends() -> None:
    rng = np.random.default_rng(7)
    past = [float(cost) for cost in 100 * rng.lognormal(0, 0.3, 120)]
    widths = [(found.p90 - found.p10) for found in (forecast(asked(past, passed=n)) for n in (3, 10, 20, 28))]
    assert widths == sorted(widths, reverse=True)


def test_errors_of_the_past_are_told_beside_the_run_rate() -> None:
    past = [WEEK[n % 7] * 1.005**n for n in range(150)]
    errors = forecast(asked(past)).errors
    assert [one.share for one in errors] == [0.25, 0.5, 0.75]
    assert all(one.origins > 2 and one.forecast < one.run_rate for one in errors)
    assert forecast(asked([5.0] * 20)).errors == ()


def test_noise_is_covered_about_as_often_as_said() -> None:
    held: list[bool] = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        costs = [float(WEEK[n % 7] * noise) for n, noise in enumerate(rng.lognormal(0, 0.2, 140))]
        found = forecast(asked(costs[:120]))
        held.append(found.p10 <= sum(costs[110:140]) <= found.p90)
    assert 0.6 <= np.mean(held) <= 0.98


@given(st.lists(st.floats(0, 1e9), max_size=90), st.integers(0, 29), st.floats(0, 1), st.integers(0, 6))
def test_nothing_that_happens_makes_nonsense(past: list[float], passed: int, left: float, weekday: int) -> None:
    found = forecast(
        asked(past, passed=passed, last_weekday=weekday, today_left=left, spent=sum(past[-passed:]) if passed else 0.0)
    )
    spent = sum(past[-passed:]) if passed else 0.0
    assert spent <= found.p10 * (1 + 1e-9) <= found.p50 * (1 + 2e-9) <= found.p90 * (1 + 3e-9) < 1e15
