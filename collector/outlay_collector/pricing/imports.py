"""The genai-prices catalogue as rows of ours. Only its data is taken; the arithmetic is ``price.py``.

Its package takes 0.8 s and 108 MB to import, so it is imported in the function that reads it, in the process that runs an
import, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from outlay_collector.pricing import names, units
from outlay_collector.pricing.rows import CATALOGUE, STANDARD, ModelRow, PriceRow
from outlay_collector.pricing.windows import Window

PACKAGE = "genai-prices"

_PROVIDERS: dict[str, str] = {
    "google": names.GEMINI,
    "aws": names.BEDROCK,
    "azure": names.AZURE,
    "mistral": names.MISTRAL,
    "x-ai": names.XAI,
    "moonshotai": "moonshot_ai",
    "together": "together_ai",
    "fireworks": "fireworks_ai",
}

_UNITS: dict[str, str] = {
    "input_mtok": units.INPUT,
    "output_mtok": units.OUTPUT,
    "cache_read_mtok": units.CACHE_READ,
    "cache_write_mtok": units.CACHE_WRITE,
    "cache_write_5m_mtok": units.CACHE_WRITE,
    "cache_write_1h_mtok": units.CACHE_WRITE_1H,
    "input_audio_mtok": units.INPUT_AUDIO,
    "output_audio_mtok": units.OUTPUT_AUDIO,
    "cache_audio_read_mtok": units.CACHE_READ_AUDIO,
    "input_image_mtok": "input_image",
    "output_image_mtok": "output_image",
    "cache_image_read_mtok": "cache_read_image",
    "input_video_mtok": "input_video",
    "output_video_mtok": "output_video",
    "cache_video_read_mtok": "cache_read_video",
    "input_text_mtok": "input_text",
    "output_text_mtok": "output_text",
    "output_reasoning_mtok": units.REASONING,
    "output_citation_mtok": "output_citation",
    "input_mchars": "input_character",
    "input_text_messages_kcount": "input_text_message",
    "audio_hours": units.AUDIO_SECOND,
    "input_audio_hours": units.AUDIO_SECOND,
    "output_audio_hours": "output_audio_second",
    "input_gpixels": "input_pixel",
    "input_document_kpages": "input_page",
    "input_annotated_document_kpages": "input_annotated_page",
    "rerank_searches_kcount": "rerank_search",
    "web_searches_kcount": units.WEB_SEARCH,
    "social_searches_kcount": "social_search",
    "storage_searches_kcount": "storage_search",
    "code_executions_kcount": "code_execution",
    "requests_kcount": units.REQUEST,
}

_CLAUSES = {
    "equals": "equals",
    "starts_with": "starts_with",
    "ends_with": "ends_with",
    "contains": "contains",
    "regex": "regex",
    "or_": "or",
    "and_": "and",
}

# Providers whose one price of input is for text, pictures, video and sound alike, where sound is not listed apart.
_ONE_INPUT_PRICE = {names.GEMINI: {units.INPUT_AUDIO: units.INPUT, units.CACHE_READ_AUDIO: units.CACHE_READ}}
# Providers that keep a prompt cache by themselves and charge a write as the input it is, where no price of writes is listed.
_WRITES_ARE_INPUT = frozenset(
    {names.OPENAI, names.AZURE, names.GEMINI, "deepseek", names.XAI, "groq", "moonshot_ai", "zai"}
)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One import, read: where it came from and what it says."""

    name: str  # "genai-prices 0.2.3"
    models: Sequence[ModelRow]
    prices: Sequence[PriceRow]


def package_version() -> str:
    """Of the installed catalogue, without importing it."""
    return version(PACKAGE)


def bundled_catalogue() -> Catalogue:
    """What the pinned package says."""
    from genai_prices.data import providers

    return from_providers(providers, name=f"{PACKAGE} {package_version()}")


def feed_url() -> str:
    """Where the package's authors publish the catalogue."""
    from genai_prices.update_prices import DEFAULT_UPDATE_URL

    return DEFAULT_UPDATE_URL


def from_feed(raw: Any, *, name: str) -> Catalogue:
    """The catalogue's own JSON (its live feed, or a file carried in); ValueError when it is not of that shape."""
    from genai_prices import types

    try:
        providers = types._providers_from_raw(raw)  # pyright: ignore[reportPrivateUsage]  # The package offers no public reader.
    except Exception as error:  # Whatever the package raises, the file is not what it should be.
        raise ValueError(f"{name} is not a genai-prices catalogue: {error}") from error
    return from_providers(providers, name=name)


def from_providers(providers: Iterable[Any], *, name: str) -> Catalogue:
    """Every model and price of ``providers`` (objects of the package)."""
    models: list[ModelRow] = []
    prices: list[PriceRow] = []
    for listed in providers:
        owner = _PROVIDERS[listed.id] if listed.id in _PROVIDERS else str(listed.id)
        url = listed.pricing_urls[0] if listed.pricing_urls else ""
        for position, model in enumerate(listed.models):
            rows = [replace(row, id=len(prices) + number + 1) for number, row in enumerate(_prices(owner, model, url))]
            prices.extend(rows)
            models.append(
                ModelRow(
                    layer=CATALOGUE,
                    provider=owner,
                    model=model.id,
                    match=_clause(model.match),
                    position=position,
                    billed_as=_billed_as(owner, {row.unit for row in rows}),
                    note=model.price_comments,
                )
            )
    return Catalogue(name, models, prices)


def _clause(clause: Any) -> dict[str, Any]:
    ((field, value),) = vars(clause).items()
    kind = _CLAUSES[field]
    return {kind: [_clause(part) for part in value] if kind in ("or", "and") else value}


def _billed_as(owner: str, listed: set[str]) -> dict[str, str]:
    found = dict(_ONE_INPUT_PRICE.get(owner, {}))
    if owner in _WRITES_ARE_INPUT:
        found[units.CACHE_WRITE] = units.INPUT
    if owner == names.OPENAI and units.CACHE_WRITE in listed:
        # OpenAI names the lifetime it always had: 30 minutes is its default, so its price is that of a write.
        found["cache_write:30m"] = units.CACHE_WRITE
    return {unit: whole for unit, whole in found.items() if unit not in listed}


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Prices of one model between two instants, perhaps only at some hours."""

    prices: Any
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    window: Window | None = None
    tier: str = STANDARD


def _prices(owner: str, model: Any, url: str) -> Iterator[PriceRow]:
    for stretch in (*_standard(model.prices), *_variants(model)):
        for unit, over, amount in _amounts(stretch.prices, stretch.tier):
            yield PriceRow(
                id=0,
                layer=CATALOGUE,
                provider=owner,
                model=model.id,
                unit=unit,
                amount=amount,
                per=units.per(unit),
                tier=stretch.tier,
                context_over=over,
                window=stretch.window,
                valid_from=stretch.valid_from,
                valid_to=stretch.valid_to,
                source_url=url,
                source_kind="catalogue",
            )


def _standard(prices: Any) -> list[_Stretch]:
    if not isinstance(prices, list):
        return [_Stretch(prices)]
    dated = [
        (None if item.constraint is None else item.constraint.start_date, item.prices)
        for item in prices
        if not _is_daily(item)
    ]
    found = [
        _Stretch(item, _midnight(start), _midnight(dated[number + 1][0]) if number + 1 < len(dated) else None)
        for number, (start, item) in enumerate(dated)
    ]
    # The catalogue cannot say since when a window holds; it was written down beside the newest dated prices.
    newest = found[-1].valid_from if found else None
    return found + [_Stretch(item.prices, newest, None, _window(item.constraint)) for item in prices if _is_daily(item)]


def _is_daily(item: Any) -> bool:
    return hasattr(item.constraint, "start_time")


def _window(constraint: Any) -> Window:
    def utc(clock: time) -> time:
        aware = datetime.combine(date(2000, 1, 1), clock if clock.tzinfo else clock.replace(tzinfo=UTC))
        return aware.astimezone(UTC).time()

    return Window(start=utc(constraint.start_time), end=utc(constraint.end_time))


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _variants(model: Any) -> Iterator[_Stretch]:
    """Batch, flex, priority and fast prices; a variant names only what differs from the standard price."""
    by_tier: dict[str, list[tuple[datetime | None, Any]]] = {}
    for variant in model.price_variants or ():
        tier = _tier(variant.when)
        if tier:
            start = _midnight(variant.constraint.start_date) if variant.constraint is not None else None
            by_tier.setdefault(tier, []).append((start, variant.prices))
    for tier, starts in by_tier.items():
        starts.sort(key=lambda pair: (pair[0] is not None, pair[0] or datetime.min.replace(tzinfo=UTC)))
        for number, (start, prices) in enumerate(starts):
            until = starts[number + 1][0] if number + 1 < len(starts) else None
            if any(True for _ in _amounts(prices, tier)):
                yield _Stretch(prices, start, until, tier=tier)
            else:
                # A variant without prices says that this tier exists and costs what standard costs.
                for usual in _standard(model.prices):
                    since = max(filter(None, (usual.valid_from, start)), default=None)
                    yield replace(
                        usual,
                        valid_from=since,
                        valid_to=min(filter(None, (usual.valid_to, until)), default=None),
                        tier=tier,
                    )


def _tier(when: Mapping[str, str]) -> str | None:
    """None: a variant that is no tier (a route, a kind of search), or the standard one."""
    if set(when) - {"processing", "service_tier", "speed"} or len(when) != 1:
        return None
    (value,) = when.values()
    tier = names.tier(value)
    return tier if tier in ("batch", "flex", "priority", "fast") else None


def _amounts(prices: Any, tier: str) -> Iterator[tuple[str, int, Decimal]]:
    """(unit, context threshold, amount). A model listed without any price is free of charge, and says so."""
    found: dict[tuple[str, int], Decimal] = {}
    for key, value in vars(prices).items():
        unit = _UNITS.get(key)
        if value is None or unit is None:
            continue
        if isinstance(value, Decimal):
            found.setdefault((unit, 0), value)
        else:
            found.setdefault((unit, 0), value.base)
            for step in value.tiers:
                found.setdefault((unit, step.start), step.price)
    if not found and tier == STANDARD:
        found = {(units.INPUT, 0): Decimal(0), (units.OUTPUT, 0): Decimal(0)}
    for (unit, over), amount in found.items():
        yield unit, over, amount
