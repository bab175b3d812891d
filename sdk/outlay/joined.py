"""Inside somebody else's TracerProvider: our spans are that provider's, started and ended by its tracer.

For programs that already export with OpenTelemetry and want one tree: what other instrumentations do inside an observed
call becomes its child, and the provider's own processors and exporters see our spans. The provider decides the ids and
whether a span is sampled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from outlay import attribution, semconv
from outlay.recorder import Recorder
from outlay.safety import notice
from outlay.version import __version__

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import TracerProvider

    from outlay.spans import Span, Step
    from outlay.telling import Telling

_UNSAMPLED = ("AlwaysOnSampler", "ParentBased{root:AlwaysOnSampler")


class JoinedRecorder(Recorder):
    """Records every span as one of ``provider``'s."""

    def __init__(self, provider: TracerProvider, telling: Telling) -> None:
        super().__init__(lambda span: _finish(span, telling), telling)
        from opentelemetry import context, trace

        self._tracer = provider.get_tracer(semconv.SCOPE, __version__)
        self._context, self._trace = context, trace
        _warn_if_sampled(provider)
        attribution.joining = self

    def begin(self, step: Step) -> Span:
        """As the base class; ids and parent are the provider's."""
        span = super().begin(step)
        up = span.up
        inside: Context | None = None
        if up is not None and up.joined is not None and span.outer is up.outer:
            inside = self._trace.set_span_in_context(cast("OtelSpan", up.joined))
        kind = self._trace.SpanKind.CLIENT if step.is_declared_a_call else self._trace.SpanKind.INTERNAL
        joined = self._tracer.start_span(step.name, context=inside, kind=kind, start_time=span.start_ns)
        place = joined.get_span_context()
        span.joined, span.outer = joined, joined
        span.trace, span.id = place.trace_id, place.span_id
        return span

    def enter(self, span: Span) -> object:
        """Make the span OpenTelemetry's active one too."""
        return self._context.attach(self._trace.set_span_in_context(cast("OtelSpan", span.joined)))

    def leave(self, token: object) -> None:
        """Undo ``enter``."""
        self._context.detach(cast("Any", token))


def _finish(span: Span, telling: Telling) -> None:
    from opentelemetry.trace import StatusCode

    joined = cast("OtelSpan", span.joined)
    joined.set_attributes(dict(span.attribution.values))
    joined.set_attributes(dict(telling.pairs(span)))
    if span.error is not None:
        joined.set_status(StatusCode.ERROR)
    joined.end(end_time=span.end_ns)


def _warn_if_sampled(provider: TracerProvider) -> None:
    sampler = getattr(provider, "sampler", None)
    told = sampler.get_description() if sampler is not None else ""
    if told and not told.startswith(_UNSAMPLED):
        notice(
            f"outlay: the TracerProvider given to configure() samples ({told}), so calls will be missing and every total"
            " of cost will be too low. Give Outlay a provider that keeps everything, or none."
        )
