"""Graduated rates: each tier's rate is for what falls into it, of a calendar month, in the order of its days. Pure.

Calls are charged at the first tier's rate, which is a price like any other. What the further tiers take off is worked out for
whole days from quantities, so it depends neither on the order of calls within a day nor on when they arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal

from outlay_collector.errors import BadRequest

PER = 1_000_000
"""Rates are for a million tokens."""

UNITS = ("input", "cache_read", "output")
"""What can be counted, as prices have it: input that is neither cached nor audio, cached input, output that is no audio."""

_EXACT = Context(prec=200)


@dataclass(frozen=True, slots=True)
class Tier:
    """``rate`` is for the part of a month's quantity that is over ``over``, up to the next tier."""

    over: int
    rate: Decimal


def read(said: Sequence[str]) -> tuple[Tier, ...]:
    """``["0=2.00", "1000000000=1.50"]``; BadRequest unless they begin at 0 and rise."""
    found: list[Tier] = []
    for text in said:
        over, separator, rate = text.partition("=")
        try:
            tier = Tier(int(over.replace("_", "")), Decimal(rate))
        except (ValueError, ArithmeticError) as error:
            raise BadRequest(f"{text!r:.60} is no tier; write TOKENS=RATE, such as 1000000000=1.50.") from error
        if not separator or not tier.rate.is_finite() or tier.rate < 0:
            raise BadRequest(f"{text!r:.60} is no tier; write TOKENS=RATE, such as 1000000000=1.50.")
        found.append(tier)
    found.sort(key=lambda tier: tier.over)
    if len(found) < 2 or found[0].over != 0 or len({tier.over for tier in found}) < len(found):
        raise BadRequest(
            "Tiers begin with that from 0 tokens on, and there are at least two, each from another quantity on."
        )
    return tuple(found)


def difference(quantity: int, tiers: Sequence[Tier]) -> Decimal:
    """What a month's ``quantity`` costs more (less: negative) than all of it at the first tier's rate."""
    total = Decimal(0)
    for number, tier in enumerate(tiers):
        until = tiers[number + 1].over if number + 1 < len(tiers) else None
        inside = max((quantity if until is None else min(quantity, until)) - tier.over, 0)
        off = _EXACT.subtract(tier.rate, tiers[0].rate)
        total = _EXACT.add(total, _EXACT.divide(_EXACT.multiply(off, Decimal(inside)), Decimal(PER)))
    return total


def counted(unit: str, row: Mapping[str, int]) -> int:
    """How much of ``unit`` sums of calls hold."""
    if unit == "cache_read":
        return row["cache_read_tokens"]
    if unit == "output":
        return row["output_tokens"] - row["output_audio_tokens"]
    return row["input_tokens"] - row["cache_read_tokens"] - row["cache_write_tokens"] - row["input_audio_tokens"]


def by_day(quantities: Mapping[date, int], tiers: Sequence[Tier]) -> dict[date, Decimal]:
    """What each day's part of its month's difference is; they add up to it. Days without any are left out."""
    found: dict[date, Decimal] = {}
    month, used, before = (0, 0), 0, Decimal(0)
    for day in sorted(quantities):
        if (day.year, day.month) != month:
            month, used, before = (day.year, day.month), 0, Decimal(0)
        used += quantities[day]
        after = difference(used, tiers)
        part = _EXACT.subtract(after, before)
        if part:
            found[day] = part
        before = after
    return found
