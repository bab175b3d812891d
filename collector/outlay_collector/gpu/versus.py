"""An API model's prices as the price book has them, per million tokens. Pure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from outlay_collector.errors import NotFound
from outlay_collector.gpu.breakeven import ApiPrice
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.price import PRICED
from outlay_collector.pricing.usage import Usage

_MILLION = 1_000_000


def api_price(book: Book, provider: str | None, model: str, at: datetime) -> ApiPrice:
    """NotFound when the book has no price for it. Fees per request are left out, thresholds are not exceeded."""
    prompt = _of(book, provider, model, at, Usage(input_tokens=1, output_tokens=0, requests=0))
    output = _of(book, provider, model, at, Usage(input_tokens=0, output_tokens=1, requests=0))
    if prompt is None or output is None:
        raise NotFound(f"The price book has no price of {model!r:.80}; outlay price list shows what it has.")
    cached = _of(book, provider, model, at, Usage(input_tokens=1, cache_read_tokens=1, output_tokens=0, requests=0))
    return ApiPrice(prompt=prompt, output=output, cached=cached)


def _of(book: Book, provider: str | None, model: str, at: datetime, usage: Usage) -> Decimal | None:
    charge = book.booked(book.charge(provider=provider, model=model, usage=usage, at=at), at)
    return charge.cost * _MILLION if charge.cost is not None and charge.status == PRICED else None
