"""``GET /api/v1/completeness`` and ``coverage``: what a total leaves out, over HTTP with a collector and a worker."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from outlay_collector.db.engine import connect
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.reads import store
from outlay_collector.receive.store import forget_clients

from tests.builders import a_model_call, otlp
from tests.servers import Collector, Running, outlay, wait_until

PROTOBUF = {"Content-Type": "application/x-protobuf"}
NOW = datetime.now(UTC)


def post(collector: Collector, body: bytes, signal: str = "traces") -> None:
    answer = httpx.post(f"{collector.url}/v1/{signal}", content=body, headers=collector.headers | PROTOBUF, timeout=30)
    assert answer.status_code == 200, answer.text


def client_says(instance: str, **outcomes: int) -> bytes:
    """What the SDK's own metric tells, cumulative."""
    request = ExportMetricsServiceRequest()
    block = request.resource_metrics.add()
    block.resource.attributes.add(key="service.instance.id").value.string_value = instance
    metric = block.scope_metrics.add().metrics.add(name="outlay.sdk.spans")
    for outcome, number in outcomes.items():
        point = metric.sum.data_points.add(as_int=number)
        point.attributes.add(key="outlay.outcome").value.string_value = outcome
    return request.SerializeToString()


def test_a_total_says_what_it_leaves_out(collector: Collector, worker: Running) -> None:
    known, late = a_model_call(), a_model_call(start=NOW - timedelta(days=500))
    unknown = a_model_call(model="gpt-4o-mni", input_tokens=500, output_tokens=100)
    silent = a_model_call(input_tokens=None, output_tokens=None)
    post(collector, otlp([known, late, unknown, silent]))
    post(collector, client_says("a", dropped=5, delivered=9), "metrics")
    post(collector, client_says("a", dropped=7), "metrics")  # of which five were told before
    post(collector, client_says("a", dropped=6), "metrics")  # late, and known better
    post(collector, client_says("b", dropped=1, nonsense=99), "metrics")

    def settled() -> Any:
        found = collector.get("/api/v1/completeness").json()
        return found if found["calls"] == 3 else None

    found = wait_until(settled, seconds=60)
    assert (found["at_least"], found["currency"], found["is_complete"]) == ("0.00027", "USD", False)
    assert (found["missing_usage_calls"], found["estimated_calls"]) == (1, 0)
    assert found["unpriced_calls"] == 1
    assert (found["refused"], found["refused_by_reason"]) == (1, {"too_old": 1})
    assert found["dropped_by_clients"] == 8
    assert "1 refused, 8 dropped by clients; at least 0.00027 USD" in found["sentence"]

    covered = collector.get("/api/v1/coverage").json()
    gap = next(row for row in covered["rows"] if row["model"] == "gpt-4o-mni")
    assert gap["nearest"] == {"provider": "openai", "model": "gpt-4o-mini"}
    assert gap["estimate"] == "0.000135"  # 500 x $0.15 + 100 x $0.60, per million
    assert covered["estimates"] == {"USD": "0.000135"}
    assert gap["command"] == "outlay price override -p openai -m gpt-4o-mni --input … --output … --reprice"
    shown = outlay("price", "coverage", env={"OUTLAY_DATABASE_URL": collector.database_url})
    assert "about 0.000135 USD" in shown.stdout
    assert gap["command_like"] in shown.stdout

    retried = outlay(
        *("deadletter", "retry", "--all", "--json"),
        env={"OUTLAY_DATABASE_URL": collector.database_url, "OUTLAY_RETENTION": "P600D"},
    )
    assert [one["accepted"] for one in json.loads(retried.stdout)] == [True]
    assert collector.get("/api/v1/completeness").json()["refused"] == 0


def test_nothing_is_complete(collector: Collector) -> None:
    found = collector.get("/api/v1/completeness").json()
    assert (found["is_complete"], found["calls"], found["at_least"]) == (True, 0, None)


def test_what_a_client_dropped_belongs_to_the_hours_in_which_it_said_so(database_url: str) -> None:
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    with connect(database_url) as connection:
        (project_id,) = connection.execute("SELECT id FROM project LIMIT 1").fetchone() or (0,)
        for instance, hours_ago, number in (("a", 5, 10), ("a", 3, 12), ("a", 1, 20), ("b", 1, 4)):
            connection.execute(
                "INSERT INTO client_count (project_id, instance, outcome, hour, n) VALUES (%s, %s, 'dropped', %s, %s)",
                (project_id, instance, hour - timedelta(hours=hours_ago), number),
            )

        def dropped(since: int, until: int) -> int:
            window = Window(hour - timedelta(hours=since), hour - timedelta(hours=until))
            return store.client_count(connection, (project_id,), window, "dropped")

        assert dropped(6, 0) == 24  # 20 of a, 4 of b
        assert dropped(4, 0) == 14  # a had lost 10 before
        assert dropped(4, 2) == 2
        assert dropped(2, 1) == 0
        forget_clients(connection, now=NOW, retention=timedelta(hours=2))
        assert dropped(6, 0) == 24
