"""Our own reviewed prices: the files in ``corrections/`` as rows.

One file per provider. Every price names a source, which has a URL and the day somebody looked::

    provider: openai
    sources:
      launch: {url: https://…, kind: official, checked: 2026-11-20}
    models:
      - model: gpt-3.5-turbo
        names: [gpt-3.5-turbo, gpt-35-turbo]      # or match: {starts_with: …}
        billed_as: {input_audio: input}           # optional
        complete: true                            # optional: nothing else is asked about this model
        prices:
          - {from: 2023-03-01, to: 2023-06-27, source: launch, usd_per_mtok: {input: 2, output: 2}}
    rules:                                        # what the vendor states for many models at once
      - {tier: batch, from: 2024-04-15, factor: 0.5, units: [input, output], models: [gpt-4o*], source: batch}

Dates are UTC midnights; instants may be given in full. A price may add ``tier``, ``context_over``, ``window`` and
``region_class``. Amounts are quoted ``<currency>_per_<quantity>``: mtok, ktok, k, hour, minute, one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from outlay_collector.pricing import units
from outlay_collector.pricing.rows import CORRECTION, RULE, STANDARD, ModelRow, PriceRow
from outlay_collector.pricing.windows import Window

_QUOTED = re.compile(r"^([a-z]{3})_per_(mtok|ktok|k|hour|minute|one)$")
_QUANTITIES = {"mtok": 1_000_000, "ktok": 1_000, "k": 1_000, "hour": 3_600, "minute": 60, "one": 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What a vendor says about a tier of many models: since when it is sold, and at what part of the standard price.

    ``factor`` None: the tier is only dated back; models without a listed price for it get none.
    """

    provider: str
    tier: str
    region_class: str | None
    valid_from: datetime | None
    valid_to: datetime | None
    factor: Decimal | None
    units: tuple[str, ...]
    models: tuple[str, ...]
    without: tuple[str, ...]
    source_url: str
    source_kind: str
    checked: date | None

    def covers(self, model: str) -> bool:
        name = model.lower()
        return any(fnmatchcase(name, glob) for glob in self.models) and not any(
            fnmatchcase(name, glob) for glob in self.without
        )


@dataclass(frozen=True, slots=True)
class Corrections:
    """Every file read."""

    models: Sequence[ModelRow]
    prices: Sequence[PriceRow]
    rules: Sequence[Rule]


def read(files: Iterable[tuple[str, Mapping[str, Any]]]) -> Corrections:
    """(file name, parsed YAML with every scalar a string) → rows; ValueError names the file and what is wrong in it."""
    models: list[ModelRow] = []
    prices: list[PriceRow] = []
    rules: list[Rule] = []
    for name, raw in files:
        try:
            _read_file(raw, models, prices, rules)
        except (KeyError, ValueError, TypeError, ArithmeticError) as error:
            raise ValueError(f"{name}: {type(error).__name__} {error}") from error
    return Corrections(models, prices, rules)


def _read_file(raw: Mapping[str, Any], models: list[ModelRow], prices: list[PriceRow], rules: list[Rule]) -> None:
    layer = raw.get("layer", CORRECTION)
    sources = raw["sources"]
    for provider in _listed(raw["provider"]):
        for position, model in enumerate(raw.get("models", ())):
            row = ModelRow(
                layer=layer,
                provider=provider,
                model=model["model"],
                match=model.get("match") or {"or": [{"equals": name} for name in model.get("names", [model["model"]])]},
                position=position,
                billed_as=model.get("billed_as", {}),
                complete=model.get("complete") == "true",
                note=model.get("note"),
            )
            models.append(row)
            for price in model.get("prices", ()):
                prices.extend(_price_rows(row, price, sources, len(prices)))
        rules.extend(_rule(provider, rule, sources) for rule in raw.get("rules", ()))


def _price_rows(model: ModelRow, raw: Mapping[str, Any], sources: Mapping[str, Any], taken: int) -> Iterator[PriceRow]:
    source = sources[raw["source"]]
    known = {"source", "from", "to", "tier", "context_over", "window", "region_class"}
    for key, quoted in raw.items():
        if key in known:
            continue
        form = _QUOTED.match(key)
        if form is None:
            raise ValueError(f"{key!r} is no part of a price")
        for unit, amount in quoted.items():
            taken += 1
            tier = raw.get("tier", STANDARD)
            yield PriceRow(
                id=taken,
                layer=model.layer,
                provider=model.provider,
                model=model.model,
                unit=unit,
                amount=Decimal(amount),
                per=_QUANTITIES[form[2]],
                currency=form[1].upper(),
                tier=None if tier == "any" else tier,
                context_over=int(raw.get("context_over", 0)),
                window=Window.from_json(raw["window"]) if "window" in raw else None,
                region_class=raw.get("region_class"),
                valid_from=instant(raw.get("from")),
                valid_to=instant(raw.get("to")),
                source_url=source["url"],
                source_kind=source["kind"],
                checked=date.fromisoformat(source["checked"]),
            )


def _rule(provider: str, raw: Mapping[str, Any], sources: Mapping[str, Any]) -> Rule:
    source = sources[raw["source"]]
    return Rule(
        provider=provider,
        tier=raw.get("tier", STANDARD),
        region_class=raw.get("region_class"),
        valid_from=instant(raw.get("from")),
        valid_to=instant(raw.get("to")),
        factor=Decimal(raw["factor"]) if "factor" in raw else None,
        units=tuple(raw.get("units", (units.INPUT, units.OUTPUT))),
        models=tuple(glob.lower() for glob in raw.get("models", ["*"])),
        without=tuple(glob.lower() for glob in raw.get("without", ())),
        source_url=source["url"],
        source_kind=source["kind"],
        checked=date.fromisoformat(source["checked"]),
    )


def instant(text: str | None) -> datetime | None:
    """``2026-08-16T16:00:00Z`` or a date, which is its midnight in UTC."""
    if text is None or text in ("null", "~", ""):
        return None
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _listed(raw: Any) -> Sequence[str]:
    return [raw] if isinstance(raw, str) else raw


def by_rules(
    rules: Sequence[Rule], models: Iterable[ModelRow], prices: Iterable[PriceRow]
) -> tuple[list[ModelRow], list[PriceRow]]:
    """The prices that ``rules`` state for models of the catalogue or of the corrections, before a listed one exists.

    Where the tier has a listed price, the rule dates it back for as long as the standard price was the same. Otherwise the
    vendor's stated factor is applied to the standard price of the time, if the vendor stated one. Rows keep the layer of the
    corrections they extend; those of the catalogue go to the layer of rules.
    """
    by_model: dict[tuple[str, str, str], list[PriceRow]] = {}
    for row in prices:
        by_model.setdefault((row.layer, row.provider, row.model), []).append(row)
    new_models: list[ModelRow] = []
    new_prices: list[PriceRow] = []
    for model in models:
        own = by_model.get((model.layer, model.provider, model.model), [])
        made = [
            row
            for rule in rules
            if rule.provider == model.provider and rule.covers(model.model)
            for row in _stated(rule, own)
        ]
        if not made:
            continue
        layer = model.layer if model.layer == CORRECTION else RULE
        if layer == RULE:
            new_models.append(replace(model, layer=RULE))
        new_prices.extend(replace(row, layer=layer) for row in made)
    return new_models, new_prices


def _stated(rule: Rule, rows: Sequence[PriceRow]) -> Iterator[PriceRow]:
    # A rule for a region marks up the standard price itself; one for a tier gives way to that tier's listed prices.
    listed = [row for row in rows if row.tier == rule.tier] if rule.tier != STANDARD else []
    starts = [row.valid_from for row in listed]
    if listed and None in starts:
        return
    first = min((start for start in starts if start), default=None)
    until = min(filter(None, (rule.valid_to, first)), default=None)
    for usual in rows:
        if usual.tier != STANDARD:
            continue
        amount = _amount(rule, usual, rows, listed, first)
        since = max(filter(None, (usual.valid_from, rule.valid_from)), default=None)
        end = min(filter(None, (usual.valid_to, until)), default=None)
        if amount is None or (since and end and since >= end):
            continue
        yield replace(
            usual,
            id=0,
            tier=rule.tier,
            region_class=rule.region_class,
            amount=amount,
            valid_from=since,
            valid_to=end,
            source_url=rule.source_url,
            source_kind=rule.source_kind,
            checked=rule.checked,
        )


def _amount(
    rule: Rule, usual: PriceRow, rows: Sequence[PriceRow], listed: Sequence[PriceRow], first: datetime | None
) -> Decimal | None:
    """What the tier cost while ``usual`` was the standard price; None: the tier does not change this unit, or nobody says."""
    if not listed:
        return usual.amount * rule.factor if rule.factor is not None and usual.unit in rule.units else None
    same = [row for row in listed if _same_unit(row, usual) and row.valid_from == first]
    then = [
        row
        for row in rows
        if row.tier == STANDARD and _same_unit(row, usual) and row.window == usual.window and _holds(row, first)
    ]
    if not same or not then:
        return None
    if usual.amount == then[0].amount:
        return same[0].amount
    return usual.amount * rule.factor if rule.factor is not None else None


def _same_unit(row: PriceRow, other: PriceRow) -> bool:
    return row.unit == other.unit and row.context_over == other.context_over


def _holds(row: PriceRow, at: datetime | None) -> bool:
    return (
        at is not None
        and (row.valid_from is None or row.valid_from <= at)
        and (row.valid_to is None or row.valid_to > at)
    )
