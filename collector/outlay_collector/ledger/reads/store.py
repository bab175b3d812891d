"""Questions put to the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from outlay_collector.db.names import SUMS
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.dimensions import TAG
from outlay_collector.ledger.later import store as later
from outlay_collector.ledger.reads import sql
from outlay_collector.ledger.reads.later import BY_MODEL, key_of, keyed_sources, with_models, without_old_latencies
from outlay_collector.ledger.reads.question import Question, Sources, sources

Connection = psycopg.Connection[Any]


def spend(connection: Connection, question: Question, sources: Sources, instance_zone: str) -> list[dict[str, Any]]:
    """One dict per period and group, with the dimensions under their own names."""
    statement, parameters = sql.spend(question, sources, instance_zone)
    rows = connection.execute(statement.encode(), parameters).fetchall()
    names = ("period_start", *question.group_by, *SUMS, "cost", "reported_cost")
    return [dict(zip(names, row, strict=True)) for row in rows]


def plan(
    connection: Connection, question: Question, instance_zone: ZoneInfo, now: datetime, *, every_value: bool = False
) -> Sources:
    """The cheapest sources that answer a question about spend, by what is stale at the moment.

    ``every_value``: none may be summed with others as ``__other__``, as for counting them.
    """
    key = key_of(question)
    if key is not None:
        return _keyed(connection, question, instance_zone, key, now, every_value)
    found = sources(question, instance_zone)
    if not found.hours or not question.dimensions() <= BY_MODEL or not _all_projects(connection, question):
        return found
    return with_models(found, stale_hours=later.stale_models(connection, question.window), now=now)


def _keyed(
    connection: Connection, question: Question, instance_zone: ZoneInfo, key: str, now: datetime, every_value: bool
) -> Sources:
    if key.startswith(TAG) and key.removeprefix(TAG) not in later.tags(connection):
        return Sources(rows=(question.window,))
    stale = later.stale_keys(connection, question.project_ids, question.window, key)
    days, hours = stale.days, stale.hours
    if every_value or any(item.values for item in question.filters if item.dimension == key):
        # Who asks for one value gets all of it; where it may be among the others, only rows know.
        others = later.days_with_others(connection, question.project_ids, question.window, key)
        days, hours = days | others.days, hours | others.hours
    return keyed_sources(question, instance_zone, key=key, stale_days=days, stale_hours=hours, now=now)


def _all_projects(connection: Connection, question: Question) -> bool:
    """Whether the question is about all there are; a session that is kept to some projects sees no others to tell by."""
    row = connection.execute(
        """
        SELECT coalesce(current_setting('outlay.projects', true), '') IN ('', '{}')
               AND NOT EXISTS (SELECT FROM project WHERE id <> ALL(%s))
        """,
        (list(question.project_ids),),
    ).fetchone()
    return bool(row and row[0])


def latency_plan(connection: Connection, question: Question, instance_zone: ZoneInfo, now: datetime) -> Sources:
    """The same for a question about latency."""
    found = _by_hours(question, sources(question, instance_zone))
    if found.hours and question.dimensions() <= BY_MODEL and _all_projects(connection, question):
        found = with_models(found, stale_hours=later.stale_models(connection, question.window), now=now)
    return without_old_latencies(found, now=now)


def _by_hours(question: Question, found: Sources) -> Sources:
    """Histograms are kept by the hour, and for some dimensions."""
    if not question.dimensions() <= set(sql.LATENCY_DIMENSIONS) or not (found.hours or found.days):
        return Sources(rows=(question.window,))
    start = min((w.end for w in found.rows if w.start == question.window.start), default=question.window.start)
    end = max((w.start for w in found.rows if w.end == question.window.end), default=question.window.end)
    return Sources(hours=(Window(start, end),), rows=found.rows)


def latency(connection: Connection, question: Question, plan: Sources) -> list[dict[str, Any]]:
    """Percentiles of duration and time to first token, in milliseconds, per period and group."""
    from outlay_collector.ledger.reads.histogram import Histograms  # numpy: a quarter of a second that few need

    merged = Histograms()
    plan = plan if plan.models or not plan.days else _by_hours(question, plan)
    for window in plan.models:
        statement, parameters = sql.latency_models(question, window)
        for *key, packed in connection.execute(statement.encode(), parameters, binary=True):
            merged.add_packed(tuple(key), packed)
    for window in plan.hours:
        statement, parameters = sql.latency_hours(question, window)
        for *key, buckets, counts in connection.execute(statement.encode(), parameters, binary=True):
            merged.add_sent(tuple(key), buckets, counts)
    for window in plan.rows:
        statement, parameters = sql.latency_rows(question, window)
        for *key, packed in connection.execute(statement.encode(), parameters, binary=True):
            merged.add_packed(tuple(key), packed)
    found = merged.percentiles((0.5, 0.95, 0.99), unit=1000, digits=3)
    keys = {key[:-1] for key in found}
    names = ("period_start", *question.group_by)
    rows: list[dict[str, Any]] = []
    for key in sorted(keys, key=lambda key: tuple(str(part) for part in key)):
        calls, duration = found.get((*key, 0), _NONE)
        first_tokens, first_token = found.get((*key, 1), _NONE)
        p50, p95, p99 = duration
        ttft50, ttft95, ttft99 = first_token
        rows.append(
            dict(zip(names, key, strict=True))
            | {"calls": calls, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}
            | {"ttft_calls": first_tokens, "ttft_p50_ms": ttft50, "ttft_p95_ms": ttft95, "ttft_p99_ms": ttft99}
        )
    return rows


_NONE: tuple[int, list[float | None]] = (0, [None, None, None])


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


def change_mark(connection: Connection, project_ids: tuple[int, ...]) -> str | None:
    """What stays the same as long as answers about these projects do, and a minute at most; None: something is on its way.

    A minute, because every answer says up to when it is complete.
    """
    row = connection.execute(
        """
        SELECT (SELECT string_agg(project_id || ':' || version, ',' ORDER BY project_id)
                  FROM sums_version WHERE project_id = ANY(%(projects)s)),
               (SELECT max(id) FROM touched WHERE project_id = ANY(%(projects)s)),
               date_trunc('minute', coalesce((SELECT min(at) FROM touched WHERE project_id = ANY(%(projects)s)), now())),
               EXISTS (SELECT FROM dirty_minute WHERE project_id = ANY(%(projects)s))
        """,
        {"projects": list(project_ids)},
    ).fetchone()
    assert row is not None
    return None if row[3] else f"{row[0]} {row[1]} {row[2]}"
