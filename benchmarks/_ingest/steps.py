"""CPU of each step of the path from bytes to COPY, in this process and one step at a time: microseconds per span."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from outlay_collector.calls.mask import mask_call
from outlay_collector.calls.normalise import normalise
from outlay_collector.pricing.book import Book
from outlay_collector.receive import store
from outlay_collector.receive.batch import Batch
from outlay_collector.receive.decode import decode_protobuf
from outlay_collector.receive.ingest import Limits, charge, ingest
from outlay_collector.receive.rows import content_row, row

LIMITS = Limits(retention=timedelta(days=400), future_tolerance=timedelta(minutes=10))


def batch_of(body: bytes, book: Book, project_id: int, *, content: bool) -> Batch:
    (batch,) = ingest(
        body,
        json=False,
        project_id=project_id,
        key_id="benchkey",
        book=book,
        limits=LIMITS,
        now=datetime.now(UTC),
        content_modes={project_id: "full"} if content else {},
    )
    return batch


def steps(body: bytes, spans: int, book: Book, *, content: bool, seconds: float = 0.25) -> dict[str, float]:
    """The Python part: decode, normalise, mask, price, row; and all of it as the collector does it, as ``together``."""

    def calls_now() -> list[Any]:
        calls = [normalise(span) for span in decode_protobuf(body).spans]
        if not content:
            for call in calls:
                call.content = {}
        return calls

    decoded = decode_protobuf(body).spans
    calls = calls_now()
    charges = [charge(call, book, 1) for call in calls]

    def make_rows() -> None:
        for call, cost in zip(calls, charges, strict=True):
            row(call, cost, project_id=1, key_id="benchkey", received_us=1_790_000_000_000_000, price_version=1)
            if content:
                content_row(call, 1)

    def mask() -> None:
        for call in calls:
            mask_call(call)

    timed: dict[str, Callable[[], object]] = {
        "decode": lambda: decode_protobuf(body),
        "normalise": lambda: [normalise(span) for span in decoded],
        "mask": mask,
        "price": lambda: [charge(call, book, 1) for call in calls],
        "row": make_rows,
        "together": lambda: batch_of(body, book, 1, content=content),
    }
    return {name: _best(step, seconds) / spans * 1e6 for name, step in timed.items()}


def copy_client(connection: psycopg.Connection[Any], batches: list[Batch]) -> float:
    """Client CPU of writing batches, one commit each, as the committer does; microseconds per span."""
    store.prepare(connection)
    session = store.Session()
    store.write(connection, batches[:1], session)
    began = time.thread_time()
    for batch in batches[1:]:
        store.write(connection, [batch], session)
    return (time.thread_time() - began) / sum(len(batch.rows) for batch in batches[1:]) * 1e6


def _best(step: Callable[[], object], seconds: float) -> float:
    """CPU seconds of one run: the fastest of as many as fit, for others use the machine too."""
    step()
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.thread_time()
        step()
        best = min(best, time.thread_time() - began)
    return best
