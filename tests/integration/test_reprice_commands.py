"""``outlay reprice`` and ``/api/v1/reprice``: one journey each, from a look to undo."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.builders import a_model_call, otlp
from tests.servers import Collector, Running, outlay, wait_until

START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
RATES = {"input": "1", "output": "0"}


def send(collector: Collector) -> None:
    headers = collector.headers | {"Content-Type": "application/x-protobuf"}
    body = otlp([a_model_call(start=START, input_tokens=1_000_000, output_tokens=0)])
    assert httpx.post(f"{collector.url}/v1/traces", content=body, headers=headers).status_code == 200


def cost_of(collector: Collector) -> str | None:
    (row,) = collector.get("/api/v1/calls").json()["rows"]
    return row["cost"]


def test_from_the_command_line(collector: Collector) -> None:
    env = {"OUTLAY_DATABASE_URL": collector.database_url}

    def run(*arguments: str) -> Any:
        ran = outlay(*arguments, "--json", env=env)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    send(collector)
    scope = ("reprice", "--from", START.isoformat(), "--model", "gpt-4o-mini*")
    assert run(*scope)["totals"]["changed_calls"] == 0
    assert outlay("price", "override", "-m", "gpt-4o-mini*", "--input", "1", "--output", "0", env=env).returncode == 0
    shown = outlay(*scope, env=env).stdout
    assert "1 of 1 calls change: 0.15 becomes 1" in shown
    assert "Nothing was written" in shown
    assert cost_of(collector) == "0.15"
    done = run(*scope, "--apply")
    assert (done["state"], done["totals"]["difference"]) == ("done", "0.85")
    assert cost_of(collector) == "1"
    assert run("reprice", "undo", str(done["job"]))["state"] == "done"
    assert cost_of(collector) == "0.15"
    assert [row["state"] for row in run("reprice", "list")] == ["done", "undone"]
    assert "undone already" in outlay("reprice", "undo", str(done["job"]), env=env).stderr
    assert "Say from when" in outlay("reprice", env=env).stderr


def test_a_model_without_a_price_gets_one_and_its_past_in_one_command(collector: Collector) -> None:
    env = {"OUTLAY_DATABASE_URL": collector.database_url}
    headers = collector.headers | {"Content-Type": "application/x-protobuf"}
    body = otlp([a_model_call(start=START, model="gpt-4o-mni", input_tokens=1_000_000, output_tokens=0)])
    assert httpx.post(f"{collector.url}/v1/traces", content=body, headers=headers).status_code == 200
    assert cost_of(collector) is None
    command = ["price", "override", "-p", "openai", "-m", "gpt-4o-mni", "--like", "openai/gpt-4o-mini"]
    looked = outlay(*command, "--dry-run", env=env)
    assert "1 of 1 calls change: unknown becomes 0.15" in looked.stdout, looked.stderr
    assert cost_of(collector) is None
    assert "No price is known for 'openai/gpt-nine'" in outlay(*command[:-1], "openai/gpt-nine", env=env).stderr
    done = outlay(*command, "--reprice", env=env)
    assert done.stdout.count("1 of 1 calls change: unknown becomes 0.15") == 2, done.stderr
    assert cost_of(collector) == "0.15"


def test_over_http_a_job_is_run_by_the_worker(collector: Collector, worker: Running) -> None:
    send(collector)

    def post(path: str, body: dict[str, Any] | None = None) -> Any:
        answer = httpx.post(f"{collector.url}/api/v1/{path}", json=body, headers=collector.headers, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer.json()

    override = {"provider": "*", "model": "gpt-4o-mini*", "valid_from": None, "valid_to": None}
    version = post("prices/overrides", {"overrides": [override | {"rates_usd_per_mtok": RATES}]})["price_version"]
    scope = {"from": START.isoformat(), "model": "gpt-4o-mini*"}
    # The collector looks for new prices every few seconds.
    wait_until(lambda: post("reprice", scope)["price_version"] == version)
    looked = post("reprice", scope)
    assert looked["totals"]["difference"] == "0.85"
    assert [row["calls"] for row in looked["rows"]] == [1]
    job = post("reprice", scope | {"apply": True})["job"]["job"]
    wait_until(lambda: cost_of(collector) == "1", seconds=60)
    post(f"reprice/{job}/undo")
    wait_until(lambda: cost_of(collector) == "0.15", seconds=60)
    wait_until(lambda: {row["state"] for row in collector.get("/api/v1/reprice").json()["rows"]} == {"done", "undone"})
