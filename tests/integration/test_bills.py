"""Bills: imported once, replaced and undone, reconciled with what was traced, and the difference named and booked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from outlay_collector.bills import store
from outlay_collector.bills.formats.detect import read
from outlay_collector.bills.reconcile import Gap, summed
from outlay_collector.errors import BadRequest, Conflict
from outlay_collector.ledger.buckets import Window

from tests.builders import a_model_call
from tests.fake_provider import FakeProvider
from tests.integration.shop import DAY_ONE
from tests.integration.test_focus import Exporting
from tests.servers import Collector, outlay

ROOT = Path(__file__).resolve().parents[2]
DAYS = Window(DAY_ONE, DAY_ONE + timedelta(days=3))
MINI = "gpt-4o-mini-2024-07-18"


class Billing(Exporting):
    def bill(self, text: str, *, name: str = "bill.csv") -> store.Imported:
        done = store.import_bill(self.connection, read(text.encode()), name=name, actor="test", book=self.book)
        self.connection.commit()
        return done

    def undo_bill(self, number: int) -> None:
        store.undo(self.connection, number, actor="test")
        self.connection.commit()

    def reconciled(self, window: Window = DAYS, **more: Any) -> store.Reconciled:
        found = store.reconcile(self.connection, window, book=self.book, **more)
        self.connection.commit()
        for gap in found.gaps:
            assert sum(gap.parts.values()) == gap.gap, gap
        whole = summed(found.gaps)
        assert whole["billed"] == whole["traced"] + whole["untraced"] + whole["unpriced"] + whole["residual"]
        return found

    def by_model(self, **more: Any) -> dict[str | None, list[Gap]]:
        found: dict[str | None, list[Gap]] = {}
        for gap in self.reconciled(**more).gaps:
            if gap.billed or gap.traced:
                found.setdefault(gap.model, []).append(gap)
        return found

    def book_gaps(self, **more: Any) -> tuple[int, Decimal]:
        done = store.book_gaps(self.connection, self.reconciled(), actor="test", **more)
        self.connection.commit()
        self.settle()
        return done


@pytest.fixture
def shop(database_url: str) -> Iterator[Billing]:
    made = Billing(database_url)
    yield made
    made.close()


def an_openai_bill(*rows: tuple[int, str, str], project: str = "proj_1") -> str:
    """As the costs page exports it: (day, line item, dollars)."""
    lines = ["start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id"]
    for day, item, value in rows:
        start = DAY_ONE + timedelta(days=day)
        end = start + timedelta(days=1)
        lines.append(
            f"{start.timestamp():.0f},{end.timestamp():.0f},{start.isoformat()},{end.isoformat()},"
            f'{value},usd,"{item}",{project}'
        )
    return "\n".join(lines)


def test_a_bill_alone_is_useful_on_day_one(shop: Billing) -> None:
    shop.bill(an_openai_bill((0, f"{MINI}, input", "0.15"), (0, f"{MINI}, output", "0.60")))
    whole = summed(shop.reconciled().gaps)
    assert (whole["billed"], whole["traced"], whole["untraced"]) == (Decimal("0.75"), 0, Decimal("0.75"))
    assert {gap.cause for gap in shop.reconciled().gaps} == {"missing_instrumentation"}


def test_importing_twice_changes_nothing(shop: Billing) -> None:
    first = shop.bill(an_openai_bill((0, f"{MINI}, input", "0.15")))
    again = shop.bill(an_openai_bill((0, f"{MINI}, input", "0.15")) + "\n", name="renamed.csv")
    assert (first.is_new, again.is_new, again.id) == (True, False, first.id)
    assert len(store.listed(shop.connection)) == 1


def test_a_later_bill_takes_the_place_of_an_earlier_one_where_it_speaks_until_it_is_undone(shop: Billing) -> None:
    first = shop.bill(an_openai_bill((0, f"{MINI}, input", "1"), (1, f"{MINI}, input", "2")))
    later = shop.bill(an_openai_bill((1, f"{MINI}, input", "5"), (2, f"{MINI}, input", "7")))
    assert summed(shop.reconciled().gaps)["billed"] == 13
    assert [row["state"] for row in store.listed(shop.connection)] == ["in force", "in force"]
    shop.undo_bill(later.id)
    assert summed(shop.reconciled().gaps)["billed"] == 3
    with pytest.raises(Conflict, match=f"import {later.id} is undone already"):
        shop.undo_bill(later.id)
    # What was undone can be imported again: it is a new version.
    assert shop.bill(an_openai_bill((1, f"{MINI}, input", "5"), (2, f"{MINI}, input", "7"))).is_new
    shop.bill(an_openai_bill((0, f"{MINI}, input", "1"), (2, f"{MINI}, input", "1")))
    states = {row["id"]: row["state"] for row in store.listed(shop.connection)}
    assert (states[first.id], states[later.id]) == ("replaced", "undone")


def test_a_currency_without_a_rate_is_refused_with_its_line(shop: Billing) -> None:
    bill = an_openai_bill((0, f"{MINI}, input", "1")).replace(",usd,", ",eur,")
    with pytest.raises(BadRequest, match="Line 2 is in EUR, and no exchange rate from EUR to USD is known"):
        shop.bill(bill)
    assert store.listed(shop.connection) == []


def test_accounts_are_compared_with_the_projects_they_are_mapped_to(shop: Billing) -> None:
    name = shop.connection.execute("SELECT name FROM project WHERE id = %s", (shop.project_id,)).fetchone()
    assert name is not None
    shop.send(a_model_call(start=DAY_ONE, output_tokens=0))
    shop.settle()
    shop.bill(an_openai_bill((0, f"{MINI}, input", "0.00015")))
    assert [(gap.project, gap.gap) for gap in shop.by_model()["gpt-4o-mini"]] == [(None, 0)]
    store.name_account(shop.connection, "openai", "proj_1", name[0], actor="test")
    shop.connection.commit()
    assert [(gap.project, gap.gap) for gap in shop.by_model()["gpt-4o-mini"]] == [(name[0], 0)]


def test_a_gap_is_booked_once_and_taken_back(shop: Billing) -> None:
    shop.send(a_model_call(start=DAY_ONE, output_tokens=0))
    shop.bill(an_openai_bill((0, f"{MINI}, input", "0.00035")))
    shop.settle()
    with pytest.raises(BadRequest, match="map its accounts"):
        shop.book_gaps()
    shop.connection.rollback()
    name = shop.connection.execute("SELECT name FROM project WHERE id = %s", (shop.project_id,)).fetchone()
    assert name is not None
    assert shop.book_gaps(default_project=name[0]) == (1, Decimal("0.0002"))
    assert shop.book_gaps(default_project=name[0]) == (0, 0)
    assert shop.spend() == Decimal("0.00035")
    assert shop.reconciled().booked == Decimal("0.0002")
    assert shop.export().total() == Decimal("0.00035")
    assert shop.book_gaps(undo=True) == (1, Decimal("-0.0002"))
    assert shop.spend() == Decimal("0.00015")


def test_a_gap_of_a_closed_month_is_booked_in_the_open_one(shop: Billing) -> None:
    shop.bill(an_openai_bill((0, f"{MINI}, input", "2")))
    shop.close_month()
    name = shop.connection.execute("SELECT name FROM project WHERE id = %s", (shop.project_id,)).fetchone()
    assert name is not None
    shop.book_gaps(default_project=name[0])
    booked, incurred = shop.both()
    assert (booked, incurred) == (None, Decimal(2))


# The walk through docs/reconcile.md.


def served(fake: FakeProvider, model: str, at: datetime, said: str, *, account: str | None = None) -> dict[str, Any]:
    """A call that the fake provider really serves and bills at ``at``; its usage as the client is told."""
    headers = {"x-fake-time": at.isoformat()}
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": f"[[{said}]]"}]}
    if model.startswith("claude"):
        headers["x-fake-workspace"] = account or "wrkspc_1"
        answer = httpx.post(f"{fake.url}/v1/messages", json=body | {"max_tokens": 9_999_999}, headers=headers)
    else:
        headers["openai-project"] = account or "proj_1"
        answer = httpx.post(f"{fake.url}/v1/chat/completions", json=body, headers=headers)
    return answer.raise_for_status().json()


def traced(answer: dict[str, Any], at: datetime) -> Any:
    """The span that an instrumentation makes of the answer."""
    usage, is_claude = answer["usage"], answer["model"].startswith("claude")
    cached = usage["cache_read_input_tokens"] if is_claude else usage["prompt_tokens_details"]["cached_tokens"]
    return a_model_call(
        start=at,
        provider="anthropic" if is_claude else "openai",
        model=answer["model"],
        input_tokens=usage["input_tokens"] + cached if is_claude else usage["prompt_tokens"],
        output_tokens=usage["output_tokens"] if is_claude else usage["completion_tokens"],
        attributes={"gen_ai.usage.cache_read.input_tokens": cached} if cached else {},
    )


@pytest.fixture
def walk(shop: Billing, fake_provider: FakeProvider) -> dict[str, str]:
    """Three days of a shop, its bills, and the environment that commands run in."""
    spans = []
    for day in range(3):
        for hour in (1, 6, 7, 8, 13, 22):
            at = DAY_ONE + timedelta(days=day, hours=hour)
            # Of one model the amounts differ from day to day, so that a bill's days can be told from ours.
            tokens = 100_000 * (1 + day) + 10_000 * hour
            answer = served(fake_provider, "gpt-4o-mini", at, f"in={tokens} out={tokens // 10}")
            spans.append(traced(answer, at))
        noon = DAY_ONE + timedelta(days=day, hours=12)
        for model, said in (
            ("gpt-4.1", "in=200000 out=50000"),
            ("gpt-4.1-mini", "in=1000000 out=100000"),
            ("gpt-house-1", "in=300000 out=30000"),
            ("claude-haiku-4-5", "in=400000 out=40000 cached=100000"),
            ("claude-sonnet-4-5", "in=100000 out=10000"),
        ):
            spans.append(traced(served(fake_provider, model, noon, said), noon))
        # A job at night that nobody instrumented.
        served(fake_provider, "gpt-4.1-mini", noon, "in=500000 out=50000")
    fake_provider.plant(tier={"gpt-4.1-2025-04-14": "priority"}, cached=["claude-haiku-4-5-20251001"], day_begins=8)
    shop.send(*spans)
    shop.settle()
    info = shop.connection.info
    return {
        "OUTLAY_DATABASE_URL": f"postgresql://{info.user}@/{info.dbname}?host={info.host}&port={info.port}",
        "OUTLAY_OPENAI_BILLING_URL": fake_provider.url,
        "OUTLAY_ANTHROPIC_BILLING_URL": fake_provider.url,
        "OUTLAY_OPENAI_ADMIN_KEY": "sk-admin-test",
        "OUTLAY_ANTHROPIC_ADMIN_KEY": "sk-ant-admin-test",
    }


def test_the_walk_finds_and_names_five_planted_gaps(shop: Billing, walk: dict[str, str]) -> None:
    bounds = ("--from", f"{DAYS.start:%Y-%m-%d}", "--to", f"{DAYS.end:%Y-%m-%d}")
    for is_new in (True, False):
        pulled = outlay("bill", "pull", *bounds, "--json", env=walk)
        assert pulled.returncode == 0, pulled.stderr
        assert "sk-ad" not in pulled.stdout + pulled.stderr
        assert [said["is_new"] for said in _jsons(pulled.stdout)] == [is_new, is_new]
    causes = {model: {gap.cause for gap in gaps if gap.gap} for model, gaps in shop.by_model().items()}
    page = (ROOT / "docs" / "reconcile.md").read_text(encoding="utf-8")
    said = outlay("bill", "reconcile", *bounds, "--by", "provider,model", env=walk)
    print(causes, said.stdout, said.stderr)
    assert {cause for found in causes.values() for cause in found} >= {
        "missing_instrumentation", "unknown_price", "other_tier", "cache_semantics", "time_zone",
    }  # fmt: skip
    for line in said.stdout.splitlines():
        assert _squeezed(line) in _squeezed(page), line


def _jsons(text: str) -> list[dict[str, Any]]:
    decoder, found = json.JSONDecoder(), []
    while text.strip():
        value, end = decoder.raw_decode(text.lstrip())
        found.append(value)
        text = text.lstrip()[end:]
    return found


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def test_bills_over_http(shop: Billing, collector: Collector) -> None:
    body = an_openai_bill((0, f"{MINI}, input", "0.15"))
    answers = [
        httpx.post(f"{collector.url}/api/v1/bills?name=costs.csv", content=body, headers=collector.headers)
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.json()["is_new"] for answer in answers] == [True, False]
    bounds = {"from": DAYS.start.isoformat(), "to": DAYS.end.isoformat()}
    found = collector.get("/api/v1/reconcile", by="provider,model", **bounds).json()
    assert found["totals"]["untraced"] == "0.15"
    assert found["rows"][0]["cause"] == "missing_instrumentation"
    assert found["covers"] == [
        {"provider": "openai", "first_day": f"{DAY_ONE:%Y-%m-%d}", "last_day": f"{DAY_ONE:%Y-%m-%d}"}
    ]
    listed = collector.get("/api/v1/bills").json()
    assert (listed["rows"][0]["billed"], listed["accounts"][0]["account"]) == ("0.15", "proj_1")
    refused = httpx.post(f"{collector.url}/api/v1/bills", content="a,b\n1,2", headers=collector.headers)
    assert refused.status_code == 400
    assert "No bill that is known has these columns" in refused.json()["detail"]
    undone = httpx.post(f"{collector.url}/api/v1/bills/{answers[0].json()['id']}/undo", headers=collector.headers)
    assert undone.json()["state"] == "undone"
    assert collector.get("/api/v1/reconcile", **bounds).json()["totals"]["billed"] == "0"


def test_now_is_not_over(shop: Billing) -> None:
    said = outlay(
        "bill", "pull", "--from", f"{datetime.now(UTC):%Y-%m-%d}", env={"OUTLAY_OPENAI_ADMIN_KEY": "sk-admin"}
    )
    assert "today is billed when it is over" in said.stderr
    assert "_ADMIN_KEY is set" in outlay("bill", "pull", env={}).stderr
