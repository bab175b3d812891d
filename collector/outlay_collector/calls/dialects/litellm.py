"""LiteLLM's ``otel`` callback, first and second version, in the library and in the proxy."""

from __future__ import annotations

import base64

from outlay_collector.calls import flags, raw_usage
from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading, joined
from outlay_collector.calls.values import mapping, number, text, truth

# Version 1 writes the name of the function that was called.
_ASYNCHRONOUS = {
    "acompletion": "chat", "aresponses": "chat", "aembedding": "embeddings", "atext_completion": "text_completion",
    "arerank": "rerank", "aimage_generation": "image_generation", "atranscription": "transcription", "aspeech": "speech",
    "amoderation": "moderation", "anthropic_messages": "chat", "agenerate_content": "generate_content",
    "agenerate_content_stream": "generate_content", "generate_content_stream": "generate_content",
}  # fmt: skip


def _unpack(reading: Reading) -> None:
    found, rest, span = reading.found, reading.rest, reading.span
    if span.name == "raw_gen_ai_request":
        _raw(reading)
        return
    for name in [name for name, value in rest.items() if value == ""]:
        # Version 1 writes every field of its metadata, absent ones as empty text.
        del rest[name]
    for slot, value in raw_usage.read(rest.get("metadata.usage_object")).items():
        if slot not in ("input", "output", "total"):
            found.setdefault(slot, value)  # type: ignore[arg-type]
    answer = text(found.get("response_id"))
    if answer:
        found["response_id"] = _plain_id(answer)
    if answer and answer == text(rest.get("litellm.call_id")):
        # What failed has no response; the id is LiteLLM's own of the call.
        del found["response_id"]
    operation = text(found.get("operation"))
    if operation in _ASYNCHRONOUS:
        found["operation"] = _ASYNCHRONOUS[operation]
    if truth(found.setdefault("streaming", False)) and found.get("response_model") == found.get("request_model"):
        # Of streams the model asked for is repeated as the one that answered.
        found.pop("response_model", None)
    model = text(found.pop("qualified_model", None))
    if model and "/" in model:
        # ``anthropic/claude-…`` names the provider that the ``openai`` protocol hides.
        found["provider"] = model.split("/", 1)[0]
    hidden = mapping(rest.get("hidden_params"))
    if hidden is not None:
        cost = number(hidden.get("response_cost"))
        if cost:
            found.setdefault("cost", cost)
        address = text(hidden.get("api_base"))
        if address:
            found.setdefault("address", address)
        deployment = text(hidden.get("model_id"))
        if deployment:
            found.setdefault("account", deployment)


_ABOUT_THE_CALL = frozenset((
    "id", "model", "usage", "service_tier", "stop_reason", "object", "created", "created_at", "type", "role", "status",
    "system_fingerprint", "max_tokens", "temperature", "top_p", "stream",
))  # fmt: skip


def _plain_id(answer: str) -> str:
    """Ids of the responses API are wrapped: ``resp_`` and base64 of ``litellm:…;response_id:resp_…``."""
    wrapped = answer.removeprefix("resp_")
    if wrapped == answer or len(wrapped) > 2048:
        return answer
    try:
        inner = base64.b64decode(wrapped + "=" * (-len(wrapped) % 4), validate=True).decode()
    except (ValueError, UnicodeDecodeError):
        return answer
    return inner.rpartition("response_id:")[2] or answer if "response_id:" in inner else answer


def _raw(reading: Reading) -> None:
    """The provider's own words about the call its parent describes: its true id, and the lifetime of cache writes."""
    reading.flags.append(flags.DESCRIBES_PARENT)
    found = reading.found
    answered = any(name.startswith("llm.") and name.endswith(".id") for name in reading.rest)
    found["operation"] = "chat"
    for name in list(reading.rest):
        if not name.startswith("llm."):
            continue
        provider, _, member = name[4:].partition(".")
        value = reading.rest[name]
        if member == "id" and text(value):
            found["response_id"] = value
            found.setdefault("provider", provider)
        elif member == "usage":
            for slot, count in raw_usage.read(value).items():
                found.setdefault(slot, count)  # type: ignore[arg-type]
        elif member == "model" and answered and text(value):
            found.setdefault("response_model", value)
        elif member == "service_tier" and text(value):
            found.setdefault("tier", value)
        elif member not in _ABOUT_THE_CALL:
            # Whatever else the provider was asked or answered may be texts, tools or embeddings.
            reading.content[name] = reading.rest.pop(name)


DIALECT = Dialect(
    name="litellm",
    title="LiteLLM",
    checked="litellm 1.106.2: otel callback v1 and v2",
    counts="Input includes cache reads and writes, output includes reasoning, for every provider.",
    scopes=("litellm",),
    markers=("litellm.provider.model", "litellm.call_type"),
    names=joined(
        {
            "cost": ("gen_ai.cost.total_cost", "litellm.cost.total_cost", "litellm.cost.total", "gen_ai.usage.cost"),
            "streaming": ("gen_ai.request.stream", "llm.is_streaming", "litellm.request.streaming"),
            "user": ("user.id", "metadata.user_api_key_end_user_id", "llm.user", "metadata.user_api_key_user_id"),
            "session": ("session.id", "metadata.session_id", "metadata.trace_session_id", "gen_ai.conversation.id"),
            "team": ("outlay.team", "metadata.user_api_key_team_alias", "metadata.user_api_key_team_id"),
            "qualified_model": ("litellm.provider.model",),
            "feature": ("outlay.feature", "metadata.feature"),
            "customer": ("outlay.customer", "metadata.customer"),
            "finish_reasons": ("gen_ai.response.finish_reasons", "gen_ai.completion.0.finish_reason"),
        },
        otel_genai.NAMES,
    ),
    default_type="other",
    content=("llm.request.functions",),
    absent_stream_means=None,
    keeps_ids_of=frozenset({"openai", "azure.ai.openai"}),
    prepare=_unpack,
    gaps=(
        Gap(what="Cached tokens, unless in `metadata.usage_object` or the newer attributes.", flag=flags.CACHE_NOT_REPORTED),
        Gap(what="The successful call after a fallback: only the failed attempt is reported."),
        Gap(what="Synchronous calls, in version 2."),
    ),
    notes=(
        "A stream without usage has explicit zeros: read as missing.",
        "Response ids of other providers than OpenAI are invented and join with nothing; the true id is in the raw span.",
        "`raw_gen_ai_request` describes the same call as its parent and only adds details to it.",
    ),
)  # fmt: skip
