"""What was refused can be read, and sent again by itself once the cause is mended; over HTTP and on the command line."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from outlay_collector.access import store as access
from outlay_collector.db.engine import connect
from outlay_collector.receive.deadletters import store

from tests.builders import a_model_call, otlp
from tests.servers import Collector, outlay

PROTOBUF, JSON = "application/x-protobuf", "application/json"
NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=500)


def post(
    collector: Collector, body: bytes, *, kind: str = PROTOBUF, key: str | None = None, signal: str = "traces"
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key or collector.key}", "Content-Type": kind}
    answer = httpx.post(f"{collector.url}/v1/{signal}", content=body, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer


def letters(collector: Collector, **asked: str) -> dict[str, Any]:
    answer = collector.get("/api/v1/deadletters", **asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def retried(collector: Collector, key: str | None = None, **wanted: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key or collector.key}"}
    answer = httpx.post(f"{collector.url}/api/v1/deadletters/retry", json=wanted, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def count(database_url: str, statement: str, *parameters: Any) -> int:
    with psycopg.connect(database_url) as connection:
        (found,) = connection.execute(statement.encode(), parameters).fetchone() or (0,)
    return int(found or 0)


@pytest.fixture
def shop_key(database_url: str) -> str:
    with connect(database_url) as connection:
        access.create_project(connection, "shop")
        return access.create_key(connection, project="shop", scopes=["ingest", "read"])


def test_a_refused_span_is_listed_shown_and_accepted_when_the_cause_is_mended(
    start_collector: Callable[..., Collector], database_url: str
) -> None:
    collector = start_collector(OUTLAY_ACCEPTORS="1")
    early = a_model_call(start=LONG_AGO, attributes={"user.id": "ann"})
    post(collector, otlp([early, a_model_call()], resource={"service.version": "7"}))
    found = letters(collector)
    (row,) = found["rows"]
    assert (row["reason"], row["project"], row["status"], row["can_be_retried"]) == ("too_old", "default", "open", True)
    assert [(one["reason"], one["letters"], one["retried"]) for one in found["reasons"]] == [("too_old", 1, 0)]
    assert "payload" not in row

    shown = collector.get(f"/api/v1/deadletters/{row['id']}").json()
    (resource_spans,) = shown["request"]["resourceSpans"]
    (span,) = resource_spans["scopeSpans"][0]["spans"]
    assert span["traceId"] == early.trace_id.hex()
    assert {"key": "service.version", "value": {"stringValue": "7"}} in resource_spans["resource"]["attributes"]
    assert resource_spans["scopeSpans"][0]["scope"]["name"] == "opentelemetry.instrumentation.genai.openai"

    again = retried(collector, ids=[row["id"]])
    assert (again["accepted"], again["refused"]) == (0, 1)
    assert "before the retention horizon" in again["rows"][0]["detail"]
    assert letters(collector)["rows"][0]["status"] == "refused_again"
    assert count(database_url, "SELECT count(*) FROM dead_letter") == 1, "a retry that failed made another letter"
    assert count(database_url, "SELECT n FROM ingest_count WHERE name = 'refused:too_old'") == 1

    mended = start_collector(OUTLAY_ACCEPTORS="1", OUTLAY_RETENTION="P600D")
    again = retried(mended, reason="too_old")
    assert (again["accepted"], again["refused"], again["more"]) == (1, 0, False)
    row = letters(mended)["rows"][0]
    assert (row["status"], row["can_be_retried"]) == ("accepted", False)
    assert retried(mended, reason="too_old")["rows"] == []
    assert retried(mended, ids=[row["id"], 999])["skipped"] == 2
    assert count(database_url, "SELECT n FROM ingest_count WHERE name = 'retried:too_old'") == 1
    (call,) = [
        one
        for one in mended.get("/api/v1/calls", trace_id=early.trace_id.hex()).json()["rows"]
        if one["span_id"] == early.span_id.hex()
    ]
    assert (call["user"], call["usage"]["input_tokens"], call["cost"]) == ("ann", 1000, "0.00027")


def test_the_command_line_lists_shows_and_retries(collector: Collector, database_url: str) -> None:
    def run(*arguments: str, **env: str) -> str:
        done = outlay("deadletter", *arguments, env={"OUTLAY_DATABASE_URL": database_url} | env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Nothing was refused" in run("list")
    assert "Nothing waits" in run("retry", "--all")
    early = a_model_call(start=LONG_AGO)
    post(collector, otlp([early]))
    (row,) = json.loads(run("list", "--json"))["rows"]
    assert "too_old" in run("list")
    assert early.trace_id.hex() in run("show", str(row["id"]))
    assert json.loads(run("show", str(row["id"]), "--json"))["request"]["resourceSpans"]
    assert "retention horizon" in run("retry", str(row["id"]))
    assert "1 accepted, 0 refused again" in run("retry", "--reason", "too_old", OUTLAY_RETENTION="P600D")
    assert count(database_url, "SELECT count(*) FROM span") == 1
    assert "Nothing waits" in run("retry", "--all")


def test_the_command_line_says_what_is_wrong_with_a_question(database_url: str) -> None:
    def sentence(*arguments: str) -> str:
        done = outlay("deadletter", *arguments, env={"OUTLAY_DATABASE_URL": database_url})
        assert done.returncode == 1
        return done.stderr

    assert "Which ones?" in sentence("retry")
    assert "no dead letter 7" in sentence("show", "7")
    assert "no project 'nowhere'" in sentence("list", "--project", "nowhere")


def test_bytes_that_are_no_span_are_shown_and_never_tried(collector: Collector) -> None:
    good = otlp([a_model_call()])
    scope_spans = b"\x12\x04" + b"\x0a\xff\xff\x01"  # a span whose first field is longer than the span
    post(collector, good + b"\x0a" + bytes([2 + len(scope_spans)]) + b"\x12" + bytes([len(scope_spans)]) + scope_spans)
    (row,) = letters(collector)["rows"]
    assert (row["reason"], row["can_be_retried"]) == ("malformed", False)
    shown = collector.get(f"/api/v1/deadletters/{row['id']}").json()
    assert shown["request"] is None
    assert base64.b64decode(shown["raw"]) == b"\x0a\xff\xff\x01"
    assert "only the bytes" in retried(collector, ids=[row["id"]])["rows"][0]["detail"]


def test_a_malformed_span_of_json_is_kept_as_it_came_and_refused_again(collector: Collector) -> None:
    span = {"traceId": "xyz", "spanId": "0" * 15 + "1", "startTimeUnixNano": "5"}
    post(collector, json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode(), kind=JSON)
    (row,) = letters(collector)["rows"]
    request = collector.get(f"/api/v1/deadletters/{row['id']}").json()["request"]
    assert request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] == "xyz"
    assert "not hexadecimal" in retried(collector, ids=[row["id"]])["rows"][0]["detail"]


def test_a_late_log_event_is_kept_and_joined_when_it_is_retried(
    start_collector: Callable[..., Collector], database_url: str
) -> None:
    collector = start_collector(OUTLAY_ACCEPTORS="1")
    record = {
        "timeUnixNano": str(int(LONG_AGO.timestamp()) * 10**9),
        "eventName": "gen_ai.evaluation.result",
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "attributes": [
            {"key": "gen_ai.evaluation.name", "value": {"stringValue": "helpful"}},
            {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 0.5}},
        ],
    }
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()
    post(collector, body, kind=JSON, signal="logs")
    (row,) = letters(collector)["rows"]
    assert (row["signal"], row["reason"]) == ("logs", "too_old")
    mended = start_collector(OUTLAY_ACCEPTORS="1", OUTLAY_RETENTION="P600D")
    assert retried(mended, ids=[row["id"]])["accepted"] == 1
    assert count(database_url, "SELECT count(*) FROM score WHERE value = 0.5") == 1
    assert count(database_url, "SELECT n FROM ingest_count WHERE name = 'log_records'") == 1


def test_a_list_is_paged_and_filtered(collector: Collector) -> None:
    post(collector, otlp([a_model_call(start=LONG_AGO) for _ in range(5)]))
    post(collector, otlp([a_model_call(start=NOW + timedelta(days=2))]))
    seen: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = letters(collector, limit="2", **cursor)
        seen += [row["id"] for row in page["rows"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(seen) == 6
    assert seen == sorted(seen, reverse=True)
    assert [row["reason"] for row in letters(collector, reason="future")["rows"]] == ["future"]
    assert letters(collector, retried="true")["rows"] == []
    assert letters(collector, to="2026-01-01")["rows"] == []
    for wrong in ("x", "-1", "0", "9" * 30, "١"):
        assert collector.get("/api/v1/deadletters", cursor=wrong).status_code == 400


def test_keys_see_and_retry_their_own_projects_only(shop_key: str, collector: Collector, database_url: str) -> None:
    post(collector, otlp([a_model_call(start=LONG_AGO)]))
    post(collector, otlp([a_model_call(start=LONG_AGO)]), key=shop_key)
    of_shop, of_default = letters(collector)["rows"]
    assert (of_shop["project"], of_default["project"]) == ("shop", "default")

    def status(path: str, key: str) -> int:
        return httpx.get(f"{collector.url}{path}", headers={"Authorization": f"Bearer {key}"}, timeout=30).status_code

    assert status(f"/api/v1/deadletters/{of_shop['id']}", shop_key) == 200
    assert status(f"/api/v1/deadletters/{of_default['id']}", shop_key) == 404
    assert status("/api/v1/deadletters?project=default", shop_key) == 404
    assert retried(collector, shop_key, ids=[of_default["id"], of_shop["id"]])["skipped"] == 1
    with connect(database_url) as connection:
        money = access.create_key(connection, project=None, scopes=["finance"])
        reader = access.create_key(connection, project=None, scopes=["read"])
    assert status("/api/v1/deadletters", money) == 403
    refused = httpx.post(
        f"{collector.url}/api/v1/deadletters/retry",
        json={"reason": "too_old"},
        headers={"Authorization": f"Bearer {reader}"},
        timeout=30,
    )
    assert refused.status_code == 403


def test_a_retry_never_carries_a_span_out_of_the_project_its_key_is_bound_to(
    shop_key: str, collector: Collector, database_url: str
) -> None:
    post(collector, otlp([a_model_call()], resource={"outlay.project": "default"}), key=shop_key)
    (row,) = letters(collector)["rows"]
    assert row["reason"] == "project"
    again = retried(collector, ids=[row["id"]])  # by a key of all projects
    assert (again["accepted"], again["refused"]) == (0, 1)
    assert count(database_url, "SELECT count(*) FROM span") == 0


def test_a_span_for_a_project_that_is_made_later_is_accepted_then(collector: Collector, database_url: str) -> None:
    post(collector, otlp([a_model_call()], resource={"outlay.project": "later"}))
    (row,) = letters(collector)["rows"]
    with connect(database_url) as connection:
        project_id = access.create_project(connection, "later")
    assert outlay("deadletter", "retry", "--all", env={"OUTLAY_DATABASE_URL": database_url}).returncode == 0
    assert count(database_url, "SELECT count(*) FROM span WHERE project_id = %s", project_id) == 1
    assert letters(collector)["rows"][0]["status"] == "accepted"
    assert row["status"] == "open"


def test_letters_go_with_the_retention_and_the_oldest_when_there_are_too_many(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(database_url) as connection:
        project_id = access.create_project(connection, "shop")
        for days in (500, 5, 4, 3, 2):
            connection.execute(
                "INSERT INTO dead_letter (project_id, signal, reason, detail, received_at)"
                " VALUES (%s, 'traces', 'future', %s, %s)",
                (project_id, str(days), NOW - timedelta(days=days)),
            )
        assert store.forget(connection, now=NOW, retention=timedelta(days=400)) == 1
        monkeypatch.setattr(store, "MOST_KEPT", 3)
        assert store.forget(connection, now=NOW, retention=timedelta(days=400)) == 1
        left = connection.execute("SELECT detail FROM dead_letter ORDER BY id").fetchall()
        assert left == [("4",), ("3",), ("2",)]
        assert store.forget(connection, now=NOW, retention=timedelta(days=400)) == 0
