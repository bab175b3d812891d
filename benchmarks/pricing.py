"""Pricing one call: Outlay's book beside genai-prices' own ``calc_price``, in one process, on the same calls.

    python -m benchmarks.pricing [--calls 200000] [--json]

CPU time per call, after a warm-up, so that what is measured is the path every ingested call takes. The calls are a mix of
what teams send: plain, cached, reasoning, batch, long prompts, DeepSeek's hours, Bedrock and Gemini names.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from outlay_collector.pricing.bundled import build
from outlay_collector.pricing.usage import Usage

TARGET_MICROSECONDS = 15

AT = datetime(2026, 11, 17, 7, 30, tzinfo=UTC)
MIX: list[tuple[str, str, str, dict[str, int], str | None]] = [
    ("openai", "openai", "gpt-4o-mini", {"input_tokens": 1200, "output_tokens": 350}, None),
    ("openai", "openai", "gpt-6-sol", {"input_tokens": 9000, "cache_read_tokens": 8192, "output_tokens": 500}, None),
    ("openai", "openai", "gpt-5-mini", {"input_tokens": 900, "output_tokens": 1500, "reasoning_tokens": 1024}, None),
    ("openai", "openai", "gpt-6-sol", {"input_tokens": 300_000, "output_tokens": 1000}, "batch"),
    (
        "anthropic",
        "anthropic",
        "claude-sonnet-4-5-20250929",
        {"input_tokens": 50_500, "cache_read_tokens": 40_000, "cache_write_5m_tokens": 9_000, "output_tokens": 2_200},
        None,
    ),
    (
        "aws.bedrock",
        "aws",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        {"input_tokens": 800, "output_tokens": 90},
        None,
    ),
    ("gcp.gemini", "google", "gemini-2.5-pro", {"input_tokens": 210_000, "output_tokens": 800}, None),
    (
        "deepseek",
        "deepseek",
        "deepseek-flash",
        {"input_tokens": 4000, "cache_read_tokens": 3000, "output_tokens": 700},
        None,
    ),
]


def measured(run: Callable[[], object], calls: int) -> float:
    """CPU microseconds per call, the best of three."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        run()
        best = min(best, (time.process_time() - start) / calls * 1e6)
    return best


def ours(calls: int) -> dict[str, float]:
    start = time.process_time()
    book = build()
    built = time.process_time() - start
    prepared = [(provider, model, Usage(**usage), tier) for provider, _, model, usage, tier in MIX]

    def charge_all(rounds: int) -> None:
        for _ in range(rounds):
            for provider, model, usage, tier in prepared:
                charge = book.charge(provider=provider, model=model, usage=usage, at=AT, tier=tier, project_id=1)
                book.booked(charge, AT)

    start = time.process_time()
    charge_all(1)
    first = (time.process_time() - start) / len(MIX) * 1e6
    rounds = calls // len(MIX)
    return {
        "microseconds_per_call": measured(lambda: charge_all(rounds), rounds * len(MIX)),
        "microseconds_first_call_of_a_model": first,
        "seconds_to_build": built,
        "prices": sum(1 for _ in book.prices),
    }


def theirs(calls: int) -> float:
    from genai_prices import Usage as TheirUsage
    from genai_prices import calc_price

    contexts = {"batch": {"processing": "batch"}}
    prepared: list[tuple[Any, str, str, Any]] = []
    for _, provider, model, usage, tier in MIX:
        named = {{"reasoning_tokens": "output_reasoning_tokens"}.get(key, key): count for key, count in usage.items()}
        if "cache_write_5m_tokens" in named:
            named["cache_write_tokens"] = named["cache_write_5m_tokens"]
        prepared.append((TheirUsage(**named), model, provider, contexts.get(tier or "")))

    def price_all(rounds: int) -> None:
        for _ in range(rounds):
            for usage, model, provider, context in prepared:
                calc_price(usage, model, provider_id=provider, genai_request_timestamp=AT, price_context=context)

    price_all(1)
    rounds = max(1, calls // 20 // len(MIX))
    return measured(lambda: price_all(rounds), rounds * len(MIX))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = ours(options.calls)
    other = theirs(options.calls)
    found["genai_prices_microseconds_per_call"] = other
    found["times_faster"] = other / found["microseconds_per_call"]
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        print(f"Outlay        {found['microseconds_per_call']:8.2f} µs per call (target {TARGET_MICROSECONDS} µs)")
        print(f"genai-prices  {other:8.2f} µs per call, {found['times_faster']:.0f} times as much")
        print(f"first call of a model {found['microseconds_first_call_of_a_model']:.0f} µs; ", end="")
        print(f"book of {found['prices']:.0f} prices built in {found['seconds_to_build']:.2f} s")
    sys.exit(found["microseconds_per_call"] > TARGET_MICROSECONDS)


if __name__ == "__main__":
    main()
