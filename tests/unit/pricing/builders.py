"""Small price books for tests that should not depend on real prices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from outlay_collector.pricing.book import Book
from outlay_collector.pricing.rows import CATALOGUE, DiscountRow, ModelRow, PriceRow
from outlay_collector.pricing.usage import Usage

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)  # a Wednesday
_ids = count(1)


def a_model(model: str = "m1", **said: Any) -> ModelRow:
    return ModelRow(
        **{"layer": CATALOGUE, "provider": "acme", "model": model, "match": {"equals": model}} | said  # type: ignore[arg-type]
    )


def a_price(unit: str = "input", amount: str = "1", **said: Any) -> PriceRow:
    """USD per million tokens of model ``m1``."""
    return PriceRow(
        **{
            "id": next(_ids),
            "layer": CATALOGUE,
            "provider": "acme",
            "model": "m1",
            "unit": unit,
            "amount": Decimal(amount),
            "per": 1_000_000,
        }
        | said  # type: ignore[arg-type]
    )


def a_book(
    prices: Iterable[PriceRow], *, models: Iterable[ModelRow] | None = None, discounts: Iterable[DiscountRow] = ()
) -> Book:
    """A book whose models are those its prices name, each known by exactly that name."""
    rows = list(prices)
    named = {(row.layer, row.provider, row.model, row.project_id) for row in rows}
    made = [
        a_model(model, layer=layer, provider=provider, project_id=project)
        for layer, provider, model, project in sorted(named, key=str)
    ]
    return Book.from_rows(made if models is None else models, rows, discounts)


def cost(book: Book, usage: Usage, **said: Any) -> Decimal | None:
    return book.charge(**{"provider": "acme", "model": "m1", "usage": usage, "at": NOON} | said).cost


def status(book: Book, usage: Usage, **said: Any) -> str:
    return book.charge(**{"provider": "acme", "model": "m1", "usage": usage, "at": NOON} | said).status
