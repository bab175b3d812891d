"""Dead letters in the database. Transactions belong to the caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from outlay_collector.ledger.buckets import Window
from outlay_collector.receive.deadletters.retry import Outcome
from outlay_collector.receive.store import storable

Connection = psycopg.Connection[Any]

MOST_KEPT = 100_000
"""Letters kept of a project; of more, the oldest go."""

_ROW = """
dead_letter.id, received_at, project.name AS project, api_key, signal, reason, detail, encoding,
coalesce(length(payload), 0) AS bytes, retried_at, attempted_at, attempt_detail
"""


def letters(
    connection: Connection,
    project_ids: Sequence[int],
    *,
    window: Window,
    reason: str | None = None,
    retried: bool | None = None,
    before_id: int | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """Newest first, without their payloads. ``retried``: accepted after all, or not; ``None`` for both."""
    condition, parameters = _asked(project_ids, window, reason)
    statement = f"""
SELECT {_ROW}
  FROM dead_letter JOIN project ON project.id = project_id
 WHERE {condition}
   AND (%(retried)s::boolean IS NULL OR (retried_at IS NOT NULL) = %(retried)s)
   AND (%(before_id)s::bigint IS NULL OR dead_letter.id < %(before_id)s)
 ORDER BY dead_letter.id DESC
 LIMIT %(limit)s
"""
    parameters |= {"retried": retried, "before_id": before_id, "limit": limit}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), parameters).fetchall()


def open_ids(
    connection: Connection, project_ids: Sequence[int], *, window: Window, reason: str | None = None
) -> list[int]:
    """Those that were not accepted yet, oldest first."""
    condition, parameters = _asked(project_ids, window, reason)
    statement = f"SELECT id FROM dead_letter WHERE {condition} AND retried_at IS NULL ORDER BY id"
    return [letter_id for (letter_id,) in connection.execute(statement.encode(), parameters).fetchall()]


def by_reason(
    connection: Connection, project_ids: Sequence[int], *, window: Window, reason: str | None = None
) -> list[dict[str, Any]]:
    """How many letters there are of each reason, how many were accepted after all, and what the last one says."""
    condition, parameters = _asked(project_ids, window, reason)
    statement = f"""
SELECT reason, count(*) AS letters, count(retried_at) AS retried, max(received_at) AS last_received_at,
       (array_agg(detail ORDER BY id DESC))[1] AS sample
  FROM dead_letter
 WHERE {condition}
 GROUP BY reason
 ORDER BY letters DESC, reason
"""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), parameters).fetchall()


def letter(connection: Connection, project_ids: Sequence[int], letter_id: int) -> dict[str, Any] | None:
    """One with its payload."""
    statement = f"""
SELECT {_ROW}, payload
  FROM dead_letter JOIN project ON project.id = project_id
 WHERE project_id = ANY(%s) AND dead_letter.id = %s
"""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), (list(project_ids), letter_id)).fetchone()


def to_retry(connection: Connection, project_ids: Sequence[int], ids: Iterable[int]) -> list[dict[str, Any]]:
    """Those of ``ids`` that were not accepted yet, with what retrying takes, oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT dead_letter.id, dead_letter.project_id, signal, encoding, payload, api_key,
                   api_key.id IS NOT NULL AND api_key.project_id IS NULL AS for_all_projects
              FROM dead_letter LEFT JOIN api_key ON api_key.id = dead_letter.api_key
             WHERE dead_letter.project_id = ANY(%s) AND dead_letter.id = ANY(%s) AND retried_at IS NULL
             ORDER BY dead_letter.id
            """,
            (list(project_ids), list(ids)),
        ).fetchall()


def mark(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Write down what became of a retry. An accepted letter is counted in the hour in which it had been refused."""
    connection.execute(
        """
        WITH accepted AS (
            UPDATE dead_letter SET retried_at = now()
             WHERE id = ANY(%s) AND retried_at IS NULL
            RETURNING project_id, reason, received_at
        )
        INSERT INTO ingest_count (project_id, hour, name, n)
        SELECT project_id, date_trunc('hour', received_at), 'retried:' || reason, count(*)
          FROM accepted
         GROUP BY 1, 2, 3
        ON CONFLICT (project_id, hour, name) DO UPDATE SET n = ingest_count.n + excluded.n
        """,
        ([outcome.id for outcome in outcomes if outcome.accepted],),
    )
    refused = [(storable(outcome.detail), outcome.id) for outcome in outcomes if not outcome.accepted]
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE dead_letter SET attempted_at = now(), attempt_detail = %s WHERE id = %s", refused)


def forget(connection: Connection, *, now: datetime, retention: timedelta) -> int:
    """Drop letters past retention, and the oldest of projects that have too many; how many went."""
    old = connection.execute("DELETE FROM dead_letter WHERE received_at < %s", (now - retention,)).rowcount
    many = connection.execute(
        """
        DELETE FROM dead_letter
         USING (SELECT project_id, (array_agg(id ORDER BY id DESC))[%(kept)s] AS last
                  FROM dead_letter GROUP BY project_id HAVING count(*) > %(kept)s) AS full_of_them
         WHERE dead_letter.project_id = full_of_them.project_id AND dead_letter.id < full_of_them.last
        """,
        {"kept": MOST_KEPT},
    ).rowcount
    return old + many


def _asked(project_ids: Sequence[int], window: Window, reason: str | None) -> tuple[str, dict[str, Any]]:
    condition = (
        "project_id = ANY(%(project_ids)s) AND received_at >= %(start)s AND received_at < %(end)s"
        " AND (%(reason)s::text IS NULL OR reason = %(reason)s)"
    )
    parameters = {"project_ids": list(project_ids), "start": window.start, "end": window.end, "reason": reason}
    return condition, parameters
