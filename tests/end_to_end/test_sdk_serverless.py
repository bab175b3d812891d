"""``outlay.flushing``: when a serverless function answers, its calls are with the collector."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import outlay
import pytest

from tests.end_to_end.otlp_sink import Answer, OtlpSink


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    """A collector; the background sender would wait for a minute before it sends by itself."""
    with OtlpSink() as sink:
        outlay.configure(endpoint=sink.url, api_key="k", service="function", interval=60)
        yield sink
        outlay.shutdown(0.1)


@outlay.observe
def answer(question: str) -> str:
    return question.upper()


def test_at_the_end_of_the_block_the_calls_have_arrived(sink: OtlpSink) -> None:
    with outlay.flushing():
        answer("a")
        assert sink.spans == []
    assert [span.name for span in sink.spans] == ["answer"]


def test_a_decorated_handler_answers_after_its_calls_have_arrived(sink: OtlpSink) -> None:
    @outlay.flushing()
    def handler(event: dict[str, str], context: object) -> str:
        return answer(event["question"])

    assert handler({"question": "why"}, None) == "WHY"
    assert len(sink.spans) == 1
    assert handler.__name__ == "handler"


def test_a_coroutine_answers_after_its_calls_have_arrived_and_the_loop_goes_on(sink: OtlpSink) -> None:
    @outlay.flushing()
    async def handler(question: str) -> str:
        return answer(question)

    def slowly() -> Answer:
        time.sleep(0.3)
        return Answer()

    async def main() -> int:
        sink.answer = slowly
        turns = 0
        waiting = asyncio.ensure_future(handler("why"))
        while not waiting.done():
            turns += 1
            await asyncio.sleep(0.01)
        assert waiting.result() == "WHY"
        return turns

    assert asyncio.run(main()) > 2
    assert len(sink.spans) == 1


def test_an_error_goes_on_its_way_after_the_flush(sink: OtlpSink) -> None:
    @outlay.flushing()
    def handler() -> None:
        answer("a")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        handler()
    assert len(sink.spans) == 1


def test_without_a_collector_it_gives_up_in_time_and_raises_nothing(sink: OtlpSink) -> None:
    sink.answer = lambda: Answer(503)
    with outlay.flushing(timeout=0.2):
        answer("a")
    assert outlay.stats().queued + outlay.stats().retries > 0


def test_unconfigured_it_does_nothing() -> None:
    outlay.shutdown(0.1)
    with outlay.flushing():
        answer("a")
