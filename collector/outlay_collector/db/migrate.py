"""Bring a database to this version's schema. Safe to run twice, and from two places at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from outlay_collector.db.engine import connect, conninfo
from outlay_collector.db.revisions import migrations_folder, newest_revision

# Any number serves, as long as every process of every version uses the same one.
_LOCK = 0x0071_AE01

_NOT_OURS = ("procrastinate_",)


def is_ours(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Autogenerate looks at our tables only: not at day partitions, not at the job queue's tables."""
    table = name if kind == "table" else getattr(getattr(item, "table", None), "name", None)
    if table is None:
        return True
    if table == "outlay_revision" or table.startswith(_NOT_OURS):
        return False
    return not table.rpartition("_p")[2].isdigit()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    return config


def upgrade(url: str, *, to: str | None = None, say: Callable[[str], None] = lambda _: None) -> bool:
    """Migrate to the newest revision, or to an older one that is named; True if there was something to do.

    One migrator at a time: the others wait on an advisory lock and then find nothing left. Every statement is bounded,
    so a migration that cannot get its table gives up rather than queueing everybody behind it.
    """
    connect(url).close()
    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.NullPool)
    with engine.connect() as lock:
        lock.exec_driver_sql("SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("SET lock_timeout = '10s'")
                connection.exec_driver_sql("SET statement_timeout = '10min'")
                connection.commit()
                before = MigrationContext.configure(
                    connection, opts={"version_table": "outlay_revision"}
                ).get_current_revision()
                connection.rollback()
                if before == (to or newest_revision()):
                    return False
                say(f"migrating the database from {before or 'nothing'} to {to or newest_revision()}")
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, to or "head")
                connection.commit()
                return True
        finally:
            lock.rollback()
            lock.exec_driver_sql("SELECT pg_advisory_unlock(%s)", (_LOCK,))
            engine.dispose()


def sqlalchemy_url(url: str) -> sa.URL:
    """The URL with the driver that SQLAlchemy needs to be told."""
    return sa.make_url(conninfo(url)).set(drivername="postgresql+psycopg")
