"""Calls and ledger lines as rows of a FOCUS file. Pure; every amount is exact.

Calls come as groups that were charged alike. The price book says which rate each meter had; a group is cut into meters only
if that gives the very cost that was booked, else it stays one row. So the rows sum to the spend, whatever happened since.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

from outlay_collector.export.columns import CRITERIA, DECIMAL, DESCRIPTIONS, FLAG, JSON, TIME, VERSIONS, WHOLE
from outlay_collector.ledger.buckets import Window, day_window
from outlay_collector.pricing import names, units
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.explanation import Line
from outlay_collector.pricing.price import InvalidUsageError, buckets
from outlay_collector.pricing.reprice.rules import BUCKETS, REPRICED, SAYS_NOTHING
from outlay_collector.pricing.rows import PriceRow
from outlay_collector.pricing.usage import Usage

EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
_FINEST = Decimal("1e-24")
_ZERO = Decimal(0)

ALL_METERS = "all"
"""Meter of a row whose cost could not be cut."""

_DISPLAY = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "gcp.gemini": "Google",
    "gcp.vertex_ai": "Google Cloud",
    "aws.bedrock": "AWS",
    "azure.ai.openai": "Microsoft",
    "azure.ai.inference": "Microsoft",
    "mistral_ai": "Mistral AI",
    "x_ai": "xAI",
    "deepseek": "DeepSeek",
    "cohere": "Cohere",
    "groq": "Groq",
    "upstage": "Upstage",
    "naver": "NAVER Cloud",
}
_SERVICES = {
    "aws.bedrock": "Amazon Bedrock",
    "azure.ai.openai": "Azure OpenAI Service",
    "gcp.vertex_ai": "Vertex AI",
    "gcp.gemini": "Gemini API",
}

# What a ledger line of a kind is in FOCUS; other kinds are usage. A month's seats are that too, for a purchase in FOCUS is
# one of something to be used later, whose effective cost is 0.
_RECURRING = ("seat", "seats", "subscription", "provisioned_throughput", "commitment")
_ADJUSTMENTS = ("adjustment", "reconciliation", "correction")

TAGGED = ("environment", "service", "team", "cost_center", "owner", "feature")
"""Dimensions that go into Tags, under ``outlay/``; tags of calls keep their own keys."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of the file, in FOCUS's words. ``cost`` is None where no price is known; the four costs are then 0."""

    billed_cost: Decimal
    effective_cost: Decimal
    list_cost: Decimal
    contracted_cost: Decimal
    list_unit_price: Decimal | None = None
    contracted_unit_price: Decimal | None = None
    billing_currency: str
    pricing_currency: str
    pricing_currency_effective_cost: Decimal
    pricing_currency_list_unit_price: Decimal | None = None
    pricing_currency_contracted_unit_price: Decimal | None = None
    billing_account_id: str
    billing_account_name: str | None = None
    billing_period_start: datetime
    billing_period_end: datetime
    charge_period_start: datetime
    charge_period_end: datetime
    charge_category: str = "Usage"
    charge_class: str | None = None
    charge_description: str
    charge_frequency: str = "Usage-Based"
    consumed_quantity: Decimal | None = None
    consumed_unit: str | None = None
    pricing_quantity: Decimal | None = None
    pricing_unit: str | None = None
    pricing_category: str | None = None
    commitment_discount_status: str | None = None
    provider_name: str
    publisher_name: str
    invoice_issuer_name: str
    invoice_id: str | None = None
    service_name: str
    service_category: str = "AI and Machine Learning"
    service_subcategory: str = "Generative AI"
    sub_account_id: str
    sub_account_name: str
    resource_id: str | None = None
    resource_name: str | None = None
    resource_type: str | None = None
    region_id: str | None = None
    region_name: str | None = None
    sku_id: str | None = None
    sku_meter: str | None = None
    sku_price_id: str | None = None
    sku_price_details: str | None = None
    tags: str | None = None
    cost: Decimal | None
    unpriced: bool = False
    calls: int = 0
    provider: str | None = None
    model: str | None = None
    meter: str | None = None
    tier: str | None = None
    usage_source: str | None = None
    cost_source: str | None = None
    price_version: int | None = None
    ledger_kind: str | None = None
    ledger_cause: str | None = None
    incurred_start: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """Calls of one project and day that were charged alike. ``quantities`` are tokens in the order of ``BUCKETS``.

    ``used`` as in ``pricing.reprice``; below 0 the calls used something further, each of them what ``usage`` says.
    """

    project_id: int
    project: str
    day: date
    hour: datetime | None
    provider: str | None
    model: str | None
    service_tier: str | None
    region: str | None
    account: str | None
    dimensions: Mapping[str, str]
    tags: Mapping[str, Any]
    charge_status: str
    usage_source: str
    price_version: int | None
    charge_currency: str | None
    used: int
    usage: Usage | None
    calls: int
    quantities: tuple[int, ...]
    cost: Decimal | None
    charge_cost: Decimal | None
    at: datetime
    prompt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Booked:
    """Ledger lines of one project and day that are alike but for their amount."""

    project: str
    day: date
    incurred_day: date
    kind: str
    cause: str
    dimensions: Mapping[str, Any]
    corrects_month: bool
    cost: Decimal
    quantity: Decimal | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Meter:
    """A part of what a group of calls used, with what it cost; ``cost`` and ``price`` are None where nobody knows."""

    name: str
    quantity: int
    cost: Decimal | None
    price: PriceRow | None
    unit_price: Decimal | None = None  # per one, after discounts
    charged: Decimal | None = None  # cost and unit price in the currency of the price, where that is another one
    charged_unit_price: Decimal | None = None


@dataclass(kw_only=True)
class Export:
    """A month as it is exported: the stretch of time, the currency, and the rows made so far."""

    month: str
    window: Window
    zone: ZoneInfo
    currency: str
    rows: dict[tuple[Any, ...], Row] = field(default_factory=dict[tuple[Any, ...], Row])

    def add_calls(self, group: Calls, book: Book | None) -> None:
        for meter in meters(group, book):
            self._add(self._usage(group, meter))

    def add_booked(self, booked: Booked) -> None:
        self._add(self._ledger(booked))

    def total(self) -> Decimal:
        return exact_sum(row.billed_cost for row in self.rows.values())

    def sorted_rows(self) -> list[Row]:
        def order(row: Row) -> tuple[Any, ...]:
            said = (row.sub_account_id, row.provider or "", row.model or "", row.meter or "", row.tags or "")
            return (row.charge_period_start, *said, row.sku_price_id or "", row.unpriced)

        return sorted(self.rows.values(), key=order)

    def metadata(self, *, version: str, made_at: datetime, closed: bool, complete_until: datetime) -> dict[str, Any]:
        """What a reader of the file has to know of it."""
        unpriced = [row for row in self.rows.values() if row.unpriced]
        return {
            "focus_version": version,
            "dataset": "CostAndUsage",
            "generator": "Outlay",
            "creation_date": _time(made_at),
            "month": self.month,
            "time_zone": self.zone.key,
            "billing_period_start": _time(self.window.start),
            "billing_period_end": _time(self.window.end),
            "month_closed": closed,
            "complete_until": _time(min(complete_until, self.window.end)),
            "basis": "booked",
            "billing_currency": self.currency,
            "rows": len(self.rows),
            "billed_cost": plain(self.total()),
            "unpriced_rows": len(unpriced),
            "unpriced_quantity": plain(exact_sum(row.consumed_quantity or _ZERO for row in unpriced)),
            "applicability_criteria": list(CRITERIA),
            "notes": [
                "Costs are computed from measured usage and dated prices; they are no invoice, so there is no InvoiceId.",
                "Rows with x_Unpriced=true have a quantity and no known price: their cost is unknown, not 0.",
                "Days are those of time_zone; timestamps are UTC, period ends are excluded.",
            ],
            "columns": [
                {"name": column.name, "type": column.kind}
                | ({"description": DESCRIPTIONS[column.name]} if column.name in DESCRIPTIONS else {})
                for column in VERSIONS[version]
            ],
        }

    def _add(self, row: Row) -> None:
        key = tuple(getattr(row, name) for name in _KEY)
        known = self.rows.get(key)
        self.rows[key] = row if known is None else _joined(known, row)

    def _usage(self, group: Calls, meter: Meter) -> Row:
        per = units.per(meter.name) if meter.name not in (ALL_METERS, units.REQUEST) else 1
        if meter.price is not None:
            per = meter.price.per
        quantity = Decimal(meter.quantity)
        amount = _ZERO if meter.cost is None else meter.cost
        priced_quantity = EXACT.divide(quantity, per)
        listed, contracted = _unit_prices(group, meter, per, amount, priced_quantity)
        list_cost = amount if listed == contracted else EXACT.multiply(listed, priced_quantity)
        tier = names.tier(group.service_tier)
        sku = f"{group.provider or 'unknown'}/{group.model or 'unknown'}"
        unpriced = meter.cost is None
        return Row(
            billed_cost=amount,
            effective_cost=amount,
            list_cost=list_cost,
            contracted_cost=amount,
            list_unit_price=listed,
            contracted_unit_price=contracted,
            **self._pricing(group, meter, per, listed, contracted),
            charge_description=_said(group, meter, tier),
            consumed_quantity=quantity,
            consumed_unit=_unit(meter.name),
            pricing_quantity=priced_quantity,
            pricing_unit=_unit(meter.name) if per == 1 else f"{per} {_unit(meter.name)}",
            pricing_category="Other" if unpriced else "Standard",
            resource_id=sku,
            resource_name=group.model,
            resource_type="Model",
            region_id=group.region,
            region_name=group.region,
            sku_id=sku,
            sku_meter=meter.name,
            sku_price_id=f"{sku}:{meter.name}:{tier}:{_price_name(meter)}",
            sku_price_details=_details(meter.price, tier),
            tags=_tags(group.tags, group.dimensions),
            cost=meter.cost,
            unpriced=unpriced,
            calls=group.calls,
            provider=group.provider,
            model=group.model,
            meter=meter.name,
            tier=tier,
            usage_source=group.usage_source,
            cost_source=meter.price.layer if meter.price else None,
            price_version=group.price_version,
            **self._common(group.project, group.day, group.provider, group.account),
        )

    def _pricing(self, group: Calls, meter: Meter, per: int, listed: Decimal, contracted: Decimal) -> dict[str, Any]:
        """The same in the currency that the price is in."""
        cost, currency = meter.cost or _ZERO, self.currency
        if meter.charged is not None and group.charge_currency is not None:
            cost, currency = meter.charged, group.charge_currency
            if meter.charged_unit_price is not None:
                contracted = EXACT.multiply(meter.charged_unit_price, per)
                listed = meter.price.amount if meter.price is not None else contracted
        return {
            "pricing_currency": currency,
            "pricing_currency_effective_cost": cost,
            "pricing_currency_list_unit_price": listed,
            "pricing_currency_contracted_unit_price": contracted,
        }

    def _ledger(self, booked: Booked) -> Row:
        said = booked.dimensions
        provider, model, account = (said.get(name) for name in ("provider", "model", "account"))
        category = _category(booked)
        is_plain = category == "Usage"
        quantity = (booked.quantity or Decimal(1)) if is_plain else None
        unit = (booked.unit or "Units").replace("_", " ") if is_plain else None
        unit_price = EXACT.divide(booked.cost, quantity) if quantity else None
        tags = {name: said[name] for name in TAGGED if said.get(name)}
        incurred = day_window(booked.incurred_day, self.zone).start
        sku = f"{provider or 'unknown'}/{model or booked.kind}"
        return Row(
            billed_cost=booked.cost,
            effective_cost=booked.cost,
            list_cost=booked.cost,
            contracted_cost=booked.cost,
            list_unit_price=unit_price,
            contracted_unit_price=unit_price,
            pricing_currency=self.currency,
            pricing_currency_effective_cost=booked.cost,
            pricing_currency_list_unit_price=unit_price,
            pricing_currency_contracted_unit_price=unit_price,
            charge_category=category,
            charge_class="Correction" if booked.corrects_month else None,
            charge_description=f"{booked.kind.replace('_', ' ')}: {booked.cause.replace('_', ' ')}",
            charge_frequency=_frequency(booked.kind, category),
            consumed_quantity=quantity,
            consumed_unit=unit,
            pricing_quantity=quantity,
            pricing_unit=unit,
            pricing_category="Standard" if is_plain else None,
            region_id=said.get("region"),
            region_name=said.get("region"),
            sku_id=sku if is_plain else None,
            sku_meter=booked.kind if is_plain else None,
            sku_price_id=f"{sku}:{booked.kind}" if is_plain else None,
            tags=_tags(said.get("tags") or {}, tags),
            cost=booked.cost,
            provider=provider,
            model=model,
            tier=said.get("service_tier"),
            cost_source="ledger",
            ledger_kind=booked.kind,
            ledger_cause=booked.cause,
            incurred_start=incurred,
            **self._common(booked.project, booked.day, provider, account),
        )

    def _common(self, project: str, day: date, provider: str | None, account: str | None) -> dict[str, Any]:
        of_day = day_window(day, self.zone)
        issuer = _DISPLAY.get(provider or "", provider or "Unknown")
        return {
            "billing_currency": self.currency,
            "billing_account_id": account or provider or "unknown",
            "billing_period_start": self.window.start,
            "billing_period_end": self.window.end,
            "charge_period_start": of_day.start,
            "charge_period_end": of_day.end,
            "provider_name": issuer,
            "publisher_name": issuer,
            "invoice_issuer_name": issuer,
            "service_name": _SERVICES.get(provider or "", f"{issuer} API" if provider else "Unknown"),
            "sub_account_id": project,
            "sub_account_name": project,
        }


_ADDED = (
    "billed_cost", "effective_cost", "list_cost", "contracted_cost", "consumed_quantity", "pricing_quantity", "cost",
    "calls", "pricing_currency_effective_cost",
)  # fmt: skip
_KEY = tuple(one.name for one in fields(Row) if one.name not in _ADDED)


def _joined(one: Row, other: Row) -> Row:
    """Rows that differ in nothing but their sums."""
    sums: dict[str, Any] = {}
    for name in _ADDED:
        left, right = getattr(one, name), getattr(other, name)
        if left is not None and right is not None:
            sums[name] = left + right if isinstance(left, int) else EXACT.add(left, right)
    return replace(one, **sums)


def meters(group: Calls, book: Book | None) -> list[Meter]:
    """What the group used, meter by meter; their known costs sum to the group's cost exactly."""
    known = group.cost if group.charge_currency is None else group.charge_cost
    found: list[Meter] | None = None
    if book is not None and group.charge_status in REPRICED:
        found = _apart(group, book) if group.used < 0 else _by_rule(group, book)
    if found is not None and not _agree(found, known):
        found = None
    if found is None and known is None:
        found = _without_price(group)
    if found is None:
        found = [_whole(group, known)]
    if group.charge_currency is not None and known is not None:
        found = _converted(found, known, group.cost)
    return found


def _agree(found: Iterable[Meter], known: Decimal | None) -> bool:
    costs = [meter.cost for meter in found if meter.cost is not None]
    return exact_sum(costs) == known if known is not None else not costs


def _by_rule(group: Calls, book: Book) -> list[Meter] | None:
    """The meters of calls whose usage has columns, by the rule that repricing multiplies with."""
    if group.used & SAYS_NOTHING:
        return None
    used = [bucket for bit, bucket in enumerate(BUCKETS) if group.used >> bit & 1]
    card = (group.provider, group.model, group.service_tier, group.region, group.project_id)
    rule = book.rule(card, at=group.at, prompt=group.prompt, used=used)
    if rule is None:
        return None
    rates = rule.rates or {}
    found: list[Meter] = []
    for bit, bucket in enumerate(BUCKETS):
        if group.used >> bit & 1:
            quantity, rate = group.quantities[bit], rates.get(bucket)
            cost = None if rate is None else EXACT.multiply(rate, quantity)
            found.append(Meter(bucket, quantity, cost, rule.rows.get(bucket) if cost is not None else None, rate))
    if rule.rates is not None and (rule.fee or not found):
        fee = EXACT.multiply(rule.fee, group.calls)
        found.append(Meter(units.REQUEST, group.calls, fee, rule.rows.get(units.REQUEST), rule.fee))
    return found or None


def _apart(group: Calls, book: Book) -> list[Meter] | None:
    """The meters of calls that used something further, by the price book's own explanation of one of them."""
    explained = book.explain(
        provider=group.provider,
        model=group.model,
        usage=group.usage or Usage(),
        at=group.at,
        tier=group.service_tier,
        region=group.region,
        project_id=group.project_id,
    )
    return [_of_line(line, group.calls) for line in explained.lines] or None


def _of_line(line: Line, calls: int) -> Meter:
    quantity = line.quantity * calls
    if line.cost is None or line.amount is None or line.per is None:
        return Meter(line.bucket, quantity, None, None)
    price = PriceRow(
        id=line.price_id or 0,
        layer=line.layer or "",
        provider="",
        model="",
        unit=line.unit or line.bucket,
        amount=line.amount,
        per=line.per,
        currency=line.currency,
        tier=line.tier,
        context_over=line.context_over,
        source_url=line.source_url,
    )
    rate = EXACT.divide(line.cost, line.quantity) if line.quantity else _ZERO
    return Meter(line.bucket, quantity, EXACT.multiply(line.cost, calls), price, rate)


def _without_price(group: Calls) -> list[Meter]:
    """Quantities alone; of calls that say nothing, that they happened."""
    if group.used < 0:
        try:
            parts = buckets(group.usage or Usage())
        except (InvalidUsageError, TypeError):
            parts = []
        found = [Meter(name, count * group.calls, None, None) for name, count in parts]
    else:
        found = [
            Meter(bucket, quantity, None, None)
            for bit, (bucket, quantity) in enumerate(zip(BUCKETS, group.quantities, strict=True))
            if group.used >> bit & 1
        ]
    return found or [Meter(units.REQUEST, group.calls, None, None)]


def _whole(group: Calls, cost: Decimal | None) -> Meter:
    tokens = sum(group.quantities) if group.used >= 0 else 0
    return Meter(ALL_METERS, tokens, cost, None) if tokens else Meter(units.REQUEST, group.calls, cost, None)


def _converted(found: list[Meter], known: Decimal, cost: Decimal | None) -> list[Meter]:
    """Meters in the instance's currency: in proportion, the last priced one takes what rounding left."""
    if cost is None:
        return [replace(meter, cost=None, price=None, unit_price=None) for meter in found]
    priced = [number for number, meter in enumerate(found) if meter.cost is not None]
    rest = cost
    result = list(found)
    for number in priced:
        meter = found[number]
        assert meter.cost is not None
        if number == priced[-1] or not known:
            share = rest
        else:
            share = EXACT.divide(EXACT.multiply(cost, meter.cost), known).quantize(_FINEST, context=EXACT)
        rest = EXACT.subtract(rest, share)
        rate = EXACT.divide(share, meter.quantity) if meter.quantity else _ZERO
        result[number] = replace(
            meter, cost=share, unit_price=rate, charged=meter.cost, charged_unit_price=meter.unit_price
        )
    return result


def _unit_prices(group: Calls, meter: Meter, per: int, amount: Decimal, quantity: Decimal) -> tuple[Decimal, Decimal]:
    """List and contracted price of one pricing unit, in the instance's currency."""
    if meter.price is None or meter.unit_price is None:
        even = EXACT.divide(amount, quantity) if quantity else amount
        return even, even
    contracted = EXACT.multiply(meter.unit_price, per)
    # A price in another currency is shown as it came out in the instance's, discounts included.
    return (contracted if group.charge_currency is not None else meter.price.amount), contracted


def _price_name(meter: Meter) -> str:
    if meter.cost is None:
        return "unpriced"
    return str(meter.price.id) if meter.price and meter.price.id else "booked"


def _said(group: Calls, meter: Meter, tier: str) -> str:
    what = f"{group.model or 'unknown model'}, {meter.name}" + ("" if tier == "standard" else f", {tier}")
    if meter.cost is None:
        return f"Not priced, quantity only: {what}"
    return what


def _unit(meter: str) -> str:
    if meter == ALL_METERS or units.per(meter) == units.TOKENS:
        return "Tokens"
    return {units.WEB_SEARCH: "Searches", units.AUDIO_SECOND: "Seconds", "output_audio_second": "Seconds"}.get(
        meter, "Requests"
    )


def _details(price: PriceRow | None, tier: str) -> str | None:
    if price is None:
        return None
    said: dict[str, Any] = {"x_ServiceTier": tier, "x_PriceLayer": price.layer}
    if price.context_over:
        said["x_ContextOverTokens"] = price.context_over
    if price.source_url:
        said["x_SourceUrl"] = price.source_url
    return _json(said)


def _tags(own: Mapping[str, Any], dimensions: Mapping[str, Any]) -> str | None:
    found = {key: value if isinstance(value, str) else str(value) for key, value in own.items()}
    found |= {f"outlay/{name}": str(value) for name, value in dimensions.items() if value is not None}
    return _json(found) if found else None


def _category(booked: Booked) -> str:
    if booked.kind in _ADJUSTMENTS:
        return "Adjustment"
    if booked.kind == "credit" or booked.cost < 0:
        return "Credit"
    return "Usage"


def _frequency(kind: str, category: str) -> str:
    if category != "Usage":
        return "One-Time"
    return "Recurring" if kind in _RECURRING else "Usage-Based"


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """Without rounding to the 28 digits of Python's own context."""
    with localcontext(EXACT):
        return sum(amounts, _ZERO)


def plain(amount: Decimal) -> str:
    """Without exponent and trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimal(amount: Decimal) -> str:
    """With a decimal point, so that whoever guesses types by the text reads no column of it as whole numbers."""
    text = plain(amount)
    return text if "." in text else f"{text}.0"


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _time(instant: datetime) -> str:
    return f"{instant.astimezone(ZoneInfo('UTC')):%Y-%m-%dT%H:%M:%SZ}"


_WRITTEN: Mapping[str, Callable[[Any], str]] = {
    DECIMAL: _decimal,
    TIME: _time,
    FLAG: lambda flag: "true" if flag else "false",
    WHOLE: str,
    JSON: str,
}


def cells(row: Row, version: str) -> list[str]:
    """The row as text; what is null is empty."""
    found: list[str] = []
    for column in VERSIONS[version]:
        value = getattr(row, column.field)
        found.append("" if value is None else _WRITTEN.get(column.kind, str)(value))
    return found
