"""Questions that no answer can be had to are refused as such: never as if the database were away."""

from __future__ import annotations

from tests.servers import Collector


def test_a_value_that_postgres_cannot_hold_is_the_askers_mistake(collector: Collector) -> None:
    for path, asked in (
        ("/api/v1/spend", {"filter": "team:\x00"}),
        ("/api/v1/spend", {"filter": "user:\x00"}),
        ("/api/v1/calls", {"filter": "team:a\x00b"}),
        ("/api/v1/deadletters", {"reason": "\x00"}),
    ):
        answer = collector.get(path, **asked)
        assert answer.status_code == 400, (path, asked, answer.text)
        assert "cannot be asked for" in answer.json()["detail"]
