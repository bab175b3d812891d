"""Dead letters: what was refused, kept so that it can be read, and sent again by itself.

A span or log record that could be decoded is kept as an OTLP/JSON request of its own, with its resource and scope; other
bytes are kept as they came. Nothing is kept that a stored span would not show: secrets are masked, and so are prompts
and completions dropped where the project keeps none.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from outlay_collector.calls.events import LogRecord, read_event
from outlay_collector.calls.mask import mask_attributes, mask_text
from outlay_collector.calls.normalise import normalise
from outlay_collector.calls.span import Event, Span, Value
from outlay_collector.receive.decode import Refused

REQUEST, RAW = "request", "raw"

MAX_BYTES = 256 * 1024
"""Of one letter; a larger request is kept as the beginning of its bytes, which can be read but not sent again."""

MAX_LETTERS = 1000
MAX_BYTES_TOGETHER = 4 * 2**20
"""Kept of one request; what is refused beyond that is counted, and the sender is told, but it is not kept."""


@dataclass(frozen=True, slots=True)
class Letter:
    """``payload`` is an OTLP/JSON request when ``encoding`` is ``request``, else the bytes as they came."""

    reason: str
    detail: str
    signal: str  # traces or logs
    encoding: str
    payload: bytes


def letters(refused: Iterable[Refused], content_mode: str) -> list[Letter]:
    """What is kept of what was refused, within bounds."""
    kept: list[Letter] = []
    size = 0
    for item in refused:
        if len(kept) == MAX_LETTERS or size >= MAX_BYTES_TOGETHER:
            break
        kept.append(letter(item, content_mode))
        size += len(kept[-1].payload)
    return kept


def letter(refused: Refused, content_mode: str) -> Letter:
    """``content_mode`` is the project's: ``none``, ``masked`` or ``full``."""
    signal = "logs" if isinstance(refused.item, LogRecord) else "traces"
    encoding, payload = RAW, refused.raw
    if refused.item is not None:
        try:
            payload = orjson.dumps(_request(refused, content_mode))
            encoding = REQUEST
        except (TypeError, ValueError):  # something in it that JSON cannot say
            payload = repr(refused.item).encode("utf-8", "replace")
    if len(payload) > MAX_BYTES:
        encoding, payload = RAW, payload[:MAX_BYTES]
    return Letter(refused.reason, refused.detail, signal, encoding, payload)


def _request(refused: Refused, content_mode: str) -> dict[str, Any]:
    if isinstance(refused.item, LogRecord):
        record = refused.item if content_mode != "none" else _without_texts(refused.item)
        member = _log_record(record, personal=content_mode == "masked")
        return _wrapped("Logs", "logRecords", mask_attributes(dict(record.resource)), record.scope_name, "", member)
    assert refused.item is not None
    span = _as_kept(refused.item, content_mode)
    member = _span(span) | dict(refused.sent)
    return _wrapped("Spans", "spans", span.resource, span.scope_name, span.scope_version, member)


def _as_kept(span: Span, content_mode: str) -> Span:
    """The span with what would be stored of its texts; who it was for, and all that is read from it, stays."""
    call = normalise(span)
    personal = content_mode == "masked"
    attributes = mask_attributes(span.attributes)
    if content_mode == "none":
        attributes = {name: value for name, value in attributes.items() if name not in call.content}
    elif personal:
        free = {name: attributes[name] for name in (*call.content, *call.attributes) if name in attributes}
        attributes = {**attributes, **mask_attributes(free, personal=True)}
    events = call.events if content_mode == "none" and call.events else span.events
    return replace(
        span,
        status_message=mask_text(span.status_message, personal=personal),
        attributes=attributes,
        events=[
            Event(event.time_ns, event.name, mask_attributes(event.attributes, personal=personal)) for event in events
        ],
        resource=mask_attributes(dict(span.resource)),
    )


def _without_texts(record: LogRecord) -> LogRecord:
    event = read_event(record)
    if event is None or not event.content:
        return record
    if event.role is not None:
        kept = {name: value for name, value in record.attributes.items() if name == "gen_ai.response.id"}
        return replace(record, body=None, attributes=kept)
    body = record.body
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in event.content}
    attributes = {name: value for name, value in record.attributes.items() if name not in event.content}
    return replace(record, body=body, attributes=attributes)


def _wrapped(
    signal: str, members: str, resource: Mapping[str, Value], scope: str, version: str, member: dict[str, Any]
) -> dict[str, Any]:
    """One member as a request of its own."""
    scoped = {"scope": {"name": scope, "version": version}, members: [member]}
    return {f"resource{signal}": [{"resource": {"attributes": _pairs(resource)}, f"scope{signal}": [scoped]}]}


def _span(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": (span.parent_span_id or b"").hex(),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _pairs(span.attributes),
        "events": [_event(event) for event in span.events],
        "links": [{"traceId": trace_id.hex(), "spanId": span_id.hex()} for trace_id, span_id in span.links],
        "status": {"code": span.status_code, "message": span.status_message},
    }


def _event(event: Event) -> dict[str, Any]:
    return {"timeUnixNano": str(event.time_ns), "name": event.name, "attributes": _pairs(event.attributes)}


def _log_record(record: LogRecord, *, personal: bool) -> dict[str, Any]:
    body = mask_attributes({"body": record.body}, personal=personal)["body"]
    attributes = mask_attributes(record.attributes, personal=personal)
    return {
        "timeUnixNano": str(record.time_ns),
        "eventName": record.event_name,
        "body": any_value(body),
        "attributes": _pairs(attributes),
        "traceId": (record.trace_id or b"").hex(),
        "spanId": (record.span_id or b"").hex(),
    }


def _pairs(attributes: Mapping[str, Value]) -> list[dict[str, Any]]:
    return [{"key": name, "value": any_value(value)} for name, value in attributes.items()]


def any_value(value: Value) -> dict[str, Any]:
    """A value as OTLP/JSON has it, so that ``decode.json_value`` reads the same."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value if math.isfinite(value) else str(value)}
        case str():
            return {"stringValue": value}
        case bytes():
            return {"bytesValue": b64encode(value).decode()}
        case list():
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
        case dict():
            return {
                "kvlistValue": {"values": [{"key": name, "value": any_value(item)} for name, item in value.items()]}
            }
