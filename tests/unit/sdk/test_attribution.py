"""``context``: whom a call is for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import outlay
from outlay.testing import Calls


@outlay.observe
def work() -> None: ...


def whose(calls: Calls) -> dict[str, object]:
    return calls.only().attributes


def test_block_says_whom_calls_inside_are_for(calls: Calls) -> None:
    with outlay.context(team="search", feature="rank", customer="acme", user="u1", session="s1", region="eu"):
        work()
    assert whose(calls) == {
        "outlay.team": "search",
        "outlay.feature": "rank",
        "outlay.customer": "acme",
        "user.id": "u1",
        "session.id": "s1",
        "outlay.tag.region": "eu",
    }


def test_inner_block_wins_name_by_name(calls: Calls) -> None:
    with outlay.context(team="search", user="u1"), outlay.context(team="ads", prompt_version="v2"):
        work()
    assert whose(calls) == {"outlay.team": "ads", "user.id": "u1", "outlay.prompt.version": "v2"}


def test_block_ends(calls: Calls) -> None:
    with outlay.context(team="search"):
        pass
    work()
    assert whose(calls) == {}


def test_decorators_own_team_is_nearer_than_the_block(calls: Calls) -> None:
    @outlay.observe(team="ads")
    def paid() -> None:
        work()

    with outlay.context(team="search", user="u1"):
        paid()
    assert [call.attributes for call in calls] == [{"outlay.team": "ads", "user.id": "u1"}] * 2


def test_block_inside_a_call_holds_for_what_it_calls(calls: Calls) -> None:
    @outlay.observe
    def outer() -> None:
        with outlay.context(user="u1"):
            work()

    outer()
    assert calls.named("work").attributes == {"user.id": "u1"}
    assert calls.named("work").parent_span_id == calls.named("outer").span_id
    assert calls.named("outer").attributes == {}


def test_tags_set_on_the_current_span(calls: Calls) -> None:
    @outlay.observe
    def outer() -> None:
        outlay.current().tag(stage="two")
        work()

    outer()
    assert [call.attributes for call in calls] == [{"outlay.tag.stage": "two"}] * 2


def test_as_decorator_of_every_kind_of_function(calls: Calls) -> None:
    mark = outlay.context(team="search")

    @mark
    def plain() -> None:
        work()

    @mark
    async def coroutine() -> None:
        work()

    @mark
    def generator() -> Iterator[int]:
        work()
        yield 1

    @mark
    async def async_generator() -> object:
        work()
        yield 1

    async def main() -> None:
        await coroutine()
        async for _ in async_generator():
            work()  # the consumer's own

    plain()
    asyncio.run(main())
    for _ in generator():
        work()  # the consumer's own
    teams = [call.attributes.get("outlay.team") for call in calls]
    assert teams == ["search", "search", "search", None, "search", None]


def test_tasks_keep_their_own(calls: Calls) -> None:
    async def one(user: str) -> None:
        with outlay.context(user=user):
            await asyncio.sleep(0)
            work()

    async def main() -> None:
        await asyncio.gather(*(one(f"u{number}") for number in range(5)))

    asyncio.run(main())
    assert sorted(str(call.attributes["user.id"]) for call in calls) == ["u0", "u1", "u2", "u3", "u4"]


def test_nothing_is_not_a_value(calls: Calls) -> None:
    with outlay.context(team=None, user=0):
        work()
    assert whose(calls) == {"user.id": "0"}
