"""Closed months in the database.

Who changes what calls cost holds the project's lock and then asks which months are closed. Closing holds the locks of all
projects, and keeps spans from being added meanwhile: so a call is in a closed month before it is closed, or it is late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from outlay_collector.errors import Conflict, NotFound
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.months.calendar import month_window
from outlay_collector.ledger.months.sql import DIMENSIONS, OPEN

Connection = psycopg.Connection[Any]

LATE = "closed_month"
"""Why a call is not counted that came after its month was closed: a ledger line of the open month counts it."""

# Differences between what calls were booked at and what they cost by now, as lines of the open month: one for each hour
# of origin and set of dimensions. Whoever reads by origin needs no finer time than that.
_BOOK = f"""
WITH difference AS ({{source}}), line AS (
    INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, quantity, unit, dimensions, detail)
    SELECT call.project_id, {OPEN}, date_trunc('hour', call.start_time, %(zone)s), 'adjustment', difference.cause,
           sum(difference.cost), count(*), 'calls', dimensions.value, %(detail)s
      FROM difference
      JOIN call ON call.project_id = %(project)s AND call.trace_id = difference.trace_id
       AND call.span_id = difference.span_id AND call.start_time = difference.start_time
      LEFT JOIN adjusted_attribution AS moved ON moved.project_id = call.project_id
       AND moved.trace_id = call.trace_id AND moved.span_id = call.span_id AND moved.start_time = call.start_time
     CROSS JOIN LATERAL (SELECT jsonb_strip_nulls({DIMENSIONS} || coalesce(moved.dimensions, '{{{{}}}}')) AS value) AS dimensions
     WHERE call.start_time >= %(start)s AND call.start_time < %(end)s
     GROUP BY call.project_id, 3, difference.cause, dimensions.value
    HAVING sum(difference.cost) <> 0
    RETURNING charge_time, incurred_time
)
INSERT INTO dirty_minute (project_id, minute)
SELECT %(project)s, date_trunc('minute', charge_time) FROM line
 UNION
SELECT %(project)s, date_trunc('minute', incurred_time) FROM line
"""

_GIVEN = """
SELECT * FROM unnest(%(traces)s::uuid[], %(spans)s::bigint[], %(starts)s::timestamptz[], %(costs)s::numeric[],
                     %(causes)s::text[]) AS given (trace_id, span_id, start_time, cost, cause)
"""

_FOLD = """
UPDATE span
   SET counted = adjusted.counted, not_counted_reason = adjusted.not_counted_reason, joined = adjusted.joined,
       cost = adjusted.cost, charge_cost = adjusted.charge_cost, charge_currency = adjusted.charge_currency,
       charge_status = adjusted.charge_status, price_ids = adjusted.price_ids, price_version = adjusted.price_version,
       priced_at = adjusted.priced_at, fx_rate_id = adjusted.fx_rate_id
  FROM adjusted_charge AS adjusted
 WHERE adjusted.project_id = span.project_id AND adjusted.trace_id = span.trace_id
   AND adjusted.span_id = span.span_id AND adjusted.start_time = span.start_time
   AND span.start_time >= %(start)s AND span.start_time < %(end)s
"""

_FOLD_ATTRIBUTION = """
UPDATE span SET attributed = moved.attributed
  FROM adjusted_attribution AS moved
 WHERE moved.project_id = span.project_id AND moved.trace_id = span.trace_id
   AND moved.span_id = span.span_id AND moved.start_time = span.start_time
   AND span.start_time >= %(start)s AND span.start_time < %(end)s
"""

# Calls of which settlement learnt more since: what the attribution rules say of them may be something else now.
_LOOK_AGAIN = """
INSERT INTO touched (project_id, trace_ids, first_start, last_start, minutes)
SELECT span.project_id, array_agg(DISTINCT span.trace_id), min(span.start_time), max(span.start_time),
       array_agg(DISTINCT date_trunc('minute', span.start_time))
  FROM adjusted_charge AS adjusted
  JOIN span USING (project_id, trace_id, span_id, start_time)
 WHERE adjusted.start_time >= %(start)s AND adjusted.start_time < %(end)s
   AND span.start_time >= %(start)s AND span.start_time < %(end)s AND adjusted.joined IS DISTINCT FROM span.joined
 GROUP BY span.project_id, date_trunc('hour', span.start_time)
"""

_TAKE_BACK = f"""
WITH line AS (
    INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, quantity, unit, dimensions, detail)
    SELECT project_id, {OPEN}, incurred_time, 'adjustment', 'month_reopened', -sum(cost), NULL, NULL, dimensions,
           %(detail)s
      FROM ledger_line
     WHERE kind = 'adjustment' AND detail ->> 'month' = %(month)s
     GROUP BY project_id, incurred_time, dimensions
    HAVING sum(cost) <> 0
    RETURNING project_id, charge_time, incurred_time
)
INSERT INTO dirty_minute (project_id, minute)
SELECT project_id, date_trunc('minute', charge_time) FROM line
 UNION
SELECT project_id, date_trunc('minute', incurred_time) FROM line
 UNION
SELECT project_id, date_trunc('minute', start_time) FROM adjusted_charge
 WHERE start_time >= %(start)s AND start_time < %(end)s
 UNION
SELECT project_id, date_trunc('minute', start_time) FROM adjusted_attribution
 WHERE start_time >= %(start)s AND start_time < %(end)s
"""


# Parts of costs that were entered for the month after it was closed: from where they were booked to where they belong.
_BRING_HOME = f"""
WITH away AS (
    SELECT project_id, kind, entry_id, incurred_time, dimensions, charge_currency, fx_rate_id, sum(cost) AS cost,
           sum(charge_cost) AS charge_cost
      FROM ledger_line
     WHERE entry_id IS NOT NULL AND incurred_time >= %(start)s AND incurred_time < %(end)s
       AND charge_time <> incurred_time
     GROUP BY project_id, kind, entry_id, incurred_time, dimensions, charge_currency, fx_rate_id
    HAVING sum(cost) <> 0
), line AS (
    INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, dimensions, detail, entry_id,
                             charge_cost, charge_currency, fx_rate_id)
    SELECT project_id, CASE WHEN home THEN incurred_time ELSE {OPEN} END, incurred_time, kind, 'month_reopened',
           CASE WHEN home THEN cost ELSE -cost END, dimensions, %(detail)s, entry_id,
           CASE WHEN home THEN charge_cost ELSE -charge_cost END, charge_currency, fx_rate_id
      FROM away, (VALUES (true), (false)) AS way (home)
    RETURNING project_id, charge_time, incurred_time
)
INSERT INTO dirty_minute (project_id, minute)
SELECT project_id, date_trunc('minute', charge_time) FROM line
 UNION
SELECT project_id, date_trunc('minute', incurred_time) FROM line
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """What one call of a closed month costs more than it was booked at (less: negative), and why that came out."""

    trace_id: Any
    span_id: Any
    start_time: datetime
    cost: Decimal
    cause: str


def closed(connection: Connection) -> dict[str, Window]:
    """Closed months by name. The caller holds a project's lock if it will write by this."""
    rows = connection.execute("SELECT month, starts, ends FROM closed_month ORDER BY month").fetchall()
    return {month: Window(starts, ends) for month, starts, ends in rows}


def book(connection: Connection, project_id: int, differences: Sequence[Difference], *, zone: ZoneInfo) -> None:
    """Lines in the open month for calls of closed ones. The caller holds the project's lock."""
    for month, window in closed(connection).items():
        mine = [one for one in differences if window.start <= one.start_time < window.end]
        if mine:
            given = {
                "traces": [one.trace_id for one in mine],
                "spans": [one.span_id for one in mine],
                "starts": [one.start_time for one in mine],
                "costs": [one.cost for one in mine],
                "causes": [one.cause for one in mine],
            }
            values = _booking(connection, project_id, window, {"month": month}, zone=zone)
            connection.execute(_BOOK.format(source=_GIVEN).encode(), values | given)


def book_from(
    connection: Connection,
    project_id: int,
    source: LiteralString,
    window: Window,
    *,
    detail: dict[str, Any],
    zone: ZoneInfo,
) -> None:
    """The same for differences that a query names: ``trace_id, span_id, start_time, cost, cause``, all of one closed month."""
    (month,) = (
        name for name, closed_one in closed(connection).items() if closed_one.start <= window.start < closed_one.end
    )
    values = _booking(connection, project_id, window, {"month": month, **detail}, zone=zone)
    connection.execute(_BOOK.format(source=source).encode(), values)


def _booking(
    connection: Connection, project_id: int, window: Window, detail: dict[str, Any], *, zone: ZoneInfo
) -> dict[str, Any]:
    return {
        "project": project_id,
        "start": window.start,
        "end": window.end,
        "zone": zone.key,
        "detail": Jsonb(detail),
    }


def close(connection: Connection, month: str, *, actor: str, now: datetime, zone: ZoneInfo) -> None:
    """From now on what calls of ``month`` are booked at stands.

    Conflict while it has not ended, when it is closed already, or while spans of it wait to be settled.
    """
    window = month_window(month, zone)
    if now < window.end:
        raise Conflict(f"{month} ends at {window.end.isoformat()}; a month can be closed when it is over.")
    _lock_all(connection)
    connection.execute("LOCK TABLE ONLY span IN SHARE MODE")
    if month in closed(connection):
        raise Conflict(f"{month} is closed already.")
    waiting = connection.execute(
        "SELECT 1 FROM touched WHERE first_start < %s AND last_start >= %s LIMIT 1", (window.end, window.start)
    ).fetchone()
    if waiting:
        raise Conflict(f"Spans of {month} wait to be settled; try again in some seconds, with outlay worker running.")
    connection.execute(
        "INSERT INTO closed_month (month, starts, ends, closed_by) VALUES (%s, %s, %s, %s)",
        (month, window.start, window.end, actor),
    )


def reopen(connection: Connection, month: str, *, kept_since: datetime) -> None:
    """What was learnt since ``month`` was closed goes where it belongs, and the lines that stood for it are taken back.

    Conflict when calls of it are older than ``kept_since``: retention may have dropped what it would have to be written to.
    """
    _lock_all(connection)
    window = closed(connection).get(month)
    if window is None:
        raise NotFound(f"{month!r:.40} is not closed; outlay month list shows which are.")
    if window.start < kept_since:
        raise Conflict(f"Calls of {month} are kept no longer (OUTLAY_RETENTION), so it stays closed.")
    values = {
        "month": month,
        "start": window.start,
        "end": window.end,
        "detail": Jsonb({"month": month}),
    }
    connection.execute(_LOOK_AGAIN, values)
    connection.execute(_FOLD, values)
    connection.execute(_FOLD_ATTRIBUTION, values)
    connection.execute(_TAKE_BACK.encode(), values)
    connection.execute(_BRING_HOME.encode(), values)
    connection.execute("DELETE FROM adjusted_charge WHERE start_time >= %(start)s AND start_time < %(end)s", values)
    connection.execute(
        "DELETE FROM adjusted_attribution WHERE start_time >= %(start)s AND start_time < %(end)s", values
    )
    connection.execute("DELETE FROM closed_month WHERE month = %(month)s", values)


def _lock_all(connection: Connection) -> None:
    for (project_id,) in connection.execute("SELECT id FROM project ORDER BY id").fetchall():
        ledger.lock(connection, project_id)


def forget(connection: Connection, *, before: datetime) -> None:
    """Drop what is known beside calls that retention has dropped."""
    connection.execute("DELETE FROM adjusted_charge WHERE start_time < %s", (before,))
    connection.execute("DELETE FROM adjusted_attribution WHERE start_time < %s", (before,))


def listed(connection: Connection, project_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Months with any cost, newest first: ``booked`` and ``incurred``, and who closed them when."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT coalesce(summed.month, closed_month.month) AS month,
                   CASE WHEN closed_month.month IS NULL THEN 'open' ELSE 'closed' END AS state,
                   booked, incurred, closed_at, closed_by
              FROM (SELECT to_char(day, 'YYYY-MM') AS month, sum(cost) FILTER (WHERE basis < 2) AS booked,
                           sum(cost) FILTER (WHERE basis <> 1) AS incurred
                      FROM cost_day WHERE project_id = ANY(%s) GROUP BY 1) AS summed
              FULL JOIN closed_month ON closed_month.month = summed.month
             ORDER BY 1 DESC
            """,
            (list(project_ids),),
        ).fetchall()
