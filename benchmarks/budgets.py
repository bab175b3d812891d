"""Budgets under strain: `python -m benchmarks.budgets race` (8 evaluators, 500 rounds), `… many` (100,000 customers).

A database of its own on an embedded server, or on the one that OUTLAY_TEST_DATABASE_URL names.
"""

from __future__ import annotations

import argparse
import threading
from datetime import UTC, datetime
from uuid import UUID

from outlay_collector.budgets.periods import period_at, slots_of
from outlay_collector.budgets.stored import Stored
from outlay_collector.budgets.watch import store as watch
from outlay_collector.db.engine import connect


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


def told(url: str, budget_id: UUID) -> tuple[int, int]:
    """Rows of what was told, and events that were written."""
    with connect(url) as connection:
        (rows,) = connection.execute(
            "SELECT count(*) FROM budget_alert WHERE budget_id = %s", (budget_id,)
        ).fetchone() or (0,)
        (events,) = connection.execute("SELECT count(*) FROM alert_event WHERE type = 'budget.crossed'").fetchone() or (
            0,
        )
    return rows, events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("race", "many"))
    parser.parse_args()


if __name__ == "__main__":
    main()
