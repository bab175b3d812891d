"""Faults 7 to 10: between a collector and its database bytes vanish, connections tear, answers are late or there are too few."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.builders import a_model_call, otlp
from tests.faults.conftest import rounds
from tests.faults.proxy import COMMITTED, Connection, FaultProxy
from tests.faults.stand import MEMORY_BOUND, RETRIED, Memory, Stand, recovers, timed
from tests.servers import Collector, wait_until

pytestmark = [pytest.mark.xdist_group("faults-2"), pytest.mark.timeout(300)]

PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def proxy(stand: Stand) -> FaultProxy:
    return stand.proxy()


@pytest.fixture(scope="module")
def collector(stand: Stand, proxy: FaultProxy) -> Collector:
    """It reaches its database through ``proxy``; the worker, which checks, does not."""
    stand.worker()
    return stand.collector(url=stand.through(proxy), OUTLAY_INGEST_TIMEOUT="PT3S", OUTLAY_READ_TIMEOUT="PT4S")


@pytest.fixture(autouse=True)
def healed(proxy: FaultProxy) -> Iterator[None]:
    yield
    proxy.heal()


def send(collector: Collector, body: bytes | None = None, timeout: float = 30) -> httpx.Response:
    headers = PROTOBUF | collector.headers
    return httpx.post(
        f"{collector.url}/v1/traces", content=body or otlp([a_model_call()]), headers=headers, timeout=timeout
    )


def ask(collector: Collector) -> tuple[int, float]:
    """The answer to one span, and the seconds it took."""
    began = time.monotonic()
    return send(collector).status_code, time.monotonic() - began


def test_fault_7_behind_a_dead_network_senders_are_answered_within_seconds(
    stand: Stand, collector: Collector, proxy: FaultProxy
) -> None:
    """The database's packets vanish without a word: no refusal, no reset, no end."""
    with stand.load(collector, patience=90) as oracle, Memory(collector) as memory:
        time.sleep(0.5)
        proxy.deaf = True
        for _ in range(rounds(2)):
            with ThreadPoolExecutor(12) as many:
                waited = list(many.map(lambda _: ask(collector), range(12)))
            assert {status for status, _ in waited} <= {200, 503}
            slowest = max(seconds for _, seconds in waited)
            assert slowest < 8, f"somebody waited {slowest:.1f} s for an answer"
        assert timed(lambda: httpx.get(f"{collector.url}/healthz", timeout=5)) < 2
        assert timed(lambda: httpx.get(f"{collector.url}/readyz", timeout=20)) < 10
        proxy.heal()
        assert recovers(collector) < 30
    assert set(oracle.answers) <= RETRIED - {0}
    assert memory.peak < MEMORY_BOUND
    ingest_connections = proxy.connections("outlay-ingest")
    assert ingest_connections <= 2, "connections were given up and kept"


def test_fault_7_a_database_that_falls_silent_with_sessions_open_is_left(
    stand: Stand, collector: Collector, proxy: FaultProxy
) -> None:
    """Connections stay open and are acknowledged by the peer's kernel, so no keep-alive will ever end them."""
    assert send(collector).status_code == 200
    proxy.deaf = True
    assert send(collector).status_code == 503
    proxy.deaf = False  # those connections lost bytes and will be silent for ever; only new ones work
    wait_until(lambda: send(collector).status_code == 200, seconds=30, every=0.5)


def test_fault_8_an_answer_that_is_lost_after_the_commit_adds_nothing_when_repeated(
    stand: Stand, collector: Collector, proxy: FaultProxy
) -> None:
    commits = 0

    def every_fifth(connection: Connection, reply: bytes) -> bool:
        nonlocal commits
        if connection.name != "outlay-ingest" or COMMITTED not in reply:
            return False
        commits += 1
        return commits % 5 == 0

    with stand.load(collector, threads=4, pause=0.01) as oracle:
        proxy.on_reply = every_fifth
        wait_until(lambda: commits >= rounds(60), seconds=60)
        proxy.heal()
    assert oracle.answers[503] >= 8
    assert set(oracle.answers) <= RETRIED - {0}


@pytest.mark.parametrize("fault", ["reset", "half_close", "truncate"])
def test_fault_8_torn_connections_are_replaced(
    stand: Stand, collector: Collector, proxy: FaultProxy, fault: str
) -> None:
    def tear() -> None:
        match fault:
            case "reset":
                proxy.reset_all()
            case "half_close":
                proxy.half_close_all()
            case _:
                proxy.cut_after = 100
                time.sleep(0.1)
                proxy.cut_after = None

    with stand.load(collector) as oracle:
        for _ in range(rounds(4)):
            time.sleep(0.2)
            tear()
        assert recovers(collector) < 30
    assert set(oracle.answers) <= RETRIED - {0}


def test_fault_9_a_slow_database_means_come_again_and_bounded_memory(
    stand: Stand, collector: Collector, proxy: FaultProxy
) -> None:
    """Every reply two seconds late, and far more senders than that can serve."""
    big = otlp([a_model_call(attributes={"note": "x" * 4000}) for _ in range(500)])
    with stand.load(collector, threads=2, patience=90) as oracle, Memory(collector) as memory:
        time.sleep(0.3)
        proxy.delay = 2.0
        statuses: Counter[int] = Counter()

        def hammer() -> None:
            until = time.monotonic() + 4 * rounds(1)
            while time.monotonic() < until:
                statuses[send(collector, big).status_code] += 1

        with ThreadPoolExecutor(16) as many:
            for _ in range(16):
                many.submit(hammer)
            time.sleep(1)
            assert timed(lambda: httpx.get(f"{collector.url}/healthz", timeout=10)) < 3
        proxy.heal()
        assert recovers(collector) < 30
    assert set(statuses) <= {200, 503}
    assert statuses[503] > 0
    assert set(oracle.answers) <= RETRIED - {0}
    assert memory.peak < MEMORY_BOUND


def test_fault_9_readers_that_wait_do_not_hold_up_senders(stand: Stand, collector: Collector) -> None:
    """Sixty dashboards ask what takes for ever; spans come in as if nobody was there, and the collector stays ready."""
    with stand.load(collector) as oracle, psycopg.connect(stand.database_url) as blocking:
        blocking.execute("LOCK TABLE cost_hour, cost_day, ledger_line IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor(60) as dashboards:
            asked = [dashboards.submit(collector.get, "/api/v1/spend") for _ in range(60)]
            time.sleep(1)
            before = len(oracle.acknowledged)
            times = [timed(lambda: send(collector)) for _ in range(5)]
            assert recovers(collector, 3) < 3
            assert len(oracle.acknowledged) > before
            assert max(times) < 2
            blocking.rollback()
            answers = {ask.result().status_code for ask in asked}
    assert answers <= {200, 503}
    assert set(oracle.answers) <= {200}


def test_fault_10_too_few_connections_for_too_many_clients(stand: Stand, collector: Collector) -> None:
    """Two connections for two hundred clients: each gets an answer, and what was not stored is known to its sender."""
    small = stand.collector(OUTLAY_READ_CONNECTIONS="2", OUTLAY_INGEST_CONNECTIONS="1")
    before = stand.count("SELECT count(*) FROM span")
    statuses: Counter[int] = Counter()
    lock = threading.Lock()

    def ask(number: int) -> None:
        answer = send(small) if number % 2 else small.get("/api/v1/calls")
        assert answer.status_code != 503 or answer.headers["Retry-After"]
        with lock:
            statuses[answer.status_code * 10 + number % 2] += 1

    with ThreadPoolExecutor(200) as clients:
        for asked in [clients.submit(ask, number) for number in range(200)]:
            asked.result()
    assert set(statuses) <= {2000, 2001, 5030, 5031}
    assert stand.count("SELECT count(*) FROM span") - before == statuses[2001]
    assert statuses[2001] > 0
    assert recovers(small) < 30
    small.kill()


def test_fault_10_a_server_without_a_free_session_is_waited_for(stand: Stand, collector: Collector) -> None:
    held: list[psycopg.Connection[object]] = []
    assert send(collector).status_code == 200
    with psycopg.connect(stand.server.url, autocommit=True) as operator:
        try:
            while True:
                held.append(psycopg.connect(stand.server.url))
        except psycopg.OperationalError:
            pass
        operator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^outlay-'")
        answers = [send(collector) for _ in range(3)]
        for connection in held:
            connection.close()
    assert {answer.status_code for answer in answers} <= {200, 503}
    wait_until(lambda: send(collector).status_code == 200, seconds=30)
