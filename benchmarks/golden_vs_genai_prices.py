"""The golden cost cases, scored: Outlay's quote beside genai-prices' own ``calc_price`` on the same cases.

    python -m benchmarks.golden_vs_genai_prices [CASES.json] [--json]

A case is right when its status is the expected one and its cost equals the expected Decimal, with ==. Cases with price
overrides are Outlay's alone: genai-prices has no such thing, and is not asked about them.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from outlay_collector.pricing.bundled import default_book
from outlay_collector.pricing.quote import quote

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "data" / "golden-costs" / "cases.json"

_PROVIDERS = {
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "moonshot_ai": "moonshotai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
}
_USAGE = {
    "reasoning_tokens": "output_reasoning_tokens",
    "cache_read_audio_tokens": "cache_audio_read_tokens",
    "web_search_calls": "web_searches",
}

Answer = tuple[str, Decimal | None]


def expected(case: Mapping[str, Any]) -> Answer:
    cost = case["expected_cost_usd"]
    return case["expected_status"], None if cost is None else Decimal(cost)


def ours(case: Mapping[str, Any]) -> Answer:
    (result,) = quote(default_book(), [case])
    return result["status"], None if result["cost_usd"] is None else Decimal(result["cost_usd"])


def theirs(case: Mapping[str, Any]) -> Answer:
    from genai_prices import Usage, calc_price

    usage = {_USAGE.get(name, name): count for name, count in case["usage"].items()}
    written = usage.get("cache_write_5m_tokens", 0) + usage.get("cache_write_1h_tokens", 0)
    if written:
        usage["cache_write_tokens"] = written
    try:
        price = calc_price(
            Usage(**usage),
            case["model"],
            provider_id=_PROVIDERS.get(case["provider"], case["provider"]),
            genai_request_timestamp=datetime.fromisoformat(case["timestamp"].replace("Z", "+00:00")),
            price_context=_context(case["provider"], case["tier"]),  # type: ignore[arg-type]
        )
    except LookupError:
        return "unknown_model", None
    except ValueError:
        return "invalid_usage", None
    return "priced", price.total_price


def _context(provider: str, tier: str) -> dict[str, str] | None:
    if tier == "standard":
        return None
    if tier == "batch":
        return {"processing": "batch"}
    return {"speed": "fast"} if tier == "fast" and provider == "anthropic" else {"service_tier": tier}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="?", type=Path, default=GOLDEN)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cases = json.loads(options.cases.read_text("utf-8"), parse_float=Decimal)
    plain = [case for case in cases if not case.get("price_overrides")]
    we_miss = [case["id"] for case in cases if ours(case) != expected(case)]
    they_miss = [case for case in plain if theirs(case) != expected(case)]
    if options.json:
        print(json.dumps({"outlay": [len(cases) - len(we_miss), len(cases)], "outlay_misses": we_miss,
                          "genai_prices": [len(plain) - len(they_miss), len(plain)],
                          "genai_prices_misses": [case["id"] for case in they_miss]}, indent=2))  # fmt: skip
        return
    print(f"Outlay        {len(cases) - len(we_miss):3} of {len(cases)} cases exact")
    print(f"genai-prices  {len(plain) - len(they_miss):3} of {len(plain)} cases exact (without overrides)")
    for category, count in Counter(case["category"] for case in they_miss).most_common():
        print(f"    misses {count:2} {category}")
    for name in we_miss:
        print(f"Outlay misses {name}")


if __name__ == "__main__":
    main()
