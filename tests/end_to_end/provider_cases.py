"""Calls of the real provider clients against the fake provider, and what each must come out as.

A case makes its calls through functions decorated by ``observe``; hand in ``outlay.observe``, or ``as_it_is`` where
something else records (``outlay.instrument``). ``expected`` translates the fake provider's ledger, which knows what a
real provider would bill, into what a client can know: nothing at all about the usage that was never sent to it.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import anthropic
import httpx
import openai
from google import genai
from google.genai import types as genai_types

from tests.fake_provider import FakeProvider

F = TypeVar("F", bound=Callable[..., Any])
Observe = Callable[[F], F]
Case = Callable[[FakeProvider, Observe[Any]], None]

LONG = "The quick brown fox reads the ledger of last month and asks what it has cost. " * 80  # some 1,600 tokens
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CASES: dict[str, Case] = {}


def as_it_is(fn: F) -> F:
    """No decoration: the call is recorded by something else."""
    return fn


def case(fn: Case) -> Case:
    """Register a case under its function's name."""
    CASES[fn.__name__] = fn
    return fn


def async_case(fn: Callable[[FakeProvider, Observe[Any]], Awaitable[None]]) -> Case:
    """Register a case that runs in an event loop of its own."""

    def run(fake: FakeProvider, observe: Observe[Any]) -> None:
        async def main() -> None:
            await fn(fake, observe)

        asyncio.run(main())

    CASES[fn.__name__] = run  # type: ignore[attr-defined]
    return run


# What must come out


def expected(entry: dict[str, Any]) -> dict[str, Any]:
    """One ledger entry as the call it must be stored as, under the names of ``GET /api/v1/calls``; None: unknown."""
    abandoned = entry["stream_completed"] is False
    known = entry["usage_on_wire"] is not None and entry["error"] is None
    return {
        "provider": {"gemini": "gcp.gemini"}.get(entry["provider"], entry["provider"]),
        "operation": entry["operation"],
        "request_model": entry["request_model"],
        "response_model": None if _gemini_embeddings(entry) else entry["response_model"],
        "streaming": entry["streaming"],
        "finish_reasons": [] if abandoned else entry["finish_reasons"],
        "status": "error" if entry["error"] else "ok",
        "usage": _usage(entry) if known else None,
    }


def _gemini_embeddings(entry: dict[str, Any]) -> bool:
    return entry["provider"] == "gemini" and entry["operation"] == "embeddings"


def _usage(entry: dict[str, Any]) -> dict[str, int]:
    return {
        "input_tokens": entry["input_tokens_total"],
        "cache_read_tokens": entry["cache_read_tokens"],
        "cache_write_tokens": entry["cache_write_tokens"],
        "cache_write_5m_tokens": entry["cache_write_5m_tokens"],
        "cache_write_1h_tokens": entry["cache_write_1h_tokens"],
        "input_audio_tokens": entry["audio_input_tokens"],
        "output_tokens": entry["output_tokens_total"],
        "reasoning_tokens": entry["reasoning_tokens"],
        "output_audio_tokens": entry["audio_output_tokens"],
    }


def is_cut(entry: dict[str, Any]) -> bool:
    """A stream that ended early: what it is billed for was never told to the client in full."""
    return entry["stream_completed"] is False


# Clients


@contextmanager
def openai_client(fake: FakeProvider) -> Iterator[openai.OpenAI]:
    """A client of the fake provider that does not retry."""
    with openai.OpenAI(base_url=fake.openai_url, api_key="x", max_retries=0) as client:
        yield client


@contextmanager
def anthropic_client(fake: FakeProvider) -> Iterator[anthropic.Anthropic]:
    """A client of the fake provider that does not retry."""
    with anthropic.Anthropic(base_url=fake.anthropic_url, api_key="x", max_retries=0) as client:
        yield client


def gemini_client(fake: FakeProvider) -> genai.Client:
    """A client of the fake provider."""
    return genai.Client(api_key="x", http_options=genai_types.HttpOptions(base_url=fake.gemini_url))


def said(text: str) -> list[dict[str, str]]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


# OpenAI


@case
def openai_chat(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str, **options: Any) -> Any:
            return client.chat.completions.create(model="gpt-4o-mini", messages=said(text), **options)

        assert ask("How much was it?").choices[0].message.content
        ask("Two answers, please.", n=2)
        ask("Cut me short. [[stop=length]]")
        ask("At another tier. [[tier=priority]]")
        ask("Spoken. [[audio_in=20 audio_out=30 in=100 out=60]]")


@case
def openai_chat_cached(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str) -> Any:
            return client.chat.completions.create(model="gpt-5.6", messages=said(text))

        ask(LONG + "First.")
        ask(LONG + "Second.")


@case
def openai_chat_reasoning(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str, model: str) -> Any:
            return client.chat.completions.create(model=model, messages=said(text))

        ask("Think.", "o4-mini")


@case
def openai_chat_tools(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str) -> Any:
            tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]
            return client.chat.completions.create(model="gpt-4o", messages=said(text), tools=tools)

        assert ask("Weather? [[tool=weather]]").choices[0].message.tool_calls


@case
def openai_chat_parsed(fake: FakeProvider, observe: Observe[Any]) -> None:
    import pydantic

    class Answer(pydantic.BaseModel):
        city: str

    with openai_client(fake) as client:

        @observe
        def ask(text: str) -> Any:
            return client.chat.completions.parse(model="gpt-4o", messages=said(text), response_format=Answer)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydantic's about the client's own generic classes
            assert ask("Where?").choices[0].message.parsed == Answer(city="Paris")


@case
def openai_chat_stream(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str, **options: Any) -> Any:
            return client.chat.completions.create(model="gpt-4o", messages=said(text), stream=True, **options)

        usage: Any = {"include_usage": True}
        for _ in ask("With usage.", stream_options=usage):
            pass
        for _ in ask("Without usage."):
            pass
        with ask("Two, with usage.", stream_options=usage, n=2) as stream:
            assert sum(1 for _ in stream) > 3


@case
def openai_chat_stream_manager(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str) -> Any:
            options: Any = {"include_usage": True}
            return client.chat.completions.stream(model="gpt-4o", messages=said(text), stream_options=options)

        with ask("Go on.") as stream:
            assert stream.get_final_completion().choices[0].message.content


@case
def openai_chat_stream_abandoned(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str) -> Any:
            options: Any = {"include_usage": True}
            return client.chat.completions.create(
                model="gpt-4o", messages=said(text), stream=True, stream_options=options
            )

        stream = ask("Go on and on. [[out=4000 gap=1]]")
        next(iter(stream))
        stream.close()
        _until_recorded(fake, 1)


@case
def openai_chat_stream_dropped(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str) -> Any:
            return client.chat.completions.create(model="gpt-4o", messages=said(text), stream=True)

        try:
            for _ in ask("The line breaks. [[out=200 drop=3]]"):
                pass
        except (openai.APIConnectionError, httpx.HTTPError):  # older clients let the transport's error through
            return
        raise AssertionError("the stream should have been cut")


@case
def openai_chat_error(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str, model: str = "gpt-4o") -> Any:
            return client.chat.completions.create(model=model, messages=said(text))

        try:
            ask("Too much. [[error=429]]")
        except openai.RateLimitError:
            return
        raise AssertionError("the call should have failed")


@case
def openai_responses(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str, model: str = "gpt-4.1") -> Any:
            return client.responses.create(model=model, input=text)

        ask("Hello.")
        ask("Think.", model="gpt-5")
        ask("Cut me short. [[stop=length]]")
        ask(LONG + "One.", model="gpt-5.6")
        ask(LONG + "Two.", model="gpt-5.6")


@case
def openai_responses_stream(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str) -> Any:
            return client.responses.create(model="gpt-5-mini", input=text, stream=True)

        for _ in ask("Think and speak."):
            pass


@case
def openai_responses_stream_abandoned(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def ask(text: str) -> Any:
            return client.responses.create(model="gpt-4.1", input=text, stream=True)

        with ask("Go on and on. [[out=4000 gap=1]]") as stream:
            for _ in zip(range(8), stream, strict=False):
                pass
        _until_recorded(fake, 1)


@case
def openai_embeddings(fake: FakeProvider, observe: Observe[Any]) -> None:
    with openai_client(fake) as client:

        @observe
        def embed(texts: list[str], model: str = "text-embedding-3-small") -> Any:
            return client.embeddings.create(model=model, input=texts)

        assert len(embed(["one", "another"]).data) == 2


@async_case
async def openai_chat_async(fake: FakeProvider, observe: Observe[Any]) -> None:
    async with openai.AsyncOpenAI(base_url=fake.openai_url, api_key="x", max_retries=0) as client:

        @observe
        async def ask(text: str, model: str = "gpt-4o-mini", **options: Any) -> Any:
            return await client.chat.completions.create(model=model, messages=said(text), **options)

        @observe
        def ask_later(text: str, **options: Any) -> Any:
            return client.chat.completions.create(model="gpt-4o-mini", messages=said(text), **options)

        await asyncio.gather(ask("Same."), ask("Same."), ask_later("A coroutine."))
        usage: Any = {"include_usage": True}
        async for _ in await ask("A stream.", stream=True, stream_options=usage):
            pass
        stream = await ask("Left behind. [[out=4000 gap=1]]", stream=True)
        await anext(aiter(stream))
        await stream.close()
        with suppress(openai.InternalServerError):
            await ask("Too much. [[error=500]]", temperature=0.5)
        await asyncio.to_thread(_until_recorded, fake, 6)


@async_case
async def openai_responses_async(fake: FakeProvider, observe: Observe[Any]) -> None:
    async with openai.AsyncOpenAI(base_url=fake.openai_url, api_key="x", max_retries=0) as client:

        @observe
        async def ask(text: str, **options: Any) -> Any:
            return await client.responses.create(model="gpt-5-mini", input=text, **options)

        await ask("Hello.")
        async for _ in await ask("A stream.", stream=True):
            pass


# Anthropic


@case
def anthropic_messages(fake: FakeProvider, observe: Observe[Any]) -> None:
    with anthropic_client(fake) as client:

        @observe
        def ask(text: str, **options: Any) -> Any:
            return client.messages.create(
                model="claude-sonnet-4-6", max_tokens=500, messages=[{"role": "user", "content": text}], **options
            )

        ask("Hello.")
        ask("Cut me short. [[stop=length]]")
        ask("At another tier. [[tier=priority]]")
        ask("Think. ", thinking={"type": "enabled", "budget_tokens": 1024})
        ask("Weather? [[tool=weather]]", tools=[{"name": "weather", "input_schema": TOOL}])


@case
def anthropic_messages_cached(fake: FakeProvider, observe: Observe[Any]) -> None:
    with anthropic_client(fake) as client:

        @observe
        def ask(text: str, ttl: str) -> Any:
            system: Any = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": ttl}}]
            return client.messages.create(
                model="claude-opus-4-5",
                max_tokens=500,
                system=system,
                messages=[{"role": "user", "content": text}],
            )

        ask("Written for five minutes.", "5m")
        ask("Read.", "5m")
        ask("Both lifetimes. [[in=3000 cached=500 cache_write=700 cache_write_1h=900]]", "1h")


@case
def anthropic_messages_stream(fake: FakeProvider, observe: Observe[Any]) -> None:
    with anthropic_client(fake) as client:

        @observe
        def ask(text: str) -> Any:
            return client.messages.create(
                model="claude-haiku-4-5",
                max_tokens=500,
                messages=[{"role": "user", "content": text}],
                stream=True,
            )

        for _ in ask("All at once. [[in=3000 cached=500 cache_write=700 cache_write_1h=900]]"):
            pass


@case
def anthropic_messages_stream_manager(fake: FakeProvider, observe: Observe[Any]) -> None:
    with anthropic_client(fake) as client:

        @observe
        def ask(text: str) -> Any:
            return client.messages.stream(
                model="claude-haiku-4-5", max_tokens=500, messages=[{"role": "user", "content": text}]
            )

        with ask("Word by word.") as stream:
            assert "".join(stream.text_stream)
        with ask("The end only.") as stream:
            assert stream.get_final_message().content


@case
def anthropic_messages_stream_abandoned(fake: FakeProvider, observe: Observe[Any]) -> None:
    with anthropic_client(fake) as client:

        @observe
        def ask(text: str) -> Any:
            return client.messages.stream(
                model="claude-haiku-4-5", max_tokens=9000, messages=[{"role": "user", "content": text}]
            )

        with ask("Go on and on. [[out=4000 gap=1]]") as stream:
            for _ in zip(range(3), stream.text_stream, strict=False):
                pass
        _until_recorded(fake, 1)


@case
def anthropic_messages_error(fake: FakeProvider, observe: Observe[Any]) -> None:
    with anthropic_client(fake) as client:

        @observe
        def ask(text: str, model: str) -> Any:
            return client.messages.create(model=model, max_tokens=500, messages=[{"role": "user", "content": text}])

        try:
            ask("Overloaded. [[error=529]]", model="claude-haiku-4-5")
        except anthropic.APIStatusError:
            return
        raise AssertionError("the call should have failed")


@async_case
async def anthropic_messages_async(fake: FakeProvider, observe: Observe[Any]) -> None:
    async with anthropic.AsyncAnthropic(base_url=fake.anthropic_url, api_key="x", max_retries=0) as client:

        @observe
        async def ask(text: str, model: str = "claude-haiku-4-5", **options: Any) -> Any:
            return await client.messages.create(
                model=model, max_tokens=500, messages=[{"role": "user", "content": text}], **options
            )

        @observe
        def stream_of(text: str) -> Any:
            return client.messages.stream(
                model="claude-haiku-4-5", max_tokens=500, messages=[{"role": "user", "content": text}]
            )

        await ask("Hello.")
        async for _ in await ask("A stream.", stream=True):
            pass
        async with stream_of("Word by word.") as stream:
            async for _ in stream.text_stream:
                pass
        with suppress(anthropic.APIStatusError):
            await ask("Overloaded. [[error=529]]")


# Google


@case
def gemini_generate(fake: FakeProvider, observe: Observe[Any]) -> None:
    client = gemini_client(fake)

    @observe
    def ask(contents: str, model: str = "gemini-2.5-flash", **config: Any) -> Any:
        return client.models.generate_content(
            model=model, contents=contents, config=genai_types.GenerateContentConfig(**config)
        )

    ask("Hello.")
    ask("Cut me short. [[stop=length]]")
    ask("Think.", thinking_config=genai_types.ThinkingConfig(thinking_budget=512))
    ask("Two, please.", candidate_count=2)
    ask(LONG + "One.")
    ask(LONG + "Two.")
    declared = genai_types.FunctionDeclaration(name="weather", parameters_json_schema=TOOL)
    ask("Weather? [[tool=weather]]", tools=[genai_types.Tool(function_declarations=[declared])])
    client.close()


@case
def gemini_stream(fake: FakeProvider, observe: Observe[Any]) -> None:
    client = gemini_client(fake)

    @observe
    def ask(contents: str, model: str = "gemini-2.5-flash") -> Any:
        return client.models.generate_content_stream(model=model, contents=contents)

    for _ in ask("All of it. [[out=100 reasoning=64]]"):
        pass
    client.close()


@case
def gemini_stream_abandoned(fake: FakeProvider, observe: Observe[Any]) -> None:
    client = gemini_client(fake)

    @observe
    def ask(contents: str, model: str = "gemini-2.5-flash") -> Any:
        yield from client.models.generate_content_stream(model=model, contents=contents)

    stream = ask("Go on and on. [[out=8000 gap=1]]")
    next(stream)
    stream.close()
    client.close()
    _until_recorded(fake, 1)


@case
def gemini_embeddings(fake: FakeProvider, observe: Observe[Any]) -> None:
    client = gemini_client(fake)

    @observe
    def embed(contents: str, model: str = "gemini-embedding-001") -> Any:
        return client.models.embed_content(model=model, contents=contents)

    assert embed("one").embeddings
    client.close()


@case
def gemini_error(fake: FakeProvider, observe: Observe[Any]) -> None:
    client = gemini_client(fake)

    @observe
    def ask(contents: str, model: str = "gemini-2.5-flash") -> Any:
        return client.models.generate_content(model=model, contents=contents)

    try:
        ask("No. [[error=400]]")
    except genai.errors.ClientError:
        return
    finally:
        client.close()
    raise AssertionError("the call should have failed")


@async_case
async def gemini_async(fake: FakeProvider, observe: Observe[Any]) -> None:
    client = gemini_client(fake)

    @observe
    async def ask(contents: str, model: str = "gemini-2.5-flash") -> Any:
        return await client.aio.models.generate_content(model=model, contents=contents)

    @observe
    async def stream_of(contents: str, model: str = "gemini-2.5-flash") -> Any:
        return await client.aio.models.generate_content_stream(model=model, contents=contents)

    await ask("Hello.")
    async for _ in await stream_of("All of it. [[out=100]]"):
        pass
    await client.aio.aclose()
    client.close()


def _until_recorded(fake: FakeProvider, calls: int) -> None:
    """Wait for the fake provider to notice that its client has gone."""
    from tests.end_to_end.waiting import wait_until

    wait_until(lambda: len(fake.calls()) >= calls)
