"""Faults 32 and 33: partitions that are not there, a worker that has been dead for days, and retention among the living."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import httpx
import psycopg
import pytest
from outlay_collector.db.engine import connect
from outlay_collector.db.names import PARTITIONED
from outlay_collector.db.partitions import detach_statement, partition_name
from outlay_collector.db.store import create_days, parts
from outlay_collector.settings import Settings
from outlay_collector.worker import PARTITION_DAYS_AHEAD, housekeeping

from tests.builders import a_model_call, otlp
from tests.faults.stand import RETRIED, Stand
from tests.servers import Collector, outlay, wait_until

pytestmark = [pytest.mark.xdist_group("faults-2"), pytest.mark.timeout(300)]

DAY = timedelta(days=1)
RETENTION = 30 * DAY


@pytest.fixture(scope="module")
def collector(stand: Stand) -> Collector:
    """With one session for writing, which therefore remembers all that it has written."""
    return stand.collector(OUTLAY_INGEST_CONNECTIONS="1")


@pytest.fixture(scope="module")
def other_collector(stand: Stand) -> Collector:
    return stand.collector()


def send(collector: Collector, start: datetime | None = None) -> int:
    body = otlp([a_model_call(start=start or datetime.now(UTC))])
    headers = {"Content-Type": "application/x-protobuf"} | collector.headers
    return httpx.post(f"{collector.url}/v1/traces", content=body, headers=headers, timeout=30).status_code


def days(stand: Stand, table: str = "span") -> dict[date, str]:
    """Of one table: which days have a part, and where it stands."""
    with connect(stand.database_url) as connection:
        return {part.day: part.standing for part in parts(connection) if part.table == table}


def drop_all(stand: Stand, *, since: date) -> None:
    with connect(stand.database_url) as operator:
        for part in parts(operator):
            if part.day >= since:
                operator.execute(f"DROP TABLE {partition_name(part.table, part.day)}".encode())


def wrong(stand: Stand, collector: Collector) -> dict[str, str]:
    """What the doctor finds wrong."""
    env = {"OUTLAY_DATABASE_URL": stand.database_url, "OUTLAY_API_KEY": stand.key, "OUTLAY_ENDPOINT": collector.url}
    done = outlay("doctor", "--json", env=env)
    return {one["name"]: one["says"] for one in json.loads(done.stdout) if one["verdict"] == "wrong"}


def test_fault_32_without_partitions_and_worker_spans_come_in_and_the_doctor_says_what_is_missing(
    stand: Stand, collector: Collector, other_collector: Collector
) -> None:
    """The worker died ten days ago, and the last partition it made was for three days ago."""
    today = datetime.now(UTC).date()
    with connect(stand.database_url) as connection:
        create_days(connection, [today - n * DAY for n in range(3, 11)])
        connection.execute("INSERT INTO heartbeat (name, at) VALUES ('worker', now() - interval '10 days')")
    with stand.load(collector, other_collector, threads=4) as oracle:  # both miss the same partition at once
        wait_until(lambda: len(oracle.acknowledged) > 500, seconds=60)
        found = wrong(stand, collector)
    assert set(oracle.answers) <= RETRIED - {0}
    assert set(found) == {"worker", "partitions"}
    assert "last seen 240 h ago" in found["worker"]
    assert f"{today + DAY}" in found["partitions"]

    worker = stand.worker()
    wait_until(lambda: today + PARTITION_DAYS_AHEAD * DAY in days(stand), seconds=60)
    wait_until(lambda: wrong(stand, collector) == {}, seconds=60, every=1)
    stand.verify(oracle, stand.count("SELECT max(id) FROM project"))  # now also settled and summed
    worker.kill()
    stand.workers.clear()


def test_fault_32_partitions_dropped_behind_a_running_collector_are_made_again(
    stand: Stand, collector: Collector
) -> None:
    """It has written to those days before, and so believes that they are there."""
    starts = [datetime.now(UTC) - n * DAY for n in range(3)]
    assert [send(collector, start) for start in starts] == [200] * 3
    drop_all(stand, since=starts[-1].date())
    assert [send(collector, start) for start in starts] == [200] * 3
    assert {start.date() for start in starts} <= set(days(stand))


def old_days(stand: Stand, collector: Collector) -> list[date]:
    """Three days past retention, each with a span."""
    wanted = [datetime.now(UTC) - RETENTION - n * DAY for n in (2, 3, 5)]
    for start in wanted:
        assert send(collector, start) == 200
    return [start.date() for start in wanted]


@pytest.fixture
def keep(stand: Stand) -> Settings:
    return Settings(database_url=stand.database_url, retention=RETENTION)


def keep_house(settings: Settings) -> None:
    assert settings.database_url is not None
    housekeeping(settings, settings.database_url)


@contextmanager
def a_reader(stand: Stand) -> Iterator[psycopg.Connection[object]]:
    """Somebody who has read spans in a transaction that stays open: a dump, or a notebook left over night."""
    with psycopg.connect(stand.database_url) as reader:
        reader.execute("SELECT count(*) FROM span")
        yield reader
        reader.rollback()


def waits_for_a_lock(stand: Stand) -> bool:
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        " AND application_name = 'outlay-housekeeping'"
    )
    return stand.count(statement) > 0


def test_fault_33_retention_drops_days_while_others_read_and_write(
    stand: Stand, collector: Collector, keep: Settings
) -> None:
    past = old_days(stand, collector)
    stopped = threading.Event()

    def read() -> set[int]:
        found: set[int] = set()
        while not stopped.is_set():
            found.add(collector.get("/api/v1/calls", limit="500").status_code)
            found.add(collector.get("/api/v1/spend", interval="hour", group_by="user").status_code)
        return found

    with ThreadPoolExecutor(2) as many, stand.load(collector) as oracle:
        readers = [many.submit(read) for _ in range(2)]
        wait_until(lambda: len(oracle.acknowledged) > 200, seconds=60)
        for _ in range(5):  # each read is short, so at the latest then nobody was in the way any more
            keep_house(keep)
            if not set(past) & set(days(stand)):
                break
        before = len(oracle.acknowledged)
        wait_until(lambda: len(oracle.acknowledged) > before, seconds=60)
        stopped.set()
    for table in PARTITIONED:
        assert not set(past) & set(days(stand, table))
    for reader in readers:
        assert 200 in reader.result()
        assert reader.result() <= {200, 503}
    assert set(oracle.answers) <= RETRIED - {0}


@pytest.mark.parametrize("interruption", ["lock timeout", "killed"])
def test_fault_33_a_removal_interrupted_half_way_holds_up_nobody_and_is_finished_by_the_next_run(
    stand: Stand, collector: Collector, keep: Settings, interruption: str
) -> None:
    past = old_days(stand, collector)
    with ThreadPoolExecutor(1) as background:
        with a_reader(stand):
            run = background.submit(keep_house, keep)
            wait_until(lambda: waits_for_a_lock(stand), seconds=30)
            if interruption == "killed":
                stand.count(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE application_name = 'outlay-housekeeping' AND datname = current_database()"
                )
                with pytest.raises(psycopg.OperationalError):
                    run.result(60)
            # The reader is still there: who had to queue behind it would get no answer.
            wait_until(lambda: send(collector) == 200, seconds=60)
            wait_until(lambda: collector.get("/api/v1/calls").status_code == 200, seconds=60)
            if interruption != "killed":
                run.result(60)
            assert "detaching" in days(stand).values(), "the removal was not caught half-way: the test says nothing"
            says = wrong(stand, collector)["partitions"]
            assert f"The removal of {min(past)} was interrupted" in says
        keep_house(keep)
    for table in PARTITIONED:
        assert not set(past) & set(days(stand, table))
    assert set(days(stand).values()) == {"attached"}


def test_fault_33_a_day_that_was_detached_and_not_dropped_is_dropped_by_the_next_run(
    stand: Stand, collector: Collector, keep: Settings
) -> None:
    past = old_days(stand, collector)
    with connect(stand.database_url, autocommit=True) as interrupted:
        interrupted.execute(detach_statement("span", past[0]).encode())
    assert days(stand)[past[0]] == "apart"
    keep_house(keep)
    assert not set(past) & set(days(stand))


def test_fault_33_a_day_half_removed_comes_back_with_its_spans_when_retention_becomes_longer(
    stand: Stand, collector: Collector, keep: Settings
) -> None:
    (past, *_) = old_days(stand, collector)
    stored = stand.count("SELECT count(*) FROM span WHERE start_time::date = %s", past)
    assert stored
    with connect(stand.database_url, autocommit=True) as interrupted:
        interrupted.execute(detach_statement("span", past).encode())
    keep_house(keep.model_copy(update={"retention": 400 * DAY}))
    assert days(stand)[past] == "attached"
    assert stand.count("SELECT count(*) FROM span WHERE start_time::date = %s", past) == stored


def test_fault_33_two_workers_that_keep_house_at_once_are_in_nobodys_way(
    stand: Stand, collector: Collector, keep: Settings
) -> None:
    past = old_days(stand, collector)
    with ThreadPoolExecutor(4) as many:
        for run in [many.submit(keep_house, keep) for _ in range(4)]:
            run.result(60)
    assert not set(past) & set(days(stand))
