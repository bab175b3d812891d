"""What a forecast is asked and what it answers, as values; ``budgets.forecast`` works it out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LEARNT_DAYS = 180
"""Of history that a forecast learns from, and that its errors are measured on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Errors:
    """Of forecasts of whole periods made in the past, when ``share`` of a period had passed: means of |error| in percent of
    what it came to. ``coverage``: how often that lay between p10 and p90, in percent."""

    share: float
    origins: int
    forecast: float
    run_rate: float
    coverage: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """Of what a period comes to, in money. ``learnt_days``: of history it was made from."""

    p10: float
    p50: float
    p90: float
    method: str
    low_confidence: bool
    learnt_days: int
    errors: tuple[Errors, ...] = ()
    course: tuple[float, ...] = ()  # per day still to come, today's rest first


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """``past``: costs of whole days up to yesterday, oldest first, the last one on weekday ``last_weekday`` (Monday 0).
    ``spent``: in the period so far; ``passed`` and ``left``: its days before and after now, as fractions; ``days``: how many
    have a part still to come, today first, of which ``today_left`` of its cost is, as far as hours of earlier days tell."""

    past: tuple[float, ...]
    last_weekday: int
    spent: float
    passed: float
    left: float
    days: int
    today_left: float


def as_json(found: Forecast, *, digits: int = 4) -> dict[str, Any]:
    """Money as decimal strings; the errors are percent."""

    def money(value: float) -> str:
        return f"{value:.{digits}f}"

    return {
        "p10": money(found.p10),
        "p50": money(found.p50),
        "p90": money(found.p90),
        "low_confidence": found.low_confidence,
        "method": found.method,
        "learnt_days": found.learnt_days,
        "course": [money(cost) for cost in found.course],
        "backtest": [
            {
                "share": one.share,
                "origins": one.origins,
                "error_percent": one.forecast,
                "run_rate_error_percent": one.run_rate,
                "coverage_percent": one.coverage,
            }
            for one in found.errors
        ],
    }
