"""The whole system on one bench: a database that flushes to disk, collectors, a worker, and a sender that remembers."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import psycopg
from outlay_collector.access import store as access
from outlay_collector.access.keys import SCOPES
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.db.engine import connect
from outlay_collector.ledger import store as ledger

from tests.end_to_end.oracle import Oracle, assert_nothing_lost
from tests.faults.proxy import FaultProxy
from tests.servers import Collector, Running, alive, family, wait_until

MEMORY_BOUND = 512 * 2**20
"""Bytes that no process of a collector may exceed, whatever happens to it."""

RETRIED = {0, 200, 503}
"""Answers under faults: acknowledged, or what every client retries (0: no answer at all)."""


class Stand:
    """A system under test on a database of its own. Start what a test needs; everything ends with ``close``."""

    def __init__(self, server: EmbeddedPostgres, database_url: str, folder: Path) -> None:
        self.server = server
        self.database_url = database_url
        self.folder = folder
        self.collectors: list[Collector] = []
        self.workers: list[Running] = []
        self._stack = ExitStack()
        self._made = 0
        with connect(database_url) as connection:
            self.key = access.create_key(connection, project=None, scopes=list(SCOPES), name="stand")

    @property
    def database(self) -> str:
        return urlsplit(self.database_url).path[1:]

    def close(self) -> None:
        self._stack.close()

    def proxy(self) -> FaultProxy:
        """A relay to the database server, which listens on a Unix socket."""
        return self._stack.enter_context(FaultProxy(socket_of(self.database_url)))

    def through(self, proxy: FaultProxy) -> str:
        """The database's URL for who shall reach it through ``proxy``."""
        return f"postgresql://outlay@127.0.0.1:{proxy.port}/{self.database}?sslmode=disable&gssencmode=disable"

    def collector(self, *, url: str | None = None, **env: str) -> Collector:
        """Another collector, started: one acceptor unless ``OUTLAY_ACCEPTORS`` says otherwise."""
        log = self.folder / f"collector-{self._next()}.log"
        collector = Collector(url or self.database_url, self.key, log=log, env={"OUTLAY_ACCEPTORS": "1"} | env)
        self._stack.callback(collector.kill)
        collector.start()
        self.collectors.append(collector)
        return collector

    def worker(self) -> Running:
        log = self.folder / f"worker-{self._next()}.log"
        worker = Running("worker", env={"OUTLAY_DATABASE_URL": self.database_url}, log=log)
        self._stack.callback(worker.kill)
        worker.start()
        self.workers.append(worker)
        return worker

    def project(self, name: str) -> tuple[int, str]:
        """A new project: its id and a key that is bound to it."""
        with connect(self.database_url) as connection:
            project_id = access.create_project(connection, name)
            return project_id, access.create_key(connection, project=name, scopes=list(SCOPES), name=name)

    @contextmanager
    def load(self, *collectors: Collector, threads: int = 3, **oracle: object) -> Iterator[Oracle]:
        """Senders at work for the length of a ``with`` block.

        After it everything has been acknowledged, is stored once, settled, and summed to the last digit.
        """
        name = f"load-{self._next()}"
        project_id, key = self.project(name)
        urls = [collector.url for collector in collectors or self.collectors]
        settings: dict[str, object] = {"pause": 0.05} | oracle
        sender = Oracle(urls[0], key, others=tuple(urls[1:]), **settings)  # type: ignore[arg-type]
        sender.start(threads)
        try:
            yield sender
        finally:
            sender.stop()
        self.verify(sender, project_id)

    def verify(self, oracle: Oracle, project_id: int) -> None:
        assert oracle.acknowledged, "nothing came through, so the test says nothing"
        assert oracle.acknowledged == set(oracle.sent), "some of what was sent was never acknowledged"
        with connect(self.database_url) as connection:
            assert_nothing_lost(oracle, connection, project_id)
            connection.commit()
            if not self.workers:
                return
            wait_until(lambda: is_settled(connection, project_id), seconds=60, every=0.2)
            assert ledger.differences(connection, project_id) == {}
            (calls, cost) = connection.execute(
                "SELECT sum(calls), sum(cost) FROM cost_day WHERE project_id = %s", (project_id,)
            ).fetchone() or (0, 0)
        assert calls == len(oracle.acknowledged)
        assert cost == oracle.cost()

    def count(self, statement: str, *parameters: object) -> int:
        with connect(self.database_url) as connection:
            (found,) = connection.execute(statement.encode(), parameters).fetchone() or (0,)
        return int(found or 0)

    def _next(self) -> int:
        self._made += 1
        return self._made


def is_settled(connection: psycopg.Connection[object], project_id: int) -> bool:
    row = connection.execute(
        "SELECT NOT EXISTS (SELECT FROM touched WHERE project_id = %(id)s)"
        "   AND NOT EXISTS (SELECT FROM dirty_minute WHERE project_id = %(id)s)",
        {"id": project_id},
    ).fetchone()
    connection.commit()
    return bool(row and row[0])  # type: ignore[index]


def socket_of(database_url: str) -> Path:
    (folder,) = parse_qs(urlsplit(database_url).query)["host"]
    return Path(folder) / ".s.PGSQL.5432"


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def crash(server: EmbeddedPostgres, how: signal.Signals = signal.SIGQUIT) -> None:
    """Stop the database at once, as ``pg_ctl stop -m immediate`` does: nothing is written, the next start recovers."""
    doomed = family(postmaster(server))
    if how == signal.SIGQUIT:
        os.kill(postmaster(server), how)
    else:
        for process in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(how)
    wait_until(lambda: not alive(doomed), seconds=60)


def acceptors(collector: Collector) -> list[psutil.Process]:
    """The processes of a collector that answer requests."""
    return psutil.Process(collector.pid).children() or [psutil.Process(collector.pid)]


def is_ready(collector: Collector) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{collector.url}/readyz", timeout=5).is_success
    return False


def recovers(collector: Collector, seconds: float = 30) -> float:
    """Seconds until the collector is ready; AssertionError when it takes longer than it may."""
    began = time.monotonic()
    wait_until(lambda: is_ready(collector), seconds=seconds)
    return time.monotonic() - began


class Memory:
    """The largest resident size that any process of a collector has while this is open."""

    def __init__(self, *running: Running) -> None:
        self._running = running
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = 0

    def __enter__(self) -> Memory:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self._look()

    def _look(self) -> None:
        for running in self._running:
            for process in family(running.pid) if running.is_running() else ():
                with contextlib.suppress(psutil.Error):
                    self.peak = max(self.peak, process.memory_info().rss)


def timed(act: Callable[[], object]) -> float:
    """Seconds that ``act`` takes."""
    began = time.monotonic()
    act()
    return time.monotonic() - began
