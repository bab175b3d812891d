"""A collector that only answers questions, from a made-up company: for the states a real one cannot be put into.

Deterministic: the same seed and moment give the same figures. It serves what the dashboard asks and checks the key.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from tests.browser import fake_alerts, fake_gpus

KEY = "out_test"

# team, feature, service, provider, model, calls on a weekday, USD per call, growth per day
_COMPANY = [
    ("search", "answers", "search-api", "openai", "gpt-4.1", 900, "0.0121", 0.012),
    ("search", "rerank", "search-api", "openai", "gpt-4.1-mini", 2600, "0.0011", 0.004),
    ("support", "reply-draft", "helpdesk", "anthropic", "claude-sonnet-4-5", 620, "0.0173", 0.001),
    ("support", "triage", "helpdesk", "anthropic", "claude-haiku-4-5", 1500, "0.0016", 0.002),
    ("growth", "email-copy", "campaigns", "gcp.gemini", "gemini-2.5-flash", 800, "0.0021", -0.002),
    ("research", "deep-dive", "agents", "openai", "o4-mini", 140, "0.0712", 0.006),
    ("research", "code-agent", "agents", "anthropic", "claude-opus-4-5", 60, "0.1904", 0.01),
    ("platform", "embeddings", "indexer", "openai", "text-embedding-3-large", 4200, "0.00012", 0.0),
    ("platform", "classify", "indexer", "vllm", "qwen3-8b", 1900, None, 0.003),
    ("finance", "invoices", "ledger-bot", "aws.bedrock", "nova-pro", 210, "0.0061", 0.0),
    (None, None, "notebook", "openai", "gpt-4.1", 30, "0.0093", 0.0),
]
# Customers, or users, and the share of the spend that is theirs.
_SHARES: dict[str | None, Decimal] = {
    "Northwind": Decimal("0.31"),
    "Contoso": Decimal("0.22"),
    "Globex": Decimal("0.14"),
    "Initech": Decimal("0.09"),
    "Umbrella": Decimal("0.06"),
    "__other__": Decimal("0.11"),
    None: Decimal("0.07"),
}
_COUNTS = (
    "calls",
    "errors",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "reasoning_tokens",
    "unpriced_calls",
    "estimated_calls",
    "missing_usage_calls",
    "unpriced_tokens",
    "duration_us",
)


@dataclass
class FakeApi:
    """``mode``: ``ok``, ``empty``, ``refuse`` (403), ``broken`` (500). May be changed while it runs."""

    now: datetime
    days: int = 125
    mode: str = "ok"
    cells: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cells = list(_cells(self.now, self.days))
        self.alerts, self.deliveries = fake_alerts.alerts(self.now), fake_alerts.deliveries(self.now)

    def change(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append(path)
        return fake_alerts.change([*self.alerts, *self.deliveries], path, body)

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        self.asked.append(path)
        if self.mode == "refuse":
            return 403, {"detail": "This key may ingest, not read."}
        if self.mode == "broken":
            return 500, {"detail": "The database went away."}
        if path in ("/healthz", "/readyz"):
            health = {"status": "ok", "version": "0.1.0", "time": datetime.now(UTC).isoformat(), "uptime_seconds": 90}
            return 200, health if path == "/healthz" else {"status": "ready", "revision": "0001_core"}
        if path == "/api/v1/projects":
            names = ["shop", "demo"] if self.mode == "ok" else []
            return 200, {"rows": [{"name": n, "content": "none", "created_at": self.now.isoformat()} for n in names]}
        if path == "/api/v1/keys":
            return 403, {"detail": "This key lacks the scope admin."}
        if path == "/api/v1/tags":
            return 200, {"rows": [{"key": "experiment", "declared_at": self.now.isoformat(), "days_to_go": 12}]}
        if path == "/api/v1/prices":
            return 200, {"rows": list(_prices(query["model"][0]))}
        if path == "/api/v1/prices/rates":
            won = {
                "currency": "KRW",
                "target": "USD",
                "rate": "0.000714285714",
                "day": "2026-11-20",
                "source": "ecb.csv",
            }
            yen = {"currency": "JPY", "reason": "no exchange rate from JPY to USD is known"}
            return 200, {"currency": "USD", "rows": [won], "missing": [yen]}
        if path == "/api/v1/prices/versions":
            change = {"version": 3, "at": self.now.isoformat(), "kind": "import", "name": "genai-prices 0.2.3"}
            return 200, {"rows": [change]}
        if path == "/api/v1/spend":
            return 200, self._spend(query)
        if path == "/api/v1/units":
            return 200, self._units(query)
        if path == "/api/v1/attribution/showback":
            return 200, self._showback(query)
        if path == "/api/v1/budgets/status":
            return 200, {"rows": list(_budgets(self.now)) if self.mode == "ok" else []}
        if path == "/api/v1/bills/summary":
            known = (
                {"billed": "6120.40", "traced": "5301.15"} if self.mode == "ok" else {"billed": None, "traced": None}
            )
            return 200, known | {"currency": "USD"}
        if path == "/api/v1/bills":
            return 200, {"rows": _bills(self.now) if self.mode == "ok" else [], "accounts": []}
        if path == "/api/v1/reconcile":
            return 200, _reconciled(self.now, self.mode == "ok")
        if path == "/api/v1/latency":
            return 200, self._latency(query)
        if path == "/api/v1/calls":
            return 200, self._calls(query)
        if path == "/api/v1/completeness":
            return 200, {"dropped_by_clients": 17}
        if path == "/api/v1/coverage":
            near = {"provider": "vllm", "model": "qwen3-8b-fp8"}
            command = "outlay price override -p vllm -m qwen3-8b --input … --output …"
            gap = {"provider": "vllm", "model": "qwen3-8b", "nearest": near, "estimate": "4.20", "currency": "USD"}
            return 200, {"rows": [gap | {"command": command}]}
        if path == "/api/v1/alerts":
            return 200, {"rows": self.alerts if self.mode == "ok" else [], "next_cursor": None}
        if path == "/api/v1/gpu":
            return 200, fake_gpus.pools(self.now) if self.mode == "ok" else {"currency": "USD", "pools": []}
        if path == "/api/v1/gpu/breakeven":
            return 200, fake_gpus.versus()
        if path == "/api/v1/deliveries":
            return 200, {"rows": self.deliveries if self.mode == "ok" else [], "next_cursor": None}
        if path == "/api/v1/deadletters":
            late = {"reason": "too_old", "letters": 12, "retried": 3, "sample": "before the retention horizon"}
            return 200, {"reasons": [late] if self.mode == "ok" else [], "rows": [], "next_cursor": None}
        if path.startswith("/api/v1/traces/"):
            rows = [row for row in _trace(self.now, 0) if row["trace_id"] == path.rsplit("/", 1)[1]]
            return (
                (200, {"trace_id": rows[0]["trace_id"], "rows": rows}) if rows else (404, {"detail": "No such trace."})
            )
        if path == "/api/v1/bridge":
            return 200, self._bridge(query)
        if path.startswith("/api/v1/calls/"):
            trace_id, span_id = path.split("/")[-2:]
            rows = [row for row in _trace(self.now, 0) if (row["trace_id"], row["span_id"]) == (trace_id, span_id)]
            return (200, _explained(rows[0])) if rows else (404, {"detail": "No such call."})
        return 404, {"detail": "Not Found"}

    def _matching(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        if self.mode == "empty":
            return []
        start, end = (datetime.fromisoformat(query[name][0]) for name in ("from", "to"))
        filters = [text.partition(":")[::2] for text in query.get("filter", [])]
        filters += [("project", name) for name in query.get("project", [])]
        return [
            cell
            for cell in self.cells
            if start <= cell["at"] < end and all(_passes(cell, name, value) for name, value in filters)
        ]

    def _spend(self, query: dict[str, list[str]]) -> dict[str, Any]:
        zone = ZoneInfo(query.get("time_zone", ["UTC"])[0])
        dimensions = [name for name in query.get("group_by", [""])[0].split(",") if name]
        interval = query.get("interval", ["none"])[0]
        groups: dict[tuple[Any, ...], dict[str, Any]] = {}
        for cell in self._matching(query):
            period = _period(cell["at"].astimezone(zone), interval)
            key = (period, *(cell.get(name) for name in dimensions))
            sums = groups.setdefault(key, {"cost": None, **dict.fromkeys(_COUNTS, 0)})
            if cell["cost"] is not None:
                sums["cost"] = (sums["cost"] or Decimal(0)) + cell["cost"]
            for name in _COUNTS:
                sums[name] += cell[name]
        rows = [
            {
                "period_start": key[0],
                **dict(zip(dimensions, key[1:], strict=True)),
                **sums,
                "cost": None if sums["cost"] is None else str(sums["cost"]),
            }
            for key, sums in sorted(groups.items(), key=lambda item: str(item[0]))
        ]
        return {
            "from": query["from"][0],
            "to": query["to"][0],
            "currency": "USD",
            "complete_until": (datetime.now(UTC) - timedelta(seconds=4)).isoformat(),
            "rows": rows,
        }

    def _bridge(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """Half of the change by calls, half by prices; all of it made by one feature and model."""
        sums = []
        for start, end in (("before_from", "before_to"), ("from", "to")):
            cells = self._matching({**query, "from": query[start], "to": query[end]})
            sums.append(sum((cell["cost"] for cell in cells if cell["cost"] is not None), Decimal(0)))
        half = ((sums[1] - sums[0]) / 2).quantize(Decimal("0.01"))
        effects = [
            {"effect": "volume", "amount": str(half)},
            {"effect": "price", "amount": str(sums[1] - sums[0] - half)},
        ]
        part = {"filter": ["feature:deep-dive", "model:claude-opus-4-5"], "effects": effects}
        return {"before": str(sums[0]), "after": str(sums[1]), "effects": effects, "parts": [part]}

    def _units(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """Of each call's cost a customer and a user bear a fixed share; a third of what succeeds was judged."""
        who = query.get("group_by", [""])[0]
        spend = self._spend(query | {"group_by": [""]})
        rows = []
        for row in spend["rows"]:
            cost, calls = Decimal(row["cost"] or 0), row["calls"]
            for name, share in _SHARES.items() if who else [(None, Decimal(1))]:
                mine, requests = cost * share, int(calls * share)
                successes = requests // 3
                paid = mine * 3 if who == "customer" and name in ("Northwind", "Contoso") else None
                rows.append(
                    {
                        "period_start": row["period_start"],
                        **({who: name} if who else {}),
                        "cost": str(mine),
                        "requests": requests,
                        "unpriced_calls": 0 if who else row["unpriced_calls"],
                        "cost_per_request": str(mine / requests) if requests else None,
                        "users": 4120,
                        "cost_per_user": str(mine / 4120),
                        "customers": len(_SHARES) - 2,
                        "cost_per_customer": str(mine / (len(_SHARES) - 2)),
                        "outcomes": successes + 1,
                        "successes": successes,
                        "cost_per_success": str(mine / successes) if successes else None,
                        "revenue": None if paid is None else str(paid),
                        "margin": None if paid is None else str(paid - mine),
                    }
                )
        outcome = {"name": "resolved", "source": "score", "outcomes": 9, "successes": 8}
        return spend | {"rows": rows, "outcome": outcome, "outcomes": [outcome]}

    def _showback(self, query: dict[str, list[str]]) -> dict[str, Any]:
        if self.mode == "empty":
            return {"currency": "USD", "total": "0", "direct": "0", "shared": "0", "rows": []}
        rows = [("4711 Search", "310.5", "41.25"), ("4712 Support", "220", "13.75"), (None, "9.5", "0")]
        return {
            "from": query["from"][0],
            "currency": "USD",
            "total": "595",
            "direct": "540",
            "shared": "55",
            "rows": [
                {"cost_center": name, "direct": own, "shared": part, "total": str(Decimal(own) + Decimal(part))}
                for name, own, part in rows
            ],
        }

    def _latency(self, query: dict[str, list[str]]) -> dict[str, Any]:
        dimensions = [name for name in query.get("group_by", [""])[0].split(",") if name]
        zone = ZoneInfo(query.get("time_zone", ["UTC"])[0])
        interval = query.get("interval", ["none"])[0]
        calls: dict[tuple[Any, ...], int] = defaultdict(int)
        for cell in self._matching(query):
            period = _period(cell["at"].astimezone(zone), interval)
            calls[(period, *(cell.get(name) for name in dimensions))] += cell["calls"]
        rows = []
        for key, number in calls.items():
            slow = 1 + sum(hashlib.sha256(str(key).encode()).digest()[:2]) / 200
            rows.append(
                {
                    "period_start": key[0],
                    **dict(zip(dimensions, key[1:], strict=True)),
                    "calls": number,
                    "p50_ms": 840 * slow,
                    "p95_ms": 2630 * slow,
                    "p99_ms": 5150 * slow,
                    "ttft_p50_ms": 310 * slow,
                    "ttft_p95_ms": 760 * slow,
                    "ttft_p99_ms": 1400 * slow,
                }
            )
        return {"rows": rows}

    def _calls(self, query: dict[str, list[str]]) -> dict[str, Any]:
        if self.mode == "empty":
            return {"rows": [], "next_cursor": None}
        limit = int(query.get("limit", ["50"])[0])
        trace_id = query.get("trace_id", [None])[0]
        rows = [row for number in range(40) for row in _trace(self.now, number) if row["span_type"] == "call"]
        rows = [row for row in rows if trace_id in (None, row["trace_id"])]
        return {"rows": rows[:limit], "next_cursor": None}


@contextmanager
def serving(api: FakeApi, port: int = 0) -> Iterator[str]:
    """The base URL while it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            allowed = self.headers.get("Authorization") == f"Bearer {KEY}"
            status, body = (
                api.answer(parts.path, parse_qs(parts.query))
                if allowed
                else (401, {"detail": "No key, or an unknown one."})
            )
            self._say(status, body)

        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._say(*api.change(self.path, said))

        def _say(self, status: int, body: Any) -> None:
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _passes(cell: dict[str, Any], name: str, value: str) -> bool:
    found = cell.get(name.removesuffix("!"))
    holds = found is not None if value == "*" else found == value
    return holds is not name.endswith("!")


def _cells(now: datetime, days: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(7)
    hour = now.replace(minute=0, second=0, microsecond=0)
    for back in range(days * 24):
        at = hour - timedelta(hours=back)
        busy = (0.25 if at.weekday() >= 5 else 1.0) * (0.35 + 1.3 * max(0.0, 1 - abs(at.hour - 14) / 9)) / 18
        for team, feature, service, provider, model, daily, price, growth in _COMPANY:
            calls = int(daily * busy * (1 + growth) ** (days - back / 24) * chance.uniform(0.8, 1.2))
            if feature == "deep-dive" and back // 24 == 6:
                calls *= 4  # a retry storm
            if not calls:
                continue
            errors = sum(chance.random() < 0.01 for _ in range(min(calls, 40))) * max(1, calls // 40)
            size = chance.uniform(0.9, 1.1)
            yield {
                "at": at,
                "project": "shop",
                "environment": "production",
                "release": f"v{(days - back // 24) // 9}",
                "team": team,
                "feature": feature,
                "agent": "researcher" if feature == "deep-dive" else None,
                "step": feature,
                "session": f"s-{back % 40}" if feature == "deep-dive" else None,
                "service": service,
                "provider": provider,
                "model": model,
                "operation": "embeddings" if feature == "embeddings" else "chat",
                "cost": None if price is None else (Decimal(price) * calls * Decimal(str(round(size, 3)))),
                "calls": calls,
                "errors": errors,
                "input_tokens": int(calls * 1850 * size),
                "output_tokens": 0 if feature == "embeddings" else int(calls * 260 * size),
                "cache_read_tokens": int(calls * 600 * size),
                "reasoning_tokens": int(calls * 90) if model.startswith("o4") else 0,
                "unpriced_calls": calls if price is None else 0,
                "estimated_calls": calls // 50 if provider == "vllm" else 0,
                "missing_usage_calls": 0,
                "unpriced_tokens": int(calls * 2110 * size) if price is None else 0,
                "duration_us": int(calls * 1_900_000 * size),
            }


def _period(at: datetime, interval: str) -> str | None:
    if interval == "none":
        return None
    at = at.replace(minute=0, second=0, microsecond=0)
    if interval == "hour":
        return at.isoformat()
    at = at.replace(hour=0)
    if interval == "week":
        at -= timedelta(days=at.weekday())
    if interval == "month":
        at = at.replace(day=1)
    return at.isoformat()


def _budgets(now: datetime) -> Iterator[dict[str, Any]]:
    """One that is likely to break on the 24th day, one that holds, split by customer."""
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=32)).replace(day=1)
    passed, length = now.day, (end - start).days
    for name, per, amount in (("all-of-shop", None, 24), ("per-customer", "customer", 2 * length)):
        days = [{"day": f"{start + timedelta(days=day):%Y-%m-%d}", "cost": "1"} for day in range(passed)]
        course = ["0.5", *["1"] * (length - passed)]
        likely = passed + sum(map(Decimal, course))
        yield {
            "id": "0", "project": "shop", "name": name, "per": per, "filter": {}, "parent": None, "state": "ready",
            "period": "month", "period_label": f"{now:%Y-%m}", "period_start": start.isoformat(),
            "period_end": end.isoformat(), "time_zone": "UTC", "currency": "USD", "amount": str(amount),
            "actual": str(passed), "share": round(passed / amount * 100, 1), "calls": 900, "unpriced_calls": 3,
            "thresholds": [{"key": "actual:100%", "kind": "actual", "level": str(amount)},
                           {"key": "actual:80%", "kind": "actual", "level": str(amount * 0.8)}],
            "told": [{"instance": per and "Northwind", "period_start": start.isoformat(), "threshold": "actual:80%",
                      "epoch": 0, "version": 1, "told_at": now.isoformat(), "amount": str(amount), "level": "19",
                      "actual": "19.5", "event_id": None, "corrected_at": None, "armed_at": None}],
            "instance_count": 2 if per else None, "overflow": None, "furthest": "Northwind" if per else None,
            "instances": [{"instance": "Northwind", "actual": str(passed), "amount": str(amount),
                           "share": round(passed / amount * 100, 1), "calls": 900, "unpriced_calls": 0, "told": []}]
            if per else [],
            "days": days,
            "forecast": {"p10": str(likely - 2), "p50": str(likely), "p90": str(likely + 3), "low_confidence": False,
                         "method": "", "learnt_days": 90, "course": course,
                         "backtest": [{"share": 0.5, "origins": 9, "error_percent": 4.1, "run_rate_error_percent": 7.2,
                                       "coverage_percent": 81}]},
        }  # fmt: skip


def _trace(now: datetime, number: int) -> list[dict[str, Any]]:
    """An agent at work: a plan, two tools, a model that streams, a retry, and a span that tells a call twice."""
    trace_id = hashlib.sha256(f"trace {number}".encode()).hexdigest()[:32]
    start = now - timedelta(minutes=3 * number + 1)
    shown = [
        ("0", None, "research.deep_dive", "aggregate", 0, 9400, None, None, False, "aggregate"),
        ("1", "0", "plan", "call", 40, 1650, "openai", "gpt-4.1", True, None),
        ("2", "1", "openai.chat", "call", 60, 1600, "openai", "gpt-4.1", False, "duplicate"),
        ("3", "0", "search_web", "tool", 1750, 1220, None, None, False, "not_a_call"),
        ("4", "0", "read_pages", "tool", 3010, 640, None, None, False, "not_a_call"),
        ("5", "4", "embed", "call", 3060, 180, "openai", "text-embedding-3-large", True, None),
        ("6", "0", "write", "call", 3700, 900, "anthropic", "claude-opus-4-5", True, None),
        ("7", "0", "write (retry)", "call", 4650, 4100, "anthropic", "claude-opus-4-5", True, None),
        ("8", "0", "classify", "call", 8800, 420, "vllm", "qwen3-8b", True, None),
    ]
    costs = {"1": "0.012410", "5": "0.00002470", "7": "0.1934125", "6": None, "8": None}
    rows = []
    for span, parent, name, kind, after, took, provider, model, counted, reason in shown:
        failed = span == "6"
        is_call = kind == "call"
        rows.append(
            {
                "trace_id": trace_id,
                "span_id": f"{span:0>16}",
                "parent_span_id": None if parent is None else f"{parent:0>16}",
                "name": name,
                "span_type": kind,
                "start_time": (start + timedelta(milliseconds=after)).astimezone(UTC).isoformat(),
                "duration_ms": took,
                "time_to_first_token_ms": 610 if span == "7" else None,
                "project": "shop",
                "environment": "production",
                "service": "agents",
                "team": "research",
                "feature": "deep-dive",
                "dialect": "outlay" if span != "2" else "otel_genai",
                "operation": "embeddings" if name == "embed" else "chat" if is_call else None,
                "provider": provider,
                "model": model,
                "request_model": model,
                "response_model": model,
                "streaming": span == "7",
                "finish_reasons": ["stop"] if is_call and not failed else [],
                "status": "error" if failed else "ok",
                "error_type": "overloaded_error" if failed else None,
                "usage": {"input_tokens": 4120, "cache_read_tokens": 2048, "output_tokens": 812}
                if is_call and not failed
                else {},
                "usage_source": "missing" if failed else "reported" if is_call else None,
                "counted": counted,
                "not_counted_reason": reason,
                "cost": costs.get(span),
                "currency": "USD",
                "charge_status": None if not is_call else "priced" if costs.get(span) else "unpriced",
                "reported_cost": None,
            }
        )
    return rows


def _prices(model: str) -> Iterator[dict[str, Any]]:
    """Two years of prices, one change; nobody has one for the self-hosted model."""
    if model == "qwen3-8b":
        return
    for unit, before, after in (("input", "3", "2"), ("cache_read", "0.75", "0.5"), ("output", "12", "8")):
        for amount, start, end in ((after, "2026-05-01T00:00:00Z", None), (before, None, "2026-05-01T00:00:00Z")):
            yield {
                "layer": "rule",
                "provider": "openai",
                "model": model,
                "unit": unit,
                "tier": "standard",
                "context_over": 0,
                "amount": amount,
                "per": 1000000,
                "currency": "USD",
                "window": None,
                "valid_from": start,
                "valid_to": end,
                "source_url": "https://openai.com/api/pricing/",
                "checked": "2026-11-18",
            }


def _explained(row: dict[str, Any]) -> dict[str, Any]:
    if row["cost"] is None:
        return {**row, "explain": {"lines": []}}
    half = Decimal(row["cost"]) / 2
    source = "https://openai.com/api/pricing/"
    shared = {"per": "1000000", "currency": "USD", "source_url": source, "checked_at": "2026-11-18"}
    asked = [{"role": "user", "parts": [{"type": "text", "content": "Which firms make <b>heat pumps</b>?"}]}]
    return {
        **row,
        "content": {"gen_ai.input.messages": json.dumps(asked), "gen_ai.completion.0.content": "Seven of them."},
        "explain": {
            "lines": [
                {"bucket": "input", "quantity": "2072", "amount": "2.00", "cost": str(half), **shared},
                {"bucket": "cache_read", "quantity": "2048", "amount": "0.50", "cost": "0", **shared},
                {"bucket": "output", "quantity": "812", "amount": "8.00", "cost": str(half), **shared},
            ]
        },
    }


def _bills(now: datetime) -> list[dict[str, Any]]:
    start = (now - timedelta(days=30)).isoformat()
    bill = {"id": 2, "at": now.isoformat(), "actor": "outlay worker", "format": "openai", "name": "openai costs.csv"}
    bill |= {"starts": start, "ends": now.isoformat(), "lines": 412, "billed": "6120.4", "state": "in force"}
    return [bill, bill | {"id": 1, "name": "openai first try.csv", "state": "replaced", "lines": 380}]


def _reconciled(now: datetime, has_bills: bool) -> dict[str, Any]:
    def row(model: str, billed: str, traced: str, cause: str | None, **parts: str) -> dict[str, Any]:
        gap = Decimal(billed) - Decimal(traced)
        return {
            "provider": "openai", "model": model, "billed": billed, "traced": traced, "gap": str(gap),
            "percent": str(round(gap * 100 / Decimal(billed), 2)), "cause": cause, "parts": parts, "note": "",
        }  # fmt: skip

    rows = [
        row("gpt-4.1-mini", "1320.10", "820.10", "missing_instrumentation", missing_instrumentation="500"),
        row("o4-mini", "900", "640.75", "other_tier", other_tier="259.25"),
        row("gpt-house-1", "100", "0", "unknown_price", unknown_price="100"),
        row("gpt-4.1", "3800.30", "3840.30", "cache_semantics", cache_semantics="-40"),
    ]
    causes = {
        "missing_instrumentation": "500",
        "unknown_price": "100",
        "other_tier": "259.25",
        "cache_semantics": "-40",
    }
    totals = {
        "billed": "6120.40", "traced": "5301.15", "gap": "819.25", "percent": "13.39", "untraced": "500",
        "unpriced": "100", "residual": "219.25", "booked": "0", "causes": causes,
    }  # fmt: skip
    nothing = {name: "0" for name in totals if name != "causes"} | {"causes": {}}
    return {
        "from": (now - timedelta(days=30)).isoformat(),
        "to": now.isoformat(),
        "currency": "USD",
        "totals": totals if has_bills else nothing,
        "covers": [{"provider": "openai", "first_day": "2026-01-01", "last_day": "2026-01-30"}] if has_bills else [],
        "outside": {"anthropic": "812.5"} if has_bills else {},
        "has_bills": has_bills,
        "total": len(rows),
        "rows": rows if has_bills else [],
    }
