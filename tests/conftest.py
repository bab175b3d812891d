"""What tests need and must be torn down: a real Postgres, real processes, a fake provider, a browser.

The server is started once per pytest process (so once per xdist worker), migrated once into a template, and every test
that asks for ``database_url`` gets a fresh clone of it. ``OUTLAY_TEST_DATABASE_URL`` names another server to use, as a
role that may create databases.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.servers import Collector, Running

_number = count(1)


REAL_MACHINERY = {"browser", "end_to_end", "faults", "integration"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under xdist one worker runs all browser tests in a row: a browser and a dashboard per module, not per test.

    A test that starts processes and cuts connections may fail by the machine's doing: it gets a second try, which the
    closing lines count and name (`R`). What computes only, gets none.
    """
    for item in items:
        folders = item.path.relative_to(Path(__file__).parent).parts
        if "browser" in folders:
            item.add_marker(pytest.mark.xdist_group("browser"))
        if REAL_MACHINERY.intersection(folders):
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=1))


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A Postgres server, as the URL of a database on it that no test writes to."""
    given = os.environ.get("OUTLAY_TEST_DATABASE_URL")
    if given:
        yield given
        return
    from outlay_collector.db.embedded import EmbeddedPostgres

    # A short path (sockets) that the unprivileged user of Postgres can enter when the tests run as root.
    home = Path(tempfile.mkdtemp(prefix="outlay-test-"))
    home.chmod(0o755)
    # Nothing here outlives the tests, so nothing is flushed; what must survive a crash has its own server.
    unsafe = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
    try:
        with EmbeddedPostgres(home, bound=True, settings=unsafe) as url:
            yield url
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """The name of a database to clone: as ``outlay migrate`` leaves it, with schema and prices."""
    from outlay_collector.up.store import prepare

    with _database(server_url, f"outlay_template_{os.getpid()}") as url:
        prepare(url)
        yield urlsplit(url).path[1:]


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """A database of this test's own: schema and prices, nothing else."""
    with _database(server_url, f"outlay_test_{os.getpid()}_{next(_number)}", template=template) as url:
        yield url


@pytest.fixture(scope="module")
def shared_database_url(server_url: str, template: str) -> Iterator[str]:
    """A database for all tests of a module: for those that only read what one of them wrote."""
    with _database(server_url, f"outlay_shared_{os.getpid()}_{next(_number)}", template=template) as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """A database that was never migrated."""
    with _database(server_url, f"outlay_empty_{os.getpid()}_{next(_number)}") as url:
        yield url


@pytest.fixture
def key(database_url: str) -> str:
    """A key of all projects and scopes."""
    from outlay_collector.access.keys import SCOPES
    from outlay_collector.access.store import create_key
    from outlay_collector.db.engine import connect

    with connect(database_url) as connection:
        return create_key(connection, project=None, scopes=list(SCOPES), name="tests")


@pytest.fixture
def start_collector(database_url: str, key: str, tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """``start_collector(OUTLAY_CONTENT="full")``: a collector process with further settings, ready to receive."""
    with ExitStack() as stack:

        def start(**env: str) -> Collector:
            collector = Collector(database_url, key, log=tmp_path / f"collector-{next(_number)}.log", env=env)
            stack.callback(collector.kill)
            collector.start()
            return collector

        yield start


@pytest.fixture
def collector(start_collector: Callable[..., Collector]) -> Collector:
    """A running collector: ``url``, ``key``, ``headers``, ``get()``, ``kill()``, ``start()``, ``database_url``."""
    return start_collector()


@pytest.fixture
def worker(database_url: str, tmp_path: Path) -> Iterator[Running]:
    """A running worker on the test's database."""
    running = Running("worker", env={"OUTLAY_DATABASE_URL": database_url}, log=tmp_path / "worker.log")
    running.start()
    yield running
    running.kill()


@pytest.fixture
def fake_provider() -> Iterator[object]:
    """OpenAI, Anthropic and Gemini on loopback, with a ledger of what they would have billed."""
    from tests.fake_provider import FakeProvider

    with FakeProvider() as fake:
        yield fake


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium of this machine; without one the test is skipped, and says so."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("OUTLAY_TEST_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium on this machine: install one, or name it in OUTLAY_TEST_CHROMIUM")
    return found


@contextmanager
def _database(server_url: str, name: str, template: str = "template1") -> Iterator[str]:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
