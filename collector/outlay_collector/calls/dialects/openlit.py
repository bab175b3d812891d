"""OpenLIT: OpenTelemetry names with meanings of its own."""

from __future__ import annotations

from outlay_collector.calls import flags
from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading, joined
from outlay_collector.calls.values import truth


def _streams_without_usage_are_estimated(reading: Reading) -> None:
    """Where the provider sent usage the cache counts are present, if only as zero; without, the tokens were counted here."""
    found = reading.found
    if (
        truth(found.get("streaming"))
        and "input" in found
        and "cache_read" not in found
        and "cache_write" not in found
        and found.get("operation") != "embeddings"
    ):
        found["usage_source"] = "estimated"
        reading.flags.append(flags.ESTIMATED_BY_EMITTER)


DIALECT = Dialect(
    name="openlit",
    title="OpenLIT",
    checked="openlit 1.45.0",
    counts="OpenAI: input includes cached tokens. Anthropic: input excludes cache reads and writes, which are added.",
    scope_prefixes=("openlit.",),
    markers=("openlit.agent.version_hash", "telemetry.sdk.name"),
    names=joined(
        {
            "ttft_seconds": ("gen_ai.server.time_to_first_token",),
            "user": ("user.id", "gen_ai.request.user"),
            "environment": ("deployment.environment",),
            "service": ("service.name",),
        },
        otel_genai.NAMES,
    ),
    input_excludes_cache_for=frozenset({"anthropic", "aws.bedrock"}),
    ttft_means_streaming=False,
    prepare=_streams_without_usage_are_estimated,
    gaps=(
        Gap(
            what="Streams without usage from the provider: OpenLIT's own count is sent instead, marked estimated here."
        ),
        Gap(what="Abandoned and dropped streams: no span but the HTTP request's."),
        Gap(what="Reasoning tokens of chat completions and Anthropic; the lifetime of cache writes."),
    ),
    notes=(
        "Its cost estimate ignores cache tokens; it is kept beside ours and never used.",
        "Enables HTTP client instrumentation: one HTTP span per attempt, none of them a call.",
    ),
)
