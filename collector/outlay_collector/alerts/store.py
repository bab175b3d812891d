"""Events, alerts and their deliveries in the database. Transactions belong to the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from outlay_collector.alerts.events import TEST, Event

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
    if event.type != TEST:
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
