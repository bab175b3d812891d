"""Requests that strict readers refuse as a whole, made readable: what is wrong with one span must not cost its neighbours.

Text that is no UTF-8 gets U+FFFD in place of the bad bytes, values nested too deeply give way to a note, and an item
whose bytes make no sense is left out and handed back. Slow, and only for bodies that the readers have refused already.
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

MAX_BYTES = 8 * 2**20
"""Of a body that is mended; a larger one is refused, for mending takes seconds then."""

_MAX_VALUE_DEPTH = 20
"""Nested attribute values kept: more than ``decode`` reads, and less than protobuf's own limit of 100 messages allows."""

_MAX_JSON_DEPTH = 120

_TOO_DEEP = b"\x0a\x13(nested too deeply)"
"""The note, as an ``AnyValue`` that is a text."""

_ITEMS = frozenset(
    f"opentelemetry.proto.{name}" for name in ("trace.v1.Span", "logs.v1.LogRecord", "metrics.v1.Metric")
)
_VALUE = "opentelemetry.proto.common.v1.AnyValue"


class BrokenWireError(ValueError):
    """The bytes are no protobuf message."""


def mended(body: bytes, message: Any) -> tuple[bytes, list[bytes]]:
    """``body`` as protobuf reads a request of the descriptor ``message``, and the items that were left out.

    BrokenWireError when the request itself has no shape.
    """
    left_out: list[bytes] = []
    return _message(body, message, 0, left_out), left_out


def _message(data: bytes, message: Descriptor, depth: int, left_out: list[bytes]) -> bytes:
    parts: list[bytes] = []
    at, end = 0, len(data)
    fields: Any = message.fields_by_number
    while at < end:
        start = at
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 2:
            size, at = _varint(data, at)
            content, at = data[at : at + size], at + size
            if at > end:
                raise BrokenWireError("a field is longer than what holds it")
            whole = _content(content, fields.get(tag >> 3), depth, left_out)
            if whole is not None:
                parts += (_number(tag), _number(len(whole)), whole)
            continue
        if kind == 0:
            _, at = _varint(data, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise BrokenWireError(f"wire type {kind} is not used by this protocol")
        if at > end:
            raise BrokenWireError("the message ends in the middle of a field")
        parts.append(data[start:at])
    return b"".join(parts)


def _content(content: bytes, field: FieldDescriptor | None, depth: int, left_out: list[bytes]) -> bytes | None:
    """A field of known length, mended; ``None`` for an item that is left out."""
    if field is None:
        return content
    if field.type == FieldDescriptor.TYPE_STRING:
        return content.decode("utf-8", "replace").encode()
    inner = field.message_type
    if field.type != FieldDescriptor.TYPE_MESSAGE or inner is None:
        return content
    if inner.full_name == _VALUE:
        depth += 1
        if depth > _MAX_VALUE_DEPTH:
            return _TOO_DEEP
    if inner.full_name not in _ITEMS:
        return _message(content, inner, depth, left_out)
    try:
        whole = _message(content, inner, depth, left_out)
        # What protobuf refuses besides (numbers of fields that there are not, numbers too large) it is asked itself.
        GetMessageClass(inner).FromString(whole)
    except (BrokenWireError, DecodeError):
        left_out.append(content)
        return None
    return whole


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while shift < 70:
        if at >= len(data):
            raise BrokenWireError("the message ends in the middle of a number")
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    raise BrokenWireError("a number has more than ten bytes")


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


# Strings, so that brackets in them do not count, and brackets. A string that never ends runs to the end of the body.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)?|[\[\]{}]', re.DOTALL)


def shallow(body: bytes) -> bytes:
    """JSON with ``null`` in place of what is nested too deeply for any reader."""
    parts: list[bytes] = []
    depth = kept_to = 0
    for token in _TOKEN.finditer(body):
        if token[0] in (b"[", b"{"):
            depth += 1
            if depth == _MAX_JSON_DEPTH:
                parts += (body[kept_to : token.start()], b"null")
        elif token[0] in (b"]", b"}"):
            if depth == _MAX_JSON_DEPTH:
                kept_to = token.end()
            depth -= 1
    return b"".join((*parts, body[kept_to:])) if depth < _MAX_JSON_DEPTH else body


def has_more_brackets_than(body: bytes, limit: int) -> bool:
    """Whether the JSON text would become more than ``limit`` objects and lists, each far larger than its brackets."""
    if body.count(b"{") + body.count(b"[") <= limit:
        return False
    opened = 0
    for token in _TOKEN.finditer(body):
        opened += token[0] in (b"[", b"{")
        if opened > limit:
            return True
    return False
