"""Fault 6: the database server is lost, or steps down, and its replica takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.db.engine import connect
from outlay_collector.ledger import store as ledger

from tests.builders import a_model_call, otlp
from tests.faults.replicas import Pair, a_pair, set_and_reload
from tests.faults.stand import RETRIED, Stand, crash, is_settled, recovers
from tests.servers import Collector, wait_until

pytestmark = [pytest.mark.xdist_group("faults-2"), pytest.mark.timeout(300)]


@pytest.fixture
def pair(durable: EmbeddedPostgres, durable_template: str) -> Iterator[Pair]:
    durable.start()
    with a_pair(durable, durable_template) as made:
        yield made


@pytest.fixture
def system(pair: Pair, tmp_path: Path) -> Iterator[Stand]:
    """Collector and worker that know both servers."""
    stand = Stand(pair.primary, pair.url, tmp_path)
    try:
        stand.collector()
        stand.worker()
        yield stand
    finally:
        stand.close()


def test_fault_6_with_a_synchronous_replica_nothing_acknowledged_is_lost(system: Stand, pair: Pair) -> None:
    (collector,) = system.collectors
    pair.synchronous()
    with system.load(collector, patience=120) as oracle:
        wait_until(lambda: len(oracle.acknowledged) > 500, seconds=60)
        crash(pair.primary)
        pair.promote()
        assert recovers(collector) < 30
        before = len(oracle.acknowledged)
        wait_until(lambda: len(oracle.acknowledged) > before + 200, seconds=60)
    assert set(oracle.answers) <= RETRIED - {0}


def send(collector: Collector, key: str, number: int) -> None:
    headers = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {key}"}
    body = otlp([a_model_call() for _ in range(number)])

    def is_taken() -> bool:
        return httpx.post(f"{collector.url}/v1/traces", content=body, headers=headers, timeout=30).is_success

    wait_until(is_taken, seconds=60, every=0.3)


def test_fault_6_with_an_asynchronous_replica_exactly_what_it_had_not_heard_of_is_lost(
    system: Stand, pair: Pair
) -> None:
    """The documented limit: an acknowledgement is worth as much as the commit of the server that gave it."""
    (collector,) = system.collectors
    project_id, key = system.project("asynchronous")
    stored = "SELECT count(*) FROM span WHERE project_id = %s"
    send(collector, key, 100)

    def replica_has() -> bool:
        with psycopg.connect(pair.replica.url.replace("/outlay?", "/pair?")) as reader:
            return reader.execute(stored, (project_id,)).fetchone() == (100,)

    wait_until(replica_has, seconds=60)
    pair.cut()
    send(collector, key, 7)
    assert system.count(stored, project_id) == 107
    crash(pair.primary)
    pair.promote()
    assert recovers(collector) < 30
    assert system.count(stored, project_id) == 100
    send(collector, key, 20)
    assert system.count(stored, project_id) == 120
    with connect(system.database_url) as connection:
        wait_until(lambda: is_settled(connection, project_id), seconds=60, every=0.2)
        assert ledger.differences(connection, project_id) == {}
    assert system.count("SELECT sum(calls) FROM cost_day WHERE project_id = %s", project_id) == 120


def test_fault_6_a_server_that_steps_down_and_keeps_its_sessions_is_left(system: Stand, pair: Pair) -> None:
    """A planned change: the old primary goes on answering, and takes no writes any more."""
    (collector,) = system.collectors
    pair.synchronous()
    with system.load(collector, patience=120) as oracle:
        wait_until(lambda: len(oracle.acknowledged) > 200, seconds=60)
        assert collector.get("/api/v1/projects").status_code == 200
        set_and_reload(pair.primary, "default_transaction_read_only", "on")
        pair.promote()
        before = len(oracle.acknowledged)
        wait_until(lambda: len(oracle.acknowledged) > before + 500, seconds=90)

        def makes_a_project() -> bool:
            made = httpx.post(
                f"{collector.url}/api/v1/projects",
                json={"name": f"after {before}"},
                headers=collector.headers,
                timeout=30,
            )
            assert made.status_code in (201, 409, 503), made.text
            return made.status_code != 503  # 409: it was made, and the answer was lost

        wait_until(makes_a_project, seconds=60, every=0.5)
    assert set(oracle.answers) <= RETRIED - {0}
