"""Anthropic: pages of the organisation's cost and usage reports, and the CSV that the console exports of costs.

https://platform.claude.com/docs/en/api/admin/cost_report: ``amount`` is a decimal string in **cents**; days are UTC; costs of
the priority tier are not in it. https://platform.claude.com/docs/en/api/admin/usage_report: input without cached tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_collector.bills.formats.pages import amount_in, buckets, count_in
from outlay_collector.bills.formats.table import Row
from outlay_collector.bills.line import BillLine, UnreadableBill
from outlay_collector.bills.words import family, meter
from outlay_collector.pricing import units

PROVIDER = "anthropic"
COSTS_CSV = frozenset({"usagedateutc", "model", "tokentype", "costusd"})

_METERS = {
    "uncached_input_tokens": units.INPUT,
    "output_tokens": units.OUTPUT,
    "cache_read_input_tokens": units.CACHE_READ,
    "cache_creation.ephemeral_5m_input_tokens": units.CACHE_WRITE,
    "cache_creation.ephemeral_1h_input_tokens": units.CACHE_WRITE_1H,
    "web_search": units.WEB_SEARCH,
    "code_execution": "code_execution",
}
_CENTS = Decimal("0.01")


def read_csv(rows: Iterable[Row]) -> Iterator[BillLine]:
    for row in rows:
        cost = row.amount("cost_usd")
        if cost is None:
            continue
        starts, ends = row.period(("usage_date_utc",), ())
        kind = row.text("token_type", "cost_type")
        yield BillLine(
            number=row.number,
            starts=starts,
            ends=ends,
            provider=PROVIDER,
            scope=PROVIDER,
            account=row.text("workspace_id", "workspace") or None,
            model=row.text("model") or None,
            meter=_METERS.get(kind) or meter(kind.replace("_", " ")),
            tier=row.text("usage_type", "service_tier").lower() or "standard",
            cost=cost,
            description=kind,
        )


def read_pages(pages: Iterable[Mapping[str, Any]]) -> Iterator[BillLine]:
    """Costs and usage in any order. Usage gives the quantities of the costs of the same day, workspace, model and tier."""
    costs: list[BillLine] = []
    used: dict[tuple[Any, ...], Decimal] = {}
    for number, starts, ends, result in buckets(pages, "starting_at", "ending_at"):
        if "amount" in result:
            costs.append(_cost(number, starts, ends, result))
        else:
            for key, count in _quantities(starts, result, number):
                used[key] = used.get(key, Decimal(0)) + count
    if used and not costs:
        raise UnreadableBill("These pages hold usage and no costs; add those of the cost API of the same days.")
    for line in costs:
        quantity = used.pop((line.starts, line.account, line.model, line.tier, line.meter), None)
        yield line if quantity is None else replace(line, quantity=quantity)


def _cost(number: int, starts: datetime, ends: datetime, result: Mapping[str, Any]) -> BillLine:
    cents = amount_in(result, "amount", number)
    said = str(result.get("description") or "")
    kind = str(result.get("token_type") or result.get("cost_type") or "")
    return BillLine(
        number=number,
        starts=starts,
        ends=ends,
        provider=PROVIDER,
        scope=PROVIDER,
        account=result.get("workspace_id") or None,
        model=result.get("model") or family(said),
        meter=_METERS.get(kind) or meter(said),
        tier=result.get("service_tier") or "standard",
        region=result.get("inference_geo") if result.get("inference_geo") not in ("not_available", "global") else None,
        cost=None if cents is None else cents * _CENTS,
        currency=str(result.get("currency") or "USD").upper(),
        description=said,
    )


def _quantities(starts: datetime, result: Mapping[str, Any], number: int) -> Iterator[tuple[tuple[Any, ...], Decimal]]:
    written = result.get("cache_creation") or {}
    tools = result.get("server_tool_use") or {}
    counts = {
        units.INPUT: count_in(result, "uncached_input_tokens", number),
        units.OUTPUT: count_in(result, "output_tokens", number),
        units.CACHE_READ: count_in(result, "cache_read_input_tokens", number),
        units.CACHE_WRITE: count_in(written, "ephemeral_5m_input_tokens", number),
        units.CACHE_WRITE_1H: count_in(written, "ephemeral_1h_input_tokens", number),
        units.WEB_SEARCH: count_in(tools, "web_search_requests", number),
    }
    where = (starts, result.get("workspace_id"), result.get("model"), result.get("service_tier") or "standard")
    for name, count in counts.items():
        if count:
            yield (*where, name), count
