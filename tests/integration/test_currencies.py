"""Prices in other currencies: summed in the instance's by a dated rate, repriced when rates come, and restored by undo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from outlay_collector.errors import Conflict, OtherCurrency
from outlay_collector.ledger.months import store as months
from outlay_collector.pricing import store as prices
from outlay_collector.pricing.currencies import store as fx
from outlay_collector.pricing.currencies.rates import Quote, crossed
from outlay_collector.pricing.reprice.scope import rate_scopes

from tests.builders import a_model_call, otlp
from tests.integration.shop import DAY_ONE, UTC_ZONE, Shop, a_call
from tests.servers import Collector, outlay

DAY = timedelta(days=1)
ONE_CALL = 1_400  # won: a million input tokens at 1000, and a tenth of that of output at 4000


class Exchange(Shop):
    """A shop whose prices are in won."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.override(rates_per_mtok={"input": "1000", "output": "4000"}, currency="KRW")

    def rates(self, said: dict[datetime, str]) -> prices.ImportedRates:
        """What a dollar was on some days, in won."""
        quotes = [Quote(day=at.date(), base="USD", currency="KRW", value=Decimal(won)) for at, won in said.items()]
        rows = crossed(quotes, target="USD", zone=UTC_ZONE, source="test")
        done = prices.import_rates(self.connection, rows, name="test", actor="test", allow_leaps=True)
        self.connection.commit()
        return done

    def reprice_for(self, done: prices.ImportedRates) -> Any:
        (scope,) = rate_scopes(done.diff, now=datetime.now(UTC), retention=timedelta(days=400))
        expected = self.preview(scope)
        job = self.reprice(scope, rows=7)
        assert sum(one.changed_calls for one in expected) == job.totals.changed_calls
        known = [one.cost_after for one in expected if one.cost_after is not None]
        assert job.totals.cost_after == (sum(known, Decimal(0)) if known else None)
        return job

    def in_won(self) -> Decimal | None:
        row = self.connection.execute(
            "SELECT sum(charge_cost) FROM span WHERE project_id = %s AND charge_currency = 'KRW'", (self.project_id,)
        ).fetchone()
        self.connection.commit()
        assert row is not None
        return row[0]


@pytest.fixture
def exchange(database_url: str) -> Iterator[Exchange]:
    made = Exchange(database_url)
    yield made
    made.close()


def test_without_a_rate_cost_is_unknown_until_rates_come_and_are_applied(exchange: Exchange) -> None:
    exchange.send(a_call(DAY_ONE + timedelta(hours=1)), a_call(DAY_ONE + DAY), a_call(DAY_ONE + 30 * DAY))
    before = exchange.charges()
    assert exchange.spent() is None
    assert exchange.in_won() == 3 * ONE_CALL
    assert {charge[3] for charge in before.values()} == {"unpriced"}

    done = exchange.rates({DAY_ONE: "1400", DAY_ONE + DAY: "1000"})
    assert exchange.spent() is None, "a rate alone changes no call of the past"
    job = exchange.reprice_for(done)
    # 1400 won at 1400, 1400 at 1000, and one a month after the last rate, which nobody guesses.
    first = ONE_CALL * Decimal("0.000714285714285714286")
    assert exchange.costs() == [first, Decimal("1.4"), None]
    assert exchange.spent() == first + Decimal("1.4")

    exchange.undo(job)
    assert exchange.charges() == before
    assert exchange.spent() is None


def test_a_new_call_is_priced_by_the_rate_of_its_day(exchange: Exchange) -> None:
    exchange.rates({DAY_ONE: "1400", DAY_ONE + DAY: "1000"})
    exchange.send(a_call(DAY_ONE + DAY), a_call(DAY_ONE + DAY, model="gpt-4o-2024-08-06"))
    rows = sorted(exchange.charges().values(), key=lambda row: row[0])
    assert [(row[0], row[1], row[2]) for row in rows] == [
        (Decimal("1.4"), ONE_CALL, "KRW"),
        (Decimal("3.5"), None, None),  # a price in dollars needs no rate, and its charge is its cost
    ]
    used = fx.rate(exchange.connection, rows[0][7])
    assert used is not None
    assert (used.day, used.base_currency) == ((DAY_ONE + DAY).date(), 1000)
    assert exchange.spent() == Decimal("4.9")


def test_a_changed_rate_concerns_the_calls_of_its_days_and_no_others(exchange: Exchange) -> None:
    exchange.rates({DAY_ONE: "1000", DAY_ONE + 2 * DAY: "1000"})
    instants = [DAY_ONE + timedelta(hours=6 * n) for n in range(16)]
    exchange.send(*(a_call(at) for at in instants))
    exchange.settle()
    done = exchange.rates({DAY_ONE + DAY: "700"})
    exchange.reprice_for(done)
    second = [at for at in instants if DAY_ONE + DAY <= at < DAY_ONE + 2 * DAY]
    assert len(second) == 4
    assert exchange.costs() == [
        ONE_CALL * Decimal("0.00142857142857142857") if at in second else Decimal("1.4") for at in instants
    ]


def test_importing_the_same_again_makes_no_version(exchange: Exchange) -> None:
    assert exchange.rates({DAY_ONE: "1400"}).version is not None
    version = prices.newest_version(exchange.connection)
    assert exchange.rates({DAY_ONE: "1400.0"}).version is None
    assert prices.newest_version(exchange.connection) == version


def test_an_import_can_be_undone_and_old_versions_read_again(exchange: Exchange) -> None:
    first = exchange.rates({DAY_ONE: "1400"})
    second = exchange.rates({DAY_ONE: "1000"})
    assert first.version is not None
    assert second.version is not None

    def won(version: int | None = None) -> list[Decimal]:
        return [row.base_currency for row in prices.load_book(exchange.connection, version).rates.rows]

    assert (won(first.version), won()) == ([1400], [1000])
    prices.undo(exchange.connection, second.version, actor="test")
    assert won() == [1400]
    assert won(second.version) == [1000]


def test_in_a_closed_month_a_rate_books_the_difference(exchange: Exchange) -> None:
    exchange.rates({DAY_ONE: "1400"})
    exchange.send(a_call(DAY_ONE), a_call(DAY_ONE))
    booked = exchange.spent()
    months.close(exchange.connection, f"{DAY_ONE:%Y-%m}", actor="test", now=datetime.now(UTC), zone=UTC_ZONE)
    exchange.connection.commit()
    before = exchange.charges()
    job = exchange.reprice_for(exchange.rates({DAY_ONE: "1000"}))
    assert exchange.charges() == before
    assert booked is not None
    lines = exchange.connection.execute("SELECT cause, cost FROM ledger_line").fetchall()
    assert lines == [("reprice", Decimal("2.8") - booked)]
    assert exchange.spent() == Decimal("2.8")
    exchange.undo(job)
    assert exchange.spent() == booked


def test_a_rate_that_is_known_no_more_takes_nothing_away_from_a_closed_month(exchange: Exchange) -> None:
    done = exchange.rates({DAY_ONE: "1000"})
    exchange.send(a_call(DAY_ONE))
    assert exchange.spent() == Decimal("1.4")
    months.close(exchange.connection, f"{DAY_ONE:%Y-%m}", actor="test", now=datetime.now(UTC), zone=UTC_ZONE)
    assert done.version is not None
    prices.undo(exchange.connection, done.version, actor="test")
    exchange.connection.commit()
    exchange.reprice(exchange.scope(currency="KRW"))
    assert exchange.spent() == Decimal("1.4")


days = st.integers(min_value=0, max_value=9)
won = st.decimals(min_value=500, max_value=2000, places=2)


# A failing example is not made smaller: each is a journey through the database.
@settings(
    max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(days, min_size=1, max_size=8),
    st.dictionaries(days, won, max_size=4),
    st.dictionaries(days, won, max_size=4),
)
def test_there_and_back_restores_every_row_and_rules_agree_with_the_book(
    exchange: Exchange, calls: list[int], first: dict[int, Decimal], second: dict[int, Decimal]
) -> None:
    begin = DAY_ONE + timedelta(days=20 * next(_rounds) % 200 - 200)
    exchange.rates({begin + day * DAY: str(value) for day, value in first.items()})
    exchange.send(*(a_call(begin + day * DAY + timedelta(hours=5)) for day in calls))
    # Usage that no rule holds for: such calls are priced one by one.
    exchange.connection.execute(
        """UPDATE span SET usage_extra = '{"web_search_calls": 1}' WHERE project_id = %s AND span_id %% 3 = 0""",
        (exchange.project_id,),
    )
    exchange.settle()
    before = exchange.charges()
    done = exchange.rates({begin + day * DAY: str(value) for day, value in second.items()})
    job = exchange.reprice(exchange.scope(currency="KRW"), rows=3)
    rows = exchange.connection.execute(
        "SELECT start_time, cost, charge_cost, charge_currency, charge_status, fx_rate_id FROM span WHERE project_id = %s",
        (exchange.project_id,),
    ).fetchall()
    for at, cost, charge_cost, currency, status, fx_rate_id in rows:
        rate = exchange.book.rates.find("KRW", at)
        assert (currency, cost) == ("KRW", None if rate is None else charge_cost * rate.rate)
        assert (cost is None) == (fx_rate_id is None) == (status == "unpriced")
    exchange.spent()
    exchange.undo(job)
    if done.version is not None:
        prices.undo(exchange.connection, done.version, actor="test")
    assert exchange.charges() == before


_rounds = iter(range(1, 1000))


def test_an_instance_in_won_sums_won(database_url: str, tmp_path: Path) -> None:
    env = {"OUTLAY_DATABASE_URL": database_url, "OUTLAY_CURRENCY": "KRW"}
    refused = outlay("worker", env=env)
    assert refused.returncode == 1
    assert "are in USD, and OUTLAY_CURRENCY=KRW" in refused.stderr
    assert outlay("migrate", env=env).returncode == 0

    today = datetime.now(UTC).date()
    file = tmp_path / "eurofxref-hist.csv"
    file.write_text(f"Date,USD,KRW,\n{today - DAY},1.00,1400,\n{today - 2 * DAY},1.00,1500,\n", "utf-8")
    imported = outlay("price", "rates", "import", str(file), env=env)
    assert "Version" in imported.stdout, imported.stderr
    assert "Nothing changed" in outlay("price", "rates", "import", str(file), env=env).stdout
    rows = json.loads(outlay("price", "rates", "list", "--json", env=env).stdout)
    assert {(row["currency"], row["rate"]) for row in rows} == {("EUR", "1400"), ("USD", "1400")}

    shop = Shop(database_url)
    try:
        at = datetime.combine(today - 2 * DAY, datetime.min.time(), UTC) + timedelta(hours=3)
        call = a_call(at)
        shop.send(call)
        assert shop.spent() == Decimal("0.21") * 1500
        with pytest.raises(Conflict, match="Costs of this database are in KRW, and OUTLAY_CURRENCY=USD"):
            fx.adopt(shop.connection, "USD")
        with pytest.raises(OtherCurrency):
            fx.check(shop.connection, "USD")
    finally:
        shop.close()
    told = outlay("explain", call.trace_id.hex(), call.span_id.hex(), env=env).stdout
    assert "Total: 315 KRW (priced)" in told
    assert f"Converted from 0.21 USD: 1 USD = 1500 KRW on {today - 2 * DAY} (1 EUR = 1 USD = 1500 KRW)" in told


def test_rates_over_http_and_on_the_command_line(collector: Collector, tmp_path: Path) -> None:
    env = {"OUTLAY_DATABASE_URL": collector.database_url}
    override = ("price", "override", "-p", "naver", "-m", "HCX-005", "--input", "1000", "--currency", "krw")
    assert outlay(*override, env=env).returncode == 0
    today = datetime.now(UTC).date()
    start = datetime.now(UTC) - timedelta(minutes=5)
    body = otlp([a_model_call(start=start, provider="naver", model="HCX-005", input_tokens=1_000_000, output_tokens=0)])
    headers = collector.headers | {"Content-Type": "application/x-protobuf"}
    # The collector may not have seen the override yet; repricing gives it to the call either way.
    assert httpx.post(f"{collector.url}/v1/traces", content=body, headers=headers).status_code == 200
    assert outlay("reprice", "--from", start.isoformat(), "--apply", env=env).returncode == 0
    (row,) = collector.get("/api/v1/calls").json()["rows"]
    assert (row["cost"], row["charge_cost"], row["charge_currency"]) == (None, "1000", "KRW")

    lines = f"date,base,currency,rate\n{today - DAY},USD,KRW,1250\n"
    post = {"csv": lines, "name": "treasury", "dry_run": True}
    answer = httpx.post(f"{collector.url}/api/v1/prices/rates", json=post, headers=collector.headers)
    assert (answer.status_code, answer.json()["price_version"], answer.json()["added"]) == (201, None, 1)
    file = tmp_path / "rates.csv"
    file.write_text(lines, "utf-8")
    done = outlay("price", "rates", "import", str(file), "--reprice", env=env)
    assert "1 of 1 calls change: unknown becomes 0.8" in done.stdout, done.stderr
    (row,) = collector.get("/api/v1/calls").json()["rows"]
    assert (row["cost"], row["charge_cost"]) == ("0.8", "1000")
    told = collector.get("/api/v1/prices/rates").json()
    assert (told["currency"], told["rows"][0]["rate"], told["rows"][0]["source"]) == ("USD", "0.0008", "rates.csv")
    refused = httpx.post(f"{collector.url}/api/v1/prices/rates", json={"csv": "x"}, headers=collector.headers)
    assert refused.status_code == 400
    slipped = {"csv": f"date,base,currency,rate\n{today},USD,KRW,125000\n"}
    refused = httpx.post(f"{collector.url}/api/v1/prices/rates", json=slipped, headers=collector.headers)
    assert refused.status_code == 409
    assert "more than 2 times" in refused.json()["detail"]
