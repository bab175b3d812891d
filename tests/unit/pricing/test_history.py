"""What providers charged when: facts that the catalogue alone gets wrong, each checkable by its source."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from outlay_collector.pricing.bundled import default_book
from outlay_collector.pricing.usage import Usage

M = 1_000_000
INPUT = {"input_tokens": M}
OUTPUT = {"output_tokens": M}
READ = {"input_tokens": M, "cache_read_tokens": M}


def charged(provider: str, model: str, when: str, counts: dict[str, int], tier: str | None) -> Decimal | None:
    at = datetime.fromisoformat(when.replace("Z", "+00:00"))
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return default_book().charge(provider=provider, model=model, usage=Usage(**counts), at=at, tier=tier).cost  # type: ignore[arg-type]


# Columns: provider, model, instant, what was used (a million of it), tier, USD.
FACTS = [
    # OpenAI: cuts, aliases that moved, audio, tiers before the catalogue looked.
    ("openai", "gpt-3.5-turbo", "2023-05-01", OUTPUT, None, "2"),
    ("openai", "gpt-3.5-turbo", "2023-12-20", INPUT, None, "1.5"),
    ("openai", "gpt-3.5-turbo", "2024-03-01", INPUT, None, "0.5"),
    ("azure.ai.openai", "gpt-35-turbo", "2023-05-01", INPUT, None, "2"),
    ("openai", "gpt-4o", "2024-08-20", INPUT, None, "5"),
    ("openai", "gpt-4o", "2024-08-20", OUTPUT, None, "15"),
    ("openai", "gpt-4o", "2024-10-20", INPUT, None, "2.5"),
    ("openai", "o1-mini", "2024-12-01", OUTPUT, None, "12"),
    ("openai", "o1-mini", "2025-02-10", OUTPUT, None, "4.4"),
    ("openai", "o3", "2025-06-01", READ, None, "2.5"),
    ("openai", "o3", "2025-06-20", READ, None, "0.5"),
    ("openai", "o3", "2025-05-20", INPUT, "flex", "5"),
    ("openai", "o4-mini", "2025-05-20", OUTPUT, "flex", "2.2"),
    ("openai", "gpt-4o-audio-preview", "2024-11-01", {"input_tokens": M, "input_audio_tokens": M}, None, "100"),
    ("openai", "gpt-4o-audio-preview", "2025-01-10", {"input_tokens": M, "input_audio_tokens": M}, None, "40"),
    ("openai", "gpt-4o-audio-preview", "2025-01-10", {"output_tokens": M, "output_audio_tokens": M}, None, "80"),
    ("openai", "gpt-4o-mini-audio-preview", "2025-01-10", {"output_tokens": M, "output_audio_tokens": M}, None, "20"),
    ("openai", "gpt-4o", "2024-11-01", INPUT, "batch", "1.25"),
    ("openai", "gpt-4o-2024-05-13", "2024-06-01", OUTPUT, "batch", "7.5"),
    ("openai", "gpt-4-turbo", "2024-05-01", INPUT, "batch", "5"),
    ("openai", "text-embedding-3-small", "2024-09-01", INPUT, "batch", "0.01"),
    ("openai", "gpt-5", "2025-09-01", READ, "batch", "0.0625"),
    ("openai", "gpt-5-mini", "2025-11-01", OUTPUT, "priority", "3.6"),
    ("openai", "gpt-5.6-sol", "2026-08-01", INPUT, "batch", "5"),  # over 272K tokens: half of 10
    ("openai", "gpt-5.6-sol", "2026-09-01", INPUT, "batch", "4"),  # half of 8
    ("openai", "gpt-5.6-sol", "2026-08-01", OUTPUT, "batch", "15"),
    ("openai", "gpt-5.6-sol", "2026-09-01", OUTPUT, "batch", "10"),
    ("openai", "ft:gpt-3.5-turbo-0613:acme::8abc", "2023-10-01", INPUT, None, "12"),
    # Anthropic.
    ("anthropic", "claude-2", "2023-10-01", INPUT, None, "11.02"),
    ("anthropic", "claude-2.1", "2023-12-15", INPUT, None, "8"),
    ("anthropic", "claude-instant-1.2", "2023-10-01", OUTPUT, None, "5.51"),
    ("anthropic", "claude-instant-1.2", "2024-03-01", OUTPUT, None, "2.4"),
    ("anthropic", "claude-3-5-haiku-20241022", "2024-11-15", OUTPUT, None, "5"),
    ("anthropic", "claude-3-5-haiku-20241022", "2025-01-15", OUTPUT, None, "4"),
    ("anthropic", "claude-3-haiku-20240307", "2024-11-01", OUTPUT, "batch", "0.625"),
    ("anthropic", "claude-sonnet-4-5", "2026-02-01", READ, "batch", "0.3"),  # over 200K tokens, half price
    ("anthropic", "claude-sonnet-4-20250514", "2025-09-01", INPUT, None, "6"),
    ("anthropic", "claude-sonnet-4-20250514", "2025-07-01", INPUT, None, "3"),
    ("anthropic", "claude-sonnet-5-5", "2026-10-01", READ, None, "0.2"),
    ("anthropic", "claude-sonnet-5-5", "2026-10-10", READ, None, "0.1"),
    ("anthropic", "claude-sonnet-5-5", "2026-10-01", READ, "batch", "0.1"),
    ("anthropic", "claude-opus-4-6", "2026-02-20", OUTPUT, "fast", "150"),
    ("anthropic", "claude-opus-4-6", "2026-08-20", OUTPUT, "fast", "25"),
    ("anthropic", "claude-opus-4-8", "2026-08-20", OUTPUT, "fast", "50"),
    ("anthropic", "claude-opus-4-7", "2026-08-20", OUTPUT, "fast", None),
    # Google.
    ("gcp.gemini", "gemini-1.5-pro", "2024-07-01", INPUT, None, "7"),  # over 128K tokens
    ("gcp.gemini", "gemini-1.5-pro", "2024-07-01", OUTPUT, None, "10.5"),
    ("gcp.gemini", "gemini-1.5-flash", "2024-07-01", OUTPUT, None, "1.05"),
    ("gcp.gemini", "gemini-1.5-flash", "2024-09-01", OUTPUT, None, "0.3"),
    ("gcp.gemini", "gemini-1.5-flash-8b", "2024-12-01", OUTPUT, None, "0.15"),
    ("gcp.gemini", "gemini-2.5-flash-preview-05-20", "2025-06-01", OUTPUT, None, "0.6"),
    ("gcp.gemini", "gemini-2.5-flash-preview-05-20", "2025-06-01", OUTPUT | {"reasoning_tokens": 9}, None, "3.5"),
    ("gcp.gemini", "gemini-2.5-flash", "2025-09-01", OUTPUT, "batch", "1.25"),
    ("gcp.gemini", "gemini-3.8-flash", "2026-11-01", {"input_tokens": M, "input_audio_tokens": M}, None, "0.75"),
    ("gcp.gemini", "gemini-pro", "2024-06-01", OUTPUT, None, "1.5"),
    # DeepSeek: instants, hours, weekdays in Beijing, holidays.
    ("deepseek", "deepseek-chat", "2025-02-08T15:59:59Z", OUTPUT, None, "0.28"),
    ("deepseek", "deepseek-chat", "2025-02-08T16:00:00Z", OUTPUT, None, "1.1"),
    ("deepseek", "deepseek-chat", "2025-02-20T18:00:00Z", OUTPUT, None, "1.1"),  # before there was a discount
    ("deepseek", "deepseek-chat", "2025-06-01T16:30:00Z", OUTPUT, None, "0.55"),
    ("deepseek", "deepseek-chat", "2025-06-01T00:29:59Z", OUTPUT, None, "0.55"),
    ("deepseek", "deepseek-chat", "2025-06-01T00:30:00Z", OUTPUT, None, "1.1"),
    ("deepseek", "deepseek-reasoner", "2025-06-01T12:00:00Z", OUTPUT, None, "2.19"),
    ("deepseek", "deepseek-reasoner", "2025-06-01T20:00:00Z", INPUT, None, "0.135"),
    ("deepseek", "deepseek-chat", "2025-09-05T16:00:00Z", OUTPUT, None, "1.68"),
    ("deepseek", "deepseek-chat", "2025-12-01T12:00:00Z", OUTPUT, None, "0.42"),
    ("deepseek", "deepseek-chat", "2025-12-01T12:00:00Z", READ, None, "0.028"),
    ("deepseek", "deepseek-chat", "2026-06-01T12:00:00Z", OUTPUT, None, "0.28"),
    ("deepseek", "deepseek-chat", "2026-08-01T12:00:00Z", OUTPUT, None, None),  # the name is gone
    ("deepseek", "deepseek-v4-flash", "2026-07-01T02:00:00Z", INPUT, None, "0.14"),
    ("deepseek", "deepseek-v4-flash", "2026-08-16T15:59:59Z", INPUT, None, "0.14"),
    ("deepseek", "deepseek-v4-flash", "2026-08-16T16:00:00Z", INPUT, None, "0.22"),
    ("deepseek", "deepseek-v4-flash", "2026-08-19T02:00:00Z", INPUT, None, "0.44"),
    (
        "deepseek",
        "deepseek-v4-flash",
        "2026-08-22T02:00:00Z",
        INPUT,
        None,
        "0.44",
    ),  # a Saturday before the weekend rule
    ("deepseek", "deepseek-v4-flash", "2026-08-29T02:00:00Z", INPUT, None, "0.22"),  # a Saturday after it
    ("deepseek", "deepseek-flash", "2026-11-16T09:59:59Z", INPUT, None, "0.3"),
    ("deepseek", "deepseek-flash", "2026-11-16T10:00:00Z", INPUT, None, "0.15"),
    ("deepseek", "deepseek-flash", "2026-10-01T02:00:00Z", INPUT, None, "0.15"),  # a Thursday, National Day
    ("deepseek", "deepseek-v4-pro", "2026-11-17T07:00:00Z", OUTPUT, None, "3.96"),
    ("deepseek", "deepseek-v4-pro", "2026-11-17T12:00:00Z", OUTPUT, None, "1.98"),
    # Mistral: one alias, five prices.
    ("mistral_ai", "mistral-large-latest", "2024-08-10", INPUT, None, "3"),
    ("mistral_ai", "mistral-large-latest", "2025-01-10", INPUT, None, "2"),
    ("mistral_ai", "mistral-large-latest", "2026-02-10", INPUT, None, "0.5"),
    ("mistral_ai", "mistral-large-4", "2026-10-25", INPUT, None, "1.36"),
    ("mistral_ai", "mistral-large-4", "2026-11-05", INPUT, None, "0.7"),
    ("mistral_ai", "mistral-small-latest", "2024-11-01", OUTPUT, None, "0.6"),
    ("mistral_ai", "mistral-embed", "2025-06-01", INPUT, None, "0.1"),
    ("mistral_ai", "mistral-large-2411", "2025-01-10", INPUT, "batch", "1"),
    # xAI: a retired name answers, and is billed, as another model.
    ("x_ai", "grok-4", "2026-04-01", OUTPUT, None, "15"),
    ("x_ai", "grok-4", "2026-06-01", OUTPUT, None, "2.5"),
    ("x_ai", "grok-4.20", "2026-04-01", OUTPUT, None, "6"),
    ("x_ai", "grok-4.20", "2026-05-10", OUTPUT, None, "2.5"),
    # Hosts.
    ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "2025-11-01", INPUT, None, "3.3"),
    ("aws.bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", "2025-11-01", INPUT, None, "3"),
    ("groq", "llama-3.3-70b-versatile", "2025-09-01", OUTPUT, "batch", "0.395"),
    ("groq", "whisper-large-v3", "2025-09-01", {"audio_seconds": 3600}, None, "0.111"),
    ("openai", "whisper-1", "2024-05-01", {"audio_seconds": 60}, None, "0.006"),
    ("perplexity", "sonar-pro", "2025-09-01", INPUT, None, "3.006"),  # with its fee per request
    ("perplexity", "sonar", "2025-09-01", INPUT | {"requests": 10}, None, "1.05"),
]


@pytest.mark.parametrize(
    ("provider", "model", "when", "counts", "tier", "expected"),
    FACTS,
    ids=[f"{model}-{when}-{tier or 'standard'}-{number}" for number, (_, model, when, _, tier, _) in enumerate(FACTS)],
)
def test_a_million_cost(
    provider: str, model: str, when: str, counts: dict[str, int], tier: str | None, expected: str | None
):
    assert charged(provider, model, when, counts, tier) == (None if expected is None else Decimal(expected))


def test_claude_on_a_regional_endpoint_of_vertex_is_ten_percent_more():
    at = datetime(2026, 2, 1, tzinfo=UTC)
    said = {
        "provider": "gcp.vertex_ai",
        "model": "claude-sonnet-4-5@20250929",
        "usage": Usage(output_tokens=M),
        "at": at,
    }
    assert default_book().charge(**said).cost == 15  # type: ignore[arg-type]
    assert default_book().charge(**said, region="global").cost == 15  # type: ignore[arg-type]
    assert default_book().charge(**said, region="europe-west1").cost == Decimal("16.5")  # type: ignore[arg-type]
