"""Spans and scores → the bytes of export requests, spans grouped by resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlay import otlp, semconv
from outlay.scores import Score
from outlay.spans import Span, is_call
from outlay.spool import Frame
from outlay.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.sdk.trace import ReadableSpan

    from outlay.telling import Telling

    Item = Span | Score | ReadableSpan  # what a pipeline takes

_SDK = (
    ("telemetry.sdk.name", "outlay"),
    ("telemetry.sdk.language", "python"),
    ("telemetry.sdk.version", __version__),
)

_FOREIGN_SIZE = 1_024  # bytes a span of another library is reckoned with until it is encoded


class Encoder:
    """Collects encoded spans and scores until they are taken as requests."""

    def __init__(self, resource: Iterable[tuple[str, str]], telling: Telling) -> None:
        self._telling = telling
        self._own = resource_bytes(resource)
        self._scope = otlp.scope(semconv.SCOPE, __version__)
        self._groups: dict[bytes, list[bytes]] = {}
        self._foreign: list[ReadableSpan] = []
        self._scores: list[bytes] = []

    def add(self, item: Item) -> int:
        """Encode one item; its size in bytes."""
        if isinstance(item, Span):
            encoded = encode(item, self._telling)
            self._groups.setdefault(item.resource or self._own, []).append(encoded)
            return len(encoded)
        if isinstance(item, Score):
            encoded = item.encode()
            self._scores.append(encoded)
            return len(encoded)
        self._foreign.append(item)
        return _FOREIGN_SIZE

    def take(self) -> list[Frame]:
        """The requests with all that was added since the last time: one of spans, one of scores, or neither."""
        groups, foreign, scores = self._groups, self._foreign, self._scores
        self._groups, self._foreign, self._scores = {}, [], []
        frames: list[Frame] = []
        if groups or foreign:
            own = otlp.request([(resource, self._scope, spans) for resource, spans in groups.items()])
            # Two requests in a row are one request with the blocks of both: so protobuf merges.
            body = own + _encode_foreign(foreign) if foreign else own
            frames.append(Frame("traces", sum(map(len, groups.values())) + len(foreign), body))
        if scores:
            frames.append(Frame("logs", len(scores), otlp.request([(self._own, self._scope, scores)])))
        return frames


def _encode_foreign(spans: list[ReadableSpan]) -> bytes:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    return encode_spans(spans).SerializeToString()


def resource_bytes(pairs: Iterable[tuple[str, str]]) -> bytes:
    """A resource with what every resource of ours says."""
    return otlp.resource([*pairs, *_SDK])


def encode(span: Span, telling: Telling) -> bytes:
    """One span as a field of ``ScopeSpans``."""
    whom = span.attribution.encoded
    if whom is None:
        whom = span.attribution.encoded = otlp.attributes(span.attribution.values.items())
    return otlp.span(
        trace_id=span.trace,
        span_id=span.id,
        parent_id=span.parent,
        name=span.step.name,
        kind=otlp.CLIENT if is_call(span) else otlp.INTERNAL,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        attributes=otlp.attributes(telling.pairs(span)) + whom,
        failed=span.error is not None,
    )
