"""OTLP protobuf, written by hand: the few messages we send, and the one field we read back.

Setting the same fields through protobuf's message objects costs about three times as much, and most of a span repeats
from call to call: an attribute whose value was written before is a dictionary lookup here. Field numbers are those of
opentelemetry-proto 1.x; the tests read everything back with the generated classes.
"""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING, NamedTuple

from outlay import semconv

if TYPE_CHECKING:
    from collections.abc import Iterable

    Value = str | bool | int | float | tuple[str, ...]
    Pair = tuple[str, Value]

INTERNAL, CLIENT = 1, 3  # SpanKind
ERROR = 2  # StatusCode

MAX_TEXT = 8_192  # characters of a name or an attribute's text; more is cut off
_MAX_CACHED = 2_048
_CACHEABLE_TEXT = 64  # longer texts rarely repeat
# Values of these would only push out what does repeat.
_NEVER_TWICE = frozenset({semconv.RESPONSE_ID, semconv.EVIDENCE_PROMPT, semconv.EVIDENCE_INPUT})
# Content, which is asked for and has a bound of its own.
_LONG = frozenset(
    {
        semconv.INPUT_MESSAGES,
        semconv.OUTPUT_MESSAGES,
        semconv.SYSTEM_INSTRUCTIONS,
        semconv.CONTENT_INPUT,
        semconv.CONTENT_OUTPUT,
    }
)
_cache: dict[tuple[str, object, type], bytes] = {}


def varint(number: int) -> bytes:
    """A number as protobuf writes it: seven bits per byte, lowest first; negatives as their 64-bit complement."""
    if 0 <= number < 0x80:
        return _SMALL[number]
    number &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL = [bytes([number]) for number in range(0x80)]


def field(tag: bytes, content: bytes) -> bytes:
    """A length-delimited field: a string, bytes or a message."""
    return tag + varint(len(content)) + content


def text(value: str) -> bytes:
    """UTF-8 for any Python string; a lone surrogate becomes a question mark, because protobuf refuses it."""
    return value.encode("utf-8", "replace")


def any_value(value: Value) -> bytes:
    """An ``AnyValue`` message. A whole number beyond 64 bits has no place in it and goes as text."""
    if isinstance(value, str):
        return field(b"\x0a", text(value))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return b"\x18" + varint(value)
        return field(b"\x0a", text(str(value)))
    if isinstance(value, float):
        return b"\x21" + pack("<d", value)
    # A member of an ArrayValue is an AnyValue with a string in it: one header inside another.
    return field(b"\x2a", b"".join([field(b"\x0a", field(b"\x0a", text(item))) for item in value]))


def key_value(key: str, value: Value) -> bytes:
    """A ``KeyValue`` message, without the tag of the field that holds it."""
    name = _keys.get(key)
    if name is None:
        name = field(b"\x0a", text(key))
        if len(_keys) < _MAX_CACHED:
            _keys[key] = name
    return name + field(b"\x12", any_value(value))


_keys: dict[str, bytes] = {}


def attribute(key: str, value: Value) -> bytes:
    """One span attribute (field 9), remembered if it is likely to come again."""
    if key in _NEVER_TWICE:
        return field(b"\x4a", key_value(key, value))
    kind = type(value)  # 1, 1.0 and True are one dictionary key and three different attributes
    known = _cache.get((key, value, kind))
    if known is not None:
        return known
    if isinstance(value, str) and len(value) > _CACHEABLE_TEXT:
        return field(b"\x4a", key_value(key, value if key in _LONG else value[:MAX_TEXT]))
    encoded = field(b"\x4a", key_value(key, value))
    if kind is not float:
        if len(_cache) >= _MAX_CACHED:
            _cache.clear()
        _cache[key, value, kind] = encoded
    return encoded


def attributes(pairs: Iterable[Pair]) -> bytes:
    """Span attributes in the order given."""
    return b"".join([attribute(key, value) for key, value in pairs])


def span(
    *,
    trace_id: int,
    span_id: int,
    parent_id: int,
    name: str,
    kind: int,
    start_ns: int,
    end_ns: int,
    attributes: bytes,
    failed: bool,
) -> bytes:
    """A ``Span`` as field 2 of ``ScopeSpans``. ``parent_id`` 0 means a root."""
    content = b"".join(
        (
            b"\x0a\x10",
            trace_id.to_bytes(16, "big"),
            b"\x12\x08",
            span_id.to_bytes(8, "big"),
            b"\x22\x08" + parent_id.to_bytes(8, "big") if parent_id else b"",
            _name(name),
            _KINDS[kind],
            b"\x39",
            start_ns.to_bytes(8, "little"),
            b"\x41",
            end_ns.to_bytes(8, "little"),
            attributes,
            b"\x7a\x02\x18\x02" if failed else b"",
        )
    )
    return b"\x12" + varint(len(content)) + content


_KINDS = [b"\x30" + varint(kind) for kind in range(6)]
_names: dict[str, bytes] = {}


def _name(name: str) -> bytes:
    known = _names.get(name)
    if known is None:
        if len(_names) >= _MAX_CACHED:
            _names.clear()
        known = _names[name] = field(b"\x2a", text(name[:MAX_TEXT]))
    return known


def log_record(*, time_ns: int, event: str, attributes: Iterable[Pair], trace_id: int, span_id: int) -> bytes:
    """A ``LogRecord`` as field 2 of ``ScopeLogs``: an event. Ids of 0 are left out."""
    content = b"".join(
        (
            b"\x09" + time_ns.to_bytes(8, "little"),
            b"\x10\x09",  # severity INFO
            b"".join([field(b"\x32", key_value(key, value)) for key, value in attributes]),
            field(b"\x4a", trace_id.to_bytes(16, "big")) if trace_id else b"",
            field(b"\x52", span_id.to_bytes(8, "big")) if span_id else b"",
            b"\x59" + time_ns.to_bytes(8, "little"),
            field(b"\x62", text(event)),
        )
    )
    return field(b"\x12", content)


def counter(name: str, *, unit: str, points: Iterable[tuple[int, Iterable[Pair]]], start_ns: int, now_ns: int) -> bytes:
    """A ``Metric`` as field 2 of ``ScopeMetrics``: a cumulative sum that only grows, one point per set of attributes."""
    times = b"\x11" + start_ns.to_bytes(8, "little") + b"\x19" + now_ns.to_bytes(8, "little")
    encoded = [
        field(
            b"\x0a",
            b"".join([field(b"\x3a", key_value(key, item)) for key, item in attributes])
            + times
            + b"\x31"
            + value.to_bytes(8, "little", signed=True),
        )
        for value, attributes in points
    ]
    total = b"".join(encoded) + b"\x10\x02\x18\x01"  # cumulative, monotonic
    return field(b"\x12", field(b"\x0a", text(name)) + field(b"\x1a", text(unit)) + field(b"\x3a", total))


def gauge(name: str, *, unit: str, points: Iterable[tuple[float, Iterable[Pair]]], now_ns: int) -> bytes:
    """A ``Metric`` as field 2 of ``ScopeMetrics``: what holds at a moment, one point per set of attributes."""
    at = b"\x19" + now_ns.to_bytes(8, "little")
    encoded = [
        field(
            b"\x0a",
            b"".join([field(b"\x3a", key_value(key, item)) for key, item in attributes])
            + at
            + b"\x21"
            + pack("<d", value),
        )
        for value, attributes in points
    ]
    return field(b"\x12", field(b"\x0a", text(name)) + field(b"\x1a", text(unit)) + field(b"\x2a", b"".join(encoded)))


def resource(pairs: Iterable[Pair]) -> bytes:
    """A ``Resource`` as field 1 of ``ResourceSpans``, ``ResourceMetrics`` or ``ResourceLogs``."""
    return field(b"\x0a", b"".join([field(b"\x0a", key_value(key, value)) for key, value in pairs]))


def scope(name: str, version: str) -> bytes:
    """An ``InstrumentationScope`` as field 1 of ``ScopeSpans`` and its likes."""
    return field(b"\x0a", field(b"\x0a", text(name)) + field(b"\x12", text(version)))


def request(groups: Iterable[tuple[bytes, bytes, list[bytes]]]) -> bytes:
    """An export request: for each (resource, scope, records) one resource block with one scope block.

    Traces, metrics and logs share this shape and its field numbers.
    """
    return b"".join(
        [
            field(b"\x0a", resource_field + field(b"\x12", scope_field + b"".join(records)))
            for resource_field, scope_field, records in groups
        ]
    )


class Partial(NamedTuple):
    """What a collector answered: how many records it refused, and why. Nothing refused is (0, "")."""

    rejected: int
    message: str


def read_partial_success(body: bytes) -> Partial:
    """The ``partial_success`` of an export response; an answer that is not one counts as nothing refused."""
    try:
        for number, content in _fields(body):
            if number == 1 and isinstance(content, bytes):
                found = dict(_fields(content))
                rejected, message = found.get(1, 0), found.get(2, b"")
                return Partial(
                    rejected if isinstance(rejected, int) else 0,
                    message.decode("utf-8", "replace") if isinstance(message, bytes) else "",
                )
    except (IndexError, ValueError):
        pass
    return Partial(0, "")


def _fields(body: bytes) -> Iterable[tuple[int, int | bytes]]:
    at = 0
    while at < len(body):
        tag, at = _read_varint(body, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, at = _read_varint(body, at)
            yield number, value
        elif wire_type == 2:
            size, at = _read_varint(body, at)
            yield number, body[at : at + size]
            at += size
        else:
            raise ValueError(f"wire type {wire_type} is not expected in an export response")


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
