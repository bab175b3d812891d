"""How a stored call's charge came about: usage, buckets, rates, lines, total, and the source of each rate."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from outlay_collector.pricing.book import Book
from outlay_collector.pricing.currencies.rates import as_json as fx_as_json
from outlay_collector.pricing.stored import stored_usage


def explained(row: dict[str, Any], book: Book) -> dict[str, Any] | None:
    """How the charge comes about under the book in force, ``None`` for what cannot be charged.

    ``cost`` is in the instance's currency, lines are in the price's; ``fx_rate`` says how one becomes the other.
    """
    usage = stored_usage(_Row(row))
    if row["charge_status"] is None or usage is None:
        return None
    explanation = book.explain(
        provider=row["provider"],
        model=row["model"],
        usage=usage,
        at=row["start_time"],
        tier=row["service_tier"],
        region=row["region"],
        project_id=row["project_id"],
    )
    return {
        "provider": explanation.provider,
        "model": explanation.model,
        "reason": explanation.reason,
        "price_version": explanation.version,
        "cost": _plain(explanation.booked.cost),
        "currency": book.currency,
        "charge_cost": _plain(explanation.charge.cost),
        "charge_currency": explanation.charge.currency,
        "fx_rate": None if explanation.fx_rate is None else fx_as_json(explanation.fx_rate),
        "status": explanation.booked.status,
        "lines": [{name: _plain(value) for name, value in asdict(line).items()} for line in explanation.lines],
    }


class _Row:
    """A dict read by attribute, as ``stored_usage`` reads rows."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


def _plain(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value
