"""Bills that the fake provider issues, from the calls that it really served.

Shapes as in https://platform.openai.com/docs/api-reference/usage and
https://platform.claude.com/docs/en/api/admin/cost_report. ``Planted`` has bills say something else than clients were told:

    tier       {"gpt-4.1": "priority"}: calls of the model are billed at that tier, whatever the answers said
    cached     ["claude-haiku-4-5-20251001"]: half of what was fresh input is billed as read from the cache
    day_begins 8: the days of bills begin at 08:00 UTC

Calls that nobody traced and models that nobody has a price for need no switch: they are billed like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

DAY = timedelta(days=1)

# US dollars for a million tokens: fresh input, input from the cache, output; of Anthropic also written for 5 minutes and 1 h.
PRICES: Mapping[str, tuple[str, ...]] = {
    "gpt-4o-mini-2024-07-18": ("0.15", "0.075", "0.60"),
    "gpt-4.1-mini-2025-04-14": ("0.40", "0.10", "1.60"),
    "gpt-4.1-2025-04-14": ("2.00", "0.50", "8.00"),
    "gpt-house-1": ("1.00", "0.50", "4.00"),
    "claude-haiku-4-5-20251001": ("1.00", "0.10", "5.00", "1.25", "2.00"),
    "claude-sonnet-4-5-20250929": ("3.00", "0.30", "15.00", "3.75", "6.00"),
}
TIERS = {"standard": 1.0, "default": 1.0, "batch": 0.5, "priority": 1.75}


@dataclass
class Planted:
    """How bills differ from what clients were told."""

    tier: dict[str, str] = field(default_factory=dict)
    cached: list[str] = field(default_factory=list)
    day_begins: int = 0


@dataclass
class Item:
    """One meter of one call, as it is billed."""

    day: datetime
    account: str | None
    model: str
    tier: str
    meter: str
    tokens: int

    @property
    def dollars(self) -> float:
        order = ("input", "cached input", "output", "cache write", "cache write 1h")
        return self.tokens * float(PRICES[self.model][order.index(self.meter)]) * TIERS[self.tier] / 1_000_000


def items(ledger: Iterable[Mapping[str, Any]], provider: str, planted: Planted) -> Iterator[Item]:
    for call in ledger:
        model = call["response_model"]
        if call["provider"] != provider or model not in PRICES:
            continue
        cached, written = call["cache_read_tokens"], call["cache_write_tokens"]
        fresh = call["input_tokens_total"] - cached - written
        if model in planted.cached:
            cached, fresh = cached + fresh // 2, fresh - fresh // 2
        served = datetime.fromisoformat(call["served_at"]).astimezone(UTC) - timedelta(hours=planted.day_begins)
        tier = planted.tier.get(model) or call["service_tier"] or "standard"
        counts = {
            "input": fresh,
            "cached input": cached,
            "output": call["output_tokens_total"],
            "cache write": written - call["cache_write_1h_tokens"],
            "cache write 1h": call["cache_write_1h_tokens"],
        }
        for meter, tokens in counts.items():
            if tokens:
                day = served.replace(hour=0, minute=0, second=0, microsecond=0)
                yield Item(day, call["account"], model, tier, meter, tokens)


def _summed(found: Iterable[Item]) -> dict[tuple[Any, ...], list[Item]]:
    groups: dict[tuple[Any, ...], list[Item]] = {}
    for item in found:
        groups.setdefault((item.account, item.model, item.tier, item.meter), []).append(item)
    return groups


def openai_costs(found: list[Item]) -> list[dict[str, Any]]:
    """One day's results. The amount is a number of many digits, as the API gives it."""
    results = []
    for (account, model, tier, meter), group in _summed(found).items():
        prefix = f"{tier} | " if tier in ("priority", "batch") else ""
        value = round(sum(item.dollars for item in group), 15)
        results.append(
            {
                "object": "organization.costs.result",
                "amount": {"value": value, "currency": "usd"},
                "line_item": f"{prefix}{model}, {meter}",
                "project_id": account,
                "organization_id": "org-fake",
            }
        )
    return results


def openai_usage(found: list[Item]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], dict[str, int]] = {}
    for item in found:
        counts = groups.setdefault((item.account, item.model, item.tier == "batch"), {})
        counts[item.meter] = counts.get(item.meter, 0) + item.tokens
    return [
        {
            "object": "organization.usage.completions.result",
            "input_tokens": counts.get("input", 0) + counts.get("cached input", 0),
            "input_cached_tokens": counts.get("cached input", 0),
            "output_tokens": counts.get("output", 0),
            "input_audio_tokens": 0,
            "output_audio_tokens": 0,
            "project_id": account,
            "model": model,
            "batch": batch,
        }
        for (account, model, batch), counts in groups.items()
    ]


_TOKEN_TYPES = {
    "input": "uncached_input_tokens",
    "cached input": "cache_read_input_tokens",
    "output": "output_tokens",
    "cache write": "cache_creation.ephemeral_5m_input_tokens",
    "cache write 1h": "cache_creation.ephemeral_1h_input_tokens",
}


def anthropic_costs(found: list[Item]) -> list[dict[str, Any]]:
    """Amounts in cents, as texts."""
    return [
        {
            "amount": f"{sum(item.dollars for item in group) * 100:.9f}",
            "currency": "USD",
            "cost_type": "tokens",
            "description": f"{model} Usage - {meter}",
            "model": model,
            "service_tier": tier,
            "token_type": _TOKEN_TYPES[meter],
            "workspace_id": account,
            "context_window": "0-200k",
            "inference_geo": "not_available",
        }
        for (account, model, tier, meter), group in _summed(found).items()
    ]


def anthropic_usage(found: list[Item]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], dict[str, int]] = {}
    for item in found:
        counts = groups.setdefault((item.account, item.model, item.tier), {})
        counts[item.meter] = counts.get(item.meter, 0) + item.tokens
    return [
        {
            "uncached_input_tokens": counts.get("input", 0),
            "cache_read_input_tokens": counts.get("cached input", 0),
            "cache_creation": {
                "ephemeral_5m_input_tokens": counts.get("cache write", 0),
                "ephemeral_1h_input_tokens": counts.get("cache write 1h", 0),
            },
            "output_tokens": counts.get("output", 0),
            "server_tool_use": {"web_search_requests": 0},
            "workspace_id": account,
            "model": model,
            "service_tier": tier,
        }
        for (account, model, tier), counts in groups.items()
    ]


def page(found: Iterable[Item], results: Any, query: Mapping[str, list[str]], *, unix: bool) -> dict[str, Any]:
    """A page of day buckets; the rest follows under ``next_page``."""
    names = ("start_time", "end_time") if unix else ("starting_at", "ending_at")
    start, end = (_instant(query[name][0]) if query.get(name) else datetime.now(UTC) for name in names)
    by_day: dict[datetime, list[Item]] = {}
    for item in found:
        by_day.setdefault(item.day, []).append(item)
    days = [start + n * DAY for n in range(max((end - start).days, 0))]
    limit, offset = int(query.get("limit", ["7"])[0]), int(query.get("page", ["page_0"])[0].removeprefix("page_"))
    shown = days[offset : offset + limit]
    more = offset + limit < len(days)

    def said(day: datetime) -> Any:
        return int(day.timestamp()) if unix else f"{day:%Y-%m-%dT%H:%M:%SZ}"

    return {
        "object": "page",
        "data": [
            ({"object": "bucket"} if unix else {})
            | {names[0]: said(day), names[1]: said(day + DAY), "results": results(by_day.get(day, []))}
            for day in shown
        ],
        "has_more": more,
        "next_page": f"page_{offset + limit}" if more else None,
    }


def _instant(text: str) -> datetime:
    return datetime.fromtimestamp(int(text), UTC) if text.isdigit() else datetime.fromisoformat(text)
