"""`GET /api/v1/bridge` over real calls: against the day before, or against whatever window is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from tests.builders import a_model_call, otlp
from tests.servers import Collector, Running, wait_until

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAYS = [TODAY - timedelta(days=back) for back in (3, 2, 1)]


def why(collector: Collector, **asked: str) -> dict[str, Any]:
    return collector.get("/api/v1/bridge", **asked).json()


def test_the_effects_and_the_groups_sum_to_the_change_against_any_window(collector: Collector, worker: Running) -> None:
    tokens = (1_000_000, 1_000_000, 3_000_000)
    spans = [
        a_model_call(start=day + timedelta(hours=1), input_tokens=size, output_tokens=0, span_id=bytes([n] * 8))
        for n, (day, size) in enumerate(zip(DAYS, tokens, strict=True), start=1)
    ]
    headers = collector.headers | {"Content-Type": "application/x-protobuf"}
    assert httpx.post(f"{collector.url}/v1/traces", content=otlp(spans), headers=headers).status_code == 200
    day = {"from": DAYS[2].isoformat(), "to": TODAY.isoformat()}
    wait_until(lambda: why(collector, **day)["after"] == "0.45")
    found = why(collector, **day)
    assert (Decimal(found["before"]), Decimal(found["change"])) == (Decimal("0.15"), Decimal("0.3"))
    assert {one["effect"]: Decimal(one["amount"]) for one in found["effects"]} == {"size": Decimal("0.3")}
    assert sum(Decimal(part["change"]) for part in found["parts"]) == Decimal("0.3")
    both = why(collector, **day, before_from=DAYS[0].isoformat())
    assert Decimal(both["before"]) == Decimal("0.30")
    assert both["previous"]["from"].startswith(f"{DAYS[0]:%Y-%m-%d}")
