"""Provider response → what it used: recognised by shape, read without importing any provider's library.

Two steps, because they run at different times. ``capture`` runs in the caller: it takes the few references that matter
(the usage object, ids, finish reasons), so that a large response is not kept alive and later changes to it do no harm.
``counts`` runs in the background: it turns the provider's usage into inclusive totals with their parts.

Only instance dictionaries are read, never attributes: looking at a stranger's object must not run its code (a lazy
database column, a property that calls a server).

What the providers' numbers include: docs/dialects.md in the repository; in short OpenAI's and Gemini's input includes
cached tokens, Anthropic's does not; Gemini's output excludes thoughts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from outlay import semconv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fields = Mapping[str, object]
    Reader = Callable[[Fields], "Reading | None"]

# What a provider's model is asked for when nothing else tells.
OPERATION_OF_PROVIDER = {"gcp.gemini": semconv.GENERATE_CONTENT}

# Libraries whose objects are looked at, by the first part of the module of their class: OTel's name for the provider
# ("" where the object does not tell).
PROVIDER_OF_LIBRARY = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "gcp.gemini",
    "groq": "groq",
    "mistralai": "mistral_ai",
    "litellm": "",
    "together": "together_ai",
    "cerebras": "cerebras",
}


class Reading(NamedTuple):
    """The parts of one response that say what it cost, still as the provider spelt them."""

    provider: str
    operation: str
    usage: object | None  # the provider's usage object or dict
    model: str | None
    response_id: str | None
    finish_reasons: tuple[str, ...]
    service_tier: str | None
    answer: object | None = None  # choices, output, content or candidates: what evidence and content are read from
    complete: bool = True  # False: a stream that ended early, so usage is what was known by then


class Counts(NamedTuple):
    """Tokens of one call. The totals include their parts; ``None`` is not known, 0 is none."""

    input: int | None = None
    output: int | None = None
    cache_read: int = 0
    cache_write: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    input_audio: int = 0
    output_audio: int = 0

    def pairs(self) -> list[tuple[str, int]]:
        """The span attributes that say this. Parts that are zero are left out, totals are not."""
        return [
            (key, count) for key, count in zip(_KEYS, self, strict=True) if count or (count == 0 and key in _TOTALS)
        ]


_KEYS = (
    semconv.INPUT_TOKENS,
    semconv.OUTPUT_TOKENS,
    semconv.CACHE_READ_TOKENS,
    semconv.CACHE_WRITE_TOKENS,
    semconv.CACHE_WRITE_5M_TOKENS,
    semconv.CACHE_WRITE_1H_TOKENS,
    semconv.REASONING_TOKENS,
    semconv.AUDIO_INPUT_TOKENS,
    semconv.AUDIO_OUTPUT_TOKENS,
)
_TOTALS = _KEYS[:2]


# Reading fields


# Past any ``__getattribute__`` of the object's own class.
_instance_attribute: Callable[[object, str], Fields] = object.__getattribute__
_NONE: Fields = {}


def fields_of(thing: object) -> Fields:
    """The instance dictionary of an object, or a dictionary itself; empty for what has none."""
    if isinstance(thing, dict):
        return thing  # type: ignore[return-value]  # a cast is a function call, and this runs for every chunk
    try:
        return _instance_attribute(thing, "__dict__")
    except AttributeError:
        return _NONE


def newer_fields_of(thing: object) -> Fields:
    """Fields newer than the installed library, which pydantic keeps in a second dictionary, held in a slot."""
    try:
        return _instance_attribute(thing, "__pydantic_extra__") or _NONE
    except AttributeError:
        return _NONE


def part(thing: object, name: str) -> object | None:
    """One field of a response object or dictionary, or None. A field its class does not know (yet) counts too."""
    if isinstance(thing, dict):
        return thing.get(name)  # type: ignore[no-any-return]
    fields = fields_of(thing)
    return fields[name] if name in fields else newer_fields_of(thing).get(name)


def numbers(thing: object | None, *names: str) -> list[int]:
    """Token counts of one usage object or dictionary, 0 for each that is not there."""
    if thing is None:
        return [0] * len(names)
    fields = fields_of(thing)
    found: list[int] = []
    for name in names:
        value = fields.get(name)
        if value is None and name not in fields and fields is not thing:
            value = newer_fields_of(thing).get(name)
        found.append(value if isinstance(value, int) else 0)
    return found


def word(value: object | None) -> str | None:
    """A string; for an enum member its value's spelling; None for anything else."""
    if value is None or type(value) is str:
        return value
    inner = fields_of(value).get("_value_")  # how Python's enums keep their value
    if isinstance(inner, str):
        return inner
    return str(value) if isinstance(value, str) else None


def items(value: object | None) -> list[object]:
    """A list, or nothing."""
    return value if isinstance(value, list) else []  # type: ignore[return-value]


# Recognising a response


def capture(response: object) -> Reading | None:
    """What is worth keeping of a returned value, or None when it is no model's response. Runs in the caller."""
    kind = type(response)
    if kind is dict:
        fields = fields_of(response)
        reader = _reader_by_shape(fields, None)
        return reader(fields) if reader else None
    try:
        reader = _readers[kind]
    except KeyError:
        reader = _learn(kind, response)
    if reader is None:
        return None
    reading = reader(fields_of(response))
    if (
        reading is not None and reading.usage is None
    ):  # LiteLLM's responses hold theirs where pydantic keeps fields that no class declares
        newer = newer_fields_of(response)
        if newer:
            tier = reading.service_tier or word(newer.get("service_tier"))
            reading = reading._replace(usage=newer.get("usage"), service_tier=tier)
    return reading


_readers: dict[type, Reader | None] = {}
_MAX_TYPES = 1_024


def _learn(kind: type, response: object) -> Reader | None:
    """Decide once per class how its instances are read. A forgetful cache keeps generated classes from piling up."""
    if len(_readers) >= _MAX_TYPES:
        _readers.clear()
    library = library_of(kind)
    reader = _reader_by_shape(fields_of(response), library) if library is not None else None
    if reader is not None or library is None:  # a library's object of unknown shape is looked at again next time
        _readers[kind] = reader
    return reader


def library_of(kind: type) -> str | None:
    """The provider library a class or one of its bases comes from (a user may subclass a response), or None."""
    for base in kind.__mro__:
        root = base.__module__.partition(".")[0]
        if root in PROVIDER_OF_LIBRARY:
            return root
    return None


def _reader_by_shape(fields: Fields, library: str | None) -> Reader | None:
    """The reader for a response with these fields. ``library`` None: a dictionary, whose provider its shape tells."""
    provider = PROVIDER_OF_LIBRARY[library] if library else None
    if "choices" in fields and ("usage" in fields or "object" in fields):
        return _bound(_chat_completion, provider if provider is not None else "openai")
    if fields.get("object") in ("response", "realtime.response") and "output" in fields:
        return _bound(_openai_response, provider or "openai")
    if fields.get("type") == "message" and "usage" in fields:
        return _bound(_anthropic_message, provider or "anthropic")
    if "embeddings" in fields and library == "google":
        return _bound(_gemini_embeddings, provider or "gcp.gemini")
    if "usage_metadata" in fields or "usageMetadata" in fields:
        if library is None or "candidates" in fields:
            return _bound(_gemini_response, provider or "gcp.gemini")
        return None
    if "data" in fields and "usage" in fields and fields.get("object") == "list":
        return _bound(_openai_embeddings, provider if provider is not None else "openai")
    if "inputTokens" in fields_of(fields.get("usage")) and "stopReason" in fields:
        return _bound(_bedrock_converse, "aws.bedrock")
    return None


def _bound(read: Callable[[Fields, str], Reading], provider: str) -> Reader:
    return lambda fields: read(fields, provider)


# One reader per shape


def _chat_completion(fields: Fields, provider: str) -> Reading:
    operation = semconv.TEXT_COMPLETION if fields.get("object") == "text_completion" else semconv.CHAT
    model = word(fields.get("model"))
    return Reading(
        provider or litellm_provider(model),
        operation,
        fields.get("usage"),
        model,
        word(fields.get("id")),
        tuple([word(part(choice, "finish_reason")) or "unknown" for choice in items(fields.get("choices"))]),
        word(fields.get("service_tier")),
        fields.get("choices"),
    )


def litellm_provider(model: str | None) -> str:
    """LiteLLM answers in OpenAI's shape for everybody; the model's family is all that tells whose it was."""
    name = (model or "").rpartition("/")[2]
    for prefix, provider in (("claude", "anthropic"), ("gemini", "gcp.gemini"), ("gpt", "openai"), ("o", "openai")):
        if name.startswith(prefix):
            return provider
    return ""


def _openai_response(fields: Fields, provider: str) -> Reading:
    status = word(fields.get("status"))
    return Reading(
        provider,
        semconv.CHAT,
        fields.get("usage"),
        word(fields.get("model")),
        word(fields.get("id")),
        (status,) if status else (),
        word(fields.get("service_tier")),
        fields.get("output"),
    )


def _openai_embeddings(fields: Fields, provider: str) -> Reading:
    return Reading(
        provider or "openai", semconv.EMBEDDINGS, fields.get("usage"), word(fields.get("model")), None, (), None
    )


def _anthropic_message(fields: Fields, provider: str) -> Reading:
    usage = fields.get("usage")
    reason = word(fields.get("stop_reason"))
    return Reading(
        provider,
        semconv.CHAT,
        usage,
        word(fields.get("model")),
        word(fields.get("id")),
        (reason,) if reason else (),
        word(part(usage, "service_tier")) if usage is not None else None,
        fields.get("content"),
    )


def _gemini_response(fields: Fields, provider: str) -> Reading:
    reasons = [
        word(part(candidate, "finish_reason") or part(candidate, "finishReason"))
        for candidate in items(fields.get("candidates"))
    ]
    return Reading(
        provider,
        semconv.GENERATE_CONTENT,
        fields.get("usage_metadata") or fields.get("usageMetadata"),
        word(fields.get("model_version") or fields.get("modelVersion")),
        word(fields.get("response_id") or fields.get("responseId")),
        tuple([reason for reason in reasons if reason]),
        None,
        fields.get("candidates"),
    )


def _gemini_embeddings(fields: Fields, provider: str) -> Reading:
    usage = fields.get("usage_metadata")
    if usage is None:  # only Vertex AI counts each text's tokens; without either, nothing is known
        counted = [part(part(item, "statistics"), "token_count") for item in items(fields.get("embeddings"))]
        known = [count for count in counted if isinstance(count, (int, float))]
        usage = {"prompt_tokens": int(sum(known))} if known and len(known) == len(counted) else None
    return Reading(provider, semconv.EMBEDDINGS, usage, None, None, (), None)


def _bedrock_converse(fields: Fields, provider: str) -> Reading:
    reason = word(fields.get("stopReason"))
    return Reading(provider, semconv.CHAT, fields.get("usage"), None, None, (reason,) if reason else (), None)


# Usage → inclusive totals


def counts(usage: object | None, output_known: bool = True) -> Counts | None:
    """The tokens a provider's usage object or dictionary reports, as inclusive totals; None where it reports none.

    ``output_known`` False (a stream that was cut short) leaves the output open: what a provider says at the start of a
    stream is not what it bills.
    """
    if usage is None:
        return None
    fields = fields_of(usage)
    for name, read in _USAGE_SHAPES:
        if isinstance(fields.get(name), int):
            found = read(usage)
            return found if output_known else found._replace(output=None, reasoning=0, output_audio=0)
    return None


def _openai_chat_counts(usage: object) -> Counts:
    given, made = numbers(usage, "prompt_tokens", "completion_tokens")
    cached, written, heard = numbers(
        part(usage, "prompt_tokens_details"), "cached_tokens", "cache_write_tokens", "audio_tokens"
    )
    reasoned, spoken = numbers(part(usage, "completion_tokens_details"), "reasoning_tokens", "audio_tokens")
    return Counts(
        input=given,
        output=made,
        cache_read=cached,
        cache_write=written,
        reasoning=reasoned,
        input_audio=heard,
        output_audio=spoken,
    )


def _input_output_counts(usage: object) -> Counts:
    """``input_tokens`` is OpenAI's inclusive total or Anthropic's uncached rest: the fields beside it tell which."""
    given, made = numbers(usage, "input_tokens", "output_tokens")
    # The second spelling is the realtime API's.
    details = part(usage, "input_tokens_details") or part(usage, "input_token_details")
    answered = part(usage, "output_tokens_details") or part(usage, "output_token_details")
    if details is not None:
        cached, written, heard = numbers(details, "cached_tokens", "cache_write_tokens", "audio_tokens")
        reasoned, spoken = numbers(answered, "reasoning_tokens", "audio_tokens")
        return Counts(
            input=given,
            output=made,
            cache_read=cached,
            cache_write=written,
            reasoning=reasoned,
            input_audio=heard,
            output_audio=spoken,
        )
    read, written = numbers(usage, "cache_read_input_tokens", "cache_creation_input_tokens")
    five_minutes, an_hour = numbers(
        part(usage, "cache_creation"), "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"
    )
    (thought,) = numbers(answered, "thinking_tokens")
    return Counts(
        input=given + read + written,
        output=made,
        cache_read=read,
        cache_write=written,
        cache_write_5m=five_minutes,
        cache_write_1h=an_hour,
        reasoning=thought,
    )


def _gemini_counts(usage: object) -> Counts:
    given, tools, cached, made, thought = numbers(
        usage,
        "prompt_token_count",
        "tool_use_prompt_token_count",
        "cached_content_token_count",
        "candidates_token_count",
        "thoughts_token_count",
    )
    return Counts(
        input=given + tools,
        output=made + thought,
        cache_read=cached,
        reasoning=thought,
        input_audio=_audio(part(usage, "prompt_tokens_details"), "token_count"),
        output_audio=_audio(part(usage, "candidates_tokens_details"), "token_count"),
    )


def _gemini_json_counts(usage: object) -> Counts:
    given, tools, cached, made, thought = numbers(
        usage,
        "promptTokenCount",
        "toolUsePromptTokenCount",
        "cachedContentTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
    )
    return Counts(
        input=given + tools,
        output=made + thought,
        cache_read=cached,
        reasoning=thought,
        input_audio=_audio(part(usage, "promptTokensDetails"), "tokenCount"),
        output_audio=_audio(part(usage, "candidatesTokensDetails"), "tokenCount"),
    )


def _audio(details: object | None, name: str) -> int:
    return sum(sum(numbers(detail, name)) for detail in items(details) if word(part(detail, "modality")) == "AUDIO")


def _bedrock_counts(usage: object) -> Counts:
    given, made, read, written = numbers(
        usage, "inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"
    )
    return Counts(input=given + read + written, output=made, cache_read=read, cache_write=written)


_USAGE_SHAPES: tuple[tuple[str, Callable[[object], Counts]], ...] = (
    ("prompt_tokens", _openai_chat_counts),
    ("input_tokens", _input_output_counts),
    ("prompt_token_count", _gemini_counts),
    ("promptTokenCount", _gemini_json_counts),
    ("inputTokens", _bedrock_counts),
)
