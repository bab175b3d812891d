"""The dashboard on a real collector, worker and Postgres: what is on screen is what the API answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from outlay_dashboard import formats
from outlay_dashboard.windows import window_named

from tests.browser.conftest import Look
from tests.browser.telemetry import Sent, send, trace_id
from tests.servers import Collector, Running, wait_until

Open = Callable[..., Look]

PRICED = {"gpt-4.1": "openai", "gpt-4.1-mini": "openai", "claude-haiku-4-5": "anthropic"}


@pytest.fixture
def traffic(collector: Collector, worker: Running) -> list[Sent]:
    """Ten days of calls by two teams, one of them with a model nobody has a price for; settled and rolled up."""
    del worker
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    spans: list[Sent] = []
    for back in range(1, 11):
        for place, (model, provider) in enumerate([*PRICED.items(), ("nobody-knows-it-1", "openai")]):
            trace = f"{back} {model}"
            at = noon - timedelta(days=back, minutes=place)
            team = "search" if place % 2 else "support"
            spans.append(Sent(trace=trace, span="root", at=at, name="answer", model=None, team=team))
            spans.append(
                Sent(
                    trace=trace,
                    span="call",
                    parent="root",
                    at=at + timedelta(milliseconds=50),
                    provider=provider,
                    model=model,
                    input_tokens=1000 + 7 * back,
                    output_tokens=100 + back,
                    team=team,
                )
            )
    send(collector.url, collector.key, spans)
    wait_until(lambda: _calls(collector) == 40, seconds=60, every=0.3)
    return spans


def test_the_total_on_screen_is_the_apis_to_the_last_digit(
    look: Open, collector: Collector, traffic: list[Sent], start_dashboard: Callable[..., str]
):
    seen = look(start_dashboard(collector.url, collector.key))
    for name in ("30d", "7d"):
        seen.open(f"/?window={name}&by=model", wait_for=".o-headline")
        api = _spend(collector, name, "none")
        assert seen.total() == formats.exact_money(Decimal(api["rows"][0]["cost"]))
        by_model = {row["model"]: row["cost"] for row in _spend(collector, name, "none", "model")["rows"]}
        for model, cost in by_model.items():
            row = seen.page.locator(".o-ledger tr", has=seen.page.get_by_text(model, exact=True)).inner_text()
            assert (formats.money(Decimal(cost)) if cost is not None else "not priced") in row


def test_a_trace_on_screen_costs_what_the_api_says(
    look: Open, collector: Collector, traffic: list[Sent], start_dashboard: Callable[..., str]
):
    seen = look(start_dashboard(collector.url, collector.key))
    trace = trace_id("1 claude-haiku-4-5")
    api = collector.get(f"/api/v1/traces/{trace}").json()
    call = next(row for row in api["rows"] if row["counted"])
    page = seen.open(f"/traces?trace={trace}&span={call['span_id']}", wait_for="[data-testid=trace-cost]")
    exact = page.locator("[data-testid=trace-cost]").get_attribute("data-exact")
    assert exact == formats.exact_money(Decimal(call["cost"]))
    assert exact in seen.text()
    assert "× $" in seen.text()


def _calls(collector: Collector) -> int:
    return sum(row["calls"] for row in _spend(collector, "30d", "none")["rows"])


def _spend(collector: Collector, name: str, interval: str, group_by: str | None = None) -> dict[str, object]:
    window = window_named(name, datetime.now(UTC), ZoneInfo("UTC"))
    asked = {"from": window.start.isoformat(), "to": window.end.isoformat(), "interval": interval}
    return collector.get("/api/v1/spend", **asked, **({"group_by": group_by} if group_by else {})).json()
