"""Builders: a test names only what matters to it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from outlay_dashboard.answers import CallRow, SpendRow, read_call

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_row(
    cost: str | None = "1", *, at: datetime | None = None, calls: int = 1, tokens: int = 11, **of: str | None
) -> SpendRow:
    """``tokens`` is the average per call."""
    return SpendRow(
        period_start=at,
        of=of,
        cost=None if cost is None else Decimal(cost),
        calls=calls,
        errors=0,
        input_tokens=(tokens - 1) * calls if tokens else 0,
        output_tokens=calls if tokens else 0,
        cache_read_tokens=0,
        cache_write_tokens=0,
        reasoning_tokens=0,
        unpriced_calls=calls if cost is None else 0,
        estimated_calls=0,
        missing_usage_calls=0,
        unpriced_tokens=0,
        duration_us=1000 * calls,
    )


def a_call(span_id: str = "a", **changes: Any) -> CallRow:
    row = {
        "trace_id": "t",
        "span_id": span_id,
        "parent_span_id": None,
        "name": f"step {span_id}",
        "span_type": "call",
        "start_time": NOON.isoformat(),
        "duration_ms": 100,
        "status": "ok",
        "provider": "openai",
        "model": "gpt-4.1",
        "usage": {"input_tokens": 10, "output_tokens": 1},
        "usage_source": "reported",
        "counted": True,
        "cost": "0.5",
        "currency": "USD",
    }
    return read_call({**row, **changes})
