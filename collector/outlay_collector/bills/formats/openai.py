"""OpenAI: pages of the organisation's costs and usage APIs, and the CSV that the usage page exports of them.

https://platform.openai.com/docs/api-reference/usage/costs and …/usage/completions: buckets of a UTC day; ``amount`` in a
currency in lower case; ``input_tokens`` include cached ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_collector.bills.formats.pages import amount_in, buckets, count_in
from outlay_collector.bills.formats.table import Row
from outlay_collector.bills.line import BillLine, UnreadableBill
from outlay_collector.bills.words import Meant, openai_line_item
from outlay_collector.pricing import units

PROVIDER = "openai"
COSTS_CSV = frozenset({"starttime", "amountvalue", "amountcurrency", "lineitem"})
COSTS_OBJECT = "organization.costs.result"
USAGE_OBJECT = "organization.usage.completions.result"


def read_csv(rows: Iterable[Row]) -> Iterator[BillLine]:
    for row in rows:
        cost = row.amount("amount_value")
        if cost is None:  # a day without costs is a row without them
            continue
        starts, ends = row.period(("start_time_iso", "start_time"), ("end_time_iso", "end_time"))
        meant = openai_line_item(row.text("line_item"))
        yield _line(
            row.number,
            starts,
            ends,
            meant,
            account=row.text("project_id") or None,
            cost=cost,
            currency=row.currency("amount_currency"),
            quantity=row.amount("quantity"),
            description=row.text("line_item"),
        )


def read_pages(pages: Iterable[Mapping[str, Any]]) -> Iterator[BillLine]:
    """Costs and usage in any order. Usage gives the quantities of the costs of the same day, project, model and meter."""
    costs: list[BillLine] = []
    used: dict[tuple[Any, ...], Decimal] = {}
    for number, starts, ends, result in buckets(pages, "start_time", "end_time"):
        if result.get("object") == USAGE_OBJECT:
            for key, count in _quantities(starts, result, number):
                used[key] = used.get(key, Decimal(0)) + count
        else:
            costs.append(_cost(number, starts, ends, result))
    if used and not costs:
        raise UnreadableBill("These pages hold usage and no costs; add those of the cost API of the same days.")
    alike = Counter(map(_place, costs))
    for line in costs:
        # Usage does not tell tiers apart but batch: of two lines that it may mean, it tells of neither.
        told = line.quantity is None and alike[_place(line)] == 1
        quantity = used.get(_place(line)) if told else None
        yield line if quantity is None else replace(line, quantity=quantity)


def _place(line: BillLine) -> tuple[Any, ...]:
    return (line.starts, line.account, line.model, line.tier == "batch", line.meter)


def _cost(number: int, starts: datetime, ends: datetime, result: Mapping[str, Any]) -> BillLine:
    amount = result.get("amount") or {}
    item = str(result.get("line_item") or "")
    return _line(
        number,
        starts,
        ends,
        openai_line_item(item),
        account=result.get("project_id") or None,
        cost=amount_in(amount, "value", number),
        currency=str(amount.get("currency") or "usd").upper(),
        quantity=amount_in(result, "quantity", number),
        description=item,
    )


def _quantities(starts: datetime, result: Mapping[str, Any], number: int) -> Iterator[tuple[tuple[Any, ...], Decimal]]:
    cached = count_in(result, "input_cached_tokens", number)
    audio = count_in(result, "input_audio_tokens", number)
    spoken = count_in(result, "output_audio_tokens", number)
    counts = {
        units.INPUT: count_in(result, "input_tokens", number) - cached,
        units.CACHE_READ: cached,
        units.OUTPUT: count_in(result, "output_tokens", number),
        units.INPUT_AUDIO: audio,
        units.OUTPUT_AUDIO: spoken,
    }
    for meter, count in counts.items():
        if count:
            yield (starts, result.get("project_id"), result.get("model"), bool(result.get("batch")), meter), count


def _line(number: int, starts: datetime, ends: datetime, meant: Meant, **said: Any) -> BillLine:
    return BillLine(
        number=number,
        starts=starts,
        ends=ends,
        provider=PROVIDER,
        scope=PROVIDER,
        model=meant.model,
        meter=meant.meter,
        tier=meant.tier or "standard",
        **said,
    )
