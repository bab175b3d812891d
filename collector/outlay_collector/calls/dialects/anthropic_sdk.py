"""Spans the Anthropic Python SDK writes by itself, on by default from version 2 where a tracer provider is set."""

from __future__ import annotations

from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading, joined


def _free_operations(reading: Reading) -> None:
    if "count_tokens" in reading.span.name:
        reading.found["operation"] = "count_tokens"
    elif ".batches." in reading.span.name:
        # Submitting or listing a batch bills nothing; its results are billed at half price when they are fetched.
        reading.found["operation"] = "prompt"


DIALECT = Dialect(
    name="anthropic-sdk",
    title="Anthropic SDK, native spans",
    checked="anthropic 2.11.0",
    counts="Input includes cache reads and writes (the SDK adds them up), output includes thinking.",
    scope_prefixes=("com.anthropic.sdk.",),
    markers=("anthropic.usage.cache_creation.ephemeral_5m_input_tokens", "anthropic.message.stop_reason"),
    names=joined({"finish_reasons": ("anthropic.message.stop_reason",)}, otel_genai.NAMES),
    absent_means_zero=frozenset({"cache_read", "cache_write", "reasoning"}),
    absent_stream_means=False,
    prepare=_free_operations,
    gaps=(Gap(what="Message batches: only the number of requests, no usage."),),
    notes=(
        "The only source with the lifetime of cache writes as attributes.",
        "A second description wherever another instrumentation is installed: joined by response id, else by nesting.",
        "`anthropic.messages.count_tokens` is free and is no call.",
    ),
)
