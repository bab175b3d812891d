"""Unusual spend in a real ledger: found with its cause, told once, and runaways seen within minutes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from outlay_collector.alerts import store as alerts
from outlay_collector.alerts.unusual import store
from outlay_collector.alerts.unusual.jobs import Unusual
from outlay_collector.alerts.unusual.store import Look
from outlay_collector.settings import Settings

from tests.integration.shop import UTC_ZONE, Shop

HOUR = timedelta(hours=1)
THIS_HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url)
    yield made
    made.close()


def a_row(start: datetime, cost: str, **more: Any) -> dict[str, Any]:
    usual = {"start_time": start, "cost": Decimal(cost), "charge_status": "priced", "input_tokens": 1000,
             "output_tokens": 100, "feature": "chat", "provider": "openai", "response_model": "gpt-4o-mini"}  # fmt: skip
    return usual | more


def history(days: int = 21) -> list[dict[str, Any]]:
    """An hour of chat costs 4 and one of search 2, for weeks; the hour that has begun has nothing yet."""
    return [
        a_row(THIS_HOUR - back * HOUR, cost, feature=feature)
        for back in range(1, days * 24)
        for feature, cost in (("chat", "4"), ("search", "2"))
    ]


def how(shop: Shop, minutes: int = 20) -> Look:
    return Look(
        now=THIS_HOUR + timedelta(minutes=minutes),
        zone=UTC_ZONE,
        currency="USD",
        floor=Decimal(5),
        book=lambda: shop.book,
    )


def told(connection: psycopg.Connection[Any]) -> list[tuple[str, bool]]:
    return connection.execute("SELECT title, resolves FROM alert_event ORDER BY created_at").fetchall()


def test_an_incident_is_found_with_its_cause_told_once_and_over_a_day_later(shop: Shop) -> None:
    loop = [a_row(THIS_HOUR + timedelta(minutes=5), "0.5", feature="search", input_tokens=9_000) for _ in range(120)]
    shop.insert([*history(), *loop])
    shop.settle()
    found = store.look(shop.connection, shop.project_id, "shop", how(shop))
    assert found is not None
    assert (found.verdict.kind, found.verdict.hours) == ("high", 1)
    assert found.actual == Decimal(60)
    assert found.impact == pytest.approx(Decimal(54), rel=Decimal("0.01"))
    assert found.place is not None
    assert (found.place.dimension, found.place.value) == ("feature", "search")
    assert found.effects is not None
    assert found.effect is not None
    assert sum(found.effects.values()) == Decimal(58)  # of search alone: 60 where a week ago 2 were
    assert store.tell(shop.connection, found)
    again = store.look(shop.connection, shop.project_id, "shop", how(shop, minutes=40))
    assert again is not None
    assert not store.tell(shop.connection, again)
    rows = alerts.alerts(shop.connection, alerts.Seen(project_ids=[shop.project_id], for_all=False))
    assert [row["data"]["cause"]["value"] for row in rows] == ["search"]
    # People say that they did not need to know: twice as much must be at stake next time.
    for _ in range(2):
        alerts.judge(shop.connection, rows[0]["id"], actor="tests", useful=False, note=None)
    assert store._not_useful(shop.connection, shop.project_id, store.Scope()) == 2
    later = found.end + timedelta(hours=25)
    store.close_old(shop.connection, shop.project_id, now=later, seen=None)
    assert [resolves for _, resolves in told(shop.connection)] == [False, True]


def test_what_nets_out_in_the_total_is_found_in_its_part(shop: Shop) -> None:
    calls = [call for call in history() if call["start_time"] < THIS_HOUR - 2 * HOUR or call["feature"] != "chat"]
    moved = [
        a_row(THIS_HOUR - back * HOUR + timedelta(minutes=1), "9", feature="search", response_model="gpt-4o")
        for back in (1, 2)
    ]
    shop.insert([*calls, *moved])
    shop.settle()
    found = store.look(shop.connection, shop.project_id, "shop", how(shop))
    assert found is not None
    assert (found.scope.dimension, found.scope.value) in (("feature", "search"), ("model", "gpt-4o"))
    assert found.impact > 5


def test_a_quiet_project_has_nothing_to_tell_and_a_job_sees_runaways(shop: Shop, database_url: str) -> None:
    shop.insert(history())
    shop.settle()
    assert store.look(shop.connection, shop.project_id, "shop", how(shop)) is None
    now = datetime.now(UTC)
    loop = f"{0xABC:032x}"
    shop.insert(
        [
            {
                "trace_id": loop,
                "span_id": 10_000 + number,
                **a_row(now - timedelta(minutes=3), "0.25"),
                "session_id": "s1",
            }
            for number in range(60)
        ]
    )
    shop.settle()
    job = Unusual(Settings(), database_url)
    job.once(shop.connection)
    job.once(shop.connection)
    titles = [title for title, _ in told(shop.connection) if "runs away" in title]
    assert sorted(titles) == [
        "A session runs away: 15.00 USD in 10 minutes",
        "A trace runs away: 15.00 USD in 10 minutes",
    ]
    (link,) = shop.connection.execute(
        "SELECT link FROM alert WHERE dedup_key = %s", (f"runaway:trace:{loop}",)
    ).fetchone()  # type: ignore[misc]
    assert link.endswith(f"trace={loop}")
