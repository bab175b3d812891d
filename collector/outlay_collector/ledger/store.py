"""Rollups in the database: recomputed bucket by bucket, under the project's lock, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from outlay_collector.db.names import SUMS
from outlay_collector.ledger import rollup_sql
from outlay_collector.ledger.buckets import DAY, Window, day_window, recompute
from outlay_collector.ledger.later import store as later

Connection = psycopg.Connection[Any]

_LOCK_CLASS = 0x0071_AE


def try_lock(connection: Connection, project_id: int) -> bool:
    """Become the only one who settles and sums this project, until the transaction ends. False if somebody is at it.

    Taken before anything is read, so that whoever comes after sees all that this one wrote.
    """
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (_LOCK_CLASS, project_id)).fetchone()
    return bool(row and row[0])


def lock_soon(connection: Connection, project_id: int) -> bool:
    """Like ``try_lock``, but waits half a second, in turn with whoever takes the lock again and again, as repricing does.

    False if somebody keeps it; the transaction is at its beginning then.
    """
    if try_lock(connection, project_id):
        return True
    connection.execute("SET LOCAL lock_timeout = '500ms'")
    try:
        lock(connection, project_id)
    except psycopg.errors.LockNotAvailable:
        connection.rollback()
        return False
    connection.execute("SET LOCAL lock_timeout TO DEFAULT")
    return True


def lock(connection: Connection, project_id: int) -> None:
    """Like ``try_lock``, but waits."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK_CLASS, project_id))


def mark_dirty(connection: Connection, project_id: int, minutes: Iterable[datetime]) -> None:
    """Ask for the sums of these minutes to be made again."""
    wanted = sorted(set(minutes))
    if wanted:
        connection.execute(
            "INSERT INTO dirty_minute (project_id, minute) SELECT %s, unnest(%s::timestamptz[])", (project_id, wanted)
        )


def take_dirty(connection: Connection, project_id: int) -> set[datetime]:
    rows = connection.execute(
        "DELETE FROM dirty_minute WHERE project_id = %s RETURNING minute", (project_id,)
    ).fetchall()
    return {minute for (minute,) in rows}


def take_changes(connection: Connection, project_id: int) -> set[datetime]:
    """Minutes whose sums were made again since this was last asked, for whoever follows the project's sums."""
    rows = connection.execute(
        "DELETE FROM sum_change WHERE project_id = %s RETURNING minutes", (project_id,)
    ).fetchall()
    return {minute for (minutes,) in rows for minute in minutes}


def changed_projects(connection: Connection) -> list[int]:
    """Projects with something to take."""
    rows = connection.execute("SELECT DISTINCT project_id FROM sum_change ORDER BY project_id").fetchall()
    return [project_id for (project_id,) in rows]


def roll_up(
    connection: Connection, project_id: int, minutes: Iterable[datetime], *, now: datetime, zone: ZoneInfo
) -> None:
    """Make the sums of every bucket that holds one of ``minutes`` again. The caller holds the project's lock."""
    changed = sorted(set(minutes))
    connection.execute("INSERT INTO sum_change (project_id, minutes) VALUES (%s, %s)", (project_id, changed))
    todo = recompute(changed, now=now, zone=zone)
    connection.execute(_HASH_RATHER_THAN_SORT)
    run = _Runner(connection, project_id, zone)
    for window in todo.minutes:
        run.replace("cost_minute", "minute", window, rollup_sql.from_rows("minute"))
        run.replace("latency_minute", "minute", window, rollup_sql.latency_from_rows("minute"))
    for window in todo.hours_from_minutes:
        run.replace("cost_hour", "hour", window, rollup_sql.from_finer("minute", "hour"))
        run.replace("latency_hour", "hour", window, rollup_sql.LATENCY_HOURS_FROM_MINUTES)
    for window in todo.hours_from_rows:
        run.replace("cost_hour", "hour", window, rollup_sql.from_rows("hour"))
        run.replace("latency_hour", "hour", window, rollup_sql.latency_from_rows("hour"))
    for day in todo.days:
        hours = day_window(day, zone)
        connection.execute("DELETE FROM cost_day WHERE project_id = %s AND day = %s", (project_id, day))
        run.execute(rollup_sql.from_finer("hour", "day"), hours)
    later.mark(connection, project_id, todo.hours, todo.days, now)


# Thousands of rows fall into hundreds of groups, but the planner, who cannot know how few sets of dimensions there are,
# would sort all rows by eighteen texts, on disk: three times the time. Until the transaction ends.
_HASH_RATHER_THAN_SORT = "SELECT set_config('enable_sort', 'off', true), set_config('work_mem', '32MB', true)"


class _Runner:
    def __init__(self, connection: Connection, project_id: int, zone: ZoneInfo) -> None:
        self._connection = connection
        self._project_id = project_id
        self._zone = zone.key

    def replace(self, table: str, column: str, window: Window, insert: str) -> None:
        self.execute(rollup_sql.delete(table, column), window)
        self.execute(insert, window)

    def execute(self, statement: str, window: Window) -> None:
        parameters = {"project": self._project_id, "start": window.start, "end": window.end, "zone": self._zone}
        self._connection.execute(statement.encode(), parameters)


def forget_minutes(connection: Connection, *, now: datetime) -> None:
    """Minutes only serve the current hours; a day later nothing reads them."""
    for table in ("cost_minute", "latency_minute"):
        connection.execute(f"DELETE FROM {table} WHERE minute < %s", (now - DAY,))


def differences(connection: Connection, project_id: int) -> dict[str, tuple[Any, Any]]:
    """Where sums and what they sum differ: ``{"hour.cost": (rolled up, counted)}``; empty when all is exact.

    The invariant: Σ rollup = Σ counted charges + Σ ledger lines, in every column, to the last digit.
    """
    totals = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in (*SUMS, "cost", "reported_cost"))
    raw = _one(
        connection,
        f"""
        SELECT {totals} FROM (
            SELECT calls, {", ".join(name for name in SUMS if name != "calls")}, cost, reported_cost
              FROM ({rollup_sql.calls_of_all_time()}) AS calls_of
             UNION ALL
            SELECT {", ".join("count(*)" if name == "lines" else "0" for name in SUMS)}, sum(cost), NULL
              FROM ledger_line WHERE project_id = %(project)s
        ) AS everything
        """,
        project_id,
    )
    found: dict[str, tuple[Any, Any]] = {}
    for grain in ("hour", "day"):
        rolled = _one(
            connection, f"SELECT {totals} FROM cost_{grain} WHERE project_id = %(project)s AND basis < 2", project_id
        )
        found |= {f"{grain}.{name}": (rolled[name], raw[name]) for name in rolled if rolled[name] != raw[name]}
    return found


def _one(connection: Connection, statement: str, project_id: int) -> dict[str, Any]:
    cursor = connection.execute(statement.encode(), {"project": project_id})
    row = cursor.fetchone()
    assert row is not None
    assert cursor.description is not None
    return {column.name: value for column, value in zip(cursor.description, row, strict=True)}


def rebuild(connection: Connection, project_id: int, *, now: datetime, zone: ZoneInfo) -> None:
    """Every bucket of a project from its rows, as after a change of the instance's time zone."""
    for table in ("cost_minute", "cost_hour", "cost_day", "latency_minute", "latency_hour"):
        connection.execute(f"DELETE FROM {table} WHERE project_id = %s", (project_id,))
    later.drop(connection, project_id)
    rows = connection.execute(
        """
        SELECT DISTINCT date_trunc('minute', start_time) FROM span WHERE project_id = %(project)s AND counted
         UNION SELECT date_trunc('minute', charge_time) FROM ledger_line WHERE project_id = %(project)s
         UNION SELECT date_trunc('minute', incurred_time) FROM ledger_line WHERE project_id = %(project)s
        """,
        {"project": project_id},
    ).fetchall()
    roll_up(connection, project_id, (minute for (minute,) in rows), now=now, zone=zone)
