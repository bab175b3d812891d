"""What prices hold for one kind of call: a card per (provider, model, tier, region, project), cut where something changes.

A card has a segment for each stretch of time in which no row opens or closes, a segment a page for each combination of
daily windows and prompt lengths, and a page the rate of each unit, found when it is first asked for.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase

from outlay_collector.pricing import units
from outlay_collector.pricing.currencies.rates import Rates
from outlay_collector.pricing.price import PARTLY_PRICED, PRICED, UNPRICED, Charge, Rate, amount_of, as_decimal, rate
from outlay_collector.pricing.rows import (
    CONTRACT,
    CUSTOM,
    LOCAL,
    OWN_LAYERS,
    STANDARD,
    DiscountRow,
    ModelRow,
    PriceRow,
)

_ANY = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cuts:
    """``instants``: between two of them no price of a card changes. ``prompts``: nor while none of these is exceeded."""

    instants: tuple[datetime, ...] = ()
    prompts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranked:
    """A price row with the place of its model in the order of asking."""

    place: int
    row: PriceRow


class Card:
    """All prices of one (provider, model, tier, region, project), cut by the instants at which something changes."""

    __slots__ = ("_discounts", "_edges", "_rows", "_segments", "billed_as", "models", "tier")

    def __init__(self, models: list[ModelRow], rows: list[Ranked], discounts: list[DiscountRow], tier: str) -> None:
        self.models = models
        self.tier = tier
        self.billed_as = {unit: whole for model in reversed(models) for unit, whole in model.billed_as.items()}
        self._rows = rows
        self._discounts = discounts
        bounds = [(ranked.row.valid_from, ranked.row.valid_to) for ranked in rows]
        bounds += [(discount.valid_from, discount.valid_to) for discount in discounts]
        self._edges = sorted({edge for pair in bounds for edge in pair if edge is not None})
        self._segments: list[_Segment | None] = [None] * (len(self._edges) + 1)

    def page(self, at: datetime, prompt: int) -> Page:
        number = bisect_right(self._edges, at) if self._edges else 0
        segment = self._segments[number]
        if segment is None:
            start = self._edges[number - 1] if number else None
            segment = self._segments[number] = _Segment(
                self,
                [ranked for ranked in self._rows if _holds(ranked.row, start)],
                [discount for discount in self._discounts if _holds(discount, start)],
            )
        return segment.page(at, prompt)

    def cuts(self, start: datetime, end: datetime, rates: Rates) -> Cuts:
        windows = {ranked.row.window for ranked in self._rows if ranked.row.window is not None}
        instants = {edge for edge in self._edges if start < edge < end}
        instants.update(turn for window in windows for turn in window.turns(start, end))
        for currency in {ranked.row.currency for ranked in self._rows} - {rates.target}:
            instants.update(rates.turns(currency, start, end))
        prompts = {ranked.row.context_over for ranked in self._rows} - {0}
        return Cuts(instants=tuple(sorted(instants)), prompts=tuple(sorted(prompts)))


def _holds(row: PriceRow | DiscountRow, start: datetime | None) -> bool:
    """Does a row hold in the segment that begins at ``start`` (None: the beginning of time)?"""
    if start is None:
        return row.valid_from is None
    return (row.valid_from is None or row.valid_from <= start) and (row.valid_to is None or row.valid_to > start)


class _Segment:
    """A stretch of time in which no row of the card opens or closes."""

    __slots__ = ("_card", "_discounts", "_pages", "_rows", "_thresholds", "_windows")

    def __init__(self, card: Card, rows: list[Ranked], discounts: list[DiscountRow]) -> None:
        self._card = card
        self._rows = rows
        self._discounts = discounts
        self._windows = list(dict.fromkeys(ranked.row.window for ranked in rows if ranked.row.window is not None))
        self._thresholds = sorted({ranked.row.context_over for ranked in rows} - {0})
        self._pages: dict[tuple[int, int], Page] = {}

    def page(self, at: datetime, prompt: int) -> Page:
        # A prompt of exactly the threshold is not over it.
        over = bisect_left(self._thresholds, prompt) if self._thresholds else 0
        open_now = 0
        for number, window in enumerate(self._windows):
            if window.contains(at):
                open_now |= 1 << number
        page = self._pages.get((open_now, over))
        if page is None:
            reached = {0, *self._thresholds[:over]}
            active = {window for number, window in enumerate(self._windows) if open_now >> number & 1}
            rows = [
                ranked
                for ranked in self._rows
                if ranked.row.context_over in reached and (ranked.row.window is None or ranked.row.window in active)
            ]
            page = self._pages[open_now, over] = Page(self._card, rows, self._discounts)
        return page


class Page(dict[str, "Rate | None"]):
    """The rate of each unit, found when first asked for. None: no price."""

    __slots__ = ("_card", "_discounts", "_rows", "_tier_is_offered", "currency", "request", "thinking")

    def __init__(self, card: Card, rows: list[Ranked], discounts: list[DiscountRow]) -> None:
        super().__init__()
        self._card = card
        self._rows = sorted(rows, key=_precedence)
        self._discounts = discounts
        self._tier_is_offered = any(ranked.row.tier == card.tier for ranked in rows)
        # One charge has one currency: that of input, where it has a price. A row in another does not join the sum.
        leading = next((ranked for ranked in self._rows if ranked.row.unit == units.INPUT), None)
        first = leading or next(iter(self._rows), None)
        self.currency = first.row.currency if first else "USD"
        fee = self[units.REQUEST]
        self.request = fee if fee is not None and fee.row.unit == units.REQUEST else None
        self.thinking = any(ranked.row.unit == units.OUTPUT_THINKING for ranked in rows)

    def charged(self, parts: Sequence[tuple[str, int]], *, with_fee: bool) -> Charge:
        """The charge of a call that falls on this page. ``with_fee``: it did not say how many requests it was, so one."""
        total = 0
        ids: list[int] = []
        missing = False
        for unit, count in parts:
            found = self[unit]
            if found is None:
                # Where no fee is listed, a request has none.
                missing = missing or unit != units.REQUEST
                continue
            total += count * found[0] if found[1] == 1 else amount_of(count, found)
            ids.append(found[2])
        if self.request is not None and with_fee:
            total += amount_of(1, self.request)
            ids.append(self.request.price_id)
        if missing:
            if not ids:
                return Charge(None, self.currency, UNPRICED)
            return Charge(as_decimal(total), self.currency, PARTLY_PRICED, tuple(ids))
        return Charge(as_decimal(total), self.currency, PRICED, tuple(ids))

    def __missing__(self, unit: str) -> Rate | None:
        row = self._row(unit)
        found = rate(row, self._percent_off(row, unit)) if row is not None else None
        self[unit] = found
        return found

    def _row(self, unit: str) -> PriceRow | None:
        row = self._listed(unit)
        if row is None and unit in self._card.billed_as:
            row = self._listed(self._card.billed_as[unit])
        if row is None and unit in units.WHOLE_OF:
            row = self._listed(units.WHOLE_OF[unit])
        if row is None:
            row = self._own_whole(unit)
        return row

    def _listed(self, unit: str) -> PriceRow | None:
        for ranked in self._rows:
            row = ranked.row
            if row.unit in (unit, _ANY) and row.tier in (self._card.tier, None) and row.currency == self.currency:
                return row
        # A tier changes some prices of a model; the others stay. A tier the model does not have changes none: it is unknown.
        if self._card.tier == STANDARD or not (self._tier_is_offered or units.per(unit) != units.TOKENS):
            return None
        for ranked in self._rows:
            row = ranked.row
            if row.unit == unit and row.tier == STANDARD and row.currency == self.currency:
                return row
        return None

    def _own_whole(self, unit: str) -> PriceRow | None:
        """For a model that only the user prices, his input and output rates cover every part of input and output."""
        if units.per(unit) != units.TOKENS or any(
            model.layer not in (*OWN_LAYERS, LOCAL) for model in self._card.models
        ):
            return None
        whole = units.OUTPUT if unit.startswith(("output", units.REASONING)) else units.INPUT
        return self._listed(whole) if unit != whole else None

    def _percent_off(self, row: PriceRow, unit: str) -> Decimal | None:
        if row.layer in (CONTRACT, CUSTOM, LOCAL):
            return None
        matching = [discount for discount in self._discounts if fnmatchcase(unit, discount.unit)]
        if not matching:
            return None
        # The most particular one; of equally particular ones the newest.
        return max(
            matching,
            key=lambda d: (d.project_id is not None, _pinned(d.model), _pinned(d.unit), _pinned(d.provider), d.id),
        ).percent


def _pinned(pattern: str) -> int:
    return len(pattern.replace(_ANY, "")) + (_ANY not in pattern)


def _precedence(ranked: Ranked) -> tuple[object, ...]:
    row = ranked.row
    return (
        ranked.place,
        row.project_id is None,
        row.tier is None,
        row.window is None,
        -row.context_over,
        row.region_class is None,
        -row.valid_from.timestamp() if row.valid_from else 0.0,
        -row.id,
    )


def with_thinking(parts: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """All text of an answer that was thought about, as one bucket: some models sell it at a price of its own."""
    answered = sum(count for unit, count in parts if unit in (units.OUTPUT, units.REASONING))
    kept = [(unit, count) for unit, count in parts if unit not in (units.OUTPUT, units.REASONING)]
    return [*kept, (units.OUTPUT_THINKING, answered)]
