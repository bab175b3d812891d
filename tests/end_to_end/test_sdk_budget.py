"""The budget guard against a real HTTP endpoint: allow, warn, block, fall back, and never be in the way."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import outlay
import pytest
from outlay import budget, runtime, safety
from outlay.testing import Calls, capture


class Budgets:
    """Answers ``budgets/check`` as told."""

    def __init__(self) -> None:
        self.decision: Any = "allow"
        self.delay = 0.0
        self.asked: list[dict[str, Any]] = []
        budgets = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None: ...

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/api/v1/budgets/check":
                    budgets.asked.append({**json.loads(body), "key": self.headers["authorization"]})
                    time.sleep(budgets.delay)
                answer = {"decision": budgets.decision, "spent": "90.00", "amount": "100.00", "currency": "USD"}
                sent = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Budgets]:
    monkeypatch.setattr(safety, "raise_internal_errors", True)
    budgets = Budgets()
    outlay.configure(endpoint=budgets.url, api_key="out_1")
    yield budgets
    outlay.shutdown()
    budgets.server.shutdown()
    budgets.server.server_close()


@pytest.fixture
def calls(budgets: Budgets) -> Iterator[Calls]:
    with capture(deterministic=False) as calls:
        yield calls


@outlay.observe(budget="team-search", name="ask")
def ask(question: str) -> str:
    return "expensive " + question


def cheap(question: str) -> str:
    return "cheap " + question


def test_allowed_call_is_made_and_whom_it_is_for_is_asked_with_it(budgets: Budgets, calls: Calls) -> None:
    with outlay.context(team="search"):
        assert ask("a") == "expensive a"
    (asked,) = budgets.asked
    assert asked == {"budget": "team-search", "attributes": {"outlay.team": "search"}, "key": "Bearer out_1"}
    assert calls.only().attributes == {"outlay.team": "search"}


def test_spent_budget_raises_and_the_function_is_not_called(budgets: Budgets, calls: Calls) -> None:
    budgets.decision = "block"
    with pytest.raises(outlay.BudgetExceeded, match=r"budget team-search is spent: 90.00 of 100.00 USD"):
        ask("a")
    assert calls.only().error == "outlay.budget.BudgetExceeded"
    assert calls.only().attributes["outlay.budget.decision"] == "block"
    with pytest.raises(outlay.BudgetExceeded), outlay.observe(name="block", budget="team-search"):
        raise AssertionError("the block was entered")


def test_fallback_answers_instead_in_every_kind_of_function(budgets: Budgets, calls: Calls) -> None:
    budgets.decision = "block"

    @outlay.observe(budget="b", fallback=cheap)
    def plain(question: str) -> str:
        return "expensive"

    async def cheap_later(question: str) -> str:
        return "cheap " + question

    @outlay.observe(budget="b", fallback=cheap_later)
    async def later(question: str) -> str:
        return "expensive"

    def cheap_words(question: str) -> Iterator[str]:
        yield "cheap"

    @outlay.observe(budget="b", fallback=cheap_words)
    def words(question: str) -> Iterator[str]:
        yield "expensive"

    async def cheap_words_later(question: str) -> AsyncIterator[str]:
        yield "cheap"

    @outlay.observe(budget="b", fallback=cheap_words_later)
    async def words_later(question: str) -> AsyncIterator[str]:
        yield "expensive"

    async def main() -> None:
        assert await later("a") == "cheap a"
        assert [word async for word in words_later("a")] == ["cheap"]

    assert plain("a") == "cheap a"
    assert list(words("a")) == ["cheap"]
    asyncio.run(main())
    assert [call.attributes["outlay.budget.decision"] for call in calls] == ["fallback"] * 4


def test_warning_lets_the_call_pass(budgets: Budgets, calls: Calls, caplog: pytest.LogCaptureFixture) -> None:
    budgets.decision = "warn"
    assert ask("a") == "expensive a"
    assert calls.only().attributes["outlay.budget.decision"] == "warn"
    assert "nearly spent" in caplog.text


def test_answer_is_kept_for_a_while(budgets: Budgets, calls: Calls) -> None:
    for _ in range(50):
        ask("a")
    assert len(budgets.asked) == 1


def test_old_answer_is_renewed_behind_the_callers_back(
    budgets: Budgets, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask("a")
    budgets.decision, budgets.delay = "block", 0.2
    monkeypatch.setattr(budget, "HOLDS", 0.0)
    started = time.monotonic()
    assert ask("a") == "expensive a"
    assert time.monotonic() - started < 0.1
    time.sleep(0.5)
    with pytest.raises(outlay.BudgetExceeded):
        ask("a")


def test_slow_collector_costs_fifty_milliseconds_and_allows(budgets: Budgets, calls: Calls) -> None:
    budgets.delay, budgets.decision = 1.0, "block"
    started = time.monotonic()
    assert ask("a") == "expensive a"
    assert time.monotonic() - started < 0.3


@pytest.mark.parametrize("nonsense", ["", None, 3, {"a": 1}])
def test_answer_that_is_not_understood_allows(budgets: Budgets, calls: Calls, nonsense: Any) -> None:
    budgets.decision = nonsense
    assert ask("a") == "expensive a"


def test_collector_that_is_away_allows() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    outlay.configure(endpoint=f"http://127.0.0.1:{port}")
    try:
        with capture():
            assert ask("a") == "expensive a"
    finally:
        outlay.shutdown(0.1)


def test_unconfigured_allows() -> None:
    outlay.shutdown()
    assert runtime.state.guard is None
    assert ask("a") == "expensive a"
