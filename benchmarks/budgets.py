"""Budgets under strain, on an embedded Postgres of its own:

python -m benchmarks.budgets race     eight evaluators at once, 500 rounds: each crossing told once
python -m benchmarks.budgets many     a budget split by 100,000 customers: right, and how long it takes
python -m benchmarks.budgets check    what a guard waits for
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from outlay_collector.access.store import create_project
from outlay_collector.budgets import store
from outlay_collector.budgets.budget import parse
from outlay_collector.budgets.periods import period_at, slots_of
from outlay_collector.budgets.stored import Stored
from outlay_collector.budgets.watch import store as watch
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.db.engine import connect
from outlay_collector.db.store import create_days
from outlay_collector.up.store import prepare
from psycopg import Connection


def race(url: str, stored: Stored, *, rounds: int, evaluators: int) -> None:
    """In every round another customer goes over its amount, and ``evaluators`` look at the same moment."""
    now = datetime.now(UTC)
    period = period_at(stored.budget.calendar, now)
    hour = slots_of(stored.budget.calendar.zone).start_of(now)
    barrier = threading.Barrier(evaluators + 1, timeout=120)
    failures: list[BaseException] = []

    def evaluate() -> None:
        try:
            with connect(url) as connection:
                for number in range(rounds):
                    barrier.wait()
                    watch.evaluate(connection, stored, period, now=now, instances={f"customer-{number}"})
                    connection.commit()
                    barrier.wait()
        except BaseException as error:
            failures.append(error)
            barrier.abort()
            raise

    threads = [threading.Thread(target=evaluate, daemon=True) for _ in range(evaluators)]
    for thread in threads:
        thread.start()
    with connect(url) as connection:
        for number in range(rounds):
            connection.execute(
                """
                INSERT INTO budget_hour (budget_id, instance, hour, whole, cost, calls, unpriced_calls)
                VALUES (%s, %s, %s, true, 2, 1, 0)
                """,
                (stored.id, f"customer-{number}", hour),
            )
            connection.commit()
            barrier.wait()
            barrier.wait()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@contextmanager
def database() -> Iterator[str]:
    """A migrated database of an embedded server in a temporary folder."""
    home = Path(tempfile.mkdtemp(prefix="outlay-budgets-"))
    home.chmod(0o755)
    try:
        with EmbeddedPostgres(home, bound=True, settings={"shared_buffers": "256MB"}) as url:
            prepare(url)
            yield url
    finally:
        shutil.rmtree(home, ignore_errors=True)


def budget(connection: Connection[Any], **said: Any) -> Stored:
    """A new budget of a project of its own."""
    project_id = create_project(connection, "bench")
    wanted = parse({"name": "each", **said}, where="", project="bench", currency="USD", zone=ZoneInfo("UTC"))
    found = store.create(connection, project_id, wanted, actor="bench", now=datetime.now(UTC))
    connection.commit()
    return found


def raced(rounds: int) -> None:
    """Eight evaluators without the lock that keeps them apart."""
    with database() as url, connect(url) as connection:
        stored = budget(connection, per="customer", amount="1", thresholds=[{"percent": 80}, {"percent": 100}])
        watch.follow(connection, stored.project_id, now=datetime.now(UTC))
        (stored,) = store.active(connection, [stored.project_id])
        connection.commit()
        began = time.perf_counter()
        race(url, stored, rounds=rounds, evaluators=8)
        took = time.perf_counter() - began
        rows, events = (
            connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)  # type: ignore[arg-type]
            for table in ("budget_alert", "alert_event")
        )
        print(f"{rounds} rounds of 8 evaluators in {took:.0f} s: {rows[0]} rows told, {events[0]} events.")
        assert (rows[0], events[0]) == (2 * rounds, rounds), "told more or less than once"


CALLS = """
INSERT INTO span (project_id, trace_id, span_id, name, start_time, received_at, duration_us, kind, status, counted, dialect,
                  span_type, usage_source, charge_status, cost, customer)
SELECT %(project)s, gen_random_uuid(), n, 'chat', %(start)s + n %% %(seconds)s * interval '1 second',
       now() - interval '1 hour', 1, 3, 0, true, 'otel', 'call', 'reported', 'priced', (n %% 97) * 0.001,
       'customer-' || n %% %(customers)s
  FROM generate_series(1, %(calls)s) AS n
"""


def many(customers: int) -> None:
    """A budget split by ``customers`` customers: summed the first time, after a touch of one hour, and swept."""
    now = datetime.now(UTC)
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with database() as url, connect(url) as connection:
        stored = budget(
            connection, per="customer", amount="0.15", max_instances=2 * customers,
            thresholds=[{"percent": 80}, {"percent": 100}],
        )  # fmt: skip
        project_id = stored.project_id
        create_days(connection, {start.date() + timedelta(days=n) for n in range(32)})
        seconds = int((now - start).total_seconds())
        values = {"project": project_id, "start": start, "seconds": seconds, "customers": customers}
        connection.execute(CALLS, values | {"calls": 5 * customers})
        connection.commit()
        connection.execute("ANALYZE span")
        connection.commit()
        _timed("the first sums, and all that is told", lambda: watch.follow(connection, project_id, now=now))
        # One hour in which every customer made another call.
        hour = max(start, now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=30))
        connection.execute(CALLS, values | {"calls": customers, "start": hour, "seconds": 3600})
        minutes = [hour + timedelta(minutes=n) for n in range(60)]
        connection.execute("INSERT INTO sum_change (project_id, minutes) VALUES (%s, %s)", (project_id, minutes))
        connection.commit()
        _timed("after a touch of every customer", lambda: watch.follow(connection, project_id, now=now))
        _timed("a sweep", lambda: watch.sweep(connection, project_id, now=now))
        wrong = connection.execute(
            """
            WITH raw AS (SELECT customer AS instance, sum(cost) AS cost FROM span WHERE start_time >= %(start)s GROUP BY 1),
                 kept AS (SELECT instance, sum(cost) AS cost FROM budget_hour WHERE budget_id = %(budget)s GROUP BY 1)
            SELECT count(*) FILTER (WHERE raw.cost IS DISTINCT FROM kept.cost), count(*),
                   count(*) FILTER (WHERE raw.cost >= 0.15) + count(*) FILTER (WHERE raw.cost >= 0.12),
                   (SELECT count(*) FROM budget_alert)
              FROM raw FULL JOIN kept USING (instance)
            """,
            {"start": start, "budget": stored.id},
        ).fetchone()
        assert wrong is not None
        print(f"{wrong[1]} customers, {wrong[0]} with a wrong sum; {wrong[2]} tellings due, {wrong[3]} told.")
        assert wrong[0] == 0
        assert wrong[2] == wrong[3]


def check(questions: int) -> None:
    """How long the figures behind `budgets/check` take, with a month of hours for each of 1,000 customers."""
    now = datetime.now(UTC)
    with database() as url, connect(url) as connection:
        stored = budget(connection, per="customer", amount="100")
        connection.execute(
            """
            INSERT INTO budget_hour (budget_id, instance, hour, whole, cost, calls, unpriced_calls)
            SELECT %s, 'customer-' || c, date_trunc('month', now()) + h * interval '1 hour', true, 0.01, 1, 0
              FROM generate_series(1, 1000) AS c, generate_series(0, 700) AS h
            """,
            (stored.id,),
        )
        connection.execute("UPDATE budget SET hours_from = watched_from")
        connection.execute("ANALYZE budget_hour")
        connection.commit()
        budgets = store.active(connection, [stored.project_id])
        took: list[float] = []
        for number in range(questions):
            began = time.perf_counter()
            found = store.levels_of(connection, budgets, "each", {"customer": f"customer-{number % 1000 + 1}"}, now=now)
            took.append((time.perf_counter() - began) * 1000)
            connection.commit()
            assert found[0].actual > 0
        took.sort()
        print(f"{questions} questions: p50 {took[questions // 2]:.1f} ms, p95 {took[int(questions * 0.95)]:.1f} ms.")


def _timed(what: str, do: Callable[[], object]) -> None:
    began = time.perf_counter()
    done = do()
    print(f"{what}: {time.perf_counter() - began:.1f} s ({done})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("race", "many", "check"))
    parser.add_argument("--size", type=int, help="rounds, customers or questions")
    options = parser.parse_args()
    do, size = {"race": (raced, 500), "many": (many, 100_000), "check": (check, 2_000)}[options.what]
    do(options.size or size)


if __name__ == "__main__":
    main()
