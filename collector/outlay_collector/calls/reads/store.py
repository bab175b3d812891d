"""Calls and traces from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from outlay_collector.calls.reads.shape import Order, Place
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.reads.question import Filter
from outlay_collector.ledger.reads.sql import Parameters, call_dimension, condition

Connection = psycopg.Connection[Any]

_CALLS = "SELECT call.*, project.name AS project FROM call JOIN project ON project.id = project_id"

# What calls are ordered by before their start time; a cost that is unknown comes last.
_VALUES = {Order.COST: "coalesce(cost, '-Infinity'::numeric)", Order.DURATION: "duration_us"}

RECENT = timedelta(days=1)
"""Looked at first: what is asked for is mostly there, and two days' partitions are planned in a moment."""


def calls(
    connection: Connection,
    project_ids: Sequence[int],
    *,
    window: Window | None,
    trace_id: UUID | None,
    counted: bool | None,
    filters: Sequence[Filter],
    after: Place | None,
    limit: int,
    order: Order = Order.NEWEST,
) -> list[dict[str, Any]]:
    """Newest first, or by what ``order`` says, largest first.

    With ``trace_id`` every span of the trace, without it those that are calls or restate calls.
    """
    if trace_id is not None:
        lived = _window_of(connection, project_ids, trace_id)
        if lived is None:
            return []
        window = lived if window is None else Window(max(window.start, lived.start), min(window.end, lived.end))
    if order is not Order.NEWEST:
        return _calls(connection, project_ids, window, trace_id, counted, filters, after, limit, order)
    if window is not None and after is not None:
        window = Window(window.start, min(window.end, after.start + timedelta(microseconds=1)))
    if window is not None and window.end - window.start > RECENT:
        recent = Window(window.end - RECENT, window.end)
        found = _calls(connection, project_ids, recent, trace_id, counted, filters, after, limit)
        if len(found) == limit:
            return found
    return _calls(connection, project_ids, window, trace_id, counted, filters, after, limit)


def _calls(
    connection: Connection,
    project_ids: Sequence[int],
    window: Window | None,
    trace_id: UUID | None,
    counted: bool | None,
    filters: Sequence[Filter],
    after: Place | None,
    limit: int,
    order: Order = Order.NEWEST,
) -> list[dict[str, Any]]:
    """Project by project, each by its own index from the newest backwards; then the first of those."""
    parameters = Parameters()
    conditions = ["project_id = wanted.id"]
    if window is not None:
        conditions.append(f"start_time >= {parameters.add(window.start)} AND start_time < {parameters.add(window.end)}")
    if trace_id is not None:
        conditions.append(f"trace_id = {parameters.add(trace_id)}")
    else:
        conditions.append("span_type IN ('call', 'aggregate')")
    if counted is not None:
        conditions.append("counted" if counted else "NOT counted")
    conditions.extend(condition(item, call_dimension(item.dimension), parameters) for item in filters)
    if after is not None:
        start, trace, span = (parameters.add(value) for value in (after.start, after.trace, after.span))
        place, wanted = f"{start}, {trace}::uuid, {span}", "start_time, trace_id, span_id"
        if order in _VALUES:
            place, wanted = f"{parameters.add(after.value)}::numeric, {place}", f"{_VALUES[order]}, {wanted}"
        conditions.append(f"({wanted}) < ({place})")
    first = ", ".join(
        f"{name} DESC" for name in (*filter(None, [_VALUES.get(order)]), "start_time", "trace_id", "span_id")
    )
    number = parameters.add(limit)
    statement = f"""
SELECT found.*, project.name AS project
  FROM unnest({parameters.add(list(project_ids))}::int[]) AS wanted (id)
 CROSS JOIN LATERAL (
        SELECT call.* FROM call WHERE {" AND ".join(conditions)} ORDER BY {first} LIMIT {number}
       ) AS found
  JOIN project ON project.id = found.project_id
 ORDER BY {first}
 LIMIT {number}
"""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), parameters).fetchall()


def trace(connection: Connection, project_ids: Sequence[int], trace_id: UUID) -> list[dict[str, Any]]:
    """Every span of a trace, in the order they began."""
    window = _window_of(connection, project_ids, trace_id)
    if window is None:
        return []
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"{_CALLS} WHERE {_OF_TRACE} ORDER BY start_time, span_id LIMIT 10000".encode(),
            (list(project_ids), trace_id, window.start, window.end),
        ).fetchall()


def call(connection: Connection, project_ids: Sequence[int], trace_id: UUID, span_id: int) -> dict[str, Any] | None:
    """One span; of several rows under one id the one that is counted, else the first."""
    window = _window_of(connection, project_ids, trace_id)
    if window is None:
        return None
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"{_CALLS} WHERE {_OF_TRACE} AND span_id = %s ORDER BY counted DESC, start_time LIMIT 1".encode(),
            (list(project_ids), trace_id, window.start, window.end, span_id),
        ).fetchone()


def content(connection: Connection, row: Mapping[str, Any]) -> list[bytes]:
    """What was kept of a span's prompts and answers, packed: of the span itself, then of its log events.

    Those have times of their own, which are close to the span's.
    """
    rows = connection.execute(
        """
        SELECT content FROM span_content
         WHERE project_id = %(project_id)s AND trace_id = %(trace_id)s AND span_id = %(span_id)s
           AND start_time >= %(start_time)s::timestamptz - interval '1 day'
           AND start_time < %(start_time)s::timestamptz + interval '2 days'
         ORDER BY start_time
        """,
        {name: row[name] for name in ("project_id", "trace_id", "span_id", "start_time")},
    ).fetchall()
    return [packed for (packed,) in rows]


_OF_TRACE = "project_id = ANY(%s) AND trace_id = %s AND start_time >= %s AND start_time < %s"


def _window_of(connection: Connection, project_ids: Sequence[int], trace_id: UUID) -> Window | None:
    """When a trace's spans began.

    To look into every day's index takes 5 ms for a hundred days, to plan doing so with all columns of a call five times
    as long. So it is asked for two columns, by a plan that the connection keeps; what is planned each time is the day.
    """
    connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    rows = connection.execute(
        "SELECT start_time FROM span WHERE project_id = ANY(%s::int[]) AND trace_id = %s",
        (list(project_ids), trace_id),
        prepare=True,
    ).fetchall()
    connection.execute("SET LOCAL plan_cache_mode TO DEFAULT")
    starts = [start for (start,) in rows]
    return Window(min(starts), max(starts) + timedelta(microseconds=1)) if starts else None
