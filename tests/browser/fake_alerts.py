"""Alerts and deliveries of the made-up company, and what clicks do to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any


def alerts(now: datetime) -> list[dict[str, Any]]:
    """One that stands and is open, one that somebody looks after, two of unusual spend, and some that are over."""
    unusual = {
        "kind": "high", "hours": 3, "actual": "62.301", "expected": "20.2", "impact": "42.101", "currency": "USD",
        "score": 8.21, "dimension": None, "value": None,
        "cause": {
            "dimension": "feature", "value": "chat", "share": 0.95, "change": "40.1", "effect": "volume",
            "effects": {"volume": "38.1", "size": "4.2", "cache": "-0.199"},
        },
    }  # fmt: skip
    runaway = {"scope": "session", "value": "s-17", "cost": "15.2", "currency": "USD", "calls": 412, "minutes": 10}
    rows = [
        _alert(1, now - timedelta(hours=3), "budget.crossed", "warning", "Search is at 80 % of its budget", "open"),
        _alert(2, now - timedelta(hours=20), "data.unpriced", "warning", "4.2 % of calls have no price", "acknowledged")
        | {
            "acknowledged_by": "k3Jd",
            "summary": "1,204 of 28,667 calls of the last 24 hours; totals are too low by theirs.",
        },
        _alert(3, now - timedelta(hours=5), "spend.unusual", "warning", "Spend: 42.10 USD more than usual", "open")
        | {
            "data": unusual,
            "summary": "62.30 USD in the last 3 hours, where 20.20 is usual. Mostly feature chat: more calls.",
        },
        _alert(4, now - timedelta(days=3), "spend.runaway", "critical", "A session runs away: 15.20 USD", "resolved")
        | {
            "data": runaway,
            "summary": "Session s-17 made 412 calls in the last 10 minutes.",
            "resolved_at": (now - timedelta(days=2)).isoformat(),
        },
    ]
    for number in range(5, 12):
        opened = now - timedelta(days=number * 3 % 29, hours=number)
        over = opened + timedelta(hours=number)
        row = _alert(number, opened, "budget.crossed", "info", f"Team {number} is at 50 % of its budget", "resolved")
        rows.append(row | {"resolved_at": over.isoformat()})
    return rows


def _alert(number: int, opened: datetime, type_: str, severity: str, title: str, state: str) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-0000-0000-{number:012d}", "project": "shop", "type": type_, "severity": severity,
        "state": state, "title": title, "summary": "It spent $80.00 of $100.00 in November.", "link": "/budgets",
        "opened_at": opened.isoformat(), "resolved_at": None, "acknowledged_by": None, "muted": False,
        "muted_until": None, "data": {},
    }  # fmt: skip


def deliveries(now: datetime) -> list[dict[str, Any]]:
    said = "The receiver answered 404: it knows no such path: is the URL still valid?"
    states = (
        ("pending", 2, 503, "The receiver answered 503: it fails."),
        ("failed", 10, 404, said),
        ("delivered", 1, 200, None),
    )
    return [
        {
            "id": f"10000000-0000-0000-0000-{number:012d}", "title": f"Search is at {80 - number} % of its budget",
            "kind": "slack", "webhook": "finops", "url": "https://hooks.slack.com/…aBcD", "state": state,
            "attempts": attempts, "created_at": (now - timedelta(hours=number)).isoformat(), "next_at": None,
            "last_status": status, "last_error": error,
        }
        for number, (state, attempts, status, error) in enumerate([*states, states[2], states[2]])
    ]  # fmt: skip


def change(rows: list[dict[str, Any]], path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """What a click on a button of the page leads to."""
    *_, id_, action = path.split("/")
    row = next((one for one in rows if one["id"] == id_), None)
    if row is None:
        return 404, {"detail": "No such thing."}
    row |= {
        "acknowledge": {"state": "acknowledged", "acknowledged_by": "k3Jd"},
        "resolve": {"state": "resolved", "resolved_at": row.get("opened_at")},
        "mute": {"muted": True, "hours": body.get("hours")},
        "unmute": {"muted": False},
        "feedback": {"useful": body.get("useful")},
        "replay": {"state": "pending"},
    }[action]
    return 200, row
