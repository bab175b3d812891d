"""The chunks of a stream → one reading, as if the response had come in one piece.

Runs in the caller for every chunk, so most chunks cost one dictionary lookup. Anthropic's ``message_delta`` counts are
cumulative and complete those of ``message_start``; OpenAI's chat usage comes in a last chunk of its own, if asked for;
a Responses stream ends with the whole response; each Gemini chunk repeats the usage so far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from outlay import semconv, usage
from outlay.hearing import Pieces, dumped
from outlay.usage import PROVIDER_OF_LIBRARY, Reading, fields_of, items, newer_fields_of, part, word

if TYPE_CHECKING:
    from collections.abc import Callable

    from outlay.usage import Fields

    See = Callable[["Chunks", Fields], None]


class Chunks:
    """What a stream has told so far."""

    __slots__ = (
        "finished",
        "model",
        "operation",
        "pieces",
        "provider",
        "reasons",
        "response_id",
        "tier",
        "usage",
        "whole",
    )

    def __init__(self) -> None:
        self.provider: str | None = None  # None: nothing of a model's stream seen yet
        self.operation = semconv.CHAT
        self.model: str | None = None
        self.response_id: str | None = None
        self.reasons: dict[object, str] = {}  # by choice
        self.tier: str | None = None
        self.pieces = Pieces()
        self.usage: object | None = None
        self.whole: object | None = None  # the complete response, when the stream brings one
        self.finished = False  # the provider said it is done

    def see(self, chunk: object) -> None:
        """Take note of one chunk, whatever it is."""
        kind = type(chunk)
        if kind is dict:
            fields = cast("Fields", chunk)
            see = _by_shape(fields, None)
        else:
            try:
                see = _seers[kind]
            except KeyError:
                see = _learn(kind, chunk)
            if see is None:
                return
            fields = fields_of(chunk)
            newer = newer_fields_of(chunk)
            if newer:  # where LiteLLM's chunks hold their usage
                fields = {**fields, **newer}
        if see is not None:
            see(self, fields)

    def reading(self, exhausted: bool) -> Reading | None:
        """The stream as one response, or None if no chunk was a model's. ``exhausted``: it ran to its own end."""
        if self.whole is not None:
            return usage.capture(self.whole)
        if self.provider is None:
            return None
        return Reading(
            self.provider,
            self.operation,
            self.usage,
            self.model,
            self.response_id,
            tuple(self.reasons.values()),
            self.tier,
            self.pieces,
            exhausted or (self.finished and self.usage is not None),
        )


_seers: dict[type, See | None] = {}
_MAX_TYPES = 1_024


def _learn(kind: type, chunk: object) -> See | None:
    """Decide once per class how its instances are seen."""
    if len(_seers) >= _MAX_TYPES:
        _seers.clear()
    library = usage.library_of(kind)
    see = _seers[kind] = _by_shape(fields_of(chunk), library) if library is not None else None
    return see


def _by_shape(fields: Fields, library: str | None) -> See | None:
    provider = PROVIDER_OF_LIBRARY[library] if library is not None else None
    if "choices" in fields:
        return _for_provider(_chat_chunk, "openai" if provider is None else provider)
    if "usage_metadata" in fields or "usageMetadata" in fields or ("candidates" in fields and library == "google"):
        return _for_provider(_gemini_chunk, provider or "gcp.gemini")
    if isinstance(fields.get("type"), str):
        # Responses and Anthropic events: one class per event, so the class alone tells which events matter.
        event = _EVENTS.get(cast("str", fields["type"]))
        return _for_provider(event, provider) if event is not None else None
    return None


def _for_provider(see: Callable[[Chunks, Fields, str | None], None], provider: str | None) -> See:
    return lambda chunks, fields: see(chunks, fields, provider)


def _chat_chunk(chunks: Chunks, fields: Fields, provider: str | None) -> None:
    if chunks.provider is None:
        chunks.model = word(fields.get("model"))
        chunks.provider = provider or usage.litellm_provider(chunks.model)
        chunks.response_id = word(fields.get("id"))
        if fields.get("object") == "text_completion":
            chunks.operation = semconv.TEXT_COMPLETION
    if fields.get("usage") is not None:
        chunks.usage = fields["usage"]
    if fields.get("service_tier") is not None:
        chunks.tier = word(fields["service_tier"])
    for choice in items(fields.get("choices")):
        index, delta = part(choice, "index"), part(choice, "delta")
        reason = part(choice, "finish_reason")
        if reason is not None:
            chunks.reasons[index] = word(reason) or "unknown"
            chunks.finished = True
        if delta is not None:
            chunks.pieces.say(index, part(delta, "content"))
            for call in items(part(delta, "tool_calls")):
                function = part(call, "function")
                chunks.pieces.ask(index, part(call, "index"), part(function, "name"), part(function, "arguments"))


def _gemini_chunk(chunks: Chunks, fields: Fields, provider: str | None) -> None:
    chunks.provider = provider
    chunks.operation = semconv.GENERATE_CONTENT
    chunks.model = word(fields.get("model_version") or fields.get("modelVersion")) or chunks.model
    chunks.response_id = word(fields.get("response_id") or fields.get("responseId")) or chunks.response_id
    chunks.usage = fields.get("usage_metadata") or fields.get("usageMetadata") or chunks.usage
    for place, candidate in enumerate(items(fields.get("candidates"))):
        given = part(candidate, "index")
        index = place if given is None else given
        reason = word(part(candidate, "finish_reason") or part(candidate, "finishReason"))
        if reason is not None:
            chunks.reasons[index] = reason
            chunks.finished = True
        for number, said in enumerate(items(part(part(candidate, "content"), "parts"))):
            call = part(said, "function_call") or part(said, "functionCall")
            if call is not None:
                chunks.pieces.ask(index, (len(chunks.reasons), number), part(call, "name"), dumped(part(call, "args")))
            elif part(said, "thought") is not True:
                chunks.pieces.say(index, part(said, "text"))


def _chunk_event(chunks: Chunks, fields: Fields, provider: str | None) -> None:
    """OpenAI's stream helper hands every chunk on inside an event of its own."""
    _chat_chunk(chunks, fields_of(fields.get("chunk")), provider)


def _response_event(chunks: Chunks, fields: Fields, provider: str | None) -> None:
    """``response.created`` names the response early, so that an abandoned stream is known by its id at least."""
    response = fields.get("response")
    chunks.provider = provider or "openai"
    chunks.model = word(part(response, "model"))
    chunks.response_id = word(part(response, "id"))
    chunks.tier = word(part(response, "service_tier"))


def _response_end(chunks: Chunks, fields: Fields, provider: str | None) -> None:
    chunks.provider = provider or "openai"
    chunks.whole = fields.get("response")


def _message_start(chunks: Chunks, fields: Fields, provider: str | None) -> None:
    message = fields.get("message")
    chunks.provider = provider or "anthropic"
    chunks.model = word(part(message, "model"))
    chunks.response_id = word(part(message, "id"))
    given = part(message, "usage")
    chunks.usage = {
        **fields_of(given),
        **usage.newer_fields_of(given),
    }  # a copy: the library's own accumulation writes into this very object
    chunks.tier = word(part(given, "service_tier"))


def _message_delta(chunks: Chunks, fields: Fields, provider: str | None) -> None:
    reason = word(part(fields.get("delta"), "stop_reason"))
    if reason is not None:
        chunks.reasons[0] = reason
        chunks.finished = True
    given = fields.get("usage")
    later = {**fields_of(given), **usage.newer_fields_of(given)}
    known = {name: value for name, value in later.items() if value is not None}
    chunks.usage = {**fields_of(chunks.usage), **known}


def _block_start(chunks: Chunks, fields: Fields, provider: str | None) -> None:
    block = fields.get("content_block")
    if part(block, "type") == "tool_use":
        chunks.pieces.ask(0, fields.get("index"), part(block, "name"), None)


def _block_delta(chunks: Chunks, fields: Fields, provider: str | None) -> None:
    delta = fields.get("delta")
    chunks.pieces.say(0, part(delta, "text"))
    arguments = part(delta, "partial_json")
    if arguments is not None:
        chunks.pieces.ask(0, fields.get("index"), None, arguments)


def _text_delta(chunks: Chunks, fields: Fields, provider: str | None) -> None:
    chunks.pieces.say(0, fields.get("delta"))


_EVENTS: dict[str, Callable[[Chunks, Fields, str | None], None]] = {
    "chunk": _chunk_event,
    "response.created": _response_event,
    "response.completed": _response_end,
    "response.incomplete": _response_end,
    "response.failed": _response_end,
    "response.output_text.delta": _text_delta,
    "message_start": _message_start,
    "content_block_start": _block_start,
    "content_block_delta": _block_delta,
    "message_delta": _message_delta,
}
