"""OpenLLMetry (Traceloop), with the older names of its 0.40 to 0.5x releases."""

from __future__ import annotations

from outlay_collector.calls import flags
from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading, joined
from outlay_collector.calls.values import count_or_none, truth

_ASSOCIATED = "traceloop.association.properties."


def _last_chunk_counted_twice(reading: Reading) -> None:
    """In Anthropic streams the one output token of ``message_start`` is added to the final, cumulative count."""
    found = reading.found
    if not reading.span.scope_name.endswith(".anthropic"):
        return
    # The Anthropic instrumentation says so only of streams.
    if truth(found.setdefault("streaming", False)):
        output = count_or_none(found.get("output"))
        if output is not None and output > 1:
            found["output"] = output - 1
            reading.flags.append(flags.OUTPUT_CORRECTED)


DIALECT = Dialect(
    name="openllmetry",
    title="OpenLLMetry (Traceloop)",
    checked="opentelemetry-instrumentation-openai and -anthropic 0.62.4; names of 0.40 to 0.5x",
    counts="Input includes cached tokens, output includes reasoning.",
    scopes=("opentelemetry.instrumentation.openai.v1", "opentelemetry.instrumentation.openai.v0", "traceloop.tracer"),
    scope_prefixes=tuple(
        f"opentelemetry.instrumentation.{library}"
        for library in (
            "anthropic", "alephalpha", "bedrock", "cohere", "crewai", "groq", "google_generativeai", "haystack",
            "langchain", "llamaindex", "marqo", "mistralai", "ollama", "openai_agents", "replicate", "sagemaker",
            "together", "transformers", "vertexai", "watsonx", "writer", "agno", "mcp", "voyageai",
        )
    ),
    markers=("traceloop.span.kind", "traceloop.entity.name", "llm.request.type"),
    names=joined(
        {
            "kind": ("traceloop.span.kind",),
            "operation": ("gen_ai.operation.name", "llm.request.type"),
            "streaming": ("gen_ai.is_streaming", "llm.is_streaming"),
            "user": ("user.id", f"{_ASSOCIATED}user_id", f"{_ASSOCIATED}userId", "llm.user"),
            "session": (
                "session.id", f"{_ASSOCIATED}session_id", f"{_ASSOCIATED}sessionId", f"{_ASSOCIATED}thread_id",
                f"{_ASSOCIATED}conversation_id",
            ),
            "team": ("outlay.team", f"{_ASSOCIATED}team"),
            "feature": ("outlay.feature", f"{_ASSOCIATED}feature"),
            "customer": ("outlay.customer", f"{_ASSOCIATED}customer", f"{_ASSOCIATED}customer_id"),
            "prompt_version": ("outlay.prompt.version", "traceloop.prompt.version"),
        },
        otel_genai.NAMES,
    ),
    kinds={"workflow": "aggregate", "task": "aggregate", "agent": "aggregate", "tool": "tool"},
    operation_of_kind={"workflow": "invoke_workflow", "agent": "invoke_agent", "tool": "execute_tool"},
    content=("traceloop.entity.input", "traceloop.entity.output"),
    absent_stream_means=None,
    prepare=_last_chunk_counted_twice,
    gaps=(
        Gap(
            what="OpenAI's cache writes (billed 1.25 × from gpt-5.6).",
            flag=flags.CACHE_WRITE_NOT_REPORTED, slot="cache_write", providers=frozenset({"openai", "azure.ai.openai"}),
            models=("gpt-5-6", "gpt-5-7", "gpt-5-8", "gpt-5-9", "gpt-6", "gpt-7"),
        ),
        Gap(what="Anthropic's thinking tokens, and the lifetime of its cache writes; five minutes are assumed."),
        Gap(what="Time to first token (a metric only)."),
        Gap(what="Abandoned streams of OpenAI: no span at all."),
    ),
    notes=(
        "In Anthropic streams the output count is one too high; the surplus token is taken off and flagged.",
        "With the Anthropic SDK's native spans each call is described twice, in two traces: joined by response id.",
    ),
)  # fmt: skip
