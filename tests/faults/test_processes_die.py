"""Faults 1 and 2: collectors that are killed or told to stop while spans come in."""

from __future__ import annotations

import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import psycopg
import pytest

from tests.builders import a_model_call, otlp
from tests.faults.conftest import rounds
from tests.faults.proxy import COMMITTED, Connection, FaultProxy
from tests.faults.stand import RETRIED, Stand, acceptors, recovers
from tests.servers import Collector, wait_until

pytestmark = [pytest.mark.xdist_group("faults-1"), pytest.mark.timeout(300)]

PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def proxy(stand: Stand) -> FaultProxy:
    return stand.proxy()


@pytest.fixture(scope="module")
def shared_collector(stand: Stand, proxy: FaultProxy) -> Collector:
    """A collector of two acceptors that reaches its database through ``proxy``, and a worker."""
    stand.worker()
    return stand.collector(url=stand.through(proxy), OUTLAY_ACCEPTORS="2")


@pytest.fixture
def collector(shared_collector: Collector) -> Collector:
    """The collector, running: a test that failed with it killed does not take the others with it."""
    if not shared_collector.is_running():
        shared_collector.start()
    return shared_collector


def test_fault_1_killing_a_collector_at_random_moments_loses_nothing(stand: Stand, collector: Collector) -> None:
    chance = random.Random(1)
    with stand.load(collector) as oracle:
        for _ in range(rounds(2)):
            time.sleep(chance.uniform(0.1, 0.5))
            chance.choice(acceptors(collector)).send_signal(signal.SIGKILL)
            time.sleep(chance.uniform(0.1, 0.5))
            collector.kill()
            collector.start()
        time.sleep(0.5)
    assert set(oracle.answers) <= RETRIED


def test_fault_1_killed_between_commit_and_answer_the_repetition_adds_nothing(
    stand: Stand, collector: Collector, proxy: FaultProxy
) -> None:
    project_id, key = stand.project("killed-after-commit")
    headers = PROTOBUF | {"Authorization": f"Bearer {key}"}
    spans = [a_model_call() for _ in range(20)]
    assert httpx.post(f"{collector.url}/v1/traces", content=otlp(spans[:1]), headers=headers).status_code == 200
    stored = "SELECT count(*) FROM span WHERE project_id = %s"
    committed = threading.Event()

    def kill(connection: Connection, reply: bytes) -> bool:
        if connection.name != "outlay-ingest" or COMMITTED not in reply or committed.is_set():
            return False
        if stand.count(stored, project_id) < 20:  # a session also commits when it opens
            return False
        committed.set()
        collector.kill()
        return True

    proxy.on_reply = kill
    with pytest.raises(httpx.HTTPError):
        httpx.post(f"{collector.url}/v1/traces", content=otlp(spans), headers=headers, timeout=20)
    proxy.heal()
    assert committed.is_set()
    assert stand.count(stored, project_id) == 20
    collector.start()
    assert httpx.post(f"{collector.url}/v1/traces", content=otlp(spans), headers=headers).status_code == 200
    assert stand.count(stored, project_id) == 20
    wait_until(lambda: stand.count("SELECT sum(calls) FROM cost_day WHERE project_id = %s", project_id) == 20)


@contextmanager
def taken_request(collector: Collector, key: str, body: bytes) -> Iterator[socket.socket]:
    """A request whose body is sent only after the collector said that it listens ("100 Continue")."""
    head = (
        f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        yield connection


def answer_of(connection: socket.socket) -> int:
    return int(connection.recv(65536).split(b" ", 2)[1])


def test_fault_2_a_collector_that_is_told_to_stop_answers_what_it_took(stand: Stand, collector: Collector) -> None:
    """A commit is under way (held up by a lock) when SIGTERM comes: its sender still gets its answer."""
    _, key = stand.project("stopping")
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'outlay-ingest'"
    )
    with ExitStack() as stack:
        blocking = stack.enter_context(psycopg.connect(stand.database_url))
        blocking.execute("LOCK TABLE touched IN ACCESS EXCLUSIVE MODE")
        taken = [stack.enter_context(taken_request(collector, key, otlp([a_model_call()]))) for _ in range(8)]
        wait_until(lambda: stand.count(waiting) > 0)
        stopping = threading.Thread(target=collector.stop, args=(15,))
        began = time.monotonic()
        stopping.start()
        time.sleep(1)
        blocking.rollback()
        assert [answer_of(request) for request in taken] == [200] * 8
    stopping.join(20)
    took = time.monotonic() - began
    assert took < 10, f"it took {took:.1f} s to stop"
    assert collector.process is not None
    assert collector.process.returncode == 0
    collector.start()


def test_fault_2_stopping_and_starting_under_load_loses_nothing(stand: Stand, collector: Collector) -> None:
    with stand.load(collector) as oracle:
        for _ in range(rounds(1)):
            time.sleep(0.7)
            assert collector.stop(15) == 0
            collector.start()
        recovers(collector)
        time.sleep(0.3)
    assert set(oracle.answers) <= RETRIED
