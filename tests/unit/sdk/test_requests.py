"""Whole requests, and what travels from one service to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import outlay
import pytest
from outlay.middleware import ASGI, WSGI
from outlay.testing import Calls


@outlay.observe
def work() -> None: ...


def asgi(app: Any, **scope: Any) -> None:
    async def receive() -> Any: ...

    async def send(message: Any) -> None: ...

    asyncio.run(app({"type": "http", "method": "POST", "path": "/chat/7", "headers": [], **scope}, receive, send))


def wsgi(app: Any, **environ: Any) -> bytes:
    body = app({"REQUEST_METHOD": "GET", "PATH_INFO": "/x", **environ}, lambda *_: None)
    try:
        return b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()


async def two_calls(scope: Any, receive: Any, send: Any) -> None:
    work()
    await asyncio.to_thread(work)


def test_calls_of_one_request_are_one_trace(calls: Calls) -> None:
    asgi(ASGI(two_calls))
    request = calls.named("POST /chat/7")
    assert [call.parent_span_id for call in calls if call.name == "work"] == [request.span_id] * 2
    assert not request.is_call


def test_request_is_named_by_its_route_when_there_is_one(calls: Calls) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = type("Route", (), {"path": "/chat/{id}"})
        work()

    asgi(ASGI(app))
    calls.named("POST /chat/{id}")


def test_request_without_calls_leaves_nothing(calls: Calls) -> None:
    async def health(scope: Any, receive: Any, send: Any) -> None: ...

    asgi(ASGI(health))
    assert calls == []


def test_request_says_whom_it_is_for(calls: Calls) -> None:
    asgi(ASGI(two_calls, context=lambda scope: {"customer": "acme", "plan": scope["path"]}))
    assert {call.attributes["outlay.customer"] for call in calls} == {"acme"}
    assert {call.attributes["outlay.tag.plan"] for call in calls} == {"/chat/7"}


def test_context_that_fails_does_not_fail_the_request(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    from outlay import safety

    monkeypatch.setattr(safety, "raise_internal_errors", False)
    asgi(ASGI(two_calls, context=lambda scope: {"customer": scope["nonsense"]}))
    assert sum(call.name == "work" for call in calls) == 2


def test_error_of_a_request_passes_through(calls: Calls) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        work()
        raise KeyError

    with pytest.raises(KeyError):
        asgi(ASGI(app))
    assert calls.named("POST /chat/7").error == "KeyError"


def test_lifespan_is_none_of_our_business(calls: Calls) -> None:
    asgi(ASGI(two_calls), type="lifespan")
    assert {call.parent_span_id for call in calls} == {None}


HEADERS = [
    (b"traceparent", b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01"),
    (b"baggage", b"outlay.team=search,other=1"),
]


def test_callers_headers_are_believed_only_when_trusted(calls: Calls) -> None:
    asgi(ASGI(two_calls), headers=HEADERS)
    assert {call.trace_id for call in calls} != {"ab" * 16}
    assert not any(call.attributes for call in calls)
    calls.clear()
    asgi(ASGI(two_calls, trust=True), headers=HEADERS)
    assert {call.trace_id for call in calls} == {"ab" * 16}
    assert calls.named("POST /chat/7").parent_span_id == "cd" * 8
    assert [call.attributes for call in calls] == [{"outlay.team": "search"}] * 3


def test_wsgi_request_lasts_until_its_body_is_read(calls: Calls) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        work()
        yield b"a"
        work()
        yield b"b"

    assert wsgi(WSGI(app, context=lambda environ: {"user": "u1"})) == b"ab"
    request = calls.named("GET /x")
    assert [call.parent_span_id for call in calls if call.name == "work"] == [request.span_id] * 2
    assert request.attributes == {"user.id": "u1"}
    work()
    assert calls[-1].parent_span_id is None


def test_wsgi_application_that_fails(calls: Calls) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        work()
        raise OSError

    with pytest.raises(OSError):
        wsgi(WSGI(app))
    assert calls.named("GET /x").error == "OSError"


def test_headers_take_trace_and_attribution_to_the_next_service(calls: Calls) -> None:
    from outlay.propagation import place_from

    with outlay.context(team="search & rescue", user="ü,=;1", region="eu"), outlay.observe(name="here") as span:
        sent = outlay.headers()
    place: Any = place_from(sent)
    assert (place.trace_id, place.span_id) == (span.trace_id, span.span_id)
    assert place.attribution.values == {
        "outlay.team": "search & rescue",
        "user.id": "ü,=;1",
        "outlay.tag.region": "eu",
    }


def test_nothing_travels_from_nowhere() -> None:
    assert outlay.headers() == {}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"traceparent": "garbage"},
        {"traceparent": "00-" + "0" * 32 + "-" + "0" * 16 + "-01"},
        {"baggage": "=,;=,outlay.team,outlay.team=,x=1"},
        {"baggage": "%" * 10_000},
    ],
)
def test_headers_that_say_nothing_are_ignored(given: dict[str, str]) -> None:
    from outlay.propagation import place_from

    assert place_from(given) is None
