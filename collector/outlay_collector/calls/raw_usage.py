"""Usage objects as the providers' own APIs write them, read into inclusive totals.

Instrumentations copy these objects into JSON attributes (and Python ``repr``), often as the only place that has cache
details. Field names tell the API; what the counts include is each API's own definition (``docs/dialects.md``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from outlay_collector.calls.values import MAX_REPR_CHARS, count, inside, structure

Counts = dict[str, object]
"""Raw counts by our field names (``input``, ``output``, ``cache_read`` …). Totals are inclusive."""

_WORD_NUMBER = re.compile(r"([A-Za-z_]\w{2,63})['\"]?\s{0,4}[:=]\s{0,4}(\d{1,12})\b")


def read(value: object) -> Counts:
    """Counts of a usage object, given nested, as JSON or as ``repr``; empty if it is none."""
    usage = structure(value)
    if isinstance(usage, Mapping):
        return read_mapping(usage)  # type: ignore[arg-type]
    if isinstance(value, str) and "tokens" in value and len(value) <= MAX_REPR_CHARS:
        # Constructor calls (``Usage(prompt_tokens=5, …)``) are no literals; take the numbers by their names.
        flat: dict[str, Any] = {}
        for name, digits in _WORD_NUMBER.findall(value):
            flat.setdefault(name, int(digits))
        return read_mapping(flat)
    return {}


def read_mapping(usage: Mapping[str, Any]) -> Counts:
    """As ``read``, of a decoded object."""
    if "prompt_tokens" in usage or "completion_tokens" in usage:
        return _openai_chat(usage)
    if "promptTokenCount" in usage or "candidatesTokenCount" in usage:
        return _gemini(usage, "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
                       "cachedContentTokenCount", "toolUsePromptTokenCount", "totalTokenCount")  # fmt: skip
    if "prompt_token_count" in usage or "candidates_token_count" in usage:
        return _gemini(usage, "prompt_token_count", "candidates_token_count", "thoughts_token_count",
                       "cached_content_token_count", "tool_use_prompt_token_count", "total_token_count")  # fmt: skip
    if "inputTokens" in usage or "outputTokens" in usage:
        return _bedrock(usage)
    if "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage or "cache_creation" in usage:
        return _anthropic(usage)
    if "input_tokens" in usage or "output_tokens" in usage:
        return _openai_responses(usage)
    return {}


def _openai_chat(usage: Mapping[str, Any]) -> Counts:
    return _present(
        input=usage.get("prompt_tokens"),
        output=usage.get("completion_tokens"),
        cache_read=_first(
            inside(usage, "prompt_tokens_details", "cached_tokens"),
            usage.get("cached_tokens"),
            usage.get("cache_read_input_tokens"),
            usage.get("prompt_cache_hit_tokens"),
        ),
        cache_write=_first(
            inside(usage, "prompt_tokens_details", "cache_write_tokens"),
            inside(usage, "prompt_tokens_details", "cache_creation_tokens"),
            usage.get("cache_write_tokens"),
            usage.get("cache_creation_input_tokens"),
        ),
        cache_write_5m=_first(
            inside(usage, "prompt_tokens_details", "cache_creation_token_details", "ephemeral_5m_input_tokens"),
            usage.get("ephemeral_5m_input_tokens"),
        ),
        cache_write_1h=_first(
            inside(usage, "prompt_tokens_details", "cache_creation_token_details", "ephemeral_1h_input_tokens"),
            usage.get("ephemeral_1h_input_tokens"),
        ),
        reasoning=_first(inside(usage, "completion_tokens_details", "reasoning_tokens"), usage.get("reasoning_tokens")),
        input_audio=inside(usage, "prompt_tokens_details", "audio_tokens"),
        output_audio=inside(usage, "completion_tokens_details", "audio_tokens"),
    )


def _openai_responses(usage: Mapping[str, Any]) -> Counts:
    return _present(
        input=usage.get("input_tokens"),
        output=usage.get("output_tokens"),
        cache_read=_first(
            inside(usage, "input_tokens_details", "cached_tokens"), inside(usage, "input_token_details", "cache_read")
        ),
        cache_write=_first(
            inside(usage, "input_tokens_details", "cache_write_tokens"),
            inside(usage, "input_token_details", "cache_creation"),
        ),
        cache_write_5m=inside(usage, "input_token_details", "ephemeral_5m_input_tokens"),
        cache_write_1h=inside(usage, "input_token_details", "ephemeral_1h_input_tokens"),
        cache_write_30m=inside(usage, "input_tokens_details", "cache_write_tokens_details", "ttl_30m_tokens"),
        cache_write_12h=inside(usage, "input_tokens_details", "cache_write_tokens_details", "ttl_12h_tokens"),
        reasoning=_first(
            inside(usage, "output_tokens_details", "reasoning_tokens"),
            inside(usage, "output_tokens_details", "thinking_tokens"),
            inside(usage, "output_token_details", "reasoning"),
        ),
        input_audio=_first(
            inside(usage, "input_tokens_details", "audio_tokens"), inside(usage, "input_token_details", "audio")
        ),
        output_audio=_first(
            inside(usage, "output_tokens_details", "audio_tokens"), inside(usage, "output_token_details", "audio")
        ),
    )


def _anthropic(usage: Mapping[str, Any]) -> Counts:
    """``input_tokens`` is only what was neither read from nor written to the cache."""
    fresh, read_, written = (
        usage.get("input_tokens"), usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    )  # fmt: skip
    five, hour = (
        _first(inside(usage, "cache_creation", "ephemeral_5m_input_tokens"), usage.get("ephemeral_5m_input_tokens")),
        _first(inside(usage, "cache_creation", "ephemeral_1h_input_tokens"), usage.get("ephemeral_1h_input_tokens")),
    )
    if written is None and (five is not None or hour is not None):
        written = _sum(five, hour)
    return _present(
        input=_sum(fresh, read_, written) if fresh is not None else None,
        output=usage.get("output_tokens"),
        cache_read=read_,
        cache_write=written,
        cache_write_5m=five,
        cache_write_1h=hour,
        reasoning=_first(inside(usage, "output_tokens_details", "thinking_tokens"), usage.get("thinking_tokens")),
        web_search=inside(usage, "server_tool_use", "web_search_requests"),
    )


def _gemini(
    usage: Mapping[str, Any], prompt: str, candidates: str, thoughts: str, cached: str, tool_prompt: str, total: str
) -> Counts:
    """``promptTokenCount`` includes cached content, not tool-use prompts; candidates exclude thoughts, billed as output."""
    output = _sum(usage.get(candidates), usage.get(thoughts))
    if usage.get(candidates) is None and usage.get(thoughts) is None:
        output = None
    return _present(
        input=_sum(usage.get(prompt), usage.get(tool_prompt)) if usage.get(prompt) is not None else None,
        output=output,
        cache_read=usage.get(cached),
        reasoning=usage.get(thoughts),
        input_audio=_modality(usage, "promptTokensDetails", "prompt_tokens_details", "AUDIO"),
        input_image=_modality(usage, "promptTokensDetails", "prompt_tokens_details", "IMAGE"),
        output_audio=_modality(usage, "candidatesTokensDetails", "candidates_tokens_details", "AUDIO"),
        output_image=_modality(usage, "candidatesTokensDetails", "candidates_tokens_details", "IMAGE"),
        total=usage.get(total),
    )


def _modality(usage: Mapping[str, Any], camel: str, snake: str, modality: str) -> object:
    details = usage.get(camel) or usage.get(snake)
    for detail in details if isinstance(details, list) else []:  # type: ignore[var-annotated]
        if inside(detail, "modality") == modality:
            return _first(inside(detail, "tokenCount"), inside(detail, "token_count"))
    return None


def _bedrock(usage: Mapping[str, Any]) -> Counts:
    """Converse: ``inputTokens`` excludes what came from or went to the cache."""
    fresh = usage.get("inputTokens")
    read_ = _first(usage.get("cacheReadInputTokens"), usage.get("cacheReadInputTokenCount"))
    written = _first(usage.get("cacheWriteInputTokens"), usage.get("cacheWriteInputTokenCount"))
    return _present(
        input=_sum(fresh, read_, written) if fresh is not None else None,
        output=usage.get("outputTokens"),
        cache_read=read_,
        cache_write=written,
    )


def _sum(*values: object) -> object:
    total = 0
    for value in values:
        # An impossible part stays visible: the caller's own check must see it rather than a plausible sum.
        part = count(value)
        total += part or 0
    return total


def _first(*values: object) -> object:
    return next((value for value in values if value is not None), None)


def _present(**counts: object) -> Counts:
    return {name: value for name, value in counts.items() if value is not None}
