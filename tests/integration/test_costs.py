"""Other costs in the ledger: entered once, spread by day, found in spend, taken back; closed months stand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from outlay_collector.costs import store
from outlay_collector.costs.credits import store as credits
from outlay_collector.costs.credits.drawdown import Grant
from outlay_collector.costs.entries import read
from outlay_collector.costs.volume import store as volume
from outlay_collector.costs.volume.tiers import Tier
from outlay_collector.errors import Conflict, NotFound
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.months import store as months
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Basis, Question, sources
from outlay_collector.pricing.currencies.rates import Quote, crossed
from outlay_collector.pricing.store import import_rates

from tests.integration.shop import DAY_ONE, UTC_ZONE, Shop, a_call
from tests.servers import Collector, outlay

MONTH = f"{DAY_ONE:%Y-%m}"
NEXT = (DAY_ONE + timedelta(days=31)).replace(day=1)
DAYS = (NEXT - DAY_ONE).days


class Office(Shop):
    """A shop with costs that are no call's."""

    def enter(self, *, replace: bool = False, **said: Any) -> str:
        raw = {
            "key": "seats",
            "kind": "seats",
            "amount": "310",
            "month": MONTH,
            "provider": "cursor",
            "team": "web",
        } | said
        entry = read({name: value for name, value in raw.items() if value is not None}, default_currency="USD")
        done = store.enter(self.connection, self.project_id, entry, actor="test", zone=UTC_ZONE, replace=replace)
        self.connection.commit()
        return done.outcome

    def remove(self, key: str = "seats") -> None:
        store.remove(self.connection, self.project_id, key, actor="test")
        self.connection.commit()

    def close_month(self) -> None:
        self.settle()
        months.close(self.connection, MONTH, actor="test", now=datetime.now(UTC), zone=UTC_ZONE)
        self.connection.commit()

    def reopen_month(self) -> None:
        months.reopen(self.connection, MONTH, kept_since=DAY_ONE - timedelta(days=300))
        self.connection.commit()

    def of_month(self, basis: Basis) -> Decimal | None:
        self.spent()
        question = Question(project_ids=(self.project_id,), window=Window(DAY_ONE, NEXT), basis=basis)
        rows = reads.spend(self.connection, question, sources(question, UTC_ZONE), "UTC")
        self.connection.commit()
        return rows[0]["cost"] if rows else None

    def both(self) -> tuple[Decimal | None, Decimal | None]:
        """What the month is booked at, and what it cost."""
        return self.of_month(Basis.BOOKED), self.of_month(Basis.INCURRED)

    def lines(self) -> list[Any]:
        rows = self.connection.execute(
            "SELECT id, charge_time, cost FROM ledger_line WHERE project_id = %s ORDER BY 2, 3, 1", (self.project_id,)
        ).fetchall()
        self.connection.commit()
        return rows


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    made = Office(database_url)
    yield made
    made.close()


def test_a_months_seats_are_spent_day_by_day_beside_the_calls(office: Office) -> None:
    office.send(a_call(DAY_ONE + timedelta(hours=5)))
    assert office.enter() == "added"
    assert office.spent() == Decimal("310.21")
    window = Window(DAY_ONE, DAY_ONE + timedelta(days=1))
    question = Question(project_ids=(office.project_id,), window=window, group_by=("provider", "team", "operation"))
    rows = reads.spend(office.connection, question, sources(question, UTC_ZONE), "UTC")
    assert {(row["provider"], row["team"], row["operation"], row["lines"]) for row in rows} == {
        ("cursor", "web", "seats", 1), ("openai", None, "chat", 0)
    }  # fmt: skip
    (first,) = (row["cost"] for row in rows if row["lines"])
    assert first == round(Decimal(310) / DAYS, 9)


def test_entering_twice_is_entering_once(office: Office) -> None:
    office.enter()
    before = office.lines()
    assert office.enter() == "known"
    assert office.lines() == before
    with pytest.raises(Conflict, match="'seats' is entered already, as 310 USD seats"):
        office.enter(amount="311")
    office.connection.rollback()
    assert office.enter(amount="311", replace=True) == "replaced"
    assert office.spent() == 311


def test_what_is_taken_back_is_gone_and_its_key_is_free(office: Office) -> None:
    office.enter()
    office.remove()
    assert office.lines() == []
    assert office.spent() is None
    with pytest.raises(NotFound):
        office.remove()
    office.connection.rollback()
    assert office.enter(amount="1", month=None, on=f"{DAY_ONE:%Y-%m-%d}") == "added"
    assert office.spent() == 1
    kept = store.listed(office.connection, [office.project_id], with_removed=True)
    assert [(row["amount"], row["booked"], row["removed_by"]) for row in kept if row["removed_at"]] == [
        (310, 0, "test")
    ]


def test_a_closed_month_stands_and_reversals_are_booked_in_the_open_one(office: Office) -> None:
    office.enter()
    office.close_month()
    before = office.lines()
    office.remove()
    assert office.both() == (310, 0)
    assert [line for line in office.lines() if line in before] == before
    assert office.spent() == 0
    office.enter(amount="62", key="late")
    assert office.both() == (310, 62)
    assert office.enter(amount="62", key="late") == "known"
    office.enter(amount="31", key="late", replace=True)
    assert office.both() == (310, 31)
    assert office.spent() == 31
    office.reopen_month()
    # The reversal of the seats and the late cost go where they belong.
    assert office.both() == (31, 31)
    assert office.spent() == 31
    office.remove("late")
    assert office.both() == (0, 0)


def test_a_cost_in_another_currency_is_converted_once_when_it_begins(office: Office) -> None:
    with pytest.raises(Conflict, match="Cost 'seats' is in KRW: no exchange rate from KRW to USD is known"):
        office.enter(currency="KRW", amount="1000000")
    office.connection.rollback()
    quote = Quote(day=DAY_ONE.date(), base="USD", currency="KRW", value=Decimal(1300))
    rates = crossed([quote], target="USD", zone=UTC_ZONE, source="test")
    import_rates(office.connection, rates, name="test", actor="test")
    office.enter(currency="KRW", amount="1000000")
    assert office.spent() == 1_000_000 * Decimal("0.000769230769230769231")
    row = office.connection.execute(
        "SELECT sum(charge_cost), min(charge_currency), count(DISTINCT fx_rate_id), count(*) FROM ledger_line"
    ).fetchone()
    assert row == (1_000_000, "KRW", 1, DAYS)


def test_from_the_command_line_and_over_http(collector: Collector, tmp_path: Path) -> None:
    env = {"OUTLAY_DATABASE_URL": collector.database_url}
    today = datetime.now(UTC).date()

    def run(*arguments: str) -> Any:
        ran = outlay("cost", *arguments, "--json", env=env)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    (row,) = run("add", "tuning-7", "12.50", "--kind", "fine_tuning", "--on", str(today), "-d", "team=search")
    assert (row["outcome"], row["cost"], row["dimensions"]) == (
        "added",
        "12.5",
        {"operation": "fine_tuning", "team": "search"},
    )
    file = tmp_path / "costs.yaml"
    file.write_text(
        f"- {{key: vectors, kind: vector_store, amount: 0.7, from: {today - timedelta(days=6)}, to: {date.max}}}"
    )
    assert "is too far away" in outlay("cost", "apply", str(file), env=env).stderr
    file.write_text(
        f"- {{key: vectors, kind: vector_store, amount: 0.7, from: {today - timedelta(days=6)},"
        f" to: {today + timedelta(days=1)}}}"
    )
    assert [row["outcome"] for row in run("apply", str(file))] == ["added"]
    assert [row["outcome"] for row in run("apply", str(file))] == ["known"]

    body = {"costs": [{"key": "refund", "amount": "-2", "on": str(today)}], "project": "default"}
    answer = httpx.post(f"{collector.url}/api/v1/costs", json=body, headers=collector.headers)
    assert (answer.status_code, answer.json()["rows"][0]["outcome"]) == (201, "added")
    listed = collector.get("/api/v1/costs").json()["rows"]
    assert {(row["key"], row["amount"], row["booked"]) for row in listed} == {
        ("tuning-7", "12.50", "12.5"), ("vectors", "0.7", "0.7"), ("refund", "-2", "-2")
    }  # fmt: skip
    url = f"{collector.url}/api/v1/costs"
    gone = httpx.delete(url, params={"key": "refund", "project": "default"}, headers=collector.headers)
    assert gone.status_code == 200
    assert (
        httpx.delete(url, params={"key": "refund", "project": "default"}, headers=collector.headers).status_code == 404
    )
    assert run("remove", "tuning-7")["removed_by"] == "outlay cost"
    assert [row["key"] for row in run("list")] == ["vectors"]


def test_a_volume_term_takes_off_what_its_tiers_say_and_follows_what_is_used(office: Office) -> None:
    term: dict[str, Any] = {"provider": "openai", "model": "gpt-4o-mini*", "unit": "input", "currency": "USD"}
    tiers = (Tier(0, Decimal("0.15")), Tier(1_000_000, Decimal("0.10")))
    now = DAY_ONE + timedelta(days=40)

    def settle() -> int:
        office.settle()
        changed = volume.settle(office.connection, office.project_id, now=now, zone=UTC_ZONE)
        office.connection.commit()
        return changed

    volume.add(
        office.connection, office.project_id, key="c", tiers=tiers, start=DAY_ONE.date(), end=None, actor="test",
        zone=UTC_ZONE, **term,
    )  # fmt: skip
    office.connection.commit()
    office.send(*(a_call(DAY_ONE + timedelta(days=n, hours=3)) for n in range(3)))
    before = office.spent()
    assert before == Decimal("0.63")
    # Of three million tokens two are 0.05 cheaper, on the second and the third day.
    assert (settle(), settle()) == (1, 0)
    assert office.spent() == Decimal("0.53")
    assert [(line[1], line[2]) for line in office.lines()] == [
        (DAY_ONE + timedelta(days=n), Decimal("-0.05")) for n in (1, 2)
    ]
    office.close_month()
    office.send(a_call(DAY_ONE + timedelta(hours=9)))
    assert office.both() == (Decimal("0.53"), Decimal("0.74"))
    assert office.enter(key="volume-like", month=None, on=f"{now:%Y-%m-%d}", amount="1") == "added"
    volume.remove(office.connection, office.project_id, "c", actor="test")
    office.connection.commit()
    assert office.both() == (Decimal("0.53"), Decimal("0.84"))
    assert volume.terms(office.connection, [office.project_id]) == []
    assert settle() == 0


def test_a_credit_is_drawn_down_by_use_and_expires(office: Office) -> None:
    start = DAY_ONE.date()
    grant = Grant(key="c", provider="openai", amount=Decimal("0.50"), start=start, end=start + timedelta(days=20))
    credits.add(office.connection, office.project_id, grant, actor="test")
    with pytest.raises(Conflict, match="Credit 'c' is entered already"):
        credits.add(office.connection, office.project_id, grant, actor="test")
    office.send(*(a_call(DAY_ONE + timedelta(days=n, hours=3)) for n in range(2)), a_call(NEXT))
    spent = office.spent()
    now = DAY_ONE + timedelta(days=60)
    told = credits.told(office.connection, office.project_id, now=now, zone=UTC_ZONE)
    assert [(one["drawn"], one["left"], one["expired"]) for one in told["credits"]] == [("0.42", "0", "0.08")]
    months_told = [(one["effective_cost"], one["bought"], one["billed_cost"]) for one in told["months"]]
    assert [tuple(Decimal(part) for part in one) for one in months_told] == [
        (Decimal("0.42"), Decimal("0.5"), Decimal("0.5")), (Decimal("0.21"), 0, Decimal("0.21"))
    ]  # fmt: skip
    assert office.spent() == spent, "what use costs does not depend on how it is paid"
    credits.remove(office.connection, office.project_id, "c")
    assert credits.told(office.connection, office.project_id, now=now, zone=UTC_ZONE)["credits"] == []
