"""A charge with its reasons: lines, rates, sources, and what is missing and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from outlay_collector.pricing.currencies.rates import Rate as FxRate
from outlay_collector.pricing.price import Booked, Charge, InvalidUsageError, Rate, amount_of, as_decimal, buckets
from outlay_collector.pricing.rows import STANDARD, ModelRow
from outlay_collector.pricing.usage import Usage
from outlay_collector.pricing.windows import Window

_ANY = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One bucket of one call, priced or not, with where its rate came from."""

    bucket: str
    quantity: int
    unit: str | None = None  # whose rate was taken; differs from the bucket where the provider bills it so
    amount: Decimal | None = None  # per ``per`` of the unit, before discount
    per: int | None = None
    percent_off: Decimal | None = None
    cost: Decimal | None = None
    currency: str = "USD"
    price_id: int | None = None
    layer: str | None = None
    tier: str | None = None
    context_over: int = 0
    window: Window | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    source_url: str = ""
    source_kind: str = ""
    checked: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """A charge with its reasons. ``provider`` and ``model`` are the book's names for what the call named.

    ``fx_rate`` is what the charge is converted into the instance's currency by, None where none is needed or known.
    """

    charge: Charge
    booked: Booked
    fx_rate: FxRate | None = None
    lines: tuple[Line, ...]
    provider: str | None
    model: str | None
    layers: tuple[str, ...]
    reason: str  # empty when everything has a price
    version: int


def says_nothing(usage: Usage) -> bool:
    """No count at all was given; zero is a count."""
    return (
        usage.input_tokens is None
        and usage.output_tokens is None
        and usage.audio_seconds is None
        and usage.web_search_calls is None
        and usage.requests is None
        and not usage.extra
    )


def contradiction(usage: Usage) -> str:
    try:
        buckets(usage)
    except (InvalidUsageError, TypeError) as error:
        return str(error)
    return ""


def line_of(bucket: str, quantity: int, found: Rate | None) -> Line:
    if found is None:
        return Line(bucket=bucket, quantity=quantity)
    row = found.row
    return Line(
        bucket=bucket,
        quantity=quantity,
        unit=bucket if row.unit == _ANY else row.unit,
        amount=row.amount,
        per=row.per,
        percent_off=found.percent_off,
        cost=as_decimal(amount_of(quantity, found)),
        currency=row.currency,
        price_id=row.id,
        layer=row.layer,
        tier=row.tier,
        context_over=row.context_over,
        window=row.window,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        source_url=row.source_url,
        source_kind=row.source_kind,
        checked=row.checked,
    )


def with_note(reason: str, models: Iterable[ModelRow]) -> str:
    """A row that is complete may know why it has no price."""
    note = next((row.note for row in models if row.complete and row.note), None)
    return f"{reason} ({note})" if reason and note else reason


def gap_of(lines: Sequence[Line], tier: str, usage: Usage) -> str:
    if not lines and says_nothing(usage):
        return "the call reports no usage"
    without = [line.bucket for line in lines if line.cost is None]
    if not without:
        return ""
    where = "" if tier == STANDARD else f" in tier {tier!r}"
    return f"no price is known{where} for: {', '.join(without)}"
