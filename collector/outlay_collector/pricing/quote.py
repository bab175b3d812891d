"""Quotes: calls written down as JSON, priced with the book, a call's own price overrides included.

The same cases come by ``POST /api/v1/prices/quote`` and ``outlay price quote FILE``; docs/pricing.md has the format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay_collector.errors import BadRequest
from outlay_collector.pricing import names, units
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.currencies.codes import currency
from outlay_collector.pricing.currencies.rates import as_json as fx_as_json
from outlay_collector.pricing.explanation import Explanation, Line
from outlay_collector.pricing.price import INVALID, PARTLY_PRICED, PRICED
from outlay_collector.pricing.rows import CONTRACT, DiscountRow, ModelRow, PriceRow
from outlay_collector.pricing.usage import Usage

MOST_CASES = 10_000
_FIRST = 1_000_000

_COUNTS = frozenset(field.name for field in fields(Usage)) - {"extra"}
_STATUS = {PRICED: "priced", PARTLY_PRICED: "partly_priced", INVALID: "invalid_usage"}
_OVERRIDE_UNITS: dict[str, str] = {
    "cache_write_5m": units.CACHE_WRITE,
    "cache_write_1h": units.CACHE_WRITE_1H,
    "audio_input": units.INPUT_AUDIO,
    "audio_output": units.OUTPUT_AUDIO,
}
"""Spellings of units in overrides that differ from the book's."""


def quote(book: Book, cases: Iterable[Mapping[str, Any]], *, project_id: int | None = None) -> list[dict[str, Any]]:
    """One result per case, in order: ``{"id", "status", "cost_usd", "currency", "cost", "lines", "reason", …}``.

    BadRequest when a case is not of the format; usage that contradicts itself is a result, ``invalid_usage``.
    """
    return [_quoted(book, number, case, project_id) for number, case in enumerate(cases)]


def _quoted(book: Book, number: int, case: Mapping[str, Any], project_id: int | None) -> dict[str, Any]:
    name = case.get("id", number)
    try:
        at = _instant(case["timestamp"])
        usage, wrong = _usage(case.get("usage") or {})
        overrides = case.get("price_overrides") or ()
        with_own = book.with_overrides(*override_rows(overrides, project_id, first=True)) if overrides else book
        model = str(case["model"])
    except (KeyError, TypeError, AttributeError, ValueError, InvalidOperation) as error:
        raise BadRequest(f"Case {name!r}: {type(error).__name__} {error}") from error
    explained = with_own.explain(
        provider=case.get("provider"),
        model=model,
        usage=usage,
        at=at,
        tier=case.get("tier"),
        region=case.get("region"),
        project_id=project_id,
    )
    if wrong:
        return {"id": name, "status": "invalid_usage", "cost_usd": None, "lines": [], "reason": wrong}
    return {"id": name, **result(explained)}


def result(explained: Explanation) -> dict[str, Any]:
    """An explanation as JSON: money as decimal strings, unknown as null."""
    charge = explained.charge
    cost = money(charge.cost)
    return {
        "status": _STATUS.get(charge.status, "unknown_model"),
        "cost_usd": cost if charge.currency == "USD" else None,
        "cost": cost,
        "currency": charge.currency,
        "converted": _converted(explained),
        "provider": explained.provider,
        "model": explained.model,
        "reason": explained.reason or None,
        "price_version": explained.version,
        "lines": [line_as_json(line) for line in explained.lines],
    }


def _converted(explained: Explanation) -> dict[str, Any] | None:
    """The cost in the instance's currency, where a price is in another and a rate is known."""
    found = explained.fx_rate
    if found is None:
        return None
    return {"cost": money(explained.booked.cost), "currency": found.target, "fx_rate": fx_as_json(found)}


def line_as_json(line: Line) -> dict[str, Any]:
    """usage → bucket → rule → cost, with the source of the rate."""
    return {
        "bucket": line.bucket,
        "quantity": line.quantity,
        "unit": line.unit,
        "rate": money(line.amount),
        "per": line.per,
        "discount_percent": money(line.percent_off),
        "cost": money(line.cost),
        "currency": line.currency,
        "price_id": line.price_id,
        "layer": line.layer,
        "tier": line.tier,
        "context_over": line.context_over or None,
        "window": line.window.as_json() if line.window else None,
        "valid_from": line.valid_from.isoformat() if line.valid_from else None,
        "valid_to": line.valid_to.isoformat() if line.valid_to else None,
        "source_url": line.source_url or None,
        "source_kind": line.source_kind or None,
        "checked": line.checked.isoformat() if line.checked else None,
    }


def money(amount: Decimal | None) -> str | None:
    """A plain decimal without exponent or trailing zeros."""
    if amount is None:
        return None
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def override_rows(
    overrides: Sequence[Mapping[str, Any]], project_id: int | None = None, *, first: bool = False
) -> tuple[list[ModelRow], list[PriceRow], list[DiscountRow]]:
    """Custom prices and discounts as rows before every list price.

    ``{"provider", "model", "valid_from", "valid_to", "rates_usd_per_mtok": {unit: amount}}`` replaces the list price of the
    units it names; ``"discount_percent"`` multiplies list prices. ``*`` is a wildcard. ``rates`` and ``currency`` stand for
    another currency, ``tier`` for one tier only. ``first`` puts them before rows of the same pattern that are stored.
    """
    models: list[ModelRow] = []
    prices: list[PriceRow] = []
    discounts: list[DiscountRow] = []
    for number, raw in enumerate(overrides):
        provider, model = _owner(str(raw.get("provider") or "*")), str(raw.get("model") or "*").lower()
        valid_from, valid_to = _bound(raw.get("valid_from")), _bound(raw.get("valid_to"))
        rates = raw.get("rates_usd_per_mtok") or raw.get("rates_per_mtok")
        label = f"{model} of the case" if first else model
        if rates:
            if (provider, label) not in {(row.provider, row.model) for row in models}:
                models.append(
                    ModelRow(
                        layer=CONTRACT,
                        provider=provider,
                        model=label,
                        match={"glob": model},
                        position=number - _FIRST if first else number,
                        project_id=project_id,
                    )
                )
            prices.extend(
                PriceRow(
                    id=-(number * 1000 + place + 1),
                    layer=CONTRACT,
                    provider=provider,
                    model=label,
                    unit=_book_unit(unit),
                    amount=_amount(amount),
                    per=units.per(_book_unit(unit)),
                    currency=currency(str(raw.get("currency") or "USD")),
                    tier=names.tier(raw["tier"]) if raw.get("tier") else None,
                    valid_from=valid_from,
                    valid_to=valid_to,
                    project_id=project_id,
                    source_url=str(raw.get("source_url") or ""),
                    source_kind="contract",
                )
                for place, (unit, amount) in enumerate(rates.items())
            )
        if raw.get("discount_percent") is not None:
            discounts.append(
                DiscountRow(
                    id=number,
                    provider=provider,
                    model=model,
                    unit=str(raw.get("unit") or "*"),
                    percent=_amount(raw["discount_percent"]),
                    valid_from=valid_from,
                    valid_to=valid_to,
                    project_id=project_id,
                    note=raw.get("note"),
                )
            )
    return models, prices, discounts


def _book_unit(unit: str) -> str:
    return str(_OVERRIDE_UNITS.get(unit, unit))


def _owner(provider: str) -> str:
    return provider if "*" in provider else names.provider(provider) or provider.lower()


def _amount(raw: Any) -> Decimal:
    amount = Decimal(str(raw))
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{raw!r} is no price")
    return amount


def _bound(raw: Any) -> datetime | None:
    return None if raw is None else _instant(raw)


def _instant(raw: Any) -> datetime:
    at = datetime.fromisoformat(str(raw).replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _usage(raw: Mapping[str, Any]) -> tuple[Usage, str]:
    """(usage, what is wrong with it as a sentence, or nothing)."""
    counts: dict[str, Any] = {}
    extra: dict[str, int] = {}
    for key, value in raw.items():
        if value is None:
            continue
        count = _count(key, value)
        if count is None:
            return Usage(), f"{key} is {value!r}, which is no count"
        if key in _COUNTS:
            counts[key] = count
        else:
            extra[_unit(key)] = count
    return Usage(**counts, extra=extra), ""


def _count(key: str, value: Any) -> Any:
    """A whole number, or seconds of audio; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        return None
    if value == int(value):
        return int(value)
    return Decimal(str(value)) if key == "audio_seconds" else None


def _unit(key: str) -> str:
    """``cache_write_30m_tokens`` → ``cache_write:30m``; ``input_image_tokens`` → ``input_image``."""
    lifetime = re.fullmatch(r"cache_write_(\d+[smhd])_tokens", key)
    return f"cache_write:{lifetime[1]}" if lifetime else key.removesuffix("_tokens")
