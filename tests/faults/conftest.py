"""A database server as a user has it, and a stand on it for each module that asks."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.up.store import prepare

from tests.faults.stand import Stand, crash

_number = count(1)


def rounds(short: int) -> int:
    """How often a fault is repeated: ``short`` in the test suite, more with ``OUTLAY_FAULT_ROUNDS`` (a factor)."""
    return short * int(os.environ.get("OUTLAY_FAULT_ROUNDS", "1"))


@pytest.fixture(scope="session")
def durable() -> Iterator[EmbeddedPostgres]:
    """A database server that flushes to disk at every commit. Tests may kill it, and start it again."""
    home = Path(tempfile.mkdtemp(prefix="outlay-durable-"))
    home.chmod(0o755)  # the tests may run as root, Postgres never does
    server = EmbeddedPostgres(home, bound=True)
    try:
        server.start()
        yield server
    finally:
        crash(server)  # a checkpoint of what is thrown away would only take time
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def durable_template(durable: EmbeddedPostgres) -> str:
    """The name of a migrated database on it."""
    with psycopg.connect(durable.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE stand_template")
    prepare(urlsplit(durable.url)._replace(path="/stand_template").geturl())
    return "stand_template"


@pytest.fixture(scope="module")
def stand(durable: EmbeddedPostgres, durable_template: str) -> Iterator[Stand]:
    """A system on a database of its own, shared by the tests of a module."""
    with a_stand(durable, durable_template) as made:
        yield made


@contextmanager
def a_stand(server: EmbeddedPostgres, template: str) -> Iterator[Stand]:
    name = f"stand_{next(_number)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        # Postgres believes that it has logged the clone's sequences ahead, and did so for the template's only: without
        # a checkpoint they would go back in a crash.
        connection.execute("CHECKPOINT")
    folder = Path(tempfile.mkdtemp(prefix="outlay-stand-"))
    made = Stand(server, urlsplit(server.url)._replace(path=f"/{name}").geturl(), folder)
    try:
        yield made
    finally:
        made.close()
        server.start()
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _the_database_runs(request: pytest.FixtureRequest) -> None:
    """A test that failed with the database stopped does not take the others with it."""
    if "stand" in request.fixturenames:
        request.getfixturevalue("stand").server.start()
