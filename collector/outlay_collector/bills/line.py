"""One line of a bill, whoever issued it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from outlay_collector.errors import BadRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class BillLine:
    """What a provider says of a stretch of time. ``model`` and ``account`` are its own names.

    ``meter`` is a unit of the price book where the words are known, else the provider's word. ``cost`` is None where a line
    tells a quantity alone, and ``quantity`` where it tells money alone; tokens are counted one by one.
    """

    number: int
    starts: datetime
    ends: datetime
    provider: str
    scope: str
    account: str | None = None
    model: str | None = None
    meter: str = "all"
    tier: str | None = None
    region: str | None = None
    quantity: Decimal | None = None
    cost: Decimal | None = None
    currency: str = "USD"
    description: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """What one file or one pull said. ``left_out`` are lines that are not of language models, with what they cost."""

    format: str
    lines: tuple[BillLine, ...]
    left_out: int = 0
    left_out_cost: Decimal = Decimal(0)
    covers: Mapping[str, tuple[datetime, datetime]] = field(default_factory=dict[str, tuple[datetime, datetime]])


class UnreadableBill(BadRequest):
    """The file is no bill that can be read. The text names line, column and value; nothing of it was stored."""


def covered(lines: tuple[BillLine, ...]) -> dict[str, tuple[datetime, datetime]]:
    """For each scope the stretch that its lines lie in: there a bill replaces the ones before it."""
    found: dict[str, tuple[datetime, datetime]] = {}
    for line in lines:
        start, end = found.get(line.scope, (line.starts, line.ends))
        found[line.scope] = (min(start, line.starts), max(end, line.ends))
    return found
