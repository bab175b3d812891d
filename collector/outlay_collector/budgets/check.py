"""May another call be made? What the guard in an application is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from outlay_collector.budgets.budget import Budget, plain
from outlay_collector.ledger.buckets import Window

Verdict = Literal["allow", "warn", "block"]

_ORDER: dict[Verdict, int] = {"allow": 0, "warn": 1, "block": 2}

NEARLY = Decimal("0.9")
"""Of the amount: a warning is due from there on, where no threshold says otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """What a budget that a call belongs to has spent in the period that runs."""

    budget: Budget
    period: Window
    amount: Decimal
    actual: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """``level``: of the budget that decides, None when no budget is concerned. ``until``: when a block ends by itself."""

    verdict: Verdict
    level: Level | None = None
    until: datetime | None = None


ALLOWED = Decision(verdict="allow")


def decide(levels: Sequence[Level], *, estimate: Decimal = Decimal(0)) -> Decision:
    """The most restrictive of what each budget says about a call that is thought to cost ``estimate``."""
    found = [_decide(level, estimate) for level in levels]
    return max(found, key=_restrictive, default=ALLOWED)


def _restrictive(one: Decision) -> tuple[int, Decimal]:
    assert one.level is not None
    return _ORDER[one.verdict], one.level.actual / one.level.amount


def _decide(level: Level, estimate: Decimal) -> Decision:
    budget = level.budget
    if budget.enforce != "none":
        is_spent = level.actual >= level.amount or (estimate > 0 and level.actual + estimate > level.amount)
        if is_spent and budget.enforce == "block":
            until = None if budget.calendar.is_rolling else level.period.end
            return Decision(verdict="block", level=level, until=until)
        if is_spent or level.actual >= _warns_from(level):
            return Decision(verdict="warn", level=level)
    return Decision(verdict="allow", level=level)


def _warns_from(level: Level) -> Decimal:
    """The last threshold before the amount itself."""
    actual = (one.level(level.amount) for one in level.budget.thresholds if one.kind == "actual")
    return max((one for one in actual if one < level.amount), default=level.amount * NEARLY)


def as_json(decision: Decision) -> dict[str, Any]:
    level = decision.level
    return {
        "decision": decision.verdict,
        "budget": level.budget.name if level else None,
        "spent": plain(level.actual) if level else None,
        "amount": plain(level.amount) if level else None,
        "currency": level.budget.currency if level else None,
        "until": decision.until,
        "checked": True,
    }
