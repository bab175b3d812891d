"""Logs, metrics and content over real HTTP and gRPC: what they add to spans, and what is never kept."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import grpc
import httpx
import psycopg
import pytest
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.builders import SpanSpec, a_model_call, nanoseconds, otlp
from tests.servers import Collector, Running, outlay, wait_until

PROTOBUF = {"Content-Type": "application/x-protobuf"}
SECRET = "sk-proj-" + "a1B2c3D4" * 6


def post(collector: Collector, signal: str, body: bytes | dict[str, Any], **headers: str) -> httpx.Response:
    kind = {"Content-Type": "application/json"} if isinstance(body, dict) else PROTOBUF
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    return httpx.post(
        f"{collector.url}/v1/{signal}", content=content, headers=collector.headers | kind | headers, timeout=30
    )


def a_log(span: SpanSpec, name: str, **attributes: Any) -> dict[str, Any]:
    """A GenAI log event about ``span``, as OTLP/JSON."""
    pairs = [
        {
            "key": key.replace("__", "."),
            "value": {"intValue": value} if isinstance(value, int) else {"stringValue": value},
        }
        for key, value in attributes.items()
    ]
    record = {
        "timeUnixNano": str(nanoseconds(datetime.now(UTC))),
        "eventName": name,
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "attributes": pairs,
    }
    return {"resourceLogs": [{"scopeLogs": [{"scope": {"name": "shop"}, "logRecords": [record]}]}]}


def only_call(collector: Collector) -> dict[str, Any]:
    (row,) = collector.get("/api/v1/calls").json()["rows"]
    return row


def keep_content(database_url: str, mode: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE project SET content = %s WHERE name = 'default'", (mode,))


def stored_content(database_url: str) -> list[dict[str, Any]]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT content FROM span_content ORDER BY start_time").fetchall()
    return [json.loads(zstandard.decompress(content)) for (content,) in rows]


def test_usage_that_a_log_event_brings_later_is_the_calls_usage(collector: Collector, worker: Running) -> None:
    span = a_model_call(input_tokens=None, output_tokens=None)
    assert post(collector, "traces", otlp([span])).status_code == 200
    details = a_log(
        span,
        "gen_ai.client.inference.operation.details",
        gen_ai__usage__input_tokens=1_000_000,
        gen_ai__usage__output_tokens=100_000,
    )
    assert post(collector, "logs", details).json() == {}
    wait_until(lambda: only_call(collector)["usage_source"] == "reported")
    call = only_call(collector)
    assert (call["usage"]["input_tokens"], call["cost"]) == (1_000_000, "0.21")
    wait_until(lambda: collector.get("/api/v1/spend").json()["rows"][0]["cost"] == "0.21")


def test_usage_may_also_come_before_its_span(collector: Collector, worker: Running) -> None:
    span = a_model_call(input_tokens=None, output_tokens=None)
    event = a_log(span, "outlay.usage", gen_ai__usage__input_tokens=1_000_000, gen_ai__usage__output_tokens=0)
    assert post(collector, "logs", event).status_code == 200
    assert post(collector, "traces", otlp([span])).status_code == 200
    wait_until(lambda: only_call(collector)["cost"] == "0.15")


def test_a_log_that_repeats_reported_usage_changes_nothing(collector: Collector, worker: Running) -> None:
    span = a_model_call(input_tokens=1000, output_tokens=0)
    assert post(collector, "traces", otlp([span])).status_code == 200
    event = a_log(span, "outlay.usage", gen_ai__usage__input_tokens=7, gen_ai__usage__output_tokens=7)
    assert post(collector, "logs", event).status_code == 200
    wait_until(lambda: collector.get("/api/v1/spend").json()["rows"])
    assert only_call(collector)["usage"]["input_tokens"] == 1000


def test_an_evaluation_is_kept_beside_its_span(collector: Collector) -> None:
    span = a_model_call()
    result = a_log(
        span, "gen_ai.evaluation.result", gen_ai__evaluation__name="relevancy", gen_ai__evaluation__score__label="good"
    )
    for _ in range(2):
        assert post(collector, "logs", result).status_code == 200
    with psycopg.connect(collector.database_url) as connection:
        assert connection.execute("SELECT name, label FROM score").fetchall() == [("relevancy", "good")]


def test_metrics_are_counted_and_never_added_to_spans(collector: Collector) -> None:
    point = {"asInt": "5", "timeUnixNano": "1700000000000000000"}
    metric = {"name": "gen_ai.client.token.usage", "sum": {"dataPoints": [point, point]}}
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    assert post(collector, "metrics", body).json() == {}
    with psycopg.connect(collector.database_url) as connection:
        counts = dict(connection.execute("SELECT name, n FROM ingest_count").fetchall())
    assert counts == {"metric:gen_ai.client.token.usage": 2}
    assert collector.get("/api/v1/spend").json()["rows"] == []


PROMPT = {"gen_ai.input.messages": json.dumps([{"role": "user", "content": f"key {SECRET}, mail kim@example.com"}])}


@pytest.mark.parametrize(("mode", "mail_kept"), [("full", True), ("masked", False)])
def test_content_is_kept_as_the_project_says_and_never_with_secrets(
    collector: Collector, mode: str, mail_kept: bool
) -> None:
    keep_content(collector.database_url, mode)

    def kept() -> list[dict[str, Any]]:
        assert post(collector, "traces", otlp([a_model_call(attributes=PROMPT)])).status_code == 200
        return stored_content(collector.database_url)

    (content, *_) = wait_until(kept)  # a collector looks every few seconds what projects keep
    assert "gen_ai.input.messages" in content
    assert SECRET not in str(content)
    assert ("kim@example.com" in str(content)) is mail_kept


def test_kept_content_is_read_with_the_call_and_never_by_who_sees_money_only(collector: Collector) -> None:
    keep_content(collector.database_url, "full")

    def call(headers: dict[str, str]) -> dict[str, Any]:
        newest = only_call(collector)
        where = f"{collector.url}/api/v1/calls/{newest['trace_id']}/{newest['span_id']}"
        return httpx.get(where, headers=headers).json()

    span = a_model_call(attributes=PROMPT)
    assert wait_until(lambda: post(collector, "traces", otlp([span])).is_success and call(collector.headers)["content"])
    said = a_log(span, "gen_ai.client.inference.operation.details", gen_ai__output__messages="[the answer]")
    assert post(collector, "logs", said).status_code == 200
    content = call(collector.headers)["content"]
    assert "mail kim@example.com" in content["gen_ai.input.messages"]
    assert content["gen_ai.output.messages"] == "[the answer]"

    env = {"OUTLAY_DATABASE_URL": collector.database_url}
    made = outlay("key", "create", "--scope", "finance", "--json", env=env)
    refused = httpx.get(
        f"{collector.url}/api/v1/calls/{only_call(collector)['trace_id']}/{only_call(collector)['span_id']}",
        headers={"Authorization": f"Bearer {json.loads(made.stdout)['key']}"},
    )
    assert refused.status_code == 403


def test_content_is_not_kept_unless_asked_for(collector: Collector) -> None:
    assert post(collector, "traces", otlp([a_model_call(attributes=PROMPT)])).status_code == 200
    with psycopg.connect(collector.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM span_content").fetchone() == (0,)
        (everything,) = connection.execute("SELECT string_agg(span::text, '') FROM span").fetchone() or ("",)
    assert "kim@example.com" not in everything
    assert SECRET not in everything


def test_a_secret_in_any_attribute_is_masked(collector: Collector) -> None:
    span = a_model_call(attributes={"http.request.header.authorization": f"Bearer {SECRET}", "note": f"uses {SECRET}"})
    assert post(collector, "traces", otlp([span])).status_code == 200
    with psycopg.connect(collector.database_url) as connection:
        (everything,) = connection.execute("SELECT string_agg(span::text, '') FROM span").fetchone() or ("",)
    assert SECRET not in everything


def test_the_same_spans_come_in_by_grpc(collector: Collector) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{collector.grpc_port}") as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        answer = export(otlp([a_model_call()]), metadata=[("authorization", f"Bearer {collector.key}")], timeout=20)
        assert ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans == 0
        with pytest.raises(grpc.RpcError) as refused:
            export(otlp([a_model_call()]), timeout=20)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED  # type: ignore[attr-defined]
    assert len(collector.get("/api/v1/calls").json()["rows"]) == 1


def test_answers_come_in_the_encoding_of_the_request(collector: Collector) -> None:
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "00"}]}]}]}
    partial = post(collector, "traces", request)
    assert partial.status_code == 200
    assert partial.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert post(collector, "traces", b"no protobuf").headers["content-type"] == "application/x-protobuf"
    assert (
        post(collector, "traces", gzip.compress(otlp([a_model_call()])), **{"Content-Encoding": "gzip"}).content == b""
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Encoding": "br"}, 415),
        ({"Authorization": "Bearer out_nothing"}, 401),
        ({"x-outlay-project": "nowhere"}, 400),
    ],
)
def test_what_cannot_be_taken_says_why(collector: Collector, headers: dict[str, str], status: int) -> None:
    answer = post(collector, "traces", otlp([a_model_call()]), **headers)
    assert answer.status_code == status
    assert answer.content


def test_a_project_made_a_moment_ago_is_known(collector: Collector) -> None:
    assert post(collector, "traces", otlp([a_model_call()])).status_code == 200
    made = httpx.post(f"{collector.url}/api/v1/projects", json={"name": "brand-new"}, headers=collector.headers)
    assert made.status_code == 201
    wait_until(
        lambda: (
            post(collector, "traces", otlp([a_model_call()]), **{"x-outlay-project": "brand-new"}).status_code == 200
        ),
        seconds=2,
    )


def test_a_bound_key_does_not_write_to_another_project(collector: Collector) -> None:
    made = httpx.post(
        f"{collector.url}/api/v1/keys", json={"project": "default", "scopes": ["ingest"]}, headers=collector.headers
    )
    bound = {"Authorization": f"Bearer {made.json()['key']}"}
    assert post(collector, "traces", otlp([a_model_call()]), **bound).status_code == 200
    assert post(collector, "traces", otlp([a_model_call()]), **bound, **{"x-outlay-project": "prod"}).status_code == 403
