"""Later sums in the database: what is stale, making it again, and what is stale of a question's window.

Whoever makes sums of a bucket names it in ``stale_sum`` in the same transaction, or touches it where it is named already.
Whoever makes the later sums first takes the name away, which waits for those that touch it, and then reads. So what was
read holds all that was named, and what came since has named it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from outlay_collector.errors import BadRequest, Conflict, NotFound
from outlay_collector.ledger.buckets import DAY, HOUR, Window, day_of, day_window
from outlay_collector.ledger.later import sql

Connection = psycopg.Connection[Any]

logger = logging.getLogger("outlay.sums")

QUIET = timedelta(seconds=15)
"""How long something is stale before it is made again: late data comes in many commits."""

KEPT_HOURS = 3 * DAY
"""Hours by key are kept for as long; a day that is over has its own sums soon."""

KEPT_LATENCIES = 36 * DAY
"""Histograms by project, service and feature hold few calls each: of longer windows, calls are read as fast."""

_LOCK_CLASS = 0x0071_B0


@dataclass(frozen=True, slots=True)
class Stale:
    """``dimension`` is empty for all of them; ``bucket`` of a day is its midnight in UTC."""

    name: str
    project_id: int
    bucket: datetime
    dimension: str


def mark(
    connection: Connection, project_id: int, hours: Iterable[datetime], days: Iterable[date], now: datetime
) -> None:
    """Name what sums of these hours and days go into, and that answers may have changed. In the caller's transaction."""
    wanted = [("key_day", _label(day)) for day in days]
    for hour in hours:
        wanted.append(("model_hour", hour))
        if hour >= now - KEPT_HOURS:
            wanted.append(("key_hour", hour))
    wanted.sort()  # in one order, so that two never wait for each other
    connection.execute(
        """
        INSERT INTO stale_sum (name, project_id, bucket)
        SELECT name, %s, bucket FROM unnest(%s::text[], %s::timestamptz[]) AS wanted (name, bucket)
        ON CONFLICT (name, bucket, project_id, dimension) DO UPDATE SET touches = stale_sum.touches + 1
        """,
        (project_id, [name for name, _ in wanted], [bucket for _, bucket in wanted]),
    )
    connection.execute(
        """
        INSERT INTO sums_version (project_id, version) VALUES (%s, 1)
        ON CONFLICT (project_id) DO UPDATE SET version = sums_version.version + 1
        """,
        (project_id,),
    )


def waiting(connection: Connection, *, now: datetime, zone: ZoneInfo, limit: int = 50) -> list[Stale]:
    """What can be made: hours and days that are over, and have been stale for a while; newest first."""
    rows = connection.execute(
        """
        SELECT name, project_id, bucket, dimension
          FROM stale_sum
         WHERE at <= %(quiet)s AND CASE WHEN name = 'key_day' THEN bucket < %(today)s ELSE bucket <= %(hour)s END
         ORDER BY name DESC, bucket DESC, project_id, dimension
         LIMIT %(limit)s
        """,
        {"quiet": now - QUIET, "today": _label(day_of(now, zone)), "hour": now - HOUR, "limit": limit},
    ).fetchall()
    return [Stale(*row) for row in rows]


def make(connection: Connection, stale: Stale, *, zone: ZoneInfo) -> bool:
    """Make one bucket's sums, in the caller's transaction. False if somebody else is at it, or has done it."""
    (free,) = connection.execute(
        "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))",
        (
            _LOCK_CLASS,
            f"{stale.name} {stale.bucket.isoformat()} {stale.project_id if stale.name != 'model_hour' else ''}",
        ),
    ).fetchone() or (False,)
    if not free or not _take(connection, stale):
        return False
    connection.execute(
        "SELECT set_config('enable_sort', 'off', true), set_config('work_mem', '64MB', true), set_config('jit', 'off', true)"
    )
    if stale.name == "model_hour":
        _make_models(connection, stale.bucket)
    else:
        _make_keyed(connection, stale, zone)
    return True


def _take(connection: Connection, stale: Stale) -> bool:
    """Of hours by model the names by all projects; of keys all dimensions, unless one alone is stale."""
    taken = connection.execute(
        """
        DELETE FROM stale_sum
         WHERE name = %(name)s AND bucket = %(bucket)s AND (name = 'model_hour' OR project_id = %(project)s)
           AND (%(dimension)s = '' OR dimension = %(dimension)s)
        RETURNING 1
        """,
        {
            "name": stale.name,
            "bucket": stale.bucket,
            "project": stale.project_id,
            "dimension": stale.dimension,
        },
    )
    return taken.fetchone() is not None


def _make_models(connection: Connection, hour: datetime) -> None:
    projects = [number for (number,) in connection.execute("SELECT id FROM project").fetchall()]
    values = {"projects": projects, "start": hour, "end": hour + HOUR}
    for table, statement in (("model_hour", sql.MAKE_MODELS), ("model_latency_hour", sql.MAKE_MODEL_LATENCIES)):
        connection.execute(f"DELETE FROM {table} WHERE hour = %s".encode(), (hour,))
        connection.execute(statement.encode(), values)


def _make_keyed(connection: Connection, stale: Stale, zone: ZoneInfo) -> None:
    # Asked after the name was taken away: a tag that is declared from now on names the bucket again.
    declared = [stale.dimension] if stale.dimension else sql.dimensions_of(tags(connection))
    grain = stale.name.removeprefix("key_")
    bucket: datetime | date = stale.bucket.astimezone(UTC).date() if grain == "day" else stale.bucket
    window = day_window(bucket, zone) if not isinstance(bucket, datetime) else Window(bucket, bucket + HOUR)
    connection.execute(
        f"DELETE FROM key_{grain} WHERE project_id = %s AND {grain} = %s AND dimension = ANY(%s)".encode(),
        (stale.project_id, bucket, declared),
    )
    connection.execute(
        sql.make_keyed(grain, declared).encode(),
        {"project": stale.project_id, "start": window.start, "end": window.end, "bucket": bucket},
    )


def forget(connection: Connection, *, now: datetime) -> None:
    """Hours by key are of no use when their day has sums; histograms of long ago are more than the calls they hold."""
    connection.execute("DELETE FROM key_hour WHERE hour < %s", (now - KEPT_HOURS,))
    connection.execute("DELETE FROM stale_sum WHERE name = 'key_hour' AND bucket < %s", (now - KEPT_HOURS,))
    connection.execute("DELETE FROM latency_hour WHERE hour < %s", (now - KEPT_LATENCIES,))


def drop(connection: Connection, project_id: int) -> None:
    """All sums by key of a project; whoever sums it anew names them."""
    for table in ("key_hour", "key_day"):
        connection.execute(f"DELETE FROM {table} WHERE project_id = %s".encode(), (project_id,))
    connection.execute("DELETE FROM stale_sum WHERE project_id = %s AND name LIKE 'key_%%'", (project_id,))


@dataclass(frozen=True, slots=True)
class Known:
    """What a question has to know: which buckets of its window are stale."""

    days: frozenset[date]
    hours: frozenset[datetime]


def stale_keys(connection: Connection, project_ids: Sequence[int], window: Window, dimension: str) -> Known:
    """Days and hours of the window, of any of the projects, whose sums by ``dimension`` are stale."""
    rows = connection.execute(
        """
        SELECT DISTINCT name, bucket FROM stale_sum
         WHERE name IN ('key_day', 'key_hour') AND project_id = ANY(%s) AND bucket > %s AND bucket < %s
           AND dimension IN ('', %s)
        """,
        (list(project_ids), window.start - 2 * DAY, window.end + DAY, dimension),
    ).fetchall()
    return Known(
        frozenset(bucket.astimezone(UTC).date() for name, bucket in rows if name == "key_day"),
        frozenset(bucket for name, bucket in rows if name == "key_hour"),
    )


def days_with_others(connection: Connection, project_ids: Sequence[int], window: Window, dimension: str) -> Known:
    """Days and hours in which not every value has a row of its own."""
    values = {
        "projects": list(project_ids), "dimension": dimension,
        "start": window.start - 2 * DAY, "end": window.end + DAY,
    }  # fmt: skip
    days = connection.execute(
        """
        SELECT DISTINCT day FROM key_day
         WHERE value = '__other__' AND dimension = %(dimension)s AND project_id = ANY(%(projects)s)
           AND day >= %(start)s::date AND day <= %(end)s::date
        """,
        values,
    ).fetchall()
    hours = connection.execute(
        """
        SELECT DISTINCT hour FROM key_hour
         WHERE value = '__other__' AND dimension = %(dimension)s AND project_id = ANY(%(projects)s)
           AND hour >= %(start)s AND hour <= %(end)s
        """,
        values,
    ).fetchall()
    return Known(frozenset(day for (day,) in days), frozenset(hour for (hour,) in hours))


def stale_models(connection: Connection, window: Window) -> frozenset[datetime]:
    rows = connection.execute(
        "SELECT DISTINCT bucket FROM stale_sum WHERE name = 'model_hour' AND bucket > %s AND bucket < %s",
        (window.start - HOUR, window.end),
    ).fetchall()
    return frozenset(bucket for (bucket,) in rows)


def versions(connection: Connection, project_ids: Sequence[int]) -> list[tuple[int, int]]:
    """As long as these stay the same, so do answers from sums."""
    return connection.execute(
        "SELECT project_id, version FROM sums_version WHERE project_id = ANY(%s) ORDER BY 1", (list(project_ids),)
    ).fetchall()


def tags(connection: Connection) -> list[str]:
    """Keys of declared cost allocation tags."""
    return [key for (key,) in connection.execute("SELECT key FROM allocation_tag ORDER BY key").fetchall()]


def listed(connection: Connection) -> list[dict[str, Any]]:
    """Declared tags, and how many past days of projects are still to be summed by each."""
    rows = connection.execute(
        """
        SELECT key, declared_at, declared_by,
               (SELECT count(*) FROM stale_sum
                 WHERE name = 'key_day' AND dimension = 'tag:' || key
                   AND bucket < date_trunc('day', now(), 'UTC')) AS days_to_go
          FROM allocation_tag ORDER BY key
        """
    ).fetchall()
    return [dict(zip(("key", "declared_at", "declared_by", "days_to_go"), row, strict=True)) for row in rows]


def declare(connection: Connection, key: str, *, actor: str, now: datetime) -> None:
    """From now on ``tag:<key>`` has sums of its own; those of the past are made in the background."""
    if not 0 < len(key) <= 200 or "\x00" in key:
        raise BadRequest(f"{key!r:.120} is no tag's key: it has 1 to 200 characters.")
    made = connection.execute(
        "INSERT INTO allocation_tag (key, declared_by) VALUES (%s, %s) ON CONFLICT DO NOTHING", (key, actor)
    )
    if not made.rowcount:
        raise Conflict(f"The tag {key!r:.120} is declared already.")
    connection.execute(
        """
        INSERT INTO stale_sum (name, project_id, bucket, dimension, at)
        SELECT DISTINCT 'key_day', project_id, day::timestamp AT TIME ZONE 'UTC', %(dimension)s, to_timestamp(0)
          FROM cost_day
         UNION ALL
        SELECT DISTINCT 'key_hour', project_id, hour, %(dimension)s, to_timestamp(0)
          FROM cost_hour WHERE hour >= %(kept)s
        ON CONFLICT DO NOTHING
        """,
        {"dimension": f"tag:{key}", "kept": now - KEPT_HOURS},
    )
    _audit(connection, actor, "tag.declare", key)


def withdraw(connection: Connection, key: str, *, actor: str) -> None:
    """``tag:<key>`` is answered from calls again."""
    if not connection.execute("DELETE FROM allocation_tag WHERE key = %s", (key,)).rowcount:
        raise NotFound(f"The tag {key!r:.120} is not declared; outlay tag list names those that are.")
    for table in ("stale_sum", "key_day", "key_hour"):
        connection.execute(f"DELETE FROM {table} WHERE dimension = %s".encode(), (f"tag:{key}",))
    _audit(connection, actor, "tag.withdraw", key)


def _audit(connection: Connection, actor: str, action: str, key: str) -> None:
    connection.execute("INSERT INTO audit (actor, action, subject) VALUES (%s, %s, %s)", (actor, action, key))


def _label(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
