"""The one configured instance of this process, and what acts on it: configure, flush, stats, shutdown, current."""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING, cast

from outlay import attribution, streams, usage
from outlay.attribution import NOBODY, Scope, enter, here, leave
from outlay.recorder import Recorder
from outlay.safety import internal_error, notice
from outlay.spans import Span, Step
from outlay.threads import carry_into_executors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import ParamSpec, TypeVar

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import TracerProvider

    from outlay.budget import Decision, Guard
    from outlay.pipeline import Pipeline, Stats

    P = ParamSpec("P")
    R = TypeVar("R")


class State:
    """What ``configure`` sets up. ``recorder`` None: calls pass straight through."""

    recorder: Recorder | None = None
    pipeline: Pipeline | None = None
    provider: TracerProvider | None = None  # the one we joined
    guard: Guard | None = None
    disabled = False
    exit_timeout = 1.0
    hooked = False  # exit and fork handlers are in place


state = State()


def configure(
    *,
    endpoint: str | None = None,
    api_key: str | None = None,
    service: str | None = None,
    release: str | None = None,
    environment: str | None = None,
    headers: Mapping[str, str] | None = None,
    resource: Mapping[str, str] | None = None,
    content: str | None = None,
    queue_size: int | None = None,
    queue_bytes: int | None = None,
    batch_size: int | None = None,
    interval: float | None = None,
    timeout: float | None = None,
    exit_timeout: float | None = None,
    compression: str | None = None,
    evidence: bool | None = None,
    tokenizer: str | None = None,
    spool: str | os.PathLike[str] | None = None,
    spool_bytes: int | None = None,
    tracer_provider: TracerProvider | None = None,
    threads: bool | None = None,
) -> None:
    """Start recording. An argument beats ``OUTLAY_*``, that beats ``OTEL_*``, that beats the default.

    ``endpoint`` is the collector's base URL (default http://127.0.0.1:4318), ``service``, ``release`` and
    ``environment`` say what runs, ``content`` is ``none``, ``masked`` or ``full``. The rest bounds what the SDK may
    take: see ``outlay.configuration.Configuration`` for each setting's unit and default. Calling it again replaces the
    configuration after sending what is queued.

    ``tracer_provider`` makes every span one of that OpenTelemetry provider, which then exports it; without it ours stay
    apart from whatever providers the program has. ``threads`` False leaves ``ThreadPoolExecutor`` as it is: by default
    what is submitted to one stays in the trace and the context it is submitted in (``OUTLAY_THREADS=0``).

    InvalidConfiguration (a ValueError) names a setting that cannot work.
    ``OUTLAY_DISABLED=1`` turns everything off, whatever is given here.
    """
    from outlay import configuration

    state.disabled = configuration.is_disabled(os.environ)
    if state.disabled:
        notice("outlay: disabled by the environment (OUTLAY_DISABLED); nothing is recorded.")
        shutdown()
        return
    settings = configuration.resolve(
        os.environ,
        endpoint=endpoint,
        api_key=api_key,
        service=service,
        release=release,
        environment=environment,
        headers=headers,
        resource=resource,
        content=content,
        queue_size=queue_size,
        queue_bytes=queue_bytes,
        batch_size=batch_size,
        interval=interval,
        timeout=timeout,
        exit_timeout=exit_timeout,
        compression=compression,
        evidence=evidence,
        tokenizer=tokenizer,
        spool=spool,
        spool_bytes=spool_bytes,
    )
    from outlay import estimating
    from outlay.budget import Guard
    from outlay.pipeline import Pipeline
    from outlay.transport import Transport

    estimating.exact = None
    if settings.tokenizer == "tiktoken":
        from outlay import vocabulary

        estimating.exact = vocabulary.load(os.environ)
    if threads if threads is not None else configuration.truth(os.environ.get("OUTLAY_THREADS", "1")):
        carry_into_executors()
    state.guard = Guard(settings)
    start(Pipeline(settings, Transport(settings)), settings.exit_timeout, tracer_provider)


def start(pipeline: Pipeline, exit_timeout: float, provider: TracerProvider | None = None) -> None:
    """Record into ``pipeline`` from now on (or into ``provider``), in place of what was before, which is sent."""
    before = state.pipeline
    state.pipeline = pipeline
    state.provider = provider
    attribution.joining = None
    if provider is None:
        state.recorder = Recorder(pipeline.add, pipeline.telling)
    else:
        from outlay.joined import JoinedRecorder

        state.recorder = JoinedRecorder(provider, pipeline.telling)
    state.exit_timeout = exit_timeout
    if before is not None:
        before.shutdown(exit_timeout)
    if not state.hooked:
        state.hooked = True
        atexit.register(_at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork_in_child)


def shutdown(timeout: float | None = None) -> bool:
    """Send what is queued, taking at most ``timeout`` seconds (default: the configuration's), and stop recording.

    True if everything was delivered. Observed functions keep working, unrecorded.
    """
    pipeline, state.pipeline, state.recorder, state.provider = state.pipeline, None, None, None
    attribution.joining = state.guard = None
    return pipeline.shutdown(state.exit_timeout if timeout is None else timeout) if pipeline is not None else True


def flush(timeout: float = 5.0) -> bool:
    """Send what is queued now, trying for at most ``timeout`` seconds. True if all of it is with the collector.

    For the end of a serverless call or a test; long-running programs need it never. It blocks: under asyncio use
    ``await asyncio.to_thread(outlay.flush)``.
    """
    pipeline = state.pipeline
    if pipeline is None:
        return True
    try:
        own = pipeline.flush(timeout)
        force_flush = getattr(state.provider, "force_flush", None)
        return own if force_flush is None else bool(force_flush(round(timeout * 1_000))) and own
    except Exception as error:  # noqa: BLE001
        internal_error("flushing", error)
        return False


def stats() -> Stats:
    """What became of this process's spans: delivered, queued, dropped, refused, retried, spooled, replayed."""
    from outlay.pipeline import Stats

    return state.pipeline.stats() if state.pipeline is not None else Stats()


def current() -> Span:
    """The span of the observed call we are in. Outside of any, one that goes nowhere, so that no caller has to ask."""
    place = here.get()
    span = place.span if isinstance(place, Scope) else place
    return span if span is not None else nowhere()


def nowhere() -> Span:
    """A span nobody records."""
    return Span(Step("nowhere"), 0, 0, 0, NOBODY)


def told(span: Span, response: R) -> R:
    """A response the user shows us: this span's own, or that of a span within it. See ``Span.response``."""
    recorder = state.recorder
    if recorder is None or not span.id:
        return response
    try:
        reading = usage.capture(response)
        if reading is not None and span.reading is None:
            recorder.read(span, reading)
            return response
        watch = streams.watcher_of(type(response))
        if reading is None and watch is None:
            return response
        token = enter(span)
        child = recorder.begin(Step((reading and reading.model) or "stream", kind="chat"))
        leave(token)
        return cast("R", recorder.settle(child, response))
    except Exception as error:  # noqa: BLE001
        internal_error("reading a response", error)
        return response


def deliver_foreign(span: ReadableSpan) -> None:
    """Send a span that another library's instrumentor has made."""
    pipeline = state.pipeline
    if pipeline is not None:
        pipeline.add(span)


def knows_budget(budget: str) -> bool:
    """Whether an answer is at hand, so that asking would not wait."""
    return state.guard is None or state.guard.knows(budget)


def ask_budget(budget: str) -> Decision | None:
    """What the collector thinks of a call on ``budget``; None when nothing is configured to ask it."""
    return state.guard.decide(budget) if state.guard is not None else None


def affordable(budget: str, fn: Callable[P, R], fallback: Callable[P, R] | None) -> Callable[P, R]:
    """The function to call: ``fn`` while the budget lasts, else ``fallback``. BudgetExceeded if that is None."""
    decision = ask_budget(budget)
    if decision is None or decision.verdict == "allow":
        return fn
    span = current()
    span.set("outlay.budget", budget)
    if decision.verdict == "warn":
        span.set("outlay.budget.decision", "warn")
        notice(f"outlay: budget {budget} is nearly spent ({decision.spent} of {decision.amount}).")
        return fn
    span.set("outlay.budget.decision", "block" if fallback is None else "fallback")
    if fallback is not None:
        return fallback
    from outlay.budget import BudgetExceeded

    raise BudgetExceeded(budget, decision)


def say_unconfigured() -> None:
    """Once: why nothing is recorded."""
    if not state.disabled:
        notice("outlay: not configured, so observed calls pass through unrecorded. Call outlay.configure() at start.")


def _at_exit() -> None:
    shutdown()


def _after_fork_in_child() -> None:
    if state.recorder is not None:
        state.recorder.reseed()
    if state.pipeline is not None:
        state.pipeline.after_fork_in_child()
    if state.guard is not None:
        state.guard.after_fork_in_child()
