"""OTLP trace requests, protobuf or JSON, into spans.

Touching each attribute from Python is what decoding costs, so every attribute is touched once here and becomes a plain
value in a plain dict. What cannot be a span (no id, no time) is set aside with its reason; its neighbours go on.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar, cast

import orjson
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from outlay_collector.calls.events import LogRecord
from outlay_collector.calls.span import Attributes, Event, Span, Value
from outlay_collector.errors import TooLarge, UnreadableBody
from outlay_collector.receive.mend import MAX_BYTES, BrokenWireError, has_more_brackets_than, mended, shallow
from outlay_collector.receive.wire import Reader, UnusualError

MAX_DEPTH = 16
"""Of nested attribute values; what lies deeper is replaced by a note."""

MAX_ATTRIBUTES = 512
"""Kept per span; a sender of more is told by the attribute ``outlay.dropped_attributes_count``."""

MAX_EVENTS = 1024

MAX_OBJECTS = 1_000_000
"""Objects and lists of a JSON body: each takes up to a hundred times the memory of its brackets."""

_TOO_DEEP = "(nested too deeply)"


@dataclass(frozen=True, slots=True)
class Refused:
    """A span or log record that cannot be stored: why, and what it is as far as it could be read, else its bytes.

    ``sent`` holds fields of JSON as they came, where they could not be read into the span.
    """

    reason: str
    detail: str
    item: Span | LogRecord | None = None
    sent: Mapping[str, Any] = field(default_factory=dict[str, Any])
    raw: bytes = b""


@dataclass(slots=True)
class Decoded:
    spans: list[Span] = field(default_factory=list[Span])
    refused: list[Refused] = field(default_factory=list[Refused])

    def take(self, span: Span) -> None:
        """Among the spans, if it is one; among what is refused otherwise."""
        try:
            _check_identity(span.trace_id, span.span_id, span.start_ns)
        except ValueError as error:
            self.refused.append(Refused("malformed", str(error), span))
        else:
            self.spans.append(span)


def decode_protobuf(body: bytes) -> Decoded:
    """UnreadableBody if the bytes are no ``ExportTraceServiceRequest``."""
    try:
        return _from_wire(body)
    except UnusualError:
        return decode_with_protobuf(body)


def _from_wire(body: bytes) -> Decoded:
    """The quick way. UnusualError when the request is not as exporters write it."""
    decoded = Decoded()
    for proto_resource, scope, spans in _reader().read(body):
        resource = proto_attributes(proto_resource.attributes)
        for raw in spans:
            span = Span(
                raw.trace_id,
                raw.span_id,
                raw.parent,
                raw.name,
                raw.kind,
                raw.start_ns,
                raw.end_ns,
                raw.code,
                raw.message,
                raw.attributes,
                _events(raw.events),
                _links(raw.links),
                resource,
                scope.name,
                scope.version,
            )
            decoded.take(span)
    return decoded


@cache
def _reader() -> Reader:
    return Reader(proto_value, MAX_ATTRIBUTES)


def decode_with_protobuf(body: bytes) -> Decoded:
    """The same by protobuf's own reader: whatever a request looks like, this decides."""
    request, left_out = read_request(body, ExportTraceServiceRequest, "trace")
    unread = [Refused("malformed", "the span's bytes are no protobuf", raw=item) for item in left_out]
    decoded = Decoded(refused=unread)
    for resource_spans in request.resource_spans:
        resource = proto_attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope
            name, version = scope.name, scope.version
            for proto in scope_spans.spans:
                decoded.take(_proto_span(proto, resource, name, version))
    return decoded


R = TypeVar("R", bound=Message)


def read_request(body: bytes, kind: type[R], name: str) -> tuple[R, list[bytes]]:
    """A request by protobuf's own reader, mended when that refuses it; and the items that made no sense.

    UnreadableBody, saying that it is no OTLP ``name`` request, when it cannot be mended.
    """
    try:
        return kind.FromString(body), []
    except DecodeError as error:
        strict = error
    try:
        if len(body) > MAX_BYTES:
            raise strict
        readable, left_out = mended(body, kind.DESCRIPTOR)
        return kind.FromString(readable), left_out
    except (BrokenWireError, DecodeError):
        raise UnreadableBody(
            f"The body is no OTLP {name} request in protobuf ({strict}); nothing of it was stored."
        ) from strict


def _proto_span(proto: Any, resource: Mapping[str, Value], scope_name: str, scope_version: str) -> Span:
    status = proto.status
    return Span(
        proto.trace_id,
        proto.span_id,
        proto.parent_span_id or None,
        proto.name,
        proto.kind,
        proto.start_time_unix_nano,
        proto.end_time_unix_nano,
        status.code,
        status.message,
        proto_attributes(proto.attributes),
        _events(proto.events),
        _links(proto.links),
        resource,
        scope_name,
        scope_version,
    )


def _events(protos: Any) -> list[Event]:
    return [Event(e.time_unix_nano, e.name, proto_attributes(e.attributes)) for e in protos[:MAX_EVENTS]]


def _links(protos: Any) -> list[tuple[bytes, bytes]]:
    return [(link.trace_id, link.span_id) for link in protos[:MAX_EVENTS]]


def proto_attributes(pairs: Any) -> Attributes:
    """OTLP key-value pairs as a dict."""
    attributes: Attributes = {}
    for pair in pairs if len(pairs) <= MAX_ATTRIBUTES else pairs[:MAX_ATTRIBUTES]:
        value = pair.value
        kind = value.WhichOneof("value")
        if kind == "string_value":
            attributes[pair.key] = value.string_value
        elif kind == "int_value":
            attributes[pair.key] = value.int_value
        elif kind is not None:
            attributes[pair.key] = _PROTO_VALUE[kind](value, 1)
    if len(pairs) > MAX_ATTRIBUTES:
        attributes["outlay.dropped_attributes_count"] = len(pairs) - MAX_ATTRIBUTES
    return attributes


def proto_value(value: Any, depth: int) -> Value:
    """One OTLP ``AnyValue``."""
    kind = value.WhichOneof("value")
    return None if kind is None else _PROTO_VALUE[kind](value, depth)


def _proto_list(value: Any, depth: int) -> Value:
    if depth >= MAX_DEPTH:
        return _TOO_DEEP
    return [proto_value(item, depth + 1) for item in value.array_value.values]


def _proto_dict(value: Any, depth: int) -> Value:
    if depth >= MAX_DEPTH:
        return _TOO_DEEP
    return {pair.key: proto_value(pair.value, depth + 1) for pair in value.kvlist_value.values}


_PROTO_VALUE: dict[str, Callable[[Any, int], Value]] = {
    "string_value": lambda value, _: value.string_value,
    "int_value": lambda value, _: value.int_value,
    "double_value": lambda value, _: value.double_value,
    "bool_value": lambda value, _: value.bool_value,
    "bytes_value": lambda value, _: value.bytes_value,
    "array_value": _proto_list,
    "kvlist_value": _proto_dict,
    # Newer senders may index a string table that trace requests do not carry.
    "string_value_strindex": lambda _value, _: None,
}


def decode_json(body: bytes) -> Decoded:
    """UnreadableBody if the text is no JSON or has not the shape of a trace request; unknown fields are ignored."""
    request = load_json(body)
    decoded = Decoded()
    for resource_spans in json_objects(request, "resourceSpans"):
        resource = json_attributes(json_object(resource_spans, "resource").get("attributes"))
        for scope_spans in json_objects(resource_spans, "scopeSpans"):
            scope = json_object(scope_spans, "scope")
            name, version = text_of(scope.get("name")), text_of(scope.get("version"))
            for item in json_objects(scope_spans, "spans"):
                try:
                    span = _json_span(item, resource, name, version, hex_bytes)
                    _check_identity(span.trace_id, span.span_id, span.start_ns)
                except ValueError as error:
                    readable = _json_span(item, resource, name, version, _hex_bytes_or_none)
                    sent = {field: item[field] for field in _IDENTITY if field in item}
                    decoded.refused.append(Refused("malformed", str(error), readable, sent))
                else:
                    decoded.spans.append(span)
    return decoded


_IDENTITY = ("traceId", "spanId", "parentSpanId", "startTimeUnixNano", "links")
"""Fields by whose contents a span of JSON is refused."""


def load_json(body: bytes) -> dict[str, Any]:
    """A JSON object; lone surrogates, which strict readers refuse, are read as U+FFFD."""
    if has_more_brackets_than(body, MAX_OBJECTS):
        raise TooLarge(f"The body has more than {MAX_OBJECTS} objects and lists; send smaller batches.")
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as strict:
        try:
            # Values nested without end, NaN as a bare word, invalid UTF-8 and lone surrogates: sent in the wild.
            lenient = json.loads(shallow(body).decode("utf-8", "replace"), parse_constant=str)
            request = orjson.loads(json.dumps(lenient, ensure_ascii=False).encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise UnreadableBody(f"The body is not JSON ({strict}); nothing of it was stored.") from strict
    if not isinstance(request, dict):
        raise UnreadableBody("The body is JSON but not an object; an OTLP request is one. Nothing of it was stored.")
    return cast("dict[str, Any]", request)


ReadId = Callable[[Any, str], bytes]


def _json_span(
    item: dict[str, Any], resource: Mapping[str, Value], scope_name: str, scope_version: str, read_id: ReadId
) -> Span:
    """ValueError from ``read_id`` only."""
    status = json_object(item, "status")
    parent = item.get("parentSpanId")
    return Span(
        read_id(item.get("traceId"), "traceId"),
        read_id(item.get("spanId"), "spanId"),
        read_id(parent, "parentSpanId") if parent else None,
        text_of(item.get("name")),
        integer(item.get("kind")),
        integer(item.get("startTimeUnixNano")),
        integer(item.get("endTimeUnixNano")),
        integer(status.get("code")),
        text_of(status.get("message")),
        json_attributes(item.get("attributes")),
        [
            Event(integer(e.get("timeUnixNano")), text_of(e.get("name")), json_attributes(e.get("attributes")))
            for e in _members(item, "events")
        ],
        [
            (read_id(link.get("traceId"), "traceId"), read_id(link.get("spanId"), "spanId"))
            for link in _members(item, "links")
        ],
        resource,
        scope_name,
        scope_version,
    )


def _members(item: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Events or links of a span; something else in their place is nothing, for the span itself is well."""
    return json_objects(item, name)[:MAX_EVENTS] if isinstance(item.get(name), list) else []


def json_attributes(pairs: Any) -> Attributes:
    """OTLP/JSON key-value pairs as a dict. A pair that is not one is left out."""
    attributes: Attributes = {}
    if not isinstance(pairs, list):
        return attributes
    for pair in cast("list[Any]", pairs)[:MAX_ATTRIBUTES]:
        if isinstance(pair, dict) and isinstance(key := cast("dict[str, Any]", pair).get("key"), str):
            attributes[key] = json_value(cast("dict[str, Any]", pair).get("value"), 1)
    if len(pairs) > MAX_ATTRIBUTES:
        attributes["outlay.dropped_attributes_count"] = len(pairs) - MAX_ATTRIBUTES
    return attributes


def json_value(value: Any, depth: int = 1) -> Value:
    """One OTLP/JSON ``AnyValue``; 64-bit integers come as text or numbers, NaN as the word."""
    if not isinstance(value, dict) or not value:
        return None
    kind, content = next(iter(cast("dict[str, Any]", value).items()))
    if kind == "stringValue":
        return text_of(content)
    if kind == "intValue":
        return _integer_or_none(content)
    if kind == "doubleValue":
        return _double(content)
    if kind == "boolValue":
        return bool(content)
    if kind == "bytesValue":
        return _bytes(content)
    if kind in ("arrayValue", "kvlistValue"):
        if depth >= MAX_DEPTH:
            return _TOO_DEEP
        values = cast("dict[str, Any]", content).get("values") if isinstance(content, dict) else None
        items: Iterable[Any] = cast("list[Any]", values) if isinstance(values, list) else ()
        if kind == "arrayValue":
            return [json_value(item, depth + 1) for item in items]
        return {
            text_of(pair.get("key")): json_value(pair.get("value"), depth + 1)
            for pair in (cast("dict[str, Any]", item) for item in items if isinstance(item, dict))
        }
    return None


def _check_identity(trace_id: bytes, span_id: bytes, start_ns: int) -> None:
    if len(trace_id) != 16 or not any(trace_id):
        raise ValueError(f"trace id {trace_id.hex() or '(none)'} is not 16 bytes with one set")
    if len(span_id) != 8 or not any(span_id):
        raise ValueError(f"span id {span_id.hex() or '(none)'} is not 8 bytes with one set")
    if start_ns <= 0:
        raise ValueError("the span has no start time")


def json_objects(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list; UnreadableBody when there is something else in its place."""
    items = parent.get(name)
    if items is None:
        return []
    if not isinstance(items, list):
        raise UnreadableBody(f"In the OTLP request {name!r} is not a list; nothing of it was stored.")
    return [cast("dict[str, Any]", item) for item in cast("list[Any]", items) if isinstance(item, dict)]


def json_object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    """A member that is an object, else an empty one."""
    item = parent.get(name)
    return cast("dict[str, Any]", item) if isinstance(item, dict) else {}


def hex_bytes(text: Any, name: str) -> bytes:
    """ValueError, naming ``name``, when it is not hexadecimal."""
    try:
        return bytes.fromhex(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} {text!r:.80} is not hexadecimal") from error


def _hex_bytes_or_none(text: Any, name: str) -> bytes:
    try:
        return hex_bytes(text, name)
    except ValueError:
        return b""


def text_of(value: Any) -> str:
    """Text, and nothing for what is none."""
    return value if isinstance(value, str) else ""


def integer(value: Any) -> int:
    """A number, or the text of one; 0 for anything else."""
    return _integer_or_none(value) or 0


def _integer_or_none(value: Any) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, str)):
        try:
            return int(value)
        except ValueError:
            return None
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _bytes(value: Any) -> Value:
    """Base64, as protobuf's JSON has bytes; text that is none stays text."""
    try:
        return b64decode(value, validate=True)
    except (TypeError, ValueError):
        return text_of(value)


def _double(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
