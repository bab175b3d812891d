"""Faults 3, 4, 5 and 11: the database is restarted, loses sessions, is away, and has no room."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from outlay_collector.db.embedded import EmbeddedPostgres

from tests.builders import a_model_call, otlp
from tests.faults.conftest import a_stand, rounds
from tests.faults.stand import RETRIED, Memory, Stand, crash, recovers
from tests.servers import Collector, wait_until

pytestmark = [pytest.mark.xdist_group("faults-1"), pytest.mark.timeout(300)]

PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def collector(stand: Stand) -> Collector:
    stand.worker()
    return stand.collector()


def send(collector: Collector, count: int = 1) -> httpx.Response:
    body = otlp([a_model_call() for _ in range(count)])
    return httpx.post(f"{collector.url}/v1/traces", content=body, headers=PROTOBUF | collector.headers, timeout=20)


def test_fault_3_an_immediate_restart_of_postgres_loses_nothing(stand: Stand, collector: Collector) -> None:
    with stand.load(collector) as oracle:
        for _ in range(rounds(2)):
            time.sleep(0.6)
            crash(stand.server)
            stand.server.start()
            assert recovers(collector) < 30
        time.sleep(0.5)
    assert set(oracle.answers) <= RETRIED - {0}, "the collector itself never went away"


def test_fault_4_killed_sessions_are_replaced_without_an_error(stand: Stand, collector: Collector) -> None:
    chance = random.Random(4)
    with stand.load(collector) as oracle, psycopg.connect(stand.server.url, autocommit=True) as operator:
        for _ in range(rounds(12)):
            time.sleep(chance.uniform(0.05, 0.2))
            sessions = operator.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name ~ '^outlay-(ingest|read|write|pulse)'"
            ).fetchall()
            for (pid,) in chance.sample(sessions, min(2, len(sessions))):
                operator.execute("SELECT pg_terminate_backend(%s)", (pid,))
            answer = collector.get("/api/v1/projects")
            assert answer.status_code in (200, 503)
        time.sleep(0.3)
    assert set(oracle.answers) <= RETRIED - {0}


def test_fault_5_while_postgres_is_away_everybody_is_told_to_come_again(stand: Stand, collector: Collector) -> None:
    with stand.load(collector) as oracle, Memory(collector) as memory:
        time.sleep(0.5)
        crash(stand.server)
        away_until = time.monotonic() + 3 * rounds(1)
        while time.monotonic() < away_until:
            began = time.monotonic()
            answer = send(collector)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "1"
            assert time.monotonic() - began < 5
            assert httpx.get(f"{collector.url}/healthz", timeout=5).status_code == 200
            assert httpx.get(f"{collector.url}/readyz", timeout=10).status_code == 503
        stand.server.start()
        assert recovers(collector) < 30
    assert set(oracle.answers) <= RETRIED - {0}
    assert memory.peak < 512 * 2**20


@pytest.fixture
def tiny_disk() -> Iterator[Path]:
    """A disk of 40 MB that the database server may write to."""
    folder = Path(tempfile.mkdtemp(prefix="outlay-tiny-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m,mode=0755", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("this user may not mount a small disk; another test simulates the errors of a full one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def on_tiny_disk(durable: EmbeddedPostgres, durable_template: str, tiny_disk: Path) -> Iterator[Stand]:
    """A stand whose spans go to that disk."""
    place = tiny_disk / "space"
    place.mkdir(mode=0o700)
    owner = durable.data.stat()
    os.chown(place, owner.st_uid, owner.st_gid)
    with psycopg.connect(durable.url, autocommit=True) as operator:
        operator.execute(f"CREATE TABLESPACE tiny LOCATION '{place}'".encode())
        try:
            with a_stand(durable, durable_template) as stand:
                operator.execute(f"ALTER DATABASE {stand.database} SET default_tablespace = tiny".encode())
                yield stand
        finally:
            operator.execute("DROP TABLESPACE tiny")


def test_fault_11_a_full_disk_refuses_and_acknowledges_nothing(on_tiny_disk: Stand, tiny_disk: Path) -> None:
    """When room is made, everything that was refused comes in."""
    filler = tiny_disk / "filler"
    filler.write_bytes(b"\0" * 34 * 2**20)
    collector = on_tiny_disk.collector()
    with on_tiny_disk.load(collector, batch=200, pause=0) as oracle:
        wait_until(lambda: oracle.answers.get(503, 0) > 3, seconds=60)
        stored = len(oracle.acknowledged)
        filler.unlink()
        wait_until(lambda: len(oracle.acknowledged) > stored, seconds=30)
    assert set(oracle.answers) <= RETRIED - {0}


@pytest.mark.parametrize("code", ["53100", "53200", "57014", "40001", "40P01", "XX000", "25006"])
def test_fault_11_whatever_the_database_fails_with_the_sender_comes_again(
    stand: Stand, collector: Collector, code: str
) -> None:
    """Disk full, out of memory, cancelled, could not serialise, deadlock, internal error, read only."""
    before = stand.count("SELECT count(*) FROM span")
    with psycopg.connect(stand.database_url, autocommit=True) as operator:
        operator.execute(
            f"""
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$
            """.encode()
        )
        operator.execute("CREATE TRIGGER fail BEFORE INSERT ON touched EXECUTE FUNCTION fail()")
        try:
            answer = send(collector, 5)
        finally:
            operator.execute("DROP FUNCTION fail CASCADE")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "1")
    assert stand.count("SELECT count(*) FROM span") == before
    # Whichever session serves them, also the one that has just failed.
    assert [send(collector, 5).status_code for _ in range(4)] == [200] * 4
    assert stand.count("SELECT count(*) FROM span") == before + 20
