"""OTLP trace requests read from the wire by hand, half as dear as through protobuf's objects.

Sources say the same pairs over and over (``gen_ai.operation.name`` = ``chat``), so an attribute's bytes are looked up
before they are read. This reader knows requests as every exporter writes them. Whatever it does not know, it leaves to
protobuf by raising ``UnusualError``: it never decides that a request is wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from outlay_collector.calls.span import Attributes, Value

Read = Callable[[Any], Any]
"""How a message of protobuf's becomes a value of ours; the caller's, so that both readers agree."""


class UnusualError(Exception):
    """Something this reader does not know; protobuf is to read the request."""


class RawSpan:
    """A span's fields as they stood on the wire."""

    __slots__ = (
        "attributes", "code", "end_ns", "events", "kind", "links", "message", "name", "parent", "raw", "span_id",
        "start_ns", "trace_id",
    )  # fmt: skip

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.trace_id = self.span_id = b""
        self.parent: bytes | None = None
        self.name = self.message = ""
        self.kind = self.code = self.start_ns = self.end_ns = 0
        self.attributes: Attributes = {}
        self.events: list[ProtoSpan.Event] = []
        self.links: list[ProtoSpan.Link] = []


Scoped = tuple[Resource, InstrumentationScope, list[RawSpan]]


class Reader:
    """Remembers attributes between requests. Safe to share between threads: what is remembered is never changed."""

    def __init__(self, value_of: Callable[[Any, int], Value], max_attributes: int) -> None:
        self._value_of = value_of
        self._max_attributes = max_attributes
        self._pairs: dict[bytes, tuple[str, Value]] = {}
        self._lists: dict[bytes, tuple[str, tuple[Value, ...]]] = {}
        self._names: dict[bytes, str] = {}
        self._values_of: dict[str, int] = {}  # how many values are remembered under each name
        self._statuses: dict[bytes, tuple[int, str]] = {}

    def read(self, body: bytes) -> list[Scoped]:
        """Spans with the resource and scope they came under. UnusualError when protobuf must read the request."""
        found: list[Scoped] = []
        try:
            for number, resource_spans in _messages(body, 0, len(body)):
                if number == 1:
                    found += self._resource_spans(body, *resource_spans)
        except (IndexError, struct.error, UnicodeDecodeError, DecodeError) as error:
            raise UnusualError from error
        return found

    def _resource_spans(self, body: bytes, start: int, end: int) -> Iterator[Scoped]:
        resource: Resource | None = None
        scopes: list[tuple[int, int]] = []
        for number, place in _messages(body, start, end):
            if number == 1:
                if resource is not None:
                    raise UnusualError
                resource = Resource.FromString(body[slice(*place)])
            elif number == 2:
                scopes.append(place)
        for place in scopes:
            yield self._scope_spans(body, *place, resource or Resource())

    def _scope_spans(self, body: bytes, start: int, end: int, resource: Resource) -> Scoped:
        scope: InstrumentationScope | None = None
        spans: list[RawSpan] = []
        for number, place in _messages(body, start, end):
            if number == 2:
                spans.append(self._span(body[slice(*place)]))
            elif number == 1:
                if scope is not None:
                    raise UnusualError
                scope = InstrumentationScope.FromString(body[slice(*place)])
        return resource, scope or InstrumentationScope(), spans

    def _span(self, raw: bytes) -> RawSpan:
        span = RawSpan(raw)
        attributes = span.attributes
        known = self._pairs.get
        at, end, pairs = 0, len(raw), 0
        while at < end:
            tag, size = raw[at], raw[at + 1]
            at += 2
            # Lengths of up to two bytes here; longer ones are for the general case.
            if size > 127 and tag not in _NOT_SIZED:
                if raw[at] > 127:
                    size, at = _varint(raw, at - 1)
                else:
                    size += (raw[at] << 7) - 128
                    at += 1
            if tag == 0x4A:  # attributes
                pair = raw[at : at + size]
                at += size
                pairs += 1
                key_and_value = known(pair) or self._pair(pair)
                attributes[key_and_value[0]] = key_and_value[1]
            elif tag == 0x39 or tag == 0x41:
                (time_ns,) = _FIXED64(raw, at - 1)
                at += 7
                if tag == 0x39:
                    span.start_ns = time_ns
                else:
                    span.end_ns = time_ns
            else:
                at = self._field(span, tag, size, at)
        if at != end or pairs > self._max_attributes:
            raise UnusualError
        return span

    def _field(self, span: RawSpan, tag: int, size: int, at: int) -> int:
        """Any field but attributes and times; where the next one begins."""
        raw = span.raw
        if tag in _NOT_SIZED:
            value, at = _varint(raw, at - 1)
            if tag == 0x85:  # flags: a tag of two bytes and four more
                return _after_flags(raw, value, at)
            if tag == 0x30:
                if value > _MAX_KIND:
                    raise UnusualError
                span.kind = value
            return at
        end = at + size
        value = raw[at:end]
        if len(value) != size:
            raise UnusualError
        if tag == 0x0A:
            span.trace_id = value
        elif tag == 0x12:
            span.span_id = value
        elif tag == 0x22:
            span.parent = value or None
        elif tag == 0x2A:
            span.name = value.decode()
        elif tag == 0x7A:
            if span.code or span.message:
                raise UnusualError  # two that protobuf would merge
            span.code, span.message = self._statuses.get(value) or self._status(value)
        elif tag == 0x5A:
            span.events.append(ProtoSpan.Event.FromString(value))
        elif tag == 0x6A:
            span.links.append(ProtoSpan.Link.FromString(value))
        elif tag == 0x1A:
            value.decode()  # trace state: not kept, but it must be text
        else:
            raise UnusualError
        return end

    def _status(self, raw: bytes) -> tuple[int, str]:
        status = Status.FromString(raw)
        told = (status.code, status.message)
        if len(raw) <= _MAX_REMEMBERED_BYTES:
            _remember(self._statuses, raw, told)
        return told

    def _pair(self, raw: bytes) -> tuple[str, Value]:
        """An attribute that is not remembered."""
        size = raw[1]
        after_key = 2 + size
        # A short name, then a text or a whole number: nearly all of them.
        if raw[0] == 0x0A and size < 128 and raw[after_key] == 0x12:
            length, kind = raw[after_key + 1], raw[after_key + 2]
            if length > 127:
                if (text := _long_text(raw, after_key + 1)) is not None:
                    return self._name(raw[2:after_key]), text
            elif length == len(raw) - after_key - 2:
                if kind == 0x0A and raw[after_key + 3] == length - 2:
                    return self._remembered(raw, self._name(raw[2:after_key]), raw[after_key + 4 :].decode())
                if kind == 0x18:
                    # Counts have too many values to be worth remembering.
                    number, end = _varint(raw, after_key + 3)
                    if end == len(raw):
                        return self._name(raw[2:after_key]), number - (1 << 64) if number >> 63 else number
        listed = self._lists.get(raw)
        if listed is not None:
            return listed[0], list(listed[1])
        proto = KeyValue.FromString(raw)
        if proto.value.WhichOneof("value") is None:
            raise UnusualError
        name, value = proto.key, self._value_of(proto.value, 1)
        if not isinstance(value, (list, dict)):
            return self._remembered(raw, name, value)
        # A list may be changed by whoever gets it, so everybody gets his own.
        if (
            isinstance(value, list)
            and len(raw) <= _MAX_REMEMBERED_BYTES
            and all(isinstance(item, (str, int, float)) for item in value)
        ):
            _remember(self._lists, raw, (name, tuple(value)))
        return name, value

    def _remembered(self, raw: bytes, name: str, value: Value) -> tuple[str, Value]:
        """Remember the pair, unless it is long or its name has proved to have ever new values, as ids do."""
        pair = (name, value)
        if len(raw) <= _MAX_REMEMBERED_BYTES:
            number = self._values_of.get(name, 0)
            if number < _MAX_VALUES:
                if len(self._pairs) >= _MAX_REMEMBERED:
                    self._pairs.clear()
                    self._values_of.clear()
                self._values_of[name] = number + 1
                self._pairs[raw] = pair
        return pair

    def _name(self, raw: bytes) -> str:
        name = self._names.get(raw)
        if name is None:
            name = raw.decode()
            _remember(self._names, raw, name)
        return name


_NOT_SIZED = frozenset((0x30, 0x39, 0x41, 0x50, 0x60, 0x70, 0x85))
"""Tags of a span's fields whose value follows at once, without its length."""

_MAX_KIND = 127
_FIXED64 = struct.Struct("<Q").unpack_from
_MAX_REMEMBERED = 16_384
_MAX_REMEMBERED_BYTES = 96  # longer values are texts and ids that hardly come twice
_MAX_VALUES = 512


def _remember(memory: dict[bytes, Any], key: bytes, value: Any) -> None:
    if len(memory) >= _MAX_REMEMBERED:
        memory.clear()
    memory[key] = value


def _after_flags(raw: bytes, second_half_of_tag: int, at: int) -> int:
    if second_half_of_tag != 1 or at + 4 > len(raw):
        raise UnusualError
    return at + 4


def _messages(body: bytes, start: int, end: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """``(field number, (start, end))`` of a message that holds messages and texts only."""
    at = start
    while at < end:
        tag = body[at]
        size, at = _varint(body, at + 1)
        if tag not in (0x0A, 0x12, 0x1A) or at + size > end:
            raise UnusualError
        if tag == 0x1A:
            body[at : at + size].decode()  # schema URL: not kept, but it must be text
        yield tag >> 3, (at, at + size)
        at += size


def _long_text(raw: bytes, at: int) -> str | None:
    """The text of an ``AnyValue`` whose length stands at ``at`` and that ends with ``raw``; None when it is no such."""
    length, at = _varint(raw, at)
    if at + length != len(raw) or raw[at] != 0x0A:
        return None
    length, at = _varint(raw, at + 1)
    return raw[at:].decode() if at + length == len(raw) else None


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """A number of up to 64 bits and where it ends."""
    byte = raw[at]
    at += 1
    if byte < 128:
        return byte, at
    value, shift = byte & 127, 7
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 63:
            raise UnusualError
    if value >> 64:
        raise UnusualError
    return value, at
