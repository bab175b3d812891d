"""A report as values: what was spent, how surely, what changed, on what. Pure; rows are those of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from outlay_collector.ledger.reads.completeness import Completeness
from outlay_collector.ledger.reads.completeness import as_json as completeness_as_json
from outlay_collector.pricing.coverage import Gap, money
from outlay_collector.reports.period import Period

GROUPED_BY = ("team", "feature", "provider", "model")
"""What rows must be grouped by for a report to be made of them."""

BREAKDOWNS = ("team", "feature", "model")
MOST_PARTS = 6

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """``cost`` is of what has a price; ``None`` when nothing has."""

    cost: Decimal | None = None
    calls: int = 0
    tokens: int = 0
    unpriced_calls: int = 0
    errors: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What one team, feature or model spent, now and before. ``name`` is ``None`` for calls that have none."""

    name: str | None
    now: Sums
    before: Sums


@dataclass(frozen=True, kw_only=True, slots=True)
class Breakdown:
    """The largest parts by one dimension; ``others`` is how many more there are, ``rest`` what they spent together."""

    dimension: str
    parts: tuple[Part, ...]
    others: int
    rest: Sums


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """Where the running month will end: 10th, 50th and 90th percentile. ``low_confidence``: there is little to go by."""

    low: Decimal
    middle: Decimal
    high: Decimal
    low_confidence: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """``scope`` says in the reader's words what it covers; empty for everything. ``change`` sums to now − before."""

    period: Period
    scope: tuple[str, ...]
    currency: str
    now: Sums
    before: Sums
    days: tuple[tuple[date, Decimal | None], ...]
    breakdowns: tuple[Breakdown, ...]
    change: Mapping[str, Decimal]
    gaps: tuple[Gap, ...]
    completeness: Completeness
    outlook: Outlook | None = None


def total(rows: Iterable[Mapping[str, Any]]) -> Sums:
    """All rows together."""
    kept = list(rows)
    costs = [row["cost"] for row in kept if row["cost"] is not None]
    return Sums(
        cost=sum(costs, Decimal(0)) if costs else None,
        calls=sum(row["calls"] for row in kept),
        tokens=sum(row["input_tokens"] + row["output_tokens"] for row in kept),
        unpriced_calls=sum(row["unpriced_calls"] for row in kept),
        errors=sum(row["errors"] for row in kept),
    )


def by_day(rows: Rows, period: Period) -> tuple[tuple[date, Decimal | None], ...]:
    """The cost of each day that has begun. A day without calls cost nothing; one whose calls have no price, nobody knows."""
    found = {row["period_start"].astimezone(period.zone).date(): row for row in rows}
    return tuple((day, found[day]["cost"] if day in found else Decimal(0)) for day in period.days)


def breakdown(now: Rows, before: Rows, dimension: str) -> Breakdown | None:
    """The parts by money, then calls; ``None`` where the dimension says nothing, for no call has it."""
    sides = _grouped(now, dimension), _grouped(before, dimension)
    parts = [
        Part(name=name, now=total(sides[0].get(name, ())), before=total(sides[1].get(name, ())))
        for name in dict.fromkeys([*sides[0], *sides[1]])
    ]
    if all(part.name is None for part in parts):
        return None
    parts.sort(key=lambda part: (-(part.now.cost or 0), -part.now.calls, part.name or ""))
    most = MOST_PARTS if len(parts) > MOST_PARTS + 1 else len(parts)  # one more is shown rather than called "1 other"
    rest = [row for part in parts[most:] for row in sides[0].get(part.name, ())]
    return Breakdown(dimension=dimension, parts=tuple(parts[:most]), others=len(parts) - most, rest=total(rest))


def by_provider_and_model(rows: Rows) -> list[dict[str, Any]]:
    """Sums per provider and model, as ``pricing.coverage`` reads them."""
    sums: dict[tuple[Any, Any], dict[str, Any]] = {}
    for row in rows:
        into = sums.setdefault(
            (row["provider"], row["model"]),
            {"provider": row["provider"], "model": row["model"]} | dict.fromkeys(_KEPT, 0),
        )
        for name in _KEPT:
            into[name] += row[name]
    return list(sums.values())


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON: money as decimal strings, ``null`` where it is unknown; ``change`` sums to now − before."""
    return {
        "from": report.period.window.start,
        "to": report.period.window.end,
        "previous_from": report.period.previous.start,
        "previous_to": report.period.previous.end,
        "scope": list(report.scope),
        "currency": report.currency,
        "now": _sums(report.now),
        "before": _sums(report.before),
        "days": [{"day": day, "cost": money(cost)} for day, cost in report.days],
        "breakdowns": {
            part.dimension: [
                {"name": one.name, "now": _sums(one.now), "before": _sums(one.before)} for one in part.parts
            ]
            for part in report.breakdowns
        },
        "change": {effect: money(amount) for effect, amount in report.change.items()},
        "unpriced": [
            {"provider": gap.provider, "model": gap.model, "calls": gap.unpriced_calls, "tokens": gap.unpriced_tokens}
            for gap in report.gaps
        ],
        "outlook": report.outlook
        and {"p10": money(report.outlook.low), "p50": money(report.outlook.middle), "p90": money(report.outlook.high)}
        | {"low_confidence": report.outlook.low_confidence},
        "completeness": completeness_as_json(report.completeness, report.period.zone),
    }


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "cost": money(sums.cost),
        "calls": sums.calls,
        "tokens": sums.tokens,
        "unpriced_calls": sums.unpriced_calls,
        "errors": sums.errors,
    }


_KEPT = ("calls", "unpriced_calls", "unpriced_tokens", "input_tokens", "cache_read_tokens", "output_tokens")


def _grouped(rows: Rows, dimension: str) -> dict[str | None, list[Mapping[str, Any]]]:
    groups: dict[str | None, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[dimension] or None, []).append(row)
    return groups
