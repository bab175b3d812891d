"""Own hardware against an API at the mix that was measured: from which volume on it pays, and when that will be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import ceil, log

HOURS_PER_MONTH = 730
_MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """Tokens of a month. ``cached`` are part of ``prompt``."""

    prompt: int
    cached: int = 0
    output: int

    @property
    def tokens(self) -> int:
        return self.prompt + self.output


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiPrice:
    """Per million tokens, as an API charges for them. ``cached`` None: like any prompt token."""

    prompt: Decimal
    output: Decimal
    cached: Decimal | None = None

    def blended(self, mix: Mix) -> Decimal:
        """What a million tokens of this mix cost."""
        cached = self.prompt if self.cached is None else self.cached
        total = self.prompt * (mix.prompt - mix.cached) + cached * mix.cached + self.output * mix.output
        return total / mix.tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """What the hardware costs an hour, all of it, and the tokens a second that it was seen to sustain at this mix.

    ``overhead``: storage, egress, hosts and people, as a part of that: 0.2 is a fifth.
    """

    per_hour: Decimal
    gpus: Decimal = Decimal(1)
    tokens_per_second: Decimal | None = None
    overhead: Decimal = Decimal(0)
    hours: int = HOURS_PER_MONTH

    @property
    def per_month(self) -> Decimal:
        return self.per_hour * self.hours * (1 + self.overhead)


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakEven:
    """``tokens`` a month from which own hardware is the cheaper; ``utilization`` of what it can sustain, above 1: never.

    ``gpu_hour``: what a GPU's hour may cost for it to pay at the volume of ``mix``.
    """

    blended: Decimal
    fleet_per_month: Decimal
    api_per_month: Decimal
    tokens: Decimal | None
    tokens_per_second: Decimal | None
    utilization: Decimal | None
    current_utilization: Decimal | None
    gpu_hour: Decimal | None


def break_even(mix: Mix, price: ApiPrice, fleet: Fleet) -> BreakEven:
    blended = price.blended(mix) if mix.tokens else price.output
    seconds = Decimal(fleet.hours * 3600)
    tokens = fleet.per_month / blended * _MILLION if blended else None
    rate = None if tokens is None else tokens / seconds
    peak = fleet.tokens_per_second
    return BreakEven(
        blended=blended,
        fleet_per_month=fleet.per_month,
        api_per_month=blended * mix.tokens / _MILLION,
        tokens=tokens,
        tokens_per_second=rate,
        utilization=None if rate is None or not peak else rate / peak,
        current_utilization=None if not peak else mix.tokens / seconds / peak,
        gpu_hour=blended * mix.tokens / _MILLION / fleet.hours / fleet.gpus / (1 + fleet.overhead)
        if fleet.gpus
        else None,
    )


@dataclass(frozen=True, slots=True)
class Point:
    """At so much of what the hardware sustains, what a million tokens cost on it, and of the API."""

    utilization: Decimal
    own: Decimal
    api: Decimal


def curve(mix: Mix, price: ApiPrice, fleet: Fleet, steps: int = 20) -> list[Point]:
    """From 1/steps to 1; empty while nobody knows what the hardware sustains."""
    if not fleet.tokens_per_second or not mix.tokens:
        return []
    full = fleet.tokens_per_second * fleet.hours * 3600
    blended = price.blended(mix)
    return [
        Point(part, fleet.per_month / (full * part) * _MILLION, blended)
        for part in (Decimal(step) / steps for step in range(1, steps + 1))
    ]


def monthly_growth(by_day: Sequence[int]) -> float | None:
    """How much more a month brings than the one before (0.1: a tenth), by the slope of the days' logarithms."""
    told = [(index, log(tokens)) for index, tokens in enumerate(by_day) if tokens > 0]
    if len(told) < 7:
        return None
    mean_x = sum(x for x, _ in told) / len(told)
    mean_y = sum(y for _, y in told) / len(told)
    spread = sum((x - mean_x) ** 2 for x, _ in told)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in told) / spread
    return max(min((2.718281828459045 ** (slope * 365 / 12)) - 1, 100.0), -1.0)


def crosses_on(today: date, found: BreakEven, mix: Mix, growth: float | None) -> date | None:
    """The day on which volume reaches the break-even at this growth; today when it is there. None: not within ten years."""
    if found.tokens is None or (found.utilization is not None and found.utilization > 1):
        return None
    if mix.tokens >= found.tokens:
        return today
    if not growth or growth <= 0 or not mix.tokens:
        return None
    months = log(float(found.tokens) / mix.tokens) / log(1 + growth)
    return today + timedelta(days=ceil(months * 365 / 12)) if months <= 120 else None
