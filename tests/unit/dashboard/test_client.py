"""The client against a real server's answers: caching, parallel questions, and errors one can act on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import httpx
import pytest
from outlay_dashboard import client as api
from outlay_dashboard.client import (
    Cache,
    Client,
    NotAllowedError,
    NotThereError,
    RefusedError,
    TooSlowError,
    UnreachableError,
)
from outlay_dashboard.windows import window_named

NOW = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
WINDOW = window_named("7d", NOW, ZoneInfo("Asia/Seoul"))
ANSWER = {"from": "2026-11-15T00:00:00+09:00", "to": "2026-11-22T00:00:00+09:00", "currency": "USD", "rows": []}


class Server:
    """Answers from a function and remembers what was asked."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.asked: list[httpx.Request] = []
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self._answer(request)


def a_client(server: Server, *, key: str = "out_a", cache: Cache | None = None) -> Client:
    return Client("http://collector", key, transport=httpx.MockTransport(server), cache=cache)


def test_a_question_carries_window_zone_grouping_and_key():
    server = Server(lambda request: httpx.Response(200, json=ANSWER))
    a_client(server).ask(api.spend(WINDOW, project="shop", group_by=["team", "model"], filters=["team:a", "model:b"]))
    (request,) = server.asked
    asked = request.url.params
    assert request.headers["authorization"] == "Bearer out_a"
    assert (asked["project"], asked["group_by"], asked["time_zone"]) == ("shop", "team,model", "Asia/Seoul")
    assert asked.get_list("filter") == ["team:a", "model:b"]
    assert asked["from"] == "2026-11-15T00:00:00+09:00"


def test_money_arrives_exactly():
    row = {"period_start": None, "team": "a", "cost": "0.1000000000000000055", "calls": 1}
    server = Server(lambda request: httpx.Response(200, json={**ANSWER, "rows": [row, {**row, "cost": None}]}))
    spend = a_client(server).ask(api.spend(WINDOW, group_by=["team"]))
    assert [row.cost for row in spend.rows] == [Decimal("0.1000000000000000055"), None]
    assert spend.rows[0].of == {"team": "a"}


def test_the_same_question_is_asked_once_while_fresh_and_by_its_etag_after():
    moment = [0.0]
    answers = iter([httpx.Response(200, json=ANSWER, headers={"ETag": '"1"'}), httpx.Response(304)])
    server = Server(lambda request: next(answers))
    client = a_client(server, cache=Cache(clock=lambda: moment[0]))
    first = client.ask(api.spend(WINDOW))
    assert client.ask(api.spend(WINDOW)) == first
    assert len(server.asked) == 1
    moment[0] = api.FRESH_SECONDS + 1
    assert client.ask(api.spend(WINDOW)) == first
    assert server.asked[1].headers["if-none-match"] == '"1"'
    client.ask(api.spend(WINDOW))
    assert len(server.asked) == 2


def test_what_was_forgotten_is_asked_again():
    server = Server(lambda request: httpx.Response(200, json=ANSWER))
    client = a_client(server)
    client.ask(api.spend(WINDOW))
    client.forget()
    client.ask(api.spend(WINDOW))
    assert len(server.asked) == 2


def test_readers_with_different_keys_never_share_an_answer():
    server = Server(lambda request: httpx.Response(200, json=ANSWER))
    cache = Cache()
    for key in ("out_a", "out_b"):
        a_client(server, key=key, cache=cache).ask(api.spend(WINDOW))
    assert len(server.asked) == 2


def test_questions_run_side_by_side():
    server = Server(lambda request: httpx.Response(200, json={**ANSWER, "currency": request.url.params["project"]}))
    client = a_client(server)
    asked = [client.begin(api.spend(WINDOW, project=f"p{place}")) for place in range(8)]
    assert [answer.get().currency for answer in asked] == [f"p{place}" for place in range(8)]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, NotAllowedError),
        (403, NotAllowedError),
        (404, NotThereError),
        (400, RefusedError),
        (422, RefusedError),
        (500, RefusedError),
        (503, TooSlowError),
    ],
)
def test_each_refusal_has_a_kind_and_keeps_the_collectors_words(status, error):
    server = Server(lambda request: httpx.Response(status, json={"detail": "because of the moon"}))
    with pytest.raises(error, match="because of the moon"):
        a_client(server).ask(api.projects())


def test_nobody_there_is_told_apart_from_somebody_slow():
    def fail(error: Exception) -> Server:
        def answer(request: httpx.Request) -> httpx.Response:
            raise error

        return Server(answer)

    with pytest.raises(UnreachableError):
        a_client(fail(httpx.ConnectError("refused"))).ask(api.projects())
    with pytest.raises(TooSlowError):
        a_client(fail(httpx.ReadTimeout("late"))).ask(api.projects())


@pytest.mark.parametrize("body", ["<html>a proxy's page</html>", '{"no": "rows"}', '{"rows": [{"nameless": 1}]}'])
def test_an_answer_of_another_shape_is_refused_not_shown(body):
    server = Server(lambda request: httpx.Response(200, text=body))
    with pytest.raises(RefusedError):
        a_client(server).ask(api.projects())


def test_a_part_that_the_collector_lacks_may_stay_away_but_other_errors_may_not():
    absent = a_client(Server(lambda request: httpx.Response(404, json={})))
    broken = a_client(Server(lambda request: httpx.Response(500, json={})))
    assert absent.begin(api.projects()).get_or(()) == ()
    with pytest.raises(RefusedError):
        broken.begin(api.projects()).get_or(())
