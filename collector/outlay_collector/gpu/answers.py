"""Answers as JSON has them: money as text, unknown as null. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from outlay_collector.gpu.breakeven import ApiPrice, Fleet, Mix, break_even, crosses_on, curve, monthly_growth
from outlay_collector.gpu.rates import GpuRate


def plain(value: Any) -> Any:
    """``value`` with every Decimal in it as text, without an exponent."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def break_even_answer(
    mix: Mix, price: ApiPrice, fleet: Fleet, *, by_day: Sequence[int], today: date, currency: str
) -> dict[str, Any]:
    """The comparison with its inputs and formula."""
    found = break_even(mix, price, fleet)
    growth = monthly_growth(by_day)
    crosses = crosses_on(today, found, mix, growth)
    return {
        "currency": currency,
        "formula": "tokens = hourly cost × 730 × (1 + overhead) ÷ blended API price; "
        "utilisation = tokens ÷ (sustained tokens/s × 730 × 3,600)",
        "mix": {"prompt": mix.prompt, "cached": mix.cached, "output": mix.output, "tokens": mix.tokens},
        "api": {
            "prompt": _text(price.prompt),
            "cached": _text(price.cached),
            "output": _text(price.output),
            "blended": _text(found.blended),
            "per_month": _text(found.api_per_month),
        },
        "own": {
            "per_hour": _text(fleet.per_hour),
            "per_month": _text(found.fleet_per_month),
            "gpus": _text(fleet.gpus),
            "overhead": _text(fleet.overhead),
            "sustained_tokens_per_second": _text(fleet.tokens_per_second),
            "utilization": _text(found.current_utilization),
        },
        "break_even": {
            "tokens_per_month": _text(found.tokens),
            "tokens_per_second": _text(found.tokens_per_second),
            "utilization": _text(found.utilization),
            "gpu_hour": _text(found.gpu_hour),
            "crosses_on": None if crosses is None else crosses.isoformat(),
        },
        "growth_per_month": growth,
        "curve": [
            {"utilization": _text(point.utilization), "own": _text(point.own), "api": _text(point.api)}
            for point in curve(mix, price, fleet)
        ],
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.quantize(Decimal('0.000001')).normalize():f}"


def rate_row(rate: GpuRate, names: dict[int, str]) -> dict[str, Any]:
    """A rate as lists have it."""
    return {
        "pool": None if rate.pool_id is None else names.get(rate.pool_id),
        "gpu": rate.gpu,
        "kind": rate.kind,
        "amount": rate.amount,
        "currency": rate.currency,
        "valid_from": rate.valid_from,
        "valid_to": rate.valid_to,
        "source": rate.source,
    }
