"""Spans for the browser tests, as OTLP JSON: what an instrumented application would have sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One span. ``model`` None makes it a step that calls no model."""

    trace: str
    span: str
    at: datetime
    parent: str | None = None
    name: str = "chat"
    took: timedelta = timedelta(milliseconds=900)
    provider: str = "openai"
    model: str | None = "gpt-4.1"
    input_tokens: int | None = 1000
    output_tokens: int | None = 100
    team: str | None = "search"
    feature: str | None = "answers"
    service: str = "search-api"
    failed: bool = False
    more: dict[str, Any] = field(default_factory=dict)


def send(url: str, key: str, spans: Iterable[Sent]) -> None:
    """Send and have them acknowledged."""
    spans = list(spans)
    for start in range(0, len(spans), 2000):
        batch = spans[start : start + 2000]
        by_service: dict[str, list[Sent]] = {}
        for span in batch:
            by_service.setdefault(span.service, []).append(span)
        body = {"resourceSpans": [_resource(name, group) for name, group in by_service.items()]}
        answer = httpx.post(f"{url}/v1/traces", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60)
        assert answer.status_code == 200, answer.text
        refused = (answer.json() or {}).get("partialSuccess") or {}
        assert not int(refused.get("rejectedSpans") or 0), refused


def span_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def trace_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _resource(service: str, spans: Sequence[Sent]) -> dict[str, Any]:
    attributes = {"service.name": service, "deployment.environment.name": "production"}
    return {
        "resource": {"attributes": _attributes(attributes)},
        "scopeSpans": [{"scope": {"name": "my-app"}, "spans": [_span(span) for span in spans]}],
    }


def _span(span: Sent) -> dict[str, Any]:
    start = int(span.at.timestamp() * 1_000_000) * 1000
    attributes: dict[str, Any] = {"outlay.team": span.team, "outlay.feature": span.feature, **span.more}
    if span.model:
        attributes |= {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": span.provider,
            "gen_ai.request.model": span.model,
            "gen_ai.response.model": span.model,
            "gen_ai.usage.input_tokens": span.input_tokens,
            "gen_ai.usage.output_tokens": span.output_tokens,
        }
    if span.failed:
        attributes["error.type"] = "overloaded_error"
    return {
        "traceId": trace_id(span.trace),
        "spanId": span_id(f"{span.trace} {span.span}"),
        **({"parentSpanId": span_id(f"{span.trace} {span.parent}")} if span.parent else {}),
        "name": span.name,
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + span.took // timedelta(microseconds=1) * 1000),
        "attributes": _attributes(attributes),
        "status": {"code": 2} if span.failed else {},
    }


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}
