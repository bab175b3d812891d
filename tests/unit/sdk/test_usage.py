"""What each provider reports, as inclusive totals with their parts."""

from __future__ import annotations

from typing import Any

import pytest
from outlay.chunks import Chunks
from outlay.usage import Counts, capture, counts, part

OPENAI_CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "choices": [{"finish_reason": "stop"}, {"finish_reason": "length"}],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 5, "cache_write_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 7},
    },
}
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-opus-4-5-20251101",
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 400,
        "cache_read_input_tokens": 1500,
        "cache_creation_input_tokens": 700,
        "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 90,
        "output_tokens_details": {"thinking_tokens": 64},
        "service_tier": "priority",
    },
}
CASES: list[tuple[str, dict[str, Any], Counts]] = [
    (
        "OpenAI's input includes what was cached, its output what was thought",
        OPENAI_CHAT["usage"],
        Counts(input=100, output=50, cache_read=40, cache_write=10, reasoning=20, input_audio=5, output_audio=7),
    ),
    (
        "an embedding has input only",
        {"prompt_tokens": 12, "total_tokens": 12},
        Counts(input=12, output=0),
    ),
    (
        "OpenAI's responses name the same things differently",
        {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 30},
            "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 32},
        },
        Counts(input=100, output=50, cache_read=64, cache_write=30, reasoning=32),
    ),
    (
        "Anthropic's input excludes the cache, so it is added",
        ANTHROPIC["usage"],
        Counts(
            input=2600,
            output=90,
            cache_read=1500,
            cache_write=700,
            cache_write_5m=500,
            cache_write_1h=200,
            reasoning=64,
        ),
    ),
    (
        "Gemini's output excludes thoughts, its input the results of tools",
        {
            "prompt_token_count": 100,
            "tool_use_prompt_token_count": 10,
            "cached_content_token_count": 60,
            "candidates_token_count": 30,
            "thoughts_token_count": 12,
            "prompt_tokens_details": [{"modality": "AUDIO", "token_count": 8}, {"modality": "TEXT", "token_count": 92}],
        },
        Counts(input=110, output=42, cache_read=60, reasoning=12, input_audio=8),
    ),
    (
        "Gemini as JSON",
        {"promptTokenCount": 100, "candidatesTokenCount": 30, "thoughtsTokenCount": 12, "cachedContentTokenCount": 6},
        Counts(input=100, output=42, cache_read=6, reasoning=12),
    ),
    (
        "Bedrock's Converse excludes the cache",
        {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 7},
        Counts(input=117, output=5, cache_read=100, cache_write=7),
    ),
]


@pytest.mark.parametrize(("usage", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_usage_becomes_inclusive_totals(usage: dict[str, Any], expected: Counts) -> None:
    assert counts(usage) == expected


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": 7}, {"prompt_tokens": None}, "12 tokens", object()])
def test_what_reports_nothing_is_unknown_and_not_zero(usage: object) -> None:
    assert counts(usage) is None


def test_output_of_an_unfinished_stream_stays_open() -> None:
    found = counts(ANTHROPIC["usage"], output_known=False)
    assert found is not None
    assert (found.input, found.output) == (2600, None)


def test_dictionary_in_a_providers_shape_is_a_response() -> None:
    reading = capture(OPENAI_CHAT)
    assert reading is not None
    assert reading.provider == "openai"
    assert reading.response_id == "chatcmpl-1"
    assert reading.finish_reasons == ("stop", "length")
    reading = capture(ANTHROPIC)
    assert reading is not None
    assert (reading.provider, reading.service_tier) == ("anthropic", "priority")


@pytest.mark.parametrize(
    "value", [None, 1, "text", [], {}, {"usage": 3}, {"choices": 1}, {"data": []}, object(), print]
)
def test_what_is_no_response_is_left_alone(value: object) -> None:
    assert capture(value) is None


def test_strangers_objects_are_not_touched() -> None:
    class Row:
        """As an ORM's row: looking at an attribute costs a query, or fails."""

        def __getattribute__(self, name: str) -> object:
            raise AssertionError(f"{name} was read")

    assert capture(Row()) is None


def test_fields_newer_than_the_installed_library_are_read() -> None:
    import openai.types

    usage = openai.types.CompletionUsage.model_validate(
        {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10, "brand_new": {"of": 3}}
    )
    assert part(usage, "brand_new") == {"of": 3}
    assert part(usage, "older_than_time") is None


def see(*chunks: dict[str, Any]) -> Chunks:
    seen = Chunks()
    for chunk in chunks:
        seen.see(chunk)
    return seen


def test_anthropic_counts_at_the_end_replace_those_at_the_start() -> None:
    seen = see(
        {"type": "message_start", "message": {**ANTHROPIC, "usage": {**ANTHROPIC["usage"], "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"text": "Hi"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 90}},
    )
    reading = seen.reading(exhausted=True)
    assert reading is not None
    found = counts(reading.usage)
    assert found is not None
    assert (found.output, found.cache_write_1h) == (90, 200)


def test_openai_usage_comes_in_a_last_chunk_without_choices() -> None:
    seen = see(
        {"object": "chat.completion.chunk", "id": "c1", "model": "m", "choices": [{"index": 0, "delta": {}}]},
        {"id": "c1", "model": "m", "choices": [{"index": 1, "finish_reason": "length"}]},
        {"id": "c1", "model": "m", "choices": [{"index": 0, "finish_reason": "stop"}]},
        {"id": "c1", "model": "m", "choices": [], "usage": OPENAI_CHAT["usage"]},
    )
    reading = seen.reading(exhausted=True)
    assert reading is not None
    assert reading.usage == OPENAI_CHAT["usage"]
    assert set(reading.finish_reasons) == {"stop", "length"}


def test_stream_left_after_its_last_usage_is_complete() -> None:
    last = {"id": "c1", "choices": [{"index": 0, "finish_reason": "stop"}], "usage": OPENAI_CHAT["usage"]}
    assert see(last).reading(exhausted=False).complete  # type: ignore[union-attr]


def test_stream_left_halfway_is_not() -> None:
    seen = see({"type": "message_start", "message": ANTHROPIC})
    assert not seen.reading(exhausted=False).complete  # type: ignore[union-attr]


def test_stream_of_something_else_is_no_reading() -> None:
    seen = Chunks()
    for chunk in ("text", 3, None, {"token": "x"}):
        seen.see(chunk)
    assert seen.reading(exhausted=True) is None
