"""Which calls are repriced, and what came of it, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_collector.ledger.buckets import Window
from outlay_collector.pricing.currencies.rates import RateDiff
from outlay_collector.pricing.price import difference, plus
from outlay_collector.pricing.quote import money


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Calls that started in ``window`` (half open). ``model`` may hold ``*``; ``None`` stands for all.

    ``currency``: only those whose price is in it, and it is not the instance's; so what a rate of it may change.
    """

    window: Window
    project_id: int | None = None
    provider: str | None = None
    model: str | None = None
    currency: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """What one rule does to the calls it holds for. Costs are of calls that count; ``None``: none of them has one.

    ``price_ids`` are the prices that hold now. ``unpriced_*`` are calls that count without any price.
    """

    project_id: int
    provider: str | None
    model: str | None
    service_tier: str | None
    window: Window
    status: str
    price_ids: tuple[int, ...]
    calls: int = 0
    changed_calls: int = 0
    unpriced_before: int = 0
    unpriced_after: int = 0
    cost_before: Decimal | None = None
    cost_after: Decimal | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        return (
            self.project_id, self.provider, self.model, self.service_tier, self.window, self.status, self.price_ids,
        )  # fmt: skip


@dataclass(slots=True)
class Totals:
    """Sums of all rules together; what a job remembers of its run."""

    calls: int = 0
    changed_calls: int = 0
    unpriced_before: int = 0
    unpriced_after: int = 0
    cost_before: Decimal | None = None
    cost_after: Decimal | None = None

    def add(self, sums: Iterable[Sum]) -> None:
        for one in sums:
            self.calls += one.calls
            self.changed_calls += one.changed_calls
            self.unpriced_before += one.unpriced_before
            self.unpriced_after += one.unpriced_after
            self.cost_before = plus(self.cost_before, one.cost_before)
            self.cost_after = plus(self.cost_after, one.cost_after)

    def as_json(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "changed_calls": self.changed_calls,
            "unpriced_before": self.unpriced_before,
            "unpriced_after": self.unpriced_after,
            "cost_before": money(self.cost_before),
            "cost_after": money(self.cost_after),
            "difference": money(_difference(self.cost_before, self.cost_after)),
        }


def rate_scopes(diff: RateDiff, *, now: datetime, retention: timedelta) -> list[Scope]:
    """The calls that an import of exchange rates concerns: of each of its currencies, from its first day on."""
    since = diff.since
    start = now - retention if since is None else max(since, now - retention)
    return [Scope(window=Window(start, now), currency=currency) for currency in diff.currencies] if start < now else []


def override_scopes(
    overrides: Iterable[Mapping[str, Any]], *, now: datetime, retention: timedelta, project_id: int | None
) -> list[Scope]:
    """The calls that overrides were written for: their model and provider, within their time."""
    found: dict[Scope, None] = {}
    for override in overrides:
        since, until = (_instant(override.get(name)) for name in ("valid_from", "valid_to"))
        window = Window(max(since or now - retention, now - retention), min(until or now, now))
        provider, model = (str(override.get(name) or "*") for name in ("provider", "model"))
        if window.start < window.end:
            scope = Scope(
                window=window,
                project_id=project_id,
                provider=None if "*" in provider else provider,
                model=None if model == "*" else model,
            )
            found[scope] = None
    return list(found)


def _instant(raw: Any) -> datetime | None:
    if raw is None:
        return None
    at = datetime.fromisoformat(str(raw).replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def by_model(sums: Iterable[Sum]) -> list[Sum]:
    """One for each project, provider and model, over all rules and the whole window."""
    found: dict[tuple[Any, ...], Sum] = {}
    for one in sums:
        key = (one.project_id, one.provider, one.model)
        found[key] = joined(found[key], one) if key in found else one
    return sorted(found.values(), key=lambda one: (one.project_id, one.provider or "", one.model or ""))


def joined(one: Sum, other: Sum) -> Sum:
    """Both together, under the name of the first."""
    return replace(
        one,
        window=Window(min(one.window.start, other.window.start), max(one.window.end, other.window.end)),
        calls=one.calls + other.calls,
        changed_calls=one.changed_calls + other.changed_calls,
        unpriced_before=one.unpriced_before + other.unpriced_before,
        unpriced_after=one.unpriced_after + other.unpriced_after,
        cost_before=plus(one.cost_before, other.cost_before),
        cost_after=plus(one.cost_after, other.cost_after),
    )


def _difference(before: Decimal | None, after: Decimal | None) -> Decimal | None:
    return None if before is None and after is None else difference(before, after)


def as_json(one: Sum, projects: Mapping[int, str]) -> dict[str, Any]:
    return {
        "project": projects.get(one.project_id),
        "provider": one.provider,
        "model": one.model,
        "service_tier": one.service_tier,
        "from": one.window.start,
        "to": one.window.end,
        "status": one.status,
        "price_ids": list(one.price_ids),
        "calls": one.calls,
        "changed_calls": one.changed_calls,
        "unpriced_before": one.unpriced_before,
        "unpriced_after": one.unpriced_after,
        "cost_before": money(one.cost_before),
        "cost_after": money(one.cost_after),
        "difference": money(_difference(one.cost_before, one.cost_after)),
    }
