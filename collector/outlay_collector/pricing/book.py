"""The price book: every known price, immutable, prepared for looking up.

A call is looked up by provider, model, tier, region and project. That is resolved once into a card; each call then only
picks the card's page for its instant, time of day and prompt length, and multiplies.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase

from outlay_collector.pricing import names, units
from outlay_collector.pricing.currencies.rates import Rate as FxRate
from outlay_collector.pricing.currencies.rates import Rates
from outlay_collector.pricing.match import Names
from outlay_collector.pricing.price import (
    INVALID,
    PARTLY_PRICED,
    PENDING,
    PRICED,
    UNPRICED,
    Booked,
    Charge,
    InvalidUsageError,
    Rate,
    amount_of,
    as_decimal,
    buckets,
    rate,
    times,
)
from outlay_collector.pricing.rows import (
    CONTRACT,
    CUSTOM,
    LAYERS,
    LOCAL,
    OWN_LAYERS,
    STANDARD,
    DiscountRow,
    ModelRow,
    Pooled,
    PriceRow,
)
from outlay_collector.pricing.usage import Usage
from outlay_collector.pricing.windows import Window

_ANY = "*"
_LAYER_ORDER = {layer: number for number, layer in enumerate(LAYERS)}
# Model names come from outside, so the number of cards has a bound; a full cache starts over.
_MAX_CARDS = 50_000
_PENDING = Charge(None, "USD", PENDING)
_UNKNOWN = Charge(None, "USD", UNPRICED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One bucket of one call, priced or not, with where its rate came from."""

    bucket: str
    quantity: int
    unit: str | None = None  # whose rate was taken; differs from the bucket where the provider bills it so
    amount: Decimal | None = None  # per ``per`` of the unit, before discount
    per: int | None = None
    percent_off: Decimal | None = None
    cost: Decimal | None = None
    currency: str = "USD"
    price_id: int | None = None
    layer: str | None = None
    tier: str | None = None
    context_over: int = 0
    window: Window | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    source_url: str = ""
    source_kind: str = ""
    checked: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """A charge with its reasons. ``provider`` and ``model`` are the book's names for what the call named.

    ``fx_rate`` is what the charge is converted into the instance's currency by, None where none is needed or known.
    """

    charge: Charge
    booked: Booked
    fx_rate: FxRate | None = None
    lines: tuple[Line, ...]
    provider: str | None
    model: str | None
    layers: tuple[str, ...]
    reason: str  # empty when everything has a price
    version: int


CardKey = tuple[str | None, str | None, str | None, str | None, int | None]
"""Provider, model, tier, region and project, as calls name them: what prices are looked up by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cuts:
    """``instants``: between two of them no price of a card changes. ``prompts``: nor while none of these is exceeded."""

    instants: tuple[datetime, ...] = ()
    prompts: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A charge as a formula: (Σ tokens × rate + fee) × factor. ``rates`` are per token, by bucket; ``None``: the cost is
    unknown.

    ``currency`` is None where prices are in the instance's, and ``factor`` where no exchange rate is known.
    ``rows`` are the prices that the rates come from, by bucket, that of the fee under ``request``.
    """

    status: str
    price_ids: tuple[int, ...] = ()
    rates: Mapping[str, Decimal] | None = None
    fee: Decimal = Decimal(0)
    currency: str | None = None
    factor: Decimal | None = Decimal(1)
    fx_rate_id: int | None = None
    rows: Mapping[str, PriceRow] = field(default_factory=dict[str, PriceRow])


class Book:
    """All prices of one catalogue version. Safe to share between threads; never changes."""

    def __init__(
        self,
        models: Iterable[ModelRow] = (),
        prices: Iterable[PriceRow] = (),
        discounts: Iterable[DiscountRow] = (),
        *,
        version: int = 0,
        signature: str = "",
        rates: Rates | None = None,
        pooled: Iterable[Pooled] = (),
    ) -> None:
        self.version = version
        self.signature = signature
        self._pooled: dict[str, list[Pooled]] = {}
        for one in pooled:
            self._pooled.setdefault(one.model, []).append(one)
        self.rates = rates or Rates()
        self._models = tuple(models)
        self._discounts = tuple(discounts)
        self._prices: dict[tuple[str, str, str], list[PriceRow]] = {}
        for row in prices:
            self._prices.setdefault((row.layer, row.provider, row.model), []).append(row)
        grouped: dict[tuple[str, str], list[ModelRow]] = {}
        for model in self._models:
            grouped.setdefault((model.layer, model.provider), []).append(model)
        self._names = {key: Names(group) for key, group in grouped.items()}
        self._cards: dict[CardKey, _Card | None] = {}

    @classmethod
    def from_rows(
        cls,
        models: Iterable[ModelRow],
        prices: Iterable[PriceRow],
        discounts: Iterable[DiscountRow] = (),
        *,
        version: int = 0,
        signature: str = "",
        rates: Rates | None = None,
        pooled: Iterable[Pooled] = (),
    ) -> Book:
        return cls(models, prices, discounts, version=version, signature=signature, rates=rates, pooled=pooled)

    def with_overrides(
        self, models: Iterable[ModelRow], prices: Iterable[PriceRow], discounts: Iterable[DiscountRow] = ()
    ) -> Book:
        """This book with rows of the user's own put before it; this one stays as it is."""
        own = Book(models, prices, discounts)
        book = Book(version=self.version, signature=self.signature, rates=self.rates)
        book._pooled = self._pooled
        book._models = (*own._models, *self._models)
        book._discounts = (*own._discounts, *self._discounts)
        book._prices = {**self._prices}
        for key, rows in own._prices.items():
            book._prices[key] = [*rows, *self._prices.get(key, ())]
        book._names = {**self._names}
        for key in own._names:
            book._names[key] = Names(row for row in book._models if (row.layer, row.provider) == key)
        return book

    @property
    def currency(self) -> str:
        """The instance's, in which costs are summed."""
        return self.rates.target

    @property
    def prices(self) -> Iterable[PriceRow]:
        for rows in self._prices.values():
            yield from rows

    @property
    def models(self) -> Sequence[ModelRow]:
        return self._models

    @property
    def discounts(self) -> Sequence[DiscountRow]:
        return self._discounts

    def charge(
        self,
        *,
        provider: str | None,
        model: str | None,
        usage: Usage,
        at: datetime,
        tier: str | None = None,
        region: str | None = None,
        project_id: int | None = None,
    ) -> Charge:
        """What a call cost that started ``at`` (aware). Never raises on what a client may send."""
        try:
            parts = buckets(usage)
        except (InvalidUsageError, TypeError):
            return Charge(None, "USD", INVALID)
        if self._pooled and self._is_pooled(provider, model, project_id, at):
            return _PENDING
        key = (provider, model, tier, region, project_id)
        try:
            card = self._cards[key]
        except KeyError:
            card = self._card(key)
        if card is None or (not parts and _says_nothing(usage)):
            return _UNKNOWN
        page = card.page(at, usage.input_tokens or 0)
        if page.thinking and usage.reasoning_tokens:
            parts = _with_thinking(parts)
        return page.charged(parts, with_fee=usage.requests is None)

    def _of_pools(self, provider: str | None, model: str | None, project_id: int | None) -> list[Pooled]:
        owner = (provider or "").lower()
        return [
            one
            for one in self._pooled.get((model or "").lower(), ())
            if one.project_id in (None, project_id) and (owner in one.providers or "*" in one.providers)
        ]

    def _is_pooled(self, provider: str | None, model: str | None, project_id: int | None, at: datetime) -> bool:
        return any(
            (one.valid_from is None or one.valid_from <= at) and (one.valid_to is None or at < one.valid_to)
            for one in self._of_pools(provider, model, project_id)
        )

    def booked(self, charge: Charge, at: datetime) -> Booked:
        """The charge of a call that started ``at``, with its cost in the instance's currency."""
        cost, currency, status, price_ids = charge
        if currency == self.rates.target or cost is None:
            return Booked(cost, status, price_ids)
        found = self.rates.find(currency, at)
        if found is None:
            return Booked(None, UNPRICED, price_ids, cost, currency)
        return Booked(times(cost, found.rate), status, price_ids, cost, currency, found.id)

    def cuts(self, key: CardKey, start: datetime, end: datetime) -> Cuts:
        """Where between ``start`` and ``end`` the prices of one card change, and the prompt lengths at which they do."""
        card = self._card(key)
        found = Cuts() if card is None else card.cuts(start, end, self.rates)
        ends = [end for one in self._of_pools(*key[:2], key[4]) for end in (one.valid_from, one.valid_to)]
        pooled = {at for at in ends if at is not None and start < at < end}
        return replace(found, instants=tuple(sorted({*found.instants, *pooled}))) if pooled else found

    def rule(self, key: CardKey, *, at: datetime, prompt: int, used: Sequence[str]) -> Rule | None:
        """What every call of this card is charged that falls between the same cuts and uses these buckets and no others.

        Buckets are those of ``buckets()`` without ``Usage.extra``. ``None`` when a rate has no finite decimals: then only
        call by call is exact.
        """
        if self._is_pooled(*key[:2], key[4], at):
            return Rule(status=PENDING)
        card = self._card(key)
        if card is None:
            return Rule(status=UNPRICED)
        page = card.page(at, prompt)
        parts: list[tuple[str, int]] = [(unit, 1) for unit in used]
        thinking = page.thinking and units.REASONING in used
        charge = page.charged(_with_thinking(parts) if thinking else parts, with_fee=True)
        rates: dict[str, Decimal] = {}
        rows: dict[str, PriceRow] = {}
        for unit in used:
            answer = unit in (units.OUTPUT, units.REASONING)
            found = page[units.OUTPUT_THINKING if thinking and answer else unit]
            if found is not None:
                if found.denominator != 1:
                    return None
                rates[unit], rows[unit] = as_decimal(found.numerator), found.row
        fee = page.request
        if fee is not None and fee.denominator != 1:
            return None
        if fee is not None:
            rows[units.REQUEST] = fee.row
        foreign = charge.cost is not None and charge.currency != self.currency
        found = self.rates.find(charge.currency, at) if foreign else None
        return Rule(
            status=UNPRICED if foreign and found is None else charge.status,
            price_ids=charge.price_ids,
            rates=rates if charge.cost is not None else None,
            fee=as_decimal(fee.numerator) if fee is not None else Decimal(0),
            currency=charge.currency if foreign else None,
            factor=found.rate if found is not None else None if foreign else Decimal(1),
            fx_rate_id=found.id if found is not None else None,
            rows=rows,
        )

    def explain(
        self,
        *,
        provider: str | None,
        model: str | None,
        usage: Usage,
        at: datetime,
        tier: str | None = None,
        region: str | None = None,
        project_id: int | None = None,
    ) -> Explanation:
        """The same charge with its lines, rates, sources, and the reason when something has no price."""
        charge = self.charge(
            provider=provider, model=model, usage=usage, at=at, tier=tier, region=region, project_id=project_id
        )
        card = self._card((provider, model, tier, region, project_id))
        if charge.status == INVALID:
            return Explanation(
                charge=charge,
                booked=self.booked(charge, at),
                lines=(),
                provider=None,
                model=None,
                layers=(),
                reason=_contradiction(usage),
                version=self.version,
            )
        parts = buckets(usage)
        if card is None:
            return Explanation(
                charge=charge,
                booked=self.booked(charge, at),
                lines=tuple(Line(bucket=unit, quantity=count) for unit, count in parts),
                provider=None,
                model=None,
                layers=(),
                reason=_with_note(
                    f"no price is known for model {model!r} of provider {provider!r}",
                    self.find(provider, model, project_id),
                ),
                version=self.version,
            )
        page = card.page(at, usage.input_tokens or 0)
        if page.thinking and usage.reasoning_tokens:
            parts = _with_thinking(parts)
        if page.request is not None and usage.requests is None and charge.status in (PRICED, PARTLY_PRICED):
            parts.append((units.REQUEST, 1))
        lines = tuple(
            _line(unit, count, page[unit]) for unit, count in parts if page.request is not None or unit != units.REQUEST
        )
        booked = self.booked(charge, at)
        reason = _with_note(_gap(lines, card.tier, usage), card.models)
        if booked.cost is None and booked.charge_currency is not None:
            reason = "; ".join(filter(None, (reason, self.rates.why_not(booked.charge_currency, at))))
        return Explanation(
            charge=charge,
            booked=booked,
            fx_rate=self.rates.find(charge.currency, at) if booked.fx_rate_id is not None else None,
            lines=lines,
            provider=card.models[0].provider,
            model=card.models[0].model,
            layers=tuple(dict.fromkeys(line.layer for line in lines if line.layer)),
            reason=reason,
            version=self.version,
        )

    def find(self, provider: str | None, model: str | None, project_id: int | None = None) -> list[ModelRow]:
        """Every row that speaks about this model, in the order in which they are asked."""
        return self._find(provider, model, project_id).models

    def exact_names(self, provider: str | None = None) -> Iterable[tuple[str, str]]:
        """(provider, name) of every model named one by one."""
        for (_, owner), listed in self._names.items():
            if provider is None or owner == provider:
                for name in listed.exact_names():
                    yield owner, name

    def _find(self, provider: str | None, model: str | None, project_id: int | None) -> _Found:
        """The rows that speak about a model, in the order of asking, and who sold it under which names."""
        groups = names.candidates(provider, model) if model else ()
        for group in groups:
            listed = self._of_seller(group)
            if listed:
                break
        else:
            group, listed = (groups[0] if groups else ()), []
        # A host that sells at its vendor's list price is not the vendor: the vendor's contract does not bind it.
        seller = group[0][0] if group else ""
        called = dict.fromkeys(
            [((provider or "").lower(), (model or "").lower()), *(pair for pair in group if pair[0] == seller)]
        )
        own = [row for layer in OWN_LAYERS for row in self._own(layer, list(called), project_id)]
        return _Found([*own, *listed], {owner for owner, _ in called}, {name for _, name in called})

    def _of_seller(self, group: names.Candidates) -> list[ModelRow]:
        """What each list layer says about one seller's model."""
        found: list[ModelRow] = []
        for layer in LAYERS:
            row = None if layer in OWN_LAYERS else self._first(layer, group)
            if row is not None:
                found.append(row)
                if row.complete:
                    break
        return found

    def _first(self, layer: str, group: names.Candidates) -> ModelRow | None:
        for owner, name in group:
            listed = self._names.get((layer, owner))
            row = listed.find(name) if listed else None
            if row is not None:
                return row
        return None

    def _own(self, layer: str, called: Sequence[tuple[str, str]], project_id: int | None) -> Iterable[ModelRow]:
        """The user's own rows may say ``*`` for the provider, and mean the name as sent or as the book knows it."""
        best: dict[int, tuple[bool, int, ModelRow]] = {}
        for owner, name in called:
            for key in (owner, _ANY):
                listed = self._names.get((layer, key))
                for score, row in listed.find_all(name, project_id) if listed else ():
                    if id(row) not in best or score > best[id(row)][1]:
                        best[id(row)] = (row.project_id is None, score, row)
        return [row for _, _, row in sorted(best.values(), key=lambda entry: (entry[0], -entry[1], entry[2].position))]

    def _card(self, key: CardKey) -> _Card | None:
        if key in self._cards:
            return self._cards[key]
        provider, model, tier, region, project_id = key
        found = self._find(provider, model, project_id)
        card = self._prepared(found, names.tier(tier), names.region_class(region), project_id)
        if len(self._cards) >= _MAX_CARDS:
            self._cards.clear()
        self._cards[key] = card
        return card

    def _prepared(self, found: _Found, tier: str, region_class: str | None, project_id: int | None) -> _Card | None:
        own = any(row.layer in OWN_LAYERS for row in found.models)
        rows: list[_Ranked] = []
        for number, model in enumerate(found.models):
            if own and model.layer == LOCAL:
                continue  # The user prices this server: what he left out is unknown, not free.
            rows.extend(
                _Ranked(number, row)
                for row in self._prices.get((model.layer, model.provider, model.model), ())
                if row.project_id in (None, project_id) and row.region_class in (None, region_class)
            )
        if not rows:
            return None
        called = {*found.names, *(row.model.lower() for row in found.models)}
        discounts = [
            discount
            for discount in self._discounts
            if discount.project_id in (None, project_id)
            and any(fnmatchcase(owner, discount.provider.lower()) for owner in found.owners)
            and any(fnmatchcase(name, discount.model.lower()) for name in called)
        ]
        return _Card(found.models, rows, discounts, tier)


@dataclass(frozen=True, slots=True)
class _Found:
    models: list[ModelRow]
    owners: set[str]
    names: set[str]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """A price row with the place of its model in the order of asking."""

    place: int
    row: PriceRow


class _Card:
    """All prices of one (provider, model, tier, region, project), cut by the instants at which something changes."""

    __slots__ = ("_discounts", "_edges", "_rows", "_segments", "billed_as", "models", "tier")

    def __init__(self, models: list[ModelRow], rows: list[_Ranked], discounts: list[DiscountRow], tier: str) -> None:
        self.models = models
        self.tier = tier
        self.billed_as = {unit: whole for model in reversed(models) for unit, whole in model.billed_as.items()}
        self._rows = rows
        self._discounts = discounts
        bounds = [(ranked.row.valid_from, ranked.row.valid_to) for ranked in rows]
        bounds += [(discount.valid_from, discount.valid_to) for discount in discounts]
        self._edges = sorted({edge for pair in bounds for edge in pair if edge is not None})
        self._segments: list[_Segment | None] = [None] * (len(self._edges) + 1)

    def page(self, at: datetime, prompt: int) -> _Page:
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

    def __init__(self, card: _Card, rows: list[_Ranked], discounts: list[DiscountRow]) -> None:
        self._card = card
        self._rows = rows
        self._discounts = discounts
        self._windows = list(dict.fromkeys(ranked.row.window for ranked in rows if ranked.row.window is not None))
        self._thresholds = sorted({ranked.row.context_over for ranked in rows} - {0})
        self._pages: dict[tuple[int, int], _Page] = {}

    def page(self, at: datetime, prompt: int) -> _Page:
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
            page = self._pages[open_now, over] = _Page(self._card, rows, self._discounts)
        return page


class _Page(dict[str, "Rate | None"]):
    """The rate of each unit, found when first asked for. None: no price."""

    __slots__ = ("_card", "_discounts", "_rows", "_tier_is_offered", "currency", "request", "thinking")

    def __init__(self, card: _Card, rows: list[_Ranked], discounts: list[DiscountRow]) -> None:
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


def _precedence(ranked: _Ranked) -> tuple[object, ...]:
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


def _with_thinking(parts: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """All text of an answer that was thought about, as one bucket: some models sell it at a price of its own."""
    answered = sum(count for unit, count in parts if unit in (units.OUTPUT, units.REASONING))
    kept = [(unit, count) for unit, count in parts if unit not in (units.OUTPUT, units.REASONING)]
    return [*kept, (units.OUTPUT_THINKING, answered)]


def _says_nothing(usage: Usage) -> bool:
    """No count at all was given; zero is a count."""
    return (
        usage.input_tokens is None
        and usage.output_tokens is None
        and usage.audio_seconds is None
        and usage.web_search_calls is None
        and usage.requests is None
        and not usage.extra
    )


def _contradiction(usage: Usage) -> str:
    try:
        buckets(usage)
    except (InvalidUsageError, TypeError) as error:
        return str(error)
    return ""


def _line(bucket: str, quantity: int, found: Rate | None) -> Line:
    if found is None:
        return Line(bucket=bucket, quantity=quantity)
    row = found.row
    return Line(
        bucket=bucket,
        quantity=quantity,
        unit=bucket if row.unit == _ANY else row.unit,
        amount=row.amount,
        per=row.per,
        percent_off=found.percent_off,
        cost=as_decimal(amount_of(quantity, found)),
        currency=row.currency,
        price_id=row.id,
        layer=row.layer,
        tier=row.tier,
        context_over=row.context_over,
        window=row.window,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        source_url=row.source_url,
        source_kind=row.source_kind,
        checked=row.checked,
    )


def _with_note(reason: str, models: Iterable[ModelRow]) -> str:
    """A row that is complete may know why it has no price."""
    note = next((row.note for row in models if row.complete and row.note), None)
    return f"{reason} ({note})" if reason and note else reason


def _gap(lines: Sequence[Line], tier: str, usage: Usage) -> str:
    if not lines and _says_nothing(usage):
        return "the call reports no usage"
    without = [line.bucket for line in lines if line.cost is None]
    if not without:
        return ""
    where = "" if tier == STANDARD else f" in tier {tier!r}"
    return f"no price is known{where} for: {', '.join(without)}"
