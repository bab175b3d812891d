"""For tests of programs that use Outlay: what would have been sent, in memory, with ids 1, 2, 3 and a ticking clock.

from outlay.testing import capture

def test_answers_are_observed():
    with capture() as calls:
        answer("Where is my invoice?")
    assert calls.only().attributes["outlay.team"] == "support"
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from outlay import recorder, runtime, spans
from outlay.attribution import here
from outlay.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Generator

    from outlay.otlp import Value
    from outlay.spans import Span

START_NS = 1_800_000_000 * 10**9  # 2027-01-15T08:00:00Z: when the ticking clock starts
SECOND_NS = 10**9


class Call(NamedTuple):
    """One observed call as it would have been sent. Ids are hex, times nanoseconds since 1970."""

    name: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    start_ns: int
    end_ns: int
    is_call: bool  # a request to a model, as opposed to an ordinary step of the trace
    error: str | None
    attributes: dict[str, Value]


class Calls(list[Call]):
    """The calls, in the order they ended."""

    def only(self) -> Call:
        """The one call there is; AssertionError if there are none or more."""
        assert len(self) == 1, f"expected one call, got {[call.name for call in self]}"
        return self[0]

    def named(self, name: str) -> Call:
        """The one call of this name."""
        found = [call for call in self if call.name == name]
        assert len(found) == 1, f"expected one call named {name}, got {[call.name for call in self]}"
        return found[0]


@contextmanager
def capture(*, deterministic: bool = True, content: str = "none", evidence: bool = False) -> Generator[Calls]:
    """Record into memory inside the block, whatever is configured outside, and send nothing.

    ``content`` and ``evidence`` are as in ``outlay.configure``.

    ``deterministic``: trace and span ids count from 1 together, and every look at the clock finds it a second later.
    """
    calls = Calls()
    telling = Telling(content, b"salt" if evidence else None)
    own = recorder.Recorder(lambda span: calls.append(_call(span, telling)), telling)
    before = runtime.state.recorder, runtime.state.pipeline
    token = here.set(None)
    clocks = spans.wall_ns, spans.clock_ns
    if deterministic:
        numbers, ticks = count(1), count(START_NS, SECOND_NS)
        own.use_ids(lambda bits: next(numbers))
        spans.wall_ns = spans.clock_ns = lambda: next(ticks)
    runtime.state.recorder, runtime.state.pipeline = own, None
    try:
        yield calls
    finally:
        spans.wall_ns, spans.clock_ns = clocks
        runtime.state.recorder, runtime.state.pipeline = before
        here.reset(token)


def _call(span: Span, telling: Telling) -> Call:
    return Call(
        name=span.step.name,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=f"{span.parent:016x}" if span.parent else None,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        is_call=spans.is_call(span),
        error=span.error,
        attributes={**span.attribution.values, **dict(telling.pairs(span))},
    )
