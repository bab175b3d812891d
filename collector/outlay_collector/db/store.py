"""Partitions and heartbeats in the database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from outlay_collector.db.names import PARTITIONED
from outlay_collector.db.partitions import Plan, create_statements, day_of_partition, drop_statements, plan

Connection = psycopg.Connection[Any]

_LOCK = 0x0071_AE02


def existing_days(connection: Connection, table: str = "span") -> set[date]:
    rows = connection.execute(
        """
        SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
         WHERE inhparent = %s::regclass AND NOT inhdetachpending
        """,
        (table,),
    ).fetchall()
    return {day for (name,) in rows if (day := day_of_partition(name)) is not None}


def create_days(connection: Connection, days: Iterable[date]) -> None:
    """Make the partitions of these days, whoever else is making them too. Commits nothing by itself."""
    wanted = sorted(set(days))
    if not wanted:
        return
    # Two sessions that make the same partition would fail or deadlock; one at a time finds it made.
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    for table in PARTITIONED:
        existing = existing_days(connection, table)
        for day in wanted:
            if day not in existing:
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
    """Make the coming days' partitions and drop those past retention, and say which. Wants an autocommit session."""
    doing = plan(existing_days(connection), today=now.astimezone(UTC).date(), ahead=ahead, retention=retention)
    with connection.transaction():
        create_days(connection, doing.create)
    for day in doing.drop:
        for table in PARTITIONED:
            _drop(connection, table, day)
    return doing


def _drop(connection: Connection, table: str, day: date) -> None:
    if day not in existing_days(connection, table):
        return
    detach, drop = drop_statements(table, day)
    connection.execute(detach.encode())
    connection.execute(drop.encode())


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
