"""Partitions and heartbeats in the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from outlay_collector.db.names import PARTITIONED
from outlay_collector.db.partitions import (
    Part,
    Plan,
    create_statements,
    day_of_partition,
    detach_statement,
    drop_statement,
    finish_statement,
    plan,
)

Connection = psycopg.Connection[Any]

_LOCK = 0x0071_AE02
_MAINTAINING = 0x0071_AE03

# Somebody reads the table and does not come to an end within the session's lock timeout, or another day of it is being
# detached: nothing is wrong, it only has to be done later.
_IN_USE = (errors.LockNotAvailable, errors.ObjectNotInPrerequisiteState)


def parts(connection: Connection) -> list[Part]:
    """Every day's part of every table that is cut by days, whole, half removed or left behind."""
    rows = connection.execute(
        """
        SELECT parent.relname, part.relname, part_of.inhdetachpending
          FROM unnest(%s::regclass[]) AS wanted (oid)
          JOIN pg_class AS parent ON parent.oid = wanted.oid
          JOIN pg_class AS part ON part.relnamespace = parent.relnamespace AND part.relkind = 'r'
           AND part.relname ~ ('^' || parent.relname || '_p[0-9]{8}$')
          LEFT JOIN pg_inherits AS part_of ON part_of.inhrelid = part.oid
        """,
        (list(PARTITIONED),),
    ).fetchall()
    return [
        Part(table, day, "apart" if detaching is None else "detaching" if detaching else "attached")
        for table, name, detaching in rows
        if (day := day_of_partition(name)) is not None
    ]


def create_days(connection: Connection, days: Iterable[date]) -> None:
    """Make the partitions of these days, whoever else is making them too. Commits nothing by itself."""
    wanted = sorted(set(days))
    if not wanted:
        return
    # Two sessions that make the same partition would fail or deadlock; one at a time finds it made.
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    # One that is being detached can neither be made nor attached; the next maintenance finishes that, then it can.
    there = {(part.table, part.day) for part in parts(connection) if part.standing != "apart"}
    for table in PARTITIONED:
        for day in wanted:
            if (table, day) not in there:
                for statement in create_statements(table, day):
                    connection.execute(statement.encode())


def analyse_new_days(connection: Connection) -> int:
    """Tell the planner about partitions it knows nothing of yet; how many. Commits nothing by itself.

    Autovacuum does this too, a minute or more later; until then a day's first rows are looked for by reading all of them,
    over and over. However few there are: tables that are joined must all be known, or none.
    """
    names = connection.execute(
        """
        SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
         WHERE inhparent = ANY(%s::regclass[]) AND c.reltuples < 0 AND pg_relation_size(c.oid) > 0
        """,
        (list(PARTITIONED),),
    ).fetchall()
    for (name,) in names:
        connection.execute(f"ANALYZE {name}".encode())
    return len(names)


def maintain(connection: Connection, *, now: datetime, ahead: int, retention: timedelta) -> Plan:
    """Make the coming days' partitions and drop those past retention, and say which. Wants an autocommit session.

    What an earlier run left half-way is finished first. Nobody is waited for longer than the session's lock timeout.
    """
    (alone,) = connection.execute("SELECT pg_try_advisory_lock(%s)", (_MAINTAINING,)).fetchone() or (False,)
    if not alone:  # another worker is at it
        return Plan((), ())
    try:
        _finish(connection)
        found = parts(connection)
        doing = plan(found, PARTITIONED, today=now.astimezone(UTC).date(), ahead=ahead, retention=retention)
        with connection.transaction():
            create_days(connection, doing.create)
        left = _drop(connection, [part for part in found if part.day in doing.drop])
        return replace(doing, drop=tuple(day for day in doing.drop if day not in left), left=tuple(sorted(left)))
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (_MAINTAINING,))


def _finish(connection: Connection) -> None:
    """Detach what was being detached when a run was interrupted."""
    for part in parts(connection):
        if part.standing == "detaching":
            _unless_in_use(connection, finish_statement(part.table, part.day))


def _drop(connection: Connection, past: Sequence[Part]) -> set[date]:
    """Remove these parts, oldest first; the days of which something is still in use."""
    left: set[date] = set()
    for table in PARTITIONED:
        in_use = False
        for part in sorted((part for part in past if part.table == table), key=lambda part: part.day):
            # Who reads one day of a table holds up them all: do not wait for him at each.
            in_use = in_use or not _remove(connection, part)
            if in_use:
                left.add(part.day)
    return left


def _remove(connection: Connection, part: Part) -> bool:
    detached = part.standing == "apart" or _unless_in_use(connection, detach_statement(part.table, part.day))
    return detached and _unless_in_use(connection, drop_statement(part.table, part.day))


def _unless_in_use(connection: Connection, statement: str) -> bool:
    try:
        connection.execute(statement.encode())
    except _IN_USE:
        return False
    return True


def beat(connection: Connection, name: str, detail: dict[str, Any] | None = None) -> None:
    """Say that ``name`` is alive and how it does."""
    connection.execute(
        """
        INSERT INTO heartbeat (name, at, detail) VALUES (%s, now(), %s)
        ON CONFLICT (name) DO UPDATE SET at = excluded.at, detail = excluded.detail
        """,
        (name, Jsonb(detail) if detail is not None else None),
    )


def status(connection: Connection) -> dict[str, Any]:
    """What an operator asks first: which server, how large, how many days and (by the planner's estimate) spans."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            """
            SELECT current_setting('server_version') AS postgres,
                   current_database() AS database,
                   pg_database_size(current_database()) AS bytes,
                   (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections,
                   pg_is_in_recovery() AS replica
            """
        ).fetchone()
    assert found is not None
    sizes = partition_sizes(connection)
    return found | {"days": len(sizes), "spans_estimate": sum(row["rows"] for row in sizes)}


def partition_sizes(connection: Connection) -> list[dict[str, Any]]:
    """The days of ``span``, newest first: ``name``, ``day``, ``rows`` (estimate), ``bytes`` with indexes."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            SELECT c.relname AS name,
                   coalesce(s.n_live_tup, 0) AS rows,
                   pg_total_relation_size(c.oid) AS bytes
              FROM pg_inherits
              JOIN pg_class c ON c.oid = inhrelid
              LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
             WHERE inhparent = 'span'::regclass
             ORDER BY c.relname DESC
            """
        ).fetchall()
    return [row | {"day": day_of_partition(row["name"])} for row in rows]
