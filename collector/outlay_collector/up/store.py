"""What an installation needs in its database: the schema, prices, the first project, and keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from outlay_collector.access import store as access
from outlay_collector.access.keys import SCOPES
from outlay_collector.access.wall import store as wall
from outlay_collector.db.engine import connect
from outlay_collector.db.migrate import upgrade
from outlay_collector.pricing.currencies.store import adopt
from outlay_collector.pricing.store import import_bundled
from outlay_collector.up import home as homes

FIRST_PROJECT = "default"
Connection = psycopg.Connection[Any]


def prepare(url: str, *, currency: str = "USD", say: Callable[[str], None] = lambda _: None) -> bool:
    """Bring schema and prices to what this version comes with; True if there was something to do.

    Conflict when there are costs already, in another currency than ``currency``.
    """
    migrated = upgrade(url, say=say)
    with connect(url) as connection:
        adopt(connection, currency)
        imported = import_bundled(connection)
    with connect(url, autocommit=True) as connection:
        wall.build(connection, say=say)
    return migrated or imported.version is not None


def owner_key(connection: Connection, home: Path) -> str:
    """The key of the machine's owner: all projects, all scopes; kept in a file of the home that only they can read."""
    return _kept_key(connection, home / homes.OWNER_KEY, project=None, scopes=list(SCOPES), name="owner")


def ingest_key(connection: Connection, home: Path) -> str:
    """A key to send with, for project ``default``, which is made with it."""
    if FIRST_PROJECT not in access.project_ids(connection):
        access.create_project(connection, FIRST_PROJECT)
    return _kept_key(
        connection, home / homes.INGEST_KEY, project=FIRST_PROJECT, scopes=["ingest"], name="first snippet"
    )


def worker_was_alive_after(connection: Connection, instant: datetime) -> bool:
    row = connection.execute("SELECT at >= %s FROM heartbeat WHERE name = 'worker'", (instant,)).fetchone()
    return bool(row and row[0])


def now(connection: Connection) -> datetime:
    """The database's clock, which heartbeats are written by."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return row[0]


def _kept_key(connection: Connection, path: Path, *, project: str | None, scopes: list[str], name: str) -> str:
    """The key in the file while it is valid in this database, else a new one that replaces it."""
    key = homes.read_secret(path)
    if key is not None and access.access_of(connection, key) is not None:
        return key
    key = access.create_key(connection, project=project, scopes=scopes, name=name, actor="outlay up")
    homes.write_secret(path, key)
    return key
