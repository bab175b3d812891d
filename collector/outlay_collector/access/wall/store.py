"""The wall in the database: building it, and reading behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from outlay_collector.access.wall.plan import POLICY, ROLES, SETTING, Table, statements

Connection = psycopg.Connection[Any]

TRIES = 20
LOCK_TIMEOUT = "2s"
"""Longest that one statement waits for a table, while whoever needs it waits behind; it is tried again."""

# Any number serves, as long as every process of every version uses the same one.
_LOCK = 0x0071_AE02

ADVICE = "\n".join(
    (
        *(f"CREATE ROLE {role} NOLOGIN;" for role in ROLES),
        f"GRANT {', '.join(ROLES)} TO the_user_of_outlay;",
    )
)
"""What a database's owner runs where Outlay's user may not make roles."""


def build(connection: Connection, *, say: Callable[[str], None] = lambda _: None) -> bool:
    """Bring roles, policies and grants to what this version's tables need; False where roles may not be made.

    The connection is in autocommit: each statement holds its table for a moment only.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        if not _roles(connection):
            say(
                "Row-level security is left out: this user may not make roles. Readers are kept apart by the collector "
                f"alone until a database administrator runs\n{ADVICE}\nand `outlay migrate` is run again."
            )
            return False
        connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'".encode())
        for statement in statements(tables(connection)):
            _patiently(connection, statement)
        return True
    finally:
        connection.execute("SET lock_timeout = DEFAULT")
        connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def stands(connection: Connection) -> bool:
    """Whether this session may take the roles, and the policies are there."""
    row = connection.execute(
        """
        SELECT (SELECT count(*) = %(wanted)s FROM pg_roles
                 WHERE rolname = ANY(%(roles)s) AND pg_has_role(current_user, oid, 'MEMBER'))
               AND EXISTS (SELECT FROM pg_policy WHERE polname = %(policy)s AND polrelid = to_regclass('span'))
        """,
        {"roles": list(ROLES), "wanted": len(ROLES), "policy": POLICY},
    ).fetchone()
    return bool(row and row[0])


@contextmanager
def behind(pool: ConnectionPool[Connection], role: str | None, projects: Sequence[int]) -> Iterator[Connection]:
    """A connection of the pool in a transaction that sees what ``role`` may see of ``projects``; None: no wall stands."""
    with pool.connection() as connection:
        if role is not None:
            listed = "{" + ",".join(str(number) for number in projects) + "}"
            # Both end with the transaction, so that nothing stays on a session that a pooler gives to somebody else.
            connection.execute(
                "SELECT set_config('role', %s, true), set_config(%s, %s, true)", (role, SETTING, listed), prepare=True
            )
        yield connection


def tables(connection: Connection) -> list[Table]:
    """Tables and views of the schema that Outlay lives in; a partition goes with its table."""
    rows = connection.execute(
        """
        SELECT c.relname, c.relkind = 'v',
               EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped),
               CASE WHEN c.relkind = 'v' THEN coalesce('security_invoker=true' = ANY(c.reloptions), false)
                    ELSE c.relrowsecurity END,
               (SELECT obj_description(p.oid, 'pg_policy') FROM pg_policy p
                 WHERE p.polrelid = c.oid AND p.polname = %(policy)s),
               (SELECT jsonb_object_agg(child.attname, jsonb_build_array(f.confrelid::regclass::text, parent.attname))
                  FROM pg_constraint f
                  JOIN pg_attribute child ON child.attrelid = f.conrelid AND child.attnum = f.conkey[1]
                  JOIN pg_attribute parent ON parent.attrelid = f.confrelid AND parent.attnum = f.confkey[1]
                 WHERE f.conrelid = c.oid AND f.contype = 'f' AND cardinality(f.conkey) = 1)
          FROM pg_class c
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
         ORDER BY c.relname
        """,
        {"policy": POLICY},
    ).fetchall()
    return [
        Table(
            name=name,
            is_view=is_view,
            has_project=has_project,
            secured=secured,
            policy=policy,
            parents={column: (parent, key) for column, (parent, key) in (parents or {}).items()},
        )
        for name, is_view, has_project, secured, policy, parents in rows
    ]


def _roles(connection: Connection) -> bool:
    """Make the roles and become a member of them; False where that is not allowed."""
    for role in ROLES:
        try:
            row = connection.execute(
                "SELECT oid IS NOT NULL, coalesce(pg_has_role(current_user, oid, 'MEMBER'), false)"
                " FROM (SELECT (SELECT oid FROM pg_roles WHERE rolname = %s)) AS role (oid)",
                (role,),
            ).fetchone()
            there, member = row or (False, False)
            if not there:
                connection.execute(f"CREATE ROLE {role} NOLOGIN".encode())
            if not there or not member:
                connection.execute(f"GRANT {role} TO CURRENT_USER".encode())
        except psycopg.errors.InsufficientPrivilege:
            return False
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation, psycopg.errors.InternalError_):
            # Another database of the same server made it at this moment; roles are the server's.
            time.sleep(0.1)
            if not connection.execute("SELECT pg_has_role(current_user, %s, 'MEMBER')", (role,)).fetchone():
                return False
    return True


def _patiently(connection: Connection, statement: str) -> None:
    """Run it; where somebody holds the table, give way and come again."""
    for attempt in range(TRIES):
        try:
            connection.execute(statement.encode())
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.InternalError_):
            if attempt == TRIES - 1:
                raise
            time.sleep(0.2)
