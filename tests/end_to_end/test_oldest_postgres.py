"""The oldest Postgres that is promised to work: the whole journey, from a span to a figure of spend."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import psycopg
import pytest
from outlay_collector.access.keys import SCOPES
from outlay_collector.access.store import create_key
from outlay_collector.db.engine import OLDEST_POSTGRES, connect
from outlay_collector.up.store import prepare

from tests import postgres
from tests.builders import a_model_call, otlp
from tests.servers import Collector, Running, ended, free_port, outlay, wait_until


@pytest.fixture(scope="module")
def oldest() -> Iterator[str]:
    """A server of the oldest version; skipped aloud where its programs are not installed."""
    given = os.environ.get("OUTLAY_TEST_OLDEST_POSTGRES", f"/usr/lib/postgresql/{OLDEST_POSTGRES}/bin")
    if shutil.which("postgres", path=given) is None:
        pytest.skip(f"no Postgres {OLDEST_POSTGRES} in {given}: install it, or name it in OUTLAY_TEST_OLDEST_POSTGRES")
    with postgres.server(Path(given)) as url:
        with psycopg.connect(url) as connection:
            assert connection.info.server_version // 10_000 == OLDEST_POSTGRES
        yield url


def test_the_whole_journey_works_on_the_oldest_postgres(oldest: str, tmp_path: Path) -> None:
    prepare(oldest)
    with connect(oldest) as connection:
        key = create_key(connection, project="default", scopes=list(SCOPES))
    spans = [a_model_call(input_tokens=1_000, output_tokens=200) for _ in range(5)]
    collector = Collector(oldest, key, log=tmp_path / "collector.log")
    worker = Running("worker", env={"OUTLAY_DATABASE_URL": oldest}, log=tmp_path / "worker.log")
    with ended(collector), ended(worker):
        for _ in range(2):  # sent twice, there once
            headers = collector.headers | {"Content-Type": "application/x-protobuf"}
            httpx.post(f"{collector.url}/v1/traces", content=otlp(spans), headers=headers).raise_for_status()

        def spend() -> list[dict[str, object]]:
            now = datetime.now(UTC)
            window = {"from": (now - timedelta(days=1)).isoformat(), "to": (now + timedelta(hours=1)).isoformat()}
            return collector.get("/api/v1/spend", interval="none", **window).json()["rows"]

        wait_until(lambda: spend() and spend()[0]["calls"] == 5, seconds=30)
        # gpt-4o-mini: 0.15 and 0.60 USD per million tokens. 5 x (1,000 x 0.15 + 200 x 0.60) / 1e6
        assert Decimal(str(spend()[0]["cost"])) == Decimal("0.00135")


@pytest.fixture
def too_old() -> Iterator[str]:
    """Something that says hello like a Postgres 14; no such version need be installed to be refused."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=_greet, args=(listener,), daemon=True)
        thread.start()
        yield f"postgresql://outlay@127.0.0.1:{listener.getsockname()[1]}/outlay?sslmode=disable&gssencmode=disable"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _greet(listener: socket.socket) -> None:
    """Startup as in the protocol's manual: accepted, version and encoding, ready; then wait until they hang up."""

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!i", len(body) + 4) + body

    hello = message(b"R", struct.pack("!i", 0))
    for name, value in ((b"server_version", b"14.20"), (b"client_encoding", b"UTF8")):
        hello += message(b"S", name + b"\0" + value + b"\0")
    hello += message(b"Z", b"I")
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, contextlib.suppress(ConnectionError):
            connection.recv(4096)
            connection.sendall(hello)
            connection.recv(4096)


@pytest.mark.parametrize("command", ["migrate", "collector", "worker", "up"])
def test_a_postgres_that_is_too_old_is_refused_in_one_sentence(too_old: str, command: str, tmp_path: Path) -> None:
    ports = ["--port", "0", "--grpc-port", "0"] if command in ("up", "collector") else []
    if command == "up":
        ports += ["--dashboard-port", str(free_port())]
    env = {"OUTLAY_DATABASE_URL": too_old, "OUTLAY_HOME": str(tmp_path)}
    done: subprocess.CompletedProcess[str] = outlay(command, *ports, env=env)
    assert done.returncode == 1
    assert re.search(r"outlay: Postgres 14 is too old: Outlay needs 15 or newer\.$", done.stderr.strip())
    assert "Traceback" not in done.stderr
