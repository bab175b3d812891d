"""``GET /api/v1/calls``: newest first, across projects and days, page by page, each call once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.builders import a_model_call, otlp
from tests.servers import Collector, wait_until

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture
def sent(collector: Collector) -> list[str]:
    """Calls of two projects, as span ids from the newest to the oldest: some today, some together, some weeks ago."""
    ages = [timedelta(minutes=m) for m in (0, 1, 1, 2, 50)] + [timedelta(days=d) for d in (1, 2, 2, 9, 20)]
    found: list[tuple[datetime, str, str]] = []
    for project in ("shop", "search"):
        headers = {"Authorization": f"Bearer {a_key(collector, project)}", "Content-Type": "application/x-protobuf"}
        spans = [a_model_call(start=NOW - age) for age in ages]
        assert httpx.post(f"{collector.url}/v1/traces", content=otlp(spans), headers=headers).status_code == 200
        found += [(span.start, span.trace_id.hex(), span.span_id.hex()) for span in spans]
    # Projects that were made a moment ago are known to every acceptor within seconds.
    wait_until(lambda: all(len(pages(collector, 1000)[0]) == len(found) for _ in range(4)))
    wait_until(lambda: all(collector.get("/api/v1/calls", project="shop").is_success for _ in range(4)))
    return [span_id for _, _, span_id in sorted(found, reverse=True)]


def a_key(collector: Collector, project: str) -> str:
    httpx.post(f"{collector.url}/api/v1/projects", json={"name": project}, headers=collector.headers).raise_for_status()
    asked = {"project": project, "scopes": ["ingest"]}
    made = httpx.post(f"{collector.url}/api/v1/keys", json=asked, headers=collector.headers)
    return made.raise_for_status().json()["key"]


def pages(collector: Collector, limit: int, **asked: str) -> list[list[str]]:
    found: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        said: dict[str, Any] = (
            collector.get("/api/v1/calls", limit=str(limit), **asked, **cursor).raise_for_status().json()
        )
        found.append([row["span_id"] for row in said["rows"]])
        if said["next_cursor"] is None:
            return found
        cursor = {"cursor": said["next_cursor"]}


def test_pages_put_together_are_every_call_once_and_in_order(collector: Collector, sent: list[str]) -> None:
    for limit in (1, 3, 20, 1000):
        found = pages(collector, limit)
        assert [span_id for page in found for span_id in page] == sent
        assert all(len(page) == limit for page in found[:-1])

    # A window and a project hold on every page.
    start, end = NOW - timedelta(days=3), NOW - timedelta(seconds=30)
    found = pages(collector, 2, project="shop", **{"from": start.isoformat(), "to": end.isoformat()})
    assert [len(page) for page in found] == [2, 2, 2, 1]
    inside = {span_id for page in found for span_id in page}
    assert len(inside) == 7
    assert inside <= set(sent)
