"""Names that only LiteLLM's price map knows, trimmed and vendored: the last layer that is asked, and flagged as such.

The map (MIT, github.com/BerriAI/litellm) has no dates, drops retired models and is not always right, so it never overrides
another layer. ``corrections/litellm.json`` was made from the maps inside LiteLLM's wheels by::

    python -m outlay_collector.pricing.fallback MAP.json … > corrections/litellm.json

with the newest map last. It keeps models and tiers that nothing else here prices.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from outlay_collector.pricing import names, units
from outlay_collector.pricing.rows import FALLBACK, STANDARD, ModelRow, PriceRow

_HOSTS = {
    "openai": names.OPENAI,
    "text-completion-openai": names.OPENAI,
    "anthropic": names.ANTHROPIC,
    "gemini": names.GEMINI,
    "vertex_ai-language-models": names.VERTEX,
    "vertex_ai-embedding-models": names.VERTEX,
    "vertex_ai-anthropic_models": names.VERTEX,
    "vertex_ai-llama_models": names.VERTEX,
    "vertex_ai-mistral_models": names.VERTEX,
    "bedrock": names.BEDROCK,
    "bedrock_converse": names.BEDROCK,
    "azure": names.AZURE,
    "azure_ai": names.AZURE_INFERENCE,
    "mistral": names.MISTRAL,
    "xai": names.XAI,
    "deepseek": "deepseek",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "groq": "groq",
    "perplexity": "perplexity",
    "moonshot": "moonshot_ai",
    "together_ai": "together_ai",
    "fireworks_ai": "fireworks_ai",
    "fireworks_ai-embedding-models": "fireworks_ai",
    "cerebras": "cerebras",
    "voyage": "voyageai",
    "deepinfra": "deepinfra",
    "sambanova": "sambanova",
    "nebius": "nebius",
    "hyperbolic": "hyperbolic",
    "ai21": "ai21",
    "jina_ai": "jina_ai",
    "watsonx": "ibm.watsonx.ai",
    "dashscope": "dashscope",
    "zai": "zai",
    "minimax": "minimax",
}
_MODES = frozenset({"chat", "completion", "responses", "embedding", "rerank", "audio_transcription", None})
_UNITS = {
    "input_cost_per_token": units.INPUT,
    "output_cost_per_token": units.OUTPUT,
    "cache_read_input_token_cost": units.CACHE_READ,
    "cache_creation_input_token_cost": units.CACHE_WRITE,
    "cache_creation_input_token_cost_above_1hr": units.CACHE_WRITE_1H,
    "input_cost_per_audio_token": units.INPUT_AUDIO,
    "output_cost_per_audio_token": units.OUTPUT_AUDIO,
    "cache_read_input_audio_token_cost": units.CACHE_READ_AUDIO,
    "output_cost_per_reasoning_token": units.REASONING,
}
_KEY = re.compile(r"^(?P<base>.+?)(?:_above_(?P<over>\d+)k_tokens)?(?:_(?P<tier>batches|flex|priority))?$")
# Places in a name that say where, not what: Bedrock regions and commitments, Azure data zones.
_PLACE = re.compile(r"(^|/)(?:[a-z]{2}-(?:gov-)?[a-z]+-\d|eu|us|global|global-standard|\d+-month-commitment)/")
_MOST = 600  # USD per million tokens; the dearest there ever was
# Known to be ten times too low, from version 1.14 on.
_WRONG = re.compile(r"^claude-instant")

File = Mapping[str, Any]


def read(raw: File) -> tuple[list[ModelRow], list[PriceRow]]:
    """The vendored file as rows. A key is ``unit``, ``unit>threshold`` or either behind ``tier:``."""
    models: list[ModelRow] = []
    prices: list[PriceRow] = []
    checked = date.fromisoformat(raw["checked"])
    for provider, listed in raw["models"].items():
        for position, (name, amounts) in enumerate(listed.items()):
            models.append(
                ModelRow(layer=FALLBACK, provider=provider, model=name, match={"equals": name}, position=position)
            )
            for key, amount in amounts.items():
                tier, _, rest = key.rpartition("|")
                unit, _, over = rest.partition(">")
                prices.append(
                    PriceRow(
                        id=0,
                        layer=FALLBACK,
                        provider=provider,
                        model=name,
                        unit=unit,
                        amount=Decimal(amount),
                        per=units.TOKENS,
                        tier=tier or STANDARD,
                        context_over=int(over or 0),
                        source_url=raw["source"],
                        source_kind="litellm",
                        checked=checked,
                    )
                )
    return models, prices


def trimmed(maps: Sequence[Mapping[str, Mapping[str, Any]]], known: Callable[[str, str], set[tuple[str, str]]]) -> File:
    """What of ``maps`` (oldest first) nothing else prices. ``known`` gives the (unit, tier) pairs priced for a name."""
    newest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for entries in maps:
        for key, entry in entries.items():
            named = _named(key, entry)
            if named:
                newest[named] = entry
    found: dict[str, dict[str, dict[str, str]]] = {}
    for (provider, name), entry in sorted(newest.items()):
        priced = known(provider, name)
        has_standard = any(tier == STANDARD for _, tier in priced)
        amounts = {
            key: amount
            for key, unit, tier, amount in _amounts(entry)
            if (not has_standard or tier != STANDARD) and not any(known_tier == tier for _, known_tier in priced)
        }
        if amounts and (has_standard or units.INPUT in amounts):
            found.setdefault(provider, {})[name] = amounts
    return found


def _named(key: str, entry: Mapping[str, Any]) -> tuple[str, str] | None:
    provider = _HOSTS.get(entry.get("litellm_provider", ""))
    if provider is None or entry.get("mode") not in _MODES or _PLACE.search(key.lower()) or _WRONG.match(key):
        return None
    if not entry.get("input_cost_per_token") or key.endswith("/"):
        return None  # The map writes 0 for what it does not know.
    prefix, _, rest = key.partition("/")
    name = rest if rest and names.provider(prefix) in (provider, names.VERTEX, names.AZURE_INFERENCE) else key
    return provider, name.lower()


def _amounts(entry: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for key, value in entry.items():
        form = _KEY.match(key)
        if form is None or value is None or form["base"] not in _UNITS or isinstance(value, str):
            continue
        unit = _UNITS[form["base"]]
        tier = {"batches": "batch", None: STANDARD}.get(form["tier"], form["tier"])
        assert tier is not None
        per_million = (Decimal(value) * units.TOKENS).normalize()
        if len(per_million.as_tuple().digits) > 6 or per_million > _MOST:
            continue  # A repeating decimal is a price per something else, divided; a huge one is a slip of the comma.
        label = unit + (f">{int(form['over']) * 1000}" if form["over"] else "")
        yield (label if tier == STANDARD else f"{tier}|{label}"), unit, tier, f"{per_million:f}"


def _main(paths: Sequence[str]) -> None:
    from outlay_collector.pricing.bundled import build

    book = build(with_fallback=False)

    def known(provider: str, name: str) -> set[tuple[str, str]]:
        sellers = names.sellers_of(provider)
        rows = {(row.layer, row.provider, row.model) for row in book.find(provider, name) if row.provider in sellers}
        return {
            (price.unit, price.tier or STANDARD)
            for price in book.prices
            if (price.layer, price.provider, price.model) in rows
        }

    maps = [json.loads(Path(path).read_text("utf-8"), parse_float=Decimal) for path in paths]
    file = {
        "source": "https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json",
        "licence": "MIT, Copyright (c) 2023 Berri AI",
        "checked": date.today().isoformat(),  # noqa: DTZ011  # The day somebody looked, where he sat.
        "models": trimmed(maps, known),
    }
    json.dump(file, sys.stdout, ensure_ascii=False, indent=0)


if __name__ == "__main__":
    _main(sys.argv[1:])
