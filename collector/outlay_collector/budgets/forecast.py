"""How a period is likely to end: the weekdays' profile times a level that follows the last weeks, with a trend that fades.

Costs per day are floats here: an estimate needs no cents. What it is worth is measured on the budget's own past: the same
forecast is made as of earlier days, and its errors give the band and are shown beside the linear run-rate's. Pure.
"""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from outlay_collector.budgets.outlook import LEARNT_DAYS, Asked, Errors, Forecast

Days = NDArray[np.float64]

WEEK = 7
YOUNG_DAYS = 14
"""Of history: with less, weekdays cannot be told from chance, and only the run-rate is left."""

PROFILE_WEEKS = 8
EVEN_WEEKS = 0.2  # without weekdays, added to those that are known
LEVEL = 0.1  # smoothing per day: half of the weight lies on the last week
TREND = 0.05
FADING = 0.99  # of the trend per day ahead
FIRST_LEVEL_DAYS = 14
Z90 = 1.2816

# What is assumed of a budget whose own past is too short to tell: measured on demo companies (`make bench-forecast`).
_PRIOR_SIGMA = 0.04
_PRIOR_PER_DAY = 0.001
_PRIOR_WEIGHT = 2.0
_LEAST_SIGMA = 0.03  # however quiet the past was

_MOST_ORIGINS = 40


def forecast(asked: Asked) -> Forecast:
    """What the period is likely to come to."""
    past = _known(np.asarray(asked.past[-LEARNT_DAYS:], dtype=np.float64))
    if len(past) < YOUNG_DAYS:
        return _run_rate(asked, len(past))
    days = max(asked.days, 1)
    course = ahead(past, asked.last_weekday, days)
    course[0] *= asked.today_left
    rest = float(course.sum())
    length = max(round(asked.passed + asked.left), 1)
    width = Z90 * _sigma(past.tobytes(), asked.last_weekday, days)
    return Forecast(
        p10=asked.spent + rest * float(np.exp(-width)),
        p50=asked.spent + rest,
        p90=asked.spent + rest * float(np.exp(width)),
        method="weekday profile, level, fading trend",
        low_confidence=False,
        learnt_days=len(past),
        errors=backtest(past.tobytes(), asked.last_weekday, length),
        course=tuple(float(cost) for cost in course),
    )


def ahead(past: Days, last_weekday: int, days: int) -> Days:
    """Expected costs of the ``days`` after the last of ``past``."""
    weekdays = (last_weekday - np.arange(len(past))[::-1]) % WEEK
    profile = _profile(past, weekdays)
    level, trend = _level(past / profile[weekdays])
    steps = np.arange(1, days + 1)
    faded = np.cumsum(FADING**steps)
    expected = np.maximum(level * np.exp(np.clip(trend * faded, -2, 2)), 0)
    return expected * profile[(last_weekday + steps) % WEEK]


def _profile(past: Days, weekdays: NDArray[np.int64]) -> Days:
    """Of each weekday, its part of its week's mean; drawn towards 1 where few weeks are known."""
    weeks = min(len(past) // WEEK, PROFILE_WEEKS)
    lately = past[-weeks * WEEK :].reshape(weeks, WEEK)
    means = lately.mean(axis=1, keepdims=True)
    shares = np.divide(lately, means, out=np.ones_like(lately), where=means > 0)
    found = np.ones(WEEK)
    found[weekdays[-WEEK:]] = (np.median(shares, axis=0) * weeks + EVEN_WEEKS) / (weeks + EVEN_WEEKS)
    return cast("Days", np.maximum(found / found.mean(), 0.02))


def _level(plain: Days) -> tuple[float, float]:
    """Level and growth per day (of its logarithm) at the end of what has no weekdays in it any more."""
    start = float(plain[:FIRST_LEVEL_DAYS].mean())
    level, trend = start, 0.0
    floor = max(float(plain.mean()) * 1e-3, 1e-12)
    for value in plain:
        before = max(level, floor)
        grown = before * float(np.exp(FADING * trend))
        level = LEVEL * float(value) + (1 - LEVEL) * grown
        step = float(np.log(max(level, floor) / before))
        trend = TREND * step + (1 - TREND) * FADING * trend
    return level, trend


@lru_cache(maxsize=2048)
def _sigma(past_bytes: bytes, last_weekday: int, days: int) -> float:
    """Typical error, as a logarithm, of the sum of the next ``days``: from the past, as far as that reaches."""
    past = np.frombuffer(past_bytes)
    assumed = _PRIOR_SIGMA + _PRIOR_PER_DAY * days
    found: list[float] = []
    last = len(past) - days
    step = max((last - 2 * WEEK) // _MOST_ORIGINS, 1)
    for origin in range(last, 2 * WEEK - 1, -step):
        weekday = (last_weekday - (len(past) - origin)) % WEEK
        expected = float(ahead(past[:origin], weekday, days).sum())
        came = float(past[origin : origin + days].sum())
        if expected > 0 and came > 0:
            found.append(float(np.log(came / expected)))
    # Errors of origins that overlap say nearly the same thing: it is the stretch of time that counts.
    independent = max(last - 2 * WEEK, 0) / days if found else 0.0
    own = float(np.mean(np.square(found))) if found else 0.0
    weight = independent / (independent + _PRIOR_WEIGHT)
    return max(float(np.sqrt(weight * own + (1 - weight) * assumed**2)), _LEAST_SIGMA)


@lru_cache(maxsize=2048)
def backtest(past_bytes: bytes, last_weekday: int, length: int) -> tuple[Errors, ...]:
    """Periods of ``length`` days that ended in the past, forecast at a quarter, half and three quarters of them."""
    past = np.frombuffer(past_bytes)
    found: list[Errors] = []
    for share in (0.25, 0.5, 0.75):
        passed = round(length * share)
        if not 0 < passed < length:
            continue
        starts = range(max(YOUNG_DAYS + WEEK - passed, 0), len(past) - length + 1)
        step = max(len(starts) // (_MOST_ORIGINS // 4), 1)
        rows = [_tried(past, last_weekday, start, passed, length) for start in starts[::-step]]
        rows = [row for row in rows if row is not None]
        if rows:
            errors = np.asarray(rows)
            found.append(
                Errors(
                    share=share,
                    origins=len(rows),
                    forecast=round(float(errors[:, 0].mean()), 1),
                    run_rate=round(float(errors[:, 1].mean()), 1),
                    coverage=round(float(errors[:, 2].mean()) * 100),
                )
            )
    return tuple(found)


def _tried(past: Days, last_weekday: int, start: int, passed: int, length: int) -> tuple[float, float, float] | None:
    """Errors in percent of the forecast and of the run-rate, and whether the band held, of one period of the past."""
    origin = start + passed
    came = float(past[start : start + length].sum())
    if came <= 0:
        return None
    weekday = (last_weekday - (len(past) - origin)) % WEEK
    known = past[:origin]
    spent = float(past[start:origin].sum())
    left = length - passed
    rest = float(ahead(known, weekday, left).sum())
    width = Z90 * _sigma(known.tobytes(), weekday, left)
    held = spent + rest * np.exp(-width) <= came <= spent + rest * np.exp(width)
    run_rate = spent / passed * length
    return abs(spent + rest - came) / came * 100, abs(run_rate - came) / came * 100, float(held)


def _run_rate(asked: Asked, learnt: int) -> Forecast:
    rest = asked.spent / asked.passed * asked.left if asked.passed > 0 else 0.0
    wide = 1.6
    return Forecast(
        p10=asked.spent + rest / wide,
        p50=asked.spent + rest,
        p90=asked.spent + rest * wide,
        method="run-rate",
        low_confidence=True,
        learnt_days=learnt,
    )


def _known(past: Days) -> Days:
    """From the first day that cost anything."""
    (spent,) = np.nonzero(past > 0)
    return past[spent[0] :] if len(spent) else past[:0]
