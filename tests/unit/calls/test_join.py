"""Which calls need a key to be found by their twin in another trace, and that twins get the same one."""

from __future__ import annotations

from typing import Any

from outlay_collector.calls.join import twin_keys

from tests.unit.calls.builders import NOON_NS, SECOND_NS, a_chat, read

LANGCHAIN = "openinference.instrumentation.langchain"
OPENAI = "openinference.instrumentation.openai"


def keys(scope: str, *, tokens: int = 15, start_ns: int = NOON_NS, **span: Any) -> set[int]:
    said = {
        "openinference.span.kind": "LLM", "llm.model_name": "gpt-4o-mini", "llm.token_count.prompt": tokens,
        "llm.token_count.completion": 5,
    }  # fmt: skip
    return set(twin_keys(read(said, scope=scope, start_ns=start_ns, end_ns=start_ns + SECOND_NS, **span)))


def test_a_detached_tracer_and_the_providers_root_span_share_a_key() -> None:
    assert keys(LANGCHAIN, parent_span_id=b"p" * 8) & keys(OPENAI, start_ns=NOON_NS + 6_000_000)


def test_twins_share_a_key_wherever_a_bucket_ends() -> None:
    for offset in range(0, 4 * SECOND_NS, SECOND_NS // 16):
        outer, inner = NOON_NS + offset, NOON_NS + offset + 100_000_000
        assert keys(LANGCHAIN, start_ns=outer) & keys(OPENAI, start_ns=inner)


def test_other_totals_services_and_times_share_none() -> None:
    base = keys(LANGCHAIN)
    assert not base & keys(OPENAI, tokens=16)
    assert not base & keys(OPENAI, resource={"service.name": "billing"})
    assert not base & keys(OPENAI, start_ns=NOON_NS + 5 * SECOND_NS)


def test_our_own_sdk_and_spans_with_parents_need_none() -> None:
    chat = a_chat(input_tokens=1, output_tokens=1)
    assert twin_keys(read(chat, scope="outlay")) == ()
    assert twin_keys(read(chat, parent_span_id=b"p" * 8)) == ()
    assert twin_keys(read({"gen_ai.operation.name": "invoke_agent"})) == ()


def test_a_detached_call_with_a_response_id_is_found_by_it() -> None:
    answer = '{"generations": [[{"message": {"kwargs": {"response_metadata": {"id": "chatcmpl-1"}}}}]]}'
    assert twin_keys(read({"openinference.span.kind": "LLM", "output.value": answer}, scope=LANGCHAIN)) == ()


def test_the_halves_of_a_logged_stream_share_the_words_of_the_request() -> None:
    request = {
        "request_data": '{"model":"gpt-4o"}',
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": '[{"content":"Hi"}]',
    }
    log = request | {
        "logfire.span_type": "log",
        "logfire.msg_template": "streaming response from x",
        "gen_ai.usage.input_tokens": 3,
    }
    half = twin_keys(read(request, scope="logfire.openai"))
    assert len(half) == 1
    assert half == twin_keys(read(log, scope="logfire.openai", start_ns=NOON_NS + 90 * SECOND_NS))
    assert half != twin_keys(read(request | {"gen_ai.input.messages": "[]"}, scope="logfire.openai"))


def test_keys_fit_a_signed_bigint() -> None:
    assert all(-(2**63) <= key < 2**63 for key in keys(LANGCHAIN))
