"""Spans and candidates for tests of calls: a test names what matters to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from outlay_collector.calls.call import Call
from outlay_collector.calls.normalise import normalise
from outlay_collector.calls.settle import Candidate
from outlay_collector.calls.span import Event, Span
from outlay_collector.pricing.usage import Usage

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * 1_000_000_000
SECOND_NS = 1_000_000_000

_numbers = count(1)


def a_span(
    attributes: dict[str, Any] | None = None,
    *,
    scope: str = "opentelemetry.instrumentation.genai.openai",
    name: str = "chat gpt-4o-mini",
    seconds: float = 1.0,
    error: str | None = None,
    events: list[Event] | None = None,
    resource: dict[str, Any] | None = None,
    **fields: Any,
) -> Span:
    number = next(_numbers)
    span = Span(
        trace_id=number.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=None,
        name=name,
        kind=3,
        start_ns=NOON_NS,
        end_ns=NOON_NS + int(seconds * SECOND_NS),
        status_code=0 if error is None else 2,
        status_message=error or "",
        attributes=dict(attributes or {}),
        events=events or [],
        resource={"service.name": "shop"} | (resource or {}),
        scope_name=scope,
    )
    for field, value in fields.items():
        setattr(span, field, value)
    return span


def a_chat(**counts: Any) -> dict[str, Any]:
    """Attributes of a chat with gpt-4o-mini by today's conventions; counts by the end of their names."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    } | {f"gen_ai.usage.{name}": value for name, value in counts.items()}


def read(attributes: dict[str, Any] | None = None, **span: Any) -> Call:
    return normalise(a_span(attributes, **span))


def usage_of(call: Call) -> dict[str, int]:
    """The counts a call has, by field."""
    return {} if call.usage is None else counts_in(call.usage)


def counts_in(usage: Usage) -> dict[str, int]:
    named = {name: getattr(usage, name) for name in Usage.__slots__ if name != "extra"}
    return {name: value for name, value in named.items() if value is not None} | dict(usage.extra)


def candidate_of(call: Call, project_id: int = 1) -> Candidate:
    """A call as settlement reads it back from the database."""
    span = call.span
    return Candidate(
        project_id=project_id,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        start_time=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=span.start_ns // 1000),
        duration_us=(span.end_ns - span.start_ns) // 1000,
        scope=span.scope_name,
        **{
            name: getattr(call, name)
            for name in (
                "span_type", "dialect", "service", "operation", "provider", "request_model", "response_model",
                "response_id", "usage", "usage_source", "streaming", "time_to_first_token_ms", "finish_reasons",
                "service_tier", "error_type", "flags", "user", "session", "team", "feature", "customer", "agent", "tool",
                "prompt_version",
            )
        },
    )  # fmt: skip


def a_candidate(
    *,
    trace: int | None = None,
    span: int | None = None,
    parent: int | None = None,
    at: float = 0.0,
    seconds: float = 1.0,
    tokens: tuple[int | None, int | None] | None = (100, 20),
    model: str | None = "gpt-4o-mini",
    **fields: Any,
) -> Candidate:
    """A call of the service "shop"; ``at`` is seconds after noon, ``tokens`` None means that usage is missing."""
    number = next(_numbers)
    candidate = Candidate(
        project_id=1,
        trace_id=(trace if trace is not None else 1_000_000 + number).to_bytes(16, "big"),
        span_id=(span if span is not None else 1_000_000 + number).to_bytes(8, "big"),
        parent_span_id=None if parent is None else parent.to_bytes(8, "big"),
        start_time=NOON + timedelta(seconds=at),
        duration_us=int(seconds * 1e6),
        span_type="call",
        scope="sdk-wrapper",
        service="shop",
        operation="chat",
        provider="openai",
        request_model=model,
        usage=None if tokens is None else Usage(input_tokens=tokens[0], output_tokens=tokens[1]),
        usage_source="missing" if tokens is None else "reported",
    )
    return replace(candidate, **fields)
