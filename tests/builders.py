"""Values for tests: a test names what matters to it, the rest is sensible."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_numbers = itertools.count(1)


def nanoseconds(instant: datetime) -> int:
    """Nanoseconds since 1970 of an aware instant."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


@dataclass
class SpanSpec:
    """A span to send; a model call by OpenTelemetry's names unless ``attributes`` say otherwise."""

    name: str = "chat gpt-4o-mini"
    start: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(minutes=1))
    duration_ms: int = 800
    trace_id: bytes = b""
    span_id: bytes = b""
    parent: bytes = b""
    error: bool = False
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        number = next(_numbers)
        self.trace_id = self.trace_id or (0xA000_0000_0000_0000_0000 + number).to_bytes(16, "big")
        self.span_id = self.span_id or (0xB000_0000 + number).to_bytes(8, "big")


def a_model_call(
    *,
    model: str = "gpt-4o-mini-2024-07-18",
    provider: str = "openai",
    input_tokens: int | None = 1000,
    output_tokens: int | None = 200,
    attributes: dict[str, Any] | None = None,
    **span: Any,
) -> SpanSpec:
    usage = {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens}
    return SpanSpec(
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "gen_ai.response.model": model,
            **{name: value for name, value in usage.items() if value is not None},
            **(attributes or {}),
        },
        **span,
    )


def otlp(
    spans: Sequence[SpanSpec],
    *,
    scope: str = "opentelemetry.instrumentation.genai.openai",
    resource: dict[str, Any] | None = None,
) -> bytes:
    """An ``ExportTraceServiceRequest`` in protobuf."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    _set(resource_spans.resource.attributes, {"service.name": "shop"} | (resource or {}))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = scope
    scope_spans.scope.version = "1.3b0"
    for spec in spans:
        start = nanoseconds(spec.start)
        span = scope_spans.spans.add(
            trace_id=spec.trace_id,
            span_id=spec.span_id,
            parent_span_id=spec.parent,
            name=spec.name,
            kind=3,
            start_time_unix_nano=start,
            end_time_unix_nano=start + spec.duration_ms * 1_000_000,
        )
        span.status.code = 2 if spec.error else 0
        _set(span.attributes, spec.attributes)
    return request.SerializeToString()


def _set(target: Any, attributes: dict[str, Any]) -> None:
    for key, value in attributes.items():
        pair = target.add(key=key).value
        match value:
            case bool():
                pair.bool_value = value
            case int():
                pair.int_value = value
            case float():
                pair.double_value = value
            case [*items]:
                for item in items:
                    pair.array_value.values.add(string_value=str(item))
            case _:
                pair.string_value = str(value)
