"""``score``: what a person or an evaluation thinks of a call, made now or earlier."""

from __future__ import annotations

from math import isfinite
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple

from outlay import otlp, runtime, semconv
from outlay.attribution import Attribution, Scope, attribution_here, here

if TYPE_CHECKING:
    from outlay.otlp import Pair
    from outlay.spans import Span


class Score(NamedTuple):
    """One opinion, as it waits to be sent: OpenTelemetry's event ``gen_ai.evaluation.result``."""

    time_ns: int
    trace: int  # 0: known by the response alone
    id: int
    pairs: list[Pair]
    attribution: Attribution

    def encode(self) -> bytes:
        """The OTLP log record."""
        return otlp.log_record(
            time_ns=self.time_ns,
            event=semconv.EVALUATION,
            attributes=[*self.pairs, *self.attribution.values.items()],
            trace_id=self.trace,
            span_id=self.id,
        )


def score(
    name: str,
    value: float | bool | None = None,
    *,
    label: str | None = None,
    explanation: str | None = None,
    span: Span | None = None,
    trace_id: str | int | None = None,
    span_id: str | int | None = None,
    response_id: str | None = None,
) -> None:
    """Attach a score to a call: user feedback, faithfulness, answer relevancy, any metric.

    ``value`` is a finite number (True counts as 1, False as 0), ``label`` a word such as ``pass``; give either or both.
    The call is ``span`` (what ``record`` and ``current()`` return), or ``trace_id`` and ``span_id`` in hex as stored with
    the answer, or the provider's ``response_id``; without any, the call we are in. ``explanation`` may hold what was
    said, so it is sent only if content is. ValueError if there is nothing to say or nothing to say it of.
    """
    if value is None and label is None:
        raise ValueError("a score needs a value or a label")
    if value is not None and not isfinite(value):
        raise ValueError(f"a score's value is a finite number, not {value!r}")
    place = here.get()
    current = place.span if isinstance(place, Scope) else place
    trace, own = _ids(span, trace_id, span_id)
    if not trace and not response_id:
        if current is None:
            raise ValueError("nothing to score here: give span=, trace_id= and span_id=, or response_id=")
        trace, own = current.trace, current.id
    pipeline = runtime.state.pipeline
    if pipeline is None:
        runtime.say_unconfigured()
        return
    given: list[tuple[str, str | float | None]] = [
        (semconv.EVALUATION_NAME, name),
        (semconv.EVALUATION_VALUE, float(value) if value is not None else None),
        (semconv.EVALUATION_LABEL, label),
        (semconv.EVALUATION_EXPLANATION, explanation if pipeline.content != "none" else None),
        (semconv.RESPONSE_ID, response_id),
    ]
    pairs: list[Pair] = [(key, item) for key, item in given if item is not None]
    pipeline.add(Score(time_ns(), trace, own, pairs, attribution_here()))


def _ids(span: Span | None, trace_id: str | int | None, span_id: str | int | None) -> tuple[int, int]:
    if span is not None:
        return span.trace, span.id
    if trace_id is None:
        return 0, 0
    trace = int(trace_id, 16) if isinstance(trace_id, str) else trace_id
    own = int(span_id, 16) if isinstance(span_id, str) else span_id or 0
    if not 0 < trace < 2**128 or not 0 <= own < 2**64:
        raise ValueError(f"no such call: trace_id={trace_id!r}, span_id={span_id!r}")
    return trace, own
