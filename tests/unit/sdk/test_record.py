"""``record``: a call made elsewhere, or known only later."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import outlay
import pytest
from outlay.testing import Calls, capture

START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone.utc)


def test_whole_call(calls: Calls) -> None:
    span = outlay.record(
        name="answer",
        provider="openai",
        model="gpt-4o",
        response_model="gpt-4o-2024-08-06",
        response_id="r1",
        finish_reasons=["stop"],
        start=START,
        end=START + timedelta(seconds=2),
        usage={"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 60, "reasoning_tokens": 5},
        streaming=True,
        time_to_first_token=0.25,
        service_tier="batch",
        trace_id="ab" * 16,
        span_id=17,
        parent_span_id="0f",
        team="search",
        user="u1",
        agent="helper",
        tags={"region": "eu"},
        attributes={"app.shard": 3},
    )
    call = calls.only()
    assert (span.trace_id, span.span_id) == (call.trace_id, call.span_id) == ("ab" * 16, f"{17:016x}")
    assert call.parent_span_id == f"{15:016x}"
    assert (call.start_ns, call.end_ns) == (1772366400123456000, 1772366402123456000)
    assert call.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.stream": True,
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": "r1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "outlay.service_tier": "batch",
        "outlay.team": "search",
        "user.id": "u1",
        "outlay.tag.region": "eu",
        "gen_ai.agent.name": "helper",
        "app.shard": 3,
    }


def test_name_is_made_from_operation_and_model(calls: Calls) -> None:
    outlay.record(kind="embeddings", model="text-embedding-3-small", usage={"input_tokens": 3})
    assert calls.only().name == "embeddings text-embedding-3-small"


def test_usage_not_given_is_missing_and_not_zero(calls: Calls) -> None:
    outlay.record(model="gpt-4o")
    assert calls.only().attributes["outlay.usage_source"] == "missing"
    assert "gen_ai.usage.input_tokens" not in calls.only().attributes


def test_failed_call_has_its_error_and_no_usage(calls: Calls) -> None:
    outlay.record(model="gpt-4o", provider="openai", error=TimeoutError("secret"))
    attributes = calls.only().attributes
    assert attributes["error.type"] == "TimeoutError"
    assert "outlay.usage_source" not in attributes


def test_response_is_read_as_the_decorator_reads_it_and_what_is_given_wins(calls: Calls) -> None:
    response: Any = {
        "id": "r9",
        "object": "chat.completion",
        "model": "m-2",
        "choices": [],
        "usage": {"prompt_tokens": 4, "completion_tokens": 2},
    }
    outlay.record(model="m", response=response, service_tier="batch")
    attributes = calls.only().attributes
    assert attributes["gen_ai.response.id"] == "r9"
    assert attributes["gen_ai.usage.input_tokens"] == 4
    assert attributes["outlay.service_tier"] == "batch"
    assert attributes["gen_ai.provider.name"] == "openai"


def test_joins_the_span_it_is_recorded_in(calls: Calls) -> None:
    with outlay.observe(name="outer"), outlay.context(user="u1"):
        outlay.record(name="inner", model="m", usage={"input_tokens": 1})
    assert calls.named("inner").parent_span_id == calls.named("outer").span_id
    assert calls.named("inner").attributes["user.id"] == "u1"


def test_call_of_another_trace_has_no_parent_here(calls: Calls) -> None:
    with outlay.observe(name="outer"):
        outlay.record(name="inner", model="m", trace_id=99)
    assert calls.named("inner").parent_span_id is None


@pytest.mark.parametrize("start", [START, 1772366400_123456000, 1772366400.123456])
def test_time_as_datetime_nanoseconds_or_seconds(calls: Calls, start: Any) -> None:
    outlay.record(model="m", start=start)
    assert abs(calls.only().start_ns - 1772366400_123456000) < 1_000  # a float of seconds has no more digits
    assert calls.only().end_ns == calls.only().start_ns


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trace_id": "xyz"}, "invalid literal"),
        ({"trace_id": 0}, "not 0"),
        ({"span_id": 2**64}, "64 bits"),
        ({"start": datetime(2026, 1, 1)}, "aware"),  # noqa: DTZ001
        ({"start": 1772366400}, "give a float"),
        ({"start": START, "end": START - timedelta(seconds=1)}, "end is before start"),
        ({"usage": {"tokens": 3}}, "usage has no 'tokens'"),
    ],
)
def test_what_cannot_be_is_refused(calls: Calls, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        outlay.record(model="m", **arguments)


def test_ids_in_memory_capture_are_small_numbers() -> None:
    with capture() as calls:
        outlay.record(model="m")
    assert int(calls.only().span_id, 16) == 2
