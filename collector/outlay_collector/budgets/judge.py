"""Which thresholds are to be told now, told to be wrong, or armed again: from levels, never from steps. Pure.

Judging the same figures twice gives nothing new, in whatever order data came and however often. One telling is known by
budget, instance, period, threshold and *epoch*. A threshold that was told is told again only when it was armed again, in a
new epoch: after its figure has been clearly below for a day, or because people changed the budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from outlay_collector.budgets.budget import Budget, Confidence, Threshold
from outlay_collector.ledger.buckets import DAY, Window

CLEARLY_BELOW = Decimal("0.95")
"""Of a threshold: below this it may be armed again."""

BELOW_FOR = DAY
"""… when it has been for so long."""

CORRECTED_BY = Decimal("0.01")
"""Of a threshold: falling below it by more is worth a correction; less is noise."""

EARLIEST_SHARE = 0.15
EARLIEST_TIME = timedelta(days=3)
"""Forecast thresholds are not told before this much of a period has passed: the share, and the time or half the period."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """The latest telling of a threshold for one instance and period. ``version``: of the budget, then."""

    epoch: int
    version: int
    corrected: bool = False
    armed_again: bool = False
    below_since: datetime | None = None
    event_id: object = None
    highest: bool = True  # of its message; the others are listed in it


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """How a period is likely to end."""

    p10: Decimal
    p50: Decimal
    p90: Decimal
    low_confidence: bool

    def at(self, which: Confidence) -> Decimal:
        return {"p10": self.p10, "p50": self.p50, "p90": self.p90}[which]


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """A threshold to be told. ``level``: the money at which it is reached."""

    threshold: Threshold
    level: Decimal
    epoch: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """``fire``: highest first. ``correct``: thresholds told that are not reached any more. ``arm``: may be told again.
    ``below`` and ``above``: since when the figure is clearly below is to be remembered, or forgotten. ``carry``: told under
    an earlier version of the budget, and reached under this one too."""

    fire: list[Crossing] = field(default_factory=list[Crossing])
    correct: list[Threshold] = field(default_factory=list[Threshold])
    arm: list[Threshold] = field(default_factory=list[Threshold])
    below: list[Threshold] = field(default_factory=list[Threshold])
    above: list[Threshold] = field(default_factory=list[Threshold])
    carry: list[Threshold] = field(default_factory=list[Threshold])


def judge(
    budget: Budget,
    version: int,
    *,
    amount: Decimal,
    actual: Decimal,
    period: Window,
    told: Mapping[str, Told],
    now: datetime,
    outlook: Outlook | None = None,
) -> Verdict:
    """What follows from an instance's figures of one period; ``told`` is by threshold key."""
    verdict = Verdict()
    for threshold in by_level(budget.thresholds, amount):
        level = threshold.level(amount)
        known = told.get(threshold.key)
        is_forecast = threshold.kind == "forecast"
        if _is_expected(threshold, level, actual, outlook, period, now) if is_forecast else actual >= level:
            _reached(verdict, budget, version, threshold, level, known)
        elif known is None or known.armed_again:
            continue
        elif is_forecast:
            if known.version < version:
                verdict.arm.append(threshold)
        else:
            _not_reached(verdict, budget, version, threshold, level, actual, known, now)
    return verdict


def by_level(thresholds: Sequence[Threshold], amount: Decimal) -> list[Threshold]:
    """The gravest first: what was spent before what is expected, and more money before less."""
    return sorted(thresholds, key=lambda one: (one.kind == "actual", one.level(amount)), reverse=True)


def _is_expected(
    threshold: Threshold, level: Decimal, actual: Decimal, outlook: Outlook | None, period: Window, now: datetime
) -> bool:
    """Likely to be reached, and not yet. Early in a period nobody knows."""
    length = period.end - period.start
    earliest = max(length * EARLIEST_SHARE, min(EARLIEST_TIME, length / 2))
    if outlook is None or outlook.low_confidence or not period.start + earliest <= now < period.end:
        return False
    return actual < level <= outlook.at(threshold.on)


def _reached(
    verdict: Verdict, budget: Budget, version: int, threshold: Threshold, level: Decimal, known: Told | None
) -> None:
    if known is None:
        verdict.fire.append(Crossing(threshold=threshold, level=level, epoch=0))
    elif known.armed_again or (budget.re_alert and known.version < version):
        verdict.fire.append(Crossing(threshold=threshold, level=level, epoch=known.epoch + 1))
    else:
        if known.below_since is not None:
            verdict.above.append(threshold)
        if known.version < version:
            verdict.carry.append(threshold)


def _not_reached(
    verdict: Verdict,
    budget: Budget,
    version: int,
    threshold: Threshold,
    level: Decimal,
    actual: Decimal,
    known: Told,
    now: datetime,
) -> None:
    was_edited = known.version < version
    falls = not budget.calendar.is_rolling and level - actual > level * CORRECTED_BY
    is_armed = was_edited or (known.below_since is not None and now - known.below_since >= BELOW_FOR)
    # A rolling window moves on by itself: that what was too much is past now corrects nothing, but ends the alert.
    if not known.corrected and (falls or is_armed):
        verdict.correct.append(threshold)
    if is_armed:
        verdict.arm.append(threshold)
    elif actual >= level * CLEARLY_BELOW:
        if known.below_since is not None:
            verdict.above.append(threshold)
    elif known.below_since is None:
        verdict.below.append(threshold)
