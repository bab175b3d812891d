"""Credits in the database, and what use has drawn from them. Transactions belong to the caller."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg import errors
from psycopg.rows import dict_row

from outlay_collector.costs.credits.drawdown import Grant, Use, by_month, drawn
from outlay_collector.costs.entries import midnight
from outlay_collector.errors import BadRequest, Conflict, NotFound
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Interval, Question
from outlay_collector.pricing.price import difference, plus

Connection = psycopg.Connection[Any]


def add(connection: Connection, project_id: int, grant: Grant, *, actor: str) -> None:
    """Conflict when the key is known; BadRequest when it can never be used."""
    if grant.end <= grant.start or grant.amount <= 0:
        raise BadRequest(f"Credit {grant.key!r}: an amount above zero, and a last day after its first.")
    try:
        with connection.transaction():
            connection.execute(
                "INSERT INTO credit_grant (project_id, key, provider, amount, starts, ends, created_by)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (project_id, grant.key, grant.provider, grant.amount, grant.start, grant.end, actor),
            )
    except errors.UniqueViolation as error:
        raise Conflict(
            f"Credit {grant.key!r} is entered already; remove it first, or give this another key."
        ) from error


def remove(connection: Connection, project_id: int, key: str) -> None:
    """As if it had never been bought. NotFound when there is none."""
    done = connection.execute(
        "UPDATE credit_grant SET removed_at = clock_timestamp()"
        " WHERE project_id = %s AND key = %s AND removed_at IS NULL RETURNING id",
        (project_id, key),
    ).fetchone()
    if done is None:
        raise NotFound(f"There is no credit {key!r:.80}; outlay cost credit list names them.")


def told(connection: Connection, project_id: int, *, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """A project's credits with what is left of them, and its months as effective and as billed."""
    grants = _grants(connection, project_id)
    if not grants:
        return {"credits": [], "months": []}
    today = now.astimezone(zone).date()
    uses = _uses(connection, project_id, min(grant.start for grant in grants).replace(day=1), now=now, zone=zone)
    paid = drawn(grants, uses)
    return {
        "credits": [_balance(grant, paid, today) for grant in grants],
        "months": [
            {
                "month": one.month,
                "effective_cost": format(one.effective, "f"),
                "drawn": format(one.drawn, "f"),
                "bought": format(one.bought, "f"),
                "billed_cost": format(one.billed, "f"),
            }
            for one in by_month(grants, uses, paid)
        ],
    }


def _balance(grant: Grant, paid: dict[tuple[str, date], Decimal], today: date) -> dict[str, Any]:
    used = Decimal(0)
    for (key, _), part in paid.items():
        used = (plus(used, part) or used) if key == grant.key else used
    rest = difference(used, grant.amount)
    over = grant.end <= today
    return {
        "key": grant.key,
        "provider": grant.provider,
        "amount": format(grant.amount, "f"),
        "from": grant.start,
        "to": grant.end,
        "drawn": format(used, "f"),
        "left": format(Decimal(0) if over else rest, "f"),
        "expired": format(rest if over else Decimal(0), "f"),
    }


def _grants(connection: Connection, project_id: int) -> list[Grant]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "SELECT key, provider, amount, starts, ends FROM credit_grant"
            " WHERE project_id = %s AND removed_at IS NULL ORDER BY starts, key",
            (project_id,),
        ).fetchall()
    return [
        Grant(key=row["key"], provider=row["provider"], amount=row["amount"], start=row["starts"], end=row["ends"])
        for row in rows
    ]


def _uses(connection: Connection, project_id: int, since: date, *, now: datetime, zone: ZoneInfo) -> list[Use]:
    start = midnight(since, zone)
    if start >= now:
        return []
    question = Question(
        project_ids=(project_id,), window=Window(start, now), interval=Interval.DAY, zone=zone, group_by=("provider",)
    )
    rows = reads.spend(connection, question, reads.plan(connection, question, zone, now), zone.key)
    return [
        Use(row["period_start"].astimezone(zone).date(), row["provider"] or "", row["cost"])
        for row in rows
        if row["cost"] is not None
    ]
