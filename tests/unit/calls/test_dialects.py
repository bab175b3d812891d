"""What each source's names mean, where the corpus has no payload for it: older releases, other providers, odd values."""

from __future__ import annotations

from typing import Any

import pytest
from outlay_collector.calls import flags
from outlay_collector.calls.dialects import DIALECTS, by_content, by_scope
from outlay_collector.calls.dialects.dialect import Dialect
from outlay_collector.calls.normalise import normalise
from outlay_collector.calls.span import Event

from tests.unit.calls.builders import NOON_NS, SECOND_NS, a_chat, a_span, read, usage_of

OPENLLMETRY = "opentelemetry.instrumentation.openai.v1"


@pytest.mark.parametrize(
    ("scope", "dialect"),
    [
        ("outlay", "outlay"),
        ("opentelemetry.instrumentation.genai.openai", "otel-genai"),
        ("opentelemetry.instrumentation.genai.anthropic", "otel-genai"),
        ("opentelemetry.instrumentation.google_genai", "otel-genai"),
        ("opentelemetry.instrumentation.openai_v2", "otel-openai-v2"),
        ("opentelemetry.util.genai.handler", "otel-openai-v2"),
        ("com.anthropic.sdk.python", "anthropic-sdk"),
        ("com.anthropic.sdk.python.bedrock", "anthropic-sdk"),
        (OPENLLMETRY, "openllmetry"),
        ("opentelemetry.instrumentation.anthropic", "openllmetry"),
        ("openinference.instrumentation.langchain", "openinference"),
        ("openlit.instrumentation.openai", "openlit"),
        ("pydantic-ai", "pydantic-ai"),
        ("logfire.openai", "logfire"),
        ("ai", "vercel-ai"),
        ("gen_ai", "vercel-ai-7"),
        ("langfuse-sdk", "langfuse"),
        ("langsmith", "langsmith"),
        ("litellm", "litellm"),
        ("mlflow.tracing.provider", "mlflow"),
        ("strands.telemetry.tracer", "strands"),
        ("vllm.llm_engine", "vllm"),
        ("autogen-core", "autogen"),
        ("opentelemetry.instrumentation.httpx", "http"),
    ],
)
def test_a_source_is_known_by_its_scope(scope: str, dialect: str) -> None:
    found = by_scope(scope)
    assert found is not None
    assert found.name == dialect


@pytest.mark.parametrize(
    ("attribute", "dialect"),
    [
        ("openinference.span.kind", "openinference"),
        ("traceloop.span.kind", "openllmetry"),
        ("langfuse.observation.type", "langfuse"),
        ("langsmith.span.kind", "langsmith"),
        ("mlflow.spanType", "mlflow"),
        ("ai.operationId", "vercel-ai"),
        ("openlit.agent.version_hash", "openlit"),
        ("gen_ai.request.model", "gen-ai"),
        ("http.request.method", "other"),
    ],
)
def test_a_source_whose_scope_was_lost_is_known_by_an_attribute(attribute: str, dialect: str) -> None:
    assert by_scope("my-company.collector") is None
    assert by_content({"service.version": "1", attribute: "x"}).name == dialect


def test_an_unknown_dialect_with_the_conventions_names_works() -> None:
    call = read(
        a_chat(**{"input_tokens": 100, "output_tokens": 20, "cache_read.input_tokens": 60}) | {"my.own": "kept"},
        scope="acme.llm",
    )
    assert (call.dialect, call.span_type, call.operation, call.provider) == ("gen-ai", "call", "chat", "openai")
    assert usage_of(call) == {"input_tokens": 100, "cache_read_tokens": 60, "output_tokens": 20}
    assert call.attributes == {"my.own": "kept"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # OpenTelemetry 1.26 and OpenLLMetry up to 0.5x.
        ({"gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.completion_tokens": 4}, {"input_tokens": 9, "output_tokens": 4}),
        ({"llm.usage.prompt_tokens": 9, "llm.usage.completion_tokens": 4}, {"input_tokens": 9, "output_tokens": 4}),
        # Sentry.
        (
            {
                "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 4, "gen_ai.usage.input_tokens.cached": 5,
                "gen_ai.usage.input_tokens.cache_write": 1, "gen_ai.usage.output_tokens.reasoning": 2,
            },
            {"input_tokens": 9, "cache_read_tokens": 5, "cache_write_tokens": 1, "output_tokens": 4, "reasoning_tokens": 2},
        ),
        # Both at once, as Strands writes them: one of them is read, they are never added.
        (
            {
                "gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.input_tokens": 9, "gen_ai.usage.completion_tokens": 4,
                "gen_ai.usage.output_tokens": 4, "gen_ai.usage.cache_read.input_tokens": 5,
                "gen_ai.usage.cache_read_input_tokens": 5,
            },
            {"input_tokens": 9, "cache_read_tokens": 5, "output_tokens": 4},
        ),
        # Modalities are parts.
        (
            {
                "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 4, "gen_ai.usage.image.input_tokens": 3,
                "gen_ai.usage.audio.output_tokens": 2,
            },
            {"input_tokens": 9, "output_tokens": 4, "output_audio_tokens": 2, "input_image": 3},
        ),
    ],
)  # fmt: skip
def test_every_spelling_of_a_count_is_read_once(names: dict[str, int], expected: dict[str, int]) -> None:
    assert (
        usage_of(read({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"} | names, scope="x"))
        == expected
    )


def test_the_first_spelling_is_passed_over_where_it_cannot_be_read() -> None:
    names = {"gen_ai.usage.input_tokens": float("nan"), "gen_ai.usage.prompt_tokens": 7}
    assert usage_of(read({"gen_ai.system": "openai"} | names, scope="x", name="chat")) == {"input_tokens": 7}


def test_old_openllmetry_spans_are_calls_by_their_request_type() -> None:
    call = read(
        {
            "llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4",
            "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Hi", "gen_ai.completion.0.content": "Hello",
            "gen_ai.completion.0.finish_reason": "stop", "gen_ai.usage.prompt_tokens": 8,
            "gen_ai.usage.completion_tokens": 2, "llm.usage.total_tokens": 10, "llm.is_streaming": False,
        },
        scope=OPENLLMETRY, name="openai.chat",
    )  # fmt: skip
    assert (call.span_type, call.operation, call.provider, call.streaming) == ("call", "chat", "openai", False)
    assert usage_of(call) == {"input_tokens": 8, "output_tokens": 2}
    assert set(call.content) == {
        "gen_ai.prompt.0.role", "gen_ai.prompt.0.content", "gen_ai.completion.0.content",
        "gen_ai.completion.0.finish_reason",
    }  # fmt: skip
    assert call.attributes == {}


def test_traceloops_workflows_tasks_and_agents_are_never_calls() -> None:
    for kind, span_type in (("workflow", "aggregate"), ("task", "aggregate"), ("agent", "aggregate"), ("tool", "tool")):
        assert (
            read({"traceloop.span.kind": kind, "traceloop.entity.name": "x"}, scope="traceloop.tracer").span_type
            == span_type
        )


def test_traceloops_association_properties_name_user_and_session() -> None:
    associated = {"traceloop.association.properties.user_id": "u1", "traceloop.association.properties.session_id": "s1"}
    call = read(a_chat(input_tokens=1, output_tokens=1) | associated, scope=OPENLLMETRY)
    assert (call.user, call.session) == ("u1", "s1")


def test_the_surplus_token_of_anthropic_streams_is_taken_off_and_said() -> None:
    chat = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.is_streaming": True}
    counts = {"gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 61}
    call = read(chat | counts, scope="opentelemetry.instrumentation.anthropic")
    assert usage_of(call) == {"input_tokens": 20, "output_tokens": 60}
    assert flags.OUTPUT_CORRECTED in call.flags


def test_openlit_counts_anthropics_input_without_the_cache_and_openais_with_it() -> None:
    counts = {
        "input_tokens": 400,
        "output_tokens": 40,
        "cache_read.input_tokens": 1500,
        "cache_creation.input_tokens": 700,
    }
    anthropic = a_chat(**counts) | {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5"}
    assert usage_of(read(anthropic, scope="openlit.instrumentation.anthropic"))["input_tokens"] == 2600
    openai = a_chat(**counts | {"input_tokens": 2600})
    assert usage_of(read(openai, scope="openlit.instrumentation.openai"))["input_tokens"] == 2600


def test_cache_counts_that_exceed_the_input_show_an_exclusive_count_and_are_flagged() -> None:
    call = read(a_chat(**{"input_tokens": 400, "output_tokens": 40, "cache_read.input_tokens": 1500}), scope="acme")
    assert usage_of(call)["input_tokens"] == 1900
    assert flags.READ_AS_EXCLUSIVE in call.flags


def test_our_own_sdk_is_never_reread_but_flagged() -> None:
    call = read(a_chat(**{"input_tokens": 400, "output_tokens": 40, "cache_read.input_tokens": 1500}), scope="outlay")
    assert usage_of(call)["input_tokens"] == 400
    assert flags.CONTRADICTION in call.flags
    assert call.attributes["gen_ai.usage.cache_read.input_tokens"] == 1500


def test_our_own_sdks_steps_are_no_calls_whatever_they_are_named() -> None:
    for name in ("chat", "search", "answer ticket", "embeddings"):
        assert read({"outlay.team": "support"}, scope="outlay", name=name).span_type == "other"


def test_our_own_sdk_says_everything() -> None:
    call = read(
        a_chat(**{"input_tokens": 90, "output_tokens": 9, "cache_write.input_tokens": 50})
        | {
            "gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": 0.25, "gen_ai.response.id": "r1",
            "gen_ai.response.finish_reasons": ["stop"], "outlay.usage.cache_write_1h_tokens": 30,
            "outlay.service_tier": "flex", "outlay.usage_source": "estimated", "user.id": "u", "session.id": "s",
            "outlay.team": "t", "outlay.feature": "f", "outlay.customer": "c", "outlay.prompt.version": "3",
            "gen_ai.agent.name": "a", "outlay.tag.lang": "ko",
        },
        scope="outlay",
        resource={"service.version": "1.2", "deployment.environment.name": "prod"},
    )  # fmt: skip
    assert usage_of(call) == {
        "input_tokens": 90, "cache_write_tokens": 50, "cache_write_5m_tokens": 20, "cache_write_1h_tokens": 30,
        "output_tokens": 9,
    }  # fmt: skip
    assert (call.usage_source, call.service_tier, call.streaming, call.time_to_first_token_ms) == (
        "estimated",
        "flex",
        True,
        250,
    )
    assert (call.service, call.release, call.environment) == ("shop", "1.2", "prod")
    assert (call.user, call.session, call.team, call.feature, call.customer) == ("u", "s", "t", "f", "c")
    assert (call.agent, call.prompt_version, call.attributes) == ("a", "3", {"outlay.tag.lang": "ko"})


def test_the_older_name_of_the_environment_is_read() -> None:
    assert read(a_chat(), resource={"deployment.environment": "staging"}).environment == "staging"


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        # The provider's own objects.
        (
            '{"prompt_tokens": 3000, "completion_tokens": 286, "prompt_tokens_details": {"cached_tokens": 2048}, '
            '"completion_tokens_details": {"reasoning_tokens": 256}}',
            {"input_tokens": 3000, "cache_read_tokens": 2048, "output_tokens": 286, "reasoning_tokens": 256},
        ),
        (
            '{"input_tokens": 500, "output_tokens": 40, "cache_read_input_tokens": 1200, "cache_creation_input_tokens": 300, '
            '"cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}}',
            {
                "input_tokens": 2000, "cache_read_tokens": 1200, "cache_write_tokens": 300, "cache_write_5m_tokens": 100,
                "cache_write_1h_tokens": 200, "output_tokens": 40,
            },
        ),
        (
            '{"promptTokenCount": 2600, "candidatesTokenCount": 50, "thoughtsTokenCount": 200, "cachedContentTokenCount": 1024}',
            {"input_tokens": 2600, "cache_read_tokens": 1024, "output_tokens": 250, "reasoning_tokens": 200},
        ),
        # Langfuse's flat shape: every key disjoint.
        (
            '{"input": 952, "output": 30, "total": 3286, "input_cache_read": 2048, "output_reasoning": 256}',
            {"input_tokens": 3000, "cache_read_tokens": 2048, "output_tokens": 286, "reasoning_tokens": 256},
        ),
        ('{"input": 12, "output": 3, "total": 15}', {"input_tokens": 12, "output_tokens": 3}),
        # A total that leaves no room for the details says that they are parts.
        (
            '{"input": 3000, "output": 40, "total": 3040, "input_cache_read": 2048}',
            {"input_tokens": 3000, "cache_read_tokens": 2048, "output_tokens": 40},
        ),
        ('{"promptTokens": 5, "completionTokens": 6}', {"input_tokens": 5, "output_tokens": 6}),
    ],
)  # fmt: skip
def test_langfuse_usage_is_read_in_each_of_its_shapes(usage: str, expected: dict[str, int]) -> None:
    generation = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4.1"}
    call = read(generation | {"langfuse.observation.usage_details": usage}, scope="langfuse-sdk")
    assert usage_of(call) == expected


def test_langfuse_spans_that_are_no_generation_do_not_bill() -> None:
    for kind in ("span", "agent", "chain", "evaluator"):
        assert read({"langfuse.observation.type": kind}, scope="langfuse-sdk").span_type == "aggregate"


def test_langsmith_names_the_provider_behind_langchain_and_reads_python_reprs() -> None:
    call = read(
        {
            "langsmith.span.kind": "llm", "gen_ai.operation.name": "chat", "gen_ai.system": "langchain",
            "langsmith.metadata.ls_provider": "openai", "langsmith.metadata.ls_model_name": "o4-mini",
            "gen_ai.usage.input_tokens": 3000, "gen_ai.usage.output_tokens": 286,
            "gen_ai.usage.input_token_details": "{'cache_read': 2048}",
            "gen_ai.usage.output_token_details": "{'reasoning': 256}",
            "langsmith.trace.session_name": "my-project", "langsmith.metadata.thread_id": "t9",
        },
        scope="langsmith",
    )  # fmt: skip
    assert (call.provider, call.request_model, call.session) == ("openai", "o4-mini", "t9")
    assert usage_of(call) == {
        "input_tokens": 3000, "cache_read_tokens": 2048, "output_tokens": 286, "reasoning_tokens": 256,
    }  # fmt: skip


def test_langsmith_runs_of_langchain_have_their_usage_in_metadata_only() -> None:
    metadata = (
        '{"input_tokens": 2600, "output_tokens": 40, "input_token_details": {"cache_read": 1500, "cache_creation": 0, '
        '"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 200}}'
    )
    call = read({"langsmith.span.kind": "llm", "langsmith.metadata.usage_metadata": metadata}, scope="langsmith")
    assert usage_of(call) == {
        "input_tokens": 2600, "cache_read_tokens": 1500, "cache_write_tokens": 700, "cache_write_5m_tokens": 500,
        "cache_write_1h_tokens": 200, "output_tokens": 40,
    }  # fmt: skip


def test_vercel_5_streams_of_anthropic_exclude_the_cache_reads_they_name() -> None:
    call = read(
        {
            "ai.operationId": "ai.streamText.doStream", "ai.model.provider": "anthropic.messages",
            "ai.model.id": "claude-sonnet-4-5", "ai.request.headers.user-agent": "ai/5.0.277",
            "ai.usage.inputTokens": 400, "ai.usage.outputTokens": 40, "ai.usage.cachedInputTokens": 1500,
            "ai.response.providerMetadata": '{"anthropic":{"cacheCreationInputTokens":700}}',
        },
        scope="ai",
    )  # fmt: skip
    assert usage_of(call)["input_tokens"] == 2600
    assert (call.provider, call.streaming) == ("anthropic", True)


def test_vercel_6_includes_the_cache_also_where_only_the_user_agent_tells_the_version() -> None:
    call = read(
        {
            "ai.operationId": "ai.generateObject.doGenerate", "ai.model.provider": "anthropic.messages",
            "ai.model.id": "claude-sonnet-4-5", "ai.request.headers.user-agent": "ai/6.0.326",
            "ai.usage.promptTokens": 2600, "ai.usage.completionTokens": 40,
            "ai.response.providerMetadata": '{"anthropic":{"usage":{"input_tokens":400,"cache_read_input_tokens":1500,'
            '"cache_creation_input_tokens":700,"output_tokens":40}}}',
        },
        scope="ai",
    )  # fmt: skip
    assert usage_of(call) == {
        "input_tokens": 2600, "cache_read_tokens": 1500, "cache_write_tokens": 700, "output_tokens": 40,
    }  # fmt: skip


def test_pydantic_ai_details_hold_reasoning_and_one_hour_writes() -> None:
    call = read(
        a_chat(
            **{
                "input_tokens": 2600,
                "output_tokens": 300,
                "cache_creation.input_tokens": 700,
                "cache_read.input_tokens": 0,
            }
        )
        | {"gen_ai.usage.details.ephemeral_1h_input_tokens": 700, "gen_ai.usage.details.thoughts_tokens": 200},
        scope="pydantic-ai",
    )
    assert usage_of(call)["cache_write_1h_tokens"] == 700
    assert usage_of(call)["reasoning_tokens"] == 200


def test_placeholders_of_open_spans_are_dropped() -> None:
    for scope in ("logfire.openai", "pydantic-ai"):
        call = read(a_chat() | {"logfire.span_type": "pending_span"}, scope=scope)
        assert (call.span_type, call.flags) == ("other", (flags.PENDING,))


def test_vllm_serves_its_own_requests() -> None:
    call = read(
        {
            "gen_ai.request.id": "cmpl-0a1b2c3d-0", "gen_ai.response.model": "Qwen/Qwen3-8B", "gen_ai.usage.prompt_tokens": 31,
            "gen_ai.usage.completion_tokens": 12, "gen_ai.latency.time_to_first_token": 0.2,
            "gen_ai.latency.e2e": 0.9,
        },
        scope="vllm.llm_engine", name="llm_request",
    )  # fmt: skip
    assert (call.provider, call.response_id, call.time_to_first_token_ms) == ("vllm", "cmpl-0a1b2c3d", 200)
    assert usage_of(call) == {"input_tokens": 31, "output_tokens": 12}


def test_autogens_agents_are_no_calls() -> None:
    for operation, span_type in (
        ("invoke_agent", "aggregate"),
        ("create_agent", "aggregate"),
        ("execute_tool", "tool"),
    ):
        call = read({"gen_ai.operation.name": operation, "gen_ai.system": "autogen"}, scope="autogen-core")
        assert (call.span_type, call.usage) == (span_type, None)


def test_counting_tokens_is_free_and_no_call() -> None:
    counting = read(
        {"gen_ai.provider.name": "anthropic", "gen_ai.operation.name": "chat"},
        scope="com.anthropic.sdk.python", name="anthropic.messages.count_tokens",
    )  # fmt: skip
    assert counting.span_type == "other"


def test_mcp_tool_calls_are_tools() -> None:
    call = read(
        {"mcp.method.name": "tools/call", "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get"},
        scope="mcp",
    )
    assert (call.span_type, call.tool) == ("tool", "get")


def test_a_plain_http_request_is_no_call_and_neither_is_a_web_handler() -> None:
    http = {"http.method": "POST", "http.url": "https://api.openai.com/v1/chat/completions", "http.status_code": 200}
    assert read(http, scope="opentelemetry.instrumentation.httpx", name="POST").span_type != "call"
    assert (
        read({"http.route": "/chat"}, scope="opentelemetry.instrumentation.fastapi", name="POST /chat").span_type
        == "other"
    )


def test_a_failed_request_without_attributes_is_understood_by_name_and_event() -> None:
    exception = Event(NOON_NS, "exception", {"exception.type": "anthropic.OverloadedError"})
    call = read(
        {}, scope="openlit.instrumentation.anthropic", name="chat claude-sonnet-4-5", error="OverloadedError: …",
        events=[exception],
    )  # fmt: skip
    assert (call.span_type, call.provider, call.request_model) == ("call", "anthropic", "claude-sonnet-4-5")
    assert (call.error_type, call.usage) == ("anthropic.OverloadedError", None)
    assert flags.FAILED_UNBILLED in call.flags


@pytest.mark.parametrize(
    ("message", "error_type"),
    [
        ("RateLimitError: Error code: 429", "RateLimitError"),
        ("RateLimitError('Error code: 429')", "RateLimitError"),
        ("Error code: 529 - overloaded", "529"),
        ("it broke", "_OTHER"),
    ],
)
def test_an_error_is_named_as_well_as_it_can_be(message: str, error_type: str) -> None:
    assert read(a_chat(), error=message).error_type == error_type


def test_a_time_to_first_token_in_milliseconds_is_told_from_one_in_seconds() -> None:
    name = "gen_ai.server.time_to_first_token"
    assert read(a_chat() | {name: 500}, scope="strands.telemetry.tracer").time_to_first_token_ms == 500
    assert read(a_chat() | {name: 0.5, "gen_ai.request.stream": True}, scope="openlit.x").time_to_first_token_ms == 500
    # Written under a name in seconds by somebody unknown, and longer than the span: milliseconds.
    assert read(a_chat() | {name: 500}, scope="acme", seconds=600.0).time_to_first_token_ms == 500_000
    assert (
        read(a_chat() | {"gen_ai.response.time_to_first_chunk": 2.0}, scope="acme", seconds=2.5).time_to_first_token_ms
        == 2000
    )


def test_messages_sent_as_span_events_are_content_and_leave_the_events() -> None:
    events = [
        Event(NOON_NS, "gen_ai.user.message", {"content": "Where is Paris?"}),
        Event(NOON_NS + SECOND_NS, "gen_ai.choice", {"finish_reason": "stop", "message": "In France."}),
        Event(NOON_NS + SECOND_NS, "retry", {"attempt": 2}),
    ]
    call = read(a_chat(input_tokens=4, output_tokens=3), events=events, scope="strands.telemetry.tracer")
    assert [event.attributes for event in call.events] == [{}, {}, {"attempt": 2}]
    assert "Where is Paris?" in repr(call.content)
    assert call.finish_reasons == ("stop",)
    assert events[0].attributes == {"content": "Where is Paris?"}  # what was decoded stays as it came


def test_a_litellm_id_is_believed_for_openai_only() -> None:
    chat = a_chat(input_tokens=1, output_tokens=1) | {"gen_ai.response.id": "chatcmpl-1"}
    assert read(chat, scope="litellm").response_id == "chatcmpl-1"
    claude = chat | {
        "litellm.provider.model": "anthropic/claude-sonnet-4-5",
        "gen_ai.request.model": "claude-sonnet-4-5",
    }
    call = read(claude | {"gen_ai.response.model": "claude-sonnet-4-5"}, scope="litellm")
    assert (call.provider, call.response_id) == ("anthropic", None)
    assert flags.ID_INVENTED in call.flags


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_dialect_names_its_sources_and_its_gaps_have_flags_with_sentences(dialect: Dialect) -> None:
    assert dialect.title
    assert dialect.counts.endswith(".")
    if dialect.name not in ("gen-ai", "other"):
        assert dialect.scopes or dialect.scope_prefixes
    assert {gap.flag for gap in dialect.gaps if gap.flag} <= set(flags.SENTENCES)


def test_every_flag_has_its_sentence() -> None:
    named = {value for name, value in vars(flags).items() if name.isupper() and isinstance(value, str)}
    assert named == set(flags.SENTENCES)


def test_a_combination_of_attributes_seen_before_is_read_like_one_seen_for_the_first_time() -> None:
    attributes: dict[str, Any] = a_chat(input_tokens=5, output_tokens=2) | {
        "user.id": "u",
        "gen_ai.system": "openai",
        "x": 1,
    }
    first, second = normalise(a_span(attributes)), normalise(a_span(attributes))
    assert (usage_of(first), first.user, first.attributes) == (usage_of(second), second.user, second.attributes)
    blank = normalise(a_span(attributes | {"user.id": "", "gen_ai.provider.name": ""}))
    assert (blank.user, blank.provider) == (None, "openai")
