"""vLLM's own request traces, written by the server."""

from __future__ import annotations

from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading, joined
from outlay_collector.calls.values import text


def _request(reading: Reading) -> None:
    found = reading.found
    found["provider"] = "vllm"
    if reading.span.name == "llm_request" or "input" in found:
        found.setdefault("operation", "chat")
    answer = text(found.get("response_id"))
    if answer and answer.count("-") >= 2 and answer.rsplit("-", 1)[-1].isdigit():
        # The engine numbers the choices of a request: ``cmpl-…-0``.
        found["response_id"] = answer.rsplit("-", 1)[0]


DIALECT = Dialect(
    name="vllm",
    title="vLLM traces",
    checked="the engine's tracing module (names); not measured here",
    counts="Prompt tokens include those found in the prefix cache, which are not told apart.",
    scope_prefixes=("vllm",),
    markers=("gen_ai.latency.time_in_queue", "gen_ai.latency.e2e"),
    names=joined(
        {
            "input": ("gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"),
            "output": ("gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"),
            "response_id": ("gen_ai.request.id", "gen_ai.response.id"),
            "response_model": ("gen_ai.response.model", "gen_ai.response_model"),
            "ttft_seconds": ("gen_ai.latency.time_to_first_token",),
        },
        otel_genai.NAMES,
    ),
    default_type="other",
    ttft_means_streaming=False,
    prepare=_request,
    gaps=(Gap(what="Cached prompt tokens (the engine's metrics have them) and whether a call was streamed."),),
    notes=("The server's view of a call: with a client's span of the same call it is one call, served by vLLM.",),
)
