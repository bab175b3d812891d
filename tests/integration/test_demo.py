"""``outlay demo`` against a real collector: everything arrives, once, and only in project demo."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import outlay as sdk
import psycopg
import pytest
from outlay_collector.access.store import create_key, create_project, project_id
from outlay_collector.db.engine import connect
from outlay_collector.demo.day import traces, window
from outlay_collector.demo.send import send_demo
from outlay_collector.demo.shapes import Recording
from outlay_collector.demo.store import demo_key, is_there
from outlay_collector.errors import BadRequest, Unavailable

from tests.servers import Collector, Running, free_port, outlay, wait_until

NOW = datetime.now(UTC) - timedelta(hours=1)  # so that nothing is told between two looks


def told(days: int, now: datetime = NOW) -> list[Recording]:
    """What the model says the company did."""
    return [span for day in window(now, days) for trace in traces(1, day, now) for span in trace]


def stored(database_url: str) -> dict[str, int]:
    """Spans kept, by project."""
    with connect(database_url) as connection:
        rows = connection.execute(
            "SELECT project.name, count(*) FROM span JOIN project ON project.id = project_id GROUP BY 1"
        )
        return dict(rows.fetchall())


@pytest.fixture
def demo_api_key(database_url: str) -> str:
    with connect(database_url) as connection:
        return demo_key(connection, "demo")


@pytest.fixture
def send(collector: Collector, demo_api_key: str) -> Callable[..., object]:
    def send(days: int, now: datetime = NOW, **more: object) -> object:
        return send_demo(endpoint=collector.url, api_key=demo_api_key, days=days, now=now, key_is_ours=True, **more)  # type: ignore[arg-type]

    return send


def test_all_of_it_arrives_and_a_second_run_adds_nothing(
    collector: Collector, send: Callable[..., object], worker: Running
) -> None:
    expected = told(days=2)
    for _ in range(2):
        send(days=2)
        assert stored(collector.database_url) == {"demo": len(expected)}

    calls = sum(span.is_call for span in expected)
    day = timedelta(days=1)

    def counted() -> int:
        answer = collector.get(
            "/api/v1/spend",
            project="demo",
            interval="none",
            **{"from": f"{NOW.date() - 3 * day}T00:00:00Z", "to": f"{NOW.date() + 2 * day}T00:00:00Z"},
        ).raise_for_status()
        return sum(row["calls"] for row in answer.json()["rows"])

    wait_until(lambda: counted() == calls, seconds=60)


def test_a_run_tomorrow_adds_just_the_new_day(collector: Collector, send: Callable[..., object]) -> None:
    send(days=1, now=NOW - timedelta(days=1))
    send(days=1)
    assert stored(collector.database_url) == {"demo": len(told(days=2))}


def test_days_that_are_there_are_not_sent_again(
    collector: Collector, demo_api_key: str, send: Callable[..., object]
) -> None:
    send(days=3)
    with psycopg.connect(collector.database_url, autocommit=True) as connection:
        again = send_demo(
            endpoint=collector.url,
            api_key=demo_api_key,
            days=3,
            now=NOW,
            key_is_ours=True,
            keeps=lambda span: is_there(connection, "demo", span),
        )
    assert again.days_kept == 2  # yesterday may have run on past midnight, so it is sent again like today
    assert again.spans == len(told(days=1))
    assert stored(collector.database_url) == {"demo": len(told(days=3))}


def test_a_run_that_broke_off_is_completed(collector: Collector, demo_api_key: str) -> None:
    class BreaksOffError(Exception):
        pass

    def stop(done: int, total: int, calls: int) -> None:
        if done == 3:
            sdk.flush(timeout=30)
            raise BreaksOffError

    with pytest.raises(BreaksOffError):
        send_demo(endpoint=collector.url, api_key=demo_api_key, days=4, now=NOW, progress=stop, key_is_ours=True)
    with psycopg.connect(collector.database_url, autocommit=True) as connection:
        send_demo(
            endpoint=collector.url,
            api_key=demo_api_key,
            days=4,
            now=NOW,
            key_is_ours=True,
            keeps=lambda span: is_there(connection, "demo", span),
        )
    assert stored(collector.database_url) == {"demo": len(told(days=4))}


def test_the_command_makes_project_and_key_itself_and_says_what_it_did(collector: Collector) -> None:
    env = {"OUTLAY_DATABASE_URL": collector.database_url}
    first = outlay("demo", "--days", "1", "--endpoint", collector.url, env=env)
    assert first.returncode == 0, first.stderr
    assert "of 2 days" in first.stdout
    assert set(stored(collector.database_url)) == {"demo"}


def test_no_data_get_into_another_project_by_a_key_for_all(collector: Collector, key: str) -> None:
    with connect(collector.database_url) as connection:
        create_project(connection, "demo")
    collector.stop()
    collector.start()
    run = outlay("demo", "--days", "0", "--endpoint", collector.url, env={"OUTLAY_API_KEY": key})
    assert run.returncode == 0, run.stderr
    assert set(stored(collector.database_url)) <= {"demo"}


def test_no_data_get_into_another_project_by_a_key_of_that_one(collector: Collector) -> None:
    with connect(collector.database_url) as connection:
        create_project(connection, "real")
        real = create_key(connection, project="real", scopes=["ingest"])
    run = outlay("demo", "--days", "1", "--endpoint", collector.url, env={"OUTLAY_API_KEY": real})
    assert run.returncode == 1
    assert "403" in run.stderr
    assert stored(collector.database_url) == {}


def test_a_key_that_is_not_valid_is_said_at_once(collector: Collector) -> None:
    with pytest.raises(BadRequest, match="401"):
        send_demo(endpoint=collector.url, api_key="out_wrong", days=1, now=NOW)


def test_a_collector_that_is_not_there_is_said_at_once(demo_api_key: str) -> None:
    with pytest.raises(Unavailable, match="check that it runs"):
        send_demo(endpoint=f"http://127.0.0.1:{free_port()}", api_key=demo_api_key, days=1, now=NOW)


def test_an_sdk_that_is_turned_off_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_DISABLED", "1")
    with pytest.raises(BadRequest, match="OUTLAY_DISABLED"):
        send_demo(endpoint="http://127.0.0.1:1", api_key="out_x", days=1, now=NOW)


def test_afterwards_the_sdk_of_this_process_is_as_it_was(send: Callable[..., object]) -> None:
    send(days=0)
    assert sdk.stats() == sdk.stats().__class__()
    assert not sdk.record(model="gpt-5.5").span_id.strip("0")


def test_the_demos_key_can_do_nothing_but_send_to_it(collector: Collector, demo_api_key: str) -> None:
    collector.key = demo_api_key
    assert collector.get("/api/v1/spend", project="demo").status_code == 403
    with connect(collector.database_url) as connection:
        assert connection.execute("SELECT project_id, scopes FROM api_key WHERE name = 'outlay demo'").fetchone() == (
            project_id(connection, "demo"),
            ["ingest"],
        )


def test_making_the_key_again_keeps_the_project(database_url: str) -> None:
    with connect(database_url) as connection:
        assert demo_key(connection, "demo") != demo_key(connection, "demo")
        assert create_key(connection, project="demo", scopes=["read"])
