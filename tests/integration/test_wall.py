"""The wall between projects that the database itself keeps: what each reading role sees of every table there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from outlay_collector.access.wall.plan import (
    CONTENT,
    FINANCE,
    FOR_ALL_WHEN_NULL,
    READER,
    SECRET,
    SETTING,
    TENANT,
    Table,
)
from outlay_collector.access.wall.store import build, stands, tables
from outlay_collector.db.engine import connect
from outlay_collector.db.names import PARTITIONED
from outlay_collector.db.store import create_days
from psycopg import sql

OURS, THEIRS = 31_001, 31_002

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def walled(shared_database_url: str) -> list[Table]:
    """Tables with a row of either project in each that belongs to projects."""
    with connect(shared_database_url) as connection:
        found = tables(connection)
        create_days(connection, {connection.execute("SELECT current_date").fetchone()[0]})  # type: ignore[index]
        connection.execute("SET session_replication_role = replica")  # rows stand for themselves: no foreign keys
        checks = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND conparentid = 0"
        for table, name in connection.execute(checks + " AND connamespace = 'public'::regnamespace").fetchall():
            connection.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(table), sql.Identifier(name))
            )
        for project in (OURS, THEIRS):
            made: dict[str, dict[str, Any]] = {}
            for table in in_order(found):
                made[table.name] = add_row(connection, table, project, made)
    return found


def in_order(found: list[Table]) -> list[Table]:
    """Those that hold a project's rows, each after what it refers to."""
    waiting = [table for table in found if belongs(table, found)]
    done: list[Table] = []
    while waiting:
        names = {table.name for table in waiting}
        ready = [table for table in waiting if not names & referred(table)]
        assert ready, "tables that refer to each other in a circle"
        done += ready
        waiting = [table for table in waiting if table not in ready]
    return done


def referred(table: Table) -> set[str]:
    return {parent for parent, _ in table.parents.values()} - {table.name}


def belongs(table: Table, found: list[Table]) -> bool:
    if table.is_view or table.name in SECRET or table.name.startswith("procrastinate_"):
        return False
    parents = referred(table)
    return (
        table.has_project
        or table.name == "project"
        or any(belongs(parent, found) for parent in found if parent.name in parents)
    )


def add_row(connection: Connection, table: Table, project: int, made: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A row of the project with something in every column that must hold something."""
    columns = connection.execute(
        """
        SELECT attname, format_type(atttypid, atttypmod), attgenerated <> ''
          FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
           AND (attnotnull AND adbin IS NULL AND attidentity = '' OR attname = 'project_id' OR attname = ANY(%s))
        """,
        (table.name, list(table.parents)),
    ).fetchall()
    values: dict[str, Any] = {}
    for name, kind, generated in columns:
        if generated:
            continue
        parent = table.parents.get(name)
        if name == "project_id":
            values[name] = project
        elif parent and parent[0] in made:
            values[name] = made[parent[0]][parent[1]]
        else:
            values[name] = something(kind, project, table)
    if table.name == "project":
        values = {"id": project, "name": f"project {project}"}
    statement = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({}) RETURNING *").format(
        sql.Identifier(table.name),
        sql.SQL(",").join(map(sql.Identifier, values)),
        sql.SQL(",").join([sql.Placeholder()] * len(values)),
    )
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        row = cursor.execute(statement, list(values.values())).fetchone()
    assert row is not None
    return row


def something(kind: str, project: int, table: Table) -> Any:
    if kind.endswith("[]"):
        return "{}"
    if kind.startswith("character"):
        return "x"
    if kind.startswith(("timestamp", "time ")):
        return "now"
    return {
        "text": f"{table.name} {project}",
        "boolean": False,
        "date": "today",
        "uuid": f"00000000-0000-0000-0000-{project:012d}",
        "bytea": b"",
        "jsonb": "{}",
        "tstzrange": "[now,infinity)",
        "daterange": "[today,infinity)",
        "interval": "1 hour",
        "json": "{}",
    }.get(kind, project)


@pytest.fixture
def connection(walled: list[Table], shared_database_url: str) -> Iterator[Connection]:
    with connect(shared_database_url) as connection:
        yield connection
        connection.rollback()


def become(connection: Connection, role: str, *projects: int) -> None:
    connection.execute("SELECT set_config('role', %s, true)", (role,))
    if projects:
        connection.execute("SELECT set_config(%s, %s, true)", (SETTING, "{" + ",".join(map(str, projects)) + "}"))


def count(connection: Connection, table: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    assert row is not None
    return row[0]


def test_a_tenant_sees_rows_of_its_project_and_nothing_else_in_any_table(
    connection: Connection, walled: list[Table]
) -> None:
    seen: dict[str, int] = {}
    become(connection, TENANT, OURS)
    for table in in_order(walled):
        column = "project_id::text" if table.has_project else "t::text"
        statement = sql.SQL(f"SELECT {column} FROM {{}} t").format(sql.Identifier(table.name))
        rows = [row for (row,) in connection.execute(statement).fetchall()]
        seen[table.name] = len(rows)
        assert not [row for row in rows if row is not None and str(OURS) not in row], table.name
        assert None not in rows or table.name in FOR_ALL_WHEN_NULL
    # Each holds one row of ours; of prices, a tenant also sees those for everybody.
    assert {name for name, rows in seen.items() if rows == 0} == set()
    assert {"span", "span_content", "ledger_line", "cost_day", "dead_letter", "alert_history"} <= seen.keys()


def test_the_view_of_calls_has_the_same_wall(connection: Connection) -> None:
    become(connection, TENANT, OURS)
    assert connection.execute("SELECT project_id FROM call").fetchall() == [(OURS,)]
    assert connection.execute("SELECT project_id FROM call WHERE project_id = %s", (THEIRS,)).fetchall() == []


def test_without_the_setting_there_is_an_error_and_not_a_row(connection: Connection, walled: list[Table]) -> None:
    for table in in_order(walled):
        for settings in ((), ("{}",)):  # never set, and left over empty from an earlier transaction
            become(connection, TENANT)
            if settings:
                connection.execute("SELECT set_config(%s, '', true)", (SETTING,))
            with pytest.raises(psycopg.Error):
                connection.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier(table.name))).fetchall()
            connection.rollback()


def test_a_tenant_reads_no_keys_no_audit_and_no_partition_behind_the_wall(
    connection: Connection, walled: list[Table]
) -> None:
    parts = connection.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE relkind = 'r'"
    ).fetchall()
    assert len(parts) >= len(PARTITIONED)
    queue = [table.name for table in walled if table.name.startswith("procrastinate_")]
    for name in [*SECRET, *queue, *(part for (part,) in parts)]:
        become(connection, TENANT, OURS)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            count(connection, name)
        connection.rollback()


def test_no_reading_role_can_write_or_leave_its_role(connection: Connection) -> None:
    for role in (TENANT, FINANCE, READER):
        for statement in (
            "UPDATE project SET name = 'x'",
            "DELETE FROM span",
            "INSERT INTO heartbeat VALUES ('x', now())",
        ):
            become(connection, role, OURS)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
            connection.rollback()


def test_finance_sees_all_money_and_nothing_that_people_wrote(connection: Connection, walled: list[Table]) -> None:
    for table in walled:
        if table.name.startswith("procrastinate_"):
            continue
        become(connection, FINANCE)
        if table.name in CONTENT | SECRET:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                count(connection, table.name)
            connection.rollback()
        else:
            count(connection, table.name)
    become(connection, FINANCE)
    assert count(connection, "ledger_line") == 2


def test_a_key_for_all_projects_sees_all(connection: Connection) -> None:
    become(connection, READER)
    assert count(connection, "span") == 2


def test_the_owner_who_writes_and_settles_is_not_held_up(connection: Connection) -> None:
    assert count(connection, "span") == 2


def test_building_it_again_changes_nothing(walled: list[Table], shared_database_url: str) -> None:
    with connect(shared_database_url, autocommit=True) as connection:
        before = tables(connection)
        assert build(connection)
        assert tables(connection) == before
        assert stands(connection)


def test_a_table_that_comes_later_is_behind_the_wall_with_the_next_migrate(database_url: str) -> None:
    with connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE note (id integer PRIMARY KEY, project_id integer NOT NULL)")
        connection.execute("CREATE TABLE note_word (note_id integer REFERENCES note (id), word text)")
        connection.execute("CREATE TABLE unrelated (word text)")
        connection.execute("INSERT INTO note VALUES (1, 31001), (2, 31002)")
        connection.execute("INSERT INTO note_word VALUES (1, 'ours'), (2, 'theirs')")
        assert build(connection)
        with connection.transaction():
            become(connection, TENANT, OURS)
            assert connection.execute("SELECT word FROM note_word").fetchall() == [("ours",)]
        connection.execute("SET ROLE outlay_tenant")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT FROM unrelated")


def test_a_user_who_may_not_make_roles_is_told_what_to_ask_for(database_url: str) -> None:
    with connect(database_url, autocommit=True) as connection:
        said: list[str] = []
        connection.execute("CREATE ROLE somebody")
        try:
            # As on a managed Postgres: the schema is theirs, roles are the administrator's.
            connection.execute("SET ROLE somebody")
            assert not stands(connection)
            assert not build(connection, say=said.append)
            assert "CREATE ROLE outlay_tenant NOLOGIN;" in said[0]
        finally:
            connection.execute("RESET ROLE")
            connection.execute("DROP ROLE somebody")
