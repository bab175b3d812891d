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


def ingest_counts(connection: Connection, project_ids: tuple[int, ...], window: Window) -> dict[str, int]:
    """What ingest counted in the hours that the window touches, by name."""
    rows = connection.execute(
        """
        SELECT name, sum(n) FROM ingest_count
         WHERE project_id = ANY(%s) AND hour >= date_trunc('hour', %s::timestamptz) AND hour < %s
         GROUP BY name
        """,
        (list(project_ids), window.start, window.end),
    ).fetchall()
    return {name: int(number) for name, number in rows}


def client_count(connection: Connection, project_ids: tuple[int, ...], window: Window, outcome: str) -> int:
    """Spans of which clients said in the window's hours that they came to ``outcome``, such as ``dropped``."""
    row = connection.execute(
        """
        SELECT sum(greatest(until - since, 0))
          FROM (SELECT max(n) AS until,
                       coalesce(max(n) FILTER (WHERE hour < date_trunc('hour', %(start)s::timestamptz)), 0) AS since
                  FROM client_count
                 WHERE project_id = ANY(%(projects)s) AND outcome = %(outcome)s AND hour < %(end)s
                 GROUP BY project_id, instance) AS client
        """,
        {"projects": list(project_ids), "outcome": outcome, "start": window.start, "end": window.end},
    ).fetchone()
    return int(row[0] or 0) if row else 0


def complete_until(connection: Connection, project_ids: tuple[int, ...], now: datetime) -> datetime:
    """Everything acknowledged before this instant is in the sums."""
    row = connection.execute("SELECT min(at) FROM touched WHERE project_id = ANY(%s)", (list(project_ids),)).fetchone()
    return row[0] if row and row[0] is not None else now
