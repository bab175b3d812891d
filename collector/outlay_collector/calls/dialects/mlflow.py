"""MLflow tracing over OTLP: every attribute is JSON-encoded."""

from __future__ import annotations

from typing import Any

from outlay_collector.calls import flags, raw_usage
from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading, joined
from outlay_collector.calls.values import inside, mapping, structure, text


def _unpack(reading: Reading) -> None:
    found = reading.found
    kind = (text(found.get("kind")) or "").upper()
    usage = mapping(reading.rest.get("mlflow.chat.tokenUsage"))
    if kind and kind not in ("CHAT_MODEL", "LLM", "EMBEDDING"):
        # Agents and chains repeat the sums of their calls.
        if usage is not None:
            found["input"], found["output"] = usage.get("input_tokens"), usage.get("output_tokens")
        return
    if usage is not None:
        _token_usage(found, usage)
    written = reading.content.get("mlflow.spanOutputs")
    output = mapping(written)
    if output is not None:
        _response(found, output)
    elif isinstance(written, str) and written.startswith('"<') and " object at 0x" in written:
        # The stream itself, which nobody had read yet; it tells nothing of the answer.
        del reading.content["mlflow.spanOutputs"]
    asked = mapping(reading.content.get("mlflow.spanInputs"))
    if asked is not None:
        if text(asked.get("model")):
            found.setdefault("request_model", asked["model"])
        if "model" in asked:
            found.setdefault("streaming", asked.get("stream") is True)
    for event in reading.span.events:
        if event.name.startswith("mlflow.chunk.item"):
            found["streaming"] = True
            found["ttft_ms"] = max(0, event.time_ns - reading.span.start_ns) / 1e6
            break
    _last_chunk(reading)
    if not kind and "model" in reading.span.attributes:
        # In GenAI-convention mode only the request's own arguments tell a stream.
        found.setdefault("streaming", False)
    unanswered = reading.span.status_code == 2 or found.get("streaming") is True
    if unanswered and output is None and text(found.get("response_model")) == text(found.get("request_model")):
        # Nothing came back, or nobody read it: the model's name is that of the model asked for.
        found.pop("response_model", None)


def _last_chunk(reading: Reading) -> None:
    """With ``include_usage`` the last chunk carries the provider's own usage, in every mode."""
    for event in reading.span.events[-_CHUNKS_READ:]:
        chunk = mapping(event.attributes.get("mlflow.chunk.value"))
        usage = inside(chunk, "usage") or inside(chunk, "response", "usage")
        if usage:
            for slot, value in raw_usage.read(usage).items():
                reading.found.setdefault(slot, value)  # type: ignore[arg-type]


_CHUNKS_READ = 3


def _token_usage(found: dict[str, Any], usage: Any) -> None:
    """Inclusive; ``…_above_1hr`` is the part of the writes that is kept for one hour."""
    written, hour = usage.get("cache_creation_input_tokens"), usage.get("cache_creation_input_tokens_above_1hr")
    counts = {
        "input": usage.get("input_tokens"), "output": usage.get("output_tokens"), "total": usage.get("total_tokens"),
        "cache_read": usage.get("cache_read_input_tokens"), "cache_write": written, "cache_write_1h": hour,
    }  # fmt: skip
    for slot, value in counts.items():
        if value is not None:
            found.setdefault(slot, value)


def _response(found: dict[str, Any], output: Any) -> None:
    answer = text(output.get("id"))
    if answer:
        found.setdefault("response_id", answer)
    answered = text(output.get("model"))
    if answered:
        found["response_model"] = answered
    for slot, value in raw_usage.read(output.get("usage")).items():
        found.setdefault(slot, value)
    tier = text(output.get("service_tier")) or text(inside(output, "usage", "service_tier"))
    if tier:
        found.setdefault("tier", tier)
    if output.get("object") == "response" and text(output.get("status")):
        found.setdefault("finish_reasons", output["status"])
    choices = structure(output.get("choices")) or []
    reasons = [reason for choice in choices if (reason := text(inside(choice, "finish_reason")))]
    if reasons or text(output.get("stop_reason")):
        found.setdefault("finish_reasons", reasons or output["stop_reason"])


DIALECT = Dialect(
    name="mlflow",
    title="MLflow tracing",
    checked="mlflow 3.17.2, OTLP export, native and GenAI-convention mode",
    counts="Input includes cache reads and writes, output includes reasoning, for every provider.",
    scopes=("mlflow.tracing.provider",),
    scope_prefixes=("mlflow",),
    markers=("mlflow.spanType", "mlflow.chat.tokenUsage"),
    names=joined(
        {
            "kind": ("mlflow.spanType",),
            "provider": ("gen_ai.provider.name", "gen_ai.system", "mlflow.llm.provider", "mlflow.message.format"),
            # In GenAI-convention mode ``gen_ai.request.model`` holds the model that answered.
            "request_model": ("model", "gen_ai.request.model"),
            "response_model": ("gen_ai.response.model", "mlflow.llm.model"),
            "streaming": ("gen_ai.request.stream", "stream"),
            "user": ("user.id", "mlflow.trace.user", "mlflow.user"),
            "session": ("session.id", "mlflow.trace.session"),
        },
        otel_genai.NAMES,
    ),
    kinds={
        "chat_model": "call", "llm": "call", "embedding": "call", "reranker": "call", "agent": "aggregate",
        "chain": "aggregate", "workflow": "aggregate", "task": "aggregate", "evaluator": "aggregate", "tool": "tool",
        "retriever": "retrieval", "parser": "other", "memory": "other", "guardrail": "other", "unknown": "other",
    },
    operation_of_kind={
        "chat_model": "chat", "llm": "chat", "embedding": "embeddings", "agent": "invoke_agent", "tool": "execute_tool",
        "retriever": "retrieval", "reranker": "rerank",
    },
    content=("mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.chat.messages", "mlflow.chat.tools"),
    prepare=_unpack,
    gaps=(
        Gap(
            what="In GenAI-convention mode (MLFLOW_ENABLE_OTEL_GENAI_SEMCONV): cached tokens, often the provider, and the "
            "model asked for.",
            flag=flags.CACHE_NOT_REPORTED,
        ),
        Gap(what="OpenAI's cache writes and reasoning, unless the response itself is sent."),
        Gap(what="Usage of embeddings and of Anthropic's `create(stream=True)`."),
        Gap(what="Session and user set on the trace."),
    ),
)  # fmt: skip
