"""Whether spend is unusual now. Pure: hours of money in, a verdict out.

What is usual for an hour is learnt from the weeks before, by hour of day and by weekday or weekend, recent days counting
more. What is above that is measured in two ways, and both must say so: against how much such hours vary (a score), and in
money, against what the whole project spends in a month. Plain deviations did better on public data than robust ones, whose
scale is too small for heavy tails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

HISTORY_HOURS = 35 * 24
LEAST_HISTORY_HOURS = 8 * 24
"""A habit needs a week, and the last day is what is judged by it."""

WINDOWS = ((1, 6.0), (3, 5.0), (24, 4.5))
"""Hours looked at together, and the score from which they are unusual: one wild hour, or a day that is steadily higher."""

GATE_SHARE = 0.004
"""Of what the project spent in the last 30 days: less than that is not worth being told."""

_HALF_LIFE_DAYS = 7.0
_LEAST_DEVIATION = 0.05
_SCALE_DAYS = 14
_NEARLY_ALL = 0.8

LOW_HOURS = 3
LOW_SHARE = 0.2
"""Outage: of what three hours usually cost, at most a fifth."""

DRIFT_RATIO, DRIFT_SHARE = 1.3, 0.04
"""Drift: this week against the three before, and what that must be of the month's spend."""

Kind = Literal["high", "low", "drift"]
Hours = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """``actual`` and ``expected`` are of the ``hours`` up to now; ``score`` is in deviations."""

    kind: Kind
    hours: int
    actual: float
    expected: float
    score: float

    @property
    def impact(self) -> float:
        return self.actual - self.expected


def unusual(
    costs: Sequence[float] | Hours, end: datetime, zone: ZoneInfo, *, gate: float, partial: bool = False
) -> Verdict | None:
    """The most telling verdict on the hours up to ``end``, the last of which may be ``partial``; ``None`` for nothing.

    ``costs`` are of consecutive hours, the last one ends at ``end`` (or has only begun). ``gate``: the least money that
    matters. Too little history gives ``None``.
    """
    known = np.asarray(costs, dtype=np.float64)[-HISTORY_HOURS:]
    first = int(np.argmax(known > 0)) if known.any() else known.size
    known = known[first:]  # hours before the first call are no habit of spending nothing
    if known.size < LEAST_HISTORY_HOURS:
        return None
    cells = _cells(end, zone, known.size)
    expected = _expected(known, cells)
    high = [verdict for hours, least in WINDOWS if (verdict := _high(known, expected, hours, least, gate))]
    if high:
        # The shortest window that holds nearly all of it: a wild hour makes its whole day unusual too.
        most = max(verdict.impact for verdict in high)
        return next(verdict for verdict in high if verdict.impact >= _NEARLY_ALL * most)
    low = None if partial else _low(known, expected, gate)
    return low or _drift(known[:-1] if partial else known, gate)


@lru_cache(maxsize=1024)
def _cells(end: datetime, zone: ZoneInfo, count: int) -> NDArray[np.int8]:
    """Of each hour: 0–23 on weekdays, 24–47 on weekends, as the clock of ``zone`` shows."""
    cells = np.empty(count, np.int8)
    for back in range(count):
        local = (end - timedelta(hours=back + 1)).astimezone(zone)
        cells[count - 1 - back] = local.hour + (24 if local.weekday() >= 5 else 0)
    return cells


def _expected(known: Hours, cells: NDArray[np.int8]) -> Hours:
    """What each hour would cost by habit, learnt without the last day."""
    base = known.size - 24
    age_days = np.arange(base - 1, -1, -1) / 24
    weights = 0.5 ** (age_days / _HALF_LIFE_DAYS)
    sums = np.bincount(cells[:base], weights * known[:base], minlength=48)
    total = np.bincount(cells[:base], weights, minlength=48)
    # A kind of day that was not seen yet is taken to be like the other one.
    other = np.roll(np.arange(48), 24)
    seen = total > 0
    profile = np.divide(sums, total, out=np.zeros(48), where=seen)
    return np.where(seen, profile, profile[other])[cells]


def _high(known: Hours, expected: Hours, hours: int, least: float, gate: float) -> Verdict | None:
    actual, usual = float(known[-hours:].sum()), float(expected[-hours:].sum())
    impact = actual - usual
    if impact < gate:
        return None
    score = impact / _deviation(known, expected, hours, usual)
    return Verdict(kind="high", hours=hours, actual=actual, expected=usual, score=score) if score >= least else None


def _low(known: Hours, expected: Hours, gate: float) -> Verdict | None:
    actual, usual = float(known[-LOW_HOURS:].sum()), float(expected[-LOW_HOURS:].sum())
    if usual - actual < gate or actual > LOW_SHARE * usual:
        return None
    score = (usual - actual) / _deviation(known, expected, LOW_HOURS, usual)
    return Verdict(kind="low", hours=LOW_HOURS, actual=actual, expected=usual, score=score) if score >= 3 else None


def _deviation(known: Hours, expected: Hours, hours: int, usual: float) -> float:
    """How much as many hours together usually miss what is expected, as seen in the two weeks before the last day."""
    residuals = (known - expected)[:-24][-_SCALE_DAYS * 24 :]
    sums = np.convolve(residuals, np.ones(hours), "valid")
    return max(float(sums.std()), _LEAST_DEVIATION * usual, 1e-12)


def _drift(known: Hours, gate: float) -> Verdict | None:
    """A week that is much above the three before it, on most of its days."""
    week = 7 * 24
    if known.size < 4 * week:
        return None
    days = known[-28 * 24 :].reshape(28, 24).sum(axis=1)
    before, now = days[:21].reshape(3, 7), days[21:]
    usual = float(before.sum() / 3)
    actual = float(now.sum())
    month = float(days.sum())
    higher = int((now > DRIFT_RATIO * before.mean(axis=0)).sum())
    if usual <= 0 or actual < DRIFT_RATIO * usual or actual - usual < max(gate, DRIFT_SHARE * month) or higher < 4:
        return None
    spread = max(float(before.sum(axis=1).std()), _LEAST_DEVIATION * usual)
    return Verdict(kind="drift", hours=week, actual=actual, expected=usual, score=(actual - usual) / spread)


def gate(month: float, floor: float, not_useful: int = 0) -> float:
    """The least money that matters: a share of the month's, at least ``floor``, and twice as much for every time that
    people said they had been told for nothing (up to eight times)."""
    return max(GATE_SHARE * month, floor) * 2.0 ** min(not_useful, 3)
