"""A budget as it is in force, and how it stands; and how both are said in JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from outlay_collector.budgets.budget import Budget, as_json, plain
from outlay_collector.budgets.judge import by_level
from outlay_collector.budgets.outlook import Forecast
from outlay_collector.budgets.outlook import as_json as forecast_json
from outlay_collector.budgets.periods import label
from outlay_collector.ledger.buckets import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """``hours_from``: its sums are whole from there on, None while there are none. Periods that end after
    ``watched_from`` are told of."""

    id: UUID
    project_id: int
    version: int
    budget: Budget
    created_at: datetime
    changed_at: datetime
    watched_from: datetime
    hours_from: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """One thing that was told: a row of ``budget_alert``."""

    instance: str
    period_start: datetime
    threshold: str
    epoch: int
    version: int
    told_at: datetime
    amount: Decimal
    level: Decimal
    actual: Decimal
    event_id: UUID | None
    highest: bool
    corrected_at: datetime | None
    armed_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What one instance spent of its amount."""

    instance: str
    actual: Decimal
    calls: int
    unpriced_calls: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """A budget in the period that runs. Of a split budget ``amount`` is what each instance has, ``actual`` what all spent
    together; ``overflow`` is what was spent beyond the cap on instances, None when nothing was. ``days`` and ``forecast``
    are of ``furthest_instance``, whoever spent most: ``furthest``."""

    stored: Stored
    period: Window
    amount: Decimal
    actual: Decimal
    calls: int
    unpriced_calls: int
    instances: Sequence[Share]
    instance_count: int
    overflow: Decimal | None
    told: Sequence[Telling]
    furthest_instance: str | None
    furthest: Decimal
    days: Sequence[tuple[date, Decimal]]
    forecast: Forecast | None


def spec_json(stored: Stored) -> dict[str, Any]:
    """The budget as people wrote it, with what the database knows of it."""
    return {
        "id": str(stored.id),
        **as_json(stored.budget),
        "version": stored.version,
        "created_at": stored.created_at,
        "changed_at": stored.changed_at,
        "watched_from": stored.watched_from,
    }


def status_json(status: Status) -> dict[str, Any]:
    stored, budget = status.stored, status.stored.budget
    return {
        "id": str(stored.id),
        "project": budget.project,
        "name": budget.name,
        "per": budget.per,
        "filter": as_json(budget)["filter"],
        "parent": budget.parent,
        "state": "summing" if stored.hours_from is None else "ready",
        "period": budget.calendar.kind,
        "period_label": label(budget.calendar, status.period),
        "period_start": status.period.start,
        "period_end": status.period.end,
        "time_zone": budget.calendar.zone.key,
        "currency": budget.currency,
        "amount": plain(status.amount),
        "actual": plain(status.actual),
        "share": share(status.furthest, status.amount),
        "calls": status.calls,
        "unpriced_calls": status.unpriced_calls,
        "thresholds": [
            {"key": one.key, "kind": one.kind, "level": plain(one.level(status.amount))}
            for one in by_level(budget.thresholds, status.amount)
        ],
        "told": [telling_json(one) for one in status.told],
        "instance_count": status.instance_count if budget.per else None,
        "overflow": None if status.overflow is None else plain(status.overflow),
        "instances": [_share_json(one, status) for one in status.instances],
        "furthest": status.furthest_instance or None,
        "forecast": None if status.forecast is None else forecast_json(status.forecast),
        "days": [{"day": day, "cost": plain(cost)} for day, cost in status.days],
    }


def _share_json(one: Share, status: Status) -> dict[str, Any]:
    return {
        "instance": one.instance or None,
        "actual": plain(one.actual),
        "amount": plain(status.amount),
        "share": share(one.actual, status.amount),
        "calls": one.calls,
        "unpriced_calls": one.unpriced_calls,
        "told": [told.threshold for told in status.told if told.instance == one.instance and told.corrected_at is None],
    }


def telling_json(told: Telling) -> dict[str, Any]:
    return {
        "instance": told.instance or None,
        "period_start": told.period_start,
        "threshold": told.threshold,
        "epoch": told.epoch,
        "version": told.version,
        "told_at": told.told_at,
        "amount": plain(told.amount),
        "level": plain(told.level),
        "actual": plain(told.actual),
        "event_id": None if told.event_id is None else str(told.event_id),
        "corrected_at": told.corrected_at,
        "armed_at": told.armed_at,
    }


def share(actual: Decimal, amount: Decimal) -> float:
    """Percent, to one place: for showing."""
    return round(float(actual / amount * 100), 1)
