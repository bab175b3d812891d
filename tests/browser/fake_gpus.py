"""Pools as the API answers them: one busy by day, one that mostly idles."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

_HOUR_COST = 14.4


def _parts(busy: float, cost: float = _HOUR_COST) -> dict[str, str]:
    idle = cost * (1 - busy) * 0.9
    amounts = {
        "cost": cost,
        "calls": cost * busy * 0.8,
        "jobs": 0,
        "unattributed": cost * busy * 0.2,
        "idle": idle,
        "startup": 0,
        "unobserved": cost * (1 - busy) - idle,
    }
    return {name: f"{amount:.6f}" for name, amount in amounts.items()}


def _pool(name: str, now: datetime, busy_by_day: float) -> dict[str, Any]:
    end = now.replace(minute=0, second=0, microsecond=0)
    busy = {hour: busy_by_day if 8 <= hour < 19 else busy_by_day * 0.15 for hour in range(24)}
    starts = [end - timedelta(hours=n) for n in range(24 * 7, 0, -1)]
    mean = sum(busy[start.hour] for start in starts) / len(starts)
    return {
        "name": name,
        "project": "default",
        "dimensions": {"team": "platform"},
        **_parts(mean, _HOUR_COST * len(starts)),
        "gpu_hours": str(4 * len(starts)),
        "gpus": "4",
        "gpu": "H100",
        "is_default": name == "research",
        "lacks_rate": None,
        "serves": ["meta-llama/Llama-3.1-8B-Instruct"],
        "models": [
            {
                "model": "meta-llama/Llama-3.1-8B-Instruct", "busy_prompt": 0.06, "busy_output": 0.91,
                "loaded_prompt": 0.06 / mean, "loaded_output": 0.91 / mean, "output_tokens": 4.2e9,
                "evidence": "running", "weights": "residency",
            }
        ],
        "engines": {
            "running": 14.2, "waiting": 0.8, "most_waiting": 41, "kv_usage": 0.38, "most_kv_usage": 0.97, "engines": 4,
            "output_per_second": 1840.0,
        },
        "telemetry": {
            "utilization": 0.91, "engine_active": 0.34, "sm_active": None, "tensor_active": 0.08, "dram_active": 0.29,
            "memory_used": 0.9, "power_watts": 412.0, "energy_kwh": 1188.2, "seen": 4,
        },
        "hours": [{"hour": start.isoformat(), **_parts(busy[start.hour])} for start in starts],
        "week": [
            {"weekday": day, "hour": hour, "idle_per_hour": _parts(busy[hour])["idle"], "cost_per_hour": str(_HOUR_COST)}
            for day in range(1, 8) for hour in range(24)
        ],
        "teams": [
            {"team": "support", "apart": "1200.5", "spread": "6100.25", "owner": "1200.5"},
            {"team": "platform", "apart": "0", "spread": "0", "owner": "4899.75"},
        ],
    }  # fmt: skip


def pools(now: datetime) -> dict[str, Any]:
    return {
        "currency": "USD",
        "has_default_rates": True,
        "pools": [_pool("chat", now, 0.82), _pool("research", now, 0.12)],
    }


def versus() -> dict[str, Any]:
    steps = [step / 20 for step in range(1, 21)]
    return {
        "currency": "USD",
        "own": {"per_hour": "14.4", "per_month": "10512", "utilization": "0.31"},
        "api": {"blended": "0.33", "per_month": "5310"},
        "break_even": {"tokens_per_month": "31854545454", "utilization": "0.61", "crosses_on": "2027-03-14"},
        "curve": [{"utilization": str(part), "own": str(round(0.2 / part, 4)), "api": "0.33"} for part in steps],
    }
