"""Costs by unit. Pure. An unknown denominator, or none, is no zero and no infinity: the quotient is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal
from typing import Any

from outlay_collector.db.names import OTHER

Key = tuple[datetime | None, tuple[str | None, ...]]
"""A period and the group's values."""

_EXACT = Context(prec=200)
_QUOTIENT = Context(prec=15)


@dataclass(slots=True)
class Share:
    """Entities of one kind, and the spend that names one. ``number`` ``None``: not known how many."""

    number: int | None = 0
    cost: Decimal | None = None

    def add(self, value: str | None, cost: Decimal | None) -> None:
        if value is None:
            return
        # What is summed under one name for want of a row of its own holds nobody knows how many.
        self.number = None if value == OTHER or self.number is None else self.number + 1
        self.cost = _plus(self.cost, cost)


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """Outcomes of a period and group: how many, how many of them good, and what the work they judge cost."""

    outcomes: int
    successes: int
    cost: Decimal | None


@dataclass(slots=True)
class Unit:
    """One period and group. ``judged`` ``None``: there is nothing to judge by."""

    cost: Decimal | None = None
    requests: int = 0
    unpriced_calls: int = 0
    users: Share = field(default_factory=Share)
    customers: Share = field(default_factory=Share)
    judged: Judged | None = None
    revenue: Decimal | None = None

    def join(self, other: Unit) -> None:
        """The same entity may be in both, so how many there are together is not known."""
        self.cost, self.revenue = _plus(self.cost, other.cost), _plus(self.revenue, other.revenue)
        self.requests += other.requests
        self.unpriced_calls += other.unpriced_calls
        self.users = Share(None, _plus(self.users.cost, other.users.cost))
        self.customers = Share(None, _plus(self.customers.cost, other.customers.cost))
        if self.judged is not None and other.judged is not None:
            self.judged = Judged(
                outcomes=self.judged.outcomes + other.judged.outcomes,
                successes=self.judged.successes + other.judged.successes,
                cost=_plus(self.judged.cost, other.judged.cost),
            )
        else:
            self.judged = self.judged or other.judged

    @property
    def margin(self) -> Decimal | None:
        return None if self.revenue is None or self.cost is None else _EXACT.subtract(self.revenue, self.cost)


def units(
    spend: Iterable[Mapping[str, Any]],
    by_user: Iterable[Mapping[str, Any]],
    by_customer: Iterable[Mapping[str, Any]],
    judged: Mapping[Key, Judged] | None,
    revenue: Mapping[Key, Decimal],
    dimensions: Sequence[str],
) -> dict[Key, Unit]:
    """``by_user`` and ``by_customer`` are the same spend, grouped by one dimension more."""
    found: dict[Key, Unit] = {}

    def unit(row: Mapping[str, Any]) -> Unit:
        key = (row["period_start"], tuple(row[name] for name in dimensions))
        return found.setdefault(key, Unit())

    for row in spend:
        one = unit(row)
        one.cost, one.requests, one.unpriced_calls = row["cost"], row["calls"], row["unpriced_calls"]
    for row in by_user:
        unit(row).users.add(row["user"], row["cost"])
    for row in by_customer:
        unit(row).customers.add(row["customer"], row["cost"])
    if judged is not None:
        for key in {*found, *judged}:
            found.setdefault(key, Unit()).judged = judged.get(key, Judged(outcomes=0, successes=0, cost=None))
    for key, amount in revenue.items():
        found.setdefault(key, Unit()).revenue = amount
    return found


def largest(found: Mapping[Key, Unit], most: int) -> dict[Key, Unit]:
    """The ``most`` groups that cost most over all periods; the others of a period together, under ``__other__``."""
    totals: dict[tuple[str | None, ...], Decimal] = {}
    for (_, group), unit in found.items():
        totals[group] = _EXACT.add(totals.get(group, Decimal(0)), unit.cost or Decimal(0))
    named = sorted((group for group in totals if OTHER not in group), key=lambda group: (-totals[group], str(group)))
    kept = set(named[:most])
    shown: dict[Key, Unit] = {}
    for (period, group), unit in found.items():
        if group in kept:
            shown[period, group] = unit
        else:
            shown.setdefault((period, (OTHER,) * len(group)), Unit()).join(unit)
    return shown


def as_json(found: Mapping[Key, Unit], dimensions: Sequence[str]) -> list[dict[str, Any]]:
    """By period, and of one period the largest first."""
    ordered = sorted(found.items(), key=lambda one: (str(one[0][0]), -(one[1].cost or Decimal(0)), str(one[0][1])))
    return [
        {"period_start": period, **dict(zip(dimensions, values, strict=True)), **_unit_as_json(unit)}
        for (period, values), unit in ordered
    ]


def _unit_as_json(unit: Unit) -> dict[str, Any]:
    judged = unit.judged
    return {
        "cost": money(unit.cost),
        "requests": unit.requests,
        "unpriced_calls": unit.unpriced_calls,
        "cost_per_request": money(per(unit.cost, unit.requests)),
        "users": unit.users.number or None,
        "cost_of_users": money(unit.users.cost),
        "cost_per_user": money(per(unit.users.cost, unit.users.number)),
        "customers": unit.customers.number or None,
        "cost_of_customers": money(unit.customers.cost),
        "cost_per_customer": money(per(unit.customers.cost, unit.customers.number)),
        "outcomes": judged.outcomes if judged else None,
        "successes": judged.successes if judged else None,
        "cost_of_outcomes": money(judged.cost) if judged else None,
        "cost_per_success": money(per(judged.cost, judged.successes)) if judged else None,
        "revenue": money(unit.revenue),
        "margin": money(unit.margin),
    }


def per(cost: Decimal | None, number: int | None) -> Decimal | None:
    """Fifteen digits of the quotient; ``None`` where either is unknown, and of nothing."""
    return None if cost is None or not number else _QUOTIENT.divide(cost, Decimal(number))


def money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _plus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return other if one is None else one
    return _EXACT.add(one, other)
