"""Questions over HTTP: the largest with the rest, the time before, why it changed, pages in any order, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.builders import a_model_call
from tests.integration.test_ledger import Ledger
from tests.servers import Collector, wait_until

NOW = datetime.now(UTC).replace(microsecond=0)
WINDOW = {"from": (NOW - timedelta(days=2)).isoformat(), "to": NOW.isoformat(), "project": "shop"}


@pytest.fixture
def shop(database_url: str, collector: Collector) -> Iterator[Ledger]:
    """Two days of calls before two days of more and longer calls; one of them without a price."""
    made = Ledger(database_url)
    calls = [
        a_model_call(
            start=NOW - timedelta(days=days, minutes=number + 1),
            model="gpt-4o-mini-2024-07-18" if number else "unheard-of-1",
            input_tokens=1_000_000 * (number + 1) * (2 if days < 2 else 1),
            output_tokens=0,
            duration_ms=100 * ((number * 7) % 5 + 1),
            attributes={"user.id": f"u{number}"},
        )
        for days in (3, 1)
        for number in range(5 if days < 2 else 3)
    ]
    made.send(calls)
    made.settle()
    yield made
    made.close()


def test_questions_about_sums(shop: Ledger, collector: Collector) -> None:
    asked = WINDOW | {"group_by": "user"}
    everything = collector.get("/api/v1/spend", **asked).json()["rows"]
    answer = collector.get("/api/v1/spend", top="2", compare="previous", **asked).json()
    assert [row["user"] for row in answer["rows"]] == ["u3", "u4", "__other__"]
    assert _total(answer["rows"]) == _total(everything) == Decimal("4.2")  # 28 M tokens at $0.15 per million
    assert _total(answer["previous"]["rows"]) == Decimal("0.75")
    assert answer["previous"]["to"] == answer["from"]

    why = collector.get("/api/v1/bridge", **WINDOW).json()
    assert Decimal(why["change"]) == Decimal("4.2") - Decimal("0.75")
    assert sum(Decimal(effect["amount"]) for effect in why["effects"]) == Decimal(why["change"])
    assert sum(Decimal(part["change"]) for part in why["parts"]) == Decimal(why["change"])
    assert "size" in {effect["effect"] for effect in why["effects"]}


def _total(rows: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(row["cost"]) for row in rows if row["cost"]), Decimal(0))


def test_an_answer_that_stands_is_not_given_twice(shop: Ledger, collector: Collector) -> None:
    def ask(path: str, tag: str = "") -> httpx.Response:
        headers = collector.headers | {"If-None-Match": tag}
        return httpx.get(f"{collector.url}/api/v1/{path}", params=WINDOW, headers=headers, timeout=30)

    def again(path: str) -> str | None:
        """The tag of an answer that stood; for an answer says to the minute up to when it is complete, it may just end."""
        tag = ask(path).headers["ETag"]
        repeated = ask(path, tag)
        assert repeated.status_code in (200, 304)
        return tag if repeated.status_code == 304 and not repeated.content else None

    for path in ("spend", "tokens", "latency"):
        assert wait_until(lambda path=path: again(path))
    tag = ask("spend").headers["ETag"]
    shop.send([a_model_call(start=NOW - timedelta(hours=1), input_tokens=1_000_000, output_tokens=0)])
    shop.settle()
    changed = ask("spend", tag)
    assert changed.status_code == 200
    assert _total(changed.json()["rows"]) == Decimal("4.35")


@pytest.mark.parametrize(
    ("order", "users"),
    [
        ("newest", ["u0", "u1", "u2", "u3", "u4"]),
        ("cost", ["u4", "u3", "u2", "u1", "u0"]),  # the one without a price comes last
        ("duration", ["u2", "u4", "u1", "u3", "u0"]),
    ],
)
def test_pages_of_calls_in_any_order_hold_each_call_once(
    shop: Ledger, collector: Collector, order: str, users: list[str]
) -> None:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = collector.get("/api/v1/calls", order=order, limit="2", **WINDOW, **cursor).json()
        found += [row["user"] for row in page["rows"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == users
    other = "cost" if order != "cost" else "newest"
    refused = collector.get("/api/v1/calls", order=other, **WINDOW, **cursor)
    assert (refused.status_code == 400) == (other == "newest" or order == "newest")
