"""A TracerProvider for other people's instrumentors: their spans, in our traces, through our pipeline.

Not the global one, which belongs to the program. A span begun in it is a child of the observed call it is begun in,
carries that call's attribution, and goes without content whatever its instrumentor was told.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from opentelemetry.util._decorator import _agnosticcontextmanager  # pyright: ignore[reportPrivateUsage]

from outlay.attribution import Scope, attribution_here, here

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span as SdkSpan

# Attributes that hold what was said, in every family's spelling: the names, and what names begin with.
_CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
    "input.value",
    "output.value",
    "llm.input_messages",
    "llm.output_messages",
    "llm.prompts",
    "llm.prompt_template",
    "llm.tools",
    "llm.function_call",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "retrieval.documents",
    "reranker.",
    "embedding.embeddings",
    "tool.parameters",
    "message.content",
    "db.query.result",
)


# The background thread needs it, and must not be the one to import it (see outlay.transport).
import_module("opentelemetry.exporter.otlp.proto.common.trace_encoder")


class ForwardingProvider(trace.TracerProvider):
    """Hands ended spans to ``deliver``."""

    def __init__(
        self, deliver: Callable[[ReadableSpan], None], resource: tuple[tuple[str, str], ...], *, content: bool
    ) -> None:
        self._inner = SdkProvider(resource=Resource(dict(resource)), shutdown_on_exit=False)
        self._inner.add_span_processor(_Forwarding(deliver, content=content))

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        """A tracer whose spans are children of the observed call they begin in."""
        return _Tracer(self._inner.get_tracer(*args, **kwargs))


class _Tracer(trace.Tracer):
    def __init__(self, inner: trace.Tracer) -> None:
        self._inner = inner

    def start_span(self, name: str, context: Context | None = None, *args: Any, **kwargs: Any) -> trace.Span:
        return self._inner.start_span(name, _inside(context), *args, **kwargs)

    # Where the span belongs is known when the block is entered, or the decorated function called, and not before.
    @_agnosticcontextmanager
    def start_as_current_span(
        self, name: str, context: Context | None = None, *args: Any, **kwargs: Any
    ) -> Generator[trace.Span]:
        with self._inner.start_as_current_span(name, _inside(context), *args, **kwargs) as span:
            yield span


def _inside(context: Context | None) -> Context | None:
    """The context in which the nearer of our current span and OpenTelemetry's is the parent."""
    place = here.get()
    up = place.span if isinstance(place, Scope) else place
    active = trace.get_current_span(context)
    is_nearer = active.get_span_context().is_valid and (up is None or up.outer is not active)
    if up is None or is_nearer:
        return context
    own = trace.SpanContext(up.trace, up.id, is_remote=False, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))
    return trace.set_span_in_context(trace.NonRecordingSpan(own), context)


class _Forwarding(SpanProcessor):
    def __init__(self, deliver: Callable[[ReadableSpan], None], *, content: bool) -> None:
        self._deliver = deliver
        self._content = content

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        span.set_attributes(dict(attribution_here().values))

    def on_end(self, span: ReadableSpan) -> None:
        self._deliver(span if self._content else without_content(span))


def without_content(span: ReadableSpan) -> ReadableSpan:
    """The span without attributes that hold content, and without events, which mostly do."""
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={key: value for key, value in (span.attributes or {}).items() if not key.startswith(_CONTENT)},
        kind=span.kind,
        status=trace.Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
