"""Pages of JSON as cost and usage APIs answer them: ``{"data": [{…, "results": […]}]}``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay_collector.bills.formats.table import DAY, parse_instant
from outlay_collector.bills.line import UnreadableBill


def buckets(
    pages: Iterable[Mapping[str, Any]], start: str, end: str
) -> Iterator[tuple[int, datetime, datetime, Mapping[str, Any]]]:
    """Every result with its number, counted through all pages, and its bucket's period."""
    number = 0
    for page in pages:
        data = page.get("data")
        if not isinstance(data, list):
            raise UnreadableBill("A page of a cost API has a list `data`, and this has none. Nothing was imported.")
        for bucket in data:
            starts = parse_instant(str(bucket.get(start, "")))
            if starts is None:
                raise UnreadableBill(
                    f"Result {number + 1}: {start} holds {bucket.get(start)!r:.60}, and should be a time."
                )
            ends = parse_instant(str(bucket.get(end, ""))) or starts + DAY
            for result in bucket.get("results") or ():
                number += 1
                yield number, starts, ends, result


def amount_in(holder: Mapping[str, Any], name: str, number: int) -> Decimal | None:
    """A number or a decimal string; JSON was read with exact decimals."""
    value = holder.get(name)
    if value is None:
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise UnreadableBill(
            f"Result {number}: {name} holds {value!r:.60}, and should be a number. Nothing was imported."
        )
    return found


def count_in(holder: Mapping[str, Any], name: str, number: int) -> Decimal:
    return amount_in(holder, name, number) or Decimal(0)
