"""``python -m tests.soak --minutes 60``: a random fault every few seconds, with a sender that remembers everything.

Two collectors, one behind a network that fails, a worker and a database that flushes to disk. After every ten faults the
senders pause, everything is settled, and the sender's ledger is compared with the database: what was lost, what is
there twice, and whether every sum is exact. Exit code 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.db.engine import connect
from outlay_collector.db.partitions import partition_name
from outlay_collector.db.store import parts
from outlay_collector.ledger import store as ledger
from outlay_collector.up.store import prepare

from tests.end_to_end.oracle import Differences, Oracle, compare
from tests.faults.conftest import a_stand
from tests.faults.proxy import FaultProxy
from tests.faults.stand import MEMORY_BOUND, RETRIED, Memory, Stand, acceptors, crash, is_settled, recovers
from tests.servers import wait_until

FAULTS_PER_EPOCH = 10


class System:
    """What is broken, and how."""

    def __init__(self, stand: Stand, chance: random.Random) -> None:
        self.stand = stand
        self.chance = chance
        self.proxy: FaultProxy = stand.proxy()
        self.collectors = [
            stand.collector(OUTLAY_ACCEPTORS="2"),
            stand.collector(url=stand.through(self.proxy), OUTLAY_INGEST_TIMEOUT="PT4S"),
        ]
        self.worker = stand.worker()

    def faults(self) -> dict[str, Callable[[], None]]:
        return {
            "an acceptor is killed": lambda: self.chance.choice(acceptors(self.collectors[0])).kill(),
            "a collector is killed": self.kill_a_collector,
            "a collector is stopped": self.stop_a_collector,
            "the worker is killed": self.kill_the_worker,
            "Postgres stops at once": lambda: self.crash(signal.SIGQUIT),
            "Postgres is killed": lambda: self.crash(signal.SIGKILL),
            "everything is killed": self.kill_everything,
            "sessions are ended": self.end_sessions,
            "connections are reset": self.proxy.reset_all,
            "packets vanish": lambda: self.network(deaf=True),
            "answers are late": lambda: self.network(delay=1.0),
            "partitions are missing": self.drop_coming_days,
        }

    def kill_a_collector(self) -> None:
        victim = self.chance.choice(self.collectors)
        victim.kill()
        victim.start()

    def stop_a_collector(self) -> None:
        victim = self.chance.choice(self.collectors)
        victim.stop(20)
        victim.start()

    def kill_the_worker(self) -> None:
        self.worker.kill()
        self.worker.start()

    def crash(self, how: signal.Signals) -> None:
        crash(self.stand.server, how)
        self.stand.server.start()

    def kill_everything(self) -> None:
        for running in (*self.collectors, self.worker):
            running.kill()
        crash(self.stand.server, signal.SIGKILL)
        self.stand.server.start()
        self.worker.start()
        for collector in self.collectors:
            collector.start()

    def end_sessions(self) -> None:
        with psycopg.connect(self.stand.server.url, autocommit=True) as operator:
            operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^outlay-' AND random() < 0.7"
            )

    def network(self, *, deaf: bool = False, delay: float = 0.0) -> None:
        self.proxy.deaf, self.proxy.delay = deaf, delay
        time.sleep(2)
        self.proxy.heal()

    def drop_coming_days(self) -> None:
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        with connect(self.stand.database_url) as operator:
            for part in parts(operator):
                if part.day >= tomorrow:
                    operator.execute(f"DROP TABLE {partition_name(part.table, part.day)}".encode())

    def heal(self) -> float:
        """Seconds until both collectors are ready and the worker runs."""
        began = time.monotonic()
        if not self.worker.is_running():  # whoever supervises it starts it again
            self.worker.start()
        for collector in self.collectors:
            if not collector.is_running():
                collector.start()
            recovers(collector, 60)
        return time.monotonic() - began


class Ledger:
    """What the whole run has shown."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.recoveries: list[float] = []
        self.acknowledged = self.sent = 0
        self.answers: Counter[int] = Counter()
        self.lost = self.double = self.invented = self.inexact = 0
        self.cost = Decimal(0)

    def add(self, oracle: Oracle, found: Differences, wrong_sums: dict[str, object]) -> None:
        self.acknowledged += len(oracle.acknowledged)
        self.sent += len(oracle.sent)
        self.answers.update(oracle.answers)
        self.lost += found.lost
        self.double += found.double
        self.invented += found.invented
        self.inexact += bool(wrong_sums)
        self.cost += oracle.cost()
        if wrong_sums:
            print(f"  sums that differ: {wrong_sums}")

    def is_clean(self, peak: int) -> bool:
        wrong = self.lost + self.double + self.invented + self.inexact
        return not wrong and set(self.answers) <= RETRIED and peak < MEMORY_BOUND

    def show(self, seconds: float, peak: int) -> None:
        ordered = sorted(self.recoveries)
        answers = ", ".join(f"{status or 'none'}: {number:,}" for status, number in sorted(self.answers.items()))
        print(
            f"\nrounds                {len(ordered):,} in {seconds:,.0f} s\n"
            f"acknowledged spans    {self.acknowledged:,} of {self.sent:,} sent, worth {self.cost} USD\n"
            f"lost                  {self.lost}\n"
            f"double                {self.double}\n"
            f"never sent            {self.invented}\n"
            f"invariant broken      {self.inexact}\n"
            f"answers to requests   {answers}\n"
            f"ready again           {ordered[len(ordered) // 2]:.1f} s median, {ordered[-1]:.1f} s at most\n"
            f"peak memory           {peak / 2**20:.0f} MiB of any process"
        )
        for name, number in sorted(self.faults.items()):
            print(f"  {number:4} x {name}")


def epoch(system: System, ledger_of_all: Ledger, until: float, number: int) -> None:
    """Ten faults under load, then a look at the books."""
    stand = system.stand
    project_id, key = stand.project(f"soak-{number}")
    oracle = Oracle(
        system.collectors[0].url,
        key,
        others=(system.collectors[1].url,),
        seed=number * 1000,
        pause=0.05,
        copies=2,
        patience=180,
    )
    faults = system.faults()
    oracle.start(3)
    for _ in range(FAULTS_PER_EPOCH):
        time.sleep(system.chance.uniform(0.5, 3))
        name = system.chance.choice(list(faults))
        faults[name]()
        ledger_of_all.faults[name] += 1
        ledger_of_all.recoveries.append(system.heal())
        if time.monotonic() > until:
            break
    time.sleep(1)
    oracle.stop()
    with connect(stand.database_url) as connection:
        wait_until(lambda: is_settled(connection, project_id), seconds=120, every=0.5)
        found = compare(oracle, connection, project_id)
        wrong_sums: dict[str, object] = dict(ledger.differences(connection, project_id))
        summed = connection.execute(
            "SELECT sum(calls), sum(cost) FROM cost_day WHERE project_id = %s", (project_id,)
        ).fetchone()
    if summed != (len(oracle.sent), oracle.cost()):
        wrong_sums["day"] = (summed, len(oracle.sent), oracle.cost())
    ledger_of_all.add(oracle, found, wrong_sums)
    print(f"  {len(oracle.acknowledged):,} spans acknowledged; {found}; sums {'differ' if wrong_sums else 'exact'}")


@contextmanager
def a_system(chance: random.Random) -> Iterator[System]:
    home = Path(tempfile.mkdtemp(prefix="outlay-soak-"))
    home.chmod(0o755)
    server = EmbeddedPostgres(home, bound=True)
    try:
        server.start()
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE soak_template")
        prepare(urlsplit(server.url)._replace(path="/soak_template").geturl())
        with a_stand(server, "soak_template") as stand:
            yield System(stand, chance)
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the order of faults")
    chosen = parser.parse_args()
    print(f"{chosen.minutes:g} minutes of faults, seed {chosen.seed}")
    books = Ledger()
    with a_system(random.Random(chosen.seed)) as system, Memory(*system.collectors, system.worker) as memory:
        began = time.monotonic()
        until, number = began + chosen.minutes * 60, 0
        while time.monotonic() < until:
            number += 1
            epoch(system, books, until, number)
        books.show(time.monotonic() - began, memory.peak)
    return 0 if books.is_clean(memory.peak) else 1


if __name__ == "__main__":
    sys.exit(main())
