"""An event is known by what happened, and refuses to be what no receiver could read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from outlay_collector.alerts.events import Event, event_id
from outlay_collector.errors import BadRequest


def an_event(**changed: Any) -> Event:
    usual: dict[str, Any] = {
        "id": event_id("one"),
        "type": "budget.crossed",
        "occurred_at": datetime(2026, 11, 21, tzinfo=UTC),
        "project_id": 1,
        "severity": "warning",
        "title": "Search is at 80 %",
        "summary": "",
        "link": "/budgets",
        "dedup_key": "budget:1",
    }
    return Event(**usual | changed)


def test_the_same_happening_has_the_same_id_always() -> None:
    assert event_id("budget.crossed:7:acme:2026-11-01:80") == event_id("budget.crossed:7:acme:2026-11-01:80")
    assert event_id("budget.crossed:7:acme:2026-11-01:80") != event_id("budget.crossed:7:acme:2026-11-01:90")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"type": "crossed"}, "'crossed'"),
        ({"type": "Budget.Crossed"}, "dotted"),
        ({"severity": "bad"}, "'bad'"),
        ({"occurred_at": datetime(2026, 11, 21)}, "zone"),  # noqa: DTZ001 - it is the mistake
        ({"link": "https://elsewhere.example"}, "path"),
        ({"link": "//elsewhere.example"}, "path"),
        ({"dedup_key": ""}, "dedup key"),
        ({"dedup_key": "x" * 201}, "dedup key"),
    ],
)
def test_what_is_no_event_is_refused_by_name(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        an_event(**changed)
