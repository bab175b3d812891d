"""What the words of bills mean."""

from __future__ import annotations

import pytest
from outlay_collector.bills.words import azure, bedrock, family, meter, openai_line_item, tier


@pytest.mark.parametrize(
    ("item", "model", "meant", "at"),
    [
        ("gpt-5.5-2026-04-23, input", "gpt-5.5-2026-04-23", "input", None),
        ("gpt-5.5-2026-04-23, cached input", "gpt-5.5-2026-04-23", "cache_read", None),
        ("gpt-4.1-2025-04-14, output", "gpt-4.1-2025-04-14", "output", None),
        ("priority | gpt-5.6-sol, output, long context", "gpt-5.6-sol", "output", "priority"),
        ("gpt-audio-mini-2025-12-15 audio, input", "gpt-audio-mini-2025-12-15", "input_audio", None),
        ("gpt-image-2.5-flare image, output", "gpt-image-2.5-flare", "output_image", None),
        ("ft-gpt-4o-2024-08-06, input", "ft:gpt-4o-2024-08-06", "input", None),
        ("web search tool calls", None, "web_search", None),
        ("Vector storage", None, "storage", None),
        ("", None, "all", None),
    ],
)
def test_line_items_of_openai(item: str, model: str | None, meant: str, at: str | None) -> None:
    said = openai_line_item(item)
    assert (said.model, said.meter, said.tier) == (model, meant, at)


@pytest.mark.parametrize(
    ("usage", "model", "meant", "at"),
    [
        ("USE1-Claude3.5Sonnet-input-tokens", "claude-3-5-sonnet", "input", None),
        ("USE1-Claude3Sonnet-output-tokens", "claude-3-sonnet", "output", None),
        ("USE1-NovaMicro-input-tokens-batch", "amazon.nova-micro", "input", "batch"),
        ("USE1-qwen.qwen3-32b-mantle-output-tokens-flex", "qwen.qwen3-32b", "output", "flex"),
        ("USE1-Llama4-Maverick-17B-input-tokens-batch", "Llama4-Maverick-17B", "input", "batch"),
        ("USE1-NovaLite-cache-read-input-token-count", "amazon.nova-lite", "cache_read", None),
        ("EUW1-NovaPro-cache-write-input-token-count", "amazon.nova-pro", "cache_write", None),
    ],
)
def test_usage_types_of_bedrock(usage: str, model: str, meant: str, at: str | None) -> None:
    said = bedrock(usage, "")
    assert (said.model, said.meter, said.tier) == (model, meant, at)


@pytest.mark.parametrize(
    ("name", "model", "meant", "at"),
    [
        ("gpt-4o-mini-0718-Inp-glbl Tokens", "gpt-4o-mini", "input", None),
        ("gpt-4o-0806-Outp-glbl Tokens", "gpt-4o", "output", None),
        ("gpt 4o 1120 cached Inp glbl", "gpt-4o", "cache_read", None),
        ("gpt-4-8K-Batch-Inp-glbl Tokens", "gpt-4", "input", "batch"),
        ("gpt 4o 0513 Input global Tokens", "gpt-4o", "input", None),
        ("o1 1217 cached Inp glbl", "o1", "cache_read", None),
        ("R1 Outp glbl Tokens", "r1", "output", None),
    ],
)
def test_meters_of_azure(name: str, model: str, meant: str, at: str | None) -> None:
    said = azure(name)
    assert (said.model, said.meter, said.tier) == (model, meant, at)


@pytest.mark.parametrize(
    ("sku", "model", "meant"),
    [
        ("Gemini 2.5 Flash GA Text Input - Predictions", "gemini-2.5-flash", "input"),
        ("Gemini 3.0 Pro Text Output - Predictions", "gemini-3.0-pro", "output"),
        ("Gemini 2.5 Flash GA Thinking Text Output - Predictions", "gemini-2.5-flash", "output"),
        ("Gemini 3 Flash Text Input Caching", "gemini-3-flash", "cache_read"),
        ("Gemini 3 Flash Text Input Caching Storage", "gemini-3-flash", "cache_storage"),
        ("Gemini 2.5 Flash Lite Audio Input - Predictions", "gemini-2.5-flash-lite", "input_audio"),
        ("Vertex AI: Online prediction", None, "all"),
    ],
)
def test_skus_of_google(sku: str, model: str | None, meant: str) -> None:
    assert (family(sku), meter(sku)) == (model, meant)


def test_a_tier_is_a_word_of_its_own() -> None:
    assert (tier("Gemini Flash Batch Input"), tier("batches of cookies")) == ("batch", None)
