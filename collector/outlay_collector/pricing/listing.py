"""Price rows as lists: for ``GET /api/v1/prices`` and ``outlay price list``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from outlay_collector.pricing import names, units
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.quote import money
from outlay_collector.pricing.rows import LAYERS, PriceRow
from outlay_collector.pricing.usage import Usage


def listed(
    book: Book, *, provider: str | None = None, part: str = "", at: datetime | None = None, tier: str | None = None
) -> list[PriceRow]:
    """Prices of models whose name contains ``part``, of one provider, holding ``at``, in a stable order. None: any."""
    owner = names.provider(provider) or provider if provider else None
    wanted = part.lower()
    found = [
        row
        for row in book.prices
        if (owner is None or row.provider == owner)
        and wanted in row.model.lower()
        and (at is None or holds(row, at))
        and (tier is None or row.tier in (tier, None))
    ]
    return sorted(found, key=_order)


def history(book: Book, provider: str | None, model: str, project_id: int | None = None) -> list[PriceRow]:
    """Every price ever of the model a name stands for, the rows that are asked first in front."""
    place = {
        (row.layer, row.provider, row.model): number
        for number, row in enumerate(book.find(provider, model, project_id))
    }
    found = [row for row in book.prices if (row.layer, row.provider, row.model) in place]
    return sorted(found, key=lambda row: (place[row.layer, row.provider, row.model], _order(row)))


def simple_rates(book: Book, provider: str, model: str, *, at: datetime) -> tuple[dict[str, str], str]:
    """What a model's input, cached input and output cost by list (unit to amount), and the currency; empty if unknown."""
    usage = Usage(
        input_tokens=4, cache_read_tokens=1, cache_write_5m_tokens=1, cache_write_1h_tokens=1, output_tokens=1
    )
    found = book.explain(provider=provider, model=model, usage=usage, at=at)
    rates = {
        line.bucket: f"{line.amount * units.per(line.bucket) / line.per:f}"
        for line in found.lines
        if line.amount is not None and line.per is not None
    }
    return rates, found.charge.currency


def holds(row: PriceRow, at: datetime) -> bool:
    """Is ``at`` (aware) within the row's validity? Its hours of the day are not looked at."""
    return (row.valid_from is None or row.valid_from <= at) and (row.valid_to is None or row.valid_to > at)


def as_json(row: PriceRow) -> dict[str, Any]:
    """The shape of the API's and the command's rows; amounts are decimal strings."""
    return {
        "id": row.id,
        "layer": row.layer,
        "provider": row.provider,
        "model": row.model,
        "unit": row.unit,
        "tier": row.tier,
        "context_over": row.context_over,
        "amount": money(row.amount),
        "per": row.per,
        "currency": row.currency,
        "window": row.window.as_json() if row.window else None,
        "region_class": row.region_class,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
        "source_url": row.source_url or None,
        "source_kind": row.source_kind,
        "checked": row.checked,
    }


def only_for(rows: Iterable[PriceRow], project_id: int | None) -> list[PriceRow]:
    """Without other projects' own prices; ``project_id`` None sees all."""
    return [row for row in rows if project_id is None or row.project_id in (None, project_id)]


def _order(row: PriceRow) -> tuple[object, ...]:
    return (
        row.provider,
        row.model,
        LAYERS.index(row.layer),
        row.unit,
        row.tier or "",
        row.context_over,
        row.valid_from.timestamp() if row.valid_from else float("-inf"),
        row.id,
    )
