"""LangSmith in OpenTelemetry mode."""

from __future__ import annotations

from typing import Any

from outlay_collector.calls import raw_usage
from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading, joined
from outlay_collector.calls.values import inside, mapping, text

_METADATA = "langsmith.metadata."


def _unpack(reading: Reading) -> None:
    found, rest = reading.found, reading.rest
    usage = mapping(rest.get(f"{_METADATA}usage_metadata"))
    if usage is not None:
        _add(found, raw_usage.read_mapping({"input_tokens": None, **usage}))
    details = {
        "input_tokens": found.get("input"),
        "input_token_details": mapping(rest.get("gen_ai.usage.input_token_details")) or {},
        "output_token_details": mapping(rest.get("gen_ai.usage.output_token_details")) or {},
    }
    _add(found, raw_usage.read_mapping(details))
    if (text(found.get("kind")) or "").lower() != "llm":
        return
    completion = mapping(reading.content.get("gen_ai.completion"))
    if completion is not None and isinstance(completion.get("usage"), dict):
        _add(found, raw_usage.read_mapping(completion["usage"]))
    answer = text(inside(completion, "id"))
    if answer and not answer.startswith(("lc_run", "run-")):
        found.setdefault("response_id", answer)
    found.setdefault("streaming", False)


def _add(found: dict[str, Any], counts: raw_usage.Counts) -> None:
    for slot, value in counts.items():
        found.setdefault(slot, value)


DIALECT = Dialect(
    name="langsmith",
    title="LangSmith (OpenTelemetry mode)",
    checked="langsmith 0.14.17: wrap_openai, @traceable, LangChain",
    counts="Input includes cached tokens, output includes reasoning; the parts are in Python reprs and JSON metadata.",
    scopes=("langsmith",),
    markers=("langsmith.span.kind", "langsmith.trace.name"),
    names=joined(
        {
            "kind": ("langsmith.span.kind",),
            # ``gen_ai.system`` may say "langchain" for a model of OpenAI's.
            "provider": (f"{_METADATA}ls_provider", "gen_ai.provider.name", "gen_ai.system"),
            "request_model": ("gen_ai.request.model", f"{_METADATA}ls_model_name"),
            "streaming": ("langsmith.request.streaming",),
            "user": ("user.id", f"{_METADATA}user_id", f"{_METADATA}userId"),
            "session": (
                "session.id", f"{_METADATA}session_id", f"{_METADATA}thread_id", f"{_METADATA}conversation_id",
            ),
            "team": ("outlay.team", f"{_METADATA}team"),
            "feature": ("outlay.feature", f"{_METADATA}feature"),
            "customer": ("outlay.customer", f"{_METADATA}customer"),
            "prompt_version": ("outlay.prompt.version", f"{_METADATA}prompt_version", f"{_METADATA}lc_hub_commit_hash"),
            "environment": (f"{_METADATA}environment",),
        },
        otel_genai.NAMES,
    ),
    kinds={
        "llm": "call", "chain": "aggregate", "tool": "tool", "retriever": "retrieval", "embedding": "call",
        "prompt": "other", "parser": "other",
    },
    operation_of_kind={"llm": "chat", "tool": "execute_tool", "retriever": "retrieval", "embedding": "embeddings"},
    prepare=_unpack,
    gaps=(
        Gap(what="The lifetime of cache writes, unless LangChain tells it; five minutes are assumed."),
        Gap(what="The type of an error: it is read from the exception event's text."),
    ),
    notes=("`langsmith.trace.session_name` is the project, not a session.",),
)  # fmt: skip
