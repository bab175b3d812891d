"""One span, whatever its dialect, becomes one ``Call``. Never raises; a span that makes no sense is kept as it came.

Attributes fill slots by the dialect's table, texts are set aside as content, the rest is kept. One source writes few
combinations of attributes over and over, so how a combination is sorted out is worked out once. All else reads slots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from outlay_collector.calls import estimate, flags, providers
from outlay_collector.calls.call import AGGREGATE, CALL, OTHER, Call
from outlay_collector.calls.dialects import by_content, by_scope
from outlay_collector.calls.dialects.dialect import (
    CANONICAL_OPERATIONS,
    CONTENT,
    EVERYBODY,
    OPERATIONS,
    REST,
    SELDOM_SLOTS,
    TOKEN_SLOTS,
    Alternate,
    Dialect,
    Gap,
    Reading,
)
from outlay_collector.calls.models import family
from outlay_collector.calls.span import Attributes, Event, Span, Value
from outlay_collector.calls.values import (
    ImpossibleCountError,
    count,
    inside,
    number,
    structure,
    text,
    texts,
    truth,
)
from outlay_collector.pricing.usage import MAX_TOKENS, Usage

ERROR = 2  # OTLP status code
_GENERIC_ERRORS = frozenset({"Exception", "BaseException", "Error", "_OTHER", "exception"})


def normalise(span: Span) -> Call:
    """``span`` understood. Pure; never raises; reads nothing but the span."""
    dialect = by_scope(span.scope_name) or by_content(span.attributes)
    try:
        return _read(span, dialect)
    except Exception:  # noqa: BLE001 - an emitter's oddity must cost one span's figures, never a batch
        return Call(span, dialect.name, flags=(flags.UNREADABLE,), attributes=dict(span.attributes), events=span.events)


def _read(span: Span, dialect: Dialect) -> Call:
    found, content, rest = _sort_out(span.attributes, dialect)
    marks: list[str] = []
    impossible = False
    if dialect.prepare is not None:
        try:
            dialect.prepare(Reading(span, found, content, rest, marks))
        except ImpossibleCountError:
            impossible = True
    get = found.get
    span_type, operation = _type(dialect, span, get, marks)
    call = Call(span, dialect.name, span_type, operation)
    call.attributes, call.content = rest, content
    if span.events:
        call.events = _without_texts(span.events, content)
    _whose(call, get)
    if span.status_code == ERROR or get("error"):
        call.error_type = _error_type(span, get)
    if span_type is CALL or span_type is AGGREGATE:
        _describe(call, dialect, get, marks)
        try:
            if impossible:
                raise ImpossibleCountError
            call.usage = _usage(call, dialect, found, marks)
        except ImpossibleCountError:
            marks.append(flags.INVALID_COUNT)
            _keep_raw(call, dialect)
        _judge(call, dialect, get, marks)
    if marks:
        if flags.CONTRADICTION in marks:
            _keep_raw(call, dialect)
        call.flags = tuple(dict.fromkeys(marks))
    return call


def _sort_out(attributes: Attributes, dialect: Dialect) -> tuple[dict[str, Value], Attributes, Attributes]:
    """``(facts by slot, content, rest)``. Blank values are absent."""
    names = tuple(attributes)
    try:
        shape = dialect.shapes[names]
    except KeyError:
        shape = dialect.shape(names)
    if shape is not None:
        values = shape.pick(attributes)
        if not shape.blanks_matter or ("" not in values and None not in values):
            return (
                dict(zip(shape.slots, values)),  # noqa: B905 - of equal length by construction, and checked lengths cost
                {name: attributes[name] for name in shape.content} if shape.content else {},
                {name: attributes[name] for name in shape.rest} if shape.rest else {},
            )
    return _walk(attributes, dialect)


def _walk(attributes: Attributes, dialect: Dialect) -> tuple[dict[str, Value], Attributes, Attributes]:
    """As ``_sort_out``, attribute by attribute, where the values decide which name of a fact is read."""
    found: dict[str, Value] = {}
    rest: Attributes = {}
    content: Attributes = {}
    later: list[tuple[int, str, Value]] = []
    for name, value in attributes.items():
        slot = dialect.slots.get(name) or dialect.learn(name)
        if slot is REST:
            rest[name] = value
        elif slot is CONTENT:
            content[name] = value
        elif value is not None and value != "":
            if isinstance(slot, Alternate):
                later.append((slot.rank, slot.slot, value))
            else:
                found[str(slot)] = value
    if later:
        _coalesce(found, later)
    return found, content, rest


# Span events by which messages used to be sent, and the attributes of events that hold texts whatever their name.
_MESSAGE_EVENTS = frozenset((
    "gen_ai.system.message", "gen_ai.user.message", "gen_ai.assistant.message", "gen_ai.tool.message", "gen_ai.choice",
    "gen_ai.content.prompt", "gen_ai.content.completion", "gen_ai.client.inference.operation.details",
))  # fmt: skip
_TEXT_ATTRIBUTES = frozenset((
    "gen_ai.prompt", "gen_ai.completion", "gen_ai.input.messages", "gen_ai.output.messages",
    "gen_ai.system_instructions", "gen_ai.tool.definitions", "mlflow.chunk.value", "gen_ai.event.content", "content",
    "message",
))  # fmt: skip
_ANSWERS = frozenset((
    "gen_ai.choice", "gen_ai.content.completion", "gen_ai.completion", "gen_ai.output.messages", "mlflow.chunk.value",
))  # fmt: skip
_MOST_EVENT_TEXTS = 256


def _without_texts(events: list[Event], content: Attributes) -> list[Event]:
    """``events`` without the texts in them, which go to ``content`` under the event's name and number."""
    kept: list[Event] | None = None
    for place, event in enumerate(events):
        if not event.attributes:
            continue
        whole = event.name in _MESSAGE_EVENTS
        if not whole and _TEXT_ATTRIBUTES.isdisjoint(event.attributes):
            continue
        if kept is None:
            kept = list(events)
        said = {name: value for name, value in event.attributes.items() if whole or name in _TEXT_ATTRIBUTES}
        answered = {name: value for name, value in said.items() if name in _ANSWERS or event.name in _ANSWERS}
        for side, texts_of in (("output", answered), ("input", said.keys() - answered.keys())):
            if texts_of and len(content) < _MOST_EVENT_TEXTS:
                content[f"event.{side}.{place}.{event.name}"] = {name: said[name] for name in said if name in texts_of}
        left = {name: value for name, value in event.attributes.items() if name not in said}
        kept[place] = Event(event.time_ns, event.name, left)
    return events if kept is None else kept


def _coalesce(found: dict[str, Value], later: list[tuple[int, str, Value]]) -> None:
    """The same fact under several names is coalesced, never added; the most trusted name that can be read wins."""
    later.sort(key=_rank)
    for _, slot, value in later:
        if slot not in found or (slot in TOKEN_SLOTS and _unreadable(found[slot])):
            found[slot] = value


def _whose(call: Call, get: Callable[[str], Value]) -> None:
    """Where a span comes from and whom it was for."""
    resource = call.span.resource.get
    call.service = text(resource("service.name")) or text(get("service"))
    call.release = text(resource("service.version"))
    call.environment = text(
        resource("deployment.environment.name") or resource("deployment.environment") or get("environment")
    )
    # One test each: most spans say only some of these, and what is absent costs one lookup.
    if (value := get("user")) is not None:
        call.user = text(value)
    if (value := get("session")) is not None:
        call.session = text(value)
    if (value := get("team")) is not None or (value := resource("outlay.team")) is not None:
        call.team = text(value)
    if (value := get("feature")) is not None:
        call.feature = text(value)
    if (value := get("customer")) is not None:
        call.customer = text(value)
    if (value := get("agent")) is not None:
        call.agent = text(value)
    if (value := get("tool")) is not None:
        call.tool = text(value)
    if (value := get("prompt_version")) is not None:
        call.prompt_version = text(value)


def _rank(alternate: tuple[int, str, Value]) -> int:
    return alternate[0]


def _unreadable(value: Value) -> bool:
    """NaN and the like under the best name must not hide a number under the next best."""
    try:
        return count(value) is None
    except ImpossibleCountError:
        return False


def _type(dialect: Dialect, span: Span, get: Callable[[str], Value], marks: list[str]) -> tuple[str, str | None]:
    """``(span type, operation)``: by the source's own kind, else by the operation, else by what the span carries."""
    if marks:
        if flags.PENDING in marks:
            return OTHER, None
        if flags.DESCRIBES_PARENT in marks:
            return AGGREGATE, "chat"
    raw, kind = get("operation"), text(get("kind"))
    if kind is None and raw.__class__ is str and raw in _KNOWN:
        return _KNOWN[raw]  # type: ignore[index]
    operation = text(raw)
    if operation is not None:
        operation = operation.lower()
        operation = CANONICAL_OPERATIONS.get(operation, operation)
    if kind is not None:
        kind = kind.lower()
        span_type = dialect.kinds.get(kind)
        if span_type is not None:
            return _interned(span_type), operation or dialect.operation_of_kind.get(kind)
    if operation is not None:
        span_type = OPERATIONS.get(operation)
        if span_type is not None:
            return span_type, operation
        # Our own SDK names a model for model calls only, so an operation nobody has heard of is one all the same.
        declared = dialect.trusts_counts and get("request_model") is not None
        return (CALL if declared or _has_usage(get) else OTHER), operation
    if dialect.default_type is not None:
        return (CALL if _has_usage(get) else _interned(dialect.default_type)), None
    named = span.name.split(" ", 1)[0]
    if named in OPERATIONS:
        # A failed request may have no attributes at all; its name still says what it was.
        return OPERATIONS[named], CANONICAL_OPERATIONS.get(named, named)
    if get("request_model") is not None or get("response_model") is not None or _has_usage(get):
        return CALL, "chat" if get("output") is not None else None
    return OTHER, None


# What the usual operations come to, ready made.
_KNOWN: Mapping[str, tuple[str, str]] = {
    name: (span_type, CANONICAL_OPERATIONS.get(name, name)) for name, span_type in OPERATIONS.items()
}
_TYPES: Mapping[str, str] = {kind: kind for kind in (CALL, AGGREGATE, OTHER, "tool", "retrieval")}


def _interned(span_type: str) -> str:
    return _TYPES.get(span_type, OTHER)


def _has_usage(get: Callable[[str], Value]) -> bool:
    return get("input") is not None or get("output") is not None


def _describe(call: Call, dialect: Dialect, get: Callable[[str], Value], marks: list[str]) -> None:
    """Who answered, with what, how it went: everything of a call but its counts."""
    span = call.span
    call.request_model, call.response_model = text(get("request_model")), text(get("response_model"))
    if call.request_model is None and call.response_model is None and call.span_type is CALL:
        call.request_model = _model_in_name(span.name)
        if call.request_model is not None:
            marks.append(flags.MODEL_FROM_NAME)
    address = text(get("address"))
    said = text(get("provider"))
    if said is None:
        said = _library(span.scope_name)
    call.provider, told = providers.provider_of(said, call.response_model or call.request_model, address)
    if told is not providers.NAMED and call.provider is not None:
        marks.append(flags.PROVIDER_FROM_MODEL if told is providers.FROM_MODEL else flags.PROVIDER_FROM_ADDRESS)
    if address is not None:
        call.region, call.account = providers.place_of(address)
    if (region := get("region")) is not None:
        call.region = text(region)
    if (account := get("account")) is not None:
        call.account = text(account)
    if (answer := get("response_id")) is not None:
        call.response_id = text(answer)
    if call.response_id is not None and dialect.keeps_ids_of is not None and _invented(call, dialect, marks):
        call.response_id = None
        marks.append(flags.ID_INVENTED)
    reasons = get("finish_reasons")
    if reasons is not None:
        call.finish_reasons = texts(reasons)
    elif call.content and call.span_type is CALL:
        call.finish_reasons = _reasons_in(call.content)
    if (tier := get("tier")) is not None:
        call.service_tier = providers.tier_of(text(tier))
    if call.service_tier is None and (tier := get("request_tier")) is not None:
        call.service_tier = providers.tier_of(text(tier))
    _timing(call, dialect, get)
    if (cost := get("cost")) is not None and (cost := number(cost)):
        call.reported_cost = Decimal(repr(cost))


def _reasons_in(content: Attributes) -> tuple[str, ...]:
    """Finish reasons of the answers themselves, where the attribute is missing."""
    answers: list[Any] = []
    for name, value in content.items():
        if name == "gen_ai.output.messages" or name.startswith("event."):
            members = structure(inside(value, "gen_ai.output.messages") or value)
            answers += members if isinstance(members, list) else [members]
    reasons = [text(inside(answer, "finish_reason")) for answer in answers[:_MOST_ANSWERS]]
    # "error" is the instrumentation's word for an answer that was cut off.
    return texts([reason for reason in reasons if reason and reason != "error"])


_MOST_ANSWERS = 64


def _invented(call: Call, dialect: Dialect, marks: list[str]) -> bool:
    return call.provider not in (dialect.keeps_ids_of or ()) and flags.DESCRIBES_PARENT not in marks


def _timing(call: Call, dialect: Dialect, get: Callable[[str], Value]) -> None:
    streaming, seconds, first = get("streaming"), get("ttft_seconds"), get("ttft_ms")
    if streaming is not None:
        call.streaming = truth(streaming)
    if first is not None:
        first = number(first)
    elif seconds is not None and (seconds := number(seconds)) is not None:
        first = seconds * 1000.0
        duration_ms = (call.span.end_ns - call.span.start_ns) / 1e6
        if first > duration_ms + 1000.0 and seconds <= duration_ms:
            # Longer than the whole span, and right as milliseconds: an emitter that mixed up the unit.
            first = seconds
    if call.streaming is None:
        call.streaming = True if first is not None and dialect.ttft_means_streaming else dialect.absent_stream_means
    if first is not None and (call.streaming is not False or dialect.ttft_means_streaming):
        # Without a stream the "first token" is the whole answer, which is the duration and no time to first token.
        call.time_to_first_token_ms = first


def _usage(call: Call, dialect: Dialect, found: Mapping[str, Value], marks: list[str]) -> Usage | None:
    """Inclusive totals and their parts; None where no total was reported. Raises ImpossibleCountError."""
    get = found.get
    total_in, total_out, read, written = get("input"), get("output"), get("cache_read"), get("cache_write")
    five, hour, reasoning = get("cache_write_5m"), get("cache_write_1h"), get("reasoning")
    # Absent counts are not worth a call each.
    total_in = None if total_in is None else _counted(total_in)
    total_out = None if total_out is None else _counted(total_out)
    if total_in is None and total_out is None:
        return None
    read = None if read is None else _counted(read)
    written = None if written is None else _counted(written)
    five = None if five is None else _counted(five)
    hour = None if hour is None else _counted(hour)
    reasoning = None if reasoning is None else _counted(reasoning)
    if not total_in and not total_out and not read and not written:
        # No request is empty: zeros stand for "the provider sent no usage" (LiteLLM's streams, errors).
        return None
    if five is not None or hour is not None:
        split = (five or 0) + (hour or 0)
        if not written:
            written = split
        elif five is None and hour is not None and hour <= written:
            five = written - hour
        elif hour is None and five is not None and five <= written:
            hour = written - five
        elif split == 0:
            five = hour = None
    cached = (read or 0) + (written or 0)
    if cached and total_in is not None:
        excludes = dialect.input_excludes_cache_for
        if excludes and (excludes is EVERYBODY or call.provider in excludes):
            total_in += cached
        elif cached > total_in and not dialect.trusts_counts:
            total_in += cached
            marks.append(flags.READ_AS_EXCLUSIVE)
        if total_in > MAX_TOKENS:
            raise ImpossibleCountError
    if (
        reasoning
        and total_out is not None
        and dialect.output_excludes_reasoning_for
        and (
            dialect.output_excludes_reasoning_for is EVERYBODY or call.provider in dialect.output_excludes_reasoning_for
        )
    ):
        total_out += reasoning
    zero = dialect.absent_means_zero
    if zero:
        read = 0 if read is None and "cache_read" in zero else read
        written = 0 if written is None and "cache_write" in zero else written
        reasoning = 0 if reasoning is None and "reasoning" in zero and total_out is not None else reasoning
    usage = Usage(total_in, read, written, five, hour, None, None, total_out, reasoning)
    if not found.keys().isdisjoint(SELDOM_SLOTS):
        _seldom_parts(usage, found, marks)
    if (
        (cached and total_in is not None and cached > total_in)
        or (reasoning and total_out is not None and reasoning > total_out)
        or (five or 0) + (hour or 0) > (written or 0)
    ):
        # The numbers stay: pricing refuses them, and a reader can see why.
        marks.append(flags.CONTRADICTION)
    if written and five is None and hour is None and call.span_type is CALL and call.provider in _WITH_LIFETIMES:
        marks.append(flags.TTL_ASSUMED)
    return usage


_WITH_LIFETIMES = frozenset({"anthropic", "aws.bedrock", "gcp.vertex_ai"})


def _counted(value: Value) -> int | None:
    return value if value.__class__ is int and 0 <= value <= MAX_TOKENS else count(value)  # type: ignore[operator,return-value]


_PARTS = (
    ("input_audio", "input_audio_tokens"), ("output_audio", "output_audio_tokens"),
    ("cache_read_audio", "cache_read_audio_tokens"), ("web_search", "web_search_calls"), ("requests", "requests"),
    ("audio_seconds", "audio_seconds"),
)  # fmt: skip
_FURTHER_PARTS = (
    ("input_image", "input_image"), ("output_image", "output_image"), ("input_video", "input_video"),
    ("cache_write_30m", "cache_write:30m"), ("cache_write_12h", "cache_write:12h"),
)  # fmt: skip


def _seldom_parts(usage: Usage, found: Mapping[str, Value], marks: list[str]) -> None:
    """Audio, images, searches and uncommon cache lifetimes. Raises ImpossibleCountError."""
    for slot, field in _PARTS:
        if slot in found:
            setattr(usage, field, count(found[slot]))
    further = {name: part for slot, name in _FURTHER_PARTS if slot in found and (part := count(found[slot]))}
    if further:
        usage.extra = further
    total_in, total_out = usage.input_tokens, usage.output_tokens
    if (total_in is not None and (usage.input_audio_tokens or 0) > total_in) or (
        total_out is not None and (usage.output_audio_tokens or 0) > total_out
    ):
        marks.append(flags.CONTRADICTION)


def _keep_raw(call: Call, dialect: Dialect) -> None:
    """Put the counts as they came beside the other attributes, so that what was refused can be looked at."""
    for name, value in call.span.attributes.items():
        slot = dialect.slots.get(name)
        if slot in TOKEN_SLOTS or (isinstance(slot, Alternate) and slot.slot in TOKEN_SLOTS):
            call.attributes[name] = value


def _judge(call: Call, dialect: Dialect, get: Callable[[str], Value], marks: list[str]) -> None:
    """Where the usage comes from, and what is known not to be in it."""
    if call.usage is not None:
        call.usage_source = "estimated" if text(get("usage_source")) == "estimated" else "reported"
        if call.span_type is CALL and call.usage_source == "reported" and call.operation not in _WITHOUT_CACHE:
            marks += [gap.flag for gap in dialect.gaps if gap.flag and _concerns(gap, call, get)]
        return
    call.usage_source = "missing"
    if call.span_type is not CALL or flags.INVALID_COUNT in marks:
        return
    spoken = estimate.has_answer(call.content)
    answered = spoken or bool(call.response_id or call.finish_reasons or call.time_to_first_token_ms)
    if call.error_type is not None and not answered:
        marks.append(flags.FAILED_UNBILLED)
        return
    if call.error_type is not None or (
        answered and call.streaming and not call.finish_reasons and flags.STREAM_LOG not in marks
    ):
        marks.append(flags.STREAM_CUT)
    if spoken or call.operation in _WITHOUT_CACHE:
        # A prompt without its answer is left missing: half a call would pass for a whole one.
        _estimate(call, marks)


_WITHOUT_CACHE = frozenset({"embeddings", "rerank", "moderation"})


def _concerns(gap: Gap, call: Call, get: Callable[[str], Value]) -> bool:
    return (
        get(gap.slot) is None
        and (gap.providers is None or call.provider in gap.providers)
        and (gap.models is None or (call.model is not None and family(call.model).startswith(gap.models)))
    )


def _estimate(call: Call, marks: list[str]) -> None:
    """Count the texts before they are dropped."""
    total_in, total_out = estimate.of_content(call.content, call.model)
    if total_in is None:
        return
    call.usage = Usage(input_tokens=total_in, output_tokens=total_out)
    call.usage_source = "estimated"
    marks.append(flags.ESTIMATED_FROM_CONTENT)
    if total_out is not None and estimate.reasons_in_secret(call.model):
        marks.append(flags.REASONING_NOT_ESTIMATED)


def _error_type(span: Span, get: Callable[[str], Value]) -> str:
    """The most telling name of what went wrong: ``error.type``, the exception's, the status message's first word."""
    said = text(get("error"))
    if said is not None:
        return said[:200]
    for event in reversed(span.events):
        if event.name == "exception":
            named = _exception(event)
            if named is not None:
                return named
    named = _leading_name(span.status_message)
    if named is not None:
        return named
    return text(span.attributes.get("http.response.status_code")) or _status_in(span.status_message) or "_OTHER"


def _status_in(message: str) -> str | None:
    """``429`` of ``Error code: 429 - …``: the clients of OpenAI and Anthropic begin their messages so."""
    for before in ("Error code: ", "status_code: ", "status code "):
        _, found, after = message[:400].partition(before)
        if found and after[:3].isdecimal():
            return after[:3]
    return None


def _exception(event: Event) -> str | None:
    said = text(event.attributes.get("exception.type"))
    if said is not None and said not in _GENERIC_ERRORS:
        return said[:200]
    return _leading_name(text(event.attributes.get("exception.message")) or "") or said


def _leading_name(message: str) -> str | None:
    """``RateLimitError`` of ``RateLimitError: Error code: 429`` and of ``RateLimitError('Error code…')``."""
    head = message[:200].split("\n", 1)[0]
    for end in (":", "("):
        name = head.partition(end)[0]
        if name != head and name.replace(".", "").isidentifier() and name.endswith(("Error", "Exception", "Timeout")):
            return name
    return None


def _model_in_name(name: str) -> str | None:
    """``chat gpt-4o-mini`` names a model; ``openai.chat`` does not."""
    operation, _, model = name.partition(" ")
    return model if operation in OPERATIONS and model and " " not in model and len(model) <= 200 else None


_LIBRARIES = ("anthropic", "openai", "google_genai", "bedrock", "cohere", "mistralai", "groq", "ollama", "vertexai")


def _library(scope: str) -> str | None:
    """The provider whose library a scope instruments, where the span itself names none."""
    last = scope.rsplit(".", 1)[-1]
    if last in ("v1", "v0"):
        last = scope.rsplit(".", 2)[-2]
    return last if last in _LIBRARIES else None
