"""A pool's hour, from telemetry and decorated calls to one total of API and own hardware."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.builders import a_model_call, otlp
from tests.servers import Collector, Running, outlay, wait_until

SAMPLES = Path(__file__).parents[1] / "gpu_samples"
MODEL = "synthetic/llama-3-8b"
QUARTER = timedelta(minutes=15)


class Engine(BaseHTTPRequestHandler):
    """A serving engine, as far as its metrics go."""

    def do_GET(self) -> None:
        body = (SAMPLES / "synthetic" / "vllm_t1.txt").read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


@pytest.fixture
def engine() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()


def metrics(points: list[tuple[str, datetime, float, dict[str, str]]]) -> dict[str, Any]:
    """An OTLP request as the Collector's Prometheus receiver sends it: cumulative sums under raw names."""

    def metric(name: str, at: datetime, value: float, labels: dict[str, str]) -> dict[str, Any]:
        point = {
            "timeUnixNano": str(round(at.timestamp() * 1e9)),
            "asDouble": value,
            "attributes": [{"key": key, "value": {"stringValue": one}} for key, one in labels.items()],
        }
        return {"name": name, "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}}

    resource = {"attributes": [{"key": "service.instance.id", "value": {"stringValue": "vllm-otlp"}}]}
    found = [metric(*one) for one in points]
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": found}]}]}


def spend(collector: Collector, start: datetime, end: datetime, **question: str) -> list[dict[str, Any]]:
    answer = collector.get("/api/v1/spend", **{"from": start.isoformat(), "to": end.isoformat(), **question})
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def test_api_and_own_hardware_are_one_total_and_the_pools_part_is_its_bill(
    collector: Collector, worker: Running, engine: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    start = datetime.fromtimestamp(now.timestamp() // 900 * 900, UTC) - 4 * QUARTER
    end = start + 2 * QUARTER
    pool = {
        "name": "chat", "dimensions": {"team": "platform"},
        "gpus": [{"gpu": "H100", "count": 2, "from": start.isoformat(), "to": end.isoformat()}],
        "rates": [{"gpu": "H100", "per_hour": "3.60"}],
        "serves": [{"model": MODEL}],
        "targets": [{"name": "vllm-0", "url": engine, "interval": 1}, {"name": "vllm-otlp"}],
    }  # fmt: skip
    file = tmp_path / "pools.yaml"
    file.write_text(json.dumps({"pools": [pool]}))  # YAML holds JSON
    env = {"OUTLAY_DATABASE_URL": collector.database_url}
    applied = outlay("gpu", "apply", str(file), env=env)
    assert applied.returncode == 0, applied.stderr

    # What an engine did, five minutes of it, as the Collector tells it; and calls by our names.
    labels = {"engine": "0", "model_name": MODEL}
    told = [
        (name, start + minute * timedelta(minutes=1), value, labels)
        for minute, prompt, output, running in ((0, 0, 0, 0), (5, 3000, 600, 2), (10, 3000, 600, 0))
        for name, value in (
            ("vllm:prompt_tokens_total", prompt),
            ("vllm:generation_tokens_total", output),
            ("vllm:request_prefill_time_seconds_sum", prompt * 1e-4),
            ("vllm:num_requests_running", running),
        )
    ]
    sent = httpx.post(f"{collector.url}/v1/metrics", json=metrics(told), headers=collector.headers, timeout=30)
    assert sent.status_code == 200, sent.text

    calls = [
        a_model_call(model=MODEL, provider="vllm", start=start + timedelta(minutes=1), duration_ms=120_000,
                     input_tokens=2000, output_tokens=400, attributes={"outlay.team": "support"}),
        a_model_call(start=start + timedelta(minutes=2), attributes={"outlay.team": "support"}),
    ]  # fmt: skip
    headers = {**collector.headers, "Content-Type": "application/x-protobuf"}
    answer = httpx.post(f"{collector.url}/v1/traces", content=otlp(calls), headers=headers, timeout=30)
    assert answer.status_code == 200

    bill = Decimal("3.60")  # two GPUs for half an hour

    # Ten of thirty minutes were looked at, five of them busy; of the work the call was two thirds.
    wanted = {
        "calls": Decimal("0.40"), "unattributed": Decimal("0.20"), "idle": Decimal("0.60"), "startup": 0,
        "unobserved": Decimal("2.40"), "jobs": 0,
    }  # fmt: skip
    period = {"from": start.isoformat(), "to": end.isoformat()}

    def everything() -> dict[str, Any]:
        """What came late has windows and sums made again, so it is all waited for."""
        shown = collector.get("/api/v1/gpu", **period).json()
        assert {name: Decimal(shown["pools"][0][name] or 0) for name in wanted} == wanted
        by_pool = {
            row["gpu_pool"]: Decimal(row["cost"] or 0) for row in spend(collector, start, end, group_by="gpu_pool")
        }
        assert by_pool.get("chat") == bill
        assert by_pool.get(None, 0) > 0
        (total,) = spend(collector, start, end, interval="none")
        assert Decimal(total["cost"] or 0) == bill + by_pool[None]
        teams = {
            one["team"]: [Decimal(one[view]) for view in ("apart", "spread", "owner")]
            for one in shown["pools"][0]["teams"]
        }
        assert teams == {
            "support": [wanted["calls"], bill, wanted["calls"]],
            "platform": [0, 0, bill - wanted["calls"]],
        }
        return shown

    shown = wait_until(everything, seconds=120)
    (chat,) = shown["pools"]
    assert (shown["has_default_rates"], chat["gpu"], chat["models"][0]["evidence"]) == (False, "H100", "running")

    # The worker reads the other engine by itself.
    def scraped() -> bool:
        rows = collector.get("/api/v1/gpu/targets").json()["rows"]
        return any(row["name"] == "vllm-0" and row["last_at"] and row["error"] is None for row in rows)

    wait_until(scraped, seconds=60)
    versus = collector.get("/api/v1/gpu/breakeven", pool="chat", model="gpt-4o-mini", **period)
    assert versus.status_code == 200, versus.text
    assert versus.json()["own"]["per_hour"] == "7.2"
    said = outlay("gpu", "breakeven", "chat", "--prompt-price", "0.6", "--output-price", "0.6", "--json", env=env)
    assert json.loads(said.stdout)["own"]["per_month"] == "5256"


def test_text_is_pushed_and_the_answer_says_what_was_read(collector: Collector) -> None:
    text = (SAMPLES / "dcgm_l4_idle_k8s.txt").read_text()

    def push(target: str, body: str) -> httpx.Response:
        return httpx.post(
            f"{collector.url}/v1/prometheus",
            params={"target": target},
            content=body,
            headers=collector.headers,
            timeout=30,
        )

    assert push("node-7", text + "nonsense {\n").json() == {"samples": 23, "families": 23, "skipped_lines": 1}
    assert push("node-8", "<html>").json() == {"samples": 0, "families": 0, "skipped_lines": 1}
    assert httpx.post(f"{collector.url}/v1/prometheus?target=x", content=text, timeout=30).status_code == 401
    assert push("", text).status_code == 422
    rows = {row["name"]: row for row in collector.get("/api/v1/gpu/targets").json()["rows"]}
    assert (rows["node-7"]["error"], rows["node-8"]["error"]) == (None, "no metric that is known")
    said = outlay("gpu", "targets", "--json", env={"OUTLAY_DATABASE_URL": collector.database_url})
    assert {row["name"] for row in json.loads(said.stdout)} == {"node-7", "node-8"}
    rates = outlay("gpu", "rates", "--set", "L4=0.5", "--json", env={"OUTLAY_DATABASE_URL": collector.database_url})
    assert [row["amount"] for row in json.loads(rates.stdout) if not row["is_default"]] == ["0.5"]
