"""The schema: migrated equals the models, and migrating is safe to repeat and to run from two places at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from outlay_collector.access.wall.store import stands, tables
from outlay_collector.db import migrate, revisions
from outlay_collector.db.engine import connect
from outlay_collector.db.store import create_days
from outlay_collector.db.tables import metadata
from outlay_collector.up.store import prepare

from tests.integration.test_wall import add_row, in_order


def test_migrated_equals_the_models(database_url: str) -> None:
    with connect(database_url) as connection:
        # Partitions come and go by themselves; autogenerate must not want to drop them.
        create_days(connection, {connection.execute("SELECT current_date").fetchone()[0]})  # type: ignore[index]
        connection.commit()
    engine = sa.create_engine(migrate.sqlalchemy_url(database_url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_object": migrate.is_ours,
                "version_table": "outlay_revision",
                "compare_type": True,
                "compare_server_default": True,
                "target_metadata": metadata,
            },
        )
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    assert migrate.upgrade(empty_database_url) is True
    assert migrate.upgrade(empty_database_url) is False


def test_two_migrators_at_once_take_turns(empty_database_url: str) -> None:
    with ThreadPoolExecutor(2) as both:
        did = sorted(both.map(migrate.upgrade, [empty_database_url, empty_database_url]))
    assert did == [False, True]
    with connect(empty_database_url) as connection:
        assert revisions.current_revision(connection) == revisions.newest_revision()


def test_a_database_that_was_never_migrated_has_no_revision(empty_database_url: str) -> None:
    with connect(empty_database_url) as connection:
        assert revisions.current_revision(connection) is None


def test_a_database_of_the_first_release_with_data_in_it_comes_to_this_one(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url, to="0001_core")
    with connect(empty_database_url) as connection:
        then = tables(connection)
        connection.execute("SET session_replication_role = replica")  # rows stand for themselves: no foreign keys
        for name in ("span", "span_content", "response_ref"):
            connection.execute(f"CREATE TABLE {name}_first PARTITION OF {name} DEFAULT".encode())
        for project in (31_001, 31_002):
            made: dict[str, dict[str, object]] = {}
            for table in in_order(then):
                made[table.name] = add_row(connection, table, project, made)
    prepare(empty_database_url)
    with connect(empty_database_url) as connection:
        now = {table.name for table in tables(connection)}
        kept = {table.name for table in in_order(then)} & now
        assert {"span", "span_content", "ledger_line", "project", "dead_letter"} <= kept
        for name in sorted(kept):
            column = "id" if name == "project" else "project_id"
            found = connection.execute(
                f"SELECT count(*) FROM {name} WHERE {column} IN (31001, 31002)".encode()
            ).fetchone()
            assert found == (2,), name
        assert stands(connection)
