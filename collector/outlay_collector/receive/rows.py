"""A priced call as the row that COPY writes: one tuple, in the order of ``COLUMNS``.

Types whose psycopg adapters cost more than the value (ids, times, arrays, jsonb) are packed here in Postgres' own binary
form; see ``store.py`` for how they pass through.
"""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
import zstandard

from outlay_collector.calls.call import CALL, Call
from outlay_collector.calls.events import Event as LogEvent
from outlay_collector.calls.mask import mask_attributes
from outlay_collector.calls.span import Event
from outlay_collector.pricing.price import Booked
from outlay_collector.receive.signals import explanation_of

# name, type; the order is the order of the tuple that ``row`` makes.
_LAYOUT = (
    ("start_time", "timestamptz"),
    ("received_at", "timestamptz"),
    ("trace_id", "uuid"),
    ("span_id", "int8"),
    ("parent_span_id", "int8"),
    ("duration_us", "int8"),
    ("project_id", "int4"),
    ("input_tokens", "int4"),
    ("cache_read_tokens", "int4"),
    ("cache_write_tokens", "int4"),
    ("cache_write_5m_tokens", "int4"),
    ("cache_write_1h_tokens", "int4"),
    ("input_audio_tokens", "int4"),
    ("output_tokens", "int4"),
    ("reasoning_tokens", "int4"),
    ("output_audio_tokens", "int4"),
    ("time_to_first_token_ms", "float4"),
    ("kind", "int2"),
    ("status", "int2"),
    ("streaming", "bool"),
    ("counted", "bool"),
    ("price_version", "int4"),
    ("fx_rate_id", "int4"),
    ("priced_at", "timestamptz"),
    ("cost", "numeric"),
    ("charge_cost", "numeric"),
    ("charge_currency", "text"),
    ("charge_status", "text"),
    ("price_ids", "int4[]"),
    ("not_counted_reason", "text"),
    ("attributed", "jsonb"),
    ("api_key", "text"),
    ("name", "text"),
    ("status_message", "text"),
    ("error_type", "text"),
    ("scope", "text"),
    ("scope_version", "text"),
    ("dialect", "text"),
    ("span_type", "text"),
    ("operation", "text"),
    ("provider", "text"),
    ("request_model", "text"),
    ("response_model", "text"),
    ("response_id", "text"),
    ("service_tier", "text"),
    ("region", "text"),
    ("account", "text"),
    ("finish_reasons", "text[]"),
    ("usage_source", "text"),
    ("usage_extra", "jsonb"),
    ("flags", "text[]"),
    ("twin_keys", "int8[]"),
    ("reported_cost", "numeric"),
    ("service", "text"),
    ("environment", "text"),
    ("release", "text"),
    ("team", "text"),
    ("feature", "text"),
    ("customer", "text"),
    ("user_id", "text"),
    ("session_id", "text"),
    ("agent", "text"),
    ("tool", "text"),
    ("prompt_version", "text"),
    ("attributes", "jsonb"),
    ("events", "jsonb"),
)
COLUMNS = tuple(name for name, _ in _LAYOUT)
TYPES = tuple(kind for _, kind in _LAYOUT)

MAX_TEXT = 1024
"""Characters kept of a name or dimension; more is a mistake that no page could show."""

MAX_VALUE = 64 * 1024
"""Characters kept of one attribute."""

_MICROSECONDS_TO_2000 = 946_684_800_000_000
_TIMESTAMP = struct.Struct("!q").pack
_SPAN_ID = struct.Struct("!q").unpack
_LONGEST_US = int(timedelta(days=366).total_seconds()) * 1_000_000


def row(
    call: Call,
    charge: Booked | None,
    *,
    project_id: int,
    key_id: str,
    received_us: int,
    price_version: int,
    twins: tuple[int, ...] = (),
    attributed: bytes | None = None,
) -> tuple[Any, ...]:
    """``received_us`` is microseconds since 1970. ``charge`` is ``None`` for what cannot be charged.

    ``attributed`` is binary ``jsonb`` already.
    """
    span = call.span
    usage = call.usage
    start_us = span.start_ns // 1000
    duration_us = min(max((span.end_ns - span.start_ns) // 1000, 0), _LONGEST_US)
    counted = call.span_type == CALL
    received = timestamp(received_us)
    return (
        timestamp(start_us),
        received,
        span.trace_id,
        _SPAN_ID(span.span_id)[0],
        _SPAN_ID(span.parent_span_id)[0] if span.parent_span_id and len(span.parent_span_id) == 8 else None,
        duration_us,
        project_id,
        *(
            (
                usage.input_tokens,
                usage.cache_read_tokens,
                usage.cache_write_tokens,
                usage.cache_write_5m_tokens,
                usage.cache_write_1h_tokens,
                usage.input_audio_tokens,
                usage.output_tokens,
                usage.reasoning_tokens,
                usage.output_audio_tokens,
            )
            if usage is not None
            else _NO_USAGE
        ),
        _milliseconds(call.time_to_first_token_ms),
        span.kind if 0 <= span.kind < 100 else 0,
        2 if span.status_code == 2 or call.error_type else span.status_code if span.status_code == 1 else 0,
        call.streaming,
        counted,
        price_version if charge is not None else None,
        charge.fx_rate_id if charge is not None else None,
        received if charge is not None else None,
        charge.cost if charge is not None else None,
        charge.charge_cost if charge is not None else None,
        charge.charge_currency if charge is not None else None,
        charge.status if charge is not None else None,
        _integers(charge.price_ids) if charge is not None and charge.price_ids else None,
        None if counted else call.span_type,
        attributed,
        key_id,
        text(span.name) or "(unnamed)",
        text(span.status_message),
        text(call.error_type),
        text(span.scope_name),
        text(span.scope_version),
        call.dialect,
        call.span_type,
        text(call.operation),
        text(call.provider),
        text(call.request_model),
        text(call.response_model),
        text(call.response_id),
        text(call.service_tier),
        text(call.region),
        text(call.account),
        _texts(call.finish_reasons) if call.finish_reasons else None,
        call.usage_source,
        _usage_extra(call),
        _texts(call.flags) if call.flags else None,
        _big_integers(twins) if twins else None,
        call.reported_cost,
        text(call.service),
        text(call.environment),
        text(call.release),
        text(call.team),
        text(call.feature),
        text(call.customer),
        text(call.user),
        text(call.session),
        text(call.agent),
        text(call.tool),
        text(call.prompt_version),
        jsonb(call.attributes) if call.attributes else None,
        _events(call.events) if call.events else None,
    )


CONTENT_COLUMNS = ("project_id", "trace_id", "span_id", "start_time", "content")
CONTENT_TYPES = ("int4", "uuid", "int8", "timestamptz", "bytea")


class _Compressors(threading.local):
    """One for each thread: two threads in one compressor crash the process."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=1).compress


_compressors = _Compressors()
MAX_CONTENT = 1024 * 1024
"""Bytes of JSON kept of one span's content; of more, each text is cut."""


def content_row(call: Call, project_id: int) -> tuple[Any, ...]:
    """A row of ``span_content``, in the order of ``CONTENT_COLUMNS``."""
    span = call.span
    content = pack_content(call.content)
    return (project_id, span.trace_id, _SPAN_ID(span.span_id)[0], timestamp(span.start_ns // 1000), content)


def pack_content(content: Mapping[str, Any]) -> bytes:
    """Content as compressed JSON."""
    try:
        encoded = orjson.dumps(content, default=_as_text, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        encoded = orjson.dumps(_plain(content))
    if len(encoded) > MAX_CONTENT:
        encoded = orjson.dumps(_plain(content))
    return _compressors.compress(encoded)


def event_content_row(event: LogEvent, project_id: int, *, personal: bool) -> tuple[Any, ...]:
    """The texts of a log event as a row of ``span_content``, under the event's own time."""
    assert event.trace_id is not None
    assert event.span_id is not None
    content = pack_content(mask_attributes(event.content, personal=personal))
    return (project_id, event.trace_id, _SPAN_ID(event.span_id)[0], timestamp(event.time_ns // 1000), content)


def late_usage_row(event: LogEvent, project_id: int) -> tuple[Any, ...]:
    """Project, trace, span, time and usage as JSON text."""
    assert event.trace_id is not None
    assert event.span_id is not None
    assert event.usage is not None
    counts = {name: count for name, count in asdict(event.usage).items() if count is not None and name != "extra"}
    usage = orjson.dumps(counts).decode()
    return (project_id, event.trace_id.hex(), _SPAN_ID(event.span_id)[0], _instant(event.time_ns), usage)


def score_row(event: LogEvent, project_id: int) -> tuple[Any, ...]:
    """Project, time, trace, span, response id, name, value, label and explanation."""
    assert event.score is not None
    score = event.score
    return (
        project_id,
        _instant(event.time_ns),
        event.trace_id.hex() if event.trace_id else None,
        _SPAN_ID(event.span_id)[0] if event.span_id else None,
        text(event.response_id),
        text(score.name),
        score.value,
        text(score.label),
        text(explanation_of(score.explanation)),
    )


def _instant(time_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_USAGE = (None,) * 9
_FURTHER_USAGE = ("cache_read_audio_tokens", "web_search_calls", "requests", "audio_seconds")


def _usage_extra(call: Call) -> bytes | None:
    """Counts without a column of their own, by the field's or bucket's name."""
    usage = call.usage
    if usage is None:
        return None
    further: dict[str, Any] = {name: count for name in _FURTHER_USAGE if (count := getattr(usage, name)) is not None}
    further.update(usage.extra)
    return jsonb(further) if further else None


def timestamp(microseconds: int) -> bytes:
    """Microseconds since 1970 as a binary ``timestamptz``."""
    return _TIMESTAMP(microseconds - _MICROSECONDS_TO_2000)


def text(value: str | None) -> str | None:
    """Text that Postgres takes: no NUL, bounded; empty is absent."""
    if not value:
        return None
    if len(value) > MAX_TEXT:
        value = value[:MAX_TEXT]
    return value.replace("\x00", "\ufffd") if "\x00" in value else value


def jsonb(value: Mapping[str, Any]) -> bytes:
    """Binary ``jsonb``. Anything that JSON cannot say is said as text; NUL becomes U+FFFD."""
    try:
        encoded = orjson.dumps(value, default=_as_text, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):
        # An integer past 64 bits or a lone surrogate: rare enough to walk the whole value once more.
        encoded = orjson.dumps(_plain(value))
    if b"\\u0000" in encoded or len(encoded) > MAX_VALUE:
        encoded = orjson.dumps(_plain(value))
    return b"\x01" + encoded


def _as_text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value[:MAX_VALUE].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {str(_plain(str(key)))[:256]: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (int, float, bool)) or value is None else _as_text(value)


def _events(events: list[Event]) -> bytes:
    # Wrapped, so that the value under jsonb is always an object.
    return jsonb(
        {"events": [{"time_ns": event.time_ns, "name": event.name, "attributes": event.attributes} for event in events]}
    )


def _milliseconds(value: float | None) -> float | None:
    return value if value is not None and 0 <= value < 1e9 else None


@lru_cache(maxsize=4096)
def _integers(values: tuple[int, ...]) -> bytes:
    """A binary ``int4[]``, each value once."""
    values = tuple(dict.fromkeys(values))
    return struct.pack("!IIIII", 1, 0, 23, len(values), 1) + b"".join(struct.pack("!Ii", 4, value) for value in values)


def _big_integers(values: tuple[int, ...]) -> bytes:
    """A binary ``int8[]``."""
    return struct.pack("!IIIII", 1, 0, 20, len(values), 1) + b"".join(struct.pack("!Iq", 8, value) for value in values)


@lru_cache(maxsize=4096)
def _texts(values: tuple[str, ...]) -> bytes:
    """A binary ``text[]``."""
    items = [(text(value) or "").encode("utf-8", "replace") for value in values[:64]]
    return struct.pack("!IIIII", 1, 0, 25, len(items), 1) + b"".join(
        struct.pack("!I", len(item)) + item for item in items
    )
