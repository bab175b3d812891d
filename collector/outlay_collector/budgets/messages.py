"""What people are told of budgets: one event for what was reached together, one for what turned out not to be. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from outlay_collector.alerts.events import Event, Severity, event_id
from outlay_collector.budgets.budget import Budget, Threshold, plain
from outlay_collector.budgets.judge import Crossing, Outlook
from outlay_collector.budgets.periods import key_of, label
from outlay_collector.budgets.scope import ABSENT
from outlay_collector.ledger.buckets import Window

MOST_MESSAGES = 10
"""Instances of one budget that are told one by one when they reach a threshold at once; more share a message."""

_LISTED = 20

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "KRW": "₩", "JPY": "¥"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """One instance of a budget in one period."""

    budget_id: UUID
    project_id: int
    budget: Budget
    instance: str
    period: Window
    amount: Decimal
    actual: Decimal
    unpriced_calls: int = 0
    outlook: Outlook | None = None

    def key(self, threshold: Threshold, epoch: int) -> str:
        """The name of one telling: what makes an event the same however often it is made."""
        start = key_of(self.budget.calendar, self.period)
        return f"{self.budget_id}:{self.instance}:{start.isoformat()}:{threshold.key}:{epoch}"


def crossed(figures: Figures, crossings: Sequence[Crossing], *, now: datetime) -> Event:
    """One message for the gravest of ``crossings``, which are in that order, listing the rest."""
    first, budget = crossings[0], figures.budget
    late = now >= figures.period.end
    title = _title(figures, first)
    told = event_id("budget.crossed:" + figures.key(first.threshold, first.epoch))
    summary = [_sentence(figures)]
    if first.threshold.kind == "forecast":
        assert figures.outlook is not None
        summary.append(
            f"It is likely to end at {money(figures.outlook.p50, budget.currency)} "
            f"({money(figures.outlook.p10, budget.currency)} to {money(figures.outlook.p90, budget.currency)})."
        )
    if len(crossings) > 1:
        rest = ", ".join(_said(one.threshold, budget.currency) for one in crossings[1:])
        summary.append(f"Reached with it: {rest}.")
    if figures.unpriced_calls:
        summary.append(f"{figures.unpriced_calls} calls of it have no known price, so it is at least that much.")
    if late:
        summary.append("The period is over; calls that came late, or new prices, changed its figure.")
    return Event(
        id=told,
        type="budget.crossed",
        occurred_at=now,
        project_id=figures.project_id,
        severity=_severity(first.threshold),
        title=title,
        summary=" ".join(summary),
        link=link(budget, figures.instance),
        dedup_key=dedup_key(figures, told),
        data=_data(figures) | {"late": late, "thresholds": [_crossing_json(one) for one in crossings]},
    )


def corrected(figures: Figures, threshold: Threshold, epoch: int, *, now: datetime, told: UUID, edited: bool) -> Event:
    """What was told by the event ``told`` does not hold any more."""
    budget = figures.budget
    level = money(threshold.level(figures.amount), budget.currency)
    why = (
        "The budget was changed." if edited else "Calls of it were priced anew, counted again or have left its window."
    )
    return Event(
        id=event_id("budget.corrected:" + figures.key(threshold, epoch)),
        type="budget.corrected",
        occurred_at=now,
        project_id=figures.project_id,
        severity="info",
        title=f"{_subject(figures)} is below {_said(threshold, budget.currency)} again",
        summary=f"{_sentence(figures)} That is less than the {level} that were reported as reached. {why}",
        link=link(budget, figures.instance),
        dedup_key=dedup_key(figures, told),
        resolves=True,
        data=_data(figures) | {"corrects": str(told), "thresholds": [{"key": threshold.key, "epoch": epoch}]},
    )


def many_crossed(all_of: Sequence[tuple[Figures, Sequence[Crossing]]], *, now: datetime) -> Event:
    """One message for many instances of one budget, those with the largest share of their amount first."""
    ordered = sorted(all_of, key=lambda one: one[0].actual / one[0].amount, reverse=True)
    figures, crossings = ordered[0]
    budget = figures.budget
    gravest = max((one[1][0] for one in ordered), key=lambda one: _grave(one.threshold))
    keys = sorted(one.key(found[0].threshold, found[0].epoch) for one, found in all_of)
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32]
    named = ", ".join(f"{_instance(one)} ({share(one.actual, one.amount)})" for one, _ in ordered[:5])
    told = event_id(f"budget.crossed:{figures.budget_id}:many:{digest}")
    return Event(
        id=told,
        type="budget.crossed",
        occurred_at=now,
        project_id=figures.project_id,
        severity=_severity(gravest.threshold),
        title=f"{len(ordered)} {budget.per or 'instance'}s of budget {budget.name} reached a threshold",
        summary=f"Furthest: {named}. Each has {money(figures.amount, budget.currency)} for {_period(figures)}.",
        link=link(budget),
        dedup_key=dedup_key(figures, told),
        data={
            **_data(figures),
            "instance": None,
            "instances": len(ordered),
            "thresholds": [_crossing_json(one) for one in crossings],
            "listed": [
                {"instance": one.instance, "actual": plain(one.actual), "amount": plain(one.amount),
                 "threshold": found[0].threshold.key}
                for one, found in ordered[:_LISTED]
            ],
        },
    )  # fmt: skip


def many_corrected(figures: Figures, instances: int, *, now: datetime, told: UUID) -> Event:
    """Of many instances that were told in one message, none is over its threshold any more."""
    budget = figures.budget
    return Event(
        id=event_id(f"budget.corrected:{told}"),
        type="budget.corrected",
        occurred_at=now,
        project_id=figures.project_id,
        severity="info",
        title=f"{instances} {budget.per or 'instance'}s of budget {budget.name} are below their threshold again",
        summary="Calls were priced anew or counted again, or the budget was changed.",
        link=link(budget),
        dedup_key=dedup_key(figures, told),
        resolves=True,
        data={**_data(figures), "instance": None, "instances": instances, "corrects": str(told)},
    )


def dedup_key(figures: Figures, told: UUID) -> str:
    """Names the alert that the event ``told`` opens, and that its correction closes."""
    return f"budget:{figures.budget_id}:{told}"


def link(budget: Budget, instance: str = ABSENT) -> str:
    asked = {"project": budget.project, "budget": budget.name} | ({"instance": instance} if instance else {})
    return f"/budgets?{urlencode(asked)}"


def money(amount: Decimal, currency: str) -> str:
    """For sentences: two decimals from 1 up, three digits below."""
    sign = _SIGNS.get(currency, f"{currency} ")
    if amount == 0 or abs(amount) >= 1:
        return f"{sign}{amount.quantize(Decimal('0.01'), ROUND_HALF_EVEN):,}"
    return f"{sign}{plain(round(amount, 2 - amount.adjusted()))}"


def share(actual: Decimal, amount: Decimal) -> str:
    return f"{actual / amount * 100:.1f} %"


def _title(figures: Figures, crossing: Crossing) -> str:
    at = _said(crossing.threshold, figures.budget.currency)
    if crossing.threshold.kind == "forecast":
        return (
            f"{_subject(figures)} is likely to reach {at.removesuffix(' (forecast)')} by the end of {_period(figures)}"
        )
    if crossing.threshold.percent == 100:
        return f"{_subject(figures)} is spent for {_period(figures)}"
    return f"{_subject(figures)} has reached {at} for {_period(figures)}"


def _subject(figures: Figures) -> str:
    said = f"Budget {figures.budget.name}"
    return f"{said}, {figures.budget.per} {_instance(figures)}" if figures.budget.per else said


def _instance(figures: Figures) -> str:
    return figures.instance[:80] or "(none)"


def _sentence(figures: Figures) -> str:
    currency = figures.budget.currency
    return (
        f"{money(figures.actual, currency)} of {money(figures.amount, currency)} "
        f"({share(figures.actual, figures.amount)}) are spent for {_period(figures)}."
    )


def _period(figures: Figures) -> str:
    said = label(figures.budget.calendar, figures.period)
    return f"the {said}" if figures.budget.calendar.is_rolling else said


def _said(threshold: Threshold, currency: str) -> str:
    at = (
        f"{plain(threshold.percent)} %"
        if threshold.percent is not None
        else money(threshold.amount or Decimal(0), currency)
    )
    return at if threshold.kind == "actual" else f"{at} (forecast)"


def _severity(threshold: Threshold) -> Severity:
    if threshold.kind == "forecast":
        return "warning"
    if threshold.percent is None or threshold.percent >= 100:
        return "critical"
    return "warning" if threshold.percent >= 75 else "info"


def _grave(threshold: Threshold) -> tuple[bool, Decimal]:
    return threshold.kind == "actual", threshold.percent or Decimal(100)


def _data(figures: Figures) -> dict[str, Any]:
    outlook = figures.outlook
    return {
        "budget": figures.budget.name,
        "budget_id": str(figures.budget_id),
        "project": figures.budget.project,
        "per": figures.budget.per,
        "instance": figures.instance or None,
        "period": label(figures.budget.calendar, figures.period),
        "period_start": figures.period.start.isoformat(),
        "period_end": figures.period.end.isoformat(),
        "currency": figures.budget.currency,
        "amount": plain(figures.amount),
        "actual": plain(figures.actual),
        "unpriced_calls": figures.unpriced_calls,
        "forecast": None if outlook is None else outlook_json(outlook),
    }


def outlook_json(outlook: Outlook) -> Mapping[str, Any]:
    return {
        "p10": plain(outlook.p10),
        "p50": plain(outlook.p50),
        "p90": plain(outlook.p90),
        "low_confidence": outlook.low_confidence,
    }


def _crossing_json(crossing: Crossing) -> dict[str, Any]:
    return {
        "key": crossing.threshold.key,
        "kind": crossing.threshold.kind,
        "percent": None if crossing.threshold.percent is None else plain(crossing.threshold.percent),
        "level": plain(crossing.level),
        "epoch": crossing.epoch,
    }
