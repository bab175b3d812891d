"""The demo's way out: through the SDK like any application, over OTLP and HTTP, to a collector."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import httpx
import outlay

from outlay_collector.demo.day import traces, window
from outlay_collector.demo.endings import endings
from outlay_collector.demo.shapes import Recording
from outlay_collector.errors import BadRequest, Unavailable

PROJECT = "demo"
"""Where demo data live, and nothing else: they are never mixed with real spend."""

_WAIT_SECONDS = 60.0  # for room in the queue: the collector may be slower than we are, or restarting
_REQUEST_SECONDS = 30.0
_FLUSH_SECONDS = 120.0
_FIRST_FLUSH_SECONDS = 5.0
_MAY_RUN_ON = timedelta(days=1)  # a visit that begins before midnight ends after it

Progress = Callable[[int, int, int], None]
"""Told after each day: days sent, days in all, calls sent so far."""


Keeps = Callable[[Recording], bool]
"""Whether the collector keeps a span already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What was sent and acknowledged. Calls are requests to models; spans are all, agents' steps and tools included."""

    days: int
    calls: int
    spans: int
    days_kept: int  # further days that were there already
    seconds: float


def send_demo(
    *,
    endpoint: str,
    api_key: str,
    days: int = 30,
    seed: int = 1,
    progress: Progress | None = None,
    keeps: Keeps | None = None,
    key_is_ours: bool = False,
    now: datetime | None = None,
) -> Sent:
    """Send the ``days`` days before today, and today up to ``now``, and return when all of it is acknowledged.

    Repeating it adds nothing, because the same call has the same ids; with ``keeps``, days that are there are not even
    sent. A key that is not ours (``store.demo_key``) may be another project's, or all projects': the collector is told
    which one is meant. It takes the SDK of this process for itself and shuts it down at the end. Unavailable when the
    collector does not answer or does not take all of it, BadRequest when it refuses.
    """
    begun, now = time.monotonic(), now or datetime.now(UTC)
    calls = spans = kept = 0
    with _sdk(endpoint, api_key, project=None if key_is_ours else PROJECT):
        for number, day in enumerate(window(now, days)):
            if progress is not None:
                progress(number, days + 1, calls)
            found = traces(seed, day, until=now)
            if keeps is not None and found and day < now.date() - _MAY_RUN_ON and keeps(found[-1][-1]):
                kept += 1
                continue
            for recording in chain.from_iterable(found):
                _record(recording)
                calls += recording.is_call
                spans += 1
                if spans == 1:
                    _say_hello(endpoint)
                _check_nothing_is_lost(endpoint, spans)
            _send_endings(endpoint, api_key, endings(day, found))
        outlay.flush(timeout=_FLUSH_SECONDS)
        _check_all_is_there(endpoint, spans)
    if progress is not None:
        progress(days + 1, days + 1, calls)
    return Sent(days=days + 1 - kept, calls=calls, spans=spans, days_kept=kept, seconds=time.monotonic() - begun)


@contextmanager
def _sdk(endpoint: str, api_key: str, project: str | None) -> Iterator[None]:
    outlay.configure(
        endpoint=endpoint,
        api_key=api_key,
        service="outlay-demo",
        headers={"x-outlay-project": project} if project else None,
        batch_size=1_000,
        timeout=_REQUEST_SECONDS,
    )
    try:
        yield
    finally:
        outlay.shutdown(timeout=1.0)


def _send_endings(endpoint: str, api_key: str, rows: list[dict[str, Any]]) -> None:
    """What is there already stays as it is."""
    headers = {"x-api-key": api_key}
    body = {"project": PROJECT, "source": "outlay demo", "rows": rows}
    try:
        answer = httpx.post(f"{endpoint}/api/v1/units/outcomes", json=body, headers=headers, timeout=_REQUEST_SECONDS)
    except httpx.HTTPError as error:
        raise Unavailable(f"The collector at {endpoint} took no outcomes ({error}); run the demo again.") from error
    if not answer.is_success:
        raise BadRequest(f"The collector at {endpoint} refuses the demo's outcomes: {answer.text[:300]}")


def _say_hello(endpoint: str) -> None:
    """Deliver the first span before anything else: a wrong address or key is said at once, not after a minute."""
    if not outlay.stats().queued and not outlay.stats().delivered:
        raise BadRequest("The SDK is turned off here by OUTLAY_DISABLED or OTEL_SDK_DISABLED: unset it and run again.")
    outlay.flush(timeout=_FIRST_FLUSH_SECONDS)
    stats = outlay.stats()
    if not stats.delivered and not stats.refused:
        raise Unavailable(f"No answer from the collector at {endpoint} ({stats.last_error}): check that it runs.")


def _check_nothing_is_lost(endpoint: str, spans: int) -> None:
    """Raise as soon as a span was refused, or was dropped because the collector took none for too long."""
    stats = outlay.stats()
    if stats.refused:
        raise BadRequest(
            f"The collector at {endpoint} refuses the demo's spans ({stats.last_error}): OUTLAY_API_KEY, or the database"
            f" the key is made in, must be this collector's, and the key project {PROJECT}'s with scope ingest."
        )
    if stats.dropped:
        raise Unavailable(
            f"The collector at {endpoint} stopped taking spans after {stats.delivered} of {spans} ({stats.last_error});"
            " run the demo again to add the rest."
        )


def _check_all_is_there(endpoint: str, spans: int) -> None:
    _check_nothing_is_lost(endpoint, spans)
    stats = outlay.stats()
    if stats.delivered != spans:
        raise Unavailable(
            f"{spans - stats.delivered} of {spans} spans were not acknowledged by {endpoint} ({stats.last_error});"
            " run the demo again to add them."
        )


def _record(told: Recording) -> None:
    whom = told.whom
    outlay.record(
        name=told.name,
        kind=told.kind,
        provider=told.provider,
        model=told.model,
        response_model=told.response_model,
        response_id=told.response_id,
        finish_reasons=(told.finish_reason,) if told.finish_reason else (),
        start=told.start_ns,
        end=told.end_ns,
        usage=told.usage,
        usage_source=told.usage_source,
        streaming=told.streaming,
        time_to_first_token=told.time_to_first_token,
        service_tier=told.service_tier,
        error=told.error,
        trace_id=told.trace_id,
        span_id=told.span_id,
        parent_span_id=told.parent_span_id,
        agent=told.agent,
        team=whom.team,
        feature=whom.feature,
        customer=whom.customer,
        user=whom.user,
        session=whom.session,
        prompt_version=whom.prompt_version,
        tags=whom.tags,
        service=whom.service,
        release=whom.release,
        environment=whom.environment,
        wait=_WAIT_SECONDS,
    )
