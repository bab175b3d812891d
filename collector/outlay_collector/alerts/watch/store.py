"""The figures that watching needs, from the database. Transactions belong to the caller."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from outlay_collector.alerts.store import is_standing, send
from outlay_collector.alerts.watch.checks import PARTS, Finding, Health, Vitals
from outlay_collector.alerts.webhooks.store import lag_seconds as delivery_lag
from outlay_collector.calls.store import lag_seconds as settlement_lag

Connection = psycopg.Connection[Any]

_LOCK = 0x0071_AE07
_TWO_WEEKS = timedelta(days=14)


def alone(connection: Connection) -> bool:
    """Whether this session is the one that watches, until its transaction ends."""
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,)).fetchone()
    return bool(row and row[0])


def vitals(connection: Connection) -> Vitals:
    """A part that keeps house elsewhere tells its lag with its heartbeat; what can be asked for, is."""
    rows = connection.execute(
        """
        SELECT name, extract(epoch FROM clock_timestamp() - at)::float8, (detail ->> 'lag_seconds')::float8
          FROM heartbeat WHERE name = ANY(%s)
        """,
        (list(PARTS),),
    ).fetchall()
    told = {PARTS[name]: lag or 0.0 for name, _, lag in rows}
    known = {"settlement": settlement_lag(connection), "delivery": delivery_lag(connection)}
    return Vitals(lags=told | known, ages={name: max(age, 0.0) for name, age, _ in rows})


_HEALTH = """
WITH heard AS (
    SELECT project_id, hour, sum(calls) AS calls, coalesce(sum(unpriced_calls), 0) AS unpriced_calls
      FROM cost_hour
     WHERE hour >= %(since)s AND hour < %(now)s AND calls > 0
     GROUP BY project_id, hour
), gaps AS (
    SELECT *, extract(epoch FROM hour - lag(hour) OVER (PARTITION BY project_id ORDER BY hour)) / 3600 - 1 AS gap
      FROM heard
), summed AS (
    SELECT project_id, count(*) AS hours_heard, coalesce(max(gap), 0)::float8 AS longest_gap_hours,
           greatest(extract(epoch FROM %(now)s - max(hour)) / 3600 - 1, 0)::float8 AS quiet_hours,
           sum(calls) FILTER (WHERE hour >= %(now)s - interval '24 hours') AS calls,
           sum(unpriced_calls) FILTER (WHERE hour >= %(now)s - interval '24 hours') AS unpriced_calls,
           sum(calls) FILTER (WHERE hour >= %(now)s - interval '2 hours') AS calls_lately
      FROM gaps GROUP BY project_id
), refused AS (
    SELECT project_id, greatest(sum(CASE WHEN name LIKE 'refused:%%' THEN n ELSE -n END), 0) AS refused_lately
      FROM ingest_count
     WHERE hour >= %(now)s - interval '2 hours' AND (name LIKE 'refused:%%' OR name LIKE 'retried:%%')
     GROUP BY project_id
)
SELECT project.id AS project_id, project.name AS project, coalesce(hours_heard, 0) AS hours_heard,
       coalesce(longest_gap_hours, 0) AS longest_gap_hours, coalesce(quiet_hours, 0) AS quiet_hours,
       coalesce(calls, 0)::bigint AS calls, coalesce(unpriced_calls, 0)::bigint AS unpriced_calls,
       coalesce(calls_lately, 0)::bigint AS calls_lately, coalesce(refused_lately, 0)::bigint AS refused_lately
  FROM project LEFT JOIN summed ON summed.project_id = project.id LEFT JOIN refused ON refused.project_id = project.id
 ORDER BY project.id
"""


def health(connection: Connection, *, now: datetime) -> list[Health]:
    """Of every project."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_HEALTH, {"now": now, "since": now - _TWO_WEEKS}).fetchall()
    return [Health(**row) for row in rows]


def tell(connection: Connection, finding: Finding, *, now: datetime) -> bool:
    """Open or close the finding's alert, when that changes anything. Wants to be alone."""
    if not finding.bad and not finding.good:
        return False
    standing = is_standing(connection, finding.project_id, finding.dedup_key)
    if finding.bad == standing:
        return False
    send(connection, finding.event(now, resolves=not finding.bad))
    return True


_COUNTS = """
SELECT (SELECT jsonb_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM delivery GROUP BY state) AS one) AS deliveries,
       (SELECT jsonb_object_agg(severity, n) FROM (SELECT severity, count(*) AS n FROM alert WHERE state <> 'resolved'
                                                    GROUP BY severity) AS two) AS alerts,
       (SELECT count(*) FROM webhook WHERE disabled_at IS NOT NULL AND removed_at IS NULL) AS disabled
"""


def counts(connection: Connection) -> dict[str, Any]:
    """Deliveries by state, alerts that stand by severity, and webhooks that were given up."""
    row = connection.execute(_COUNTS).fetchone()
    assert row is not None
    return {"deliveries": row[0] or {}, "alerts": row[1] or {}, "disabled": row[2]}
