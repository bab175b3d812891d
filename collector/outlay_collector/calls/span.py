"""A span as it came over the wire, decoded and not yet understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | int | float | bool | bytes | None | list["Value"] | dict[str, "Value"]
Attributes = dict[str, Value]

NO_ATTRIBUTES: Mapping[str, Value] = {}


@dataclass(slots=True)
class Event:
    """Something that happened inside a span. ``time_ns`` is nanoseconds since 1970, UTC."""

    time_ns: int
    name: str
    attributes: Attributes


@dataclass(slots=True)
class Span:
    """One OTLP span with the resource and scope it came under. Times are nanoseconds since 1970, UTC."""

    trace_id: bytes  # 16 bytes
    span_id: bytes  # 8 bytes
    parent_span_id: bytes | None
    name: str
    kind: int  # OTLP SpanKind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer
    start_ns: int
    end_ns: int
    status_code: int  # OTLP: 0 unset, 1 ok, 2 error
    status_message: str
    attributes: Attributes
    events: list[Event] = field(default_factory=list[Event])
    links: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    resource: Mapping[str, Value] = field(default_factory=dict[str, Value])
    scope_name: str = ""
    scope_version: str = ""
