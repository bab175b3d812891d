"""A call as we hold it: what was known before (``Step``), what happened (``Span``), and the attributes they make."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from outlay import semconv, usage
from outlay.attribution import Attribution, as_text, tagged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    from outlay.hearing import Heard
    from outlay.otlp import Pair, Value

    R = TypeVar("R")


# The two clocks, nanoseconds: of the calendar, and of durations. Named here because tests replace them.
wall_ns = time.time_ns
clock_ns = time.perf_counter_ns


class Step:
    """What is known of a call before it is made: given to the decorator, or read off the function's signature."""

    __slots__ = (
        "attribution",
        "capture",
        "is_client_method",
        "is_declared_a_call",
        "is_never_a_call",
        "kind",
        "limit",
        "model",
        "name",
        "operation",
        "parameters",
        "provider",
    )

    def __init__(
        self,
        name: str,
        *,
        kind: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        attribution: Attribution | None = None,
        capture: bool | None = None,
        parameters: Mapping[str, int] | None = None,
        defaults: Mapping[str, object] | None = None,
    ) -> None:
        self.name = name
        self.kind = kind  # agent, tool or step: never a model call. Else an OTel operation; None: the result tells.
        self.operation = semconv.OPERATION_OF_KIND.get(kind, kind) if kind else None
        self.model = model
        self.provider = provider
        self.attribution = attribution
        self.capture = capture  # content: True and False beat the configuration
        # Where a request's settings are found: the place of each parameter that is one, and its default value.
        self.parameters = {
            name: (place, (defaults or {}).get(name)) for name, place in (parameters or {}).items() if name in _READ
        }
        self.limit = next((name for name in self.parameters if name in _LIMITS), None)
        self.is_client_method = False  # a wrapped method of a provider's client, see outlay.instrumentation
        self.is_never_a_call = kind in semconv.OPERATION_OF_KIND  # whatever it returns is no model's response
        # Counts as a model call even if nothing is learned from what it returns.
        self.is_declared_a_call = not self.is_never_a_call and (kind is not None or model is not None)

    def argument(self, name: str, args: tuple[object, ...]) -> object:
        """What the parameter ``name`` was given by position, else its default; None if there is neither."""
        found = self.parameters.get(name)
        if found is None:
            return None
        place, default = found
        return args[place] if 0 <= place < len(args) else default


# Parameters of a call that describe the request, by the names the providers' clients use.
_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
# Parameters that are looked at: those, and the ones that hold what is said (outlay.hearing).
_READ = frozenset({"model", "temperature", *_LIMITS, "messages", "input", "prompt", "contents"})
Request = tuple[object, object, object]


def request_of(step: Step, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Request:
    """(model, temperature, token limit) of a call, as far as its arguments tell; unread values are not kept alive."""
    get = kwargs.get
    model, temperature = get("model"), get("temperature")
    limit = get("max_tokens") or get("max_completion_tokens") or get("max_output_tokens")
    if step.parameters:
        if model is None:
            model = step.argument("model", args)
        if temperature is None:
            temperature = step.argument("temperature", args)
        if limit is None and step.limit is not None:
            limit = step.argument(step.limit, args)
    return (
        model if isinstance(model, str) else None,
        temperature if isinstance(temperature, (int, float)) else None,
        limit if isinstance(limit, int) else None,
    )


NO_REQUEST: Request = (None, None, None)


class Span:
    """One observed call, from its start to the moment it is encoded; what ``outlay.current()`` and ``with`` hand out.

    Ids are integers here (hex in ``trace_id`` and ``span_id``), times nanoseconds since 1970.
    """

    __slots__ = (
        "attribution",
        "chunk_ns",
        "claims",
        "clock",
        "content",
        "encloses_call",
        "end_ns",
        "error",
        "failed_call",
        "has_children",
        "hides_usage_chunk",
        "id",
        "joined",
        "marks",
        "outer",
        "parent",
        "reading",
        "request",
        "resource",
        "start_ns",
        "step",
        "streaming",
        "timing",
        "trace",
        "up",
        "usage",
    )

    def __init__(self, step: Step, trace: int, id: int, parent: int, attribution: Attribution) -> None:
        self.step = step
        self.trace = trace
        self.id = id
        self.parent = parent  # 0: none
        self.attribution = attribution
        self.up: Span | None = None  # the enclosing span, if it is one of this process
        # Responses already told of in this trace, so that a function that hands on an inner one's does not bill twice.
        self.claims: dict[object, object] = {}
        self.encloses_call = False
        self.has_children = False
        self.reading: usage.Reading | None = None
        self.usage: usage.Counts | None = None  # given by ``record`` instead of read from a response
        self.request = NO_REQUEST
        self.error: str | None = None
        self.failed_call: str | None = None  # the provider whose client raised the error
        self.streaming: bool | None = None
        self.hides_usage_chunk = False  # the last chunk was asked for by us, so the caller does not get it
        self.chunk_ns = 0  # clock of the last chunk of a stream
        self.timing: float | None = None  # seconds to the first chunk
        self.marks: dict[str, Value] | None = None  # attributes the user set on this span
        self.content: Heard | None = None
        self.resource: bytes | None = None  # None: the process's own
        self.joined: object | None = None  # the span of the user's own TracerProvider, when we joined one
        self.outer: object | None = None  # OpenTelemetry's span that was active when this one began
        self.end_ns = 0  # 0: still open
        self.start_ns = wall_ns()
        self.clock = clock_ns()

    def end(self, clock: int | None = None) -> None:
        """Close it now, or at a reading of ``perf_counter_ns``. The wall clock may jump, so it is read once only."""
        self.end_ns = self.start_ns + (clock or clock_ns()) - self.clock

    # What a user may ask and say

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        return f"{self.trace:032x}"

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        return f"{self.id:016x}"

    def set(self, key: str, value: Value) -> None:
        """Put an attribute on this span, under its full name. Ours (``gen_ai.usage…``) cannot be overwritten so."""
        if self.marks is None:
            self.marks = {}
        self.marks[key] = value

    def tag(self, **tags: object) -> None:
        """Put tags on this span, and on what begins inside it from now on."""
        self.attribution = self.attribution.overlaid(Attribution(tagged(tags)))

    def response(self, response: R) -> R:
        """Tell of a model's response that the observed function does not return itself; gives it back, usable.

        A response becomes this span's own usage. A second one, or a stream, gets a span of its own inside this one.
        """
        from outlay.runtime import told

        return told(self, response)


def error_name(error: BaseException) -> str:
    """``error.type``: the class with its module, without one for builtins. Never the message: it may hold content."""
    kind = type(error)
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"


def provider_of_error(error: BaseException) -> str | None:
    """The provider whose client raises this kind of exception for a call that failed; None for all others."""
    module = type(error).__module__
    library = module.partition(".")[0]
    if library not in usage.PROVIDER_OF_LIBRARY or (library == "google" and not module.startswith("google.genai")):
        return None  # of Google's many libraries one talks to models; a storage error is no failed model call
    return usage.PROVIDER_OF_LIBRARY[library]


def is_call(span: Span) -> bool:
    """Whether the span is one request to a model, and so may be billed."""
    if span.reading is not None or span.usage is not None:
        return True
    if span.encloses_call or span.step.is_never_a_call:
        return False
    return span.failed_call is not None or span.step.is_declared_a_call


def attributes_of(span: Span) -> list[Pair]:
    """Everything to be said of a span except whom it was for. In the order people read it."""
    pairs: list[Pair] = _call_attributes(span) if is_call(span) else _plain_attributes(span)
    if span.error is not None:
        pairs.append((semconv.ERROR_TYPE, span.error))
    if span.marks is not None:
        told = {key for key, _ in pairs}
        pairs += [
            (key, fit)
            for key, value in span.marks.items()
            if key not in told and (fit := _fitting(key, value)) is not None
        ]
    return pairs


def _fitting(key: str, value: object) -> Value | None:
    """What a program set on its span, as an attribute can hold it: a list holds texts, other things become text."""
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(text for item in value if (text := as_text(key, item)) is not None)  # type: ignore[reportUnknownVariableType]
    return None if value is None else as_text(key, value)


def _plain_attributes(span: Span) -> list[Pair]:
    step = span.step
    if step.kind is None or step.operation is None:
        return []
    pairs: list[Pair] = [(semconv.OPERATION, step.operation)]
    if step.kind == "agent":
        pairs.append((semconv.AGENT, step.name))
    elif step.kind == "tool":
        pairs.append((semconv.TOOL, step.name))
    return pairs


def _call_attributes(span: Span) -> list[Pair]:
    step, reading = span.step, span.reading
    model, temperature, limit = span.request
    read = reading or _nothing_read(span.failed_call or step.provider or "")
    pairs: list[Pair] = [(semconv.OPERATION, step.operation or read.operation)]
    for key, value in (
        (semconv.PROVIDER, step.provider or read.provider),
        (semconv.REQUEST_MODEL, model or step.model),
        (semconv.TEMPERATURE, temperature),
        (semconv.MAX_TOKENS, limit),
        (semconv.STREAM, span.streaming),
        (semconv.RESPONSE_MODEL, read.model),
        (semconv.RESPONSE_ID, read.response_id),
        (semconv.FINISH_REASONS, read.finish_reasons),
        (semconv.TIME_TO_FIRST_CHUNK, span.timing),
        (semconv.SERVICE_TIER, read.service_tier),
    ):
        if value is not None and value != "" and value != ():
            pairs.append((key, value))  # type: ignore[arg-type]
    pairs += _usage_attributes(span, read)
    return pairs


def _nothing_read(provider: str) -> usage.Reading:
    operation = usage.OPERATION_OF_PROVIDER.get(provider, semconv.CHAT)
    return usage.Reading(provider, operation, None, None, None, (), None)


def _usage_attributes(span: Span, read: usage.Reading) -> list[Pair]:
    counted = span.usage or usage.counts(read.usage, output_known=read.complete)
    if counted is None:
        # A call refused by the provider uses nothing; of one that answered, nothing is known. Neither is zero.
        return [] if span.error is not None and span.reading is None else [(semconv.USAGE_SOURCE, "missing")]
    pairs: list[Pair] = list(counted.pairs())
    if not read.complete:
        pairs.append((semconv.USAGE_SOURCE, "estimated"))
    return pairs
