"""``outlay.instrument()``: the same calls, with nothing decorated."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import anthropic
import openai
import outlay
import pytest
from outlay import safety

from tests.end_to_end.otlp_sink import OtlpSink
from tests.end_to_end.provider_cases import CASES, anthropic_client, as_it_is, openai_client, said
from tests.end_to_end.test_sdk_providers import as_call, assert_billed
from tests.fake_provider import FakeProvider


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch, fake: FakeProvider) -> Iterator[OtlpSink]:
    monkeypatch.setattr(safety, "raise_internal_errors", True)
    fake.reset()
    with OtlpSink() as sink:
        outlay.configure(endpoint=sink.url, service="test")
        yield sink
        outlay.uninstrument()
        outlay.shutdown()


CLIENTS = ("openai", "anthropic", "google-genai")


@pytest.mark.parametrize("name", CASES)
def test_instrumented_call_is_what_the_provider_bills(name: str, fake: FakeProvider, sink: OtlpSink) -> None:
    outlay.instrument(*CLIENTS)
    CASES[name](fake, as_it_is)
    assert outlay.flush()
    assert_billed(sink.spans, fake.calls(), model_is_told=True)


@pytest.mark.parametrize("name", CASES)
def test_instrumented_and_decorated_is_billed_once(name: str, fake: FakeProvider, sink: OtlpSink) -> None:
    outlay.instrument(*CLIENTS)
    CASES[name](fake, outlay.observe)
    assert outlay.flush()
    assert_billed(sink.spans, fake.calls(), model_is_told=True)


def test_calls_inside_a_function_that_returns_text_are_in_its_trace(fake: FakeProvider, sink: OtlpSink) -> None:
    outlay.instrument("openai")
    with openai_client(fake) as client:

        @outlay.observe(team="search")
        def answer(question: str) -> str:
            completion: Any = client.chat.completions.create(model="gpt-4o", messages=said(question))  # type: ignore[arg-type]
            return completion.choices[0].message.content

        answer("Why?")
    outlay.flush()
    outer, inner = sink.named("answer"), sink.named("chat gpt-4o")
    assert inner.parent_span_id == outer.span_id
    assert "gen_ai.operation.name" not in outer.attributes
    assert inner.attributes["outlay.team"] == "search"
    assert inner.attributes["server.address"] == "127.0.0.1"


def test_raw_responses(fake: FakeProvider, sink: OtlpSink) -> None:
    outlay.instrument(*CLIENTS)
    with openai_client(fake) as client:
        create: Any = client.chat.completions.with_raw_response.create
        assert create(model="gpt-4o", messages=said("Raw.")).parse().choices
        raw = create(model="gpt-4o", messages=said("Raw."), stream=True, stream_options={"include_usage": True})
        assert len(list(raw.parse())) > 3
    with anthropic_client(fake) as client:
        create = client.messages.with_raw_response.create
        assert create(model="claude-haiku-4-5", max_tokens=90, messages=said("Raw.")).headers["request-id"]

    async def ask() -> None:
        async with anthropic.AsyncAnthropic(base_url=fake.anthropic_url, api_key="x") as client:
            create: Any = client.messages.with_raw_response.create
            response = await create(model="claude-haiku-4-5", max_tokens=90, messages=said("Raw."), stream=True)
            parsed = await response.parse()
            async for _ in parsed:
                pass

    asyncio.run(ask())
    outlay.flush()
    assert_billed(sink.spans, fake.calls(), model_is_told=True)


def test_raw_stream_that_nobody_parses_is_still_a_call(fake: FakeProvider, sink: OtlpSink) -> None:
    import gc

    outlay.instrument("openai")
    with openai_client(fake) as client:
        create: Any = client.chat.completions.with_raw_response.create
        create(model="gpt-4o", messages=said("Raw."), stream=True).http_response.close()
    gc.collect()
    outlay.flush()
    assert sink.named("chat gpt-4o").attributes["outlay.usage_source"] == "missing"


def test_usage_of_a_stream_is_asked_for_when_told_to_and_kept_from_the_caller(
    fake: FakeProvider, sink: OtlpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlay.instrument("openai")
    with openai_client(fake) as client:

        def ask() -> list[Any]:
            return list(client.chat.completions.create(model="gpt-4o", messages=said("Go."), stream=True))  # type: ignore[call-overload]

        ask()
        monkeypatch.setenv("OUTLAY_STREAM_USAGE", "1")
        chunks = ask()
    outlay.flush()
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert [as_call(span)["usage_source"] for span in sink.spans] == ["estimated", "reported"]


@pytest.mark.parametrize(
    ("client", "provider"),
    [
        (lambda: openai.OpenAI(base_url="https://api.groq.com/openai/v1", api_key="x"), "groq"),
        (lambda: openai.OpenAI(api_key="x"), "openai"),
        (lambda: openai.OpenAI(base_url="http://localhost:8000/v1", api_key="x"), "openai"),
        (
            lambda: openai.AzureOpenAI(azure_endpoint="https://a.openai.azure.com", api_key="x", api_version="1"),
            "azure.ai.openai",
        ),
        (lambda: anthropic.Anthropic(api_key="x"), "anthropic"),
    ],
)
def test_provider_is_whom_the_client_talks_to(client: Any, provider: str) -> None:
    from outlay.instrumentation.clients import _whereabouts

    with client() as made:
        resource = made.messages if provider == "anthropic" else made.chat.completions
        assert _whereabouts(resource)[0] == provider


def test_classes_are_given_back_as_they_were(sink: OtlpSink) -> None:
    from openai.resources.chat.completions import Completions

    before = Completions.create
    outlay.instrument("openai")
    assert Completions.create is not before
    outlay.instrument("openai")
    outlay.uninstrument()
    assert Completions.create is before


def test_unconfigured_it_passes_through(fake: FakeProvider) -> None:
    outlay.shutdown()
    outlay.instrument("openai")
    try:
        with openai_client(fake) as client:
            assert client.chat.completions.create(model="gpt-4o", messages=said("Hi.")).choices  # type: ignore[arg-type]
    finally:
        outlay.uninstrument()


def test_tells_what_it_did(sink: OtlpSink) -> None:
    done = outlay.instrument()
    assert done["openai"] == f"wrapped openai {openai.__version__}"
    assert outlay.instrument("crewai") == {"crewai": "crewai is not installed"}
    assert outlay.instrument("google") == {"google-genai": done["google-genai"]}
    with pytest.raises(ValueError, match="nothing is known of 'chatgpt'"):
        outlay.instrument("chatgpt")


def test_module_is_wrapped_when_it_is_imported_and_not_before(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from outlay.instrumentation.imports import when_imported

    (tmp_path / "late_module.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    seen: list[ModuleType] = []
    when_imported("late_module", seen.append)
    assert "late_module" not in sys.modules
    import late_module  # type: ignore[import-not-found]

    assert seen == [late_module]
    assert late_module.__loader__.name == "late_module"
    when_imported("late_module", seen.append)
    assert len(seen) == 2


def test_other_peoples_spans_join_our_traces_without_content(sink: OtlpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    from outlay.instrumentation import others

    class Instrumentor:
        """Stands for an installed package, as they all look."""

        def instrument(self, *, tracer_provider: Any) -> None:
            Instrumentor.tracer = tracer_provider.get_tracer("openinference.instrumentation.chain", "1.0")  # type: ignore[attr-defined]

        def uninstrument(self) -> None: ...

    module = ModuleType("pretended_instrumentor")
    module.ChainInstrumentor = Instrumentor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pretended_instrumentor", module)
    candidate = others.Instrumentor("openai", "pretended_instrumentor", "ChainInstrumentor")
    monkeypatch.setitem(others.KNOWN, "crewai", ("openai", (candidate,)))
    assert outlay.instrument("crewai") == {"crewai": f"instrumented by openai {openai.__version__}"}
    theirs_now = Instrumentor.tracer.start_as_current_span("theirs")  # type: ignore[attr-defined]
    with outlay.observe(name="ours"), outlay.context(team="search"), theirs_now as span:
        span.set_attribute("input.value", "a secret")
        span.set_attribute("llm.token_count.prompt", 7)
        span.add_event("said", {"text": "a secret"})
        with outlay.observe(name="inside"):
            pass
    outlay.flush()
    ours, theirs, inside = sink.named("ours"), sink.named("theirs"), sink.named("inside")
    assert theirs.parent_span_id == ours.span_id
    assert inside.parent_span_id == theirs.span_id
    assert theirs.scope == ("openinference.instrumentation.chain", "1.0")
    assert theirs.attributes == {"llm.token_count.prompt": 7, "outlay.team": "search"}
    assert theirs.resource["service.name"] == "test"
    assert not any(b"a secret" in body for _, _, body in sink.requests)
