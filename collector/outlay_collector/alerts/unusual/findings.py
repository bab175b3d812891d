"""Unusual spend as events: what is said of it, and how it is known again. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from outlay_collector.alerts.events import Event, Severity, event_id
from outlay_collector.alerts.unusual.cause import Place, sentence
from outlay_collector.alerts.unusual.detect import Verdict
from outlay_collector.alerts.unusual.runaway import MINUTES, Spender
from outlay_collector.ledger.bridge import Effect

UNUSUAL, RUNAWAY = "spend.unusual", "spend.runaway"

_CENTS = Decimal("0.01")


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What a verdict is about: one value of a dimension, or with no dimension all of the project."""

    dimension: str | None = None
    value: str | None = None

    @property
    def key(self) -> str:
        return "unusual:total" if self.dimension is None else f"unusual:{self.dimension}:{_short(self.value or '')}"

    @property
    def words(self) -> str:
        return "Spend" if self.dimension is None else f"{self.dimension.capitalize()} {self.value or '(none)'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A verdict with its cause. ``actual`` is exact, from the ledger."""

    project_id: int
    project: str
    currency: str
    scope: Scope
    verdict: Verdict
    actual: Decimal
    end: datetime
    place: Place | None = None
    effect: Effect | None = None
    effects: Mapping[Effect, Decimal] | None = None

    @property
    def impact(self) -> Decimal:
        return self.actual - _money(self.verdict.expected)

    def event(self) -> Event:
        verdict, usual = self.verdict, _money(self.verdict.expected)
        more = verdict.kind != "low"
        window = "hour" if verdict.hours == 1 else "week" if verdict.kind == "drift" else f"{verdict.hours} hours"
        severity: Severity = "critical" if more and verdict.actual > 5 * verdict.expected > 0 else "warning"
        return Event(
            id=event_id(f"{UNUSUAL}:{self.project_id}:{self.scope.key}:{verdict.kind}:{self.end.isoformat()}"),
            type=UNUSUAL,
            occurred_at=self.end,
            project_id=self.project_id,
            severity="info" if verdict.kind == "drift" else severity,
            title=f"{self.scope.words}: {self._change(window)}",
            summary=(
                f"{_shown(self.actual)} {self.currency} in the last {window}, where {_shown(usual)} is usual "
                f"({verdict.score:.1f} deviations). {sentence(self.place, self.effect, more=more)}"
            ),
            link=f"/alerts?project={quote(self.project)}&show=unusual",
            dedup_key=self.scope.key,
            data={
                "kind": verdict.kind,
                "hours": verdict.hours,
                "until": self.end.isoformat(),
                "actual": format(self.actual, "f"),
                "expected": format(usual, "f"),
                "impact": format(self.impact, "f"),
                "currency": self.currency,
                "score": round(verdict.score, 2),
                "dimension": self.scope.dimension,
                "value": self.scope.value,
                "cause": self._cause(),
            },
        )

    def _change(self, window: str) -> str:
        if self.verdict.kind == "low":
            return f"{_shown(-self.impact)} {self.currency} less than usual in {window}"
        if self.verdict.kind == "drift":
            return f"{float(self.actual) / self.verdict.expected - 1:.0%} more than the weeks before"
        return f"{_shown(self.impact)} {self.currency} more than usual in {'an' if window == 'hour' else 'the last'} {window}"

    def _cause(self) -> dict[str, Any] | None:
        if self.place is None and self.effect is None:
            return None
        effects = {str(effect): format(amount, "f") for effect, amount in (self.effects or {}).items()}
        place = self.place
        return {
            "dimension": place.dimension if place else None,
            "value": place.value if place else None,
            "share": round(place.share, 3) if place else None,
            "change": format(place.change, "f") if place else None,
            "effect": str(self.effect) if self.effect else None,
            "effects": effects,
        }


def runaway(project_id: int, project: str, currency: str, spender: Spender, cost: Decimal, now: datetime) -> Event:
    """One event per trace, session or key and hour; a runaway that goes on opens nothing new."""
    named = {"trace": "A trace", "session": "A session", "api_key": "A key"}[spender.scope]
    key = f"runaway:{spender.scope}:{_short(spender.value)}"
    hour = now.replace(minute=0, second=0, microsecond=0)
    link = f"/traces?project={quote(project)}"
    return Event(
        id=event_id(f"{RUNAWAY}:{project_id}:{key}:{hour.isoformat()}"),
        type=RUNAWAY,
        occurred_at=now,
        project_id=project_id,
        severity="critical",
        title=f"{named} runs away: {_shown(cost)} {currency} in {MINUTES} minutes",
        summary=f"{named.lower()[2:].capitalize()} {spender.value} made {spender.calls:,} calls in the last {MINUTES} minutes.",
        link=f"{link}&trace={spender.value}" if spender.scope == "trace" else link,
        dedup_key=key,
        data={
            "scope": spender.scope,
            "value": spender.value,
            "cost": format(cost, "f"),
            "currency": currency,
            "calls": spender.calls,
            "minutes": MINUTES,
        },
    )


def _short(value: str) -> str:
    """Values of any length in a key of bounded length."""
    return value if len(value) <= 100 else f"{value[:60]}~{hashlib.sha256(value.encode()).hexdigest()[:24]}"


def _money(amount: float) -> Decimal:
    return Decimal(repr(round(amount, 6)))


def _shown(amount: Decimal) -> str:
    return (
        f"{amount.quantize(_CENTS):,}"
        if abs(amount) >= 1
        else format(amount.quantize(Decimal("0.0001")).normalize(), "f")
    )
