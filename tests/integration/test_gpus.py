"""GPU hours in the ledger: calls, and what is nobody's, add up to the bill of the pool, whatever comes late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from outlay_collector.access.store import project_ids
from outlay_collector.calls.store import settle_round, waiting_projects
from outlay_collector.gpu import store
from outlay_collector.gpu.allocate import WINDOW
from outlay_collector.gpu.allocation import store as allocation
from outlay_collector.gpu.declared import declared
from outlay_collector.gpu.jobs import run_windows
from outlay_collector.gpu.readings import EngineReading, Readings
from outlay_collector.gpu.telemetry.store import Told, write
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.months import store as months

from tests.builders import SpanSpec, a_model_call
from tests.integration.shop import DAY_ONE, UTC_ZONE, Shop

MODEL = "meta-llama/Llama-3.1-8B-Instruct"
MONTH = f"{DAY_ONE:%Y-%m}"
MINUTE = timedelta(minutes=1)
START = DAY_ONE.replace(hour=10, minute=0, second=0, microsecond=0)


class Fleet(Shop):
    """A shop with an H100 at $3.60 an hour that serves one model."""

    def declare(self, **more: Any) -> None:
        names = project_ids(self.connection)
        mine = next(name for name, number in names.items() if number == self.project_id)
        pool: dict[str, Any] = {
            "name": "chat",
            "project": mine,
            "dimensions": {"team": "platform"},
            "gpus": [{"gpu": "H100", "count": 1, "from": START, "to": START + 4 * WINDOW}],
            "rates": [{"gpu": "H100", "per_hour": "3.60"}],
            "serves": [{"model": MODEL}],
            "targets": [{"name": "vllm-0"}],
        }
        store.apply(self.connection, declared({"pools": [pool | more]}), project_ids=names, actor="test")
        self.connection.commit()

    def call(self, at: datetime, seconds: float = 60, **more: Any) -> SpanSpec:
        return a_model_call(start=at, duration_ms=round(seconds * 1000), model=MODEL, provider="vllm", **more)

    def scrape(self, at: datetime, *, running: float = 0, prompt: float = 0, output: float = 0) -> None:
        reading = EngineReading(
            "vllm", "0", MODEL, seconds="engine",
            counters={
                "prompt_total": prompt, "prompt_computed": prompt, "output": output,
                "prefill_seconds": prompt * 1e-4, "decode_seconds": output * 8e-3,
            },
            gauges={"running": running},
        )  # fmt: skip
        target_id, _ = store.target_named(self.connection, "vllm-0", self.project_id)
        write(self.connection, [Told(target_id, at, Readings([reading]))], now=datetime.now(UTC))
        self.connection.commit()

    def settle(self, book: Any = None) -> None:
        """As the worker does: what was settled has its windows run again."""
        while self.project_id in waiting_projects(self.connection):
            settle_round(
                self.connection, self.project_id, book=book or self.book, now=datetime.now(UTC), zone=UTC_ZONE,
                told=allocation.mark,
            )  # fmt: skip
        self.connection.commit()

    def allocate(self) -> int:
        now = datetime.now(UTC)
        ran = 0
        while windows := allocation.due(self.connection, now=now, kept_since=now - timedelta(days=400)):
            ran += run_windows(self.connection, windows, self.book, zone=UTC_ZONE)
        self.connection.commit()
        return ran

    def by_kind(self) -> dict[str, Decimal]:
        rows = self.connection.execute(
            "SELECT kind, sum(cost) FROM ledger_line WHERE project_id = %s GROUP BY kind", (self.project_id,)
        ).fetchall()
        self.connection.commit()
        return dict(rows)

    def statuses(self) -> list[tuple[str, str | None]]:
        rows = self.connection.execute(
            "SELECT charge_status, gpu_pool FROM span WHERE project_id = %s ORDER BY start_time", (self.project_id,)
        ).fetchall()
        self.connection.commit()
        return rows

    def window(self, start: datetime) -> dict[str, Decimal]:
        names = ("cost", "calls", "jobs", "unattributed", "idle", "startup", "unobserved")
        row = self.connection.execute(
            f"SELECT {', '.join(names)} FROM gpu_window WHERE start_time = %s".encode(), (start,)
        ).fetchone()
        self.connection.commit()
        assert row is not None
        return dict(zip(names, row, strict=True))


@pytest.fixture
def fleet(database_url: str) -> Iterator[Fleet]:
    made = Fleet(database_url)
    yield made
    made.close()


BILL = Decimal("3.60")  # one hour of it


def test_calls_wait_for_their_window_and_then_carry_their_part_of_the_bill(fleet: Fleet) -> None:
    fleet.declare()
    fleet.send(fleet.call(START + 5 * MINUTE, 180, input_tokens=1000, output_tokens=200))
    assert fleet.statuses() == [("pending", None)]
    assert fleet.spent() is None
    for minute, running in ((0, 0), (4, 0), (8, 1), (12, 0), (15, 0)):
        grown = minute >= 8
        fleet.scrape(START + minute * MINUTE, running=running, prompt=2000 * grown, output=400 * grown)
    fleet.allocate()
    assert fleet.statuses() == [("allocated", "chat")]
    # A quarter of an hour costs $0.90. The engine worked for 4 of 15 minutes, half of it for this call.
    assert fleet.window(START) == {
        "cost": Decimal("0.90"), "calls": Decimal("0.12"), "jobs": 0, "unattributed": Decimal("0.12"),
        "idle": Decimal("0.66"), "startup": 0, "unobserved": 0,
    }  # fmt: skip
    assert fleet.costs() == [Decimal("0.12")]
    assert fleet.by_kind() == {
        "gpu_unattributed": Decimal("0.12"), "gpu_idle": Decimal("0.66"), "gpu_unobserved": Decimal("2.70"),
    }  # fmt: skip
    assert fleet.spent() == BILL


def test_late_calls_late_scrapes_and_other_rates_have_windows_run_again(fleet: Fleet) -> None:
    fleet.declare()
    fleet.allocate()
    assert fleet.spent() == BILL
    fleet.send(fleet.call(START + MINUTE, 60))
    fleet.settle()
    assert fleet.allocate() == 1
    assert fleet.costs() == [Decimal("0.06")]
    fleet.scrape(START + WINDOW)
    fleet.scrape(START + WINDOW + 3 * MINUTE)
    assert fleet.allocate() == 1
    assert fleet.by_kind()["gpu_idle"] == Decimal("0.18")
    assert fleet.spent() == BILL
    fleet.declare(rates=[{"gpu": "H100", "per_hour": "7.20"}])
    fleet.allocate()
    assert (fleet.costs(), fleet.spent()) == ([Decimal("0.12")], 2 * BILL)
    assert fleet.allocate() == 0


def test_a_call_under_way_in_two_windows_is_charged_for_both(fleet: Fleet) -> None:
    fleet.declare()
    fleet.send(fleet.call(START + WINDOW - 2 * MINUTE, 300))
    fleet.allocate()
    assert fleet.costs() == [Decimal("0.30")]
    assert fleet.spent() == BILL


def test_jobs_own_their_gpus_and_what_nobody_claims_is_idle_or_unobserved(fleet: Fleet) -> None:
    fleet.declare(
        gpus=[{"gpu": "H100", "count": 4, "from": START, "to": START + 4 * WINDOW}],
        serves=[{"model": MODEL, "gpus": 1}],
        jobs=[
            {"name": "finetune", "gpus": 2, "from": START, "to": START + 2 * WINDOW, "dimensions": {"team": "research"}}
        ],
    )
    fleet.send(fleet.call(START, 900))
    fleet.allocate()
    assert fleet.costs() == [Decimal("0.90")]
    assert fleet.by_kind() == {"gpu_job": BILL, "gpu_unobserved": 3 * BILL - Decimal("0.90")}
    assert fleet.spent() == 4 * BILL


def test_a_default_rate_says_so_and_a_gpu_without_any_leaves_calls_waiting(fleet: Fleet) -> None:
    fleet.declare(rates=[])
    fleet.allocate()
    assert fleet.spent() == Decimal("3.99")
    fleet.declare(rates=[], gpus=[{"gpu": "RTX 4090", "count": 1, "from": START, "to": START + WINDOW}])
    fleet.send(fleet.call(START, 900))
    fleet.settle()
    fleet.allocate()
    assert (fleet.statuses()[0][0], fleet.by_kind(), fleet.spent()) == ("pending", {}, None)


def test_a_closed_month_keeps_what_was_booked_and_reopening_puts_everything_where_it_belongs(fleet: Fleet) -> None:
    fleet.declare()
    fleet.allocate()
    fleet.settle()
    months.close(fleet.connection, MONTH, actor="test", now=datetime.now(UTC), zone=UTC_ZONE)
    fleet.connection.commit()
    fleet.send(fleet.call(START + MINUTE, 60))
    fleet.settle()
    fleet.allocate()
    assert fleet.by_kind() == {"gpu_unobserved": BILL, "adjustment": 0}
    fleet.declare(rates=[{"gpu": "H100", "per_hour": "7.20"}])
    fleet.allocate()
    assert fleet.by_kind() == {"gpu_unobserved": BILL, "adjustment": BILL}
    assert fleet.spent() == 2 * BILL
    months.reopen(fleet.connection, MONTH, kept_since=DAY_ONE - timedelta(days=330))
    fleet.connection.commit()
    fleet.allocate()
    assert fleet.by_kind()["gpu_unobserved"] == 2 * BILL - Decimal("0.12")
    assert fleet.costs() == [Decimal("0.12")]
    assert fleet.spent() == 2 * BILL
    assert ledger.differences(fleet.connection, fleet.project_id) == {}
