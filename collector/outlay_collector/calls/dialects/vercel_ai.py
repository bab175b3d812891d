"""Vercel AI SDK 4 to 7, with ``experimental_telemetry`` (scope ``ai``) and ``@ai-sdk/otel`` (scope ``gen_ai``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay_collector.calls import flags, raw_usage
from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading, joined
from outlay_collector.calls.values import count_or_none, inside, mapping, text

_USAGE = "ai.usage."
_METADATA = "ai.telemetry.metadata."
_INNER = (".doGenerate", ".doStream", ".doEmbed", ".doRerank")
_FIRST_INCLUSIVE_MAJOR = 6
_COUNTS_FRESH_INPUT = ("anthropic", "bedrock")


def _unpack(reading: Reading) -> None:
    found = reading.found
    operation = text(found.get("operation")) or ""
    found["operation"], found["kind"] = _operation(operation)
    if not operation.endswith(_INNER) and found["kind"] == "outer":
        reading.flags.append(flags.WRAPS_ONE_CALL)
    found.setdefault("streaming", "stream" in operation.lower())
    if found["kind"] != "call":
        return
    if "embed" in operation and f"{_USAGE}tokens" in reading.rest:
        found.setdefault("input", reading.rest[f"{_USAGE}tokens"])
    _usage(reading)


def _operation(operation: str) -> tuple[str, str]:
    """``(OTel operation, kind)``: the inner ``do…`` spans are calls, the outer ones repeat their sums."""
    if operation == "ai.toolCall":
        return "execute_tool", "tool"
    name = "embeddings" if "embed" in operation else "rerank" if "rerank" in operation.lower() else "chat"
    if operation.endswith(_INNER):
        return name, "call"
    return name, "outer"


def _usage(reading: Reading) -> None:
    found = reading.found
    metadata = mapping(reading.rest.get("ai.response.providerMetadata")) or {}
    for slot, value in _details(metadata).items():
        found.setdefault(slot, value)
    provider = text(found.get("provider")) or ""
    if not any(name in provider for name in _COUNTS_FRESH_INPUT) or _is_inclusive(reading):
        return
    # AI SDK 4 and 5 pass on Anthropic's own ``input_tokens``: what the cache neither gave nor took.
    fresh = count_or_none(found.get("input"))
    if fresh is not None:
        cached = (count_or_none(found.get("cache_read")) or 0) + (count_or_none(found.get("cache_write")) or 0)
        found["input"] = fresh + cached


def _is_inclusive(reading: Reading) -> bool:
    """From version 6: told by the new detail names, else by the user agent."""
    if f"{_USAGE}inputTokenDetails.noCacheTokens" in reading.rest:
        return True
    agent = text(reading.rest.get("ai.request.headers.user-agent")) or ""
    major = agent.partition("ai/")[2].split(".", 1)[0]
    return major.isdecimal() and int(major) >= _FIRST_INCLUSIVE_MAJOR


def _details(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Parts of the usage and the service tier, from the provider's own metadata."""
    details: dict[str, Any] = {}
    for own in metadata.values():
        if not isinstance(own, Mapping):
            continue
        counts = raw_usage.read(inside(own, "usage"))
        tier = text(inside(own, "serviceTier")) or text(inside(own, "usage", "service_tier"))
        candidates: dict[str, Any] = {
            **{slot: value for slot, value in counts.items() if slot not in ("input", "output", "total")},
            "tier": tier,
            "cache_read": counts.get("cache_read", _first(own, "cacheReadInputTokens", "cachedPromptTokens")),
            "cache_write": counts.get(
                "cache_write",
                _first(own, "cacheCreationInputTokens", "cacheWriteInputTokens") or inside(own, "usage", "cacheWriteTokens")
                or inside(own, "usage", "cacheWriteInputTokens"),
            ),
            "reasoning": counts.get("reasoning", inside(own, "reasoningTokens")),
        }  # fmt: skip
        for slot, value in candidates.items():
            if value is not None:
                details.setdefault(slot, value)
    return details


def _first(own: Mapping[Any, Any], *names: str) -> object:
    return next((own[name] for name in names if own.get(name) is not None), None)


DIALECT = Dialect(
    name="vercel-ai",
    title="Vercel AI SDK 4 to 6 (and 7 in legacy mode)",
    checked="ai 4.3.19, 5.0.277, 6.0.326, 7.0.173 (LegacyOpenTelemetry)",
    counts=(
        "OpenAI: input includes cached tokens in all versions. Anthropic: excludes cache reads and writes in 4 and 5 "
        "(they are added from the provider's metadata), includes them from 6."
    ),
    scopes=("ai",),
    markers=("ai.operationId", "ai.model.provider"),
    names={
        "operation": ("ai.operationId",),
        "provider": ("ai.model.provider", "gen_ai.system"),
        "request_model": ("gen_ai.request.model", "ai.model.id"),
        "response_model": ("gen_ai.response.model", "ai.response.model"),
        "response_id": ("gen_ai.response.id", "ai.response.id"),
        "finish_reasons": ("gen_ai.response.finish_reasons", "ai.response.finishReason", "ai.finishReason"),
        "ttft_ms": ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk"),
        "error": ("error.type",),
        "input": (
            f"{_USAGE}inputTokens", f"{_USAGE}promptTokens", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens",
        ),
        "output": (
            f"{_USAGE}outputTokens", f"{_USAGE}completionTokens", "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
        ),
        "total": (f"{_USAGE}totalTokens",),
        "cache_read": (f"{_USAGE}inputTokenDetails.cacheReadTokens", f"{_USAGE}cachedInputTokens"),
        "cache_write": (f"{_USAGE}inputTokenDetails.cacheWriteTokens",),
        "reasoning": (f"{_USAGE}outputTokenDetails.reasoningTokens", f"{_USAGE}reasoningTokens"),
        "user": ("user.id", f"{_METADATA}userId", f"{_METADATA}user_id", f"{_METADATA}user"),
        "session": (
            "session.id", f"{_METADATA}sessionId", f"{_METADATA}session_id", f"{_METADATA}threadId",
            f"{_METADATA}conversationId",
        ),
        "team": ("outlay.team", f"{_METADATA}team"),
        "feature": ("outlay.feature", f"{_METADATA}feature", "ai.telemetry.functionId"),
        "customer": ("outlay.customer", f"{_METADATA}customer", f"{_METADATA}customerId"),
        "prompt_version": ("outlay.prompt.version", f"{_METADATA}promptVersion"),
        "tool": ("ai.toolCall.name",),
    },
    kinds={"call": "call", "tool": "tool", "outer": "aggregate"},
    content=(
        "ai.prompt", "ai.prompt.messages", "ai.prompt.tools", "ai.prompt.toolChoice", "ai.response.text",
        "ai.response.object", "ai.response.reasoning", "ai.response.toolCalls", "ai.response.files", "ai.result.text",
        "ai.result.object", "ai.result.toolCalls", "ai.toolCall.args", "ai.toolCall.result", "ai.value", "ai.values",
        "ai.embedding", "ai.embeddings", "ai.schema", "ai.documents", "ai.ranking",
    ),
    prepare=_unpack,
    gaps=(
        Gap(
            what="Version 5 without streaming: OpenAI's cached tokens are lost.",
            flag=flags.CACHE_NOT_REPORTED, providers=frozenset({"openai", "azure.ai.openai"}),
        ),
        Gap(what="Version 4: the lifetime of cache writes; five minutes are assumed."),
        Gap(what="Aborted streams: only the outer span, without usage."),
    ),
    notes=(
        "Only the inner spans (`.doGenerate`, `.doStream`, `.doEmbed`) are calls; the outer ones repeat their sums.",
        "Each retry has an inner span of its own, the failed ones with an error.",
        "Version 4 sends NaN where the provider sent no usage: read as missing.",
    ),
)  # fmt: skip


def _outer_of_v7(reading: Reading) -> None:
    found, rest = reading.found, reading.rest
    if "ttft_seconds" in found:
        found["streaming"] = True
    elif "finish_reasons" in found:
        # Measured in every stream that came to its end.
        found["streaming"] = False
    for slot, name in (
        ("cache_read", f"{_USAGE}inputTokenDetails.cacheReadTokens"),
        ("cache_write", f"{_USAGE}inputTokenDetails.cacheWriteTokens"),
        ("reasoning", f"{_USAGE}outputTokenDetails.reasoningTokens"),
    ):
        if name in rest:
            found.setdefault(slot, rest[name])
    metadata = mapping(rest.get("ai.response.providerMetadata"))
    if metadata is not None:
        for slot, value in _details(metadata).items():
            found.setdefault(slot, value)


V7 = Dialect(
    name="vercel-ai-7",
    title="Vercel AI SDK 7 (`@ai-sdk/otel`)",
    checked="ai 7.0.173, @ai-sdk/otel 1.0.173",
    counts="Input includes cache reads and writes, output includes reasoning.",
    scopes=("gen_ai",),
    names=joined(
        {
            "ttft_seconds": ("gen_ai.client.operation.time_to_first_chunk",),
            "user": ("user.id", f"{_METADATA}userId"),
            "session": ("session.id", f"{_METADATA}sessionId"),
        },
        otel_genai.NAMES,
    ),
    prepare=_outer_of_v7,
    gaps=(
        Gap(
            what="Reasoning tokens (without the usage option) and the lifetime of cache writes; five minutes are assumed."
        ),
        Gap(what="Whether an aborted call was streamed."),
    ),
    notes=("`invoke_agent` and `agent_step` repeat the sums of their calls, with a model's name: never counted.",),
)
