"""A project with calls, prices of its own, jobs and sums: what tests of repricing and of months stand on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from outlay_collector.access import store as access
from outlay_collector.calls.store import settle_round, waiting_projects
from outlay_collector.db.engine import connect
from outlay_collector.db.store import create_days
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import Window
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.quote import override_rows
from outlay_collector.pricing.reprice import store
from outlay_collector.pricing.reprice.scope import Scope, Sum
from outlay_collector.pricing.store import add_own, load_book, newest_version
from outlay_collector.receive import store as receive
from outlay_collector.receive.ingest import Limits, ingest

from tests.builders import SpanSpec, a_model_call, otlp

UTC_ZONE = ZoneInfo("UTC")
LIMITS = Limits(retention=timedelta(days=400), future_tolerance=timedelta(minutes=10))
DAY_ONE = (datetime.now(UTC) - timedelta(days=70)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
"""The first of a month that is over."""

_numbers = itertools.count(1)

_CHARGE = "cost, charge_cost, charge_currency, charge_status, price_ids, price_version, priced_at, fx_rate_id"


class Shop:
    """A project of its own in a database that others use too."""

    def __init__(self, url: str) -> None:
        self.connection, self.writer = connect(url), connect(url)
        receive.prepare(self.writer)
        self.project_id = access.create_project(self.connection, f"shop {next(_numbers)}")
        self.connection.commit()
        self._book: Book | None = None

    @property
    def book(self) -> Book:
        if self._book is None or newest_version(self.connection) != self._book.version:
            self._book = load_book(self.connection)
        self.connection.commit()
        return self._book

    def send(self, *spans: SpanSpec, book: Book | None = None, **request: Any) -> None:
        batches = ingest(
            otlp(spans, **request),
            json=False,
            project_id=self.project_id,
            key_id="testkey1",
            book=book or self.book,
            limits=LIMITS,
            now=datetime.now(UTC),
        )
        receive.write(self.writer, batches, receive.Session())

    def insert(self, calls: Sequence[dict[str, Any]]) -> None:
        """Rows as no sender would make them, without a price as yet."""
        days = {call["start_time"].date() for call in calls}
        create_days(self.connection, days)
        for number, call in enumerate(calls):
            row: dict[str, Any] = {
                "project_id": self.project_id, "trace_id": f"{number + 1:032x}", "span_id": number, "name": "chat",
                "received_at": DAY_ONE, "duration_us": 1, "kind": 3, "status": 0, "counted": True, "dialect": "otel",
                "span_type": "call", "usage_source": "reported", "charge_status": "unpriced", **call,
            }  # fmt: skip
            names = ", ".join(row)
            values = ", ".join(f"%({name})s" for name in row)
            self.connection.execute(f"INSERT INTO span ({names}) VALUES ({values})".encode(), row)
        ledger.mark_dirty(
            self.connection, self.project_id, [call["start_time"].replace(second=0, microsecond=0) for call in calls]
        )
        self.connection.commit()

    def override(self, **said: Any) -> None:
        models, prices, discounts = override_rows(
            [{"provider": "openai", "model": "gpt-4o-mini*", "valid_from": None, "valid_to": None, **said}],
            self.project_id,
        )
        add_own(self.connection, models=models, prices=prices, discounts=discounts, actor="test", name="test")
        self.connection.commit()

    def scope(self, days: float = 400, *, since: datetime = DAY_ONE - timedelta(days=200), **more: Any) -> Scope:
        return Scope(window=Window(since, since + timedelta(days=days)), project_id=self.project_id, **more)

    def preview(self, scope: Scope) -> list[Sum]:
        found = store.preview(self.connection, self.book, scope)
        self.connection.commit()
        return found

    def reprice(self, scope: Scope, **options: Any) -> store.Job:
        return store.run(self.connection, store.ask(self.connection, scope, actor="test").id, zone=UTC_ZONE, **options)

    def undo(self, job: store.Job, **options: Any) -> store.Job:
        return store.run(
            self.connection, store.ask_undo(self.connection, job.id, actor="test").id, zone=UTC_ZONE, **options
        )

    def settle(self, book: Book | None = None) -> None:
        book = book or self.book
        while self.project_id in waiting_projects(self.connection):
            settle_round(self.connection, self.project_id, book=book, now=datetime.now(UTC), zone=UTC_ZONE)
        self.connection.commit()

    def charges(self) -> dict[Any, Any]:
        rows = self.connection.execute(
            f"SELECT trace_id, span_id, {_CHARGE} FROM span WHERE project_id = %s ORDER BY 1, 2".encode(),
            (self.project_id,),
        ).fetchall()
        self.connection.commit()
        return {row[:2]: row[2:] for row in rows}

    def costs(self) -> list[Decimal | None]:
        rows = self.connection.execute(
            "SELECT cost FROM span WHERE project_id = %s ORDER BY start_time, span_id", (self.project_id,)
        ).fetchall()
        self.connection.commit()
        return [cost for (cost,) in rows]

    def spent(self, book: Book | None = None) -> Decimal | None:
        """As the rollups say, which are compared with the rows first."""
        self.settle(book)
        assert ledger.differences(self.connection, self.project_id) == {}
        row = self.connection.execute(
            "SELECT sum(cost) FROM cost_day WHERE project_id = %s AND basis < 2", (self.project_id,)
        ).fetchone()
        self.connection.commit()
        assert row is not None
        return row[0]

    def close(self) -> None:
        self.connection.close()
        self.writer.close()


def a_call(at: datetime = DAY_ONE, **more: Any) -> SpanSpec:
    return a_model_call(start=at, input_tokens=1_000_000, output_tokens=100_000, **more)


def overrides(*said: dict[str, Any]) -> tuple[Any, Any, Any]:
    return override_rows([{"model": "*", "valid_from": None, "valid_to": None, **one} for one in said])
