"""Repricing: what the preview says is what apply does, what apply did can be undone, and no kill or race changes it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from outlay_collector.calls.store import settle_round
from outlay_collector.db.engine import connect
from outlay_collector.errors import Conflict
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import Window
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.reprice import rules, store
from outlay_collector.pricing.reprice.scope import Scope, Sum, Totals
from outlay_collector.pricing.store import load_book
from outlay_collector.pricing.stored import COUNTS
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from tests.integration.shop import DAY_ONE, UTC_ZONE, Shop, a_call, overrides


@pytest.fixture
def shop(shared_database_url: str) -> Iterator[Shop]:
    made = Shop(shared_database_url)
    yield made
    made.close()


def total(sums: Sequence[Sum]) -> Totals:
    found = Totals()
    found.add(sums)
    return found


def test_a_new_price_reaches_the_past_when_asked_to(shop: Shop) -> None:
    shop.send(a_call(), a_call(model="gpt-4o-2024-08-06"))
    assert shop.spent() == Decimal("3.71")  # 0.15 + 0.06, and 2.50 + 1.00
    shop.override(rates_usd_per_mtok={"input": "0.10", "output": "0.40"})
    assert shop.spent() == Decimal("3.71")

    sums = shop.preview(shop.scope())
    assert {(one.model, one.cost_before, one.cost_after, one.changed_calls) for one in sums} == {
        ("gpt-4o-mini-2024-07-18", Decimal("0.21"), Decimal("0.14"), 1),
        ("gpt-4o-2024-08-06", Decimal("3.50"), Decimal("3.50"), 0),
    }
    assert shop.spent() == Decimal("3.71")

    job = shop.reprice(shop.scope())
    assert (job.state, job.totals) == ("done", total(sums))
    assert shop.spent() == Decimal("3.64")


def test_only_the_scope_is_repriced(shop: Shop) -> None:
    times = [DAY_ONE + timedelta(hours=n) for n in range(4)]
    shop.send(*(a_call(at) for at in times), a_call(times[1], model="gpt-4o-2024-08-06"))
    before = shop.costs()
    shop.override(rates_usd_per_mtok={"input": "1", "output": "0"})
    shop.override(model="gpt-4o-2024-08-06", rates_usd_per_mtok={"input": "9", "output": "0"})
    scope = Scope(
        window=Window(times[1], times[3]), project_id=shop.project_id, provider="openai", model="gpt-4o-mini*"
    )
    shop.reprice(scope)
    after = shop.costs()
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True, False, True]


def test_nothing_is_written_where_nothing_changes(shop: Shop) -> None:
    shop.send(a_call(), a_call())
    before = shop.charges()
    job = shop.reprice(shop.scope())
    assert (job.totals.calls, job.totals.changed_calls) == (2, 0)
    assert shop.charges() == before


def test_a_price_that_is_gone_leaves_the_cost_unknown_and_never_zero(shop: Shop) -> None:
    shop.override(provider="acme", model="rocket-1", rates_usd_per_mtok={"input": "1", "output": "1"})
    known = shop.book
    shop.send(a_call(provider="acme", model="rocket-1"))
    assert shop.spent() == Decimal("1.10")
    shop.connection.execute("UPDATE price SET closed_in = %s WHERE project_id = %s", (known.version, shop.project_id))
    shop.connection.commit()
    shop.reprice(shop.scope())
    assert shop.spent() is None
    assert shop.costs() == [None]


def test_undo_restores_every_row(shop: Shop) -> None:
    shop.send(*(a_call(DAY_ONE + timedelta(hours=n)) for n in range(20)))
    before, spent = shop.charges(), shop.spent()
    shop.override(rates_usd_per_mtok={"input": "1", "output": "0"})
    job = shop.reprice(shop.scope(), rows=7)
    assert shop.spent() == 20
    undo = shop.undo(job, rows=6)
    assert (undo.totals.changed_calls, undo.totals.cost_before, undo.totals.cost_after) == (20, 20, spent)
    assert shop.charges() == before
    assert shop.spent() == spent
    with pytest.raises(Conflict, match="undone already"):
        shop.undo(job)


def test_a_job_is_undone_after_those_that_built_on_it(shop: Shop) -> None:
    shop.send(a_call(), a_call())
    before = shop.charges()
    shop.override(rates_usd_per_mtok={"input": "1", "output": "0"})
    first = shop.reprice(shop.scope())
    shop.override(rates_usd_per_mtok={"input": "2", "output": "0"})
    second = shop.reprice(shop.scope())
    with pytest.raises(Conflict, match=f"undo job {second.id} first"):
        shop.undo(first)
    shop.connection.rollback()
    shop.undo(second)
    shop.undo(first)
    assert shop.charges() == before


def test_undo_leaves_what_settlement_learnt_meanwhile(shop: Shop) -> None:
    shop.send(a_call(), a_call(DAY_ONE + timedelta(hours=1)))
    shop.override(rates_usd_per_mtok={"input": "1", "output": "0"})
    job = shop.reprice(shop.scope())
    # As settlement writes when a twin tells of other usage: a charge that the job never knew.
    shop.connection.execute(
        "UPDATE span SET cost = 0.6, priced_at = now() WHERE project_id = %s AND start_time = %s",
        (shop.project_id, DAY_ONE),
    )
    shop.connection.commit()
    shop.undo(job)
    assert shop.costs() == [Decimal("0.6"), Decimal("0.21")]


def test_settlement_and_repricing_take_turns(shop: Shop, shared_database_url: str) -> None:
    shop.send(a_call(), a_call())
    shop.settle()
    shop.override(rates_usd_per_mtok={"input": "1", "output": "0"})
    with connect(shared_database_url) as other:
        ledger.lock(other, shop.project_id)  # as repricing holds it for a batch
        shop.send(a_call())
        done = settle_round(shop.connection, shop.project_id, book=shop.book, now=datetime.now(UTC), zone=UTC_ZONE)
        assert done is None
    shop.reprice(shop.scope())
    assert shop.spent() == 3


def test_a_job_that_was_killed_is_taken_up_where_it_stood(shop: Shop) -> None:
    shop.send(*(a_call(DAY_ONE + timedelta(minutes=n)) for n in range(30)))
    shop.override(rates_usd_per_mtok={"input": "1", "output": "0"})
    expected = total(shop.preview(shop.scope()))
    seen: list[int] = []
    begun = shop.reprice(shop.scope(), rows=8, told=lambda job: seen.append(job.id), stop=lambda: len(seen) == 2)
    assert (begun.state, len([cost for cost in shop.costs() if cost == 1])) == ("running", 16)
    # A batch that was not committed leaves nothing behind.
    shop.override(rates_usd_per_mtok={"input": "7", "output": "0"})
    ended = shop.reprice(shop.scope(), rows=8)
    assert (ended.id, ended.state, ended.totals) == (begun.id, "done", expected)
    assert shop.spent() == 30


_DIES = """
import os, signal, sys
from zoneinfo import ZoneInfo
from outlay_collector.db.engine import connect
from outlay_collector.pricing.reprice import store

with connect(sys.argv[1]) as connection:
    store.run(
        connection, int(sys.argv[2]), zone=ZoneInfo("UTC"), rows=8, told=lambda job: os.kill(os.getpid(), signal.SIGKILL)
    )
"""


def test_a_process_that_dies_between_two_batches_leaves_the_rest_to_another(
    shop: Shop, shared_database_url: str
) -> None:
    shop.send(*(a_call(DAY_ONE + timedelta(minutes=n)) for n in range(20)))
    shop.override(rates_usd_per_mtok={"input": "1", "output": "0"})
    job = store.ask(shop.connection, shop.scope(), actor="test")
    for _ in range(2):
        died = subprocess.run([sys.executable, "-c", _DIES, shared_database_url, str(job.id)], check=False, timeout=120)
        assert died.returncode == -signal.SIGKILL
    assert len([cost for cost in shop.costs() if cost == 1]) == 16
    ended = store.run(shop.connection, job.id, zone=UTC_ZONE)
    assert (ended.state, ended.totals.changed_calls) == ("done", 20)
    assert shop.spent() == 20


def test_calls_that_arrive_meanwhile_keep_the_newer_price(shop: Shop) -> None:
    shop.send(*(a_call(DAY_ONE + timedelta(minutes=n)) for n in range(4)))
    shop.override(rates_usd_per_mtok={"input": "1", "output": "0"})
    job = store.ask(shop.connection, shop.scope(), actor="test")
    shop.override(rates_usd_per_mtok={"input": "2", "output": "0"})
    shop.send(a_call(DAY_ONE + timedelta(minutes=2, seconds=1)))
    assert store.run(shop.connection, job.id, zone=UTC_ZONE, rows=2).totals.calls == 4
    assert shop.costs() == [1, 1, 1, 2, 1]


counts = st.one_of(st.none(), st.integers(0, 3), st.integers(0, 900_000), st.sampled_from([200_000, 200_001]))
odd_usage = st.fixed_dictionaries(
    dict.fromkeys(COUNTS, counts),
    optional={
        "usage_extra": st.sampled_from([{"web_search_calls": 2}, {"input_image": 3}, {"requests": 1}]).map(Jsonb),
        "joined": st.sampled_from([{"usage": {"cache_read_tokens": 5}}, {"provider": "anthropic"}]).map(Jsonb),
    },
)
plain_usage = st.tuples(
    st.integers(0, 400_000), st.integers(0, 100), st.integers(0, 100), st.integers(0, 5_000), st.integers(0, 100)
).map(
    lambda n: {
        "input_tokens": n[0],
        "cache_read_tokens": n[0] * n[1] // 200,
        "cache_write_1h_tokens": n[0] * n[2] // 200,
        "output_tokens": n[3],
        "reasoning_tokens": n[3] * n[4] // 100,
    }
)
times = st.integers(0, 60 * 86_400).map(lambda n: DAY_ONE + timedelta(seconds=n))
some_calls = st.fixed_dictionaries(
    {
        "start_time": times,
        "counted": st.booleans(),
        "provider": st.sampled_from(["openai", "anthropic", "deepseek", None]),
        "response_model": st.sampled_from(
            [
                "gpt-4o-mini-2024-07-18",
                "claude-sonnet-4-5-20250929",
                "gemini-2.5-pro",
                "deepseek-chat",
                "nobody-7b",
                None,
            ]
        ),
        "service_tier": st.sampled_from([None, "default", "batch", "flex", "nonsense"]),
    }
).flatmap(lambda call: st.one_of(odd_usage, plain_usage).map(lambda usage: {**call, **usage}))


PROPERTY = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate],
)


@pytest.fixture(scope="module")
def listed(shared_database_url: str) -> Book:
    with connect(shared_database_url) as connection:
        return load_book(connection)


@PROPERTY
@given(
    calls=st.lists(some_calls, min_size=1, max_size=40),
    changes=st.lists(
        st.tuples(
            times,
            st.sampled_from(["*", "gpt-4o-mini*", "claude*"]),
            st.sampled_from(["input", "output", "cache_read"]),
            st.integers(0, 9_999),
        ),
        max_size=4,
    ),
    discount=st.sampled_from([None, "15", "12.345", "33.3333333333333333333333"]),
    rows=st.integers(1, 12),
)
def test_what_is_multiplied_in_the_database_is_what_each_call_costs_by_itself(
    shared_database_url: str,
    listed: Book,
    calls: list[dict[str, Any]],
    changes: list[tuple[datetime, str, str, int]],
    discount: str | None,
    rows: int,
) -> None:
    said: list[dict[str, Any]] = [
        {"valid_from": since.isoformat(), "model": model, "rates_usd_per_mtok": {unit: str(Decimal(cents) / 1000)}}
        for since, model, unit, cents in changes
    ]
    if discount is not None:
        said.append({"discount_percent": discount})
    book = listed.with_overrides(*overrides(*said)) if said else listed
    shop = Shop(shared_database_url)
    try:
        shop.insert(calls)
        before = shop.charges()
        sums = store.preview(shop.connection, book, shop.scope())
        job = shop.reprice(shop.scope(), rows=rows, book=book)
        assert job.totals == total(sums)
        assert_each_call_has_its_own_charge(shop, book)
        counted = shop.connection.execute(
            "SELECT sum(cost), count(*) FILTER (WHERE cost IS NULL) FROM span WHERE project_id = %s AND counted",
            (shop.project_id,),
        ).fetchone()
        assert counted == (job.totals.cost_after, job.totals.unpriced_after)
        assert shop.spent(listed) == job.totals.cost_after
        assert shop.reprice(shop.scope(), book=book).totals == replace(
            job.totals,
            changed_calls=0,
            cost_before=job.totals.cost_after,
            unpriced_before=job.totals.unpriced_after,
        )
        shop.undo(job, rows=rows, book=book)
        assert shop.charges() == before
        assert shop.spent(listed) is None
    finally:
        shop.close()


def assert_each_call_has_its_own_charge(shop: Shop, book: Book) -> None:
    with shop.connection.cursor(row_factory=namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute("SELECT * FROM call WHERE project_id = %s", (shop.project_id,)).fetchall()
        for row in rows:
            charge = rules.charge(book, row, shop.project_id)
            assert (row.cost, row.charge_status) == (charge.cost, charge.status)
            if row.cost is not None:
                assert tuple(row.price_ids or ()) == charge.price_ids


@PROPERTY
@given(starts=st.lists(st.integers(-5, 5), min_size=1, max_size=8), seconds=st.integers(0, 59))
def test_a_price_change_reaches_exactly_the_calls_from_its_instant_on(
    shared_database_url: str, listed: Book, starts: list[int], seconds: int
) -> None:
    shop = Shop(shared_database_url)
    try:
        instant = DAY_ONE + timedelta(seconds=seconds)
        call = {
            "provider": "openai", "response_model": "gpt-4o-mini-2024-07-18", "input_tokens": 1_000_000,
            "output_tokens": 0,
        }  # fmt: skip
        shop.insert([{"start_time": instant + timedelta(microseconds=n), **call} for n in sorted(starts)])
        changed = overrides({"valid_from": instant.isoformat(), "rates_usd_per_mtok": {"input": "7", "output": "7"}})
        shop.reprice(shop.scope(), book=listed.with_overrides(*changed))
        assert shop.costs() == [Decimal(7) if n >= 0 else Decimal("0.15") for n in sorted(starts)]
    finally:
        shop.close()
