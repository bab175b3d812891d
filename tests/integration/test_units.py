"""Unit economics over HTTP: calls, scores and outcomes in, costs per unit out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from tests.builders import SpanSpec, a_model_call, otlp
from tests.servers import Collector, Running, outlay, wait_until

START = datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=2)
MONEY = ("cost", "revenue", "margin")


def a_call(dollars: float, *, hours: int = 0, trace: int = 0, response: str | None = None, **whom: str) -> SpanSpec:
    """gpt-4o-mini costs 0.15 per million tokens in."""
    names = {"user": "user.id", "session": "session.id", "customer": "outlay.customer", "feature": "outlay.feature"}
    said = {names[name]: value for name, value in whom.items()}
    said |= {"gen_ai.response.id": response} if response else {}
    return a_model_call(
        start=START + timedelta(hours=hours),
        input_tokens=round(dollars / 0.15e-6),
        output_tokens=0,
        attributes=said,
        trace_id=trace.to_bytes(16, "big") if trace else b"",
    )


def send(collector: Collector, *calls: SpanSpec) -> None:
    headers = collector.headers | {"Content-Type": "application/x-protobuf"}
    assert httpx.post(f"{collector.url}/v1/traces", content=otlp(calls), headers=headers).status_code == 200


def post(collector: Collector, path: str, body: dict[str, Any], status: int = 200) -> Any:
    answer = httpx.post(f"{collector.url}/api/v1/{path}", json=body, headers=collector.headers, timeout=30)
    assert answer.status_code == status, answer.text
    return answer.json()


def ask(collector: Collector, **asked: str) -> Any:
    """With money as numbers."""
    answer = collector.get("/api/v1/units", **{"from": (START - timedelta(hours=1)).isoformat(), **asked}).json()
    for row in answer["rows"]:
        row.update({name: Decimal(row[name]) for name in row if name.startswith(MONEY) and row[name] is not None})
    return answer


def test_what_a_request_a_user_a_customer_and_a_success_cost(
    collector: Collector, worker: Running, tmp_path: Path
) -> None:
    send(
        collector,
        a_call(0.3, trace=1, user="ann", customer="acme", session="s1", feature="find"),
        a_call(0.15, trace=1, user="ann", customer="acme", session="s1", feature="rank"),
        a_call(0.3, trace=2, user="bob", customer="acme", session="s2", feature="find", response="resp-2"),
        a_call(0.6, hours=24, trace=3, user="cid", customer="bit", session="s3", feature="find"),
        a_call(0.15, trace=4),
    )
    wait_until(lambda: [row["requests"] for row in ask(collector)["rows"]] == [5], seconds=60)
    (row,) = ask(collector)["rows"]
    assert (row["cost"], row["requests"], row["cost_per_request"]) == (Decimal("1.50"), 5, Decimal("0.30"))
    assert (row["users"], row["cost_of_users"], row["cost_per_user"]) == (3, Decimal("1.35"), Decimal("0.45"))
    assert (row["customers"], row["cost_per_customer"]) == (2, Decimal("0.675"))
    assert (row["outcomes"], row["cost_per_success"], row["revenue"]) == (None, None, None)

    at = (START + timedelta(hours=1)).isoformat()
    scores = [
        {"name": "resolved", "value": 0, "trace_id": f"{1:032x}", "at": (START + timedelta(minutes=1)).isoformat()},
        {"name": "resolved", "value": 1, "trace_id": f"{1:032x}", "at": at},
        {"name": "resolved", "label": "fail", "response_id": "resp-2", "at": at},
        {"name": "resolved", "value": 1, "trace_id": f"{99:032x}", "at": at},
    ]
    given = {"project": "default", "scores": scores}
    assert post(collector, "scores", given) == {"added": 4, "unchanged": 0}
    assert post(collector, "scores", given) == {"added": 0, "unchanged": 4}
    answer = ask(collector)
    (row,) = answer["rows"]
    # Trace 1 was good in the end, trace 2 was not, trace 99 has no calls.
    assert answer["outcome"] == {"name": "resolved", "source": "score", "outcomes": 4, "successes": 2}
    assert (row["outcomes"], row["successes"], row["cost_of_outcomes"], row["cost_per_success"]) == (
        2,
        1,
        Decimal("0.75"),
        Decimal("0.75"),
    )
    by_feature = {row["feature"]: row["cost_per_success"] for row in ask(collector, group_by="feature")["rows"]}
    assert by_feature == {"find": Decimal("0.60"), "rank": Decimal("0.15"), None: None}
    (judged,) = collector.get("/api/v1/scores", **{"from": START.isoformat()}).json()["rows"]
    assert (judged["name"], judged["scores"], judged["good"]) == ("resolved", 4, 2)

    file = tmp_path / "orders.csv"
    file.write_text(
        "time,outcome,session,customer,success,revenue\n"
        f"{at},order,s1,acme,true,20\n"
        f"{at},order,s2,acme,false,\n"
        f"{(START + timedelta(hours=25)).isoformat()},order,,bit,true,0.5\n"
    )
    env = {"OUTLAY_DATABASE_URL": collector.database_url}
    imported = ("outcome", "import", str(file), "--project", "default", "--json")
    assert json.loads(outlay(*imported, env=env).stdout) == {"added": 3, "corrected": 0, "unchanged": 0}
    assert json.loads(outlay(*imported, env=env).stdout) == {"added": 0, "corrected": 0, "unchanged": 3}
    by_customer = {row["customer"]: row for row in ask(collector, group_by="customer")["rows"]}
    shown = {name: (row["revenue"], row["margin"], row["cost_per_success"]) for name, row in by_customer.items()}
    assert shown == {
        "acme": (20, Decimal("19.25"), Decimal("0.75")),
        "bit": (Decimal("0.5"), Decimal("-0.1"), Decimal("0.6")),
        None: (None, None, None),
    }
    by_day = ask(collector, interval="day", outcome="order")["rows"]
    assert [(row["successes"], row["cost_per_success"]) for row in by_day] == [
        (1, Decimal("0.75")),
        (1, Decimal("0.60")),
    ]
    # Of a filter that outcomes know nothing of, revenue is not known.
    assert ask(collector, filter="feature:find", outcome="order")["rows"][0]["revenue"] is None
    corrected = [{"time": at, "outcome": "order", "session": "s2", "customer": "acme", "success": True}]
    body = {"project": "default", "rows": corrected}
    assert post(collector, "units/outcomes", body) == {"added": 0, "corrected": 1, "unchanged": 0}


def test_questions_that_cannot_be_answered_say_why(collector: Collector) -> None:
    missing = collector.get("/api/v1/units", outcome="sold")
    assert (missing.status_code, missing.json()["detail"]) == (
        404,
        "Nothing in this window is called 'sold'; there are: none.",
    )
    assert collector.get("/api/v1/units", group_by="team,model,user,step").status_code == 400
    assert "for all projects" in post(collector, "scores", {"scores": []}, 400)["detail"]
    detail = post(collector, "scores", {"project": "default", "scores": [{"name": "x"}]}, 400)["detail"]
    assert detail.startswith("score 1: neither value nor label")
