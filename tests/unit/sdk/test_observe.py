"""``observe`` on every kind of function: what is recorded, and that the function stays what it was."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import outlay
import pytest
from outlay.testing import SECOND_NS, START_NS, Calls

RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5},
}


def a_response(number: int) -> dict[str, Any]:
    return {**RESPONSE, "id": f"chatcmpl-{number}"}


def test_whole_span(calls: Calls) -> None:
    @outlay.observe(team="search", tags={"region": "eu"})
    def ask(question: str, model: str = "gpt-4o", temperature: float = 0.2) -> dict[str, Any]:
        return RESPONSE

    assert ask("Why?") is RESPONSE
    call = calls.only()
    assert call._asdict() == {
        "name": "ask",
        "trace_id": f"{1:032x}",
        "span_id": f"{2:016x}",
        "parent_span_id": None,
        "start_ns": START_NS,
        "end_ns": START_NS + SECOND_NS,
        "is_call": True,
        "error": None,
        "attributes": {
            "outlay.team": "search",
            "outlay.tag.region": "eu",
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.response.finish_reasons": ("stop",),
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 5,
        },
    }


def test_function_that_asks_no_model_is_an_ordinary_step(calls: Calls) -> None:
    @outlay.observe
    def add(a: int, b: int) -> int:
        return a + b

    assert add(1, 2) == 3
    assert not calls.only().is_call
    assert calls.only().attributes == {}


def test_nested_calls_are_one_trace(calls: Calls) -> None:
    @outlay.observe
    def inner() -> dict[str, Any]:
        return RESPONSE

    @outlay.observe(kind="agent")
    def outer() -> str:
        inner()
        inner()
        return "done"

    outer()
    agent = calls.named("outer")
    assert agent.attributes == {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "outer"}
    assert {call.trace_id for call in calls} == {agent.trace_id}
    assert {call.parent_span_id for call in calls if call.name == "inner"} == {agent.span_id}


def test_response_handed_on_is_billed_once(calls: Calls) -> None:
    @outlay.observe
    def inner() -> dict[str, Any]:
        return RESPONSE

    @outlay.observe
    def outer() -> dict[str, Any]:
        return inner()

    @outlay.observe
    def outermost() -> dict[str, Any]:
        return outer()

    assert outermost() is RESPONSE
    assert [call.name for call in calls if call.is_call] == ["inner"]


def test_embedding_handed_on_is_billed_once_though_it_has_no_id(calls: Calls) -> None:
    embedding = {"object": "list", "data": [], "model": "m", "usage": {"prompt_tokens": 3}}

    @outlay.observe
    def inner() -> dict[str, Any]:
        return embedding

    @outlay.observe
    def outer() -> dict[str, Any]:
        return inner()

    outer()
    assert [call.name for call in calls if call.is_call] == ["inner"]


def test_two_calls_of_one_function_are_two(calls: Calls) -> None:
    @outlay.observe
    def ask(number: int) -> dict[str, Any]:
        return a_response(number)

    @outlay.observe
    def both() -> None:
        ask(1)
        ask(2)

    both()
    assert sum(call.is_call for call in calls) == 2


def test_declared_model_counts_when_nothing_is_learned_from_the_result(calls: Calls) -> None:
    @outlay.observe(model="llama-3", provider="vllm")
    def ask() -> str:
        return "text only"

    ask()
    assert calls.only().attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "llama-3",
        "outlay.usage_source": "missing",
    }


def test_declared_model_does_not_count_beside_the_call_it_makes(calls: Calls) -> None:
    @outlay.observe
    def inner() -> dict[str, Any]:
        return RESPONSE

    @outlay.observe(model="gpt-4o")
    def ask() -> str:
        return inner()["model"]

    ask()
    assert [call.name for call in calls if call.is_call] == ["inner"]


def test_exception_passes_through_and_is_named(calls: Calls) -> None:
    class BrokenError(Exception):
        pass

    error = BrokenError("with a secret in its message")

    @outlay.observe
    def fail() -> None:
        raise error

    with pytest.raises(BrokenError) as raised:
        fail()
    assert raised.value is error
    assert calls.only().error == f"{__name__}.{BrokenError.__qualname__}"
    assert "secret" not in str(calls.only())


def test_provider_error_is_one_failed_call_however_many_functions_it_leaves(calls: Calls) -> None:
    import httpx2
    import openai

    error = openai.APIConnectionError(request=httpx2.Request("POST", "http://x"))

    @outlay.observe
    def inner(model: str) -> None:
        raise error

    @outlay.observe
    def outer() -> None:
        inner("gpt-4o")

    with pytest.raises(openai.APIConnectionError):
        outer()
    assert [call.name for call in calls if call.is_call] == ["inner"]
    assert calls.named("inner").attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "error.type": "openai.APIConnectionError",
    }
    assert calls.named("outer").error == "openai.APIConnectionError"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_signals_and_exits_pass_too(calls: Calls, stop: type[BaseException]) -> None:
    @outlay.observe
    def interrupted() -> None:
        raise stop

    with pytest.raises(stop):
        interrupted()
    assert calls.only().error == stop.__name__


def test_async_function(calls: Calls) -> None:
    @outlay.observe
    async def inner(number: int) -> dict[str, Any]:
        await asyncio.sleep(0)
        return a_response(number)

    @outlay.observe
    async def outer() -> list[Any]:
        return await asyncio.gather(*(inner(number) for number in range(5)))

    assert inspect.iscoroutinefunction(inner)
    assert len(asyncio.run(outer())) == 5
    parent = calls.named("outer").span_id
    assert [call.parent_span_id for call in calls if call.name == "inner"] == [parent] * 5


def test_cancelled_task_is_recorded_and_stays_cancelled(calls: Calls) -> None:
    @outlay.observe
    async def wait() -> None:
        await asyncio.sleep(10)

    async def main() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert calls.only().error == "asyncio.exceptions.CancelledError"


def test_coroutine_returned_by_a_plain_function(calls: Calls) -> None:
    async def ask() -> dict[str, Any]:
        return RESPONSE

    @outlay.observe
    def later() -> Any:
        return ask()

    assert asyncio.run(later()) is RESPONSE
    assert calls.only().is_call


def test_generator_is_recorded_when_it_is_exhausted(calls: Calls) -> None:
    @outlay.observe
    def numbers() -> Iterator[int]:
        yield 1
        yield 2

    assert inspect.isgeneratorfunction(numbers)
    running = numbers()
    assert next(running) == 1
    assert not calls
    assert list(running) == [2]
    assert calls.only().error is None


def test_generator_keeps_its_whole_protocol(calls: Calls) -> None:
    seen: list[object] = []

    @outlay.observe
    def talk() -> Any:
        seen.append((yield "first"))
        try:
            yield "second"
        except ValueError as error:
            seen.append(str(error))
        yield "third"
        return "result"

    running = talk()
    assert next(running) == "first"
    assert running.send("sent") == "second"
    assert running.throw(ValueError("thrown")) == "third"
    with pytest.raises(StopIteration) as stop:
        next(running)
    assert stop.value.value == "result"
    assert seen == ["sent", "thrown"]
    calls.only()


@pytest.mark.parametrize("how", ["closed", "dropped"])
def test_generator_left_early_runs_its_finally_and_is_recorded(calls: Calls, how: str) -> None:
    finished = []

    @outlay.observe
    def numbers() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            finished.append(how)

    running = numbers()
    next(running)
    if how == "closed":
        running.close()  # type: ignore[attr-defined]
    del running
    assert finished == [how]
    assert calls.only().error is None


def test_broken_generator_is_recorded_with_its_error(calls: Calls) -> None:
    @outlay.observe
    def numbers() -> Iterator[int]:
        yield 1
        raise OSError

    with pytest.raises(OSError):
        list(numbers())
    assert calls.only().error == "OSError"


def test_calls_in_a_generators_body_are_inside_it_and_those_of_its_caller_are_not(calls: Calls) -> None:
    @outlay.observe
    def inside() -> None: ...

    @outlay.observe
    def outside() -> None: ...

    @outlay.observe
    def numbers() -> Iterator[int]:
        inside()
        yield 1
        inside()

    for _ in numbers():
        outside()
    generator = calls.named("numbers")
    assert {call.parent_span_id for call in calls if call.name == "inside"} == {generator.span_id}
    assert calls.named("outside").parent_span_id is None


def test_time_to_first_chunk_is_measured(calls: Calls) -> None:
    @outlay.observe
    def stream() -> Iterator[Any]:
        yield {"id": "c", "model": "m", "choices": [{"index": 0}], "object": "chat.completion.chunk"}
        yield {"id": "c", "model": "m", "choices": [], "usage": RESPONSE["usage"]}

    list(stream())
    attributes = calls.only().attributes
    assert attributes["gen_ai.response.time_to_first_chunk"] == 1.0  # one tick of the test's clock
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.usage.input_tokens"] == 10


def test_async_generator(calls: Calls) -> None:
    sent: list[object] = []

    @outlay.observe
    def inside() -> None: ...

    @outlay.observe
    async def numbers() -> AsyncIterator[int]:
        inside()
        sent.append((yield 1))
        try:
            yield 2
        except ValueError:
            yield 3

    async def main() -> None:
        running: Any = numbers()
        assert await anext(running) == 1
        assert await running.asend("sent") == 2
        assert await running.athrow(ValueError) == 3
        with pytest.raises(StopAsyncIteration):
            await anext(running)

    assert inspect.isasyncgenfunction(numbers)
    asyncio.run(main())
    assert sent == ["sent"]
    assert calls.named("inside").parent_span_id == calls.named("numbers").span_id


def test_async_generator_left_early(calls: Calls) -> None:
    finished = []

    @outlay.observe
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            finished.append(True)

    async def main() -> None:
        running: Any = numbers()
        await anext(running)
        await running.aclose()

    asyncio.run(main())
    assert finished == [True]
    assert calls.only().error is None


def test_methods_of_every_kind(calls: Calls) -> None:
    class Bot:
        @outlay.observe
        def plain(self) -> Bot:
            return self

        @outlay.observe
        @classmethod
        def of_class(cls) -> type[Bot]:
            return cls

        @outlay.observe
        @staticmethod
        def static() -> int:
            return 3

    bot = Bot()
    assert bot.plain() is bot
    assert Bot.of_class() is Bot
    assert Bot.static() == 3
    assert [call.name for call in calls] == ["Bot.plain", "Bot.of_class", "Bot.static"]


def test_partial_and_callable_object(calls: Calls) -> None:
    class Asker:
        async def __call__(self) -> dict[str, Any]:
            return RESPONSE

    def add(a: int, b: int) -> int:
        return a + b

    assert outlay.observe(name="added")(functools.partial(add, 1))(2) == 3
    assert asyncio.run(outlay.observe(name="asked")(Asker())()) is RESPONSE
    assert calls.named("asked").is_call


def test_class_is_refused_when_decorated() -> None:
    with pytest.raises(TypeError, match="not classes"):
        outlay.observe(dict)


def test_signature_and_name_are_kept() -> None:
    @outlay.observe
    def ask(question: str, *, loud: bool = False) -> str:
        """Ask it."""
        return question

    assert ask.__name__ == "ask"
    assert ask.__doc__ == "Ask it."
    assert str(inspect.signature(ask)) == "(question: 'str', *, loud: 'bool' = False) -> 'str'"


def test_block(calls: Calls) -> None:
    with outlay.observe(name="rank", model="gpt-4o") as span:
        assert span.response(RESPONSE) is RESPONSE
        span.set("app.rank", 3)
    call = calls.only()
    assert call.name == "rank"
    assert call.attributes["gen_ai.usage.output_tokens"] == 5
    assert call.attributes["app.rank"] == 3


def test_async_block_with_error(calls: Calls) -> None:
    async def main() -> None:
        async with outlay.observe(name="rank"):
            raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(main())
    assert calls.only().error == "KeyError"


def test_second_response_of_a_function_gets_a_span_of_its_own(calls: Calls) -> None:
    @outlay.observe
    def both() -> str:
        outlay.current().response(a_response(1))
        outlay.current().response(a_response(2))
        return "text"

    both()
    assert sum(call.is_call for call in calls) == 2
    assert len({call.trace_id for call in calls}) == 1


class Declared:
    """As LiteLLM's responses and chunks are: what no class declares is kept in a second dictionary."""

    __module__ = "litellm.types.utils"
    __slots__ = ("__dict__", "__pydantic_extra__")

    def __init__(self, **undeclared: object) -> None:
        self.__dict__.update(id="chatcmpl-7", object="chat.completion", model="gpt-4o", choices=[])
        self.__pydantic_extra__ = undeclared


class BothWays:
    """As LiteLLM's stream is: one object for ``for`` and ``async for``."""

    __module__ = "litellm.streaming"

    def __init__(self) -> None:
        self.chunks = iter([Declared(), Declared(usage={"prompt_tokens": 4, "completion_tokens": 2})])

    def __iter__(self) -> BothWays:
        return self

    def __next__(self) -> object:
        return next(self.chunks)

    def __aiter__(self) -> BothWays:
        return self

    async def __anext__(self) -> object:
        for chunk in self.chunks:
            return chunk
        raise StopAsyncIteration


@pytest.mark.parametrize("how", ["whole", "for", "async for", "dropped"])
def test_litellm(calls: Calls, how: str) -> None:
    @outlay.observe
    def ask() -> Any:
        return Declared(usage={"prompt_tokens": 4, "completion_tokens": 2}) if how == "whole" else BothWays()

    async def count(stream: BothWays) -> int:
        return len([chunk async for chunk in stream])

    answer = ask()
    assert isinstance(answer, Declared if how == "whole" else BothWays)
    if how == "for":
        assert len(list(answer)) == 2
    if how == "async for":
        assert asyncio.run(count(answer)) == 2
    if how == "dropped":
        next(answer)
        del answer
        gc.collect()
    told = calls.only().attributes
    if how == "dropped":
        assert told["outlay.usage_source"] == "missing"
    else:
        assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (4, 2)
    assert told["gen_ai.provider.name"] == "openai"


def test_stream_shown_to_the_current_span_is_watched(calls: Calls) -> None:
    def chunks() -> Iterator[Any]:
        yield {"id": "c", "model": "m", "choices": [], "usage": RESPONSE["usage"], "object": "chat.completion.chunk"}

    @outlay.observe
    def ask() -> int:
        return len(list(outlay.current().response(chunks())))

    assert ask() == 1
    (stream,) = [call for call in calls if call.is_call]
    assert stream.parent_span_id == calls.named("ask").span_id


def test_attribute_of_any_kind_keeps_its_span(calls: Calls) -> None:
    with outlay.observe(name="step") as span:
        for key, value in (("a", [1, "two"]), ("b", {"c": 3}), ("d", None), ("e", 2.5)):
            span.set(key, value)  # type: ignore[arg-type]
    assert calls.only().attributes == {"a": ("1", "two"), "b": "{'c': 3}", "e": 2.5}


def test_current_is_harmless_outside() -> None:
    assert outlay.current().response(RESPONSE) is RESPONSE
    outlay.current().set("k", 1)
    outlay.current().tag(k="v")


def test_users_random_numbers_are_neither_used_nor_disturbed() -> None:
    import random

    from outlay.recorder import Recorder
    from outlay.spans import Span, Step

    spans: list[Span] = []
    recorder = Recorder(spans.append)
    random.seed(42)
    expected = random.random()
    random.seed(42)
    first = recorder.begin(Step("x"))
    assert random.random() == expected
    random.seed(42)
    assert recorder.begin(Step("x")).trace != first.trace
