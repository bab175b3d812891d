"""Webhooks, their deliveries and every attempt, in the database. Transactions belong to the caller, but for ``claim``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from outlay_collector.access.store import note
from outlay_collector.alerts.events import TEST, Event, event_id
from outlay_collector.alerts.store import CHANNEL, alert_key, send
from outlay_collector.alerts.webhooks import signing
from outlay_collector.alerts.webhooks.adapters import DIGESTING, KINDS, Receiver, render
from outlay_collector.alerts.webhooks.adapters.email import recipients
from outlay_collector.alerts.webhooks.addresses import masked, target
from outlay_collector.alerts.webhooks.message import Message
from outlay_collector.alerts.webhooks.schedule import DISABLE_AFTER, Outcome, next_attempt, rest
from outlay_collector.errors import BadRequest, Conflict, NotFound

Connection = psycopg.Connection[Any]

LEASE = timedelta(seconds=60)
"""Longer than an attempt may take. A worker that dies in the middle is taken for dead after so long, and what it was
delivering is delivered again under the same id."""

DIGEST_OVER = 5
"""More new events than this at once are one message to receivers that people read."""

MOST_WEBHOOKS = 200

_WEBHOOK = """
webhook.id, project.name AS project, kind, url, webhook.name, webhook.created_at, created_by, disabled_at, disabled_reason,
failing_since, failures, previous_secret_until,
(SELECT count(*) FROM delivery WHERE webhook_id = webhook.id AND state = 'pending') AS pending
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewWebhook:
    kind: str
    url: str
    name: str | None = None
    routing_key: str | None = None


def checked(new: NewWebhook) -> NewWebhook:
    """With its URL as it is stored. BadRequest when its kind, URL or routing key is none."""
    if new.kind not in KINDS:
        raise BadRequest(f"A webhook's kind is one of {', '.join(KINDS)}; got {new.kind!r:.40}.")
    url = new.url.strip()
    if new.kind == "email":
        url = url if url.startswith("mailto:") else f"mailto:{url}"
        recipients(url)
    else:
        target(url)
    key = (new.routing_key or "").strip() or None
    if new.kind == "pagerduty" and (key is None or len(key) != 32 or not key.isalnum()):
        raise BadRequest("A webhook of kind pagerduty needs the routing key of its integration: 32 letters and digits.")
    return NewWebhook(kind=new.kind, url=url, name=new.name, routing_key=key if new.kind == "pagerduty" else None)


def add(connection: Connection, new: NewWebhook, *, project_id: int | None, actor: str) -> tuple[UUID, str]:
    """The new webhook's id, and its secret, which is shown this once. Its addresses are the caller's to look at."""
    new = checked(new)
    (many,) = connection.execute(
        "SELECT count(*) FROM webhook WHERE project_id IS NOT DISTINCT FROM %s AND removed_at IS NULL", (project_id,)
    ).fetchone() or (0,)
    if many >= MOST_WEBHOOKS:
        raise Conflict(f"There are {many} webhooks already, as many as there may be; remove one first.")
    secret = signing.new_secret()
    row = connection.execute(
        """
        INSERT INTO webhook (project_id, kind, url, name, routing_key, secret, created_by)
        VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (project_id, new.kind, new.url, new.name, new.routing_key, secret, actor),
    ).fetchone()
    assert row is not None
    note(connection, actor, "webhook.add", str(row[0]), {"kind": new.kind, "url": masked(new.url)})
    return row[0], secret


def listed(connection: Connection, project_ids: Sequence[int], *, for_all: bool) -> list[dict[str, Any]]:
    """Webhooks of these projects, and with ``for_all`` those of all projects, oldest first; without secrets."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            f"""
            SELECT {_WEBHOOK}
              FROM webhook LEFT JOIN project ON project.id = webhook.project_id
             WHERE removed_at IS NULL AND (project_id = ANY(%s) OR (%s AND project_id IS NULL))
             ORDER BY webhook.created_at, webhook.id
            """.encode(),
            (list(project_ids), for_all),
        ).fetchall()
    return [row | {"url": masked(row["url"])} for row in rows]


def project_of(connection: Connection, webhook_id: UUID) -> int | None:
    """NotFound when there is no such webhook (any more)."""
    row = connection.execute(
        "SELECT project_id FROM webhook WHERE id = %s AND removed_at IS NULL", (webhook_id,)
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no webhook {webhook_id}; `outlay webhook list` shows all.")
    return row[0]


def remove(connection: Connection, webhook_id: UUID, *, actor: str) -> None:
    """Nothing is delivered to it any more; its log stays."""
    project_of(connection, webhook_id)
    connection.execute("UPDATE webhook SET removed_at = now() WHERE id = %s", (webhook_id,))
    connection.execute(
        """
        UPDATE delivery SET state = 'failed', next_at = NULL, finished_at = now(), last_error = 'The webhook was removed.'
         WHERE webhook_id = %s AND state = 'pending'
        """,
        (webhook_id,),
    )
    note(connection, actor, "webhook.remove", str(webhook_id))


def rotate(connection: Connection, webhook_id: UUID, *, now: datetime, actor: str) -> str:
    """A new secret, shown this once. For a day messages are signed with the old one too."""
    project_of(connection, webhook_id)
    secret = signing.new_secret()
    connection.execute(
        """
        UPDATE webhook SET previous_secret = secret, previous_secret_until = %s, secret = %s WHERE id = %s
        """,
        (now + signing.ROTATION, secret, webhook_id),
    )
    note(connection, actor, "webhook.rotate", str(webhook_id))
    return secret


def enable(connection: Connection, webhook_id: UUID, *, actor: str) -> None:
    """Deliver to it again. What was given up meanwhile can be replayed."""
    project_of(connection, webhook_id)
    connection.execute(
        """
        UPDATE webhook
           SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL, failures = 0, rests_until = NULL
         WHERE id = %s
        """,
        (webhook_id,),
    )
    note(connection, actor, "webhook.enable", str(webhook_id))


def try_out(connection: Connection, webhook_id: UUID, *, now: datetime, actor: str) -> UUID:
    """A test event for this webhook alone; its delivery's id. Opens no alert."""
    project_id = project_of(connection, webhook_id)
    (number,) = connection.execute("SELECT gen_random_uuid()").fetchone() or (None,)
    event = Event(
        id=event_id(f"{TEST}:{number}"),
        type=TEST,
        occurred_at=now,
        project_id=project_id,
        severity="info",
        title="A test from Outlay",
        summary=f"{actor} asked for this message. When alerts open, they arrive like this.",
        link="/alerts",
        dedup_key=f"{TEST}:{webhook_id}",
    )
    send(connection, event, [webhook_id])
    row = connection.execute(
        "SELECT id FROM delivery WHERE event_id = %s AND webhook_id = %s", (event.id, webhook_id)
    ).fetchone()
    if row is None:
        raise Conflict(f"Webhook {webhook_id} is disabled; enable it first.")
    # A test is asked for now; no window and no rest of the receiver holds it up.
    connection.execute("UPDATE delivery SET next_at = %s, held = false WHERE id = %s", (now, row[0]))
    connection.execute("UPDATE webhook SET rests_until = NULL WHERE id = %s", (webhook_id,))
    return row[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """A delivery on its way: the frozen body, and how to sign and address it."""

    delivery_id: UUID
    event_id: UUID
    webhook_id: UUID
    project_id: int | None
    kind: str
    url: str
    body: bytes
    attempt: int
    secrets: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ours:
    """What messages say of ourselves: where the dashboard is, and whom e-mail comes from."""

    dashboard_url: str
    smtp_from: str


_FREE = """
SELECT webhook.id
  FROM webhook
 WHERE removed_at IS NULL AND disabled_at IS NULL
   AND coalesce(leased_until, '-infinity') <= %(now)s AND coalesce(rests_until, '-infinity') <= %(now)s
   AND (%(only)s::uuid IS NULL OR webhook.id = %(only)s)
   AND EXISTS (SELECT FROM delivery WHERE webhook_id = webhook.id AND state = 'pending' AND next_at <= %(now)s)
 ORDER BY leased_until NULLS FIRST
 LIMIT %(limit)s
   FOR UPDATE SKIP LOCKED
"""

_NEXT = """
SELECT id FROM delivery
 WHERE webhook_id = %(webhook)s AND state = 'pending' AND next_at <= %(now)s
   AND (%(delivery)s::uuid IS NULL OR id = %(delivery)s)
 ORDER BY next_at, created_at, id
 LIMIT 1
"""

# A delivery that was held back by a maintenance window until its alert was over has nothing left to tell; nor has the
# end of an alert of whose beginning this receiver never heard.
_STALE = """
UPDATE delivery SET state = 'muted', next_at = NULL, finished_at = %(now)s, last_error = 'It was over when it could be told.'
  FROM alert_event AS event
 WHERE delivery.webhook_id = %(webhook)s AND delivery.state = 'pending' AND delivery.held AND delivery.next_at <= %(now)s
   AND event.id = delivery.event_id
   AND EXISTS (
       SELECT FROM alert_event AS other
        WHERE other.dedup_key = event.dedup_key AND other.project_id IS NOT DISTINCT FROM event.project_id
          AND other.resolves <> event.resolves AND other.id <> event.id
          AND CASE WHEN event.resolves
                   THEN NOT EXISTS (SELECT FROM delivery AS told WHERE told.event_id = other.id
                                       AND told.webhook_id = delivery.webhook_id AND told.attempts > 0)
                   ELSE other.created_at > event.created_at END)
"""

_SPEAK = """
SELECT event.id, event.type, event.occurred_at, event.project_id, project.name AS project, event.severity, event.title,
       event.summary, event.link, event.dedup_key, event.resolves, event.data,
       coalesce((SELECT max(opened_at) FROM alert WHERE key = event_key.key AND opened_at <= event.occurred_at),
                event.occurred_at) AS since
  FROM delivery
  JOIN alert_event AS event ON event.id = delivery.event_id
  LEFT JOIN project ON project.id = event.project_id
 CROSS JOIN LATERAL (SELECT coalesce(event.project_id::text, '-') || ':' || event.dedup_key AS key) AS event_key
 WHERE delivery.id = ANY(%s)
 ORDER BY delivery.created_at, delivery.id
"""


def claim(
    connection: Connection,
    *,
    now: datetime,
    limit: int,
    ours: Ours,
    only: UUID | None = None,
    delivery: UUID | None = None,
) -> list[Parcel]:
    """One due delivery of each receiver that nobody delivers to, its body frozen. Commits.

    From then on they are ours until the lease ends; any number of workers can ask at once. ``only`` names a receiver,
    ``delivery`` what it is to get next.
    """
    parcels: list[Parcel] = []
    free = connection.execute(_FREE.encode(), {"now": now, "limit": limit, "only": only}).fetchall()
    for (webhook_id,) in free:
        connection.execute(_STALE.encode(), {"webhook": webhook_id, "now": now})
        found = connection.execute(_NEXT, {"webhook": webhook_id, "now": now, "delivery": delivery}).fetchone()
        if found is not None:
            parcels.append(_take(connection, webhook_id, found[0], now, ours))
    connection.commit()
    return parcels


def _take(connection: Connection, webhook_id: UUID, delivery_id: UUID, now: datetime, ours: Ours) -> Parcel:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            """
            UPDATE webhook SET leased_until = %s
              FROM delivery
             WHERE webhook.id = %s AND delivery.id = %s
            RETURNING webhook.kind, url, routing_key, secret, webhook.project_id, delivery.event_id, delivery.attempts, body,
                      CASE WHEN previous_secret_until > %s THEN previous_secret END AS previous_secret
            """,
            (now + LEASE, webhook_id, delivery_id, now),
        ).fetchone()
    assert row is not None
    body = row["body"]
    if body is None:
        receiver = Receiver(
            kind=row["kind"],
            url=row["url"],
            dashboard_url=ours.dashboard_url,
            routing_key=row["routing_key"],
            sender=ours.smtp_from,
        )
        body = _freeze(connection, receiver, webhook_id, delivery_id, now)
    return Parcel(
        delivery_id=delivery_id,
        event_id=row["event_id"],
        webhook_id=webhook_id,
        project_id=row["project_id"],
        kind=row["kind"],
        url=row["url"],
        body=bytes(body),
        attempt=row["attempts"] + 1,
        secrets=tuple(secret for secret in (row["secret"], row["previous_secret"]) if secret),
    )


def _freeze(connection: Connection, receiver: Receiver, webhook_id: UUID, delivery_id: UUID, now: datetime) -> bytes:
    """The delivery's message, written down before anybody sees it; where many wait for people, it tells of all of them."""
    together = [delivery_id]
    if receiver.kind in DIGESTING:
        waiting = connection.execute(
            """
            SELECT id FROM delivery
             WHERE webhook_id = %s AND state = 'pending' AND next_at <= %s AND body IS NULL AND id <> %s
            """,
            (webhook_id, now, delivery_id),
        ).fetchall()
        if len(waiting) >= DIGEST_OVER:
            together += [one for (one,) in waiting]
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SPEAK, (together,)).fetchall()
    body = render(receiver, [_message(row, receiver.dashboard_url) for row in rows])
    connection.execute("UPDATE delivery SET body = %s WHERE id = %s", (body, delivery_id))
    connection.execute(
        "UPDATE delivery SET digest_of = %s, next_at = NULL WHERE id = ANY(%s)", (delivery_id, together[1:])
    )
    return body


def _message(row: dict[str, Any], dashboard_url: str) -> Message:
    return Message(
        id=row["id"],
        type=row["type"],
        occurred_at=row["occurred_at"],
        since=row["since"],
        project=row["project"],
        severity=row["severity"],
        title=row["title"],
        summary=row["summary"],
        url=f"{dashboard_url.rstrip('/')}{row['link']}",
        key=alert_key(row["project_id"], row["dedup_key"]),
        resolves=row["resolves"],
        data=row["data"],
    )


def finish(connection: Connection, parcel: Parcel, outcome: Outcome, *, now: datetime, chance: float) -> str | None:
    """Write an attempt down, and when there is another one. Why the receiver was disabled by it, if it was."""
    again = next_attempt(parcel.attempt, outcome, now, chance=chance)
    delivered = outcome.verdict == "delivered"
    state = "delivered" if delivered else "failed" if again is None else "pending"
    # The receiver first, as ``claim`` does, so that nobody waits for each other.
    row = connection.execute(
        """
        UPDATE webhook
           SET leased_until = NULL,
               failures = CASE WHEN %(delivered)s THEN 0 ELSE failures + 1 END,
               failing_since = CASE WHEN %(delivered)s THEN NULL ELSE coalesce(failing_since, %(now)s) END
         WHERE id = %(id)s
        RETURNING failures, failing_since
        """,
        {"id": parcel.webhook_id, "delivered": delivered, "now": now},
    ).fetchone()
    connection.execute(
        """
        INSERT INTO delivery_attempt (delivery_id, number, at, duration_ms, status, error, answer)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (
            parcel.delivery_id,
            parcel.attempt,
            now - timedelta(milliseconds=outcome.duration_ms),
            outcome.duration_ms,
            outcome.status,
            outcome.error,
            outcome.answer,
        ),
    )
    connection.execute(
        """
        UPDATE delivery
           SET state = %(state)s, attempts = CASE WHEN id = %(id)s THEN %(attempt)s ELSE attempts END,
               next_at = CASE WHEN id = %(id)s THEN %(again)s::timestamptz END, last_status = %(status)s,
               last_error = %(error)s, finished_at = CASE WHEN %(state)s <> 'pending' THEN %(now)s::timestamptz END
         WHERE (id = %(id)s OR digest_of = %(id)s) AND state = 'pending'
        """,
        {
            "id": parcel.delivery_id,
            "state": state,
            "attempt": parcel.attempt,
            "again": again,
            "status": outcome.status,
            "error": outcome.error,
            "now": now,
        },
    )
    if row is None or delivered:
        return None
    failures, failing_since = row
    connection.execute(
        "UPDATE webhook SET rests_until = %s WHERE id = %s", (rest(failures, outcome, now), parcel.webhook_id)
    )
    if outcome.verdict == "gone":
        return _disable(connection, parcel, "The receiver answered 410: it is gone for good.", now)
    if now - failing_since >= DISABLE_AFTER:
        return _disable(connection, parcel, f"It has taken nothing for {DISABLE_AFTER.days} days.", now)
    return None


def _disable(connection: Connection, parcel: Parcel, reason: str, now: datetime) -> str:
    """Give the receiver up, and tell the others of its project."""
    connection.execute(
        "UPDATE webhook SET disabled_at = %s, disabled_reason = %s WHERE id = %s AND disabled_at IS NULL",
        (now, reason, parcel.webhook_id),
    )
    connection.execute(
        """
        UPDATE delivery SET state = 'failed', next_at = NULL, finished_at = %s, last_error = %s
         WHERE webhook_id = %s AND state = 'pending'
        """,
        (now, f"The webhook was disabled. {reason}", parcel.webhook_id),
    )
    send(
        connection,
        Event(
            id=event_id(f"webhook.disabled:{parcel.webhook_id}:{now.isoformat()}"),
            type="webhook.disabled",
            occurred_at=now,
            project_id=parcel.project_id,
            severity="warning",
            title=f"A webhook is disabled: {masked(parcel.url)}",
            summary=f"{reason} Nothing is delivered to it until it is enabled again; what it missed can be replayed.",
            link="/alerts?show=deliveries",
            dedup_key=f"webhook.disabled:{parcel.webhook_id}",
            data={"webhook": str(parcel.webhook_id), "kind": parcel.kind, "runbook": "webhook-disabled"},
        ),
    )
    return reason


_DELIVERY = """
delivery.id, delivery.event_id, webhook_id, webhook.kind, url, webhook.name AS webhook, project.name AS project,
event.type, event.severity, event.title, event.resolves, delivery.state, attempts, next_at, digest_of, delivery.created_at,
finished_at, last_status, last_error
"""

_LOG = """
  FROM delivery
  JOIN alert_event AS event ON event.id = delivery.event_id
  JOIN webhook ON webhook.id = delivery.webhook_id
  LEFT JOIN project ON project.id = event.project_id
"""


def deliveries(
    connection: Connection,
    project_ids: Sequence[int],
    *,
    for_all: bool,
    webhook_id: UUID | None = None,
    event: UUID | None = None,
    state: str | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Newest first: deliveries to webhooks of these projects, and with ``for_all`` to those of all projects."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            f"""
            SELECT {_DELIVERY} {_LOG}
             WHERE (webhook.project_id = ANY(%(projects)s) OR (%(for_all)s AND webhook.project_id IS NULL))
               AND (%(webhook)s::uuid IS NULL OR webhook_id = %(webhook)s)
               AND (%(event)s::uuid IS NULL OR delivery.event_id = %(event)s)
               AND (%(state)s::text IS NULL OR delivery.state = %(state)s)
               AND (%(before)s::timestamptz IS NULL OR delivery.created_at < %(before)s)
             ORDER BY delivery.created_at DESC, delivery.id
             LIMIT %(limit)s
            """.encode(),
            {
                "projects": list(project_ids),
                "for_all": for_all,
                "webhook": webhook_id,
                "event": event,
                "state": state,
                "before": before,
                "limit": limit,
            },
        ).fetchall()
    return [row | {"url": masked(row["url"])} for row in rows]


def delivery(connection: Connection, delivery_id: UUID) -> dict[str, Any]:
    """One with its body and every attempt, and the project of its webhook. NotFound when there is none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            f"""
            SELECT {_DELIVERY}, webhook.project_id AS webhook_project_id, routing_key, convert_from(body, 'UTF8') AS body
                   {_LOG} WHERE delivery.id = %s
            """.encode(),
            (delivery_id,),
        ).fetchone()
        if row is None:
            raise NotFound(f"There is no delivery {delivery_id}; `outlay webhook deliveries` shows the newest.")
        tries = cursor.execute(
            """
            SELECT number, at, duration_ms, status, error, answer FROM delivery_attempt WHERE delivery_id = %s ORDER BY id
            """,
            (delivery_id,),
        ).fetchall()
    key = row.pop("routing_key")
    if key and row["body"]:
        row["body"] = row["body"].replace(key, f"…{key[-4:]}")
    return row | {"url": masked(row["url"]), "attempts_made": tries}


def replay(connection: Connection, delivery_id: UUID, *, actor: str) -> None:
    """Deliver again from the first attempt on: the same id and, if it was ever sent, the same bytes. Conflict if it is due."""
    row = connection.execute(
        """
        SELECT delivery.state, webhook.disabled_at IS NOT NULL, webhook.removed_at IS NOT NULL, webhook.id
          FROM delivery JOIN webhook ON webhook.id = webhook_id WHERE delivery.id = %s FOR UPDATE OF delivery
        """,
        (delivery_id,),
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id}; `outlay webhook deliveries` shows the newest.")
    state, disabled, removed, webhook_id = row
    if removed or disabled:
        raise Conflict(f"Webhook {webhook_id} is {'removed' if removed else 'disabled; enable it first'}.")
    if state == "pending":
        raise Conflict(f"Delivery {delivery_id} is still being tried; there is nothing to replay yet.")
    connection.execute(
        """
        UPDATE delivery
           SET state = 'pending', attempts = 0, next_at = now(), finished_at = NULL, digest_of = NULL, held = false
         WHERE id = %s
        """,
        (delivery_id,),
    )
    connection.execute("UPDATE webhook SET rests_until = NULL WHERE id = %s", (webhook_id,))
    connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))
    note(connection, actor, "delivery.replay", str(delivery_id))


def lag_seconds(connection: Connection) -> float:
    """By how much the delivery that waits for longest is overdue; 0 when none is. Receivers that rest are not waited for."""
    row = connection.execute(
        """
        SELECT extract(epoch FROM now() - min(next_at))
          FROM delivery JOIN webhook ON webhook.id = webhook_id
         WHERE state = 'pending' AND next_at <= now() AND disabled_at IS NULL AND removed_at IS NULL
           AND coalesce(leased_until, '-infinity') <= now() AND coalesce(rests_until, '-infinity') <= now()
        """
    ).fetchone()
    return float(row[0]) if row and row[0] is not None else 0.0


def forget(connection: Connection, *, before: datetime) -> int:
    """Drop events of before, with their deliveries and alerts that are over; how many events went."""
    connection.execute("DELETE FROM alert WHERE state = 'resolved' AND last_event_at < %s", (before,))
    return connection.execute(
        """
        DELETE FROM alert_event WHERE created_at < %s
           AND NOT EXISTS (SELECT FROM delivery WHERE event_id = alert_event.id AND state = 'pending')
        """,
        (before,),
    ).rowcount
