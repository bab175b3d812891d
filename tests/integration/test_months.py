"""A closed month's booked figures stand; what is learnt later is a line in the open month, and both views add up alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from outlay_collector.db.engine import connect
from outlay_collector.errors import Conflict, NotFound
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.months import store as months
from outlay_collector.ledger.months.calendar import month_window
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Basis, Question, sources
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.reprice import store
from outlay_collector.pricing.store import load_book
from psycopg import errors

from tests.builders import a_model_call, otlp
from tests.integration.shop import DAY_ONE, UTC_ZONE, Shop, a_call, overrides
from tests.servers import Collector, Running, outlay, wait_until

MONTH = f"{DAY_ONE:%Y-%m}"
CLOSED = month_window(MONTH, UTC_ZONE)
KEPT_SINCE = DAY_ONE - timedelta(days=330)
BOTH = (Basis.BOOKED, Basis.INCURRED)


class Books(Shop):
    """A shop that closes months."""

    def close_month(self, month: str = MONTH) -> None:
        self.settle()
        months.close(self.connection, month, actor="test", now=datetime.now(UTC), zone=UTC_ZONE)
        self.connection.commit()

    def reopen_month(self, month: str = MONTH) -> None:
        months.reopen(self.connection, month, kept_since=KEPT_SINCE)
        self.connection.commit()
        self.settle()

    def cost(self, basis: Basis, window: Window = CLOSED) -> Decimal | None:
        question = Question(project_ids=(self.project_id,), window=window, basis=basis)
        rows = reads.spend(self.connection, question, sources(question, UTC_ZONE), "UTC")
        self.connection.commit()
        return rows[0]["cost"] if rows else None

    def both(self, window: Window = CLOSED) -> tuple[Decimal | None, Decimal | None]:
        self.spent()  # settles, and compares sums with rows
        booked, incurred = (self.cost(basis, window) for basis in BOTH)
        return booked, incurred

    def both_over_all_time(self) -> tuple[Decimal | None, Decimal | None]:
        return self.both(Window(CLOSED.start - timedelta(days=200), datetime.now(UTC) + timedelta(days=1)))

    def lines(self) -> list[tuple[str, Decimal]]:
        rows = self.connection.execute(
            "SELECT cause, cost FROM ledger_line WHERE project_id = %s ORDER BY created_at, cost", (self.project_id,)
        ).fetchall()
        self.connection.commit()
        return rows


@pytest.fixture
def books(database_url: str) -> Iterator[Books]:
    made = Books(database_url)
    yield made
    made.close()


def test_a_late_call_is_booked_in_the_open_month(books: Books) -> None:
    books.send(a_call())
    books.close_month()
    books.send(a_call(DAY_ONE + timedelta(days=3), attributes={"outlay.team": "search"}))
    assert books.both() == (Decimal("0.21"), Decimal("0.42"))
    assert books.lines() == [("late_span", Decimal("0.21"))]
    assert books.both_over_all_time() == (Decimal("0.42"), Decimal("0.42"))
    by_team = Question(project_ids=(books.project_id,), window=CLOSED, basis=Basis.INCURRED, group_by=("team",))
    rows = reads.spend(books.connection, by_team, sources(by_team, UTC_ZONE), "UTC")
    assert {row["team"]: row["cost"] for row in rows} == {"search": Decimal("0.21"), None: Decimal("0.21")}


def test_what_is_sent_again_after_closing_is_neither_late_nor_counted_twice(books: Books) -> None:
    call = a_call()
    books.send(call)
    books.close_month()
    books.send(call)
    books.send(call)
    assert books.both() == (Decimal("0.21"), Decimal("0.21"))
    assert books.lines() == []


def test_another_description_of_a_call_that_is_booked_changes_no_sum(books: Books) -> None:
    said = {"gen_ai.response.id": "resp-1"}
    books.send(a_call(attributes=said), scope="shop.own.wrapper")
    books.close_month()
    books.send(a_call(attributes=said), scope="opentelemetry.instrumentation.genai.openai")
    assert books.both() == (Decimal("0.21"), Decimal("0.21"))
    assert books.both_over_all_time() == (Decimal("0.21"), Decimal("0.21"))


def test_a_new_price_of_a_closed_month_is_booked_in_the_open_one_and_undone_there(books: Books) -> None:
    books.send(a_call(), a_call(DAY_ONE + timedelta(hours=2)), a_call(CLOSED.end))
    books.close_month()
    frozen = books.charges()
    books.override(rates_usd_per_mtok={"input": "1", "output": "0"})
    inside = [one for one in books.preview(books.scope()) if one.window == CLOSED]
    assert [(one.changed_calls, one.cost_before, one.cost_after) for one in inside] == [(2, Decimal("0.42"), 2)]
    job = books.reprice(books.scope(), rows=2)
    assert (job.totals.changed_calls, job.totals.cost_after) == (3, 3)
    assert books.both() == (Decimal("0.42"), Decimal(2))
    assert books.both_over_all_time() == (Decimal(3), Decimal(3))
    assert len([key for key, charge in books.charges().items() if charge != frozen[key]]) == 1
    assert books.reprice(books.scope()).totals.changed_calls == 0
    books.undo(job, rows=1)
    assert books.charges() == frozen
    assert books.both() == (Decimal("0.42"), Decimal("0.42"))
    assert books.both_over_all_time() == (Decimal("0.63"), Decimal("0.63"))


def test_in_a_closed_month_the_unknown_may_become_known_but_not_the_other_way(books: Books) -> None:
    books.send(a_call(), a_call(model="rocket-1", provider="acme"))
    books.close_month()
    books.override(provider="acme", model="rocket-1", rates_usd_per_mtok={"input": "1", "output": "1"})
    version = books.book.version
    books.reprice(books.scope())
    assert books.both() == (Decimal("0.21"), Decimal("1.31"))
    books.connection.execute("UPDATE price SET closed_in = %s WHERE project_id = %s", (version, books.project_id))
    books.connection.commit()
    said = books.preview(books.scope())
    assert sum(one.changed_calls for one in said) == 0
    books.reprice(books.scope())
    assert books.both() == (Decimal("0.21"), Decimal("1.31"))


def test_reopening_puts_everything_where_it_belongs(books: Books) -> None:
    books.send(a_call())
    books.close_month()
    books.send(a_call(DAY_ONE + timedelta(days=3)))
    books.override(rates_usd_per_mtok={"input": "1", "output": "0"})
    books.settle()
    job = books.reprice(books.scope())
    assert books.both() == (Decimal("0.21"), Decimal(2))
    books.reopen_month()
    assert books.both() == (Decimal(2), Decimal(2))
    assert books.both_over_all_time() == (Decimal(2), Decimal(2))
    assert books.costs() == [1, 1]
    books.close_month()
    assert books.both() == (Decimal(2), Decimal(2))
    books.undo(job)
    assert books.both() == (Decimal(2), Decimal("0.42"))
    assert books.both_over_all_time() == (Decimal("0.42"), Decimal("0.42"))


def test_what_cannot_be_closed_or_opened_says_why(books: Books) -> None:
    this_month = f"{datetime.now(UTC):%Y-%m}"
    with pytest.raises(Conflict, match="when it is over"):
        books.close_month(this_month)
    with pytest.raises(NotFound, match="is not closed"):
        books.reopen_month()
    books.connection.rollback()
    books.send(a_call())
    with pytest.raises(Conflict, match="wait to be settled"):
        months.close(books.connection, MONTH, actor="test", now=datetime.now(UTC), zone=UTC_ZONE)
    books.connection.rollback()
    books.close_month()
    with pytest.raises(Conflict, match="closed already"):
        books.close_month()
    books.connection.rollback()
    with pytest.raises(Conflict, match="kept no longer"):
        months.reopen(books.connection, MONTH, kept_since=DAY_ONE + timedelta(days=1))


def test_a_month_is_not_closed_over_a_commit_that_is_under_way(books: Books, database_url: str) -> None:
    books.send(a_call())
    books.settle()
    with connect(database_url) as ingest:
        ingest.execute("INSERT INTO span SELECT * FROM span WHERE false")  # as a commit holds the table until its end
        books.connection.execute("SET lock_timeout = '200ms'")
        books.connection.commit()
        with pytest.raises(errors.LockNotAvailable):
            books.close_month()
        books.connection.rollback()
    books.close_month()


SECOND = f"{CLOSED.end:%Y-%m}"
acts = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(0, 45)),
        st.tuples(st.just("price"), st.integers(0, 9)),
        st.tuples(st.just("undo"), st.integers(0, 2)),
        st.tuples(st.sampled_from(["close", "reopen"]), st.integers(0, 1)),
    ),
    min_size=4,
    max_size=12,
)


@pytest.fixture(scope="module")
def listed(shared_database_url: str) -> Book:
    with connect(shared_database_url) as connection:
        return load_book(connection)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(acts=acts)
def test_whatever_happens_booked_figures_of_closed_months_stand_and_both_views_add_up(
    shared_database_url: str, listed: Book, acts: list[tuple[str, int]]
) -> None:
    books = Books(shared_database_url)
    booked: dict[str, Decimal | None] = {}
    jobs: list[store.Job] = []
    book = listed
    try:
        books.send(a_call(), a_call(DAY_ONE + timedelta(days=40)), book=listed)
        books.settle(listed)
        for what, n in acts:
            month = (MONTH, SECOND)[n % 2]
            if what == "call":
                books.send(a_call(DAY_ONE + timedelta(days=n)), book=book)
                books.settle(book)
            elif what == "price":
                book = listed.with_overrides(*overrides({"rates_usd_per_mtok": {"input": str(n), "output": "0"}}))
                jobs.append(books.reprice(books.scope(), book=book, rows=n % 3 + 1))
            elif what == "undo" and jobs:
                books.undo(jobs.pop(), book=book)
            elif what == "close" and month not in booked:
                months.close(books.connection, month, actor="test", now=datetime.now(UTC), zone=UTC_ZONE)
                books.connection.commit()
                booked[month] = books.cost(Basis.BOOKED, month_window(month, UTC_ZONE))
            elif what == "reopen" and month in booked:
                del booked[month]
                months.reopen(books.connection, month, kept_since=KEPT_SINCE)
                books.connection.commit()
            books.settle(book)
            for closed_month, cost in booked.items():
                assert books.cost(Basis.BOOKED, month_window(closed_month, UTC_ZONE)) == cost
        books.spent(book)
        ever = Window(CLOSED.start - timedelta(days=200), datetime.now(UTC) + timedelta(days=1))
        in_force = books.connection.execute(
            """
            SELECT sum(CASE WHEN adjusted.counted IS NULL THEN span.cost ELSE adjusted.cost END)
              FROM span LEFT JOIN adjusted_charge AS adjusted USING (project_id, trace_id, span_id, start_time)
             WHERE project_id = %s AND coalesce(adjusted.counted, span.counted)
            """,
            (books.project_id,),
        ).fetchone()
        assert in_force is not None
        assert books.cost(Basis.BOOKED, ever) == books.cost(Basis.INCURRED, ever) == in_force[0]
    finally:
        books.connection.rollback()
        for month in months.closed(books.connection):
            months.reopen(books.connection, month, kept_since=KEPT_SINCE)
        books.connection.commit()
        books.close()


def test_from_the_command_line_and_over_http(collector: Collector, worker: Running) -> None:
    env = {"OUTLAY_DATABASE_URL": collector.database_url}
    headers = collector.headers | {"Content-Type": "application/x-protobuf"}
    body = otlp([a_model_call(start=DAY_ONE, input_tokens=1_000_000, output_tokens=0)])
    assert httpx.post(f"{collector.url}/v1/traces", content=body, headers=headers).status_code == 200

    def listed_months() -> Any:
        return json.loads(outlay("month", "list", "--json", env=env).stdout)

    wait_until(lambda: [row["booked"] for row in listed_months()] == ["0.15"], seconds=60)
    # Between the answer and the worker's round the month cannot be closed.
    wait_until(lambda: outlay("month", "close", MONTH, env=env).returncode == 0, seconds=60)
    assert [(row["month"], row["state"]) for row in listed_months()] == [(MONTH, "closed")]
    assert "closed already" in outlay("month", "close", MONTH, env=env).stderr
    answer = httpx.post(
        f"{collector.url}/api/v1/months", json={"month": MONTH, "state": "open"}, headers=collector.headers
    )
    assert answer.json() == {"month": MONTH, "state": "open"}
    (row,) = collector.get("/api/v1/months").json()["rows"]
    assert (row["month"], row["state"], row["booked"], row["incurred"]) == (MONTH, "open", "0.15", "0.15")
    with connect(collector.database_url) as connection:
        noted = connection.execute("SELECT action FROM audit WHERE action LIKE 'month.%' ORDER BY id").fetchall()
    assert noted == [("month.closed",), ("month.open",)]
