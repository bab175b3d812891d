"""A budget's course as numbers: what was spent up to each day, and what is likely from here on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate
from zoneinfo import ZoneInfo

from outlay_dashboard.answers import Budget

_ONE_DAY = timedelta(days=1)


def days_of(budget: Budget) -> list[date]:
    """All days of the period, in the budget's zone."""
    zone = ZoneInfo(budget.zone)
    first = budget.start.astimezone(zone).date()
    last = (budget.end - timedelta(microseconds=1)).astimezone(zone).date()
    return [first + n * _ONE_DAY for n in range((last - first).days + 1)]


def spent_by_day(budget: Budget, now: datetime) -> list[Decimal]:
    """Sums since the period began, one for each day up to today."""
    known = dict(budget.days)
    today = now.astimezone(ZoneInfo(budget.zone)).date()
    return list(accumulate(known.get(day, Decimal(0)) for day in days_of(budget) if day <= today))


def likely(budget: Budget, spent: Sequence[Decimal]) -> tuple[list[float], list[float], list[float]]:
    """From what is spent now to the end of each day that is left: likely, low and high. Empty without a forecast.

    The band opens with the part of the course that has passed, up to p10 and p90 at the end.
    """
    found = budget.forecast
    if found is None or not found.course or not spent:
        return [], [], []
    now = float(spent[-1])
    sums = list(accumulate(float(cost) for cost in found.course))
    middle = [now, *(now + ahead for ahead in sums[1:])]  # today's rest is part of tomorrow's point
    below, above = float(found.p50 - found.p10), float(found.p90 - found.p50)
    passed = [ahead / sums[-1] if sums[-1] else 0.0 for ahead in (0.0, *sums[1:])]
    return (
        middle,
        [point - below * part for point, part in zip(middle, passed, strict=True)],
        [point + above * part for point, part in zip(middle, passed, strict=True)],
    )


def breaks_on(budget: Budget, now: datetime) -> date | None:
    """The day on which the amount is likely to be spent, of the period that runs; None if it is likely to hold."""
    spent = spent_by_day(budget, now)
    days = days_of(budget)
    for day, total in zip(days, spent, strict=False):
        if total >= budget.amount:
            return day
    middle, _, _ = likely(budget, spent)
    for day, total in zip(days[len(spent) - 1 :], middle, strict=False):
        if total >= float(budget.amount):
            return day
    return None
