"""The queue and its thread: bounds, counts, retries, and what a collector may answer. No network here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from outlay.attribution import NOBODY
from outlay.configuration import Configuration
from outlay.pipeline import Pipeline
from outlay.spans import Span, Step
from outlay.transport import Answer

DELIVERED = Answer("delivered")
UNREACHABLE = Answer("retry", reason="ConnectionRefusedError")


class Collector:
    """Answers as told, remembers what it accepted."""

    def __init__(self, answer: Callable[[], Answer] = lambda: DELIVERED) -> None:
        self.answer = answer
        self.requests: list[int] = []
        self.names: list[str] = []
        self.others: list[tuple[str, bytes]] = []  # requests of other signals than traces
        self.closed = 0

    def send(self, signal: str, body: bytes, timeout: float) -> Answer:
        answer = self.answer()
        if signal != "traces":
            self.others += [(signal, body)] if answer.outcome == "delivered" else []
            return answer
        request = ExportTraceServiceRequest.FromString(body)
        names = [span.name for block in request.resource_spans for span in block.scope_spans[0].spans]
        self.requests.append(len(names))
        if answer.outcome == "delivered":
            self.names += names
        return answer

    def close(self) -> None:
        self.closed += 1

    def after_fork_in_child(self) -> None: ...


Make = Callable[..., Pipeline]


@pytest.fixture
def make() -> Iterator[Make]:
    """A pipeline whose thread stays out of the way unless ``interval`` says otherwise."""
    made: list[Pipeline] = []

    def build(collector: Collector, **settings: Any) -> Pipeline:
        made.append(Pipeline(Configuration(**{"interval": 60.0, **settings}), collector))
        return made[-1]

    yield build
    for pipeline in made:
        pipeline.shutdown(0.5)


def a_span(name: str = "s", number: int = 1) -> Span:
    span = Span(Step(name), 1, number, 0, NOBODY)
    span.end()
    return span


def test_everything_queued_is_delivered_in_order(make: Make) -> None:
    collector = Collector()
    pipeline = make(collector, batch_size=10)
    for number in range(25):
        pipeline.add(a_span(str(number)))
    assert pipeline.flush(5)
    assert collector.names == [str(number) for number in range(25)]
    assert max(collector.requests) <= 10
    assert pipeline.stats().delivered == 25
    assert pipeline.stats().queued == 0


def test_background_thread_sends_without_being_asked(make: Make) -> None:
    collector = Collector()
    pipeline = make(collector, interval=0.02)
    pipeline.add(a_span())
    deadline = time.monotonic() + 5
    while not collector.names and time.monotonic() < deadline:
        time.sleep(0.01)
    assert collector.names == ["s"]


def test_full_queue_drops_and_counts(make: Make) -> None:
    pipeline = make(Collector(), queue_size=10)
    for number in range(25):
        pipeline.add(a_span(str(number)))
    assert pipeline.stats().dropped == 15
    assert pipeline.flush(5)
    assert pipeline.stats().delivered == 10


def test_counts_add_up_at_any_moment(make: Make) -> None:
    pipeline = make(Collector(), interval=0.001, batch_size=50)
    for number in range(5_000):
        pipeline.add(a_span(number=number))
        if number % 10 == 0:
            stats = pipeline.stats()
            assert stats.delivered + stats.queued + stats.dropped == number + 1
    assert pipeline.flush(10)
    assert pipeline.stats().delivered == 5_000


def test_one_bad_span_does_not_stop_the_others(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from outlay import safety

    monkeypatch.setattr(safety, "raise_internal_errors", False)
    collector = Collector()
    pipeline = make(collector)
    broken = a_span("broken")
    broken.trace = -1  # does not fit into bytes
    for span in (a_span("before"), broken, a_span("after")):
        pipeline.add(span)
    assert pipeline.flush(5)
    assert collector.names == ["before", "after"]
    assert pipeline.stats().dropped == 1


def test_unreachable_collector_is_tried_again_and_loses_nothing(make: Make) -> None:
    answers = iter([UNREACHABLE, UNREACHABLE])
    collector = Collector(lambda: next(answers, DELIVERED))
    pipeline = make(collector)
    pipeline.add(a_span())
    assert pipeline.flush(5)
    assert collector.names == ["s"]
    assert pipeline.stats().retries == 2


def test_flush_gives_up_in_time_and_keeps_what_it_could_not_send(make: Make) -> None:
    pipeline = make(Collector(lambda: UNREACHABLE))
    pipeline.add(a_span())
    started = time.monotonic()
    assert not pipeline.flush(0.3)
    assert time.monotonic() - started < 1
    assert pipeline.stats().queued == 1
    assert "ConnectionRefusedError" in pipeline.stats().last_error


def test_background_thread_waits_as_long_as_it_was_told(make: Make) -> None:
    collector = Collector(lambda: Answer("retry", reason="HTTP 503", retry_after=30))
    pipeline = make(collector, interval=0.01)
    pipeline.add(a_span())
    time.sleep(0.3)
    assert len(collector.requests) == 1


def test_shutdown_tries_once_and_says_what_was_lost(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    collector = Collector(lambda: UNREACHABLE)
    pipeline = make(collector)
    pipeline.add(a_span())
    started = time.monotonic()
    assert not pipeline.shutdown(1)
    assert time.monotonic() - started < 0.5
    assert len(collector.requests) == 1
    assert pipeline.stats().dropped == 1
    assert "1 spans were not delivered" in caplog.text


def test_refusal_is_final_and_counted(make: Make) -> None:
    collector = Collector(lambda: Answer("refused", reason="HTTP 401 Unauthorized"))
    pipeline = make(collector)
    pipeline.add(a_span())
    assert pipeline.flush(5)
    assert len(collector.requests) == 1
    assert pipeline.stats().refused == 1
    assert pipeline.stats().last_error == "HTTP 401 Unauthorized"


def test_rejected_spans_of_a_delivered_request_are_counted(make: Make) -> None:
    pipeline = make(Collector(lambda: Answer("delivered", rejected=2, reason="too old")))
    for _ in range(5):
        pipeline.add(a_span())
    assert pipeline.flush(5)
    assert (pipeline.stats().delivered, pipeline.stats().refused) == (3, 2)


def test_threads_add_at_once_and_nothing_is_lost(make: Make) -> None:
    collector = Collector()
    pipeline = make(collector, interval=0.005)

    def work(thread: int) -> None:
        for number in range(500):
            pipeline.add(a_span(f"{thread}.{number}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pipeline.flush(5)
    assert len(set(collector.names)) == len(collector.names) == 4_000


def test_spans_of_several_resources_travel_together(make: Make) -> None:
    from outlay.encoding import resource_bytes

    collector = Collector()
    pipeline = make(collector)
    other = a_span("other")
    other.resource = resource_bytes([("service.name", "other")])
    pipeline.add(a_span("own"))
    pipeline.add(other)
    assert pipeline.flush(5)
    assert collector.requests == [2]
