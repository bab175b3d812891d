"""Our own SDK: the newest names of the conventions, our additions, and nothing to guess."""

from __future__ import annotations

from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, joined

DIALECT = Dialect(
    name="outlay",
    title="Outlay SDK",
    checked="outlay 0.1",
    counts="Input includes cached and audio tokens, output includes reasoning; lifetimes of cache writes are told apart.",
    scopes=("outlay",),
    names=joined(
        {
            "operation": ("gen_ai.operation.name",),
            "kind": ("outlay.kind",),
            "ttft_seconds": ("gen_ai.response.time_to_first_chunk",),
            "cost": ("outlay.reported_cost",),
            "web_search": ("outlay.usage.web_search_calls",),
            "requests": ("outlay.usage.requests",),
            "audio_seconds": ("outlay.usage.audio_seconds",),
            "cache_write_30m": ("outlay.usage.cache_write_30m_tokens",),
            "cache_write_12h": ("outlay.usage.cache_write_12h_tokens",),
        },
        otel_genai.NAMES,
    ),
    kinds={
        "llm": "call", "call": "call", "chat": "call", "generation": "call", "embedding": "call", "embeddings": "call",
        "agent": "aggregate", "workflow": "aggregate", "chain": "aggregate", "task": "aggregate", "step": "aggregate",
        "tool": "tool", "retrieval": "retrieval", "retriever": "retrieval", "function": "other", "span": "other",
    },
    operation_of_kind={"agent": "invoke_agent", "tool": "execute_tool", "retrieval": "retrieval"},
    content_prefixes=("outlay.content.",),
    default_type="other",
    trusts_counts=True,
)  # fmt: skip
