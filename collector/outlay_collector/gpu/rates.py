"""What a GPU's hour costs: dated rates, owned hardware from its parts, defaults with their source, and a window's cost. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from importlib import resources
from itertools import pairwise

from outlay_collector.errors import BadRequest

NANO = 10**9
HOURS_PER_YEAR = 8760
_HOUR_US = 3_600_000_000
_EPOCH_US = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuRate:
    """One GPU for one hour. ``pool_id`` None: any pool. ``is_default``: nobody here set it, it is a list price."""

    id: int | None = None
    pool_id: int | None = None
    gpu: str
    kind: str
    amount: Decimal
    currency: str = "USD"
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    source: str = ""
    is_default: bool = False

    def holds(self, at: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= at) and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuHours:
    """GPUs that a pool has from one moment to another, None: still."""

    gpu: str
    gpus: Fraction
    starts: datetime
    ends: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Default:
    gpu: str
    amount: Decimal
    low: Decimal | None
    high: Decimal | None
    source: str
    as_of: str
    verified: str


@lru_cache(maxsize=1)
def defaults() -> tuple[Default, ...]:
    """List prices on demand, transcribed with their sources; never a quote."""
    text = resources.files("outlay_collector.gpu").joinpath("default_rates.csv").read_text("utf-8")
    return tuple(
        Default(
            gpu=row["gpu"],
            amount=Decimal(row["usd_per_gpu_hour_typical"]),
            low=_maybe(row["usd_per_gpu_hour_low"]),
            high=_maybe(row["usd_per_gpu_hour_high"]),
            source=row["typical_source"],
            as_of=row["as_of"],
            verified=row["verified"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def _maybe(text: str) -> Decimal | None:
    return Decimal(text) if text else None


_WORDS = re.compile(r"[a-z0-9]+")


def same_gpu(one: str, other: str) -> bool:
    """Whether two names are of one part: ``H100`` and ``NVIDIA H100 80GB HBM3``."""
    return _kind_of(one) == _kind_of(other) if _kind_of(one) else one.lower() == other.lower()


def _kind_of(name: str) -> str:
    """The name of a part in ``defaults``, from what its driver or a person calls it; empty when it is none of them."""
    words = set(_WORDS.findall(name.lower()))
    joined = "".join(sorted(words))
    for default in sorted(defaults(), key=lambda one: -len(one.gpu)):
        chip, _, memory = default.gpu.lower().partition("-")
        if chip not in words:
            continue
        if chip == "a100":
            return "A100-80GB" if "80" in joined else "A100-40GB"
        return default.gpu if memory or chip in words else ""
    return ""


def default_rate(gpu: str) -> GpuRate | None:
    """The list price of a part; None when no source was found for it."""
    kind = _kind_of(gpu)
    for one in defaults():
        if one.gpu == kind:
            return GpuRate(
                gpu=one.gpu, kind="on_demand", amount=one.amount, source=f"{one.source}, {one.as_of}", is_default=True
            )
    return None


def rate_at(rates: Iterable[GpuRate], *, pool_id: int, gpu: str, at: datetime) -> GpuRate | None:
    """The rate in force: of the pool before any pool's, the newest first; else the default."""
    found = [
        rate
        for rate in rates
        if rate.pool_id in (None, pool_id) and rate.holds(at) and (rate.gpu == "*" or same_gpu(rate.gpu, gpu))
    ]
    if found:
        return max(found, key=lambda rate: (rate.pool_id is not None, rate.gpu != "*", rate.id or 0))
    return default_rate(gpu)


@dataclass(frozen=True, kw_only=True, slots=True)
class Owned:
    """Hardware of one's own, per GPU. ``availability``: of its hours, those in which it can be used at all."""

    capex: Decimal
    residual_percent: Decimal = Decimal(10)
    years: Decimal = Decimal(5)
    kilowatts: Decimal = Decimal(0)
    pue: Decimal = Decimal("1.3")
    per_kilowatt_hour: Decimal = Decimal(0)
    colocation_per_hour: Decimal = Decimal(0)
    availability: Decimal = Decimal(1)


def owned_rate(owned: Owned) -> Decimal:
    """What an hour of it costs, used or not, rounded to the millionth."""
    if owned.years <= 0 or not 0 < owned.availability <= 1 or owned.capex < 0:
        raise BadRequest(
            "Years must be above 0, availability above 0 and at most 1, and the price of the hardware not below 0."
        )
    hours = owned.years * HOURS_PER_YEAR * owned.availability
    hardware = owned.capex * (1 - owned.residual_percent / 100) / hours
    power = owned.kilowatts * owned.pue * owned.per_kilowatt_hour
    return (hardware + power + owned.colocation_per_hour).quantize(Decimal("0.000001"))


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a pool in a window. ``nano`` None: some hours have no rate. ``gpu_us``: GPU-microseconds."""

    nano: int | None
    gpu_us: int
    is_default: bool
    without_rate: tuple[str, ...] = ()


Convert = Callable[[GpuRate, datetime], Decimal | None]
"""A rate's amount in the instance's currency; None when no exchange rate is known."""


def cost_of(
    hours: Sequence[GpuHours],
    rates: Sequence[GpuRate],
    *,
    pool_id: int,
    start: datetime,
    end: datetime,
    convert: Convert = lambda rate, _at: rate.amount,
) -> Cost:
    """What a pool's GPUs cost from ``start`` to ``end``, with a rate that changes in between.

    Amounts are rounded on a line that began in 1970, so that windows side by side add up to the same as one long one.
    """
    nano = gpu_us = 0
    is_default = False
    missing: list[str] = []
    for row in hours:
        first, last = max(row.starts, start), end if row.ends is None else min(row.ends, end)
        if first >= last:
            continue
        gpu_us += int(row.gpus * ((last - first) // _EPOCH_US))
        for begin, stop in _pieces(first, last, rates):
            rate = rate_at(rates, pool_id=pool_id, gpu=row.gpu, at=begin)
            amount = None if rate is None else convert(rate, begin)
            if rate is None or amount is None:
                missing.append(row.gpu)
                continue
            is_default = is_default or rate.is_default
            per_us = Fraction(amount) * row.gpus * NANO / _HOUR_US
            nano += _line(per_us, stop) - _line(per_us, begin)
    return Cost(None if missing else nano, gpu_us, is_default, tuple(dict.fromkeys(missing)))


def _pieces(start: datetime, end: datetime, rates: Sequence[GpuRate]) -> list[tuple[datetime, datetime]]:
    edges = {edge for rate in rates for edge in (rate.valid_from, rate.valid_to) if edge and start < edge < end}
    bounds = [start, *sorted(edges), end]
    return list(pairwise(bounds))


def _line(per_us: Fraction, at: datetime) -> int:
    return int(per_us * round(at.timestamp() * 1_000_000) + Fraction(1, 2))
