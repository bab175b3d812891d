"""The whole journey: real clients in decorated functions, the collector, Postgres, the worker, and the API's answer.

What must come out is worked out here from the provider's own ledger and the vendors' list prices, not by our engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import outlay
import pytest

from tests.end_to_end.provider_cases import CASES, expected
from tests.fake_provider import FakeProvider
from tests.servers import Collector, Running, wait_until


class Rates(NamedTuple):
    """USD per million tokens, from the vendors' price lists of November 2026."""

    input: str
    output: str
    cache_read: str = ""
    cache_write_5m: str = ""
    cache_write_1h: str = ""


LIST = {
    "gpt-4o-mini-2024-07-18": Rates("0.15", "0.60", "0.075"),
    "gpt-4o-2024-08-06": Rates("2.50", "10", "1.25"),
    "gpt-4.1-2025-04-14": Rates("2", "8", "0.50"),
    "gpt-5-2025-08-07": Rates("1.25", "10", "0.125"),
    "gpt-5-mini-2025-08-07": Rates("0.25", "2", "0.025"),
    "gpt-5.6": Rates("4", "20", "0.40", "5"),
    "o4-mini-2025-04-16": Rates("1.10", "4.40", "0.275"),
    "text-embedding-3-small": Rates("0.02", ""),
    "claude-haiku-4-5-20251001": Rates("1", "5", "0.10", "1.25", "2"),
    "claude-sonnet-4-6": Rates("3", "15", "0.30", "3.75", "6"),
    "claude-opus-4-5-20251101": Rates("5", "25", "0.50", "6.25", "10"),
    "gemini-2.5-flash": Rates("0.30", "2.50", "0.03"),
}
PRIORITY = {"gpt-4o-mini-2024-07-18": Rates("0.25", "1.00", "0.125")}

SUMMED = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")


def truth(entry: dict[str, Any]) -> Decimal | None:
    """What the provider charges for one entry of its ledger; ``None`` where the client never learns it, or no list says."""
    if entry["usage_on_wire"] is None or entry["stream_completed"] is False:
        return None
    rates = (PRIORITY if entry["service_tier"] == "priority" else LIST).get(entry["response_model"])
    if rates is None or entry["audio_input_tokens"] or entry["audio_output_tokens"]:
        return None
    written_5m = entry["cache_write_5m_tokens"] or (entry["cache_write_tokens"] - entry["cache_write_1h_tokens"])
    fresh = entry["input_tokens_total"] - entry["cache_read_tokens"] - entry["cache_write_tokens"]
    parts = (
        (fresh, rates.input),
        (entry["cache_read_tokens"], rates.cache_read),
        (written_5m, rates.cache_write_5m),
        (entry["cache_write_1h_tokens"], rates.cache_write_1h),
        (entry["output_tokens_total"], rates.output),
    )
    return sum((Decimal(tokens) * Decimal(rate) / 1_000_000 for tokens, rate in parts if tokens), Decimal(0))


@pytest.fixture
def recorded(collector: Collector) -> Iterator[Collector]:
    outlay.configure(endpoint=collector.url, api_key=collector.key, service="shop", environment="test")
    yield collector
    outlay.shutdown()


def rows(collector: Collector, path: str, **parameters: str) -> list[dict[str, Any]]:
    answer = collector.get(path, **parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def is_known(entry: dict[str, Any]) -> bool:
    """Whether the client was told all that the provider bills."""
    return entry["usage_on_wire"] is not None and entry["stream_completed"] is not False and not entry["error"]


def call_of(entry: dict[str, Any], stored: list[dict[str, Any]]) -> dict[str, Any]:
    """The stored call of a ledger entry: by its id, or, for answers without one, by all that is known of it."""
    (found,) = [
        call
        for call in stored
        if (entry["response_id"] is not None and call["response_id"] == entry["response_id"])
        or (
            call["response_id"] is None
            and call["operation"] == entry["operation"]
            and call["response_model"] == entry["response_model"]
            and call["usage"]["input_tokens"] == entry["input_tokens_total"]
        )
    ]
    return found


@pytest.mark.timeout(300)
def test_what_real_clients_did_is_what_the_ledger_says(
    recorded: Collector, worker: Running, fake_provider: FakeProvider
) -> None:
    billed: list[dict[str, Any]] = []
    for case in CASES.values():
        fake_provider.reset()
        case(fake_provider, outlay.observe(team="search"))
        billed += fake_provider.calls()
    assert outlay.flush()
    assert outlay.stats().dropped == 0

    wait_until(lambda: sum(row["calls"] for row in rows(recorded, "/api/v1/spend")) >= len(billed), seconds=30)
    stored = rows(recorded, "/api/v1/calls", limit="1000", counted="true")
    assert len(stored) == len(billed), "each provider call is there once"

    unpriced = 0
    for entry in filter(is_known, billed):
        call, told = call_of(entry, stored), expected(entry)["usage"]
        assert {name: call["usage"][name] or 0 for name in told} == told, entry
        amount = truth(entry)
        assert call["cost"] is None or call["charge_status"] == "partly_priced" or Decimal(call["cost"]) == amount, (
            entry
        )
        assert (call["charge_status"] == "priced") == (amount is not None), entry
        unpriced += amount is None
    assert unpriced == 2, "only the audio and one tier are in nobody's list"

    unknown = [call for call in stored if call["usage_source"] != "reported" and call["status"] == "ok"]
    assert all(call["cost"] is None for call in unknown if call["usage_source"] == "missing"), "unknown is never zero"

    (total,) = rows(recorded, "/api/v1/spend", group_by="team")
    assert (total["team"], total["calls"]) == ("search", len(billed))
    failed = sum(1 for entry in billed if entry["error"])
    cut = sum(1 for entry in billed if entry["stream_completed"] is False)  # an error when the network cut it
    assert failed <= total["errors"] <= failed + cut
    for name in SUMMED:
        assert total[name] == sum(call["usage"][name] or 0 for call in stored), name
    by_model = {row["model"]: row["cost"] for row in rows(recorded, "/api/v1/spend", group_by="model")}
    priced = [call for call in stored if call["cost"] is not None]
    for model in {call["model"] for call in priced}:
        assert Decimal(by_model[model]) == sum((Decimal(c["cost"]) for c in priced if c["model"] == model), Decimal(0))
    assert Decimal(total["cost"]) == sum((Decimal(call["cost"]) for call in priced), Decimal(0))
