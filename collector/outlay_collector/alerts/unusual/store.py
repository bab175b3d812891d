"""Looks for unusual spend in the ledger's sums. Transactions belong to the caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import psycopg

from outlay_collector.alerts.events import Event, event_id
from outlay_collector.alerts.store import is_standing, send
from outlay_collector.alerts.unusual.cause import DIMENSIONS, Place, main_effect, place
from outlay_collector.alerts.unusual.detect import HISTORY_HOURS, Hours, Verdict, gate, unusual
from outlay_collector.alerts.unusual.findings import RUNAWAY, UNUSUAL, Finding, Scope, runaway
from outlay_collector.alerts.unusual.runaway import MINUTES, Spender, runs_away
from outlay_collector.ledger.bridge import bridge
from outlay_collector.ledger.buckets import HOUR, Window, hour_of
from outlay_collector.ledger.reads import store as ledger
from outlay_collector.ledger.reads.question import Basis, Interval, Question, sources
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.worth import worth_at

Connection = psycopg.Connection[Any]

PARTS = ("feature", "model")
"""Beside the whole project, values of these are looked at by themselves: what nets out in a total shows in a part."""

MOST_PARTS = 20

QUIET = timedelta(hours=24)
"""An incident that was told is over when nothing unusual was seen for so long; until then only one twice as large is told."""

_MONTH_HOURS = 30 * 24
_CAUSE = (*DIMENSIONS, "provider")
_BRIDGED = ("feature", "provider", "model")


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What looking takes beside the database."""

    now: datetime
    zone: ZoneInfo
    currency: str
    floor: Decimal
    book: Callable[[], Book]


def busy(connection: Connection, *, since: datetime) -> list[tuple[int, str]]:
    """Projects with spend since then, by id and name."""
    return connection.execute(
        """
        SELECT id, name FROM project
         WHERE EXISTS (SELECT FROM cost_hour WHERE project_id = project.id AND hour >= %s) ORDER BY id
        """,
        (since,),
    ).fetchall()


def look(connection: Connection, project_id: int, project: str, how: Look) -> Finding | None:
    """What is unusual about a project's spend now, with its cause: the whole, or else the part of most impact."""
    end = hour_of(how.now, how.zone) + HOUR
    asked = Question(
        project_ids=(project_id,),
        window=Window(end - HISTORY_HOURS * HOUR, end),
        interval=Interval.HOUR,
        zone=how.zone,
        basis=Basis.INCURRED,
    )
    total = _series(_ask(connection, asked, how), asked.window, None).get(None)
    if total is None:
        return None
    least = gate(float(total[-_MONTH_HOURS:].sum()), float(how.floor), _not_useful(connection, project_id, Scope()))
    scope, verdict = Scope(), _verdict(total, end, how, least)
    if verdict is None:
        scope, verdict = _in_parts(connection, asked, how, float(total[-_MONTH_HOURS:].sum()), end)
    if verdict is None:
        return None
    return _explained(connection, project_id, project, scope, verdict, end, how)


def _verdict(costs: Hours, end: datetime, how: Look, least: float) -> Verdict | None:
    """With the hour that has only begun, whose spend so far is a lower bound; and of whole hours, for what is missing."""
    now = unusual(costs, end, how.zone, gate=least, partial=True)
    return now or unusual(costs[:-1], end - HOUR, how.zone, gate=least)


def _in_parts(
    connection: Connection, asked: Question, how: Look, month: float, end: datetime
) -> tuple[Scope, Verdict | None]:
    best: tuple[Scope, Verdict | None] = (Scope(), None)
    for dimension in PARTS:
        series = _series(_ask(connection, replace(asked, group_by=(dimension,)), how), asked.window, dimension)
        if len(series) < 2:
            continue
        largest = sorted(series, key=lambda value: -float(series[value][-24:].sum()))[:MOST_PARTS]
        for value in largest:
            scope = Scope(dimension=dimension, value=value)
            least = gate(month, float(how.floor), _not_useful(connection, asked.project_ids[0], scope))
            found = unusual(_since_zero(series[value]), end, how.zone, gate=least, partial=True)
            if found is not None and found.kind == "high" and (best[1] is None or found.impact > best[1].impact):
                best = (scope, found)
    return best


def _since_zero(costs: Hours) -> Hours:
    """A part that is new has a history of nothing, which the whole project's age vouches for."""
    costs = costs.copy()
    if not costs[: -24 * 8].any() and costs.any():
        costs[0] = 1e-12
    return costs


def _ask(connection: Connection, asked: Question, how: Look) -> list[dict[str, Any]]:
    return ledger.spend(connection, asked, sources(asked, how.zone), how.zone.key)


def _series(rows: Sequence[Mapping[str, Any]], window: Window, dimension: str | None) -> dict[str | None, Hours]:
    """Money per hour of the window by value, hours without any as zero."""
    count = int((window.end - window.start) / HOUR)
    found: dict[str | None, Hours] = {}
    for row in rows:
        value = row[dimension] if dimension else None
        at = int((row["period_start"] - window.start) / HOUR)
        if 0 <= at < count:
            found.setdefault(value, np.zeros(count))[at] += float(row["cost"] or 0)
    return found


def _explained(
    connection: Connection,
    project_id: int,
    project: str,
    scope: Scope,
    verdict: Verdict,
    end: datetime,
    how: Look,
) -> Finding:
    """The cause: the same hours a week before and now, by where and by why."""
    until = end if verdict.kind != "low" else end - HOUR
    after = Window(until - verdict.hours * HOUR, until)
    week = timedelta(days=7)
    asked = Question(project_ids=(project_id,), window=after, zone=how.zone, group_by=_CAUSE, basis=Basis.INCURRED)
    now = _of(scope, _ask(connection, asked, how))
    was = _of(scope, _ask(connection, replace(asked, window=Window(after.start - week, after.end - week)), how))
    where = place(was, now, [name for name in DIMENSIONS if name != scope.dimension])
    parts = bridge(_at(was, where), _at(now, where), _BRIDGED, worth_at(how.book(), after.start, _BRIDGED, project_id))
    return Finding(
        project_id=project_id,
        project=project,
        currency=how.currency,
        scope=scope,
        verdict=verdict,
        actual=sum((row["cost"] or Decimal(0) for row in now), Decimal(0)),
        end=how.now.replace(second=0, microsecond=0),
        place=where,
        effect=main_effect(parts),
        effects=parts.effects,
    )


def _of(scope: Scope, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows if scope.dimension is None else [row for row in rows if row[scope.dimension] == scope.value]


def _at(rows: list[dict[str, Any]], where: Place | None) -> list[dict[str, Any]]:
    return rows if where is None else [row for row in rows if row[where.dimension] == where.value]


def tell(connection: Connection, finding: Finding) -> bool:
    """Send it, unless the same incident was told already and has not doubled since."""
    standing = connection.execute(
        """
        SELECT max((data ->> 'impact')::numeric) FROM alert
         WHERE project_id = %s AND type = %s AND state <> 'resolved' AND last_event_at > %s
           AND (data ->> 'kind' = 'low') = %s
        """,
        (finding.project_id, UNUSUAL, finding.end - QUIET, finding.verdict.kind == "low"),
    ).fetchone()
    if standing and standing[0] is not None and abs(finding.impact) < 2 * abs(standing[0]):
        return False
    send(connection, finding.event())
    return True


def close_old(connection: Connection, project_id: int, *, now: datetime, seen: str | None) -> None:
    """Alerts of which nothing was seen for a day are over. ``seen``: the key of what is unusual at this moment."""
    rows = connection.execute(
        """
        SELECT id, type, severity, title, link, dedup_key FROM alert
         WHERE project_id = %s AND type IN (%s, %s) AND state <> 'resolved' AND last_event_at <= %s
           AND dedup_key IS DISTINCT FROM %s
        """,
        (project_id, UNUSUAL, RUNAWAY, now - QUIET, seen),
    ).fetchall()
    for alert_id, type_, severity, title, link, key in rows:
        send(
            connection,
            Event(
                id=event_id(f"over:{alert_id}"),
                type=type_,
                occurred_at=now,
                project_id=project_id,
                severity=severity,
                title=title,
                summary="Nothing unusual was seen for 24 hours.",
                link=link,
                dedup_key=key,
                resolves=True,
            ),
        )


def _not_useful(connection: Connection, project_id: int, scope: Scope) -> int:
    """How often people said in three months that they were told of this for nothing, less how often it was useful."""
    row = connection.execute(
        """
        SELECT count(*) FILTER (WHERE action = 'not useful') - count(*) FILTER (WHERE action = 'useful')
          FROM alert_history JOIN alert ON alert.id = alert_id
         WHERE project_id = %s AND dedup_key = %s AND type = %s AND at > now() - interval '90 days'
        """,
        (project_id, scope.key, UNUSUAL),
    ).fetchone()
    return max(int(row[0]), 0) if row else 0


_SPENDERS = """
SELECT CASE WHEN grouping(trace_id) = 0 THEN 'trace' ELSE 'session' END AS scope,
       CASE WHEN grouping(trace_id) = 0 THEN replace(trace_id::text, '-', '') ELSE session_id END AS value,
       sum(cost) AS cost, count(*) AS calls
  FROM span
 WHERE project_id = %(project)s AND start_time >= %(since)s AND start_time < %(now)s AND counted AND cost > 0
 GROUP BY GROUPING SETS ((trace_id), (session_id))
HAVING sum(cost) >= %(floor)s AND (grouping(trace_id) = 0 OR session_id IS NOT NULL)
 ORDER BY cost DESC
 LIMIT 20
"""


def runaways(connection: Connection, project_id: int, project: str, how: Look) -> list[Event]:
    """Traces, sessions and keys that run away now and of which nobody was told yet."""
    span = timedelta(minutes=MINUTES)
    week = Question(
        project_ids=(project_id,),
        window=Window(hour_of(how.now, how.zone) - timedelta(days=7), hour_of(how.now, how.zone)),
        zone=how.zone,
        group_by=("api_key",),
        basis=Basis.INCURRED,
    )
    per = (week.window.end - week.window.start) / span
    usual = {row["api_key"]: float(row["cost"] or 0) / per for row in _ask(connection, week, how)}
    lately = replace(week, window=Window(how.now - span, how.now))
    found: list[tuple[Spender, Decimal]] = []
    for row in _ask(connection, lately, how):
        if row["api_key"] is not None and row["cost"]:
            own = usual.get(row["api_key"], 0.0)
            spender = Spender(
                scope="api_key", value=row["api_key"], cost=float(row["cost"]), calls=row["calls"], usual=own
            )
            found.append((spender, row["cost"]))
    asked = {"project": project_id, "since": how.now - span, "now": how.now, "floor": how.floor}
    for scope, value, cost, calls in connection.execute(_SPENDERS, asked).fetchall():
        found.append((Spender(scope=scope, value=value, cost=float(cost), calls=calls), cost))
    events = [
        runaway(project_id, project, how.currency, spender, cost, how.now)
        for spender, cost in found
        if runs_away(spender, project_usual=sum(usual.values()), floor=float(how.floor))
    ]
    return [event for event in events if not is_standing(connection, project_id, event.dedup_key)]
