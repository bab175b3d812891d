"""Alerts in people's hands, and alerts about ourselves, on a real database and a real collector."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from outlay_collector.access.store import create_key, create_project
from outlay_collector.alerts.events import Event, event_id
from outlay_collector.alerts.store import send
from outlay_collector.alerts.watch import store as watch
from outlay_collector.alerts.watch.checks import of_data, of_ourselves
from outlay_collector.alerts.watch.jobs import Watch
from outlay_collector.alerts.webhooks import store as webhooks
from outlay_collector.alerts.webhooks.store import NewWebhook
from outlay_collector.db.engine import connect
from outlay_collector.db.store import beat
from outlay_collector.settings import Settings

from tests.receiver import Receiver
from tests.servers import Collector, Running, wait_until

NOW = datetime.now(UTC)
ACME = 2  # the first project made; every database has `default`


def an_event(name: str, **changed: Any) -> Event:
    usual: dict[str, Any] = {
        "id": event_id(name),
        "type": "budget.crossed",
        "occurred_at": NOW,
        "project_id": ACME,
        "severity": "warning",
        "title": f"{name} is at 80 %",
        "summary": "It spent $80.00 of $100.00.",
        "link": "/budgets?project=acme",
        "dedup_key": name,
    }
    return Event(**usual | changed)


def test_an_alert_is_looked_after_muted_judged_and_resolved(
    start_collector: Callable[..., Collector], database_url: str
) -> None:
    with connect(database_url) as connection:
        create_project(connection, "acme")
        create_project(connection, "other")
        reader = create_key(connection, project="acme", scopes=["read"])
        stranger = create_key(connection, project="other", scopes=["admin"])
        for name in ("search", "chat"):
            send(connection, an_event(name))
        send(connection, an_event("late", project_id=None, type="operation.delivery_late"))

    collector = start_collector()  # which knows the projects from its start

    def ask(method: str, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else collector.headers
        return httpx.request(method, f"{collector.url}/api/v1/alerts{path}", json=body, headers=headers, timeout=30)

    rows = {row["dedup_key"]: row for row in ask("GET", "?state=active").json()["rows"]}
    assert set(rows) == {"search", "chat", "late"}
    assert {row["dedup_key"] for row in ask("GET", "", key=reader).json()["rows"]} == {"search", "chat"}
    search = rows["search"]["id"]
    assert ask("POST", f"/{search}/acknowledge", key=reader).status_code == 403
    assert ask("GET", f"/{search}", key=stranger).status_code == 404
    assert ask("POST", f"/{search}/acknowledge", {}, key=stranger).status_code == 404
    assert ask("POST", f"/{search}/acknowledge", {"note": "Ann looks"}).json()["state"] == "acknowledged"
    muted = ask("POST", f"/{search}/mute", {"hours": 2, "reason": "known"}).json()
    assert muted["muted"] is True
    assert ask("POST", f"/{search}/unmute").json()["muted"] is False
    assert ask("POST", f"/{search}/mute").json()["muted_until"] is None
    ask("POST", f"/{search}/feedback", {"useful": False, "note": "expected"})
    done = ask("POST", f"/{search}/resolve").json()
    assert done["state"] == "resolved"
    assert [one["action"] for one in done["history"]] == [
        "opened", "acknowledged", "muted", "unmuted", "muted", "not useful", "resolved", "resolved by hand",
    ]  # fmt: skip
    assert ask("POST", f"/{search}/resolve").status_code == 409
    assert ask("POST", f"/{search}/acknowledge").status_code == 409
    assert [row["dedup_key"] for row in ask("GET", "?state=resolved").json()["rows"]] == ["search"]

    window = ask("POST", "/maintenance", {"project": "acme", "ends": (NOW + timedelta(hours=1)).isoformat()})
    assert window.status_code == 201
    assert [row["project"] for row in ask("GET", "/maintenance").json()["rows"]] == ["acme"]
    assert ask("DELETE", f"/maintenance/{window.json()['id']}", key=stranger).status_code == 404
    assert ask("DELETE", f"/maintenance/{window.json()['id']}").status_code == 200
    assert ask("POST", "/maintenance", {"ends": (NOW - timedelta(hours=1)).isoformat()}).status_code == 400
    assert ask("GET", "?from=yesterday").status_code == 400

    page = httpx.get(f"{collector.url}/metrics", timeout=30)
    assert page.status_code == 200
    assert 'outlay_alerts{severity="warning"} 2' in page.text
    assert "acme" not in page.text


def test_what_has_stopped_is_told_once_and_so_is_its_end(database_url: str) -> None:
    with connect(database_url) as connection:
        create_project(connection, "acme")
        webhooks.add(connection, NewWebhook(kind="generic", url="https://example.com/"), project_id=None, actor="tests")
        connection.execute("INSERT INTO heartbeat (name, at) VALUES ('worker', now() - interval '5 minutes')")
        beat(connection, "delivery", {"lag_seconds": 0})
        connection.commit()

        def look() -> list[tuple[str, bool]]:
            now = datetime.now(UTC)
            for finding in of_ourselves(watch.vitals(connection)):
                watch.tell(connection, finding, now=now)
            connection.commit()
            return connection.execute("SELECT type, resolves FROM alert_event ORDER BY created_at").fetchall()

        assert look() == look() == [("operation.settlement_late", False)]
        beat(connection, "worker", {"lag_seconds": 0})
        assert look() == look() == [("operation.settlement_late", False), ("operation.settlement_late", True)]
        assert connection.execute("SELECT count(*) FROM delivery").fetchone() == (2,)


def test_what_data_lacks_is_found_in_the_sums(database_url: str) -> None:
    now = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    with connect(database_url) as connection:
        silent, unpriced, refused, well = (
            create_project(connection, name) for name in ("silent", "unpriced", "refused", "well")
        )
        connection.execute("INSERT INTO dimension_set (id) VALUES ('00000000-0000-0000-0000-000000000001')")

        def hours(project_id: int, first: int, last: int, without_price: int = 0) -> None:
            """100 calls in each of the hours that lie so far back."""
            connection.execute(
                """
                INSERT INTO cost_hour (project_id, hour, dimension_set_id, basis, calls, errors, unpriced_calls,
                    estimated_calls, missing_usage_calls, input_tokens, cache_read_tokens, cache_write_tokens,
                    input_audio_tokens, output_tokens, reasoning_tokens, output_audio_tokens, unpriced_tokens, duration_us,
                    lines)
                SELECT %s, date_trunc('hour', %s::timestamptz) - make_interval(hours => n),
                       '00000000-0000-0000-0000-000000000001', 0, 100, 0, %s, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
                  FROM generate_series(%s::int, %s::int) AS n
                """,
                (project_id, now, without_price, first, last),
            )

        hours(silent, 8, 300)
        hours(unpriced, 0, 300, without_price=5)
        hours(refused, 0, 300)
        hours(well, 0, 300)
        connection.execute(
            "INSERT INTO ingest_count (project_id, hour, name, n) VALUES (%s, %s, 'refused:future', 500)",
            (refused, now.replace(minute=0)),
        )
        bad = {
            (health.project, finding.type)
            for health in watch.health(connection, now=now)
            for finding in of_data(health)
            if finding.bad
        }
    assert bad == {("silent", "data.missing"), ("unpriced", "data.unpriced"), ("refused", "data.refused")}


def test_the_dead_mans_switch_is_told_that_all_is_well_only_while_it_is(database_url: str) -> None:
    with Receiver() as switch, connect(database_url) as connection:
        settings = Settings(heartbeat_url=switch.url, webhook_allow_cidrs="127.0.0.0/8")
        beat(connection, "worker", {"lag_seconds": 0})
        connection.commit()
        Watch(settings, database_url).once(connection)
        assert len(switch.received) == 1
        connection.execute("UPDATE heartbeat SET at = now() - interval '1 hour' WHERE name = 'worker'")
        connection.commit()
        Watch(settings, database_url).once(connection)
        assert len(switch.received) == 1
        with connect(database_url) as other:
            assert watch.alone(other)
            beat(connection, "worker", {"lag_seconds": 0})
            connection.commit()
            Watch(settings, database_url).once(connection)  # somebody else watches
        assert len(switch.received) == 1


def test_a_worker_tells_of_what_it_finds(database_url: str, tmp_path: Path) -> None:
    with Receiver() as receiver:
        with connect(database_url) as connection:
            project = create_project(connection, "acme")
            webhooks.add(connection, NewWebhook(kind="generic", url=receiver.url), project_id=project, actor="tests")
            connection.execute(
                "INSERT INTO ingest_count (project_id, hour, name, n) VALUES (%s, date_trunc('hour', now()), 'refused:id', 500)",
                (project,),
            )
        env = {"OUTLAY_DATABASE_URL": database_url, "OUTLAY_WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8"}
        worker = Running("worker", env=env, log=tmp_path / "worker.log")
        worker.start()
        try:
            wait_until(lambda: receiver.received, seconds=90)
        finally:
            worker.kill()
    said = receiver.received[0].json
    assert said["type"] == "data.refused"
    assert said["data"]["details"]["runbook"] == "refused"
    assert said["data"]["project"] == "acme"
