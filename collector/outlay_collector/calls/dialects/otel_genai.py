"""OpenTelemetry GenAI semantic conventions, all spellings since 1.26, and the instrumentations that follow them.

Also the fallback: a source nobody has measured that writes ``gen_ai.*`` names is read by this table.
"""

from __future__ import annotations

from outlay_collector.calls import flags
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Names

NAMES: Names = {
    "operation": ("gen_ai.operation.name",),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "request_model": ("gen_ai.request.model",),
    "response_model": ("gen_ai.response.model",),
    "response_id": ("gen_ai.response.id",),
    "finish_reasons": (
        "gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "gen_ai.completion.finish_reason",
        "llm.response.finish_reason", "llm.response.stop_reason",
    ),
    "streaming": ("gen_ai.request.stream", "gen_ai.is_streaming", "gen_ai.request.streaming", "llm.is_streaming"),
    "ttft_seconds": (
        "gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.response.time_to_first_token", "gen_ai.server.time_to_first_token",
    ),
    "tier": (
        "outlay.service_tier", "openai.response.service_tier", "gen_ai.openai.response.service_tier",
        "anthropic.response.service_tier", "gen_ai.response.service_tier",
    ),
    "request_tier": (
        "openai.request.service_tier", "gen_ai.openai.request.service_tier", "gen_ai.request.service_tier",
    ),
    "error": ("error.type",),
    "address": ("server.address", "gen_ai.openai.api_base", "gen_ai.request.api_base", "net.peer.name"),
    "region": ("aws.region", "cloud.region"),
    "account": ("azure.openai.deployment", "gen_ai.azure.deployment", "cloud.account.id"),
    "input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
    "output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"),
    "total": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens"),
    "cache_read": (
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.input_tokens.cached", "gen_ai.usage.cached_input_tokens", "gen_ai.usage.cached_tokens",
        "gen_ai.usage.cache_read_tokens", "gen_ai.usage.prompt_tokens_details.cached_tokens",
        "llm.usage.cache_read_input_tokens",
    ),
    "cache_write": (
        "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.input_tokens.cache_write", "gen_ai.usage.cache_creation_tokens",
        "gen_ai.usage.cache_write_tokens", "llm.usage.cache_creation_input_tokens",
    ),
    "cache_write_5m": (
        "outlay.usage.cache_write_5m_tokens", "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
        "gen_ai.usage.cache_creation.ephemeral_5m_input_tokens",
    ),
    "cache_write_1h": (
        "outlay.usage.cache_write_1h_tokens", "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
    ),
    "reasoning": (
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens", "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.reasoning_output_tokens", "gen_ai.usage.thoughts_tokens",
        "gen_ai.usage.completion_tokens_details.reasoning_tokens",
    ),
    "input_audio": ("gen_ai.usage.audio.input_tokens",),
    "output_audio": ("gen_ai.usage.audio.output_tokens",),
    "input_image": ("gen_ai.usage.image.input_tokens",),
    "output_image": ("gen_ai.usage.image.output_tokens",),
    "input_video": ("gen_ai.usage.video.input_tokens",),
    "usage_source": ("outlay.usage_source",),
    "cost": ("gen_ai.usage.cost", "operation.cost", "gen_ai.cost.total_cost", "llm.cost.total"),
    "user": ("user.id", "enduser.id", "gen_ai.user.id", "user_id"),
    "session": ("session.id", "gen_ai.conversation.id", "session_id", "thread.id"),
    "team": ("outlay.team",),
    "feature": ("outlay.feature",),
    "customer": ("outlay.customer",),
    "prompt_version": ("outlay.prompt.version", "gen_ai.prompt.version"),
    "agent": ("gen_ai.agent.name",),
    "tool": ("gen_ai.tool.name",),
}  # fmt: skip


GENAI = Dialect(
    name="otel-genai",
    title="OpenTelemetry GenAI instrumentations (2026)",
    checked="opentelemetry-instrumentation-genai-openai, -genai-anthropic and -google-genai 1.3b0",
    counts="Input includes cached and audio tokens, output includes reasoning.",
    scopes=("opentelemetry.instrumentation.google_genai",),
    scope_prefixes=("opentelemetry.instrumentation.genai.",),
    names=NAMES,
    absent_means_zero=frozenset({"cache_read", "cache_write", "reasoning"}),
    absent_stream_means=False,
    gaps=(
        Gap(what="The lifetime of Anthropic's cache writes; five minutes are assumed."),
        Gap(what="Usage of Gemini embeddings."),
        Gap(what="Gemini's automatic function calling: one span for several calls, with the usage of the last."),
    ),
    notes=("Finish reasons are normalised (`end_turn` is written `stop`).", "Retries of the client leave no spans."),
)

OPENAI_V2 = Dialect(
    name="otel-openai-v2",
    title="OpenTelemetry openai-v2 (contrib)",
    checked="opentelemetry-instrumentation-openai-v2 2.4b0, default and latest mode",
    counts="Input includes cached tokens, output includes reasoning; neither part is told.",
    scopes=("opentelemetry.instrumentation.openai_v2", "opentelemetry.util.genai.handler"),
    names=NAMES,
    gaps=(
        Gap(what="Cached input, cache writes and reasoning, in both modes.", flag=flags.CACHE_NOT_REPORTED),
        Gap(what="Whether a call was streamed."),
        Gap(what="The responses API: no span at all."),
    ),
)

GENERIC = Dialect(
    name="gen-ai",
    title="Any other source with OpenTelemetry GenAI names",
    checked="conventions 1.26 to 1.41 and semantic-conventions-genai as of November 2026",
    counts=(
        "As the conventions say: input includes cached tokens. Where the cache counts exceed the input, the input is "
        "read as uncached input only, and the call is flagged."
    ),
    markers=(
        "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model",
        "gen_ai.response.model", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens",
    ),
    names=NAMES,
)  # fmt: skip
