"""GenAI log events, understood: texts, an evaluation, or usage that came late, each for the span it belongs to.

OpenTelemetry moved message texts from span attributes to log events and back; evaluations are events only. An event never
makes a call of its own: it adds to a span found by its ids, or by the response's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outlay_collector.calls import raw_usage
from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.span import Attributes, Value
from outlay_collector.calls.values import ImpossibleCountError, count, mapping, number, text
from outlay_collector.pricing.usage import Usage

MESSAGE, DETAILS, EVALUATION, LATE_USAGE = "message", "details", "evaluation", "late_usage"

_OPERATION_DETAILS = "gen_ai.client.inference.operation.details"
_EVALUATION_RESULT = "gen_ai.evaluation.result"
_USAGE = "outlay.usage"
_MESSAGES = {
    "gen_ai.system.message": "system", "gen_ai.user.message": "user", "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool", "gen_ai.choice": "choice", "gen_ai.content.prompt": "user",
    "gen_ai.content.completion": "choice",
}  # fmt: skip
_TEXTS = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions")


@dataclass(slots=True)
class LogRecord:
    """One OTLP log record, decoded and not yet understood."""

    time_ns: int
    event_name: str
    body: Value
    attributes: Attributes
    trace_id: bytes | None = None
    span_id: bytes | None = None
    resource: Mapping[str, Value] = field(default_factory=dict[str, Value])
    scope_name: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """A judgement of an answer: by a user, a metric, or a model."""

    name: str
    value: float | None
    label: str | None = None
    explanation: str | None = None


@dataclass(slots=True)
class Event:
    """What one log record adds. ``trace_id`` and ``span_id`` or ``response_id`` say to which span; all None: to none.

    ``usage`` is inclusive, as on calls; it only repeats the span's own unless the span has none.
    """

    kind: str  # MESSAGE, DETAILS, EVALUATION or LATE_USAGE
    time_ns: int
    trace_id: bytes | None
    span_id: bytes | None
    response_id: str | None = None
    role: str | None = None  # of a message
    content: Attributes = field(default_factory=dict[str, Value])
    usage: Usage | None = None
    score: Score | None = None


def read_event(record: LogRecord) -> Event | None:
    """What a record adds to a span; None for any other log. Pure; never raises."""
    name = record.event_name or text(record.attributes.get("event.name")) or ""
    event = Event(MESSAGE, record.time_ns, record.trace_id or None, record.span_id or None)
    event.response_id = text(record.attributes.get("gen_ai.response.id"))
    if name in _MESSAGES:
        event.role = _MESSAGES[name]
        event.content = {name: record.body if record.body is not None else dict(record.attributes)}
    elif name == _EVALUATION_RESULT:
        event.kind, event.score = EVALUATION, _score(record)
        if event.score is None:
            return None
    elif name in (_OPERATION_DETAILS, _USAGE):
        event.kind = LATE_USAGE if name == _USAGE else DETAILS
        inside = {**(mapping(record.body) or {}), **record.attributes}
        event.response_id = event.response_id or text(inside.get("gen_ai.response.id"))
        event.content = {key: inside[key] for key in _TEXTS if inside.get(key) is not None}
        event.usage = _usage(inside, record.scope_name)
    else:
        return None
    return event


def _score(record: LogRecord) -> Score | None:
    attributes = record.attributes
    name = text(attributes.get("gen_ai.evaluation.name"))
    if name is None:
        return None
    value = attributes.get("gen_ai.evaluation.score.value", attributes.get("gen_ai.evaluation.score"))
    return Score(
        name,
        _signed(value),
        text(attributes.get("gen_ai.evaluation.score.label")) or text(attributes.get("gen_ai.evaluation.label")),
        text(attributes.get("gen_ai.evaluation.explanation")),
    )


def _signed(value: object) -> float | None:
    """Scores may be negative, and pass or fail."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, (int, float)) and value < 0:
        positive = number(-value)
        return None if positive is None else -positive
    return number(value)


def _usage(attributes: Mapping[str, Value], scope: str) -> Usage | None:
    counts: dict[str, object] = {}
    for slot in ("input", "output", "cache_read", "cache_write", "cache_write_5m", "cache_write_1h", "reasoning"):
        named = (attributes[name] for name in otel_genai.NAMES[slot] if attributes.get(name) is not None)
        value = next(named, None)
        if value is not None:
            counts[slot] = value
    if not counts:
        counts = dict(raw_usage.read_mapping(mapping(attributes.get("usage")) or {}))
    try:
        numbers = {slot: count(value) for slot, value in counts.items()}
    except ImpossibleCountError:
        return None
    total_in, total_out = numbers.get("input"), numbers.get("output")
    if not total_in and not total_out:
        return None
    cached = (numbers.get("cache_read") or 0) + (numbers.get("cache_write") or 0)
    if total_in is not None and (scope == "openlit.instrumentation.anthropic" or cached > total_in):
        # As on its spans, OpenLIT passes on Anthropic's own count of uncached input.
        total_in += cached
    return Usage(
        input_tokens=total_in,
        cache_read_tokens=numbers.get("cache_read"),
        cache_write_tokens=numbers.get("cache_write"),
        cache_write_5m_tokens=numbers.get("cache_write_5m"),
        cache_write_1h_tokens=numbers.get("cache_write_1h"),
        output_tokens=total_out,
        reasoning_tokens=numbers.get("reasoning"),
    )
