"""Langfuse SDKs: observations, with usage as JSON in one of four shapes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from outlay_collector.calls import raw_usage
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading
from outlay_collector.calls.values import count, count_or_none, mapping, number, text

_OBSERVATION = "langfuse.observation."
_METADATA = f"{_OBSERVATION}metadata."

# The flat shape's keys by slot. Every key is disjoint: ``input`` is what none of its details counts.
_FLAT: Mapping[str, tuple[str, ...]] = {
    "cache_read": ("input_cache_read", "cache_read_input_tokens", "input_cached_tokens", "input_cache_read_tokens",
                   "cached_input_tokens", "input_cached"),
    "cache_write_1h": ("input_cache_creation_1h", "input_ephemeral_1h_input_tokens", "ephemeral_1h_input_tokens"),
    "cache_write_5m": ("input_cache_creation_5m", "input_ephemeral_5m_input_tokens", "ephemeral_5m_input_tokens"),
    "cache_write": ("input_cache_creation", "cache_creation_input_tokens", "input_cache_write",
                    "input_cache_write_tokens", "input_cache_creation_tokens"),
    "input_audio": ("input_audio", "input_audio_tokens"),
    "input_image": ("input_image", "input_image_tokens"),
    "reasoning": ("output_reasoning", "output_reasoning_tokens", "reasoning_tokens", "output_thinking"),
    "output_audio": ("output_audio", "output_audio_tokens"),
}  # fmt: skip
_RAW_KEYS = frozenset({"prompt_tokens", "completion_tokens", "promptTokenCount", "prompt_token_count", "inputTokens"})


def _unpack(reading: Reading) -> None:
    found = reading.found
    kind = (text(found.get("kind")) or "").lower()
    usage = mapping(found.pop("raw_usage", None))
    if usage is not None and kind in ("generation", "embedding"):
        for slot, value in _counts(usage).items():
            found.setdefault(slot, value)
        if "input" in usage and "request_model" not in found and not reading.span.name.startswith("OpenAI-"):
            # Reported by hand: the model is the one the application asked for.
            found["request_model"] = found.pop("response_model", None)
    if "finish_reasons" not in found:
        found["finish_reasons"] = _reason_in(mapping(reading.content.get(f"{_OBSERVATION}output")))
    cost = mapping(reading.rest.get(f"{_OBSERVATION}cost_details"))
    if cost is not None:
        total = number(cost.get("total"))
        if total:
            found["cost"] = total
    parameters = mapping(reading.rest.get(f"{_OBSERVATION}model.parameters"))
    if parameters is not None:
        found.setdefault("request_tier", parameters.get("service_tier") or "")
    _first_token(reading)
    if reading.span.name.startswith("OpenAI-"):
        # The drop-in notes when the first chunk came, in streams only.
        found.setdefault("streaming", False)
    failed = reading.span.status_code == 2
    if text(found.pop("level", None)) == "ERROR" and not failed:
        failed = True
        found.setdefault("error", "_OTHER")
    if failed and "input" not in found and "response_model" in found:
        found.setdefault("request_model", found.pop("response_model"))


_REASONS = frozenset(("stop", "length", "tool_calls", "content_filter", "end_turn", "max_tokens", "tool_use",
                      "completed", "incomplete"))  # fmt: skip


def _reason_in(output: Mapping[str, Any] | None) -> str | None:
    """The finish reason inside an answer kept whole; an application's own ``status`` is not mistaken for one."""
    for name in ("finish_reason", "stop_reason", "status"):
        reason = text(output.get(name)) if output is not None else None
        if reason in _REASONS:
            return reason
    return None


def _counts(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    if not _RAW_KEYS.isdisjoint(usage) or ("input_tokens" in usage and "input" not in usage):
        return raw_usage.read_mapping(usage)
    if "promptTokens" in usage or "completionTokens" in usage:
        return {"input": usage.get("promptTokens"), "output": usage.get("completionTokens")}
    return _flat(usage)


def _flat(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    counts: dict[str, Any] = {}
    for slot, keys in _FLAT.items():
        for key in keys:
            if usage.get(key) is not None:
                counts[slot] = usage[key]
                break
    fresh, visible, total = count(usage.get("input")), count(usage.get("output")), count_or_none(usage.get("total"))
    inputs = [value for key, value in usage.items() if key != "input" and _is_input(key)]
    outputs = [value for key, value in usage.items() if key != "output" and not _is_input(key) and key != "total"]
    disjoint = total is None or total != (fresh or 0) + (visible or 0) or not any(map(count_or_none, inputs + outputs))
    if disjoint:
        fresh = (
            None if fresh is None and not inputs else (fresh or 0) + sum(count_or_none(value) or 0 for value in inputs)
        )
        visible = visible if not outputs else (visible or 0) + sum(count_or_none(value) or 0 for value in outputs)
    if fresh is not None:
        counts["input"] = fresh
    if visible is not None:
        counts["output"] = visible
    if "cache_write" not in counts and ("cache_write_5m" in counts or "cache_write_1h" in counts):
        counts["cache_write"] = sum(
            count_or_none(counts.get(part)) or 0 for part in ("cache_write_5m", "cache_write_1h")
        )
    return counts


def _is_input(key: str) -> bool:
    return key.startswith(("input", "cache", "ephemeral", "prompt"))


def _first_token(reading: Reading) -> None:
    started = text(reading.rest.get(f"{_OBSERVATION}completion_start_time"))
    if started is None:
        return
    reading.found["streaming"] = True
    try:
        at = datetime.fromisoformat(started)
    except ValueError:
        return
    if at.tzinfo is not None:
        elapsed_ms = at.timestamp() * 1e3 - reading.span.start_ns / 1e6
        if elapsed_ms >= 0:
            reading.found["ttft_ms"] = elapsed_ms


DIALECT = Dialect(
    name="langfuse",
    title="Langfuse SDK",
    checked="langfuse 5.0.4: drop-in, decorator, manual generations, LangChain callback",
    counts=(
        "`usage_details` comes as the provider's own object (inclusive for OpenAI, exclusive for Anthropic) or flat, where "
        "every key is disjoint and totals are their sums."
    ),
    scopes=("langfuse-sdk", "langfuse"),
    scope_prefixes=("langfuse",),
    markers=(f"{_OBSERVATION}type", f"{_OBSERVATION}model.name"),
    names={
        "kind": (f"{_OBSERVATION}type",),
        "provider": ("gen_ai.provider.name", f"{_METADATA}ls_provider"),
        "request_model": ("gen_ai.request.model", f"{_METADATA}ls_model_name"),
        "response_model": (f"{_OBSERVATION}model.name",),
        "response_id": (f"{_METADATA}id", f"{_METADATA}response_id", "gen_ai.response.id"),
        "finish_reasons": (f"{_METADATA}finish_reason", f"{_METADATA}stop_reason", f"{_METADATA}status"),
        "tier": (f"{_METADATA}service_tier",),
        "error": ("error.type",),
        "address": ("server.address",),
        "user": ("user.id", "langfuse.user.id", f"{_METADATA}langfuse_user_id", "langfuse.trace.metadata.user_id"),
        "session": (
            "session.id", "langfuse.session.id", f"{_METADATA}langfuse_session_id", "langfuse.trace.metadata.session_id",
        ),
        "team": ("outlay.team", "langfuse.trace.metadata.team", f"{_METADATA}team"),
        "feature": ("outlay.feature", "langfuse.trace.metadata.feature", f"{_METADATA}feature"),
        "customer": ("outlay.customer", "langfuse.trace.metadata.customer", f"{_METADATA}customer"),
        "prompt_version": ("outlay.prompt.version", f"{_OBSERVATION}prompt.version"),
        "environment": ("langfuse.environment",),
        "raw_usage": (f"{_OBSERVATION}usage_details",),
        "level": (f"{_OBSERVATION}level",),
        "agent": ("gen_ai.agent.name",),
        "tool": ("gen_ai.tool.name",),
    },
    kinds={
        "generation": "call", "embedding": "call", "span": "aggregate", "event": "other", "agent": "aggregate",
        "tool": "tool", "chain": "aggregate", "retriever": "retrieval", "evaluator": "aggregate", "guardrail": "other",
    },
    operation_of_kind={
        "generation": "chat", "embedding": "embeddings", "agent": "invoke_agent", "tool": "execute_tool",
        "retriever": "retrieval",
    },
    content=(f"{_OBSERVATION}input", f"{_OBSERVATION}output", "langfuse.trace.input", "langfuse.trace.output"),
    prepare=_unpack,
    gaps=(
        Gap(what="The provider: told from the model's name."),
        Gap(what="The model asked for, and the response id of chat completions."),
        Gap(what="The lifetime of cache writes, unless reported by hand; five minutes are assumed."),
    ),
    notes=(
        "LangChain callback and drop-in together report each call twice, nested: merged.",
        "`cost_details` is kept as the reported cost.",
    ),
)  # fmt: skip
