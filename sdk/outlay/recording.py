"""``record``: a call made elsewhere, or known only later."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from time import monotonic, sleep
from typing import TYPE_CHECKING

from outlay import runtime, semconv, usage
from outlay.attribution import attributed
from outlay.spans import Span, Step, error_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from outlay.otlp import Value

    Instant = datetime | int | float

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# Keys of ``usage`` as the collector's HTTP API spells them, in the order of Counts.
_USAGE = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "reasoning_tokens": "reasoning",
    "input_audio_tokens": "input_audio",
    "output_audio_tokens": "output_audio",
}


def record(
    *,
    name: str | None = None,
    kind: str = semconv.CHAT,
    provider: str | None = None,
    model: str | None = None,
    response: object = None,
    response_model: str | None = None,
    response_id: str | None = None,
    finish_reasons: Sequence[str] = (),
    start: Instant | None = None,
    end: Instant | None = None,
    usage: Mapping[str, int] | None = None,
    usage_source: str | None = None,
    streaming: bool | None = None,
    time_to_first_token: float | None = None,
    service_tier: str | None = None,
    error: str | BaseException | None = None,
    trace_id: int | str | None = None,
    span_id: int | str | None = None,
    parent_span_id: int | str | None = None,
    team: object = None,
    feature: object = None,
    customer: object = None,
    user: object = None,
    session: object = None,
    prompt_version: object = None,
    agent: str | None = None,
    tool: str | None = None,
    tags: Mapping[str, object] | None = None,
    attributes: Mapping[str, Value] | None = None,
    service: str | None = None,
    release: str | None = None,
    environment: str | None = None,
    wait: float = 0.0,
) -> Span:
    """Record one call that was not observed while it ran. Returns its span, for its ids.

    ``kind`` is an OpenTelemetry operation (a model call), or ``agent``, ``tool`` or ``step``. ``response`` is a
    provider's response, read as the decorator would; what is given beside it wins. ``usage`` holds inclusive totals and
    their parts under the names of the HTTP API (``input_tokens``, ``cache_read_tokens`` …). ``start`` and ``end`` are
    aware datetimes, nanoseconds (int) or seconds (float) since 1970; without an end the call took no time, without a
    start it is now. ``time_to_first_token`` is in seconds. Ids are hex strings or integers; the same ids are the same
    call, so recording it again adds nothing. Without ids it joins the span it is recorded in. ``service``, ``release``
    and ``environment`` are the call's own when it ran in another program. A full queue drops the call and counts it,
    after ``wait`` seconds: give some when loading in bulk. ValueError for an id, time or usage that cannot be.
    """
    recorder, pipeline = runtime.state.recorder, runtime.state.pipeline
    if recorder is None:
        runtime.say_unconfigured()
        return runtime.nowhere()
    operation = semconv.OPERATION_OF_KIND.get(kind, kind)
    title = name or " ".join(filter(None, (operation or kind, model or response_model or agent or tool)))
    span = recorder.begin(_step(title, kind, provider, model))
    _place(span, trace_id, span_id, parent_span_id)
    _time(span, start, end)
    whose = attributed(
        team=team,
        feature=feature,
        customer=customer,
        user=user,
        session=session,
        prompt_version=prompt_version,
        tags=tags,
    )
    if whose is not None:
        span.attribution = span.attribution.overlaid(whose)
    _result(span, response, response_model, response_id, finish_reasons, service_tier, operation)
    span.usage = _counts(usage)
    span.streaming, span.timing = streaming, time_to_first_token
    if error is not None:
        span.error = error if isinstance(error, str) else error_name(error)
    named = ((semconv.AGENT, agent), (semconv.TOOL, tool), (semconv.USAGE_SOURCE, usage_source))
    marks = {**(attributes or {}), **{key: value for key, value in named if value and value != "reported"}}
    span.marks = marks or None
    if service or release or environment:
        span.resource = _resource(pipeline.resource if pipeline else (), service, release, environment)
    until = monotonic() + wait
    while pipeline is not None and not pipeline.room() and monotonic() < until:
        pipeline.wake()
        sleep(0.002)
    recorder.deliver(span)
    return span


@lru_cache(maxsize=1_024)
def _step(name: str, kind: str, provider: str | None, model: str | None) -> Step:
    return Step(name, kind=kind, provider=provider, model=model)


@lru_cache(maxsize=256)
def _resource(
    own: tuple[tuple[str, str], ...], service: str | None, release: str | None, environment: str | None
) -> bytes:
    from outlay.encoding import resource_bytes

    given = {
        semconv.SERVICE_NAME: service,
        semconv.SERVICE_VERSION: release,
        semconv.ENVIRONMENT: environment,
    }
    # Another service's call does not have this service's release; what it does have may be given.
    kept = {key: value for key, value in own if not (service and key == semconv.SERVICE_VERSION)}
    return resource_bytes({**kept, **{key: value for key, value in given.items() if value}}.items())


def _place(span: Span, trace: int | str | None, own: int | str | None, parent: int | str | None) -> None:
    if trace is not None:
        trace_id = _id("trace_id", trace, 128)
        if trace_id != span.trace:  # another trace: where we happen to be has nothing to do with it
            span.trace, span.parent, span.up = trace_id, 0, None
    if own is not None:
        span.id = _id("span_id", own, 64)
    if parent is not None:
        span.parent = _id("parent_span_id", parent, 64)


def _id(name: str, given: int | str, bits: int) -> int:
    value = int(given, 16) if isinstance(given, str) else given
    if not 0 < value < 2**bits:
        raise ValueError(f"{name} is {bits // 4} hex digits or an integer of {bits} bits, not 0: {given!r}")
    return value


def _time(span: Span, start: Instant | None, end: Instant | None) -> None:
    if start is not None:
        span.start_ns = _nanoseconds("start", start)
    span.end_ns = span.start_ns if end is None else _nanoseconds("end", end)
    if span.end_ns < span.start_ns:
        raise ValueError(f"end is before start: {end!r} < {start!r}")


def _nanoseconds(name: str, given: Instant) -> int:
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise ValueError(f"{name} must be an aware datetime: {given!r}")
        # Integer arithmetic: a float of seconds would lose the last digits.
        return (given - _EPOCH) // timedelta(microseconds=1) * 1_000
    value = given if isinstance(given, int) else round(given * 1e9)
    if not 0 < value < 2**63:
        raise ValueError(f"{name} is not a time after 1970 in nanoseconds (int) or seconds (float): {given!r}")
    if isinstance(given, int) and given < 10**17:  # before 1973: surely seconds, given as an int
        raise ValueError(f"{name} as an int is nanoseconds since 1970; {given!r} looks like seconds: give a float")
    return value


def _result(
    span: Span,
    response: object,
    model: str | None,
    response_id: str | None,
    finish_reasons: Sequence[str],
    service_tier: str | None,
    operation: str | None,
) -> None:
    reading = None if response is None else usage.capture(response)
    if reading is None:
        told = model or response_id or finish_reasons or service_tier
        if told and not span.step.is_never_a_call:
            span.reading = usage.Reading(
                "", operation or "", None, model, response_id, tuple(finish_reasons), service_tier
            )
        return
    span.reading = reading._replace(
        model=model or reading.model,
        response_id=response_id or reading.response_id,
        finish_reasons=tuple(finish_reasons) or reading.finish_reasons,
        service_tier=service_tier or reading.service_tier,
    )


def _counts(given: Mapping[str, int] | None) -> usage.Counts | None:
    if given is None:
        return None
    try:
        found = {_USAGE[key]: int(value) for key, value in given.items() if value is not None}  # type: ignore[redundant-expr]
    except KeyError as error:
        raise ValueError(f"usage has no {error.args[0]!r}; it has {', '.join(_USAGE)}") from None
    return usage.Counts(**found)
