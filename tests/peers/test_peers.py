"""Exporters as they are installed against a collector as it runs: every call stored once, counted once, at its cost.

Run by ``make test-peers``, not by ``make test``. Under overload the collector has room for one request at a time and
strangers take it; for two seconds from the peer's first refusal, so within what every exporter that retries allows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from outlay_collector.db.engine import connect

from tests.builders import a_model_call, otlp
from tests.faults.proxy import Connection, FaultProxy
from tests.faults.stand import Stand, is_settled
from tests.peers.outcome import Outcome
from tests.peers.peers import CALLS, PEERS, Doors, Peer
from tests.servers import Collector, wait_until

pytestmark = pytest.mark.timeout(1800)

INPUT, OUTPUT = Decimal("0.15") / 1_000_000, Decimal("0.60") / 1_000_000  # USD per token of gpt-4o-mini
REFUSAL = b"as much in flight as it may hold"
OVERLOAD_SECONDS = 2.0


@pytest.fixture(scope="module", params=["quiet", "overload"])
def collector(request: pytest.FixtureRequest, stand: Stand) -> tuple[str, Collector]:
    """A collector with the default bound, and one that has room for a single request."""
    if not stand.workers:
        stand.worker()
    bound = {"OUTLAY_MAX_BYTES_IN_FLIGHT": "1"} if request.param == "overload" else {}
    return request.param, stand.collector(**bound)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_call_is_stored_once_counted_once_and_costs_what_it_costs(
    peer: Peer, collector: tuple[str, Collector], stand: Stand, tmp_path: Path, outcomes: list[Outcome]
) -> None:
    load, server = collector
    version = peer.install()
    project = f"{peer.name}, {version}, {load}"
    project_id, key = stand.project(project)
    wanted = CALLS * peer.spans_per_call

    def arrived() -> bool:
        return stand.count("SELECT count(*) FROM span WHERE project_id = %s", project_id) >= wanted

    with Watch(server, key) as watch, crowd(server, stand, watch) if load == "overload" else quiet():
        given_up = peer.send(watch.doors, tmp_path, arrived)
    with connect(stand.database_url) as connection:
        wait_until(lambda: is_settled(connection, project_id), seconds=60, every=0.2)
        stored, distinct = connection.execute(
            "SELECT count(*), count(DISTINCT (trace_id, span_id)) FROM span WHERE project_id = %s", (project_id,)
        ).fetchone() or (0, 0)
        told = connection.execute(
            "SELECT input_tokens FROM span WHERE project_id = %s AND counted ORDER BY 1", (project_id,)
        ).fetchall()
    (row,) = server.get("/api/v1/spend", project=project).json()["rows"] or [{"calls": 0, "cost": "0"}]
    outcomes.append(
        Outcome(
            peer=peer.name,
            version=version,
            load=load,
            calls=CALLS,
            refused=watch.refused,
            given_up=given_up,
            stored=stored,
            counted=row["calls"],
            cost=Decimal(row["cost"]),
        )
    )
    counted = [tokens for (tokens,) in told]
    assert (watch.refused > 0) == (load == "overload"), "the collector was not as busy as the test says"
    assert stored == distinct
    assert row["calls"] == len(counted)
    assert Decimal(row["cost"]) == sum(tokens * INPUT + 100 * OUTPUT for tokens in counted)
    if peer.retries or load == "quiet":
        assert given_up == 0
        assert counted == peer.input_tokens()
        assert stored == wanted
    else:
        assert set(counted) <= set(peer.input_tokens())
        assert stored >= wanted - given_up


class Watch:
    """Both doors of a collector through relays that pass every byte on and count refusals."""

    def __init__(self, collector: Collector, key: str) -> None:
        self.refused = 0
        self.first_refusal: float | None = None
        self._key = key
        self._http = FaultProxy(("127.0.0.1", collector.port))
        self._grpc = FaultProxy(("127.0.0.1", collector.grpc_port))

    def __enter__(self) -> Watch:
        for relay in (self._http, self._grpc):
            relay.on_reply = self._look
            relay.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        for relay in (self._http, self._grpc):
            relay.__exit__(*error)

    @property
    def doors(self) -> Doors:
        ports = (self._http.port, self._grpc.port)
        http, grpc = (f"http://127.0.0.1:{port}" for port in ports)
        return Doors(http=http, grpc=grpc, key=self._key)

    def _look(self, _: Connection, reply: bytes) -> bool:
        found = reply.count(REFUSAL)
        if found and self.first_refusal is None:
            self.first_refusal = time.monotonic()
        self.refused += found
        return False


@contextmanager
def quiet() -> Iterator[None]:
    """Nobody else sends."""
    yield


@contextmanager
def crowd(collector: Collector, stand: Stand, watch: Watch) -> Iterator[None]:
    """Strangers who send all the time, until two seconds after the peer was first refused."""
    ended = threading.Event()
    _, key = stand.project(f"crowd {time.monotonic_ns()}")
    body = otlp([a_model_call() for _ in range(500)])
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-protobuf"}

    def send() -> None:
        with httpx.Client(timeout=30) as client:
            while not ended.is_set() and not over():
                client.post(f"{collector.url}/v1/traces", content=body, headers=headers)

    def over() -> bool:
        return watch.first_refusal is not None and time.monotonic() > watch.first_refusal + OVERLOAD_SECONDS

    threads = [threading.Thread(target=send, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)
