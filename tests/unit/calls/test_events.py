"""Log events: texts, evaluations and late usage, each for its span."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from outlay_collector.calls.events import DETAILS, EVALUATION, LATE_USAGE, MESSAGE, Event, LogRecord, Score, read_event

from tests.unit.calls.builders import NOON_NS, counts_in
from tests.unit.calls.corpus import CORPUS, truth


def a_record(name: str, attributes: dict[str, Any] | None = None, body: Any = None, **fields: Any) -> LogRecord:
    return LogRecord(NOON_NS, name, body, attributes or {}, b"t" * 16, b"s" * 8, **fields)


def understood(*record: Any, **fields: Any) -> Event:
    event = read_event(a_record(*record, **fields))
    assert event is not None
    return event


def test_an_ordinary_log_is_nothing() -> None:
    assert read_event(a_record("", body="GET / 200")) is None
    assert read_event(a_record("order.created", {"id": 1})) is None


@pytest.mark.parametrize(("name", "role"), [("gen_ai.user.message", "user"), ("gen_ai.choice", "choice")])
def test_a_message_is_content_of_its_span(name: str, role: str) -> None:
    event = understood(name, body={"content": "Hi"})
    assert (event.kind, event.role, event.content) == (MESSAGE, role, {name: {"content": "Hi"}})
    assert (event.trace_id, event.span_id) == (b"t" * 16, b"s" * 8)


def test_the_event_name_may_be_an_attribute() -> None:
    assert understood("", {"event.name": "gen_ai.user.message"}).kind == MESSAGE


def test_an_evaluation_is_a_score() -> None:
    event = understood(
        "gen_ai.evaluation.result",
        {
            "gen_ai.evaluation.name": "faithfulness", "gen_ai.evaluation.score.value": 0.75,
            "gen_ai.evaluation.score.label": "pass", "gen_ai.evaluation.explanation": "Quotes the source.",
            "gen_ai.response.id": "r1",
        },
    )  # fmt: skip
    assert (event.kind, event.response_id) == (EVALUATION, "r1")
    assert event.score == Score("faithfulness", 0.75, "pass", "Quotes the source.")


@pytest.mark.parametrize(("value", "score"), [(-1, -1.0), (True, 1.0), ("0.5", 0.5), (float("nan"), None), ({}, None)])
def test_scores_may_be_negative_or_pass_and_fail(value: Any, score: float | None) -> None:
    event = understood(
        "gen_ai.evaluation.result", {"gen_ai.evaluation.name": "x", "gen_ai.evaluation.score.value": value}
    )
    assert event.score is not None
    assert event.score.value == score


def test_an_evaluation_without_a_name_is_nothing() -> None:
    assert read_event(a_record("gen_ai.evaluation.result", {"gen_ai.evaluation.score.value": 1})) is None


def test_late_usage_is_inclusive_like_on_spans() -> None:
    counts = {"input_tokens": 400, "output_tokens": 40, "cache_read.input_tokens": 1500}
    event = understood("outlay.usage", {f"gen_ai.usage.{name}": count for name, count in counts.items()})
    assert event.kind == LATE_USAGE
    assert event.usage is not None
    assert counts_in(event.usage) == {"input_tokens": 1900, "cache_read_tokens": 1500, "output_tokens": 40}


def test_impossible_late_usage_is_left_out() -> None:
    assert understood("outlay.usage", {"gen_ai.usage.input_tokens": -5}).usage is None


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, kind) if kind else None


def _records(case: str) -> list[LogRecord]:
    request = ExportLogsServiceRequest.FromString((CORPUS / f"{case}.logs.otlp.pb").read_bytes())
    return [
        LogRecord(
            record.time_unix_nano, record.event_name, _value(record.body),
            {pair.key: _value(pair.value) for pair in record.attributes}, record.trace_id or None, record.span_id or None,
            scope_name=scope.scope.name,
        )
        for resource in request.resource_logs for scope in resource.scope_logs for record in scope.log_records
    ]  # fmt: skip


@pytest.mark.parametrize(
    "case",
    sorted(str(path.relative_to(CORPUS)).removesuffix(".logs.otlp.pb") for path in CORPUS.glob("*/*.logs.otlp.pb")),
)
def test_the_corpus_logs_are_understood_and_never_say_more_than_the_ledger(case: str) -> None:
    events = [event for record in _records(case) if (event := read_event(record))]
    assert events
    ledger = {call["response_id"]: call for call in truth(case)["calls"]}
    for event in events:
        assert event.kind in (MESSAGE, DETAILS)
        call = ledger.get(event.response_id)
        if event.usage is not None and call is not None and call["usage_on_wire"] is not None:
            assert (event.usage.input_tokens, event.usage.output_tokens or 0) == (
                call["input_tokens_total"],
                call["output_tokens_total"],
            )
