"""The price book: every known price, immutable, prepared for looking up.

A call is looked up by provider, model, tier, region and project. That is resolved once into a card; each call then only
picks the card's page for its instant, time of day and prompt length, and multiplies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase

from outlay_collector.pricing import names, units
from outlay_collector.pricing.card import Card, Cuts, Ranked, with_thinking
from outlay_collector.pricing.currencies.rates import Rates
from outlay_collector.pricing.explanation import (
    Explanation,
    Line,
    contradiction,
    gap_of,
    line_of,
    says_nothing,
    with_note,
)
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
    as_decimal,
    buckets,
    times,
)
from outlay_collector.pricing.rows import (
    LAYERS,
    LOCAL,
    OWN_LAYERS,
    DiscountRow,
    ModelRow,
    Pooled,
    PriceRow,
)
from outlay_collector.pricing.usage import Usage

_ANY = "*"
# Model names come from outside, so the number of cards has a bound; a full cache starts over.
_MAX_CARDS = 50_000
_PENDING = Charge(None, "USD", PENDING)
_UNKNOWN = Charge(None, "USD", UNPRICED)


CardKey = tuple[str | None, str | None, str | None, str | None, int | None]
"""Provider, model, tier, region and project, as calls name them: what prices are looked up by."""


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
        self._cards: dict[CardKey, Card | None] = {}

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
        if card is None or (not parts and says_nothing(usage)):
            return _UNKNOWN
        page = card.page(at, usage.input_tokens or 0)
        if page.thinking and usage.reasoning_tokens:
            parts = with_thinking(parts)
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
        charge = page.charged(with_thinking(parts) if thinking else parts, with_fee=True)
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
                reason=contradiction(usage),
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
                reason=with_note(
                    f"no price is known for model {model!r} of provider {provider!r}",
                    self.find(provider, model, project_id),
                ),
                version=self.version,
            )
        page = card.page(at, usage.input_tokens or 0)
        if page.thinking and usage.reasoning_tokens:
            parts = with_thinking(parts)
        if page.request is not None and usage.requests is None and charge.status in (PRICED, PARTLY_PRICED):
            parts.append((units.REQUEST, 1))
        lines = tuple(
            line_of(unit, count, page[unit])
            for unit, count in parts
            if page.request is not None or unit != units.REQUEST
        )
        booked = self.booked(charge, at)
        reason = with_note(gap_of(lines, card.tier, usage), card.models)
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

    def _card(self, key: CardKey) -> Card | None:
        if key in self._cards:
            return self._cards[key]
        provider, model, tier, region, project_id = key
        found = self._find(provider, model, project_id)
        card = self._prepared(found, names.tier(tier), names.region_class(region), project_id)
        if len(self._cards) >= _MAX_CARDS:
            self._cards.clear()
        self._cards[key] = card
        return card

    def _prepared(self, found: _Found, tier: str, region_class: str | None, project_id: int | None) -> Card | None:
        own = any(row.layer in OWN_LAYERS for row in found.models)
        rows: list[Ranked] = []
        for number, model in enumerate(found.models):
            if own and model.layer == LOCAL:
                continue  # The user prices this server: what he left out is unknown, not free.
            rows.extend(
                Ranked(number, row)
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
        return Card(found.models, rows, discounts, tier)


@dataclass(frozen=True, slots=True)
class _Found:
    models: list[ModelRow]
    owners: set[str]
    names: set[str]
