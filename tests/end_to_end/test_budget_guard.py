"""A budget from YAML to the guard in an application: said, spent, told, and the next call not made."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import outlay as sdk
import pytest
from outlay import budget as guard
from outlay_collector.access.store import create_key
from outlay_collector.db.engine import connect

from tests.builders import a_model_call, otlp
from tests.servers import Collector, Running, outlay, wait_until

YAML = """
project: default
budgets:
  - name: company
    amount: "1000"
  - name: team-search
    filter: {team: [search]}
    per: customer
    parent: company
    amount: "0.40"
    thresholds: [{percent: 50}, {percent: 100}]
"""


def send(collector: Collector, *, customer: str, team: str = "search") -> None:
    said = {"outlay.team": team, "outlay.customer": customer}
    call = a_model_call(start=datetime.now(UTC), input_tokens=1_000_000, output_tokens=100_000, attributes=said)
    headers = collector.headers | {"Content-Type": "application/x-protobuf"}
    assert httpx.post(f"{collector.url}/v1/traces", content=otlp([call]), headers=headers).status_code == 200


def test_from_yaml_to_a_call_that_is_not_made(
    collector: Collector, worker: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "budgets.yaml"
    file.write_text(YAML)
    env = {"OUTLAY_DATABASE_URL": collector.database_url}

    def run(*arguments: str) -> str:
        ran = outlay("budget", *arguments, env=env)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    assert "Nothing was written" in run("apply", str(file), "--dry-run")
    assert "+ default/team-search" in run("apply", str(file))
    assert "0 new, 0 changed, 2 as they were, 0 removed." in run("apply", str(file), "--prune")
    file.write_text(YAML.replace('"0.40"', '"0,40"'))
    refused = outlay("budget", "apply", str(file), env=env)
    assert refused.returncode == 1
    assert "budgets.yaml, budget team-search: amount cannot be '0,40'; write an amount above 0" in refused.stderr

    with connect(collector.database_url) as connection:
        key = create_key(connection, project="default", scopes=["ingest"])
    monkeypatch.setattr(guard, "HOLDS", 0.0)
    monkeypatch.setattr(guard, "PATIENCE", 20.0)  # a busy machine is slow, not wrong
    sdk.configure(endpoint=collector.url, api_key=key)

    @sdk.observe(budget="team-search", fallback=lambda: "cheap")
    def ask() -> str:
        return "expensive"

    def answer(customer: str) -> str:
        with sdk.context(team="search", customer=customer):
            return ask()

    try:
        assert answer("acme") == "expensive"
        send(collector, customer="acme")
        send(collector, customer="acme")
        send(collector, customer="bolt")
        wait_until(lambda: answer("acme") == "cheap", seconds=60)
        assert answer("bolt") == "expensive"
    finally:
        sdk.shutdown()

    def events() -> list[Any]:
        with connect(collector.database_url) as connection:
            return connection.execute("SELECT data ->> 'instance' FROM alert_event ORDER BY 1").fetchall()

    wait_until(lambda: ("acme",) in events() and ("bolt",) in events(), seconds=60)
    status = json.loads(run("status", "team-search", "--json"))
    (search,) = [row for row in status if row["name"] == "team-search"]
    assert [(one["instance"], one["actual"], one["share"]) for one in search["instances"]] == [
        ("acme", "0.42", 105.0),
        ("bolt", "0.21", 52.5),
    ]
    assert "acme" in run("status", "team-search")
    assert "team search" in run("list")


def test_over_http(collector: Collector, worker: Running) -> None:
    def call(method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return httpx.request(
            method, f"{collector.url}/api/v1/{path}", json=body, headers=collector.headers, timeout=30, **more
        )

    said = {"project": "default", "name": "all", "period": "month", "time_zone": "Asia/Seoul", "amount": "0.20",
            "filter": {"environment": {"not": ["test"]}}, "currency": "USD",
            "thresholds": [{"kind": "actual", "percent": 80}]}  # fmt: skip
    made = call("POST", "budgets", said)
    assert made.status_code == 201, made.text
    budget = made.json()["id"]
    assert call("POST", "budgets", said).status_code == 409
    assert call("POST", "budgets", said | {"name": "b", "amount": "x"}).status_code == 400
    assert [row["name"] for row in call("GET", "budgets").json()["rows"]] == ["all"]
    send(collector, customer="acme")
    wait_until(lambda: call("GET", f"budgets/{budget}/status").json()["actual"] == "0.21", seconds=60)
    status = call("GET", f"budgets/{budget}/status").json()
    assert (status["share"], status["state"]) == (105.0, "ready")
    assert [(one["threshold"], one["corrected_at"]) for one in status["told"]] == [("actual:80%", None)]
    asked = {"budget": "all", "attributes": {"deployment.environment.name": "prod"}}
    answer = call("POST", "budgets/check", asked).json()
    assert (answer["decision"], answer["spent"], answer["amount"], answer["checked"]) == ("block", "0.21", "0.2", True)
    assert datetime.fromisoformat(answer["until"]) > datetime.now(UTC) - timedelta(minutes=1)
    exempt = {"budget": "all", "attributes": {"deployment.environment.name": "test"}}
    assert call("POST", "budgets/check", exempt).json()["decision"] == "allow"
    assert call("POST", "budgets/check", {"budget": "nobody"}).status_code == 404
    changed = call("PUT", f"budgets/{budget}", said | {"amount": "50"}).json()
    assert (changed["version"], changed["amount"]) == (2, "50")
    wait_until(lambda: call("POST", "budgets/check", asked).json()["decision"] == "allow", seconds=60)
    assert call("DELETE", f"budgets/{budget}").status_code == 200
    assert call("GET", f"budgets/{budget}").status_code == 404
