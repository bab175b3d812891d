"""What tokens are worth at fixed prices: list prices of one instant, so that changes of use and of price are told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from outlay_collector.ledger.bridge import Group, Worth
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.usage import Usage

_ORDINARY = 10_000
"""Tokens of a prompt of ordinary length: sums of many calls are not priced as one long context."""


def worth_at(book: Book, at: datetime, dimensions: Sequence[str], project_id: int | None = None) -> Worth | None:
    """The measure for ``ledger.bridge`` over groups of ``dimensions``; None unless provider and model are among them."""
    if "provider" not in dimensions or "model" not in dimensions:
        return None
    provider_at, model_at = dimensions.index("provider"), dimensions.index("model")

    def worth(group: Group, tokens: Mapping[str, int]) -> tuple[float, float] | None:
        def costs(usage: Usage) -> Decimal | None:
            charge = book.charge(
                provider=group[provider_at], model=group[model_at], usage=usage, at=at, project_id=project_id
            )
            return book.booked(charge, at).cost

        factor = max(tokens.get("input_tokens", 0), tokens.get("output_tokens", 0), 1) / _ORDINARY
        cached, plain = costs(_usage(tokens, factor, cached=True)), costs(_usage(tokens, factor, cached=False))
        if not cached or not plain:
            return None
        return float(cached) * factor, float(plain) * factor

    return worth


def _usage(tokens: Mapping[str, int], factor: float, *, cached: bool) -> Usage:
    """The tokens' proportions as one call of ordinary length."""
    scaled = {name: int(tokens.get(name, 0) / factor) for name in tokens if name.endswith("_tokens")}
    prompt, answer = scaled.get("input_tokens", 0), scaled.get("output_tokens", 0)
    read = min(scaled.get("cache_read_tokens", 0), prompt) if cached else 0
    return Usage(
        input_tokens=prompt,
        cache_read_tokens=read,
        cache_write_tokens=min(scaled.get("cache_write_tokens", 0), prompt - read) if cached else 0,
        output_tokens=answer,
    )
