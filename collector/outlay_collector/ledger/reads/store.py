"""Questions put to the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

from outlay_collector.db.names import SUMS
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.reads import sql
from outlay_collector.ledger.reads.histogram import Histogram
from outlay_collector.ledger.reads.question import Question, Sources

Connection = psycopg.Connection[Any]


def spend(connection: Connection, question: Question, sources: Sources, instance_zone: str) -> list[dict[str, Any]]:
    """One dict per period and group, with the dimensions under their own names."""
    statement, parameters = sql.spend(question, sources, instance_zone)
    rows = connection.execute(statement.encode(), parameters).fetchall()
    names = ("period_start", *question.group_by, *SUMS, "cost", "reported_cost")
    return [dict(zip(names, row, strict=True)) for row in rows]


def latency(connection: Connection, question: Question, sources: Sources) -> list[dict[str, Any]]:
    """Percentiles of duration and time to first token, in milliseconds, per period and group."""
    merged: dict[tuple[Any, ...], tuple[Histogram, Histogram]] = {}
    kept = question.dimensions() <= set(sql.LATENCY_DIMENSIONS)
    windows: list[tuple[Window, bool]] = [(question.window, False)]
    if kept and (sources.hours or sources.days):
        edges = [(window, False) for window in sources.rows]
        start = min((w.end for w, _ in edges if w.start == question.window.start), default=question.window.start)
        end = max((w.start for w, _ in edges if w.end == question.window.end), default=question.window.end)
        windows = [*edges, (Window(start, end), True)]
    for window, rolled_up in windows:
        statement, parameters = (sql.latency_hours if rolled_up else sql.latency_rows)(question, window)
        for *key, measure, buckets, counts in connection.execute(statement.encode(), parameters):
            merged.setdefault(tuple(key), (Histogram(), Histogram()))[measure].add(buckets, counts)
    rows: list[dict[str, Any]] = []
    for key, (duration, first_token) in sorted(merged.items(), key=lambda item: tuple(str(part) for part in item[0])):
        p50, p95, p99 = _milliseconds(duration)
        ttft50, ttft95, ttft99 = _milliseconds(first_token)
        rows.append(
            dict(zip(("period_start", *question.group_by), key, strict=True))
            | {"calls": duration.total, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}
            | {"ttft_calls": first_token.total, "ttft_p50_ms": ttft50, "ttft_p95_ms": ttft95, "ttft_p99_ms": ttft99}
        )
    return rows


def _milliseconds(histogram: Histogram) -> list[float | None]:
    return [None if us is None else round(us / 1000, 3) for us in histogram.percentiles((0.5, 0.95, 0.99))]


def complete_until(connection: Connection, project_ids: tuple[int, ...], now: datetime) -> datetime:
    """Everything acknowledged before this instant is in the sums."""
    row = connection.execute("SELECT min(at) FROM touched WHERE project_id = ANY(%s)", (list(project_ids),)).fetchone()
    return row[0] if row and row[0] is not None else now
