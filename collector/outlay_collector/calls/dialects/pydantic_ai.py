"""Pydantic AI's own spans."""

from __future__ import annotations

from outlay_collector.calls import flags
from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading, joined
from outlay_collector.calls.values import text

_DETAIL = "gen_ai.usage.details."


def _placeholders_and_failures(reading: Reading) -> None:
    found, span = reading.found, reading.span
    if "ttft_seconds" not in found and "finish_reasons" in found and found.get("provider") != "anthropic":
        # The time to first chunk is measured in streams only. Anthropic is asked for streams behind the scenes too.
        found["streaming"] = False
    if text(reading.rest.get("logfire.span_type")) == "pending_span":
        reading.flags.append(flags.PENDING)
    if span.status_code == 2 and "response_id" not in found and "input" not in found:
        # A failed request repeats the model asked for as the model that answered.
        found.pop("response_model", None)


DIALECT = Dialect(
    name="pydantic-ai",
    title="Pydantic AI",
    checked="pydantic-ai-slim 2.68.0, telemetry formats 2, 3, 6 and the default",
    counts="Input includes cache reads and writes, output includes reasoning and Gemini's thoughts, for every provider.",
    scopes=("pydantic-ai",),
    markers=("model_request_parameters",),
    names=joined(
        {
            "cache_read": ("gen_ai.usage.cache_read.input_tokens", f"{_DETAIL}cache_read_tokens"),
            "cache_write": ("gen_ai.usage.cache_creation.input_tokens", f"{_DETAIL}cache_write_tokens"),
            "cache_write_5m": (f"{_DETAIL}ephemeral_5m_input_tokens",),
            "cache_write_1h": (f"{_DETAIL}ephemeral_1h_input_tokens",),
            "reasoning": (
                "gen_ai.usage.reasoning.output_tokens", f"{_DETAIL}reasoning_tokens", f"{_DETAIL}thoughts_tokens",
                f"{_DETAIL}thinking_tokens",
            ),
            "input_audio": ("gen_ai.usage.audio.input_tokens", f"{_DETAIL}input_audio_tokens", f"{_DETAIL}audio_prompt_tokens"),
            "output_audio": ("gen_ai.usage.audio.output_tokens", f"{_DETAIL}output_audio_tokens"),
            "web_search": (f"{_DETAIL}web_search_requests",),
            "agent": ("gen_ai.agent.name", "agent_name"),
        },
        otel_genai.NAMES,
    ),
    content=("final_result", "pydantic_ai.all_messages", "all_messages_events", "tool_arguments", "tool_response",
             "model_request_parameters", "events", "pydantic_ai.new_message_index", "logfire.metrics", "logfire.json_schema"),
    absent_means_zero=frozenset({"cache_read", "cache_write"}),
    prepare=_placeholders_and_failures,
    gaps=(
        Gap(what="Whether a call of Anthropic's was streamed."),
        Gap(what="The lifetime of cache writes, unless some were for one hour."),
    ),
    notes=(
        "Agent spans repeat the sums of their calls (`gen_ai.aggregated_usage.*`, older `gen_ai.usage.*`, and "
        "`logfire.metrics`): never added.",
    ),
)  # fmt: skip
