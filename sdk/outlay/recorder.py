"""A call becomes a span: where it begins, what its result tells, how it ends. Runs in the caller, so it does little."""

from __future__ import annotations

import os
import sys
from _random import (
    Random,
)  # the C generator alone: the ``random`` module costs as much to import as all of this package
from typing import TYPE_CHECKING, cast
from weakref import ref

from outlay import streams, usage
from outlay.attribution import NOBODY, Scope, here
from outlay.hearing import dumped, listen
from outlay.safety import internal_error
from outlay.spans import Span, Step, error_name, provider_of_error, request_of
from outlay.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    class SpanContext(Protocol):
        """OpenTelemetry's span context, as far as we read it."""

        trace_id: int
        span_id: int

    class OtherSpan(Protocol):
        """OpenTelemetry's span, as far as we use it."""

        def get_span_context(self) -> SpanContext: ...


_PLAIN = frozenset({type(None), str, int, float, bool, bytes, list, tuple, set})
_NOTHING_MORE = Telling()
_MAX_CLAIMS = 4_096  # responses remembered per trace; a trace that never ends must not grow for ever


class Recorder:
    """Makes spans and hands the ended ones to ``deliver``."""

    def __init__(self, deliver: Callable[[Span], None], telling: Telling = _NOTHING_MORE) -> None:
        self.deliver = deliver
        self._telling = telling
        self._listens = telling.listens
        self._bits: Callable[[int], int]
        self.reseed()

    def reseed(self) -> None:
        """New random ids, also after a fork. Own generator: the user's ``random.seed(42)`` must not repeat our ids,
        nor our ids disturb the user's numbers."""
        self._bits = Random(int.from_bytes(os.urandom(32), "big")).getrandbits

    def use_ids(self, bits: Callable[[int], int]) -> None:
        """Take ids from ``bits``, given how many are wanted. For tests."""
        self._bits = bits

    def begin(self, step: Step) -> Span:
        """A span that starts now, inside the span that is active here: ours, or OpenTelemetry's if it is nearer."""
        place = here.get()
        attribution = NOBODY if place is None else place.attribution
        up = place.span if isinstance(place, Scope) else place
        if step.attribution is not None:
            attribution = attribution.overlaid(step.attribution)
        outer = active_otel_span() if "opentelemetry.trace" in sys.modules else None
        if outer is not None and (up is None or up.outer is not outer):
            context = outer.get_span_context()
            span = Span(step, context.trace_id, self._bits(64) or 1, context.span_id, attribution)
        elif up is not None:
            span = Span(step, up.trace, self._bits(64) or 1, up.id, attribution)
        else:
            span = Span(step, self._bits(128) or 1, self._bits(64) or 1, 0, attribution)
        span.outer = outer
        if up is not None:
            span.up = up
            up.has_children = True
            span.claims = up.claims
        return span

    def finish(self, span: Span, result: object, args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
        """End the span by what the function returned; gives back what the caller shall get.

        That is the very same object, except that a generator comes back inside one that watches it.
        """
        try:
            self.hear(span, args, kwargs)
        except Exception as error:  # noqa: BLE001 (the user's result must come through whatever we do wrong)
            internal_error("reading the arguments of an observed function", error)
        return self.settle(span, result)

    def hear(self, span: Span, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
        """Take what the call was given: its settings, and where that is of use, what was said."""
        step = span.step
        span.request = request_of(step, args, kwargs)
        if self._listens or step.capture:
            wants = self._telling.mode(step.capture) != "none"
            if wants or not step.is_never_a_call:
                span.content = listen(step, args, kwargs, arguments=wants)

    def settle(self, span: Span, result: object) -> object:
        """``finish``, the request being known."""
        try:
            kind = type(result)
            if kind not in _PLAIN:
                watch = streams.watcher_of(kind)
                if watch is not None:
                    return watch(result, streams.Watch(self, span))
                self.read(span, usage.capture(result))
            if span.content is not None and span.content.arguments and span.reading is None:
                span.content = span.content._replace(result=dumped(result))
            self.end(span)
        except Exception as error:  # noqa: BLE001
            internal_error("reading what an observed function returned", error)
        return result

    def fail(self, span: Span, error: BaseException, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
        """End the span by the exception that is about to go on its way."""
        try:
            self.hear(span, args, kwargs)
        except Exception as mistake:  # noqa: BLE001
            internal_error("reading the arguments of an observed function", mistake)
        self.abort(span, error)

    def abort(self, span: Span, error: BaseException) -> None:
        """``fail``, the request being known."""
        try:
            self.note_error(span, error)
            self.end(span)
        except Exception as mistake:  # noqa: BLE001
            internal_error("noting the error of an observed function", mistake)

    def note_error(self, span: Span, error: BaseException) -> None:
        """Keep what kind of error it was. The innermost span it passes is the failed call; the others only saw it."""
        span.error = error_name(error)
        provider = provider_of_error(error)
        if provider is None:
            return
        earlier = span.claims.get(id(error))
        if earlier is not None and cast("ref[BaseException]", earlier)() is error:
            span.encloses_call = True
            return
        span.failed_call = provider
        self._claim(span, id(error), ref(error))

    def read(self, span: Span, reading: usage.Reading | None) -> None:
        """Make a response this span's own, unless another span of the trace has told of it already."""
        if reading is None or span.step.is_never_a_call:
            return
        key = reading.response_id or id(reading.usage)
        if key in span.claims:
            span.encloses_call = True
            return
        # The usage object is kept with its id, which Python would give to another object otherwise.
        self._claim(span, key, None if reading.response_id else reading.usage)
        span.reading = reading

    def end(self, span: Span, clock: int | None = None) -> None:
        """Close it and send it on its way."""
        span.end(clock)
        self.deliver(span)

    def _claim(self, span: Span, key: object, value: object) -> None:
        if len(span.claims) >= _MAX_CLAIMS:
            span.claims.clear()
        span.claims[key] = value
        up = span.up
        while up is not None and not up.encloses_call:
            up.encloses_call = True
            up = up.up


def active_otel_span() -> OtherSpan | None:
    """OpenTelemetry's active span, if the program uses OpenTelemetry and one is active; asked without importing it."""
    trace = sys.modules.get("opentelemetry.trace")
    current = getattr(trace, "get_current_span", None)  # None while another thread is still importing it
    if current is None:
        return None
    span = current()
    context = span.get_span_context()
    return cast("OtherSpan", span) if context.trace_id and context.span_id else None
