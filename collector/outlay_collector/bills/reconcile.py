"""What was billed against what was traced, and why they differ. Pure; the parts of a difference sum to it exactly.

A *cell* is a day, project, provider, model and meter. Its difference is cut in three, one after the other:

    billed − traced = (traced by the bill's own days − traced)          the days begin at another hour
                    + what the difference in quantity costs              at the bill's own rate
                    + what the difference in price costs                 for the quantity both agree on

and each piece has a likely cause. What no cause is found for stays, under that name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from outlay_collector.ledger.buckets import DAY, HOUR
from outlay_collector.pricing import units

EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
_ZERO = Decimal(0)
_FINEST = Decimal("1e-12")

MISSING = "missing_instrumentation"
NO_PRICE = "unknown_price"
TIER = "other_tier"
CACHE = "cache_semantics"
TIME_ZONE = "time_zone"
PRICE = "other_price"
NOT_BILLED = "not_billed"
ROUNDING = "rounding"
CAUSES = (MISSING, NO_PRICE, TIER, CACHE, TIME_ZONE, PRICE, NOT_BILLED, ROUNDING)

SAME = Decimal("0.005")
"""Quantities that differ by less than this share are taken for equal when a cause is looked for."""

NOTHING = Decimal("0.000001")
"""Amounts below this, or below a millionth of what was billed, are what a provider rounded off."""

_PROMPT = (units.INPUT, units.CACHE_READ, units.CACHE_WRITE, units.CACHE_WRITE_1H)
_SHIFTS = tuple(hours for hours in range(-14, 15) if hours)
ALL = "all"

Series = tuple[str | None, str, str | None]
"""Project, provider and model. No project: all that no bill tells apart."""

RateOf = Callable[[str, str | None, str, str, datetime], Decimal | None]
"""Provider, model, tier, meter and instant → the price of one, None if unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Billed:
    """From bills: tokens one by one, money in the instance's currency. A quantity of None was not told."""

    day: date
    project: str | None
    provider: str
    model: str | None
    meter: str
    tier: str
    quantity: Decimal | None
    cost: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Traced:
    """From calls that count. ``cost`` is None for a quantity without a known price."""

    hour: datetime
    project: str | None
    provider: str
    model: str | None
    meter: str
    tier: str
    quantity: Decimal
    cost: Decimal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """One cell. ``parts`` by cause sum to ``billed - traced``; ``note`` says what the likeliest one is seen by."""

    day: date
    project: str | None
    provider: str
    model: str | None
    meter: str
    billed: Decimal
    traced: Decimal
    billed_quantity: Decimal | None
    traced_quantity: Decimal
    parts: Mapping[str, Decimal]
    note: str = ""

    @property
    def gap(self) -> Decimal:
        return EXACT.subtract(self.billed, self.traced)

    @property
    def cause(self) -> str | None:
        """The likeliest one: whose part is the largest."""
        return max(self.parts, key=lambda cause: abs(self.parts[cause]), default=None)


@dataclass(slots=True)
class _Sum:
    """What one side says of a cell."""

    quantity: Decimal = _ZERO
    cost: Decimal = _ZERO
    unpriced: Decimal = _ZERO  # quantity without a price
    tiers: set[str] = field(default_factory=set[str])
    quantity_known: bool = True

    def add(self, quantity: Decimal | None, cost: Decimal | None, tier: str) -> None:
        self.quantity = EXACT.add(self.quantity, quantity or _ZERO)
        self.quantity_known = self.quantity_known and quantity is not None
        self.cost = EXACT.add(self.cost, cost or _ZERO)
        if cost is None:
            self.unpriced = EXACT.add(self.unpriced, quantity or _ZERO)
        self.tiers.add(tier)


Cells = dict[tuple[date, str], _Sum]
"""By day and meter, of one series."""


def compare(
    billed: Iterable[Billed],
    traced: Iterable[Traced],
    *,
    covers: Mapping[str, tuple[date, date]],
    rate_of: RateOf,
) -> list[Gap]:
    """Every cell that either side knows, by day.

    ``covers``: for each provider the first and the last day that its bills speak of; providers without are left out.
    ``traced`` may reach a day beyond on either side, for bills whose days begin at another hour.
    """
    bills = list(billed)
    folded = _Folding(bills)
    charged: dict[Series, Cells] = {}
    for line in bills:
        series, meter = folded.place(line.project, line.provider, line.model, line.meter)
        charged.setdefault(series, {}).setdefault((line.day, meter), _Sum()).add(line.quantity, line.cost, line.tier)
    used: dict[Series, list[tuple[str, Traced]]] = {}
    for call in traced:
        if call.provider not in covers:
            continue
        series, meter = folded.place(call.project, call.provider, call.model, call.meter)
        used.setdefault(series, []).append((meter, call))
    shifts = {
        provider: _shift({s: c for s, c in charged.items() if s[1] == provider}, used, *covered)
        for provider, covered in covers.items()
    }
    gaps: list[Gap] = []
    for series in sorted(charged.keys() | used.keys(), key=lambda one: tuple(part or "" for part in one)):
        first, last = covers[series[1]]
        cells, calls = charged.get(series, {}), used.get(series, [])
        plain = _by_day(calls, 0, first, last)
        shifted = _by_day(calls, shifts.get(series[1], 0), first, last)
        gaps.extend(_of_series(series, cells, plain, shifted, shifts.get(series[1], 0), rate_of))
    return sorted(gaps, key=lambda gap: (gap.day, gap.project or "", gap.provider, gap.model or "", gap.meter))


def meter_of(meter: str) -> str:
    """Parts that are billed as their whole are compared with it."""
    if meter == units.OUTPUT_THINKING:
        return units.OUTPUT
    return units.WHOLE_OF.get(meter, meter)


class _Folding:
    """Where bills say less than calls do, calls are summed to what bills say: of all models, of all meters."""

    def __init__(self, bills: Iterable[Billed]) -> None:
        self._whole_providers: set[tuple[str | None, str]] = set()
        self._whole_models: set[Series] = set()
        self._without_model: set[tuple[str | None, str, str]] = set()
        for line in bills:
            if line.meter == ALL and line.model is None:
                self._whole_providers.add((line.project, line.provider))
            elif line.meter == ALL:
                self._whole_models.add((line.project, line.provider, line.model))
            elif line.model is None:
                self._without_model.add((line.project, line.provider, meter_of(line.meter)))

    def place(self, project: str | None, provider: str, model: str | None, meter: str) -> tuple[Series, str]:
        meter = meter_of(meter)
        if (project, provider) in self._whole_providers:
            return (project, provider, None), ALL
        if (project, provider, meter) in self._without_model:
            return (project, provider, None), meter
        if (project, provider, model) in self._whole_models:
            return (project, provider, model), ALL
        return (project, provider, model), meter


def _by_day(calls: Iterable[tuple[str, Traced]], shift: int, first: date, last: date) -> Cells:
    """Calls by days that begin ``shift`` hours after midnight UTC."""
    found: Cells = {}
    for meter, call in calls:
        day = (call.hour - shift * HOUR).date()
        if first <= day <= last:
            found.setdefault((day, meter), _Sum()).add(call.quantity, call.cost, call.tier)
    return found


def _shift(
    charged: Mapping[Series, Cells], used: Mapping[Series, list[tuple[str, Traced]]], first: date, last: date
) -> int:
    """The hour at which a provider's bill begins its days, where calls show that it is not midnight UTC; else 0.

    Taken when it makes the quantities of at least one model agree that did not, and of no model disagree more.
    """
    if first == last:
        return 0
    told = {
        series: cells
        for series, cells in charged.items()
        if used.get(series) and all(cell.quantity_known for cell in cells.values())
    }
    before = {series: _distance(cells, _by_day(used[series], 0, first, last)) for series, cells in told.items()}
    best, least = 0, sum(before.values(), _ZERO)
    for shift in _SHIFTS:
        after = {series: _distance(cells, _by_day(used[series], shift, first, last)) for series, cells in told.items()}
        mended = [series for series in told if before[series] > 0 and after[series] * 10 <= before[series]]
        harmed = [series for series in told if after[series] > before[series]]
        total = sum(after.values(), _ZERO)
        if mended and not harmed and total < least:
            best, least = shift, total
    return best


def _distance(billed: Cells, traced: Cells) -> Decimal:
    keys = billed.keys() | traced.keys()
    nothing = _Sum()
    return sum(
        (abs(billed.get(key, nothing).quantity - traced.get(key, nothing).quantity) for key in keys), start=_ZERO
    )


def _of_series(
    series: Series, billed: Cells, plain: Cells, shifted: Cells, shift: int, rate_of: RateOf
) -> Iterable[Gap]:
    project, provider, model = series
    cached_otherwise = {
        day: _is_cached_otherwise(billed, shifted, day) for day in {day for day, _ in billed.keys() | shifted.keys()}
    }
    for day, meter in billed.keys() | plain.keys() | shifted.keys():
        b = billed.get((day, meter), _Sum())
        before, t = plain.get((day, meter), _Sum()), shifted.get((day, meter), _Sum())
        parts: dict[str, Decimal] = {}
        _add(parts, TIME_ZONE, EXACT.subtract(t.cost, before.cost))
        by_quantity = _quantity_effect(b, t)
        by_price = EXACT.subtract(EXACT.subtract(b.cost, t.cost), by_quantity)
        if cached_otherwise.get(day) and meter in _PROMPT:
            _add(parts, CACHE, by_quantity)
        else:
            _add(parts, MISSING if by_quantity > 0 else NOT_BILLED, by_quantity)
        unpriced = _unpriced_effect(b, t, by_price)
        _add(parts, NO_PRICE, unpriced)
        rest = EXACT.subtract(by_price, unpriced)
        cause, note = _cause_of_price(series, b, t, meter, day, rest, rate_of)
        _add(parts, cause, rest)
        gap = Gap(
            day=day,
            project=project,
            provider=provider,
            model=model,
            meter=meter,
            billed=b.cost,
            traced=before.cost,
            billed_quantity=b.quantity if b.quantity_known else None,
            traced_quantity=before.quantity,
            parts=parts,
        )
        yield _noted(gap, note, shift, b, t)


def _add(parts: dict[str, Decimal], cause: str, amount: Decimal) -> None:
    if amount:
        parts[cause] = EXACT.add(parts.get(cause, _ZERO), amount)


def _quantity_effect(b: _Sum, t: _Sum) -> Decimal:
    """What the bill has more in quantity, at the bill's rate."""
    if not b.quantity_known:
        return b.cost if not t.quantity else _ZERO
    if not b.quantity or not t.quantity:
        return EXACT.subtract(b.cost, t.cost)
    more = EXACT.subtract(b.quantity, t.quantity)
    return EXACT.divide(EXACT.multiply(b.cost, more), b.quantity).quantize(_FINEST, context=EXACT)


def _unpriced_effect(b: _Sum, t: _Sum, by_price: Decimal) -> Decimal:
    """What the bill asks for the quantity that has no price here."""
    if not t.unpriced:
        return _ZERO
    if t.unpriced == t.quantity or not b.quantity_known or not b.quantity:
        return by_price
    return EXACT.divide(EXACT.multiply(b.cost, t.unpriced), b.quantity).quantize(_FINEST, context=EXACT)


def _is_cached_otherwise(billed: Cells, traced: Cells, day: date) -> bool:
    """Both sides saw the same prompts, or cached tokens once more or less, and cut them differently."""
    b = {meter: billed.get((day, meter), _Sum()).quantity for meter in _PROMPT}
    t = {meter: traced.get((day, meter), _Sum()).quantity for meter in _PROMPT}
    if any(not billed[day, meter].quantity_known for meter in _PROMPT if (day, meter) in billed):
        return False
    whole, cached = sum(b.values(), _ZERO), sum(b.values(), _ZERO) - b[units.INPUT]
    seen = sum(t.values(), _ZERO)
    if not whole or not seen or all(_same(b[meter], t[meter]) for meter in _PROMPT):
        return False
    return _same(whole, seen) or bool(cached and (_same(whole + cached, seen) or _same(whole - cached, seen)))


def _same(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= SAME * max(abs(one), abs(other))


def _cause_of_price(
    series: Series, b: _Sum, t: _Sum, meter: str, day: date, rest: Decimal, rate_of: RateOf
) -> tuple[str, str]:
    """Why the same quantity costs another amount: another tier, another price, or rounding."""
    if abs(rest) <= max(NOTHING, abs(b.cost) * NOTHING):
        return ROUNDING, ""
    other = b.tiers - t.tiers
    if other and t.tiers:
        return TIER, f"billed as {', '.join(sorted(b.tiers))}, traced as {', '.join(sorted(t.tiers))}"
    if b.quantity_known and b.quantity:
        paid = EXACT.divide(b.cost, b.quantity)
        noon = datetime.combine(day, datetime.min.time(), UTC) + DAY / 2
        for tier in ("batch", "flex", "priority", "standard"):
            known = rate_of(series[1], series[2], tier, meter, noon)
            if tier not in t.tiers and known and abs(paid - known) <= known / 1000:
                return TIER, f"billed at the price of {tier}, traced as {', '.join(sorted(t.tiers))}"
    return PRICE, ""


def _noted(gap: Gap, note: str, shift: int, b: _Sum, t: _Sum) -> Gap:
    said = ""
    match gap.cause:
        case "time_zone":
            said = f"the bill's days begin at {shift % 24:02d}:00 UTC"
        case "missing_instrumentation":
            said = (
                "no call was traced"
                if not t.quantity
                else f"{_plain(b.quantity - t.quantity)} more were billed than traced"
            )
        case "not_billed":
            said = (
                "nothing was billed"
                if not b.cost
                else f"{_plain(t.quantity - b.quantity)} more were traced than billed"
            )
        case "unknown_price":
            said = f"{_plain(t.unpriced)} without a price"
        case "cache_semantics":
            said = f"billed {_plain(b.quantity)}, traced {_plain(t.quantity)} of the same prompts"
        case "other_price" if b.quantity_known and b.quantity and t.quantity:
            said = f"billed at {_rate(b)}, priced at {_rate(t)} for a million"
        case _:
            said = note
    return replace(gap, note=said)


def _rate(one: _Sum) -> str:
    return _plain(EXACT.divide(one.cost * 1_000_000, one.quantity).quantize(Decimal("1e-9"), context=EXACT))


def _plain(amount: Decimal) -> str:
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def summed(gaps: Iterable[Gap]) -> dict[str, Any]:
    """The whole: ``billed = traced + untraced + unpriced + residual``, exactly, and the parts by cause."""
    billed = traced = _ZERO
    causes: dict[str, Decimal] = {}
    for gap in gaps:
        billed, traced = EXACT.add(billed, gap.billed), EXACT.add(traced, gap.traced)
        for cause, amount in gap.parts.items():
            causes[cause] = EXACT.add(causes.get(cause, _ZERO), amount)
    gap = EXACT.subtract(billed, traced)
    untraced, unpriced = causes.get(MISSING, _ZERO), causes.get(NO_PRICE, _ZERO)
    return {
        "billed": billed,
        "traced": traced,
        "gap": gap,
        "percent": None if not billed else EXACT.divide(gap * 100, billed).quantize(Decimal("0.01"), context=EXACT),
        "untraced": untraced,
        "unpriced": unpriced,
        "residual": EXACT.subtract(EXACT.subtract(gap, untraced), unpriced),
        "causes": {cause: causes[cause] for cause in CAUSES if cause in causes},
    }
