"""Events, alerts and deliveries on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from outlay_collector.access.store import create_project
from outlay_collector.alerts.events import Event, event_id
from outlay_collector.alerts.store import send
from outlay_collector.db.engine import connect

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database_url) as connection:
        create_project(connection, "acme")
        create_project(connection, "other")
        yield connection


def an_event(name: str = "one", **changed: Any) -> Event:
    usual: dict[str, Any] = {
        "id": event_id(name),
        "type": "budget.crossed",
        "occurred_at": NOW,
        "project_id": 1,
        "severity": "warning",
        "title": "Search is at 80 %",
        "summary": "It spent $80.00 of $100.00.",
        "link": "/budgets",
        "dedup_key": "budget:1",
        "data": {"spent": "80.00"},
    }
    return Event(**usual | changed)


def a_webhook(connection: psycopg.Connection[Any], project_id: int | None = 1) -> UUID:
    row = connection.execute(
        """
        INSERT INTO webhook (project_id, kind, url, secret, created_by)
        VALUES (%s, 'generic', 'https://example.com/', 'whsec_AAAA', 'tests') RETURNING id
        """,
        (project_id,),
    ).fetchone()
    assert row is not None
    return row[0]


def told(connection: psycopg.Connection[Any]) -> list[tuple[UUID, str]]:
    return connection.execute("SELECT webhook_id, state FROM delivery ORDER BY created_at, webhook_id").fetchall()


def alerts(connection: psycopg.Connection[Any]) -> list[tuple[str, str, int]]:
    return connection.execute("SELECT dedup_key, state, events FROM alert ORDER BY opened_at, dedup_key").fetchall()


def test_an_event_goes_once_to_every_webhook_of_its_project(connection: psycopg.Connection[Any]) -> None:
    mine, everybodys, _others = a_webhook(connection), a_webhook(connection, None), a_webhook(connection, 2)
    send(connection, an_event())
    send(connection, an_event())
    assert sorted(told(connection)) == sorted([(mine, "pending"), (everybodys, "pending")])
    assert alerts(connection) == [("budget:1", "open", 1)]


def test_named_webhooks_only_and_never_those_of_other_projects(connection: psycopg.Connection[Any]) -> None:
    mine, _, others = a_webhook(connection), a_webhook(connection), a_webhook(connection, 2)
    send(connection, an_event(), [mine, others])
    assert told(connection) == [(mine, "pending")]


def test_to_nobody_is_not_to_everybody(connection: psycopg.Connection[Any]) -> None:
    a_webhook(connection)
    send(connection, an_event(), [])
    assert told(connection) == []
    assert alerts(connection) == [("budget:1", "open", 1)]


def test_an_event_of_the_installation_goes_to_webhooks_of_all_projects_or_else_to_all(
    connection: psycopg.Connection[Any],
) -> None:
    mine = a_webhook(connection)
    send(connection, an_event("first", project_id=None, dedup_key="late"))
    everybodys = a_webhook(connection, None)
    send(connection, an_event("second", project_id=None, dedup_key="late"))
    assert told(connection) == [(mine, "pending"), (everybodys, "pending")]


def test_an_alert_opens_repeats_resolves_and_opens_again(connection: psycopg.Connection[Any]) -> None:
    send(connection, an_event("first"))
    send(connection, an_event("second"))
    send(connection, an_event("third", resolves=True))
    send(connection, an_event("fourth", resolves=True))
    send(connection, an_event("fifth", occurred_at=NOW.replace(hour=13)))
    assert alerts(connection) == [("budget:1", "resolved", 3), ("budget:1", "open", 1)]
    actions = connection.execute("SELECT action FROM alert_history ORDER BY id").fetchall()
    assert [action for (action,) in actions] == ["opened", "repeated", "resolved", "opened"]


def test_of_many_who_notice_the_same_at_once_one_is_heard(
    connection: psycopg.Connection[Any], database_url: str
) -> None:
    a_webhook(connection)
    connection.commit()

    def notice(round_: int) -> None:
        with connect(database_url) as own:
            for number in range(20):
                send(own, an_event(f"event {number}", dedup_key=f"budget:{number % 3}"))
                own.commit()
            del round_

    with ThreadPoolExecutor(8) as many:
        list(many.map(notice, range(8)))
    assert connection.execute("SELECT count(*), count(DISTINCT event_id) FROM delivery").fetchone() == (20, 20)
    assert [events for _, _, events in alerts(connection)] == [7, 7, 6]


def test_what_is_rolled_back_was_never_said(connection: psycopg.Connection[Any]) -> None:
    a_webhook(connection)
    connection.commit()
    send(connection, an_event())
    connection.rollback()
    assert told(connection) == []
    assert alerts(connection) == []
