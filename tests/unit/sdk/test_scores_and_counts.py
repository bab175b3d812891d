"""Scores go as log events, the SDK's own counts as metrics; both are read back by the generated classes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import outlay
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from outlay import runtime
from outlay.configuration import Configuration
from outlay.pipeline import Pipeline
from outlay.transport import Answer

from tests.unit.sdk.test_pipeline import Collector, Make, a_span
from tests.unit.sdk.test_pipeline import make as make  # the fixture


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    runtime.start(Pipeline(Configuration(interval=60), collector), 1)
    yield collector
    outlay.shutdown()


def scores(collector: Collector) -> list[Any]:
    assert outlay.flush()
    return [
        record
        for signal, body in collector.others
        if signal == "logs"
        for block in ExportLogsServiceRequest.FromString(body).resource_logs
        for record in block.scope_logs[0].log_records
    ]


def attributes(record: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in record.attributes}


def test_score_of_the_call_we_are_in(collector: Collector) -> None:
    with outlay.context(user="u1"), outlay.observe(name="answer") as span:
        outlay.score("thumbs", True)
    (record,) = scores(collector)
    assert record.event_name == "gen_ai.evaluation.result"
    assert (record.trace_id.hex(), record.span_id.hex()) == (span.trace_id, span.span_id)
    assert attributes(record) == {
        "gen_ai.evaluation.name": "thumbs",
        "gen_ai.evaluation.score.value": 1.0,
        "user.id": "u1",
    }


def test_score_of_a_call_made_earlier(collector: Collector) -> None:
    outlay.score("faithfulness", 0.5, label="pass", trace_id="ab" * 16, span_id="cd" * 8)
    outlay.score("thumbs", -1, response_id="chatcmpl-1")
    outlay.score("thumbs", 1, span=outlay.record(model="m"))
    by_ids, by_response, by_span = scores(collector)
    assert by_ids.trace_id.hex() == "ab" * 16
    assert attributes(by_ids)["gen_ai.evaluation.score.label"] == "pass"
    assert by_response.trace_id == b""
    assert attributes(by_response)["gen_ai.response.id"] == "chatcmpl-1"
    assert by_span.trace_id


def test_explanation_is_content_and_stays_here_unless_content_is_sent(collector: Collector) -> None:
    outlay.score("judge", 1, explanation="it says a secret", response_id="r")
    (record,) = scores(collector)
    assert "gen_ai.evaluation.explanation" not in attributes(record)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "x"}, "value or a label"),
        ({"name": "x", "value": math.nan, "response_id": "r"}, "finite"),
        ({"name": "x", "value": 1}, "nothing to score"),
        ({"name": "x", "value": 1, "trace_id": "zz"}, "invalid literal"),
    ],
)
def test_score_that_says_nothing_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        outlay.score(**arguments)


def test_losses_are_told_to_the_collector(make: Make) -> None:
    collector = Collector()
    pipeline = make(collector, queue_size=5, resource=(("service.name", "s"),))
    for _ in range(7):
        pipeline.add(a_span())
    pipeline.shutdown(1)
    (body,) = [body for signal, body in collector.others if signal == "metrics"]
    (block,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    assert {pair.key for pair in block.resource.attributes} == {"service.name", "service.instance.id"}
    (metric,) = block.scope_metrics[0].metrics
    assert (metric.name, metric.unit) == ("outlay.sdk.spans", "{span}")
    assert metric.sum.is_monotonic
    assert metric.sum.aggregation_temporality == 2  # cumulative
    counted = {point.attributes[0].value.string_value: point.as_int for point in metric.sum.data_points}
    assert counted == {"delivered": 5, "dropped": 2, "refused": 0, "spooled": 0, "replayed": 0}
    assert all(0 < point.start_time_unix_nano < point.time_unix_nano for point in metric.sum.data_points)


def test_success_alone_is_not_told(make: Make) -> None:
    collector = Collector(lambda: Answer("delivered"))
    pipeline = make(collector)
    pipeline.add(a_span())
    pipeline.shutdown(1)
    assert collector.others == []
