"""Events, alerts and their deliveries in the database. Transactions belong to the caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from outlay_collector.alerts.events import MESSAGES, Event, event_id
from outlay_collector.errors import BadRequest, Conflict, NotFound

Connection = psycopg.Connection[Any]

CHANNEL = "outlay_delivery"
"""Notified when there is something to deliver."""

_EVENT = """
INSERT INTO alert_event (id, project_id, type, severity, occurred_at, title, summary, link, dedup_key, resolves, data)
VALUES (%(id)s, %(project_id)s, %(type)s, %(severity)s, %(occurred_at)s, %(title)s, %(summary)s, %(link)s, %(dedup_key)s,
        %(resolves)s, %(data)s)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""

# What an alert says is what its latest event said; a person who has acknowledged it need not do so again, unless it got
# worse.
_OPEN = """
INSERT INTO alert (project_id, key, dedup_key, type, severity, title, summary, link, data, opened_at, last_event_at)
VALUES (%(project_id)s, %(key)s, %(dedup_key)s, %(type)s, %(severity)s, %(title)s, %(summary)s, %(link)s, %(data)s,
        %(occurred_at)s, %(occurred_at)s)
ON CONFLICT (key) WHERE state <> 'resolved' DO UPDATE
   SET type = excluded.type, severity = excluded.severity, title = excluded.title, summary = excluded.summary,
       link = excluded.link, data = excluded.data, events = alert.events + 1,
       last_event_at = greatest(alert.last_event_at, excluded.last_event_at),
       state = CASE WHEN alert.severity <> 'critical' AND excluded.severity = 'critical' THEN 'open' ELSE alert.state END
RETURNING id, events = 1
"""

_RESOLVE = """
UPDATE alert
   SET state = 'resolved', resolved_at = %(occurred_at)s, resolved_by = %(actor)s, events = events + 1,
       last_event_at = greatest(last_event_at, %(occurred_at)s)
 WHERE key = %(key)s AND state <> 'resolved'
RETURNING id
"""

_REMEMBER = "INSERT INTO alert_history (alert_id, action, actor, note, event_id) VALUES (%s, %s, %s, %s, %s)"

# Of the installation's own events nobody's project is the place: they go to the webhooks for all projects, and where
# there is none, to every webhook, for they are about everybody's figures.
_DELIVERIES = """
WITH wanted AS (
    SELECT id FROM webhook
     WHERE removed_at IS NULL AND disabled_at IS NULL
       AND CASE WHEN %(webhook_ids)s::uuid[] IS NOT NULL
                THEN id = ANY(%(webhook_ids)s::uuid[])
                     AND (project_id IS NULL OR %(project_id)s::integer IS NULL OR project_id = %(project_id)s)
                WHEN %(project_id)s::integer IS NOT NULL THEN project_id IS NULL OR project_id = %(project_id)s
                ELSE project_id IS NULL
                     OR NOT EXISTS (SELECT FROM webhook WHERE project_id IS NULL AND removed_at IS NULL
                                                          AND disabled_at IS NULL)
           END
), silence AS (
    SELECT EXISTS (SELECT FROM alert_mute WHERE key = %(key)s AND (until IS NULL OR until > now())) AS muted,
           (SELECT max(ends) FROM maintenance_window
             WHERE (project_id IS NULL OR project_id = %(project_id)s) AND starts <= now() AND ends > now()) AS held_until
)
INSERT INTO delivery (event_id, webhook_id, state, held, next_at, finished_at)
SELECT %(id)s, wanted.id, CASE WHEN muted THEN 'muted' ELSE 'pending' END, held_until IS NOT NULL,
       CASE WHEN muted THEN NULL ELSE coalesce(held_until, now()) END, CASE WHEN muted THEN now() END
  FROM wanted CROSS JOIN silence
"""


def send(connection: Connection, event: Event, webhook_ids: Sequence[UUID] | None = None) -> None:
    """Write an event down, with what it does to its alert and one delivery per webhook. The caller commits.

    ``webhook_ids``: whom to tell, of those that may know of the project; ``None`` for all of them. The same event sent
    again, by whomever, changes nothing.
    """
    row = {
        "id": event.id,
        "project_id": event.project_id,
        "key": alert_key(event.project_id, event.dedup_key),
        "dedup_key": event.dedup_key,
        "type": event.type,
        "severity": event.severity,
        "occurred_at": event.occurred_at,
        "title": event.title,
        "summary": event.summary,
        "link": event.link,
        "resolves": event.resolves,
        "data": Jsonb(dict(event.data)),
        "actor": "outlay",
        "webhook_ids": None if webhook_ids is None else list(webhook_ids),
    }
    if connection.execute(_EVENT, row).fetchone() is None:
        return
    if event.type not in MESSAGES:
        _turn(connection, event, row)
    if connection.execute(_DELIVERIES.encode(), row).rowcount:
        connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))


def alert_key(project_id: int | None, dedup_key: str) -> str:
    """What an alert is known by; ``-`` stands for the installation itself."""
    return f"{'-' if project_id is None else project_id}:{dedup_key}"


def _turn(connection: Connection, event: Event, row: dict[str, Any]) -> None:
    """Open, repeat or resolve the event's alert. What resolves an alert that nobody has opened leaves none."""
    if event.resolves:
        found = connection.execute(_RESOLVE, row).fetchone()
        action = "resolved"
    else:
        found = connection.execute(_OPEN, row).fetchone()
        action = "opened" if found and found[1] else "repeated"
    if found is not None:
        connection.execute(_REMEMBER, (found[0], action, "outlay", event.title, event.id))


_ALERT = """
alert.id, project.name AS project, alert.project_id, alert.dedup_key, alert.type, alert.severity, alert.state, alert.title,
alert.summary, alert.link, alert.data, alert.events, opened_at, last_event_at, acknowledged_at, acknowledged_by, resolved_at,
resolved_by, coalesce(alert_mute.until > now() OR (alert_mute.key IS NOT NULL AND alert_mute.until IS NULL), false) AS muted,
alert_mute.until AS muted_until
"""

_FROM = """
  FROM alert
  LEFT JOIN project ON project.id = alert.project_id
  LEFT JOIN alert_mute ON alert_mute.key = alert.key
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a reader may look at: these projects, and with ``for_all`` also what concerns the whole installation."""

    project_ids: Sequence[int]
    for_all: bool


def alerts(
    connection: Connection,
    seen: Seen,
    *,
    state: str | None = None,
    type_: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Newest first. ``state``: one of the three, or ``active`` for both that are not resolved. Those that stood at any
    time of ``[start, end)``."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            SELECT {_ALERT} {_FROM}
             WHERE (alert.project_id = ANY(%(projects)s) OR (%(for_all)s AND alert.project_id IS NULL))
               AND (%(state)s::text IS NULL OR alert.state = %(state)s
                    OR (%(state)s = 'active' AND alert.state <> 'resolved'))
               AND (%(type)s::text IS NULL OR alert.type = %(type)s)
               AND (%(start)s::timestamptz IS NULL OR coalesce(resolved_at, 'infinity') >= %(start)s)
               AND (%(end)s::timestamptz IS NULL OR opened_at < %(end)s)
               AND (%(before)s::timestamptz IS NULL OR opened_at < %(before)s)
             ORDER BY opened_at DESC, alert.id
             LIMIT %(limit)s
            """.encode(),
            {
                "projects": list(seen.project_ids),
                "for_all": seen.for_all,
                "state": state,
                "type": type_,
                "start": start,
                "end": end,
                "before": before,
                "limit": limit,
            },
        ).fetchall()


def alert(connection: Connection, seen: Seen, alert_id: UUID) -> dict[str, Any]:
    """One with its history. NotFound when there is none that the reader may see."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(f"SELECT {_ALERT} {_FROM} WHERE alert.id = %s".encode(), (alert_id,)).fetchone()
        if row is None or not (seen.for_all if row["project_id"] is None else row["project_id"] in seen.project_ids):
            raise NotFound(f"There is no alert {alert_id} that this key may see.")
        history = cursor.execute(
            "SELECT at, action, actor, note, event_id FROM alert_history WHERE alert_id = %s ORDER BY id", (alert_id,)
        ).fetchall()
    return row | {"history": history}


def acknowledge(connection: Connection, alert_id: UUID, *, actor: str, note: str | None, now: datetime) -> None:
    """Somebody looks after it. Conflict when it is over."""
    done = connection.execute(
        """
        UPDATE alert SET state = 'acknowledged', acknowledged_at = %s, acknowledged_by = %s
         WHERE id = %s AND state <> 'resolved'
        """,
        (now, actor, alert_id),
    ).rowcount
    if not done:
        raise Conflict(f"Alert {alert_id} is resolved already.")
    connection.execute(_REMEMBER, (alert_id, "acknowledged", actor, note, None))


def resolve(connection: Connection, alert_id: UUID, *, actor: str, note: str | None, now: datetime) -> None:
    """A person says that it is over; what is still so opens it again. Receivers that keep state are told. Conflict when it
    is over already."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT * FROM alert WHERE id = %s AND state <> 'resolved' FOR UPDATE", (alert_id,)
        ).fetchone()
    if row is None:
        raise Conflict(f"Alert {alert_id} is resolved already.")
    send(
        connection,
        Event(
            id=event_id(f"alert.resolved:{alert_id}"),
            type=row["type"],
            occurred_at=max(now, row["last_event_at"]),
            project_id=row["project_id"],
            severity=row["severity"],
            title=row["title"],
            summary=f"{actor} has resolved it." + (f" {note}" if note else ""),
            link=row["link"],
            dedup_key=row["dedup_key"],
            resolves=True,
        ),
    )
    connection.execute("UPDATE alert SET resolved_by = %s WHERE id = %s", (actor, alert_id))
    connection.execute(_REMEMBER, (alert_id, "resolved by hand", actor, note, None))


def mute(connection: Connection, alert_id: UUID, *, actor: str, until: datetime | None, reason: str | None) -> None:
    """Nobody is told of this alert, also when it opens again, until then; ``None``: until it is unmuted."""
    connection.execute(
        """
        INSERT INTO alert_mute (key, project_id, until, muted_by, reason)
        SELECT key, project_id, %s, %s, %s FROM alert WHERE id = %s
        ON CONFLICT (key) DO UPDATE SET until = excluded.until, muted_by = excluded.muted_by, muted_at = now(),
                                        reason = excluded.reason
        """,
        (until, actor, reason, alert_id),
    )
    connection.execute(_REMEMBER, (alert_id, "muted", actor, reason, None))


def unmute(connection: Connection, alert_id: UUID, *, actor: str) -> None:
    connection.execute(
        "DELETE FROM alert_mute USING alert WHERE alert.key = alert_mute.key AND alert.id = %s", (alert_id,)
    )
    connection.execute(_REMEMBER, (alert_id, "unmuted", actor, None, None))


def judge(connection: Connection, alert_id: UUID, *, actor: str, useful: bool, note: str | None) -> None:
    """What a person thinks of it; detectors ask fewer such questions where the answer was often no."""
    connection.execute(_REMEMBER, (alert_id, "useful" if useful else "not useful", actor, note, None))


def is_standing(connection: Connection, project_id: int | None, dedup_key: str) -> bool:
    """Whether an alert of this key is open or acknowledged."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM alert WHERE key = %s AND state <> 'resolved')", (alert_key(project_id, dedup_key),)
    ).fetchone()
    return bool(row and row[0])


def plan_maintenance(
    connection: Connection,
    *,
    project_id: int | None,
    starts: datetime,
    ends: datetime,
    reason: str | None,
    actor: str,
) -> UUID:
    """While a window lasts, nobody is told; afterwards they are told of what still stands. The new window's id."""
    if not starts < ends:
        raise BadRequest(f"A maintenance window ends after it starts; got {starts} to {ends}.")
    row = connection.execute(
        """
        INSERT INTO maintenance_window (project_id, starts, ends, reason, created_by) VALUES (%s, %s, %s, %s, %s)
        RETURNING id
        """,
        (project_id, starts, ends, reason, actor),
    ).fetchone()
    assert row is not None
    return row[0]


def maintenance(connection: Connection, seen: Seen) -> list[dict[str, Any]]:
    """Windows that are not over yet, soonest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT maintenance_window.id, project.name AS project, starts, ends, reason, created_by
              FROM maintenance_window LEFT JOIN project ON project.id = project_id
             WHERE ends > now() AND (project_id = ANY(%s) OR project_id IS NULL)
             ORDER BY starts, maintenance_window.id
            """,
            (list(seen.project_ids),),
        ).fetchall()


def end_maintenance(connection: Connection, seen: Seen, window_id: UUID) -> None:
    """Ends it now, or before it began; what it held back is told. NotFound when there is none to end."""
    row = connection.execute(
        """
        DELETE FROM maintenance_window
         WHERE id = %s AND ends > now() AND (project_id = ANY(%s) OR (%s AND project_id IS NULL))
        RETURNING project_id
        """,
        (window_id, list(seen.project_ids), seen.for_all),
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no maintenance window {window_id} that this key may end.")
    connection.execute(
        """
        UPDATE delivery SET next_at = now()
          FROM alert_event AS event
         WHERE event.id = event_id AND delivery.state = 'pending' AND held AND next_at > now()
           AND (%(project)s::integer IS NULL OR event.project_id = %(project)s)
           AND NOT EXISTS (SELECT FROM maintenance_window AS other
                            WHERE (other.project_id IS NULL OR other.project_id = event.project_id)
                              AND other.starts <= now() AND other.ends > now())
        """,
        {"project": row[0]},
    )
    connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
