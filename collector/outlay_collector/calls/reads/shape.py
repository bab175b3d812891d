"""A stored call as the API shows it. Missing usage is null, never 0; money is a decimal string."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
import zstandard

USAGE = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_tokens",
    "reasoning_tokens",
    "output_audio_tokens",
)

_AS_STORED = (
    "environment",
    "service",
    "release",
    "team",
    "cost_center",
    "owner",
    "feature",
    "customer",
    "agent",
    "tool",
    "prompt_version",
    "step",
    "dialect",
    "operation",
    "provider",
    "model",
    "request_model",
    "response_model",
    "response_id",
    "service_tier",
    "region",
    "account",
    "streaming",
    "error_type",
    "usage_source",
    "counted",
    "not_counted_reason",
    "charge_status",
    "price_version",
    "api_key",
)


def shown(row: Mapping[str, Any], *, currency: str) -> dict[str, Any]:
    """One call as ``GET /api/v1/calls`` lists it. ``row`` is a row of the view ``call`` with its project's name."""
    return {
        "trace_id": row["trace_id"].hex,
        "span_id": span_hex(row["span_id"]),
        "parent_span_id": span_hex(row["parent_span_id"]),
        "name": row["name"],
        "span_type": row["span_type"],
        "start_time": row["start_time"],
        "end_time": row["start_time"] + timedelta(microseconds=row["duration_us"]),
        "duration_ms": row["duration_us"] / 1000,
        "time_to_first_token_ms": row["time_to_first_token_ms"],
        "project": row["project"],
        "user": row["user_id"],
        "session": row["session_id"],
        **{name: row[name] for name in _AS_STORED},
        "finish_reasons": row["finish_reasons"] or [],
        "flags": row["flags"] or [],
        "status": "error" if row["status"] == 2 else "ok",
        "status_message": row["status_message"],
        "usage": {**{name: row[name] for name in USAGE}, **(row["usage_extra"] or {})},
        "cost": money(row["cost"]),
        "currency": currency,
        "charge_cost": money(row["charge_cost"] if row["charge_currency"] else row["cost"]),
        "charge_currency": row["charge_currency"] or (currency if row["cost"] is not None else None),
        "fx_rate_id": row["fx_rate_id"],
        "reported_cost": money(row["reported_cost"]),
    }


def money(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


def span_hex(span_id: int | None) -> str | None:
    return None if span_id is None else f"{span_id & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def span_number(text: str) -> int:
    """A span id's 16 hexadecimal digits as the signed number it is stored as. ValueError if it is none."""
    number = int(text, 16)
    if len(text) != 16:
        raise ValueError(text)
    return number - 2**64 if number >= 2**63 else number


class Order(StrEnum):
    NEWEST = "newest"
    COST = "cost"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: what its last row was ordered by, if not by time alone, its start time and its ids."""

    start: datetime
    trace: str
    span: int
    value: Decimal | None = None


def encode_cursor(row: Mapping[str, Any], order: Order = Order.NEWEST) -> str:
    place = f"{row['start_time'].isoformat()}~{row['trace_id'].hex}~{row['span_id']}"
    if order is Order.NEWEST:
        return place
    value = row["duration_us"] if order is Order.DURATION else "-Infinity" if row["cost"] is None else row["cost"]
    return f"{place}~{value}"


def decode_cursor(cursor: str, order: Order = Order.NEWEST) -> Place:
    """ValueError if it is none of ours, or of another order."""
    start, trace, span, *value = cursor.split("~")
    if len(value) != (order is not Order.NEWEST):
        raise ValueError(cursor)
    try:
        number = Decimal(value[0]) if value else None
    except InvalidOperation as error:
        raise ValueError(cursor) from error
    return Place(datetime.fromisoformat(start), str(UUID(trace)), int(span), number)


def unpacked(packed: Iterable[bytes]) -> dict[str, Any] | None:
    """Texts by the name they came under, from everything that was kept; None when nothing was."""
    found: dict[str, Any] = {}
    for part in packed:
        found.update(orjson.loads(zstandard.ZstdDecompressor().decompress(part)))
    return found or None
