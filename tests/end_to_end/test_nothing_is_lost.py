"""``kill -9`` of everything while spans come in: what was acknowledged is there, once, and every sum is exact."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from outlay_collector.access import store as access
from outlay_collector.access.keys import SCOPES
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.db.engine import connect
from outlay_collector.up.store import prepare

from tests.end_to_end.oracle import Oracle, assert_nothing_lost, assert_sums_exact
from tests.servers import Collector, Running, alive, family, wait_until


@pytest.fixture
def durable() -> Iterator[EmbeddedPostgres]:
    """A database server as a user has it: flushed to disk at every commit."""
    home = Path(tempfile.mkdtemp(prefix="outlay-durable-"))
    home.chmod(0o755)  # the tests may run as root, Postgres never does
    server = EmbeddedPostgres(home)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def settled(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT count(*) FROM touched").fetchone() == (0,) and connection.execute(
            "SELECT count(*) FROM dirty_minute"
        ).fetchone() == (0,)


@pytest.mark.timeout(240)
def test_killing_every_process_loses_nothing_that_was_acknowledged(durable: EmbeddedPostgres, tmp_path: Path) -> None:
    url = durable.start()
    prepare(url)
    with connect(url) as connection:
        key = access.create_key(connection, project=None, scopes=list(SCOPES))
    collector = Collector(url, key, log=tmp_path / "collector.log", env={"OUTLAY_ACCEPTORS": "2"})
    worker = Running("worker", env={"OUTLAY_DATABASE_URL": url}, log=tmp_path / "worker.log")
    oracle = Oracle(collector.url, key)
    chance = random.Random(11)
    try:
        collector.start()
        worker.start()
        oracle.start()
        for victim in ("acceptor", "worker", "collector", "postgres", "acceptor", "postgres", "everything"):
            time.sleep(chance.uniform(0.5, 1.5))
            if victim == "acceptor":
                chance.choice(psutil.Process(collector.pid).children()).kill()
            if victim in ("collector", "everything"):
                collector.kill()
            if victim in ("worker", "everything"):
                worker.kill()
            if victim in ("postgres", "everything"):
                doomed = family(postmaster(durable))
                for process in doomed:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
                wait_until(lambda doomed=doomed: not alive(doomed), seconds=10)
                durable.start()
            if victim in ("collector", "everything"):
                collector.start()
            if victim in ("worker", "everything"):
                worker.start()
        time.sleep(1)
        oracle.stop()
        wait_until(lambda: settled(url), seconds=60)
    finally:
        collector.kill()
        worker.kill()
    with connect(url) as connection:
        assert_nothing_lost(oracle, connection)
        assert_sums_exact(connection)
        (calls, cost) = connection.execute("SELECT sum(calls), sum(cost) FROM cost_day").fetchone() or (0, 0)
    assert calls == len(oracle.acknowledged)
    assert cost == oracle.cost()
    assert len(oracle.acknowledged) > 1000, "too few spans came through for the test to mean anything"
    assert set(oracle.answers) <= {0, 200, 503}, "an answer that a client would not retry, or a wrong one"
