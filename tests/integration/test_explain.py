"""``outlay explain`` and ``GET /api/v1/calls/…``: the same charge, line by line, down to the source of each rate."""

from __future__ import annotations

from decimal import Decimal

import httpx

from tests.builders import SpanSpec, a_model_call, otlp
from tests.servers import Collector, outlay


def send(collector: Collector, span: SpanSpec) -> None:
    headers = collector.headers | {"Content-Type": "application/x-protobuf"}
    assert httpx.post(f"{collector.url}/v1/traces", content=otlp([span]), headers=headers).status_code == 200


def explain(collector: Collector, span: SpanSpec) -> str:
    ran = outlay(
        "explain", span.trace_id.hex(), span.span_id.hex(), env={"OUTLAY_DATABASE_URL": collector.database_url}
    )
    return ran.stdout + ran.stderr


def test_a_charge_is_explained_to_the_source(collector: Collector) -> None:
    span = a_model_call(input_tokens=3000, output_tokens=500, attributes={"gen_ai.usage.cache_read.input_tokens": 1000})
    send(collector, span)
    shown = collector.get(f"/api/v1/calls/{span.trace_id.hex()}/{span.span_id.hex()}").json()
    lines = {line["bucket"]: line for line in shown["explain"]["lines"]}
    assert {name: line["quantity"] for name, line in lines.items()} == {
        "input": 2000,
        "cache_read": 1000,
        "output": 500,
    }
    assert sum(Decimal(line["cost"]) for line in lines.values()) == Decimal(shown["cost"]) == Decimal("0.000675")
    assert all(line["source_url"].startswith("https://") for line in lines.values())

    text = explain(collector, span)
    assert "cache_read" in text
    assert "Total: 0.000675 USD (priced)" in text
    assert lines["input"]["source_url"] in text


def test_an_unknown_price_is_said_to_be_unknown(collector: Collector) -> None:
    span = a_model_call(model="nobody-knows-7b", provider="acme")
    send(collector, span)
    assert "Total: not priced (unpriced)" in explain(collector, span)


def test_a_span_that_is_not_there_is_one_sentence(collector: Collector) -> None:
    assert "There is no span" in explain(collector, a_model_call())
