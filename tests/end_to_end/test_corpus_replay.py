"""The whole corpus through HTTP into Postgres: stored is what the pure rules say, however the spans arrive.

That the pure rules say what the provider's ledger says is shown case by case in ``tests/unit/calls/test_corpus.py``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from outlay_collector.access.store import project_ids
from outlay_collector.db.engine import connect
from outlay_collector.pricing.stored import stored_usage
from psycopg.rows import namedtuple_row

from tests.end_to_end.oracle import assert_sums_exact
from tests.servers import Collector, Running, wait_until
from tests.unit.calls.builders import counts_in
from tests.unit.calls.corpus import CASES, CORPUS, Settled, counted, spans

HEADERS = {"Content-Type": "application/x-protobuf"}
Bodies = list[bytes]


def payload(case: str) -> bytes:
    return (CORPUS / f"{case}.otlp.pb").read_bytes()


def one_by_one(case: str) -> Bodies:
    """Each span in a request of its own."""
    bodies: Bodies = []
    for resource in ExportTraceServiceRequest.FromString(payload(case)).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                request = ExportTraceServiceRequest()
                target = request.resource_spans.add()
                target.resource.CopyFrom(resource.resource)
                part = target.scope_spans.add()
                part.scope.CopyFrom(scope.scope)
                part.spans.append(span)
                bodies.append(request.SerializeToString())
    return bodies


def shuffled_twice(case: str) -> Bodies:
    bodies = one_by_one(case) * 2
    random.Random(case).shuffle(bodies)
    return bodies


ARRIVALS: dict[str, Callable[[str], Bodies]] = {
    "at once": lambda case: [payload(case)],
    "in reverse, one by one": lambda case: one_by_one(case)[::-1],
    "shuffled, each twice": shuffled_twice,
}


def wanted(case: str) -> list[tuple[Any, ...]]:
    return sorted(described(settled) for settled in counted(spans(case)))


def described(settled: Settled) -> tuple[Any, ...]:
    joined: dict[str, Any] = dict(settled.verdict.joined or {})
    usage = counts_in(settled.call.usage) if settled.call.usage is not None else {}
    usage |= {name: count for name, count in joined.get("usage", {}).items() if name != "extra"}
    models = (settled.request_model, settled.response_model)
    return (
        settled.call.span.span_id.hex(),
        repr((settled.provider, *models, settled.streaming, tuple(settled.finish_reasons or ()), settled.usage_source)),
        repr(sorted(usage.items())),
    )


def found(connection: psycopg.Connection[Any], project_id: int) -> list[tuple[Any, ...]]:
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        rows = cursor.execute("SELECT * FROM call WHERE project_id = %s AND counted", (project_id,)).fetchall()
    return sorted(
        (
            f"{row.span_id & 0xFFFF_FFFF_FFFF_FFFF:016x}",
            repr(
                (
                    row.provider,
                    row.request_model,
                    row.response_model,
                    row.streaming,
                    tuple(row.finish_reasons or ()),
                    row.usage_source,
                )
            ),
            repr(sorted(counts_in(usage).items() if (usage := stored_usage(row)) is not None else [])),
        )
        for row in rows
    )


def settled(connection: psycopg.Connection[Any]) -> bool:
    (waiting,) = connection.execute("SELECT count(*) FROM touched").fetchone() or (1,)
    connection.commit()
    return waiting == 0


@pytest.mark.timeout(400)
def test_every_payload_is_stored_as_the_rules_say_however_it_arrives(
    database_url: str, start_collector: Callable[..., Collector], worker: Running
) -> None:
    with connect(database_url) as connection:
        names = [f"{case} {arrival}" for case in CASES for arrival in ARRIVALS]
        connection.execute("INSERT INTO project (name) SELECT unnest(%s::text[])", (names,))
    collector = start_collector()
    with httpx.Client(headers=collector.headers | HEADERS, timeout=30) as client:
        for case in CASES:
            for arrival, bodies in ARRIVALS.items():
                for body in bodies(case):
                    header = {"x-outlay-project": f"{case} {arrival}"}
                    answer = client.post(f"{collector.url}/v1/traces", content=body, headers=header)
                    assert (answer.status_code, answer.content) == (200, b""), (case, arrival)
    with connect(database_url) as connection:
        wait_until(lambda: settled(connection), seconds=180, every=0.5)
        ids = project_ids(connection)
        wrong = [
            (case, arrival, found(connection, ids[f"{case} {arrival}"]), wanted(case))
            for case in CASES
            for arrival in ARRIVALS
            if found(connection, ids[f"{case} {arrival}"]) != wanted(case)
        ]
        assert not wrong, f"{len(wrong)} of {len(names)}, the first: {wrong[0]}"
        assert_sums_exact(connection)
