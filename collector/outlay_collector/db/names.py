"""Names that statements are put together from. Apart from the tables, for SQLAlchemy costs a second to import."""

from __future__ import annotations

PARTITIONED = ("span", "span_content", "response_ref", "engine_sample", "gpu_sample", "gpu_share")
"""Tables cut by day of their key's time; ``db.partitions`` makes and drops their parts."""

ALLOCATION_DIMENSIONS = (
    "environment",
    "service",
    "release",
    "team",
    "cost_center",
    "owner",
    "feature",
    "agent",
    "prompt_version",
    "provider",
    "account",
    "region",
    "model",
    "request_model",
    "operation",
    "service_tier",
    "api_key",
    "gpu_pool",
)
"""Dimensions that the cost rollups keep; the others are answered from raw rows."""

SUMS = (
    "calls",
    "errors",
    "unpriced_calls",
    "estimated_calls",
    "missing_usage_calls",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "input_audio_tokens",
    "output_tokens",
    "reasoning_tokens",
    "output_audio_tokens",
    "unpriced_tokens",
    "duration_us",
    "lines",
)
"""Whole-number sums of a cost rollup; ``cost`` and ``reported_cost`` stand beside them and may be unknown."""

KEYED = ("user", "customer", "session")
"""Dimensions with sums of their own, as every declared tag has them."""

OTHER = "__other__"
"""The value under which an answer or a rollup sums what has no row of its own; no sender's value begins so by accident."""
