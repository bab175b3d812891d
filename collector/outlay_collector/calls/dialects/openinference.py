"""OpenInference (Arize Phoenix): provider SDKs, LangChain, LlamaIndex, OpenAI Agents, CrewAI and more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlay_collector.calls import flags, raw_usage
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading
from outlay_collector.calls.values import inside, mapping, text

_DETAILS_FROM_RESPONSE = (
    "cache_read", "cache_write", "cache_write_5m", "cache_write_1h", "cache_write_30m", "cache_write_12h", "reasoning",
    "input_audio", "output_audio", "web_search",
)  # fmt: skip


def _unpack(reading: Reading) -> None:
    found = reading.found
    kind = text(found.get("kind"))
    if kind is None or kind.upper() not in ("LLM", "EMBEDDING"):
        return
    if reading.span.name.rsplit(".", 1)[-1].startswith("_"):
        # LlamaIndex traces its own helpers (``OpenAI._prepare_chat_with_tools``) as LLM spans; nothing is called.
        found["kind"] = "CHAIN"
        return
    _request(reading)
    _by_method(reading)
    if kind.upper() == "LLM":
        response = mapping(reading.content.get("output.value"))
        if response is not None:
            _langchain(reading, response) if "generations" in response else _provider(reading, response)
    unanswered = reading.span.status_code == 2 and "response_id" not in found
    if "response_model" in found and (unanswered or reading.span.scope_name.endswith(".llama_index")):
        # Until an answer comes, and in LlamaIndex always, the model's name is that of the model asked for.
        found.setdefault("request_model", found.pop("response_model"))
    for event in reading.span.events:
        if event.name == "First Token Stream Event":
            found["streaming"] = True
            elapsed_ms = (event.time_ns - reading.span.start_ns) / 1e6
            # LlamaIndex has been seen to stamp the event after the span's end; that is no time to first token.
            if 0 <= event.time_ns - reading.span.start_ns <= reading.span.end_ns - reading.span.start_ns:
                found["ttft_ms"] = elapsed_ms
            break


def _request(reading: Reading) -> None:
    found, scope = reading.found, reading.span.scope_name
    parameters = mapping(reading.rest.get("llm.invocation_parameters")) or mapping(
        reading.rest.get("embedding.invocation_parameters")
    )
    if parameters is not None:
        asked = text(parameters.get("model")) or text(parameters.get("model_name"))
        if asked and not scope.endswith(".openai_agents"):
            # The Agents SDK copies the response here, so its "model" is the one that answered.
            found.setdefault("request_model", asked)
        if parameters.get("stream") is True:
            found["streaming"] = True
        elif scope.endswith((".openai", ".anthropic", ".google_genai")):
            # LangChain writes "stream": false for streams too; the provider's own wrappers can be believed.
            found.setdefault("streaming", False)
        tier = text(parameters.get("service_tier"))
        if tier:
            found.setdefault("request_tier", tier)
    metadata = mapping(found.pop("metadata", None) or reading.rest.get("metadata"))
    if metadata is not None:
        _metadata(found, metadata)


def _metadata(found: dict[str, Any], metadata: Mapping[str, Any]) -> None:
    asked = text(metadata.get("ls_model_name"))
    if asked:
        found.setdefault("request_model", asked)
    provider = text(metadata.get("ls_provider"))
    if provider:
        found.setdefault("provider", provider)
    for slot, names in _METADATA.items():
        for name in names:
            value = text(metadata.get(name))
            if value:
                found.setdefault(slot, value)
                break


def _by_method(reading: Reading) -> None:
    """Some instrumentors name spans by the method called, which tells a stream."""
    found, span = reading.found, reading.span
    if span.scope_name.endswith(".llama_index"):
        method = span.name.rsplit(".", 1)[-1]
        if method.endswith(("chat", "complete", "chat_with_tools", "predict")):
            found.setdefault("streaming", "stream" in method)
    elif span.scope_name.endswith(".google_genai"):
        found["streaming"] = "Stream" in span.name
        # The model asked for; the one that answered is in the response.
        asked = found.pop("response_model", None)
        if asked is not None:
            found.setdefault("request_model", asked)


_METADATA = {
    "team": ("team",), "feature": ("feature",), "customer": ("customer", "customer_id"),
    "user": ("user_id", "userId"), "session": ("session_id", "sessionId", "thread_id", "conversation_id"),
    "prompt_version": ("prompt_version",),
}  # fmt: skip


def _provider(reading: Reading, response: Mapping[str, Any]) -> None:
    """``output.value`` holds the provider's whole response: id, tier, all finish reasons and the raw usage."""
    found = reading.found
    answer = text(response.get("id")) or text(response.get("response_id")) or text(response.get("responseId"))
    if answer:
        found.setdefault("response_id", answer)
    answered = text(response.get("model")) or text(response.get("model_version"))
    if answered and "response_model" not in found:
        found["response_model"] = answered
    reasons = [
        reason
        for choice in (response.get("choices") or response.get("candidates") or [])
        if (reason := text(inside(choice, "finish_reason") or inside(choice, "finishReason")))
    ]
    if reasons:
        found["finish_reasons"] = reasons  # type: ignore[assignment]
    elif text(response.get("stop_reason")):
        found["finish_reasons"] = response["stop_reason"]
    elif response.get("object") == "response" and text(response.get("status")):
        found.setdefault("finish_reasons", response["status"])
    _usage(found, response.get("usage") or response.get("usage_metadata") or response.get("usageMetadata"))
    tier = text(response.get("service_tier")) or text(inside(response.get("usage"), "service_tier"))
    if tier:
        found.setdefault("tier", tier)
    if response.get("automatic_function_calling_history"):
        reading.flags.append(flags.LAST_CALL_ONLY)


def _langchain(reading: Reading, response: Mapping[str, Any]) -> None:
    """LangChain's result: the message carries response metadata and usage, the class name tells a stream."""
    found = reading.found
    generation = inside(response, "generations", 0, 0)
    message = inside(generation, "message", "kwargs")
    metadata: Mapping[str, Any] = inside(message, "response_metadata") or {}
    result: Mapping[str, Any] = inside(response, "llm_output") or {}
    answer = text(metadata.get("id")) or text(result.get("id")) or text(inside(message, "id"))
    # ``lc_run--…`` and ``run-…`` are LangChain's own.
    if answer and not answer.startswith(("lc_run", "run-")):
        found.setdefault("response_id", answer)
    answered = text(metadata.get("model_name")) or text(metadata.get("model")) or text(result.get("model_name"))
    if answered:
        found["response_model"] = answered
    if str(inside(generation, "type")).endswith("Chunk") or str(inside(message, "type")).endswith("Chunk"):
        found["streaming"] = True
    elif inside(generation, "type") == "ChatGeneration" and reading.span.status_code != 2:
        found.setdefault("streaming", False)
    _usage(
        found,
        metadata.get("usage") or result.get("usage") or metadata.get("token_usage") or result.get("token_usage")
        or inside(message, "usage_metadata"),
    )  # fmt: skip
    _usage(found, inside(message, "usage_metadata"))
    tier = text(metadata.get("service_tier")) or text(inside(metadata.get("usage"), "service_tier"))
    if tier:
        found.setdefault("tier", tier)
    reason = text(metadata.get("finish_reason")) or text(metadata.get("stop_reason")) or text(metadata.get("status"))
    if reason:
        found.setdefault("finish_reasons", reason)


def _usage(found: dict[str, Any], raw: object) -> None:
    counts = raw_usage.read(raw)
    if not counts:
        return
    found.setdefault("input", counts.get("input"))
    found.setdefault("output", counts.get("output"))
    for slot in _DETAILS_FROM_RESPONSE:
        if slot in counts:
            found.setdefault(slot, counts[slot])


DIALECT = Dialect(
    name="openinference",
    title="OpenInference (Arize Phoenix)",
    checked=(
        "openai 0.1.66, anthropic 3.1.0, google-genai 1.4.14, langchain 0.1.80, llama-index 4.6.1, openai-agents 2.6.0, "
        "crewai 1.1.21"
    ),
    counts="`prompt` includes cache reads and writes, `completion` includes reasoning, for every provider.",
    scope_prefixes=("openinference.", "@arizeai/openinference"),
    markers=("openinference.span.kind", "llm.token_count.prompt", "llm.model_name"),
    names={
        "kind": ("openinference.span.kind",),
        "provider": ("llm.provider", "llm.system"),
        "request_model": ("llm.request.model_name",),
        "response_model": ("llm.response.model_name", "llm.model_name", "embedding.model_name", "reranker.model_name"),
        "response_id": ("llm.response.id",),
        "finish_reasons": ("llm.finish_reason",),
        "error": ("error.type",),
        "address": ("server.address",),
        "input": ("llm.token_count.prompt",),
        "output": ("llm.token_count.completion",),
        "total": ("llm.token_count.total",),
        "cache_read": ("llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input"),
        "cache_write": ("llm.token_count.prompt_details.cache_write",),
        "input_audio": ("llm.token_count.prompt_details.audio",),
        "reasoning": ("llm.token_count.completion_details.reasoning",),
        "output_audio": ("llm.token_count.completion_details.audio",),
        "cost": ("llm.cost.total",),
        "user": ("user.id",),
        "session": ("session.id",),
        "agent": ("agent.name", "graph.node.id"),
        "tool": ("tool.name", "tool_call.function.name"),
        "prompt_version": ("outlay.prompt.version", "llm.prompt_template.version"),
        "team": ("outlay.team",), "feature": ("outlay.feature",), "customer": ("outlay.customer",),
    },
    kinds={
        "llm": "call", "embedding": "call", "reranker": "call", "chain": "aggregate", "agent": "aggregate",
        "tool": "tool", "retriever": "retrieval", "guardrail": "other", "evaluator": "aggregate", "prompt": "other",
        "unknown": "other",
    },
    operation_of_kind={
        "llm": "chat", "embedding": "embeddings", "reranker": "rerank", "agent": "invoke_agent", "tool": "execute_tool",
        "retriever": "retrieval",
    },
    content=("llm.prompt_template.template", "llm.prompt_template.variables", "tool.description", "tool.parameters",
             "tool.json_schema", "crew_agents", "crew_tasks", "crew_inputs"),
    content_prefixes=("llm.tools.", "embedding.embeddings.", "retrieval.documents.", "reranker.input_documents.",
                      "reranker.output_documents.", "input.", "output.", "message.", "image."),
    prepare=_unpack,
    gaps=(
        Gap(what="OpenAI Agents on chat completions (`generation` spans): cached tokens are lost."),
        Gap(what="LangChain embeddings: no span."),
        Gap(what="Gemini's automatic function calling: the usage of the last call only; Gemini embeddings: no usage."),
        Gap(what="LlamaIndex streams: no usage unless the application asks the provider for it."),
        Gap(what="Errors of some providers: no model name; it is read from the invocation parameters."),
    ),
    notes=(
        "Response id, service tier, lifetimes of cache writes and OpenAI's cache writes are read from the response in "
        "`output.value`, where it is sent.",
        "LangChain with a provider's instrumentation: two or three spans per call, in different traces.",
        "LlamaIndex's helper spans (`_prepare_…`) are no calls.",
    ),
)  # fmt: skip
