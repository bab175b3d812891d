"""One stored span as settlement sees it, and what is decided about it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from outlay_collector.pricing.usage import Usage

SAME_ID_WINDOW = timedelta(minutes=10)
"""Response ids are not unique everywhere (some local servers repeat them), so they join only calls this close."""

Key = tuple[Hashable, Hashable, datetime]
"""``(trace_id, span_id, start_time)``, in whatever types the caller keeps ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One stored span as settlement sees it. Every span of a trace is handed in, calls or not: the tree matters.

    ``flags`` are those of the normalised call. ``model`` is the model that answered, else the one asked for.
    """

    project_id: int
    trace_id: Hashable  # bytes or uuid.UUID, the same kind in one group
    span_id: Hashable  # bytes or int, the same kind in one group
    start_time: datetime
    duration_us: int
    span_type: str
    parent_span_id: Hashable | None = None
    dialect: str = ""
    scope: str = ""
    service: str | None = None
    operation: str | None = None
    provider: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    usage: Usage | None = None
    usage_source: str = "missing"
    streaming: bool | None = None
    time_to_first_token_ms: float | None = None
    finish_reasons: tuple[str, ...] = ()
    service_tier: str | None = None
    error_type: str | None = None
    flags: tuple[str, ...] = ()
    user: str | None = None
    session: str | None = None
    team: str | None = None
    feature: str | None = None
    customer: str | None = None
    agent: str | None = None
    tool: str | None = None
    prompt_version: str | None = None

    @property
    def key(self) -> Key:
        return (self.trace_id, self.span_id, self.start_time)


@dataclass(slots=True)
class Verdict:
    """What was decided about one span.

    ``reason`` is set where ``counted`` is false. ``joined`` holds what its twins knew and it did not, by field name of
    ``Candidate`` (``{"user": "u1", "usage_source": "reported", "usage": {"cache_write_1h_tokens": 5}}``); a count under
    ``usage`` replaces the span's own for the charge in force, the span's facts stay as they came. ``duration_us`` is the
    true length of a stream whose halves were merged, ``flags`` those that settlement adds.
    """

    key: Key
    counted: bool
    reason: str | None = None
    joined: dict[str, object] | None = field(default=None)
